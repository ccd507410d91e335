"""Reading what others send: JSON, texts, ids, times and spans, none of which may stop a queue.

Platform bodies are read by Python's own `json`, not by orjson: orjson refuses a byte order mark, lone surrogates and bad UTF-8,
so that one odd comment would cost a whole delivery, and it turns integers beyond 64 bits into rounded floats without a word. What is
read here is then made fit for PostgreSQL and for orjson, which writes it:

- bytes that are no UTF-8 become U+FFFD; a byte order mark, UTF-16 and UTF-32 are understood;
- of duplicate keys the last one counts; control characters inside strings are taken as they are;
- numbers that the database or JSON cannot hold (beyond 64 bits, NaN, Infinity, 1e999) are kept as their text;
- a body nested deeper than the interpreter reads (about 1,000) is not JSON; below MAX_DEPTH a value is replaced by U+FFFD.

Sources: RFC 8259, sections 4 to 8; PostgreSQL 17 manual, "8.14 JSON Types" (read 2026-11).
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from typing import Any

MAX_BODY_BYTES = 2_000_000
"""Deliveries are held to a megabyte where they come in; here the bound keeps the reading of any body well under a second."""
MAX_TEXT_CHARS = 65_536
"""Longest text kept of one value; the longest comment of any platform here has 8,000."""
MAX_NAME_CHARS = 120
MAX_URL_CHARS = 2_000
MAX_KEY_CHARS = 200
MAX_DEPTH = 32
MAX_ITEMS = 1_000
"""Most elements kept of one list or object inside an event; documented ones have at most 100."""
MAX_SPANS = 100

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OLDEST_MS = 1_072_915_200_000
_NEWEST_MS = 4_102_444_800_000
"""2004 to 2100: a time outside is no time of a comment, and PostgreSQL or datetime may refuse it."""
_POISON = re.compile("[\x00\ud800-\udfff]")
_SIGNED_64 = range(-(2**63), 2**63)
_LARGEST = 2**63
_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)


class NotJsonError(ValueError):
    """The body as a whole cannot be read."""


def _whole_number(digits: str) -> int | str:
    if len(digits) > 20:
        return digits
    number = int(digits)
    return number if number in _SIGNED_64 else digits


def _decimal_number(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


_DECODER = json.JSONDecoder(parse_int=_whole_number, parse_float=_decimal_number, parse_constant=str, strict=False)


def read_json(body: bytes) -> Any:
    """The JSON value of a body; its texts still need `clean`.

    Raises:
        NotJsonError: empty, cut, too large, nested too deeply, or no JSON at all; its text says which.
    """
    if len(body) > MAX_BODY_BYTES:
        raise NotJsonError(f"the body is larger than {MAX_BODY_BYTES} bytes")
    try:
        return _DECODER.decode(body.decode(json.detect_encoding(body), "replace"))
    except ValueError:
        raise NotJsonError("the body is not JSON") from None
    except RecursionError:
        raise NotJsonError("the body is nested too deeply") from None


def clean_text(text: str, limit: int = MAX_TEXT_CHARS) -> str:
    """The text with NUL and lone surrogates, which PostgreSQL refuses, replaced one by one by U+FFFD, so that spans stay right."""
    text = text[:limit]
    return text if text.isascii() and "\x00" not in text else _POISON.sub("\ufffd", text)


def clean(value: Any, depth: int = 0) -> Any:
    """A JSON value that orjson writes and PostgreSQL stores, of bounded depth and width; see the module's list."""
    if isinstance(value, str):
        return value if is_plain(value) else clean_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -_LARGEST <= value < _LARGEST else _text_of_huge(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth >= MAX_DEPTH:
        return "\ufffd"
    if isinstance(value, dict):
        pairs = value.items() if len(value) <= MAX_ITEMS else islice(value.items(), MAX_ITEMS)
        return {
            key if isinstance(key, str) and is_plain(key) else clean_text(str(key), MAX_KEY_CHARS): clean(element, depth + 1)
            for key, element in pairs
        }
    if isinstance(value, (list, tuple)):
        return [clean(element, depth + 1) for element in value[:MAX_ITEMS]]
    return clean_text(str(value))


def is_plain(text: str) -> bool:
    """Nothing about this text needs a second look, as with nearly all of them."""
    return len(text) <= MAX_KEY_CHARS and text.isascii() and "\x00" not in text


def _text_of_huge(number: int) -> str:
    # Python refuses to print more than 4,300 digits; 4,096 bits are 1,234.
    return str(number) if number.bit_length() <= 4_096 else "\ufffd"


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> Sequence[Any]:
    """The value if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else ()


def label(value: Any) -> str:
    """The value if it is a text of sensible length (a type, a verb), else empty."""
    return value if isinstance(value, str) and len(value) <= MAX_KEY_CHARS else ""


def display_name(value: Any) -> str:
    """A person's display name, cut to what is stored; empty when there is none."""
    return clean_text(value, MAX_NAME_CHARS) if isinstance(value, str) else ""


def url(value: Any) -> str:
    """A web address; empty for anything else, so that no `javascript:` ever reaches a link."""
    fits = isinstance(value, str) and len(value) <= MAX_URL_CHARS and value.startswith(("https://", "http://"))
    return clean_text(value) if fits else ""


def whole(value: Any) -> int | None:
    """The value if it is an integer (JSON `true` is none)."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def moment_of_seconds(value: Any) -> datetime | None:
    """A platform time in Unix seconds, also as a text of digits; None when it is no time of a comment."""
    return _moment(value, 1_000)


def moment_of_millis(value: Any) -> datetime | None:
    """A platform time in Unix milliseconds, also as a text of digits; None when it is no time of a comment."""
    return _moment(value, 1)


def _moment(value: Any, factor: int) -> datetime | None:
    if type(value) is int:
        number: int | None = value
    else:
        number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else None
    if number is None or not _OLDEST_MS <= number * factor <= _NEWEST_MS:
        return None
    return _EPOCH + timedelta(0, 0, 0, number * factor)


Spans = tuple[tuple[int, int], ...]


def utf16_spans_to_code_points(text: str, spans: Iterable[tuple[Any, Any]]) -> Spans | None:
    """`(offset, length)` in UTF-16 units (LINE, Telegram) as `[start, end)` in code points; impossible ones are left out.

    A span that begins or ends inside of a character beyond U+FFFF takes all of it. None when no span is left.
    """
    wanted = _possible(spans)
    if not wanted:
        return None
    units_before = list(accumulate((2 if character > "\uffff" else 1 for character in text), initial=0))
    inside = [(offset, offset + length) for offset, length in wanted if offset + length <= units_before[-1]]
    return tuple((bisect_right(units_before, start) - 1, bisect_left(units_before, end)) for start, end in inside) or None


def code_point_spans(text: str, spans: Iterable[tuple[Any, Any]]) -> Spans | None:
    """`(offset, length)` in code points (Facebook) as `[start, end)`; impossible ones are left out, None when none is left."""
    return tuple((offset, offset + length) for offset, length in _possible(spans) if offset + length <= len(text)) or None


def _possible(spans: Iterable[tuple[Any, Any]]) -> list[tuple[int, int]]:
    numbers = ((whole(offset), whole(length)) for offset, length in islice(spans, MAX_SPANS))
    return [(offset, length) for offset, length in numbers if offset is not None and length is not None and offset >= 0 and length > 0]
