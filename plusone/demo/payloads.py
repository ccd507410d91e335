"""Acts of the script in the platforms' own words: one JSON object per act.

Shapes: Meta, "Webhooks Reference: Page, feed"; LINE Developers, "Messaging API reference: Webhook event objects"; Telegram, "Bot API: Update";
our own `plusone.comment/1` (read 2026-11).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from plusone.demo.people import SHOP, STRANGER, digits, hexadecimal, subject_of, telegram_name
from plusone.demo.places import EVENING, GANGDO_CHANNEL, GANGDO_CHANNEL_POST, GANGDO_THREAD, ISLAND_PAGE, LINE, PLACES, Place
from plusone.demo.script import Act, Line, script

Json = dict[str, Any]
VERBS: Final = {Act.SAY: "add", Act.EDIT: "edited", Act.REMOVE: "remove", Act.HIDE: "hide"}
GANGDO_TEXT: Final = "【預購】白色戀人 K1、薯條三兄弟 K2、生朱古力 K3，留言「編號+數量」"


def millis(at: datetime) -> int:
    """Unix milliseconds."""
    return int((at - datetime(1970, 1, 1, tzinfo=at.tzinfo)) / timedelta(milliseconds=1))


def seconds(at: datetime) -> int:
    """Unix seconds."""
    return millis(at) // 1000


def comment_id(key: str) -> str:
    """The platform's id of a comment of the script."""
    line = _first[key]
    place, number = line.place, line.number
    if place.endpoint.source == "facebook":
        return f"{place.post.partition('_')[2]}_{digits(key, 16)}"
    if place.endpoint.source == "line":
        return str(468_789_577_898_262_000 + number)
    if place.endpoint.source == "telegram":
        return str((GANGDO_THREAD if place.post else 1500) + number)
    return digits(key, 16)


_first: Final = {line.key: line for line in script() if line.act is Act.SAY}


# --- Facebook ----------------------------------------------------------------------------------------------------------------


def facebook_change(line: Line) -> Json:
    """One change of a page's feed."""
    place, first = line.place, _first[line.key]
    live = place.channel == ISLAND_PAGE
    video = place.post.partition("_")[2]
    value: Json = {}
    if line.who == SHOP:
        value["from"] = {"id": place.channel, "name": place.channel_name}
    elif line.who != STRANGER:
        value["from"] = {"id": subject_of(line.who, place.people), "name": line.who}
    if line.act is not Act.REMOVE:
        link = f"https://www.facebook.com/island.clothing/videos/{video}/" if live else f"https://www.facebook.com/{place.post}"
        value["post"] = {
            "status_type": "added_video" if live else "mobile_status_update",
            "is_published": True,
            "updated_time": f"{EVENING:%Y-%m-%dT%H:%M:%S}+0000",
            "permalink_url": link,
            "promotion_status": "inactive",
            "id": place.post,
        }
    text = first.text if line.act is Act.HIDE else line.text
    if text and line.act is not Act.REMOVE:
        value["message"] = text
    if line.media == "photo":
        value["photo"] = f"https://scontent-tpe1-1.xx.fbcdn.net/v/t39.30808-6/{digits(line.event, 9)}.jpg?oh=00_Afz&oe=69A1B2C3"
    value |= {
        "post_id": place.post,
        "comment_id": comment_id(line.key),
        # An edit keeps the comment's own time; hiding and removing have theirs.
        "created_time": seconds(first.at if line.act is Act.EDIT else line.at),
        "item": "comment",
        "parent_id": comment_id(first.answers) if first.answers else place.post,
        "verb": VERBS[line.act],
    }
    return {"value": value, "field": "feed"}


def facebook_delivery(entries: list[tuple[str, int, list[Json]]]) -> Json:
    """A POST with the changes of one or more pages: (page, Unix seconds of sending, changes)."""
    return {"object": "page", "entry": [{"id": page, "time": time, "changes": changes} for page, time, changes in entries]}


# --- LINE --------------------------------------------------------------------------------------------------------------------


def line_event(line: Line, *, again: bool = False) -> Json:
    """One webhook event; `again` marks a redelivered copy."""
    place = line.place
    source = {"type": "group", "groupId": place.channel}
    if line.who != STRANGER:
        source["userId"] = subject_of(line.who, place.people)
    kind = {Act.SAY: "message", Act.EDIT: "messageEdited", Act.REMOVE: "unsend"}[line.act]
    event: Json = {
        "type": kind,
        "mode": "active",
        "timestamp": millis(line.at),
        "source": source,
        "webhookEventId": f"01KDEMO{hexadecimal(line.event, 19).upper()}",
        "deliveryContext": {"isRedelivery": again},
    }
    if line.act is Act.REMOVE:
        return event | {"unsend": {"messageId": comment_id(line.key)}}
    return event | {"replyToken": f"demo{hexadecimal('reply/' + line.event, 26)}", "message": _line_message(line)}


