"""Ingest: keys of rows with and without ids, and what an item must say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.claims.ports import RawEvent, SocialEvent, SourcePlatform, TimeSource, Unreadable
from domain.providers.platforms import PLATFORMS
from domain.providers.platforms.wire import utf8_wire

FIXTURES = Path(__file__).parents[2] / "fixtures"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def load(sample: str) -> Any:
    return json.loads((FIXTURES / f"{sample}.json").read_text("utf-8"))


def split(payload: Any) -> list[RawEvent]:
    return PLATFORMS["generic"].split(utf8_wire(payload), received_at=NOW)


def the_event(payload: Any) -> RawEvent:
    (event,) = split(payload)
    return event


def read(payload: Any) -> SocialEvent:
    return PLATFORMS["generic"].parse(the_event(payload).payload)


def batch(*items: dict[str, Any]) -> dict[str, Any]:
    return {"batch_id": "b", "items": list(items)}


def row(**changes: Any) -> dict[str, Any]:
    return {**load("generic/ingest_comment"), **changes}


def test_key_is_the_digest_of_place_and_comment() -> None:
    digest = "4e1ab3734e706854bddb4086f60ce4d02d365504f92df73d9e4936f275ca854c"  # sha256("fb_group_ext|fbgroup:22…|3311…|3311…")
    assert the_event(batch(row())).external_key == digest
    edit = the_event(batch(row(event="edit", text="A+2"))).external_key
    assert edit.startswith(f"{digest}:edit:")
    assert edit != the_event(batch(row(event="edit", text="A+3"))).external_key
    assert the_event(batch(row(event="remove"))).external_key.startswith(f"{digest}:remove:")


def test_rows_without_id_are_counted_within_the_snapshot() -> None:
    plus_one = row(comment_id=None)
    snapshot = batch(plus_one, plus_one, row(comment_id=None, text="B+1"), row(comment_id=None, created_at_ms=1795248360000))
    first, again = split(snapshot), split({**snapshot, "batch_id": "another"})
    assert len({event.external_key for event in first}) == 4
    assert [event.external_key for event in first] == [event.external_key for event in again]
    ids = [PLATFORMS["generic"].parse(event.payload).comment_id for event in first]
    assert ids == [event.external_key for event in first]


def test_removal_of_a_row_without_id_names_the_same_comment() -> None:
    added, removed = split(batch(row(comment_id=None), row(comment_id=None, event="remove")))
    assert PLATFORMS["generic"].parse(added.payload).comment_id == PLATFORMS["generic"].parse(removed.payload).comment_id
    assert added.external_key != removed.external_key


def test_edit_must_name_its_comment() -> None:
    event = the_event(batch(row(comment_id=None, event="edit")))
    with pytest.raises(Unreadable):
        PLATFORMS["generic"].parse(event.payload)


def test_minute_and_hour_of_a_row_without_id() -> None:
    def key(created_at_ms: int, precision: str) -> str:
        item = row(comment_id=None, created_at_ms=created_at_ms, created_at_precision=precision)
        return the_event(batch(item)).external_key

    assert key(1795248300000, "minute") == key(1795248359999, "minute") != key(1795248360000, "minute")
    assert key(1795248000000, "hour") == key(1795249000000, "hour") != key(1795251600000, "hour")


def test_bar_inside_of_a_part_makes_no_other_comment() -> None:
    one = the_event(batch(row(channel_id="a|b", post_id="c")))
    two = the_event(batch(row(channel_id="a", post_id="b|c")))
    assert one.external_key != two.external_key


@pytest.mark.parametrize(
    ("source", "platform"),
    [
        ("fb_group_ext", SourcePlatform.FACEBOOK_GROUP),
        ("line_openchat", SourcePlatform.LINE_OPENCHAT),
        ("line_openchat_export", SourcePlatform.LINE_OPENCHAT),
        ("csv", SourcePlatform.IMPORT),
        (None, SourcePlatform.IMPORT),
    ],
)
def test_source(source: Any, platform: SourcePlatform) -> None:
    assert read(batch(row(source=source))).source is platform


@pytest.mark.parametrize(
    ("author", "author_id"), [({"name": "林小美"}, ""), ({"id": "7"}, "7"), ({"id": "7", "profile_key": "u/7"}, "u/7"), ("x", "")]
)
def test_name_is_not_an_identity(author: Any, author_id: str) -> None:
    assert read(batch(row(author=author))).author_id == author_id


def test_time_is_the_platforms_only_when_it_is_exact() -> None:
    assert read(batch(row(created_at_precision="exact"))).time_source is TimeSource.PLATFORM
    assert read(batch(row(created_at_precision="minute"))).time_source is TimeSource.OBSERVER
    seen = read(batch(row(created_at_precision="exact", event="edit")))
    assert (seen.occurred_at, seen.time_source) == (datetime(2026, 11, 21, 8, 6, tzinfo=UTC), TimeSource.OBSERVER)


@pytest.mark.parametrize(
    "changes", [{"schema": "plusone.comment/2"}, {"event": "vanish"}, {"channel_id": None}, {"post_id": None}, {"text": 1}]
)
def test_item_that_is_not_understood_is_refused_alone(changes: dict[str, Any]) -> None:
    good, bad = split(batch(row(), row(**changes)))
    assert PLATFORMS["generic"].parse(good.payload).text == "A+1"
    with pytest.raises(Unreadable):
        PLATFORMS["generic"].parse(bad.payload)


def test_chat_needs_no_post() -> None:
    assert read(batch(row(source="line_openchat", post_id=None))).post_id == ""


def test_items_beyond_the_limit_are_kept_and_refused() -> None:
    events = split(batch(*(row(comment_id=str(number)) for number in range(502))))
    assert len(events) == 502
    assert [event.external_key.startswith("unreadable:") for event in events] == [False] * 500 + [True] * 2


def test_recorded_lines_are_three_comments() -> None:
    items = [json.loads(line) for line in load("generic/import_samples")["jsonl"].splitlines()]
    texts = [PLATFORMS["generic"].parse(event.payload).text for event in split(batch(*items))]
    assert texts == [item["text"] for item in items]
