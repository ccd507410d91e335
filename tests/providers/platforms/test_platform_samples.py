"""Every recorded payload and the event that it becomes, in one table.

A line of the table reads: kind, source, channel/post/comment, who, when (UTC of 2026-11-21, `~` by the delivery's clock, `?` by the
observer's), the text in quotes, then whatever else the event says. Ids are written by the names below.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.claims.ports import SocialEvent, TimeSource
from domain.providers.platforms import PLATFORMS
from domain.providers.platforms.wire import facebook_wire, utf8_wire

FIXTURES = Path(__file__).parents[2] / "fixtures"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

NAMES = {
    "https://scontent-tpe1-1.xx.fbcdn.net/v/t39.30808-6/": "cdn:",
    "https://video-tpe1-1.xx.fbcdn.net/v/t42.1790-2/": "cdn:",
    "104561234567890_122156789012345678": "post",
    "104561234567890_407298303721936": "live",
    "103149398319188_244445617083583": "post2",
    "122156789012345678_": "c",
    "407298303721936_": "l",
    "244445617083583_": "d",
    "104561234567890": "page",
    "5102938475610293": "psid",
    "17841405726653026": "account",
    "17918195224117851": "media",
    "17999999999999999": "live",
    "17894227972186": "c",
    "6841100000000000": "mei",
    "6841100000000777": "ming",
    "103149398319188": "page2",
    "7392015648120394": "mei",
    "6841177305512208": "ming",
    "2204567890123456": "fbgroup",
    "C4af498062901234567890abcdef012345": "group",
    "Ra8dbf4673c4c812cd491258042226c99": "room",
    "U206d25c2ea6bd87c17655609a1c37cb8": "mei",
    "U91eeaf62d9012345678901234567890a": "ming",
    "468789577898262": "m",
    "-1002145678901": "super",
    "-1002223334445": "discussion",
    "-1001987654321": "channel",
    "512345678": "mei",
    "6123456789": "ming",
}
TABLE = """
facebook/batch_two_pages_mixed
    ADD | FACEBOOK_PAGE | page/post/c1387412569043177 | mei 林小美 | 08:00:12 | '芒果禮盒 A +2，可以週五面交嗎？'
    ADD | FACEBOOK_PAGE | page2/post2/d877001 | ming 陳大明 | 08:00:11 | '粽子 +5'
    OTHER | FACEBOOK_PAGE | page2/post/- | - | 08:03:25 | ''
facebook/feed_comment_add
    ADD | FACEBOOK_PAGE | page/post/c1387412569043177 | mei 林小美 | 08:00:12 | '芒果禮盒 A +2，可以週五面交嗎？'
facebook/feed_comment_by_page_itself
    ADD | FACEBOOK_PAGE | page/post/c1714400982213344 | page 阿美團購 | 08:02:50 | '已為您登記，謝謝！' | under c1387412569043177 | owner
facebook/feed_comment_edited
    EDIT | FACEBOOK_PAGE | page/post/c1387412569043177 | - | ~08:01:36 | '芒果禮盒 A +3，可以週五面交嗎？'
facebook/feed_comment_hide_by_page
    HIDE | FACEBOOK_PAGE | page/post/c1501822390417765 | - | 08:02:20 | '+1 賴：abc123 代購更便宜'
facebook/feed_comment_live_video
    ADD | FACEBOOK_LIVE | page/live/l408074786977621 | ming 陳大明 | 08:03:20 | '88號 白色M +1'
facebook/feed_comment_photo_only
    ADD | FACEBOOK_PAGE | page/post/c1714400982213340 | mei 林小美 | 08:00:12 | '' | with photo cdn:4711.jpg?oh=00_Afz&oe=69A1B2C3
facebook/feed_comment_photo_with_text
    ADD | FACEBOOK_PAGE | page/post/c1714400982213341 | mei 林小美 | 08:00:12 | '這款還有嗎 +1' | with photo cdn:4712.jpg?oh=00_Afz&oe=69A1B2C3
