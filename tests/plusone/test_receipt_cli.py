"""`plusone verify-receipt`: what it takes, what it refuses and why, and that nothing in a receipt is obeyed by the screen."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from api.auth.tokens import jwks
from domain import db as database
from domain.claims.proof import Doubt, NotProven, SignedReceipt, sign
from domain.claims.receipts import receipt_keys, receipts_of
from domain.members import keys
from domain.members.rules import KeyUse
from domain.vault import Vault
from plusone import receipt_check
from plusone.receipt_show import lines_of, plain
from tests import build
from tests.build import NOW
from tests.serving import ROOT, SECRET_KEY, environment, free_port, plusone, running
from tests.wall import a_wall

VAULT = Vault(SECRET_KEY)
TEXT = "紅+2 \u202e\x1b[31m[bold]謝謝"


@pytest.fixture
async def receipt(db: str) -> AsyncIterator[SignedReceipt]:
    """A buyer's receipt, signed with the keys of a deployment whose secret the commands know."""
    keys.forget()
    await keys.ensure_keys(VAULT, NOW)
    wall = await a_wall(variants=("紅", "白"))
    await wall.says("小美", TEXT)
    await wall.drain()
    owner = await build.a_membership(wall.shop)
    claim: UUID = await database.fetchval("select id from claim")
    yield (await receipts_of([claim], owner, now=NOW))[claim]
    keys.forget()


def answered(receipt: SignedReceipt) -> dict[str, Any]:
    """The receipt as GraphQL answers it."""
    return {
        "document": receipt.document, "signature": receipt.signature, "kid": receipt.kid, "algorithm": "EdDSA", "issuedAt": "2026-11-21T08:00:00Z",
    }  # fmt: skip


def whole(*receipts: dict[str, Any] | None) -> bytes:
    """The whole answer of GraphQL around receipts."""
    nodes = [{"claim": {"receipt": receipt}} for receipt in receipts]
    return orjson.dumps({"data": {"node": {"lines": {"nodes": nodes}}}, "extensions": {"cost": {"requestedQueryCost": 12}}})


async def run(db: str, folder: Path, *arguments: str, fresh: bool = False) -> Any:
    env = environment(PLUSONE_SECRET_KEY=SECRET_KEY, DATABASE_URL=db, PLUSONE_LOG_LEVEL="WARNING", PYTHONUTF8="1")
    return await asyncio.to_thread(plusone, "verify-receipt", *arguments, cwd=folder, env=env, fresh=fresh)


async def told(db: str, folder: Path, receipt: dict[str, Any]) -> tuple[int, str]:
    """Exit code and reason for this receipt, checked with the deployment's own keys."""
    (folder / "receipt.json").write_bytes(orjson.dumps(receipt))
    done = await run(db, folder, "receipt.json")
    assert "Traceback" not in done.stderr
    assert ("VALID" in done.stdout.splitlines()) is (done.returncode == 0)
    return done.returncode, done.stderr.strip()


async def test_a_receipt_is_shown_and_valid(db: str, tmp_path: Path, receipt: SignedReceipt) -> None:
    (tmp_path / "receipt.json").write_bytes(orjson.dumps(answered(receipt)))
    done = await run(db, tmp_path, "receipt.json", fresh=True)
    assert (done.returncode, done.stderr) == (0, "")
    document = orjson.loads(receipt.document)
    shown = done.stdout
    for line in (
        f"Receipt of order {document['orders'][0]['number']} at 小鹿團購",
        f"  signed       2026-11-21 08:00:00Z with key {receipt.kid}",
        "  read         「紅+2 \\u202e\\u001b[31m[bold]謝謝」",
        f"  SHA-256      {document['comment']['textSha256']}",
        "Decided ORDERED",
        "  QTY          1-3 「+2」 = 2",
        "  2 x 瓦片 紅 at TWD 590 = TWD 1180",
        "    held 2 until 2026-11-24 08:00:00Z, committed 0, handed over 0",
        f"    2026-11-21 08:00:00Z  HELD by BUYER (held +2, comment {document['comment']['id']})",
        "  2026-11-21 08:00:00Z  OPENED by SYSTEM",
    ):
        assert line in shown.splitlines(), (line, shown)
    assert shown.splitlines()[-1] == "VALID"
    assert "\x1b" not in shown
    assert "\u202e" not in shown


