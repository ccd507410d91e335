"""Reading JSON, cleaning values, times and spans."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.providers.platforms.events import content_digest, fit, ident
from domain.providers.platforms.text import (
    MAX_DEPTH,
    NotJsonError,
    clean,
    clean_text,
    code_point_spans,
    moment_of_millis,
    moment_of_seconds,
    read_json,
    url,
    utf16_spans_to_code_points,
)

NO_MOMENTS: tuple[Any, ...] = (0, -1, True, None, 1.5, "", "٣", "1" * 5_000, 10**400, 4_102_444_801, 1_072_915_199, [], {})
NO_IDS: tuple[Any, ...] = (None, True, 1.0, [], {}, "")


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"9223372036854775807", 2**63 - 1),
        (b"9223372036854775808", "9223372036854775808"),
        (b"-9223372036854775808", -(2**63)),
        (b"-9223372036854775809", "-9223372036854775809"),
        (b"9" * 5_000, "9" * 5_000),
        (b"1e999", "1e999"),
        (b"-1e999", "-1e999"),
        (b"1e30", 1e30),
        (b"NaN", "NaN"),
        (b"-Infinity", "-Infinity"),
        (b'"\\ud83e\\udd6d"', "🥭"),
        (b'"\\ud83e"', "\ud83e"),
        (b'"a\nb\x00"', "a\nb\x00"),
        (b'"\xff"', "\ufffd"),
        (b'\xef\xbb\xbf{"a":1,"a":2}', {"a": 2}),
    ],
)
def test_what_orjson_refuses_or_rounds_is_read(body: bytes, value: Any) -> None:
    assert read_json(body) == value


@pytest.mark.parametrize("body", [b"", b"{", b"{'a':1}", b"1 2", b"01", b"[1,]", b"\xff\xfe", b"[" * 100_000 + b"]" * 100_000])
def test_what_is_no_json_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(NotJsonError):
        read_json(body)


def test_clean_replaces_what_postgresql_refuses_and_keeps_places() -> None:
    assert clean_text("a\x00b\ud800c\udfff🥭") == "a\ufffdb\ufffdc\ufffd🥭"
    assert clean({"k\x00": ["\ud800", {"x": "\udc00"}]}) == {"k\ufffd": ["\ufffd", {"x": "\ufffd"}]}


def test_clean_leaves_no_number_that_the_database_cannot_hold() -> None:
    assert clean([2**63 - 1, 2**63, -(2**63) - 1, True, 1.5]) == [2**63 - 1, str(2**63), str(-(2**63) - 1), True, 1.5]
    assert clean([float("inf"), float("nan"), 10**5_000]) == ["inf", "nan", "\ufffd"]


def test_clean_bounds_depth_and_width() -> None:
    deep: Any = "leaf"
    for _ in range(MAX_DEPTH + 5):
        deep = [deep]
    cleaned, depth = clean(deep), 0
    while isinstance(cleaned, list):
        cleaned, depth = cleaned[0], depth + 1
    assert (cleaned, depth) == ("\ufffd", MAX_DEPTH)
    assert len(clean(list(range(5_000)))) == 1_000
    assert len(clean({str(number): 1 for number in range(5_000)})) == 1_000
    assert len(clean("x" * 100_000)) == 65_536
    assert clean({"k" * 500: (1, object)}) == {"k" * 200: [1, "<class 'object'>"]}


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()), lambda inner: st.lists(inner)))
def test_clean_values_are_written_by_orjson(value: Any) -> None:
    cleaned = clean(value)
    assert clean(cleaned) == cleaned
    assert orjson.loads(orjson.dumps(cleaned)) == cleaned


@pytest.mark.parametrize(
    ("text", "spans", "expected"),
    [
        ("@ab +1", [(0, 3)], ((0, 3),)),
        ("🥭@ab", [(2, 3)], ((1, 4),)),
        ("👨‍👩‍👧@ab", [(8, 3)], ((5, 8),)),
        ("a🥭b", [(2, 1)], ((1, 2),)),
        ("a🥭b", [(0, 2)], ((0, 2),)),
        ("a🥭", [(1, 2), (0, 1)], ((1, 2), (0, 1))),
        ("ab", [(0, 3)], None),
        ("ab", [(2, 1), (-1, 1), (0, 0), (0, -1)], None),
        ("ab", [(None, 1), ("0", 1), (0, True), (False, 1), (0.0, 1), ([], {})], None),
        ("ab", [(10**30, 10**30)], None),
        ("", [(0, 1)], None),
        ("ab", [], None),
    ],
)
def test_utf16_spans(text: str, spans: list[tuple[Any, Any]], expected: Any) -> None:
    assert utf16_spans_to_code_points(text, spans) == expected


@given(st.text(), st.text(min_size=1), st.text())
def test_utf16_span_covers_the_same_text(before: str, name: str, after: str) -> None:
    def units(text: str) -> int:
        return len(text.encode("utf-16-le", "surrogatepass")) // 2

    spans = utf16_spans_to_code_points(before + name + after, [(units(before), units(name))])
    assert spans == ((len(before), len(before) + len(name)),)


def test_code_point_spans() -> None:
    assert code_point_spans("🥭@ab", [(1, 3), (1, 4), (True, 1)]) == ((1, 4),)
    assert code_point_spans("🥭@ab", [(2, 3)]) is None


@pytest.mark.parametrize(
    ("seconds", "moment"),
    [
        (1795248012, datetime(2026, 11, 21, 8, 0, 12, tzinfo=UTC)),
        ("1795248012", datetime(2026, 11, 21, 8, 0, 12, tzinfo=UTC)),
        *((value, None) for value in NO_MOMENTS),
    ],
)
def test_moment_of_seconds(seconds: Any, moment: datetime | None) -> None:
    assert moment_of_seconds(seconds) == moment


def test_moment_of_millis_is_exact() -> None:
    assert moment_of_millis(1795248001701) == datetime(2026, 11, 21, 8, 0, 1, 701_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *(("5", "5"), (5, "5"), (-1002145678901, "-1002145678901"), ("x" * 200, "x" * 200), ("a\x00", "a\ufffd")),
        *((value, "") for value in NO_IDS),
    ],
)
def test_ident(value: Any, expected: str) -> None:
    assert ident(value) == expected


def test_long_id_becomes_its_hash_and_stays_distinct() -> None:
    one, two = fit("x" * 201), fit("x" * 202)
    assert len(one) == len(two) == 71
    assert one != two


def test_content_digest_does_not_know_the_order_of_keys() -> None:
    assert content_digest({"a": 1, "b": {"c": 2, "d": 3}}) == content_digest({"b": {"d": 3, "c": 2}, "a": 1})


@pytest.mark.parametrize("value", ["javascript:alert(1)", "//x", "ftp://x", "", None, 5, "https://x/" + "y" * 2_000])
def test_url_is_a_web_address_or_nothing(value: Any) -> None:
    assert url(value) == ""
    assert url("https://t.me/c/1/2") == "https://t.me/c/1/2"