facebook/feed_comment_remove
    REMOVE | FACEBOOK_PAGE | page/post/c1387412569043177 | - | 08:02:10 | ''
facebook/feed_comment_reply_add
    ADD | FACEBOOK_PAGE | page/post/c1622908841155302 | ming 陳大明 | 08:00:45 | '我也要 B+1 🥭' | under c1387412569043177
facebook/feed_comment_sticker_only
    ADD | FACEBOOK_PAGE | page/post/c1714400982213343 | mei 林小美 | 08:00:12 | '' | with unknown
facebook/feed_comment_unhide_by_page
    UNHIDE | FACEBOOK_PAGE | page/post/c1501822390417765 | - | 08:02:30 | '+1 賴：abc123 代購更便宜'
facebook/feed_comment_video_or_gif
    ADD | FACEBOOK_PAGE | page/post/c1714400982213342 | mei 林小美 | 08:00:12 | '' | with video cdn:99.mp4?oe=69A1B2C4
facebook/feed_comment_without_from
    ADD | FACEBOOK_PAGE | page/post/c1714400982213345 | - | 08:03:00 | 'A+1'
facebook/feed_post_by_page
    OTHER | FACEBOOK_PAGE | page/post/- | - | 08:00:00 | ''
facebook/feed_post_removed
    OTHER | FACEBOOK_PAGE | page/post/- | - | 08:15:00 | ''
facebook/feed_reaction_noise
    OTHER | FACEBOOK_PAGE | page/post/- | - | 08:03:25 | ''
facebook/group_feed_comment_add
    ADD | FACEBOOK_GROUP | fbgroup/3311223344556677/3311223344559999 | mei 林小美 | 08:05:00 | '社團這篇 A+1'
facebook/live_videos_field
    OTHER | FACEBOOK_PAGE | page/-/- | - | ~08:03:10 | ''
facebook/messenger_echo
    OTHER | FACEBOOK_PAGE | page/-/- | - | ~08:06:50 | ''
facebook/messenger_edit
    OTHER | FACEBOOK_PAGE | page/-/- | - | ~08:07:00 | ''
facebook/messenger_optin
    MESSAGE | FACEBOOK_PAGE | page/-/- | psid | 08:07:09.950 | 'claim_7K3QX9'
facebook/messenger_postback_referral
    MESSAGE | FACEBOOK_PAGE | page/-/- | psid | 08:07:09.950 | 'claim_7K3QX9'
facebook/messenger_referral_claim_code
    MESSAGE | FACEBOOK_PAGE | page/-/- | psid | 08:07:09.950 | 'claim_7K3QX9'
facebook/messenger_text
    MESSAGE | FACEBOOK_PAGE | page/-/- | psid | 08:06:40.523 | '我的訂單 A1001 可以改地址嗎'
instagram/comment_add
    ADD | INSTAGRAM | account/media/c120 | mei xiaomei.lin | ~08:00:20 | '奶油白 M +1'
instagram/comment_by_own_account
    ADD | INSTAGRAM | account/media/c123 | account amei.groupbuy | ~08:01:10 | '@xiaomei.lin 已登記' | under c120 | owner
instagram/comment_documented_comment_id_key
    ADD | INSTAGRAM | account/media/c120 | mei xiaomei.lin | ~08:00:20 | '奶油白 M +1'
instagram/comment_instagram_login_flat
    ADD | INSTAGRAM | account/media/c120 | mei xiaomei.lin | ~08:00:20 | '奶油白 M +1'
instagram/comment_on_ad
    ADD | INSTAGRAM | account/media/c122 | mei xiaomei.lin | ~08:01:00 | '+1'
instagram/comment_reel_emoji_only
    ADD | INSTAGRAM | account/17918195224118000/c124 | mei xiaomei.lin | ~08:01:15 | '🥭🥭'
instagram/comment_reply
    ADD | INSTAGRAM | account/media/c121 | ming daming_chen | ~08:00:50 | '我要 L +2' | under c120
instagram/dm_echo
    OTHER | INSTAGRAM | account/-/- | - | 08:02:29.660 | ''