async def test_what_does_not_hold_ends_with_its_reason(db: str, tmp_path: Path, receipt: SignedReceipt) -> None:
    good = answered(receipt)
    other = "A" * 43
    for changed, reason in (
        ({"document": good["document"].replace('"held":2', '"held":3')}, "bad signature"),
        ({"document": good["document"] + " "}, "bad signature"),
        ({"signature": "A" * 86}, "bad signature"),
        ({"signature": "x"}, "malformed: the signature is not 86 characters of base64url"),
        ({"kid": other}, "unknown key"),
        ({"algorithm": "none"}, "malformed: the algorithm must be EdDSA"),
        ({"issuedAt": "2026-11-21T08:00:01Z"}, "malformed: issuedAt is another than the document's"),
        ({"document": None}, "malformed: document, signature and kid must be texts"),
    ):
        assert changed != {}
        assert await told(db, tmp_path, good | changed) == (1, f"NOT VALID: {reason}")


async def test_old_keys_count_until_they_are_revoked(db: str, tmp_path: Path, receipt: SignedReceipt) -> None:
    await keys.rotate(KeyUse.RECEIPT, VAULT, NOW)
    later = NOW + timedelta(days=400)
    key = await keys.active_key(KeyUse.RECEIPT, later)
    assert key.kid != receipt.kid
    assert await told(db, tmp_path, answered(receipt)) == (0, "")
    await keys.revoke(receipt.kid, VAULT, later)
    assert await told(db, tmp_path, answered(receipt)) == (1, "NOT VALID: revoked key")


async def test_a_whole_answer_is_checked_receipt_by_receipt(db: str, tmp_path: Path, receipt: SignedReceipt) -> None:
    good = answered(receipt)
    (tmp_path / "good.json").write_bytes(whole(good, None, good))
    done = await run(db, tmp_path, "good.json")
    assert (done.returncode, done.stdout.splitlines().count("VALID")) == (0, 2)
    (tmp_path / "mixed.json").write_bytes(whole(good, good | {"kid": "x"}))
    done = await run(db, tmp_path, "mixed.json")
    assert (done.returncode, done.stdout.splitlines().count("VALID"), done.stderr) == (1, 1, "NOT VALID: unknown key\n")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is not JSON in UTF-8"),
        (b"\xff\xfe", "the file is not JSON in UTF-8"),
        (b"[" * 100_000, "the file is not JSON in UTF-8"),
        (b"[]", "there is no receipt in it (an object with document, signature, kid)"),
        (b'{"data":{"node":null}}', "there is no receipt in it (an object with document, signature, kid)"),
    ],
)
def test_a_file_without_a_receipt_is_malformed(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "x.json").write_bytes(content)
    done = plusone("verify-receipt", "x.json", "--keys", "keys.json", cwd=tmp_path, env=environment())
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"NOT VALID: malformed: {reason}\n")


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    done = plusone("verify-receipt", "nowhere.json", cwd=tmp_path, env=environment())
    assert (done.returncode, done.stderr) == (1, "NOT VALID: malformed: nowhere.json cannot be read (FileNotFoundError)\n")


def test_without_keys_and_settings_the_missing_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"document":"","signature":"","kid":""}')
    done = plusone("verify-receipt", "x.json", cwd=tmp_path, env=environment())
    assert done.returncode == 2
    assert "PLUSONE_SECRET_KEY" in done.stderr


async def test_published_keys_serve_from_a_file_and_from_an_address(db: str, tmp_path: Path, receipt: SignedReceipt) -> None:
    published = jwks(await keys.public_keys(KeyUse.RECEIPT, NOW))
    (tmp_path / "receipt.json").write_bytes(orjson.dumps(answered(receipt)))
    (tmp_path / "keys.json").write_bytes(orjson.dumps(published))

    async def keys_at(_: object) -> Response:
        return JSONResponse(published)

    async def moved(_: object) -> Response:
        return RedirectResponse("/keys.json")

    async with running(Starlette(routes=[Route("/keys.json", keys_at), Route("/moved", moved)])) as base:
        bare = environment(PYTHONUTF8="1")
        for where, code, reason in (
            ("keys.json", 0, ""),
            (f"{base}/keys.json", 0, ""),
            (f"{base}/moved", 1, "NOT VALID: unknown key: no key set could be fetched (HTTPStatusError)"),
            (f"http://127.0.0.1:{free_port()}/", 1, "NOT VALID: unknown key: no key set could be fetched (ConnectError)"),
            ("nowhere.json", 1, "NOT VALID: malformed: nowhere.json cannot be read (FileNotFoundError)"),
            ("receipt.json", 1, "NOT VALID: malformed: the key set is no set of Ed25519 keys with their kids"),
        ):
            done = await asyncio.to_thread(plusone, "verify-receipt", "receipt.json", "--keys", where, cwd=tmp_path, env=bare)
            assert (done.returncode, done.stderr.strip()) == (code, reason)


