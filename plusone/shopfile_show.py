"""What `plusone shop show` prints: a shop as it stands, and chats that wrote but belong to no shop yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from domain import db
from domain.bootstrap import Services
from domain.claims.ports import Platform, Unreadable
from domain.db import Record, Tx, from_jsonb
from domain.money import Money
from domain.shops.queries import OpenShop, shop_by_handle

LOOK_BACK: Final = 20_000
"""So many of the newest events are looked through for chats without a shop."""
MOST_UNBOUND: Final = 2_000

STAFF: Final = """
select m.role, m.denied, p.display_name, array(select i.provider || ':' || i.subject from identity i where i.member_id = m.member_id order by i.created_at, i.id) as identities
from membership m join member p on p.id = m.member_id where m.shop_id = $1 and m.ended_at is null order by m.created_at, m.id"""
CHANNELS: Final = """
select e.source, e.slug, c.platform, c.external_id, c.name from channel c join webhook_endpoint e on e.id = c.endpoint_id
where c.shop_id = $1 and e.source <> 'app' order by e.source, e.slug, c.created_at, c.id"""
GOODS: Final = """
select p.title, v.label, v.code, v.price_minor, l.on_hand, l.held, l.committed, l.backorder_limit, l.sell_beyond
from product p join variant v on v.product_id = p.id left join stock_level l on l.variant_id = v.id
where p.shop_id = $1 order by p.created_at, p.id, v.position, v.id"""
POSTS: Final = """
select s.title, s.state, s.delivery_method, s.opens_at, s.closes_at,
  (select max(version) from claim_policy_version v where v.shop_id = s.shop_id and v.post_id = s.id) as policy,
  array(select coalesce(nullif(c.name, ''), c.external_id) || ' ' || coalesce(nullif(p.external_post_id, ''), '(whole chat)')
        from post_placement p join channel c on c.id = p.channel_id where p.post_id = s.id order by p.created_at, p.id) as places
