"""The audit's hash chain: each seal covers the entries since the one before, so that a changed, missing or added entry shows.

What the chain alone cannot show is a cut at its end, seals and entries together: keep the newest hash of each shop elsewhere for that.

Per shop: `hash` = SHA-256 over the hash of the shop's previous seal (64 zeros before the first) and, in order of id, the entries after that
seal's `up_to_id` up to this one's, each with its detail letter for letter (the column is `json`, which keeps it so). Entries are taken only below
an id under which everything is decided: ids are drawn before commits, so an entry with a smaller id may still appear while any transaction from
before runs (`_settled_up_to`).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson

from domain import db
from domain.db import Record, Tx

FIRST: Final = "0" * 64
PATIENCE_SECONDS: Final = 1.0
"""How long one call waits for transactions that ran when it began."""
_LOOK_AGAIN_SECONDS: Final = 0.02
_FACTS: Final = ("id", "shop_id", "at", "actor", "role", "action", "object_type", "object_id", "request_id")
_ENTRY: Final = "id, shop_id, at, actor, role, action, object_type, object_id, detail, request_id"


def chained(previous: str, entries: Iterable[Mapping[str, object] | Record]) -> str:
    """The seal's hash: 64 hexadecimal digits over the previous one and these entries in their order."""
    digest = hashlib.sha256(previous.encode())
    for entry in entries:
        facts = [entry[name] for name in _FACTS]
        digest.update(orjson.dumps([*facts, str(entry["detail"])], default=str, option=orjson.OPT_UTC_Z) + b"\n")
    return digest.hexdigest()


async def seal(*, now: datetime, limit: int, patience_seconds: float = PATIENCE_SECONDS) -> int:
    """Seal at most `limit` entries of all shops, oldest first; answers how many. 0 also while another process seals, or an old transaction runs."""
    bound = await _settled_up_to(patience_seconds)
    if bound is None:
        return 0
    async with db.transaction() as tx:
        if not await tx.fetchval("select pg_try_advisory_xact_lock(hashtextextended('audit_seal', 0))"):
            return 0
        entries = await tx.fetch(
            f"""select {_ENTRY} from audit_entry
                where id > coalesce((select up_to_id from audit_seal order by id desc limit 1), 0) and id <= $1 order by id limit $2""",
            bound,
            limit,
        )
        if entries:
            await _write_seals(tx, entries, now)
        return len(entries)


async def _settled_up_to(patience_seconds: float) -> int | None:
    """The newest entry's id, once every transaction that might still bring a smaller one has ended; None if that takes too long.

    An entry is never the first write of its transaction, so whoever holds an id also holds a transaction number.
    """
    row = await db.fetchrow(
        "select (select max(id) from audit_entry) as bound, pg_snapshot_xmax(pg_current_snapshot())::text as next_transaction"
    )
    if row is None or row["bound"] is None:
        return None
    bound: int = row["bound"]
    waited = 0.0
    while not await db.fetchval("select pg_snapshot_xmin(pg_current_snapshot()) >= $1::text::xid8", row["next_transaction"]):
        if waited >= patience_seconds:
            return None
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        waited += _LOOK_AGAIN_SECONDS
    return bound


async def _write_seals(tx: Tx, entries: list[Record], now: datetime) -> None:
    """One seal per shop, in order of `up_to_id`: the last row of audit_seal says how far all shops are sealed."""
    by_shop: dict[UUID, list[Record]] = {}
    for entry in entries:
        by_shop.setdefault(entry["shop_id"], []).append(entry)
    rows = await tx.fetch(
        """select k.shop_id, newest.hash from unnest($1::uuid[]) k(shop_id)
           cross join lateral (select a.hash from audit_seal a where a.shop_id = k.shop_id order by a.up_to_id desc limit 1) newest""",
        list(by_shop),
    )
    previous = {row["shop_id"]: row["hash"] for row in rows}
    for shop_id, of_shop in sorted(by_shop.items(), key=lambda item: item[1][-1]["id"]):
        await tx.execute(
            "insert into audit_seal (shop_id, up_to_id, entries, hash, sealed_at) values ($1, $2, $3, $4, $5)",
            shop_id,
            of_shop[-1]["id"],
            len(of_shop),
            chained(previous.get(shop_id, FIRST), of_shop),
            now,
        )


async def verify_chain(shop_id: UUID) -> int | None:
    """None while every seal of the shop fits its entries; else the `up_to_id` of the first that does not."""
    previous, after = FIRST, 0
    seals = await db.fetch("select up_to_id, entries, hash from audit_seal where shop_id = $1 order by up_to_id", shop_id)
    for each in seals:
        entries = await db.fetch(
            f"select {_ENTRY} from audit_entry where shop_id = $1 and id > $2 and id <= $3 order by id", shop_id, after, each["up_to_id"]
        )
        if len(entries) != each["entries"] or chained(previous, entries) != each["hash"]:
            up_to: int = each["up_to_id"]
            return up_to
        previous, after = each["hash"], each["up_to_id"]
    return None
