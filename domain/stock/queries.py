"""Reads of stock: the seller's list, one level, and what a post page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from domain import db
from domain.db import Record
from domain.errors import NotFound
from domain.stock.rules import Level, SellBeyond


@dataclass(frozen=True, slots=True)
class StockRow:
    """One variant's figures, with the words that name it. Pieces; the price in minor units of the shop's currency."""

    variant_id: UUID
    product_id: UUID
    product_title: str
    variant_label: str
    code: str
    price_minor: int
    on_hand: int
    held: int
    committed: int
    available: int
    backorder_limit: int
    sell_beyond: SellBeyond
    version: int


_ROWS = """select l.variant_id, v.product_id, p.title as product_title, v.label as variant_label, v.code, v.price_minor,
    l.on_hand, l.held, l.committed, l.on_hand + l.backorder_limit - l.held - l.committed as available, l.backorder_limit, l.sell_beyond, l.version
  from stock_level l join variant v on v.id = l.variant_id join product p on p.id = v.product_id"""


def _row(record: Record) -> StockRow:
    return StockRow(**{**record, "sell_beyond": SellBeyond(record["sell_beyond"])})


async def levels_of_shop(
    shop_id: UUID,
    *,
    after: UUID | None = None,
    before: UUID | None = None,
    limit: int = 100,
    variant_ids: Sequence[UUID] | None = None,
    backwards: bool = False,
) -> list[StockRow]:
    """A page of the shop's levels by variant id (the order of creation), one statement.

    `after` and `before` are exclusive; with `backwards` the last `limit` of that range, still in ascending order.
    """
    order = "desc" if backwards else "asc"
    rows = await db.fetch(
        f"""{_ROWS} where l.shop_id = $1 and ($2::uuid is null or l.variant_id > $2) and ($3::uuid is null or l.variant_id < $3)
              and ($4::uuid[] is null or l.variant_id = any($4)) order by l.variant_id {order} limit $5""",
        shop_id,
        after,
        before,
        None if variant_ids is None else list(variant_ids),
        limit,
    )
    found = [_row(row) for row in rows]
    return found[::-1] if backwards else found


async def count_of_shop(shop_id: UUID, *, cap: int = 10_000) -> int:
    """How many levels the shop has, counted up to `cap` + 1."""
    count: int = await db.fetchval("select count(*) from (select 1 from stock_level where shop_id = $1 limit $2) l", shop_id, cap + 1)
    return count


async def level(shop_id: UUID, variant_id: UUID) -> StockRow:
    """The figures of one variant of this shop.

    Raises:
        NotFound: this shop has no such variant.
    """
    row = await db.fetchrow(f"{_ROWS} where l.shop_id = $1 and l.variant_id = $2", shop_id, variant_id)
    if row is None:
        raise NotFound
    return _row(row)


async def availability(variant_ids: Sequence[UUID]) -> Mapping[UUID, Level]:
    """The figures of these variants, of any shop: public pages show `available` of them. Unknown ids are left out."""
    rows = await db.fetch(
        "select variant_id, on_hand, held, committed, backorder_limit from stock_level where variant_id = any($1::uuid[])",
        list(variant_ids),
    )
    return {row["variant_id"]: Level(row["on_hand"], row["held"], row["committed"], row["backorder_limit"]) for row in rows}