def test_a_kid_must_be_its_key_s_hash() -> None:
    raw = bytes(32)
    x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    key = {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": keys.kid_of(raw)}
    assert list(receipt_check.keys_in(orjson.dumps({"keys": [key]}))) == [keys.kid_of(raw)]
    for broken in (key | {"kid": "mine"}, key | {"x": x[:-2]}, key | {"x": 7}, key | {"kty": "RSA"}, {}, None):
        with pytest.raises(NotProven) as caught:
            receipt_check.keys_in(orjson.dumps({"keys": [broken]}))
        assert caught.value.doubt is Doubt.MALFORMED


@given(st.data())
async def test_any_changed_byte_of_the_three_texts_fails(receipt: SignedReceipt, data: st.DataObject) -> None:
    """What else JSON carries around them says nothing."""
    known = await receipt_keys()
    good = answered(receipt)
    name = data.draw(st.sampled_from(["document", "signature", "kid"]))
    written = bytearray(good[name].encode())
    written[data.draw(st.integers(0, len(written) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    file = b'{"document":%s,"signature":%s,"kid":%s}' % tuple(
        b'"%s"' % written.replace(b"\\", b"\\\\").replace(b'"', b'\\"') if key == name else orjson.dumps(good[key])
        for key in ("document", "signature", "kid")
    )
    with pytest.raises(NotProven):
        for found in receipt_check.receipts_in(file):
            receipt_check.proven(found, known)


async def test_signed_documents_of_another_form_are_refused_and_not_a_crash(receipt: SignedReceipt) -> None:
    """Whoever brings their own keys may sign what they like."""
    key = await keys.active_key(KeyUse.RECEIPT, NOW)
    known = await receipt_keys()
    out, err = Console(file=StringIO()), Console(file=StringIO())
    for document in ({}, {"issuedAt": 7, "orders": 3}, {"orders": [None], "shop": {"name": 1}, "issuedAt": "x"}):
        forged = sign({"format": "plusone-receipt", "version": 1, **document}, key, issued_at=NOW)
        answer = {"document": forged.document, "signature": forged.signature, "kid": forged.kid}
        assert receipt_check._verified(answer, known, out, err) is False
    assert out.file.getvalue() == ""  # type: ignore[attr-defined]
    assert err.file.getvalue().count("NOT VALID: malformed: the document lacks what a receipt has") == 3  # type: ignore[attr-defined]


async def test_standard_input_is_read_too(db: str, tmp_path: Path, receipt: SignedReceipt) -> None:
    (tmp_path / "keys.json").write_bytes(orjson.dumps(jwks(await keys.public_keys(KeyUse.RECEIPT, NOW))))
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "plusone", "verify-receipt", "-", "--keys", "keys.json"], input=whole(answered(receipt)),
        cwd=tmp_path, env={**environment(PYTHONUTF8="1"), "PYTHONPATH": str(ROOT)}, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.decode().splitlines()[-1]) == (0, "VALID")


def test_every_character_of_a_text_is_seen_and_none_obeyed() -> None:
    assert plain("a\nb\t\x1b[2J\u202e\u200b\u2028📦＋") == "a\\u000ab\\u0009\\u001b[2J\\u202e\\u200b\\u2028📦＋"


async def test_a_long_story_says_that_it_is_cut(receipt: SignedReceipt) -> None:
    document = orjson.loads(receipt.document)
    assert "more entries" not in "".join(line for _, line in lines_of(document, receipt.kid))
    assert [line for _, line in lines_of(document | {"complete": False}, receipt.kid)][-1].startswith("There are more entries")