instagram/dm_edit
    OTHER | INSTAGRAM | account/-/- | - | 08:02:39.660 | ''
instagram/dm_postback
    OTHER | INSTAGRAM | account/-/- | - | 08:02:49.660 | ''
instagram/dm_referral_claim_code
    MESSAGE | INSTAGRAM | account/-/- | mei | 08:02:59.660 | 'claim_7K3QX9'
instagram/dm_story_reply
    MESSAGE | INSTAGRAM | account/-/- | mei | 08:01:49.660 | '這個 +2'
instagram/dm_text
    MESSAGE | INSTAGRAM | account/-/- | mei | 08:01:39.660 | '我要 +1 可以嗎'
instagram/dm_unsent
    OTHER | INSTAGRAM | account/-/- | - | 08:02:19.660 | ''
instagram/live_comment
    ADD | INSTAGRAM_LIVE | account/live/17900000000000088 | mei xiaomei.lin | ~08:01:20 | '5號 +1'
instagram/mention_in_comment
    OTHER | INSTAGRAM | account/-/- | - | ~08:01:30 | ''
line/account_link_failed
    ACCOUNT_NOT_LINKED | LINE_OA | mei/-/- | mei | 08:00:02.110 | '7x1mQ0lq3u2Vb771wDYtXuammLszK6h9A'
line/account_link_ok
    ACCOUNT_LINKED | LINE_OA | mei/-/- | mei | 08:00:02.100 | '7x1mQ0lq3u2Vb771wDYtXuammLszK6h9A' | token 83
line/batch_three_sources
    ADD | LINE_GROUP | group/-/m530 | mei | 08:00:01 | 'A+2 B+1，謝謝老闆' | token 50
    ADD | LINE_GROUP | room/-/m533 | ming | 08:00:01.300 | '我也要 +3' | token 59
    ADD | LINE_OA | mei/-/m532 | mei | 08:00:01.200 | '查詢訂單 A1001' | token 56
line/follow
    FOLLOWED | LINE_OA | mei/-/- | mei | 08:00:00.400 | '' | token 32
line/group_image_set
    ADD | LINE_GROUP | group/-/m538 | mei | 08:00:01.700 | '' | with image | token 71
    ADD | LINE_GROUP | group/-/m539 | mei | 08:00:01.701 | '' | with image | token 72
line/group_mention_and_emoji
    ADD | LINE_GROUP | group/-/m535 | mei | 08:00:01.500 | '@小幫手 芒果 +2 (hello)' | mentions [(0, 4)] | token 65
line/group_message_edited
    EDIT | LINE_GROUP | group/-/m530 | mei | 08:00:01.800 | 'A+3 B+1，謝謝老闆' | token 74
line/group_message_sticker_with_text
    ADD | LINE_GROUP | group/-/m537 | mei | 08:00:01.610 | '' | with sticker 12345 2 +1 | token 78
line/group_quote_reply
    ADD | LINE_GROUP | group/-/m534 | ming | 08:00:01.400 | '同上 +1' | quotes m530 | token 62
line/group_sticker
    ADD | LINE_GROUP | group/-/m536 | mei | 08:00:01.600 | '' | with sticker 446 1988 | token 68
line/group_text
    ADD | LINE_GROUP | group/-/m530 | mei | 08:00:01 | 'A+2 B+1，謝謝老闆' | token 50
line/group_text_without_userid
    ADD | LINE_GROUP | group/-/m531 | - | 08:00:01.100 | '+1' | token 53
line/group_unsend
    REMOVE | LINE_GROUP | group/-/m530 | mei | 08:00:01.900 | ''
line/join_group
    OTHER | LINE_GROUP | group/-/- | - | 08:00:00.100 | '' | token 23
line/leave_group
    OTHER | LINE_GROUP | group/-/- | - | 08:01:39 | ''
line/member_joined
    OTHER | LINE_GROUP | group/-/- | - | 08:00:00.200 | '' | token 26
line/member_left
    OTHER | LINE_GROUP | group/-/- | - | 08:00:00.300 | ''
