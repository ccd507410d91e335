"""A receipt's signature: any changed byte shows, old keys count for ever, revoked ones for nothing."""

from __future__ import annotations

import base64
from datetime import timedelta

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from domain.claims.proof import FORMAT, PREFIX, VERSION, Doubt, NotProven, ReceiptKey, SignedReceipt, canonical, check, sign
from domain.claims.receipts import receipt_keys
from domain.members import keys
from domain.members.keys import ActiveKey, kid_of
from domain.members.rules import KeyUse
from domain.vault import Vault
from tests.build import NOW

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RAW = PRIVATE.public_key().public_bytes_raw()
KEY = ActiveKey(kid_of(RAW), KeyUse.RECEIPT, 0, PRIVATE)
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
KEYS = {kid_of(raw): ReceiptKey(kid_of(raw), raw) for raw in (RAW, OTHER)}
DOCUMENT = {
    "format": FORMAT,
    "version": VERSION,
    "issuedAt": NOW,
    "comment": {"text": '紅+2 📦 "謝謝"\n', "id": "1221_1"},
    "b": [1, None],
    "a": True,
}
VAULT = Vault("a root secret that is used by tests only, 48 chars")


def signed() -> SignedReceipt:
    return sign(DOCUMENT, KEY, issued_at=NOW)


def doubt(document: bytes, signature: str, kid: str, known: dict[str, ReceiptKey] = KEYS) -> Doubt:
    with pytest.raises(NotProven) as caught:
        check(document, signature, kid, known)
    return caught.value.doubt


def test_the_bytes_are_sorted_and_without_blanks() -> None:
    text = '{"a":true,"b":[1,null],"comment":{"id":"1221_1","text":"紅+2 📦 \\"謝謝\\"\\n"},"format":"plusone-receipt","issuedAt":"2026-11-21T08:00:00Z","version":1}'
    assert canonical(DOCUMENT).decode() == signed().document == text


def test_the_signature_is_plain_ed25519_over_the_prefix_and_the_document() -> None:
    receipt = signed()
    raw = base64.urlsafe_b64decode(receipt.signature + "==")
    PRIVATE.public_key().verify(raw, b"plusone receipt v1\n" + receipt.document.encode())
    assert check(receipt.document.encode(), receipt.signature, receipt.kid, KEYS) == orjson.loads(receipt.document)


@given(st.data())
def test_any_changed_bit_of_the_document_shows(data: st.DataObject) -> None:
    receipt = signed()
    changed = bytearray(receipt.document.encode())
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert doubt(bytes(changed), receipt.signature, receipt.kid) is Doubt.BAD_SIGNATURE


@given(st.data())
def test_any_changed_character_of_signature_or_kid_shows(data: st.DataObject) -> None:
    receipt = signed()
    name = data.draw(st.sampled_from(["signature", "kid"]))
    text = getattr(receipt, name)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c != text[place]))
    changed = {"signature": receipt.signature, "kid": receipt.kid, name: text[:place] + other + text[place + 1 :]}
    expected = {Doubt.UNKNOWN_KEY} if name == "kid" else {Doubt.BAD_SIGNATURE, Doubt.MALFORMED}
    assert doubt(receipt.document.encode(), changed["signature"], changed["kid"]) in expected


def test_a_signature_has_one_spelling_only() -> None:
    """The last character carries four bits that no decoder looks at."""
    receipt = signed()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    raw = base64.urlsafe_b64decode(receipt.signature + "==")
    twins = [receipt.signature[:-1] + last for last in alphabet if base64.urlsafe_b64decode(receipt.signature[:-1] + last + "==") == raw]
    assert len(twins) == 16
    assert [doubt(receipt.document.encode(), twin, receipt.kid) for twin in twins if twin != receipt.signature] == [
        Doubt.BAD_SIGNATURE
    ] * 15


@given(st.binary(max_size=8), st.binary(max_size=8))
def test_nothing_may_stand_before_or_after_the_document(before: bytes, after: bytes) -> None:
    receipt = signed()
    if before or after:
        assert doubt(before + receipt.document.encode() + after, receipt.signature, receipt.kid) is Doubt.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("signature", "expected"),
    [("", Doubt.MALFORMED), ("A" * 85, Doubt.MALFORMED), ("A" * 86 + "==", Doubt.MALFORMED), ("+" * 86, Doubt.MALFORMED), ("A" * 86, Doubt.BAD_SIGNATURE)],
)  # fmt: skip
def test_what_is_no_signature_is_refused(signature: str, expected: Doubt) -> None:
    assert doubt(canonical(DOCUMENT), signature, KEY.kid) is expected


def test_the_kid_of_another_key_does_not_help() -> None:
    receipt = signed()
    assert doubt(receipt.document.encode(), receipt.signature, kid_of(OTHER)) is Doubt.BAD_SIGNATURE


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b"not json", b"\xff", canonical({**DOCUMENT, "version": 2}), canonical({**DOCUMENT, "format": "x"})]
)
def test_signed_bytes_that_are_no_receipt_are_malformed(document: bytes) -> None:
    signature = base64.urlsafe_b64encode(PRIVATE.sign(PREFIX + document)).rstrip(b"=").decode()
    assert doubt(document, signature, KEY.kid) is Doubt.MALFORMED


def test_a_signature_of_the_same_key_over_something_else_is_none() -> None:
    bare = base64.urlsafe_b64encode(PRIVATE.sign(canonical(DOCUMENT))).rstrip(b"=").decode()
    assert doubt(canonical(DOCUMENT), bare, KEY.kid) is Doubt.BAD_SIGNATURE


async def test_rotation_keeps_old_receipts_valid_and_revocation_does_not(db: str) -> None:
    await keys.ensure_keys(VAULT, NOW)
    old = sign(DOCUMENT, await keys.active_key(KeyUse.RECEIPT, NOW), issued_at=NOW)
    await keys.rotate(KeyUse.RECEIPT, VAULT, NOW)
    later = NOW + timedelta(days=3650)
    new = sign(DOCUMENT, await keys.active_key(KeyUse.RECEIPT, later), issued_at=later)
    assert new.kid != old.kid
    known = await receipt_keys()
    assert len(known) == 2
    for receipt in (old, new):
        assert check(receipt.document.encode(), receipt.signature, receipt.kid, known)["format"] == FORMAT
    await keys.revoke(old.kid, VAULT, later)
    known = await receipt_keys()
    assert doubt(old.document.encode(), old.signature, old.kid, known) is Doubt.REVOKED_KEY
    assert check(new.document.encode(), new.signature, new.kid, known)["format"] == FORMAT


async def test_keys_of_other_uses_sign_no_receipts(db: str) -> None:
    await keys.ensure_keys(VAULT, NOW)
    for use in (KeyUse.ACCESS, KeyUse.PICKUP):
        receipt = sign(DOCUMENT, await keys.active_key(use, NOW), issued_at=NOW)
        assert doubt(receipt.document.encode(), receipt.signature, receipt.kid, await receipt_keys()) is Doubt.UNKNOWN_KEY
