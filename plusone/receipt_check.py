"""Receipts from files checked against keys from anywhere. The bytes of a document are proven first, and read after."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
from rich.console import Console
from rich.text import Text

from domain import bootstrap, db
from domain.claims.proof import ALGORITHM, Doubt, NotProven, ReceiptKey, check
from domain.claims.receipts import receipt_keys
from domain.members.keys import kid_of
from domain.settings import Settings
from plusone.receipt_show import lines_of
from plusone.runtime import StartRefused

LARGEST: Final = 20_000_000
"""Bytes of a file or a key set."""
SECONDS: Final = 10.0
"""How long an address of keys is waited for."""
TEXTS: Final = ("document", "signature", "kid")

Keys = Mapping[str, ReceiptKey]
OnDatabase = Callable[[Callable[[Settings, str], None]], None]
"""Runs something with settings and a database."""


def verify(file: Path, keys: str | None, on_database: OnDatabase, out: Console, err: Console) -> bool:
    """Check every receipt in the file and print what it says, or why it does not hold; True when all of them do."""
    try:
        receipts = list(receipts_in(_read(file)))
        known = _known(keys, on_database)
    except NotProven as doubt:
        return _refused(doubt, err)
    held = [_verified(receipt, known, out, err) for receipt in receipts]
    return all(held)


def _known(keys: str | None, on_database: OnDatabase) -> Keys:
    if keys is not None:
        return keys_in(_fetch(keys))
    found: dict[str, ReceiptKey] = {}
    on_database(lambda settings, dsn: found.update(keys_of_database(settings, dsn)))
    return found


def _verified(receipt: Mapping[str, Any], keys: Keys, out: Console, err: Console) -> bool:
    try:
        document = proven(receipt, keys)
        told = list(lines_of(document, str(receipt["kid"])))
    except NotProven as doubt:
        return _refused(doubt, err)
    except (KeyError, TypeError, ValueError, AttributeError):
        return _refused(NotProven(Doubt.MALFORMED, "the document lacks what a receipt has"), err)
    for style, line in told:
        out.print(Text(line, style=style), soft_wrap=True)
    out.print("VALID", style="bold green", markup=False, highlight=False)
    return True


def _refused(doubt: NotProven, err: Console) -> bool:
    err.print(f"NOT VALID: {doubt}", style="bold red", markup=False, highlight=False, soft_wrap=True)
    return False


def proven(receipt: Mapping[str, Any], keys: Keys) -> dict[str, Any]:
    """The document of a receipt as it came.

    Raises:
        NotProven: it does not hold.
    """
    texts = [receipt[name] for name in TEXTS]
    if not all(isinstance(text, str) for text in texts):
        raise NotProven(Doubt.MALFORMED, "document, signature and kid must be texts")
    if receipt.get("algorithm", ALGORITHM) != ALGORITHM:
        raise NotProven(Doubt.MALFORMED, f"the algorithm must be {ALGORITHM}")
    document, signature, kid = texts
    found = check(document.encode(), signature, kid, keys)
    if "issuedAt" in receipt and _instant(receipt["issuedAt"]) != _instant(found["issuedAt"]):
        raise NotProven(Doubt.MALFORMED, "issuedAt is another than the document's")
    return found


def _instant(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None


def receipts_in(answer: bytes) -> Iterator[Mapping[str, Any]]:
    """The receipts in a JSON text, wherever they stand in it, in their order.

    Raises:
        NotProven: it is not JSON, or there is none.
    """
    try:
        waiting: list[Any] = [orjson.loads(answer)]
    except orjson.JSONDecodeError:
        raise NotProven(Doubt.MALFORMED, "the file is not JSON in UTF-8") from None
    found = 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict) and all(name in value for name in TEXTS):
            found += 1
            yield value
        elif isinstance(value, dict):
            waiting += reversed(value.values())
        elif isinstance(value, list):
            waiting += reversed(value)
    if not found:
        raise NotProven(Doubt.MALFORMED, f"there is no receipt in it (an object with {', '.join(TEXTS)})")


def keys_in(published: bytes) -> Keys:
    """The keys of a JWK set (RFC 8037); a kid that is not its key's hash is refused.

    Raises:
        NotProven: it is none.
    """
    try:
        found = [_key(each) for each in orjson.loads(published)["keys"]]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError):
        raise NotProven(Doubt.MALFORMED, "the key set is no set of Ed25519 keys with their kids") from None
    return {key.kid: key for key in found}


def _key(published: Mapping[str, Any]) -> ReceiptKey:
    if (published["kty"], published["crv"]) != ("OKP", "Ed25519"):
        raise ValueError(published["kty"])
    raw = base64.b64decode(published["x"] + "=", altchars=b"-_", validate=True)
    if len(raw) != 32 or kid_of(raw) != published["kid"]:
        raise ValueError(published["kid"])
    return ReceiptKey(published["kid"], raw)


def keys_of_database(settings: Settings, dsn: str) -> Keys:
    """All receipt keys of this deployment; raises StartRefused when its database is away."""

    async def read() -> Keys:
        await bootstrap.connect(settings, dsn, application_name="plusone-receipt")
        try:
            return await receipt_keys()
        finally:
            await db.close()

    try:
        return asyncio.run(read())
    except db.AWAY as error:
        raise StartRefused(f"The database went away ({type(error).__name__}): try again.") from None


def _read(file: Path) -> bytes:
    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as source:
            return _short(source.read(LARGEST + 1), str(file))
    except OSError as error:
        raise NotProven(Doubt.MALFORMED, f"{file} cannot be read ({type(error).__name__})") from None


def _fetch(keys: str) -> bytes:
    if not keys.startswith(("https://", "http://")):
        return _read(Path(keys))
    data = b""
    try:
        with httpx.stream("GET", keys, timeout=SECONDS, headers={"accept": "application/json"}) as answer:
            answer.raise_for_status()
            for part in answer.iter_bytes():
                data = _short(data + part, keys)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotProven(Doubt.UNKNOWN_KEY, f"no key set could be fetched ({type(error).__name__})") from None
    return data


def _short(data: bytes, name: str) -> bytes:
    if len(data) > LARGEST:
        raise NotProven(Doubt.MALFORMED, f"{name} is longer than {LARGEST:,} bytes")
    return data
