"""Registering and removing the apps' documents."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain import db


@dataclass(frozen=True, slots=True)
class Draft:
    """A document to register, exactly as the app will send it, and the names of its operations."""

    document: str
    names: tuple[str, ...]

    @property
    def hash(self) -> str:
        """SHA-256 of the text in UTF-8, hexadecimal."""
        return hash_of(self.document)


def hash_of(document: str) -> str:
    """SHA-256 of a document's text in UTF-8, hexadecimal."""
    return hashlib.sha256(document.encode("utf-8", "surrogatepass")).hexdigest()


async def add(drafts: Sequence[Draft], now: datetime) -> frozenset[str]:
    """Register all of these; answers the hashes that were new. Those that were there stay as they are."""
    known = {draft.hash: draft for draft in drafts}
    rows = await db.fetch(
        """insert into trusted_operation (hash, name, document, added_at)
           select hash, name, document, $4 from unnest($1::text[], $2::text[], $3::text[]) as t (hash, name, document)
           on conflict (hash) do nothing returning hash""",
        list(known),
        [", ".join(draft.names)[:400] for draft in known.values()],
        [draft.document for draft in known.values()],
        now,
    )
    return frozenset(row["hash"] for row in rows)


async def remove(hashes: Sequence[str]) -> int:
    """Forget these; answers how many were there."""
    return await db.execute("delete from trusted_operation where hash = any($1::text[])", list(hashes))