from sales_post s where s.shop_id = $1 order by s.created_at, s.id"""
UNBOUND: Final = """
select i.endpoint_id, e.source, e.slug, i.payload from inbox_event i join webhook_endpoint e on e.id = i.endpoint_id
where i.outcome = 'NO_CHANNEL' and i.id > (select coalesce(max(id), 0) - $1 from inbox_event) order by i.id desc limit $2"""
BOUND: Final = """
select c.endpoint_id, c.external_id from channel c
join unnest($1::uuid[], $2::text[]) k(endpoint_id, external_id) on c.endpoint_id = k.endpoint_id and c.external_id = k.external_id"""


async def show(handle: str, services: Services, out: Console) -> bool:
    """Print the shop; False when there is none of this handle."""
    async with db.transaction() as tx:
        shop = await shop_by_handle(tx, handle)
        if shop is None:
            handles = [row["handle"] for row in await tx.fetch("select handle from shop order by handle limit 20")]
            told = f"there are {', '.join(handles)}" if handles else "there is none yet: `plusone shop apply` opens one"
            out.print(f"No shop has this handle; {told}.", markup=False, highlight=False, soft_wrap=True)
            return False
        out.print(f"{shop.name} ({shop.handle}, number {shop.number})", style="bold", markup=False, highlight=False)
        facts = f"{shop.currency}, {shop.time_zone}, {shop.locale}; to be paid within {shop.pay_within_minutes} minutes"
        out.print(facts + (f"; pickup: {shop.pickup_place}" if shop.pickup_place else ""), markup=False, highlight=False)
        await _people(tx, shop, out)
        await _places(tx, shop, services.settings.public_url, out)
        await _goods(tx, shop, out)
        await _posts(tx, shop, out)
        await _unbound(tx, services.platforms, out)
    return True


def _table(title: str, *columns: str) -> Table:
    """Long ids are folded, never cut: they are there to be copied."""
    folded = (Column(name, overflow="fold") for name in columns)
    return Table(*folded, title=title, title_justify="left", title_style="bold", header_style="dim")


def _print(table: Table, out: Console) -> None:
    if table.row_count:
        out.print()
        out.print(table)


async def _people(tx: Tx, shop: OpenShop, out: Console) -> None:
    table = _table("staff", "role", "identities", "name", "denied")
    for row in await tx.fetch(STAFF, shop.id):
        table.add_row(row["role"], escape("\n".join(row["identities"])), escape(row["display_name"]), ", ".join(from_jsonb(row["denied"])))
    _print(table, out)


async def _places(tx: Tx, shop: OpenShop, public_url: str, out: Console) -> None:
    rows = await tx.fetch(CHANNELS, shop.id)
    table = _table("channels", "endpoint", "platform", "external id", "name")
    for row in rows:
        table.add_row(f"{row['source']}/{row['slug']}", row["platform"], escape(row["external_id"]), escape(row["name"]))
    _print(table, out)
    for source, slug in dict.fromkeys((row["source"], row["slug"]) for row in rows):
        out.print(f"{public_url.rstrip('/')}/webhooks/{source}/{slug}", markup=False, highlight=False, soft_wrap=True)


def _stock(row: Record) -> tuple[str, str]:
    """Pieces on hand, and pieces that can be sold."""
    if row["on_hand"] is None:
        return "none entered", "0"
    beyond = f" + {row['backorder_limit']} {row['sell_beyond']}" if row["backorder_limit"] else ""
    return f"{row['on_hand']}{beyond}", str(row["on_hand"] + row["backorder_limit"] - row["held"] - row["committed"])


async def _goods(tx: Tx, shop: OpenShop, out: Console) -> None:
    table = _table("products", "product", "variant", "code", f"price {shop.currency}", "on hand", "available")
    for row in await tx.fetch(GOODS, shop.id):
        price = Money(row["price_minor"], shop.currency).amount
        table.add_row(escape(row["title"]), escape(row["label"]), escape(row["code"]), str(price), *_stock(row))
    _print(table, out)


async def _posts(tx: Tx, shop: OpenShop, out: Console) -> None:
    zone = ZoneInfo(shop.time_zone)
    table = _table("posts", "post", "state", "opens", "closes", "delivery", "own policy", "stands in")
    for row in await tx.fetch(POSTS, shop.id):
        opens, closes = (at.astimezone(zone).strftime("%Y-%m-%d %H:%M") if at else "" for at in (row["opens_at"], row["closes_at"]))
        version = f"version {row['policy']}" if row["policy"] else ""
        table.add_row(escape(row["title"]), row["state"], opens, closes, row["delivery_method"], version, escape("\n".join(row["places"])))
    _print(table, out)


async def _unbound(tx: Tx, platforms: Mapping[str, Platform], out: Console) -> None:
    """Pages and chats whose messages came in lately although no shop has bound them: where an operator finds their ids."""
    heard: Counter[tuple[UUID, str, str]] = Counter()
    for row in await tx.fetch(UNBOUND, LOOK_BACK, MOST_UNBOUND):
        external_id = _channel_of(platforms, row["source"], from_jsonb(row["payload"]))
        if external_id:
            heard[row["endpoint_id"], f"{row['source']}/{row['slug']}", external_id] += 1
    bound = {tuple(row) for row in await tx.fetch(BOUND, [key[0] for key in heard], [key[2] for key in heard])}
    table = _table("heard of, but bound to no shop", "endpoint", "external id", "messages")
    for (endpoint_id, address, external_id), times in heard.most_common():
        if (endpoint_id, external_id) not in bound:
            table.add_row(address, escape(external_id), str(times))
    _print(table, out)


def _channel_of(platforms: Mapping[str, Platform], source: str, payload: Mapping[str, Any]) -> str:
    try:
        return platforms[source].parse(payload).channel_id
    except (Unreadable, KeyError):
        return ""