def _line_message(line: Line) -> Json:
    message: Json = {"id": comment_id(line.key), "type": "text", "quoteToken": f"q{hexadecimal('quote/' + line.key, 12)}"}
    if line.media == "sticker":
        return message | {"type": "sticker", "packageId": "446", "stickerId": "1988", "stickerResourceType": "ANIMATION"}
    if line.media == "photo":
        return message | {"type": "image", "contentProvider": {"type": "line"}}
    message["text"] = line.text
    if line.answers:
        message["quotedMessageId"] = comment_id(line.answers)
    if "mention" in line.options:
        start, end = map(int, line.options["mention"].split("-"))
        message["mention"] = {"mentionees": [{"index": start, "length": end - start, "type": "user"}]}
    return message


def line_delivery(events: list[Json]) -> Json:
    """A POST with events for our bot."""
    return {"destination": LINE.destination, "events": events}


# --- Telegram ----------------------------------------------------------------------------------------------------------------


def chat_of(place: Place) -> Json:
    """The group as every message names it."""
    return {"id": int(place.channel), "title": place.channel_name, "type": "supergroup"}


def _channel() -> Json:
    return {"id": int(GANGDO_CHANNEL), "title": "港島代購", "username": "gangdo_daigou", "type": "channel"}


def channel_post() -> Json:
    """The post in the channel."""
    return {"message_id": GANGDO_CHANNEL_POST, "chat": _channel(), "date": seconds(EVENING), "sender_chat": _channel(), "text": GANGDO_TEXT}


def auto_forward() -> Json:
    """Telegram's copy of the channel's post in the discussion group."""
    return {
        "message_id": GANGDO_THREAD,
        "from": {"id": 777000, "is_bot": False, "first_name": "Telegram"},
        "chat": chat_of(PLACES["gangdo_telegram"]),
        "date": seconds(EVENING) + 2,
        "sender_chat": _channel(),
        "forward_origin": {"type": "channel", "chat": _channel(), "message_id": GANGDO_CHANNEL_POST, "date": seconds(EVENING)},
        "is_automatic_forward": True,
        "forward_from_chat": _channel(),
        "forward_from_message_id": GANGDO_CHANNEL_POST,
        "forward_date": seconds(EVENING),
        "text": GANGDO_TEXT,
    }


def telegram_update(line: Line, update_id: int) -> Json:
    """One update of the group's bot."""
    field = "edited_message" if line.act is Act.EDIT else "message"
    return {"update_id": update_id, field: _telegram_message(line)}


def _telegram_message(line: Line) -> Json:
    place, first = line.place, _first[line.key]
    message: Json = {"message_id": int(comment_id(line.key)), "from": _sender(line), "chat": chat_of(place), "date": seconds(first.at)}
    if line.who == SHOP:
        message["sender_chat"] = chat_of(place)
    if line.act is Act.EDIT:
        message["edit_date"] = seconds(line.at)
    answered = int(comment_id(first.answers)) if first.answers else 0
    if place.post:
        message["message_thread_id"] = GANGDO_THREAD
        message["reply_to_message"] = {"message_id": answered, "chat": chat_of(place)} if answered else auto_forward()
    elif answered:
        message |= {"message_thread_id": answered, "reply_to_message": {"message_id": answered, "chat": chat_of(place)}}
    if line.media == "sticker":
        return message | {
            "sticker": {"file_id": f"CAAC{hexadecimal(line.event, 12)}", "type": "regular", "width": 512, "height": 512, "emoji": "👍"}
        }
    if line.media == "photo":
        return message | {"photo": [{"file_id": f"AgAC{hexadecimal(line.event, 12)}", "width": 1280, "height": 1280, "file_size": 181000}]}
    return message | {"text": line.text}


def _sender(line: Line) -> Json:
    if line.who == SHOP:
        return {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
    return {"id": int(subject_of(line.who, line.place.people)), "is_bot": False, **telegram_name(line.who), "language_code": "zh-hant"}


# --- the ingest endpoint -------------------------------------------------------------------------------------------------------


def collected_item(line: Line) -> Json:
    """One row of a collector."""
    place, first = line.place, _first[line.key]
    in_group = bool(place.post)
    return {
        "schema": "plusone.comment/1",
        "source": "fb_group_ext" if in_group else "line_openchat_import",
        "channel_id": place.channel,
        "post_id": place.post or None,
        "post_url": f"https://www.facebook.com/groups/{place.channel.partition(':')[2]}/posts/{place.post}/" if in_group else None,
        "comment_id": comment_id(line.key),
        "parent_comment_id": None,
        "author": {
            "id": None,
            "profile_key": None if line.who == STRANGER else subject_of(line.who, place.people),
            "name": "FB 用戶" if line.who == STRANGER else line.who,
        },
        "text": None if line.act is Act.REMOVE else line.text,
        "attachments": [],
        "created_at_ms": millis(first.at),
        "created_at_precision": "exact",
        "observed_at_ms": millis(line.at),
        "event": {Act.SAY: "add", Act.EDIT: "edit", Act.REMOVE: "remove"}[line.act],
        "collector": {"kind": "browser_extension", "version": "1.4.0", "operator_user_id": "gangdo-owner"},
    }
