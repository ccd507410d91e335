"""The pickup code: its bytes, its characters, its picture, and everything that is not one."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
import segno
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from domain.pickup.code import CodeFacts, base45, code_bytes, code_number, decode, encode, qr_svg, read_base45, read_short_code, short_code
from domain.pickup.errors import BadCode

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = {7: KEY.public_key()}
FACTS = CodeFacts(7, 1001, bytes.fromhex("0102030405060708"), 3, datetime(2026, 11, 24, 8, 0, tzinfo=UTC))
CODE = encode(FACTS, KEY)


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"ietf!", "QED8WEX0"), (b"", "")],
)
def test_base45_is_that_of_rfc_9285(data: bytes, text: str) -> None:
    assert base45(data) == text
    assert read_base45(text) == data


@pytest.mark.parametrize("text", ["GGW", ":::", "::", "A", "BB8A", "bb8", "BB_", "ÄB8", "\ud800B8", "１B8"])
def test_what_is_no_base45_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_base45(text)


@given(st.binary(max_size=200))
def test_base45_round_trip(data: bytes) -> None:
    assert read_base45(base45(data)) == data


def test_a_code_has_129_characters_and_says_what_was_put_in() -> None:
    assert len(CODE) == 129
    assert CODE.startswith("P1:")
    assert decode(CODE, KEYS) == FACTS


def test_the_layout_is_the_one_written_down() -> None:
    raw = read_base45(CODE[3:])
    assert len(raw) == 84
    assert raw[:20].hex() == "01" + "07" + "000003e9" + "0102030405060708" + "0003" + f"{int(FACTS.not_after.timestamp()):08x}"
    KEY.public_key().verify(raw[20:], b"pickup-v1\0" + raw[:20])


def test_every_byte_flipped_is_refused() -> None:
    raw = read_base45(CODE[3:])
    refused = 0
    for place in range(84):
        for bit in range(8):
            altered = bytearray(raw)
            altered[place] ^= 1 << bit
            with pytest.raises(BadCode):
                decode("P1:" + base45(bytes(altered)), KEYS)
        refused += 1
    assert refused == 84


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "length"),
        (CODE[:-1], "length"),
        (CODE + "0", "length"),
        ("P2:" + CODE[3:], "prefix"),
        (CODE.lower(), "prefix"),
        ("P1:" + CODE[3:].lower(), "alphabet"),
        ("P1:" + ":" * 126, "alphabet"),
        ("P1:" + "\ud800" + CODE[4:], "alphabet"),
        ("P1:" + base45(b"\x02" + read_base45(CODE[3:])[1:]), "version"),
        ("P1:" + base45(b"\x01\x08" + read_base45(CODE[3:])[2:]), "key"),
        ("P1:" + base45(read_base45(CODE[3:])[:20] + bytes(64)), "signature"),
    ],
)
def test_other_texts_are_refused_with_their_reason(text: str, reason: str) -> None:
    with pytest.raises(BadCode) as refused:
        decode(text, KEYS)
    assert refused.value.reason == reason
    assert CODE[10:40] not in str(refused.value)


def test_a_signature_by_another_key_of_that_number_is_refused() -> None:
    with pytest.raises(BadCode, match="signature"):
        decode(encode(FACTS, Ed25519PrivateKey.generate()), KEYS)


def test_a_signature_over_the_body_without_its_domain_is_refused() -> None:
    body = read_base45(CODE[3:])[:20]
    with pytest.raises(BadCode, match="signature"):
        decode("P1:" + base45(body + KEY.sign(body)), KEYS)


@given(st.binary(min_size=8, max_size=8))
def test_the_tables_number_and_the_codes_bytes_are_the_same(code_id: bytes) -> None:
    assert code_bytes(code_number(code_id)) == code_id
    assert -(2**63) <= code_number(code_id) < 2**63


def test_the_picture_is_version_6_level_m_with_a_quiet_zone_of_4() -> None:
    symbol = segno.make_qr(CODE, error="m", boost_error=False)
    assert (symbol.version, symbol.error, symbol.mode, symbol.symbol_size(border=0)) == (6, "M", "alphanumeric", (41, 41))
    svg = qr_svg(CODE)
    assert 'viewBox="0 0 49 49"' in svg
    assert _modules(svg) == {(x, y) for y, row in enumerate(symbol.matrix_iter(border=4)) for x, dark in enumerate(row) if dark}
    assert CODE[3:20] not in svg


def _modules(svg: str) -> set[tuple[int, int]]:
    """Dark modules of a segno path: `M` absolute start, `m` relative move, `h` a run."""
    path = re.search(r'stroke="#000" d="([^"]+)"', svg)
    assert path is not None
    dark, x, y = set(), 0.0, 0.0
    for command, first, second in re.findall(r"([Mmh])(-?[\d.]+)(?:[ ,](-?[\d.]+))?", path[1]):
        if command == "h":
            dark |= {(int(x) + i, int(y)) for i in range(int(first))}
            x += int(first)
        elif command == "M":
            x, y = float(first), float(second)
        else:
            x, y = x + float(first), y + float(second)
    return dark


@pytest.mark.parametrize(
    ("raw", "text"),
    [(bytes(5), "00000000"), (b"\xff" * 5, "ZZZZZZZZ"), (b"\x00\x00\x00\x00\x01", "00000001"), (b"\x08\x00\x00\x00\x00", "10000000")],
)
def test_a_short_code_is_crockford_base32(raw: bytes, text: str) -> None:
    assert short_code(raw) == text


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("ABCD1234", "ABCD1234"),
        ("abcd-1234", "ABCD1234"),
        (" AB CD 12 34 ", "ABCD1234"),
        ("oIlO1234", "01101234"),
        ("ABCD123", None),
        ("ABCD12345", None),
        ("ABCDU234", None),
        ("ABCD１234", None),
        ("", None),
        ("\ud800BCD1234", None),
        ("ßABCD123", None),
    ],
)
def test_a_short_code_is_read_as_people_type_it(typed: str, read: str | None) -> None:
    assert read_short_code(typed) == read


@given(st.binary(min_size=5, max_size=5))
def test_every_short_code_reads_as_itself(raw: bytes) -> None:
    assert read_short_code(short_code(raw).lower()) == short_code(raw)
