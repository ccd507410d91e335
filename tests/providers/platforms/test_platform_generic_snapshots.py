"""A collector's delivery as a list: one event per post, behind its rows, and whole only when every row of it is known for sure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.claims.ports import EventKind, RawEvent, Snapshot, SourcePlatform, TimeSource, Unreadable
from domain.providers.platforms import PLATFORMS
from domain.providers.platforms.wire import utf8_wire
from tests.build import NOW

GENERIC = PLATFORMS["generic"]
T0 = int(NOW.timestamp() * 1000)


def row(comment: str | None, **more: Any) -> dict[str, Any]:
    return {
        "source": "fb_group_ext", "channel_id": "g", "post_id": "p", "comment_id": comment, "author": {"name": "林"}, "text": "+1",
        "created_at_ms": T0, "observed_at_ms": T0 + 60_000, **more,
    }  # fmt: skip


def split(*rows: Any, **head: Any) -> list[RawEvent]:
    return GENERIC.split(utf8_wire({"batch_id": "b", "items": list(rows), **head}), received_at=NOW)


def lists(*rows: Any, **head: Any) -> list[Snapshot]:
    found = [
        GENERIC.parse(event.payload).snapshot
        for event in split(*rows, **{"snapshot_id": "s", "complete": True, **head})
        if "snapshot" in event.payload
    ]
    return [snapshot for snapshot in found if snapshot is not None]


def test_a_plain_delivery_is_no_list() -> None:
    assert [event.payload.keys() for event in split(row("1"))] == [{"batch_id", "row", "item"}]
    assert lists(row("1"), snapshot_id="") == lists(row("1"), snapshot_id=None) == lists(row("1"), snapshot_id={}) == []


def test_a_list_is_one_event_per_post_behind_its_rows() -> None:
    events = split(row("1"), row("2", post_id="q"), row("3", observed_at_ms=T0 + 5_000), snapshot_id="s", complete=True)
    first, second = events[3:]
    assert [GENERIC.parse(event.payload).kind for event in events] == [EventKind.ADD] * 3 + [EventKind.SNAPSHOT] * 2
    assert (first.lane, second.lane) == (events[0].lane, events[1].lane)
    event = GENERIC.parse(first.payload)
    assert (event.source, event.channel_id, event.post_id, event.time_source) == (
        SourcePlatform.FACEBOOK_GROUP,
        "g",
        "p",
        TimeSource.OBSERVER,
    )
    assert event.snapshot == Snapshot("s", True, 1, 1, NOW + timedelta(seconds=5), frozenset({"1", "3"}))
    assert first.occurred_at == NOW + timedelta(seconds=60)


@pytest.mark.parametrize("event", ["add", "edit", "remove", "hide", "unhide"])
def test_within_one_instant_the_rows_come_first(event: str) -> None:
    (_, listed), (told, _) = split(row("1"), snapshot_id="s"), split(row("1", event=event), snapshot_id="s")
    assert len(told.external_key) < len(listed.external_key) <= 200


def test_the_key_is_the_list_s_name_and_whether_it_is_whole() -> None:
    keys = [
        split(row("1"), **head)[-1].external_key
        for head in (
            {"snapshot_id": "s", "complete": True}, {"snapshot_id": "s", "complete": False}, {"snapshot_id": "t", "complete": True},
            {"snapshot_id": "s", "complete": True, "channel_id": "g", "post_id": "p", "part": 1, "parts": 2},
            {"snapshot_id": "s", "complete": True, "channel_id": "g", "post_id": "p", "part": 2, "parts": 2},
        )
    ]  # fmt: skip
    assert len(set(keys)) == 5
    again = split(row("1", text="A+2"), row("2"), snapshot_id="s", complete=True, batch_id="another")
    assert again[-1].external_key == keys[0]


@pytest.mark.parametrize(
    ("rows", "head", "whole"),
    [
        pytest.param([row("1")], {}, True, id="whole"),
        pytest.param([row("1")], {"complete": False}, False, id="it says no"),
        pytest.param([row("1")], {"complete": 1}, False, id="it does not say"),
        pytest.param([row("1"), row(None)], {}, False, id="a row without an id"),
        pytest.param([row("1"), row("2", text=5)], {}, False, id="a row that cannot be read"),
        pytest.param([row("1"), "junk"], {}, False, id="a row that is none"),
        pytest.param([row(str(n)) for n in range(501)], {}, False, id="more than a delivery takes"),
        pytest.param([row(str(n)) for n in range(500)], {}, True, id="as many as a delivery takes"),
        pytest.param([row("1")], {"part": 1, "parts": 2}, False, id="parts without a post"),
        pytest.param([row("1")], {"part": 1, "parts": 1}, True, id="the only part"),
        pytest.param([row("1")], {"part": True, "parts": 1}, False, id="a part that is no number"),
    ],
)
def test_when_a_list_is_whole(rows: list[Any], head: dict[str, Any], whole: bool) -> None:
    (found,) = lists(*rows, **head)
    assert found.complete is whole


def test_a_removed_row_is_not_seen_and_a_hidden_one_is() -> None:
    (found,) = lists(row("1"), row("2", event="remove"), row("3", event="hide"))
    assert (found.complete, found.seen) == (True, {"1", "3"})


def test_a_named_post_has_a_list_even_if_nothing_is_there() -> None:
    head = {"source": "fb_group_ext", "channel_id": "g", "post_id": "p", "taken_at_ms": T0}
    assert lists(**head) == [Snapshot("s", True, 1, 1, NOW, frozenset())]
    assert lists(row("1"), row("2", post_id="q"), **head) == [Snapshot("s", True, 1, 1, NOW, frozenset({"1"}))]
    (without_source,) = split(channel_id="g", post_id="p", taken_at_ms=T0, snapshot_id="s")
    assert GENERIC.parse(without_source.payload).source is SourcePlatform.IMPORT
    inherited = split(row("1"), channel_id="g", post_id="p", taken_at_ms=T0, snapshot_id="s")[-1]
    assert GENERIC.parse(inherited.payload).source is SourcePlatform.FACEBOOK_GROUP


def test_a_chat_has_no_end_and_no_list() -> None:
    assert lists(row("1", source="line_openchat", post_id=None)) == []


def test_a_list_that_does_not_say_when_is_refused() -> None:
    (_, event) = split(row("1", observed_at_ms=None), snapshot_id="s", complete=True)
    with pytest.raises(Unreadable, match="must say when it was taken"):
        GENERIC.parse(event.payload)
    assert event.external_key.startswith("unreadable:")


def test_a_row_without_any_time_has_the_receipt_s_and_so_has_its_list() -> None:
    rows = [row("1"), row("2", created_at_ms=None, observed_at_ms=None)]
    assert [event.occurred_at for event in split(*rows, snapshot_id="s")][1:] == [None, None]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = ("snapshot_id", "complete", "part", "parts", "source", "channel_id", "post_id", "taken_at_ms")
TIMES = ("comment_id", "post_id", "created_at_ms", "observed_at_ms", "event", "source")


@given(st.dictionaries(st.sampled_from(NAMES), JSON), st.lists(st.dictionaries(st.sampled_from(TIMES), JSON), max_size=3))
def test_whatever_a_delivery_says_it_is_cut_and_read_or_refused(head: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    events = split(*({**row("1"), **each} for each in rows), **head)
    for event in events:
        assert len(event.external_key) <= 200
        assert "\0" not in event.external_key + event.lane
        try:
            GENERIC.parse(event.payload)
        except Unreadable:
            assert event.external_key.startswith("unreadable:")
