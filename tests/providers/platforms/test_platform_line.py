"""LINE: keys, lanes and places in a text, where the recorded payloads alone do not show them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.claims.ports import EventKind, RawEvent, SocialEvent
from domain.providers.platforms import PLATFORMS
from domain.providers.platforms.wire import utf8_wire

FIXTURES = Path(__file__).parents[2] / "fixtures"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
GROUP = "C4af498062901234567890abcdef012345"


def load(sample: str) -> Any:
    return json.loads((FIXTURES / f"{sample}.json").read_text("utf-8"))


def split(payload: Any) -> list[RawEvent]:
    return PLATFORMS["line"].split(utf8_wire(payload), received_at=NOW)


def the_event(payload: Any) -> RawEvent:
    (event,) = split(payload)
    return event


def read(payload: Any) -> SocialEvent:
    return PLATFORMS["line"].parse(the_event(payload).payload)


def line_event(**changes: Any) -> dict[str, Any]:
    payload: dict[str, Any] = load("line/group_text")
    payload["events"][0] |= changes
    return payload


def test_redelivery_has_the_same_key_and_an_edit_another() -> None:
    assert the_event(load("line/group_text")).external_key == "01KAKX0Z5N8QW3R7T1V2X4Y6Z0"
    assert the_event(load("line/redelivered")).external_key == "01KAKX0Z5N8QW3R7T1V2X4Y6Z0"
    assert the_event(load("line/group_message_edited")).external_key == "01KAKX0Z5N8QW3R7T1V2X4Y6ZA"


def test_event_without_id_is_known_by_its_content() -> None:
    first = the_event(line_event(webhookEventId=None))
    again = the_event(line_event(webhookEventId=None, deliveryContext={"isRedelivery": True}, replyToken="x"))
    other = the_event(line_event(webhookEventId=None, timestamp=1795248001001))
    assert first.external_key == again.external_key != other.external_key


def test_lane_is_the_conversation() -> None:
    lanes = [event.lane for event in split(load("line/batch_three_sources"))]
    assert lanes == [f"line:{GROUP}", "line:Ra8dbf4673c4c812cd491258042226c99", "line:U206d25c2ea6bd87c17655609a1c37cb8"]


def test_check_of_the_console_has_no_events() -> None:
    assert split(load("line/verify_empty_events")) == []


def test_mentions_are_counted_in_utf16_there_and_in_code_points_here() -> None:
    mention = {"mentionees": [{"index": 2, "length": 3, "type": "user"}, {"index": 6, "length": 99, "type": "all"}, {"index": None}]}
    message = {"id": "1", "type": "text", "text": "🥭@小明 +1", "mention": mention}
    assert read(line_event(message=message)).mentions == ((1, 4),)


@pytest.mark.parametrize("token", ["x" * 121, 5, None])
def test_reply_token_that_cannot_be_kept_is_none(token: Any) -> None:
    assert read(line_event(replyToken=token)).reply_token == ""


def test_event_about_the_account_has_no_conversation() -> None:
    event = read(line_event(type="activated", source=None))
    assert (event.kind, event.channel_id) == (EventKind.OTHER, "")
