"""What the short way makes of a delivery is what the long way makes of it, whatever is in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.claims.ports import RawEvent, SocialEvent, Unreadable
from domain.providers.platforms import PLATFORMS, facebook
from domain.providers.platforms.facebook_plain import plain_add, plain_comment, read_plain
from domain.providers.platforms.wire import facebook_wire

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PAGE = "104561234567890"
TEXTS = st.one_of(st.text(max_size=12), st.sampled_from(["", "9_1", "+1", "x" * 201, "\0", "\ud800", "\\u0000", "黑色+1", "add", "edited"]))
ODD = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1_795_248_000, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, 1.5, 1e300, float("nan")]),
    st.sampled_from([[], {}, [1], {"a": {"b": [None]}}, {"x" * 300: 1}]),
)


def mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The usual thing seven times of eight."""
    return st.integers(0, 7).flatmap(lambda dice: usual if dice else ODD)


AUTHORS = st.fixed_dictionaries({}, optional={"id": mostly(st.just("5")), "name": mostly(TEXTS), "more": ODD})
POSTS = st.fixed_dictionaries(
    {}, optional={"id": TEXTS, "is_published": mostly(st.booleans()), "permalink_url": mostly(TEXTS), "more": ODD}
)
VALUES = st.fixed_dictionaries(
    {
        "item": mostly(st.just("comment")), "verb": mostly(st.sampled_from(["add", "add", "edited", "remove", "hide"])),
        "comment_id": mostly(st.sampled_from(["9_1", "9_2"])), "post_id": mostly(st.just(f"{PAGE}_9")),
        "created_time": mostly(st.integers(1_795_248_000, 1_795_249_000)),
    },
    optional={"message": mostly(TEXTS), "from": mostly(AUTHORS), "post": mostly(POSTS), "parent_id": mostly(TEXTS), "message_tags": ODD},
)  # fmt: skip
CHANGES = mostly(st.fixed_dictionaries({"field": mostly(st.just("feed")), "value": mostly(VALUES)}, optional={"more": st.none()}))
ENTRIES = mostly(
    st.fixed_dictionaries(
        {"id": mostly(st.just(PAGE)), "changes": mostly(st.lists(CHANGES, max_size=4))},
        optional={"time": mostly(st.just(1_795_248_001)), "uid": ODD},
    )
)
DELIVERIES = mostly(st.fixed_dictionaries({"object": mostly(st.just("page")), "entry": mostly(st.lists(ENTRIES, max_size=3))}))


def wire(delivery: Any) -> bytes:
    return json.dumps(delivery).encode("ascii")


def the_long_way(body: bytes) -> list[RawEvent]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facebook, "read_plain", lambda _: None)
        return PLATFORMS["facebook"].split(body, received_at=NOW)


def same(body: bytes) -> list[RawEvent]:
    events = PLATFORMS["facebook"].split(body, received_at=NOW)
    assert events == the_long_way(body)
    for event in events:
        assert not event.written or event.written.encode() == orjson.dumps(event.payload)
    return events


@given(DELIVERIES)
def test_both_ways_agree(delivery: Any) -> None:
    same(wire(delivery))


LINKS = st.sampled_from(["https://www.facebook.com/a/videos/9/", "https://www.facebook.com/a/posts/9", "javascript:alert(1)", "", None])
STORED = st.fixed_dictionaries(
    {
        "object": mostly(st.just("page")), "page": mostly(st.just(PAGE)), "sent_at": mostly(st.just(1_795_248_001)), "field": mostly(st.just("feed")),
        "value": mostly(st.fixed_dictionaries(
            {
                "item": mostly(st.just("comment")), "verb": mostly(st.just("add")), "comment_id": mostly(st.just("9_1")),
                "post_id": mostly(st.just(f"{PAGE}_9")), "created_time": mostly(st.just(1_795_248_000)), "message": mostly(TEXTS),
                "parent_id": mostly(st.sampled_from([f"{PAGE}_9", "9_0"])),
                "from": mostly(st.fixed_dictionaries({"id": mostly(st.sampled_from(["5", PAGE]))}, optional={"name": mostly(TEXTS)})),
                "post": mostly(st.fixed_dictionaries({"status_type": mostly(st.sampled_from(["added_video", "added_photos"])), "permalink_url": LINKS})),
            },
            optional={"message_tags": ODD},
        )),
    },
)  # fmt: skip