line/postback
    OTHER | LINE_GROUP | group/-/- | mei | 08:00:02 | '' | token 80
line/redelivered
    ADD | LINE_GROUP | group/-/m530 | mei | 08:00:01 | 'A+2 B+1，謝謝老闆' | token 50
line/room_text
    ADD | LINE_GROUP | room/-/m533 | ming | 08:00:01.300 | '我也要 +3' | token 59
line/standby_mode
    OTHER | LINE_OA | mei/-/m532 | mei | 08:00:01.200 | ''
line/unfollow
    OTHER | LINE_OA | mei/-/- | mei | 08:00:00.500 | ''
line/unknown_future_event
    OTHER | LINE_OA | mei/-/- | mei | 08:00:02.200 | ''
line/user_text
    ADD | LINE_OA | mei/-/m532 | mei | 08:00:01.200 | '查詢訂單 A1001' | token 56
line/verify_empty_events
telegram/album_part_1
    ADD | TELEGRAM | super/-/1508 | mei 小美 林 | 08:00:05 | '兩款各 +1' | with photo AgACAgUAAxkBAAIC 13900000000000001
telegram/album_part_2
    ADD | TELEGRAM | super/-/1509 | mei 小美 林 | 08:00:05 | '' | with photo AgACAgUAAxkBAAIC 13900000000000001
telegram/anonymous_admin
    ADD | TELEGRAM | super/-/1504 | super 阿美團購群 | 08:00:05 | '今晚八點結單' | owner
telegram/basic_group_text
    ADD | TELEGRAM | -4123456789/-/77 | mei 小美 林 | 08:00:05 | '+1'
telegram/callback_query
    OTHER | TELEGRAM | super/-/- | - | - | ''
telegram/channel_post
    OTHER | TELEGRAM | channel/-/88 | channel 阿美團購頻道 | 08:00:00 | '【開團】愛文芒果禮盒 A $680 B $1280' | owner
telegram/chat_member_joined
    OTHER | TELEGRAM | super/-/- | - | 08:00:05 | ''
telegram/discussion_auto_forward
    POST_LINK | TELEGRAM | discussion/311/311 | channel 阿美團購頻道 | 08:00:05 | '【開團】愛文芒果禮盒 A $680 B $1280' | owner | links to channel/88
telegram/discussion_comment
    ADD | TELEGRAM | discussion/311/312 | mei 小美 林 | 08:00:25 | 'A+1 B+1'
telegram/discussion_comment_nested_reply
    ADD | TELEGRAM | discussion/311/313 | ming 大明 | 08:00:35 | '同樓上' | under 312
telegram/edited_channel_post
    OTHER | TELEGRAM | channel/-/88 | channel 阿美團購頻道 | 08:05:00 | '【已結單】愛文芒果禮盒' | owner
telegram/left_chat_member
    OTHER | TELEGRAM | super/-/1511 | ming 大明 | 08:00:05 | ''
telegram/message_reaction
    OTHER | TELEGRAM | super/-/- | - | 08:01:15 | ''
telegram/migrate_from_group
    OTHER | TELEGRAM | -1002999888777/-/1 | mei 小美 林 | 08:00:05 | ''
telegram/migrate_to_supergroup
    OTHER | TELEGRAM | -4123456789/-/78 | mei 小美 林 | 08:00:05 | ''
telegram/my_chat_member_blocked
    OTHER | TELEGRAM | mei/-/- | - | 08:00:05 | ''
telegram/my_chat_member_promoted
    OTHER | TELEGRAM | super/-/- | - | 08:00:05 | ''
telegram/new_chat_members
    OTHER | TELEGRAM | super/-/1510 | ming 大明 | 08:00:05 | ''
telegram/photo_with_caption
    ADD | TELEGRAM | super/-/1507 | mei 小美 林 | 08:00:05 | '這款 +1' | with photo AgACAgUAAxkBAAIC
telegram/private_start_claim_code
    ADD | TELEGRAM | mei/-/5 | mei 小美 林 | 08:00:05 | '/start claim_7K3QX9'
