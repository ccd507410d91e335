"""The apps' registered documents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain import db


@dataclass(frozen=True, slots=True)
class Registered:
    """One registered document without its text."""

    hash: str
    name: str
    added_at: datetime


async def registered() -> list[Registered]:
    """All of them, by name, the newest of a name first."""
    rows = await db.fetch("select hash, name, added_at from trusted_operation order by name, added_at desc, hash")
    return [Registered(row["hash"], row["name"], row["added_at"]) for row in rows]


async def document_of(hash: str) -> str | None:
    """The text of the document with this hash; None when nobody registered it."""
    found: str | None = await db.fetchval("select document from trusted_operation where hash = $1", hash)
    return found


async def hashes_like(prefix: str) -> list[str]:
    """Hashes that begin so; at most 3."""
    rows = await db.fetch("select hash from trusted_operation where starts_with(hash, $1) order by hash limit 3", prefix)
    return [row["hash"] for row in rows]