@given(STORED)
def test_a_stored_comment_is_read_alike_both_ways(payload: dict[str, Any]) -> None:
    def read(way: Callable[[dict[str, Any]], SocialEvent]) -> SocialEvent | str:
        try:
            return way(payload)
        except Unreadable as error:
            return str(error)

    platform = facebook.Facebook()
    assert read(platform.parse) == read(platform.parse_any)


def test_the_ordinary_stored_comment_is_read_the_short_way() -> None:
    (event,) = PLATFORMS["facebook"].split(delivery(comment()), received_at=NOW)
    assert plain_comment(event.payload) == facebook.Facebook().parse_any(event.payload)
    for odd in (comment(message=""), comment(verb="edited"), comment(message_tags=[]), comment(comment_id=7), comment(parent_id="九")):
        (event,) = PLATFORMS["facebook"].split(delivery(odd), received_at=NOW)
        assert plain_comment(event.payload) is None


def comment(**changed: Any) -> dict[str, Any]:
    value = {
        "from": {"id": "5", "name": "小美"}, "post": {"status_type": "added_video", "is_published": True, "id": f"{PAGE}_9"},
        "message": "黑色+1", "post_id": f"{PAGE}_9", "comment_id": "9_1", "created_time": 1_795_248_000, "item": "comment",
        "parent_id": f"{PAGE}_9", "verb": "add",
    }  # fmt: skip
    return {"field": "feed", "value": {**value, **changed}}


def delivery(*changes: Any, **changed: Any) -> bytes:
    return facebook_wire({"object": "page", "entry": [{"id": PAGE, "time": 1_795_248_001, "changes": list(changes), **changed}]})


def short(events: list[RawEvent]) -> list[bool]:
    return [event.written != "" for event in events]


def test_the_ordinary_comment_goes_the_short_way() -> None:
    assert short(same(delivery(comment(), comment(comment_id="9_2")))) == [True, True]


def test_a_change_that_is_no_plain_comment_leaves_the_others_there() -> None:
    odd = comment(verb="edited", comment_id="9_3")
    assert short(same(delivery(comment(), odd, {"field": "feed", "value": {"item": "post", "n": 2**64}}, comment(comment_id="9_2")))) == [
        True,
        False,
        False,
        True,
    ]


LONG_WAY: dict[str, Callable[[], bytes]] = {
    "a NUL": lambda: delivery(comment(message="a\0b")),
    "a lone surrogate": lambda: delivery(comment(message="\ud800")),
    "bad UTF-8": lambda: delivery(comment(message="??")).replace(b"??", b"\xff\xfe"),
    "a byte order mark": lambda: b"\xef\xbb\xbf" + delivery(comment()),
    "a huge number": lambda: delivery(comment(created_time=2**70)),
    "a huge time of sending": lambda: delivery(comment(), time=2**70),
    "a key that we do not know": lambda: delivery(comment(message_tags=[{"id": "1", "offset": 0, "length": 1}])),
    "a text beyond the limit": lambda: delivery(comment(message="x" * 70_000)),
    "an id beyond the limit": lambda: delivery(comment(comment_id="9" * 300)),
    "an id and a page that are too long together": lambda: delivery(comment(comment_id="9" * 190)),
    "a time before there were comments": lambda: delivery(comment(created_time=5)),
    "true for a time": lambda: delivery(comment(created_time=True)),
    "an author with parts": lambda: delivery(comment(**{"from": {"id": "5", "name": {"first": "A"}}})),
    "nesting that only one of the readers takes": lambda: delivery(
        comment(), {"field": "x", "value": json.loads('{"a":' * 600 + "1" + "}" * 600)}
    ),
    "a flat entry": lambda: facebook_wire({"object": "page", "entry": [{"id": PAGE, **comment()}]}),
    "wrapped in a list": lambda: b"[" + delivery(comment()) + b"]",
}


@pytest.mark.parametrize("body", LONG_WAY.values(), ids=LONG_WAY.keys())
def test_whatever_is_unusual_goes_the_long_way_and_ends_the_same(body: Callable[[], bytes]) -> None:
    found = same(body())
    assert len(found) >= 1
    assert not all(short(found))


def test_more_than_an_honest_delivery_has_is_cut_the_same() -> None:
    body = delivery(*(comment(comment_id=f"9_{n}", message="") for n in range(5_001)))
    assert len(same(body)) == 5_001


def test_the_plain_way_has_a_use() -> None:
    """The guard of the tests above: it does not simply refuse everything."""
    body = delivery(comment())
    plain = read_plain(body)
    assert plain is not None
    event = plain_add(PAGE, 1_795_248_001, plain["entry"][0]["changes"][0])
    assert event == the_long_way(body)[0]
