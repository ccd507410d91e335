"""A shop's desk: the shop itself and its stock."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from domain import db
from domain.paging import SHOP, Args, Listing, Page, Row, Shape, Slice, Wanted, fetch_page, shape, variant_shape
from domain.paging.shape import Read
from domain.shops.rules import GRANTS, Permission, Role, may


@dataclass(frozen=True, slots=True)
class Seen:
    """An object that the viewer may see: as its buyer, as staff with these permissions in its shop, or both."""

    key: UUID
    row: Row
    is_buyer: bool
    granted: frozenset[Permission]


async def visible(
    found: Shape, source: str, *, key: str, shop: str, owner: str, permission: Permission, ids: Collection[UUID], member_id: UUID
) -> list[Seen]:
    """Objects by their ids, for their buyer or for staff with this permission in their shop; for anybody else they do not exist.

    `key`, `shop` and `owner` are the columns of the object's id, its shop and its buyer's member. One statement; deny wins.
    """
    rows = await db.fetch(
        f"""select {found.select}, {key} as visible_key, coalesce({owner} = $2, false) as is_buyer, m.role, m.denied
            from {source} left join membership m on m.shop_id = {shop} and m.member_id = $2 and m.ended_at is null
            where {key} = any($1::uuid[]) and ({owner} = $2 or (m.role = any($3::text[]) and not m.denied ? $4::text))""",
        list(ids),
        member_id,
        [role.value for role, granted in GRANTS.items() if permission in granted],
        permission.value,
    )
    return [Seen(row["visible_key"], found.read(row), row["is_buyer"], _granted(row["role"], row["denied"])) for row in rows]


def _granted(role: str | None, denied: str | None) -> frozenset[Permission]:
    if role is None:
        return frozenset()
    without = frozenset(db.from_jsonb(denied))
    return frozenset(permission for permission in GRANTS[Role(role)] if may(permission, Role(role), without))


@dataclass(frozen=True, slots=True)
class StaffShop:
    """A shop as one of its staff sees it, with that person's rights there."""

    shop: Row
    role: Role
    denied: frozenset[str]


async def shop_of_staff(member_id: UUID, *, shop_id: UUID | None = None, handle: str | None = None) -> StaffShop | None:
    """A shop by id or handle, for its active staff of any role; one statement."""
    row = await db.fetchrow(
        f"""select {SHOP.select}, m.role, m.denied from shop s
            join membership m on m.shop_id = s.id and m.member_id = $3 and m.ended_at is null
            where s.id = $1::uuid or s.handle = $2::text""",
        shop_id,
        handle,
        member_id,
    )
    return None if row is None else StaffShop(SHOP.read(row), Role(row["role"]), frozenset(db.from_jsonb(row["denied"])))


def _level(row: Any) -> Row:
    return {
        "on_hand": row[0],
        "held": row[1],
        "committed": row[2],
        "available": row[0] + row[3] - row[1] - row[2],
        "backorder_limit": row[3],
        "sell_beyond": row[4],
        "version": row[5],
    }


@lru_cache(maxsize=64)
def _level_shape(wanted: Wanted) -> Shape:
    branches: list[tuple[str, str, Read]] = []
    if "variant" in wanted:
        variant = variant_shape(wanted["variant"])
        branches.append(("variant", variant.row, variant.read))
    return shape(("l.on_hand", "l.held", "l.committed", "l.backorder_limit", "l.sell_beyond", "l.version"), _level, branches)


_LEVELS = "stock_level l join variant v on v.id = l.variant_id join product p on p.id = v.product_id join shop s on s.id = l.shop_id"
_LISTED = """product p cross join lateral (select * from variant of_product where of_product.product_id = p.id offset 0) v
    cross join lateral (select * from stock_level of_variant where of_variant.variant_id = v.id offset 0) l join shop s on s.id = l.shop_id"""
"""The same, each product's variants and levels by their keys: as a plain join all variants of all shops are read for the few of one, as long as
that is the cheaper guess."""


async def levels_of_shop(
    shop_id: UUID, *, page: Page, wanted: Wanted, product_id: UUID | None = None, sold_out: bool | None = None, count: bool = False
) -> Slice:
    """Stock levels of a shop, newest product first; one statement. `sold_out`: only those with nothing available, or only the others."""
    args = Args(shop_id)
    # Said of the product too, whose index is the order of the list.
    where = "l.shop_id = $1 and p.shop_id = $1"
    if product_id is not None:
        where += f" and p.id = {args(product_id)}"
    if sold_out is not None:
        where += f" and l.on_hand + l.backorder_limit - l.held - l.committed {'<=' if sold_out else '>'} 0"
    listing = Listing(_LISTED, where, at="p.created_at", id="v.id", of_two_tables=True)
    return await fetch_page(_level_shape(wanted), listing, page, args, count=count)


async def level_of_variant(shop_id: UUID, variant_id: UUID, *, wanted: Wanted) -> Row | None:
    """One level of this shop; one statement."""
    level = _level_shape(wanted)
    row = await db.fetchrow(f"select {level.select} from {_LEVELS} where l.shop_id = $1 and l.variant_id = $2", shop_id, variant_id)
    return None if row is None else level.read(row)


OWNERS = {
    "order": 'select shop_id from "order" where id = $1',
    "comment": "select shop_id from social_comment where id = $1",
    "variant": "select shop_id from variant where id = $1",
    "pickup": "select shop_id from pickup where id = $1",
    "buyer": "select shop_id from buyer where id = $1",
    "line": "select shop_id from order_line where id = $1",
    "dispute": "select shop_id from dispute where id = $1",
    "shipment": "select shop_id from shipment where id = $1",
    "transfer": "select shop_id from transfer_report where id = $1",
    "offer": "select shop_id from delivery_offer where id = $1",
    "slot": "select shop_id from pickup_slot where id = $1",
    "payment_attempt": "select shop_id from payment_attempt where id = $1",
}


async def shop_owning(kind: str, object_id: UUID) -> UUID | None:
    """The shop that an object of one of OWNERS belongs to. What the viewer may do there is a question of its own."""
    found: UUID | None = await db.fetchval(OWNERS[kind], object_id)
    return found


async def currency_of(shop_id: UUID) -> str | None:
    """The shop's currency (ISO 4217); None for no such shop."""
    found: str | None = await db.fetchval("select currency from shop where id = $1", shop_id)
    return found


async def time_zone_of(shop_id: UUID) -> str | None:
    """The shop's time zone (IANA); None for no such shop."""
    found: str | None = await db.fetchval("select time_zone from shop where id = $1", shop_id)
    return found


async def shops_by_id(shop_ids: Collection[UUID]) -> dict[UUID, Row]:
    """Shops as everybody sees them; one statement."""
    rows = await db.fetch(f"select {SHOP.select} from shop s where s.id = any($1::uuid[])", list(shop_ids))
    return {row[0]: SHOP.read(row) for row in rows}
