"""The shop's times for what buyers do: how long they undo, how long offers stand, how long parcels wait."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.errors import NotFound
from domain.paging import Row

RANGES: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {"undo_minutes": (0, 7 * 24 * 60), "offer_minutes": (1, 7 * 24 * 60), "ship_later_days": (0, 366)}
)
"""Least and most of each; the tables guard the same."""
OPTIONAL: Final = frozenset({"offer_minutes"})
"""May be null, which means: none at all."""


async def change(shop_id: UUID, given: Mapping[str, int | None], *, actor: Actor, now: datetime) -> Row:
    """Set those that are given, within RANGES; answers all of them.

    Raises:
        NotFound: no such shop.
    """
    async with db.transaction() as tx:
        row = await tx.fetchrow(f"select {', '.join(RANGES)} from shop where id = $1 for no key update", shop_id)
        if row is None:
            raise NotFound
        before = dict(row)
        after = {**before, **given}
        if after != before:
            await tx.execute(
                "update shop set undo_minutes = $2, offer_minutes = $3, ship_later_days = $4 where id = $1",
                shop_id,
                *(after[name] for name in RANGES),
            )
            await record(tx, actor, [Entry(shop_id, "shop.times", "shop", shop_id, {"before": before, "after": after})], now=now)
        return after