telegram/sent_as_channel
    ADD | TELEGRAM | super/-/1505 | channel 阿美團購頻道 | 08:00:05 | '+1'
telegram/sticker_only
    ADD | TELEGRAM | super/-/1506 | mei 小美 林 | 08:00:05 | '' | with sticker CAACAgUAAxkBAAID
telegram/supergroup_edited
    EDIT | TELEGRAM | super/-/1501 | mei 小美 林 | 08:01:05 | 'A+3 週五面交'
telegram/supergroup_forum_topic
    ADD | TELEGRAM | super/900/1503 | mei 小美 林 | 08:00:05 | 'B+1'
telegram/supergroup_reply
    ADD | TELEGRAM | super/-/1502 | ming 大明 | 08:00:14 | '我也 +1' | quotes 1501
telegram/supergroup_text
    ADD | TELEGRAM | super/-/1501 | mei 小美 林 | 08:00:05 | 'A+2 週五面交'
generic/ingest_comment
    ADD | FACEBOOK_GROUP | fbgroup:fbgroup/3311223344556677/3311223344559999 | user/100004712345678 林小美 | ?08:05:00 | 'A+1'
"""
CLOCK = {TimeSource.PLATFORM: "", TimeSource.DELIVERY: "~", TimeSource.OBSERVER: "?"}


def body_of(sample: str) -> tuple[str, bytes]:
    """Platform and bytes of a recorded payload, as they travel."""
    platform = sample.split("/")[0]
    payload: Any = json.loads((FIXTURES / f"{sample}.json").read_text("utf-8"))
    if platform == "generic":
        payload = {"batch_id": "01KAKX0Z5N8QW3R7T1V2X4Y6ZA", "items": [payload]}
    return platform, facebook_wire(payload) if platform in ("facebook", "instagram") else utf8_wire(payload)


def short(text: str) -> str:
    for long, name in NAMES.items():
        text = text.replace(long, name)
    return text


def told_event(event: SocialEvent) -> str:
    when = f"{CLOCK[event.time_source]}{event.occurred_at.time().isoformat()}".removesuffix("000") if event.occurred_at else "-"
    attachments = [" ".join(str(part) for part in attachment.values()) for attachment in event.attachments]
    told = [
        event.kind,
        event.source,
        short("/".join((event.channel_id, event.post_id or "-", event.comment_id or "-"))),
        short(f"{event.author_id or '-'} {event.author_name}".strip()),
        when,
        f"'{event.text}'",
        event.parent_comment_id and f"under {short(event.parent_comment_id)}",
        event.quoted_comment_id and f"quotes {short(event.quoted_comment_id)}",
        f"mentions {list(event.mentions)}" if event.mentions else "",
        f"with {short(', '.join(attachments))}" if attachments else "",
        "owner" if event.is_owner else "",
        event.reply_token and f"token {event.reply_token[-2:]}",
        short(f"links to {'/'.join(event.links_to)}") if event.links_to else "",
    ]
    return " | ".join(part for part in told if part)


def told(sample: str) -> list[str]:
    platform, body = body_of(sample)
    events = PLATFORMS[platform].split(body, received_at=NOW)
    return [told_event(PLATFORMS[platform].parse(event.payload)) for event in events]


def table() -> dict[str, list[str]]:
    rows: dict[str, list[str]] = {}
    for line in TABLE.strip().splitlines():
        if line.startswith(" "):
            rows[next(reversed(rows))].append(line.strip())
        else:
            rows[line] = []
    return rows


@pytest.mark.parametrize(("sample", "expected"), table().items(), ids=table())
def test_recorded_payload_becomes_this_event(sample: str, expected: list[str]) -> None:
    assert told(sample) == expected


def test_every_recorded_payload_is_in_the_table() -> None:
    without_event = ("signature_vectors", "handshake", "webhook_handshake", "import_samples")
    recorded = {f"{path.parent.name}/{path.stem}" for name in PLATFORMS for path in (FIXTURES / name).glob("*.json")}
    assert {sample for sample in recorded if not sample.endswith(without_event)} == set(table())
