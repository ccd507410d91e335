"""Rightly signed and wrong: whatever a delivery holds, it is cut into events that can be stored, and the good ones survive."""

from __future__ import annotations

import contextlib
import copy
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.claims.ports import RawEvent, SocialEvent, Unreadable
from domain.providers.platforms import PLATFORMS

FIXTURES = Path(__file__).parents[2] / "fixtures"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
REMOVED = object()
NESTED: Any = "x"
for _ in range(200):
    NESTED = [{"a": NESTED}]
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**63, 10**30, float("nan"), float("-inf")),
    *("", " ", "x" * 70_000, "a\x00b", "\ud800", "٣²🥭\u202e", [], {}, [None, [], {"a": 1}], NESTED),
)
SAMPLES = (
    *("facebook/feed_comment_add", "facebook/feed_comment_edited", "facebook/feed_comment_remove", "facebook/feed_comment_hide_by_page"),
    *("facebook/group_feed_comment_add", "facebook/messenger_text", "facebook/feed_reaction_noise"),
    *(
        "facebook/messenger_postback_referral",
        "instagram/comment_add",
        "instagram/comment_instagram_login_flat",
        "instagram/dm_referral_claim_code",
    ),
    *("line/group_text", "line/group_mention_and_emoji", "line/group_unsend", "line/group_message_edited", "line/group_sticker"),
    *("line/postback", "line/member_joined", "line/account_link_ok", "line/follow"),
    *("telegram/discussion_comment", "telegram/discussion_auto_forward", "telegram/photo_with_caption", "telegram/callback_query"),
    *("telegram/supergroup_edited", "telegram/sent_as_channel", "telegram/chat_member_joined"),
    *("generic/ingest_comment",),
)


NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""A NUL as JSON writes it; not the text of six characters behind an escaped backslash."""


def payload_of(sample: str) -> Any:
    payload = json.loads((FIXTURES / f"{sample}.json").read_text("utf-8"))
    return {"batch_id": "b", "items": [payload]} if sample.startswith("generic") else payload


def ascii_wire(payload: Any) -> bytes:
    """JSON with everything escaped, lone surrogates too, and with NaN and Infinity as Python writes them."""
    return json.dumps(payload).encode("ascii")


def paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield before
    branches = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in branches:
        yield from paths(inner, (*before, key))


def changed(payload: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return None if value is REMOVED else value
    payload = copy.deepcopy(payload)
    parent = payload
    for step in path[:-1]:
        parent = parent[step]
    if value is REMOVED:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return payload


def json_of(value: Any) -> bytes:
    """What orjson writes, which refuses lone surrogates by itself; NUL is looked for."""
    written = orjson.dumps(value)
    assert NUL.search(written) is None
    return written


def check_parsed(event: SocialEvent) -> None:
    json_of(event)
    ids = (event.channel_id, event.post_id, event.comment_id, event.parent_comment_id, event.quoted_comment_id, event.author_id)
    assert all(isinstance(external_id, str) and len(external_id) <= 200 for external_id in ids)
    assert len(event.author_name) <= 120
    assert len(event.reply_token) <= 120
    assert isinstance(event.text, str)
    assert event.occurred_at is None or event.occurred_at.utcoffset() is not None
    assert all(0 <= start < end <= len(event.text) for start, end in event.mentions or ())


def parsed_or_reason(name: str, stored: bytes) -> SocialEvent | str:
    try:
        return PLATFORMS[name].parse(orjson.loads(stored))
    except Unreadable as refusal:
        return str(refusal)


def check(name: str, body: bytes, *, twice: bool = True) -> list[RawEvent]:
    """Everything that must hold of any body; the stored form goes through JSON before it is parsed."""
    events = PLATFORMS[name].split(body, received_at=NOW)
    for event in events:
        stored = json_of(event.payload)
        assert 0 < len(event.external_key) <= 200
        assert 0 < len(event.lane) <= 200
        json_of([event.external_key, event.lane, event.occurred_at])
        parsed = parsed_or_reason(name, stored)
        if isinstance(parsed, str):
            assert 0 < len(parsed) <= 300
            assert event.external_key.startswith("unreadable:")
        else:
            check_parsed(parsed)
            assert parsed.occurred_at == event.occurred_at
    assert not twice or PLATFORMS[name].split(body, received_at=NOW) == events
    return events


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_leaf_and_branch_replaced_or_removed(sample: str) -> None:
    name, payload = sample.split("/")[0], payload_of(sample)
    for path in paths(payload):
        for value in (*ODD_VALUES, REMOVED):
            check(name, ascii_wire(changed(payload, path, value)), twice=False)


def test_there_are_enough_of_them() -> None:
    counts = {name: sum(len(list(paths(payload_of(s)))) * 21 for s in SAMPLES if s.startswith(name)) for name in PLATFORMS}
    assert counts["facebook"] >= 400
    assert counts["line"] >= 379


GOOD = {name: payload_of(sample) for name, sample in (("facebook", "facebook/feed_comment_add"), ("line", "line/group_text"))}
GOOD |= {
    "instagram": payload_of("instagram/comment_add"),
    "telegram": payload_of("telegram/supergroup_text"),
    "generic": payload_of("generic/ingest_comment"),
}


def utf8(name: str) -> bytes:
    return json.dumps(GOOD[name], ensure_ascii=False).encode()


def many(name: str, count: int) -> Any:
    payload = copy.deepcopy(GOOD[name])
    holder, field = {
        "facebook": (payload, "entry"),
        "instagram": (payload, "entry"),
        "line": (payload, "events"),
        "generic": (payload, "items"),
    }.get(name, (payload, ""))
    if field:
        holder[field] = holder[field] * count
    return payload


BODIES = {
    "empty": lambda name: b"",
    "blank": lambda name: b" \n",
    "null": lambda name: b"null",
    "true": lambda name: b"true",
    "zero": lambda name: b"0",
    "text": lambda name: b'"comment"',
    "list": lambda name: b"[]",
    "object": lambda name: b"{}",
    "NaN": lambda name: b"NaN",
    "1e999": lambda name: b"1e999",
    "number of 5,000 digits": lambda name: b"9" * 5_000,
    "100,000 lists": lambda name: b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects": lambda name: b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "100,000 open lists": lambda name: b"[" * 100_000,
    "cut": lambda name: utf8(name)[:-5],
    "twice": lambda name: utf8(name) * 2,
    "form": lambda name: b"payload=%7B%7D",
    "NUL bytes": lambda name: bytes(1_000),
    "UTF-16 without mark, cut": lambda name: utf8(name).decode().encode("utf-16-be")[:-1],
    "Latin-1": lambda name: "é".encode("latin-1") * 40,
    "5 MB of text": lambda name: utf8(name).replace(b"+", b"+" * 5_000_000, 1),
    "5 MB of lists": lambda name: b"[" + b"[]," * 1_700_000 + b"[]]",
    "3,000 events": lambda name: json.dumps(many(name, 3_000)).encode(),
    "3,000 nulls": lambda name: re.sub(rb"\[.*\]", b"[" + b"null," * 2_999 + b"null]", utf8(name), flags=re.DOTALL),
}


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_whole_body_is_odd(name: str, body: Any) -> None:
    made = body(name)
    started = process_time()
    PLATFORMS[name].split(made, received_at=NOW)
    assert process_time() - started < 10, "what grows faster than the body would take minutes"
    check(name, made)


STILL_READ = {
    "byte order mark": lambda body: b"\xef\xbb\xbf" + body,
    "UTF-16": lambda body: body.decode().encode("utf-16"),
    "UTF-16 without mark": lambda body: body.decode().encode("utf-16-le"),
    "UTF-32": lambda body: body.decode().encode("utf-32"),
    "blank around": lambda body: b"\r\n " + body + b" \n",
    "duplicate key": lambda body: b'{"object":1,"entry":2,"events":3,"message":4,"items":5,' + body[1:],
    "more keys": lambda body: b'{"new":[1e999,NaN,123456789012345678901234567890,"\\ud800\\u0000"],' + body[1:],
}


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize("disguise", STILL_READ.values(), ids=STILL_READ.keys())
def test_strange_wrapping_costs_no_comment(name: str, disguise: Any) -> None:
    (plain,), (event,) = check(name, utf8(name)), check(name, disguise(utf8(name)))
    assert event.external_key == plain.external_key
    assert PLATFORMS[name].parse(event.payload) == PLATFORMS[name].parse(plain.payload)


@pytest.mark.parametrize("name", PLATFORMS)
def test_poison_in_the_text_is_replaced_and_the_comment_kept(name: str) -> None:
    poisoned = utf8(name).replace(b"+", b"\xff+\\u0000\\ud800")
    (event,) = check(name, poisoned)
    assert "\ufffd+\ufffd\ufffd" in PLATFORMS[name].parse(event.payload).text


def test_body_that_is_no_json_is_kept_as_one_event_with_its_beginning() -> None:
    (event,) = check("facebook", b"not json \x00")
    assert event.payload["body_start"] == "not json \ufffd"
    with pytest.raises(Unreadable, match="the body is not JSON"):
        PLATFORMS["facebook"].parse(event.payload)


STRANGE: tuple[Any, ...] = (
    None,
    0,
    "x",
    [],
    {},
    [[]],
    {"type": []},
    {"id": {}},
    {"changes": "x"},
    {"changes": [None, {"field": "feed"}]},
    NESTED,
)


@pytest.mark.parametrize("strange", STRANGE, ids=range(len(STRANGE)))
@pytest.mark.parametrize(("name", "field"), [("facebook", "entry"), ("line", "events"), ("generic", "items")])
def test_strange_element_among_good_ones_costs_only_itself(name: str, field: str, strange: Any) -> None:
    good = GOOD[name][field][0]
    events = check(name, ascii_wire({**GOOD[name], field: [strange, good, strange, good, strange]}))
    (alone,) = check(name, ascii_wire(GOOD[name]))
    survivors = [event for event in events if event.external_key == alone.external_key]
    assert len(survivors) == 2
    assert survivors[0] == alone


@pytest.mark.parametrize("strange", STRANGE[:8], ids=range(8))
def test_strange_change_among_good_ones_costs_only_itself(strange: Any) -> None:
    payload = copy.deepcopy(GOOD["facebook"])
    payload["entry"][0]["changes"] = [strange, *payload["entry"][0]["changes"], strange]
    payload["entry"][0]["messaging"] = [strange]
    keys = [event.external_key for event in check("facebook", ascii_wire(payload))]
    assert "104561234567890:122156789012345678_1387412569043177" in keys


def test_more_events_than_any_delivery_holds_are_cut_off_and_said() -> None:
    events = check("line", b'{"events":[' + b"null," * 9_999 + b"null]}")
    assert len(events) == 5_001
    with pytest.raises(Unreadable, match="more than 5000 events"):
        PLATFORMS["line"].parse(events[-1].payload)


@pytest.mark.parametrize("name", PLATFORMS)
@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200))
def test_any_bytes(name: str, body: bytes) -> None:
    check(name, body)


WORDS = (
    *(
        "object",
        "page",
        "entry",
        "id",
        "time",
        "changes",
        "field",
        "feed",
        "group_feed",
        "value",
        "item",
        "comment",
        "verb",
        "add",
        "edited",
    ),
    *(
        "comment_id",
        "post_id",
        "from",
        "message",
        "message_tags",
        "created_time",
        "messaging",
        "events",
        "type",
        "source",
        "group",
        "groupId",
    ),
    *(
        "unsend",
        "messageId",
        "messageEdited",
        "text",
        "mention",
        "mentionees",
        "index",
        "length",
        "timestamp",
        "webhookEventId",
        "update_id",
    ),
    *(
        "edited_message",
        "chat",
        "message_id",
        "entities",
        "offset",
        "reply_to_message",
        "message_thread_id",
        "is_automatic_forward",
        "photo",
    ),
    *("sender_chat", "forward_origin", "items", "author", "name", "channel_id", "event", "created_at_ms", "attachments", "unreadable"),
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(st.characters(), max_size=20)
LEAVES |= st.integers(1_700_000_000, 1_900_000_000) | st.sampled_from(["\ud800", "\x00", "🥭\udfff"])
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=8), max_leaves=15
)
UNHURRIED = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", PLATFORMS)
@UNHURRIED
@given(value=JSON)
def test_any_json_made_of_their_words(name: str, value: Any) -> None:
    check(name, ascii_wire(value))


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample.endswith(("add", "text", "comment"))])
@UNHURRIED
@given(data=st.data())
def test_any_json_in_any_place(sample: str, data: st.DataObject) -> None:
    payload = payload_of(sample)
    for _ in range(data.draw(st.integers(1, 3))):
        payload = changed(payload, data.draw(st.sampled_from(list(paths(payload)))), data.draw(JSON))
    check(sample.split("/")[0], ascii_wire(payload))


@pytest.mark.parametrize("name", PLATFORMS)
@UNHURRIED
@given(payload=st.dictionaries(st.sampled_from((*WORDS, "update", "sent_at", "row")), JSON, max_size=6))
def test_parse_of_any_stored_object_raises_nothing_but_unreadable(name: str, payload: dict[str, Any]) -> None:
    with contextlib.suppress(Unreadable):
        PLATFORMS[name].parse(payload)
