"""Telegram: keys, threads, owners and places in a text, where the recorded payloads alone do not show them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.claims.ports import EventKind, RawEvent, SocialEvent, Unreadable
from domain.providers.platforms import PLATFORMS
from domain.providers.platforms.wire import utf8_wire

FIXTURES = Path(__file__).parents[2] / "fixtures"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def load(sample: str) -> Any:
    return json.loads((FIXTURES / f"{sample}.json").read_text("utf-8"))


def split(payload: Any) -> list[RawEvent]:
    return PLATFORMS["telegram"].split(utf8_wire(payload), received_at=NOW)


def the_event(payload: Any) -> RawEvent:
    (event,) = split(payload)
    return event


def read(payload: Any) -> SocialEvent:
    return PLATFORMS["telegram"].parse(the_event(payload).payload)


def message(**changes: Any) -> dict[str, Any]:
    payload: dict[str, Any] = load("telegram/supergroup_text")
    payload["message"] |= changes
    return payload


def test_key_is_the_update_and_the_lane_the_chat() -> None:
    add, edit = the_event(load("telegram/supergroup_text")), the_event(load("telegram/supergroup_edited"))
    pressed = the_event(load("telegram/callback_query"))
    assert [event.external_key for event in (add, edit, pressed)] == ["815230001", "815230003", "815230025"]
    assert {event.lane for event in (add, edit, pressed)} == {"telegram:-1002145678901"}


def test_mentions_are_counted_in_utf16_there_and_in_code_points_here() -> None:
    entities = [
        {"type": "mention", "offset": 2, "length": 4},
        {"type": "bold", "offset": 0, "length": 2},
        {"type": "text_mention", "offset": 7, "length": 2, "user": {"id": 1}},
    ]
    assert read(message(text="🥭@abc 小明 +1", entities=entities)).mentions == ((1, 5), (6, 8))
    photo = {"photo": [{"file_id": "f"}], "caption": "🥭@abc 小明 +1", "caption_entities": entities}
    with_caption = load("telegram/photo_with_caption")
    with_caption["message"] |= photo
    assert read(with_caption).mentions == ((1, 5), (6, 8))


def test_answer_to_a_plain_message_that_opened_a_thread_quotes_it() -> None:
    event = read(message(message_thread_id=1400, reply_to_message={"message_id": 1400}))
    assert (event.post_id, event.parent_comment_id, event.quoted_comment_id) == ("", "", "1400")


def test_answer_in_a_topic() -> None:
    first = read(message(message_thread_id=900, is_topic_message=True, reply_to_message={"message_id": 900}))
    later = read(message(message_thread_id=900, is_topic_message=True, reply_to_message={"message_id": 950}))
    assert (first.post_id, first.parent_comment_id, first.quoted_comment_id) == ("900", "", "")
    assert (later.post_id, later.parent_comment_id, later.quoted_comment_id) == ("900", "950", "")


def test_channel_that_comments_under_its_own_post_is_the_owner() -> None:
    comment_of_channel = load("telegram/discussion_comment")
    channel = comment_of_channel["message"]["reply_to_message"]["sender_chat"]
    comment_of_channel["message"] |= {"from": {"id": 136817688, "is_bot": True}, "sender_chat": channel}
    assert read(comment_of_channel).is_owner
    comment_of_channel["message"]["sender_chat"] = {"id": -1005, "title": "別的頻道"}
    stranger = read(comment_of_channel)
    assert (stranger.is_owner, stranger.author_id, stranger.author_name) == (False, "-1005", "別的頻道")


def test_bots_and_telegram_itself_are_owners() -> None:
    assert read(message(**{"from": {"id": 7, "is_bot": True}})).is_owner
    assert read(message(**{"from": {"id": 777000, "is_bot": False}})).is_owner
    assert not read(message(**{"from": {"id": 7, "is_bot": False}})).is_owner


def test_post_link_is_found_by_its_older_fields_too() -> None:
    copied = load("telegram/discussion_auto_forward")
    del copied["message"]["forward_origin"]
    assert read(copied).links_to == ("-1001987654321", "88")
    del copied["message"]["forward_from_message_id"]
    with pytest.raises(Unreadable):
        PLATFORMS["telegram"].parse(the_event(copied).payload)


@pytest.mark.parametrize("field", ["pinned_message", "video_chat_started", "new_chat_title", "something_of_2030"])
def test_message_that_says_nothing_is_other(field: str) -> None:
    payload = message(**{field: {"x": 1}})
    del payload["message"]["text"]
    assert read(payload).kind is EventKind.OTHER
