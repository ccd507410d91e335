"""What must hold when the evening is over: read off the script, then compared with what is there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain import db
from domain.claims.rules import ClaimOutcome, PublicReply
from domain.db import Record
from domain.ids import public_id
from domain.notices.rules import NoticeKind
from plusone import invariants
from plusone.demo.goods import SHOPS
from plusone.demo.payloads import comment_id
from plusone.demo.people import DEAD_TARGET, MEMBERS, identity_of
from plusone.demo.places import PLACES
from plusone.demo.record import Delivery
from plusone.demo.replay import Replayed
from plusone.demo.script import Act, Line, last_lines, script

Buyer = tuple[str, str, str]
"""Shop, provider, external id."""
TOLD: Final = frozenset({NoticeKind.ORDER_PLACED, NoticeKind.ORDER_PARTIAL, NoticeKind.WAITLISTED})
"""Notices that go with an answer on the platform, where the post's rule wants one."""
ANSWERED: Final[Mapping[str, PublicReply]] = {
    "amei_page": PublicReply.ONCE_PER_BUYER,
    "island_live": PublicReply.ONCE_PER_BUYER,
    "island_telegram": PublicReply.EACH,
}
"""Places where an order is answered for all to see; groups stay silent unless the shop asked for more."""
TO_REVIEW: Final = ("QUESTION", "REMOVED", "EDITED_")


@dataclass(slots=True)
class ShopFigures:
    """One shop's evening."""

    orders: int = 0
    pieces: int = 0
    money_minor: int = 0
    waiting: int = 0
    review: int = 0
    refused: int = 0
    """Forged deliveries."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The evening as the script has it."""

    comments: Mapping[tuple[str, str], tuple[str, str]]
    """(channel, comment) -> (outcome, reason)."""
    held: Mapping[tuple[Buyer, str], int]
    waiting: Mapping[tuple[Buyer, str], int]
    notices: Mapping[tuple[Buyer, str], int]
    answered: frozenset[tuple[str, str]]
    """(channel, comment) that get an answer."""
    unanswered: frozenset[tuple[str, str]]
    """Of them, comments that were gone before the answer could be given."""
    figures: Mapping[str, ShopFigures]


def buyer_of(line: Line) -> Buyer:
    """The buyer as the shop knows them."""
    return (line.place.shop, *identity_of(line.who, line.place.people))


def expected(deliveries: Iterable[Delivery]) -> Expected:
    """Add the script up."""
    lines = script()
    last = last_lines(lines)
    held: dict[tuple[Buyer, str], int] = defaultdict(int)
    waiting: dict[tuple[Buyer, str], int] = defaultdict(int)
    notices: dict[tuple[Buyer, str], int] = defaultdict(int)
    for line in lines:
        for book, pieces in ((held, line.held), (waiting, line.waiting)):
            for key, count in pieces.items():
                book[buyer_of(line), key] += count
        for kind in line.tells:
            notices[buyer_of(line), kind.value] += 1
    answered, unanswered = _answers(lines)
    return Expected(
        comments={_platform_id(key): (line.outcome.value, line.reason) for key, line in last.items()},
        held={who: count for who, count in held.items() if count},
        waiting={who: count for who, count in waiting.items() if count},
        notices=notices,
        answered=answered,
        unanswered=unanswered,
        figures=_figures(held, waiting, last.values(), deliveries),
    )


def _platform_id(key: str) -> tuple[str, str]:
    return PLACES[key.partition("/")[0]].channel, comment_id(key)


def _answers(lines: Sequence[Line]) -> tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str]]]:
    first: dict[tuple[str, str], str] = {}
    for line in lines:
        mode = ANSWERED.get(line.place.key)
        if mode is not None and TOLD.intersection(line.tells):
            first.setdefault((line.place.key, line.key if mode is PublicReply.EACH else line.who), line.key)
    came = {line.key: line.delivered_at for line in lines if line.act is Act.SAY}
    gone = {line.key for line in lines if line.act is Act.REMOVE and line.delivered_at < came[line.key]}
    return frozenset(map(_platform_id, first.values())), frozenset(_platform_id(key) for key in first.values() if key in gone)


def _figures(
    held: Mapping[tuple[Buyer, str], int],
    waiting: Mapping[tuple[Buyer, str], int],
    last: Iterable[Line],
    deliveries: Iterable[Delivery],
) -> dict[str, ShopFigures]:
    figures = {shop.handle: ShopFigures() for shop in SHOPS}
    prices = {shop.handle: {key: goods.price_minor for key, goods in shop.goods().items()} for shop in SHOPS}
    for (buyer, key), count in held.items():
        figures[buyer[0]].pieces += count
        figures[buyer[0]].money_minor += count * prices[buyer[0]][key]
    for buyer in {buyer for (buyer, _), count in held.items() if count}:
        figures[buyer[0]].orders += 1
    for (buyer, _), count in waiting.items():
        figures[buyer[0]].waiting += count
    for line in last:
        figures[line.place.shop].review += line.outcome is ClaimOutcome.NEEDS_REVIEW or line.reason.startswith(TO_REVIEW)
    for delivery in deliveries:
        figures[delivery.shop].refused += delivery.status == 401
    return figures


# --- what is there -------------------------------------------------------------------------------------------------------------


async def figures_of_shops(replayed: Replayed | None = None) -> dict[str, ShopFigures]:
    """The same figures from the tables; `refused` from the answers."""
    rows = await db.fetch(
        """select s.handle,
             (select count(*) from "order" o where o.shop_id = s.id and o.state <> 'CANCELLED') as orders,
             (select coalesce(sum(l.quantity), 0) from order_line l join "order" o on o.id = l.order_id
               where l.shop_id = s.id and o.state <> 'CANCELLED') as pieces,
             (select coalesce(sum(o.total_minor), 0)::bigint from "order" o where o.shop_id = s.id and o.state <> 'CANCELLED') as money_minor,
             (select coalesce(sum(w.quantity), 0) from waitlist_entry w where w.shop_id = s.id and w.state = 'WAITING') as waiting,
             (select count(*) from claim c where c.shop_id = s.id and c.review = 'OPEN') as review
           from shop s"""
    )
    refused = Counter(delivery.shop for delivery, status in (replayed.statuses if replayed else ()) if status == 401)
    names = ("orders", "pieces", "money_minor", "waiting", "review")
    return {row["handle"]: ShopFigures(**{name: row[name] for name in names}, refused=refused[row["handle"]]) for row in rows}


@dataclass(slots=True)
class Report:
    """What did not hold."""

    failures: list[str] = field(default_factory=list)
    checked: int = 0

    def same(self, what: str, found: Any, wanted: Any) -> None:
        """One expectation."""
        self.checked += 1
        if found != wanted:
            self.failures.append(f"{what}: {found!r} instead of {wanted!r}")

    def same_table(self, what: str, found: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> None:
        """As many expectations as there are keys."""
        for key in sorted(found.keys() | wanted.keys(), key=str):
            self.same(f"{what} {key}", found.get(key), wanted.get(key))


async def check(
    deliveries: Sequence[Delivery],
    replayed: Replayed,
    pushed: Sequence[Mapping[str, Any]],
    attempts: Sequence[tuple[str, int]],
    replied: Sequence[Mapping[str, Any]],
    now: datetime,
) -> Report:
    """Compare all of it. `pushed`: messages that the FCM server took, `attempts`: (target, status) of all; `replied`: what the platform took."""
    report, wanted = Report(), expected(deliveries)
    for delivery, status in replayed.statuses:
        report.same(f"answer to {delivery.note or ', '.join(delivery.events)}", status, delivery.status)
    report.same("deliveries", len(replayed.statuses), len(deliveries))
    report.same("forged deliveries refused", sum(status == 401 for _, status in replayed.statuses), 2)
    await check_tables(report, wanted, deliveries)
    report.same_table("figures of", await figures_of_shops(replayed), wanted.figures)
    await _check_pushes(report, wanted, pushed, attempts)
    await _check_replies(report, wanted, replied)
    report.same("broken invariants", [(v.invariant, v.rows) for v in await invariants.check(now)], [])
    return report


async def check_tables(report: Report, wanted: Expected, deliveries: Sequence[Delivery]) -> None:
    """Inbox, comments, pieces, stock and notices."""
    states = dict(await _pairs("select state, sum(size)::int from inbox_event group by state"))
    parked, stored = (sum(getattr(d, name) for d in deliveries) for name in ("parked", "stored"))
    report.same_table("events", states, {"DECIDED": stored - parked, "PARKED": parked})
    comments = await comments_now()
    report.same_table("comment", {key: comments.get(key) for key in wanted.comments}, wanted.comments)
    keys = await _names_of_variants()
    report.same_table("pieces of", await _pieces(HELD, keys), wanted.held)
    report.same_table("waiting for", await _pieces(WAITING, keys), wanted.waiting)
    report.same_table("stock held of", await _stock(keys), _held_by_variant(wanted))
    notices = await db.fetch(
        """select s.handle, b.provider, b.external_id, n.kind, count(*) from notice n join buyer b on b.id = n.buyer_id join shop s on s.id = n.shop_id
           group by 1, 2, 3, 4"""
    )
    report.same_table("notices to", {((r[0], r[1], r[2]), r[3]): r[4] for r in map(_values, notices)}, wanted.notices)


async def comments_now() -> dict[tuple[str, str], tuple[str, str]]:
    """(channel, comment) -> (outcome, reason), as decided."""
    rows = await db.fetch(
        """select h.external_id, c.external_id, k.outcome, k.reason from social_comment c join channel h on h.id = c.channel_id
           join claim k on k.comment_id = c.id"""
    )
    return {(r[0], r[1]): (r[2], r[3]) for r in map(_values, rows)}


HELD: Final = """select b.provider, b.external_id, l.shop_id, l.variant_id, sum(l.quantity) from order_line l
  join "order" o on o.id = l.order_id join buyer b on b.id = o.buyer_id where o.state <> 'CANCELLED' and l.quantity > 0 group by 1, 2, 3, 4"""
WAITING: Final = """select b.provider, b.external_id, w.shop_id, w.variant_id, sum(w.quantity) from waitlist_entry w
  join buyer b on b.id = w.buyer_id where w.state = 'WAITING' group by 1, 2, 3, 4"""


def _values(row: Record) -> list[Any]:
    return list(row.values())


async def _pairs(sql: str) -> list[tuple[Any, Any]]:
    return [(row[0], row[1]) for row in map(_values, await db.fetch(sql))]


async def _names_of_variants() -> dict[UUID, tuple[str, str]]:
    """Variant -> (shop, its name in the script), by title and label."""
    names = {(s.handle, o.title, g.label): g.key for s in SHOPS for p in s.posts for o in p.offers for g in o.goods}
    rows = await db.fetch(
        "select v.id, s.handle, p.title, v.label from variant v join product p on p.id = v.product_id join shop s on s.id = v.shop_id"
    )
    return {row["id"]: (row["handle"], names[row["handle"], row["title"], row["label"]]) for row in rows}


async def _pieces(sql: str, keys: Mapping[UUID, tuple[str, str]]) -> dict[tuple[Buyer, str], int]:
    rows = map(_values, await db.fetch(sql))
    return {((keys[variant][0], provider, external), keys[variant][1]): int(count) for provider, external, _, variant, count in rows}


async def _stock(keys: Mapping[UUID, tuple[str, str]]) -> dict[tuple[str, str], int]:
    return {keys[variant]: held for variant, held in await _pairs("select variant_id, held from stock_level")}


def _held_by_variant(wanted: Expected) -> dict[tuple[str, str], int]:
    found = {(shop.handle, key): 0 for shop in SHOPS for key in shop.goods()}
    for (buyer, key), count in wanted.held.items():
        found[buyer[0], key] += count
    return found


async def _check_pushes(report: Report, wanted: Expected, pushed: Sequence[Mapping[str, Any]], attempts: Sequence[tuple[str, int]]) -> None:
    """One push per notice and living phone, each once, under the notice's own id; none for the phone that is gone, which is forgotten."""
    phones = {
        identity_of(member.name, place): sum(not device.target.startswith(DEAD_TARGET) for device in member.devices)
        for member in MEMBERS
        for place in member.places
    }
    due = sum(count * phones.get((buyer[1], buyer[2]), 0) for (buyer, _), count in wanted.notices.items())
    report.same("pushes received", len(pushed), due)
    rows = await db.fetch("select n.id, d.target from notice n join device d on d.member_id = n.member_id where d.revoked_at is null")
    ids = Counter((row["target"], public_id("notice", row["id"])) for row in rows)
    report.same_table("push to", Counter((message["token"], message["data"]["dedupe"]) for message in pushed), ids)
    dead = [status for target, status in attempts if target.startswith(DEAD_TARGET)]
    report.same("the dead phone was tried", bool(dead), True)
    report.same("answers of the dead phone", set(dead), {404})
    gone = await db.fetch("select target from device where revoked_at is not null")
    report.same("phones forgotten", [row["target"].startswith(DEAD_TARGET) for row in gone], [True])


async def _check_replies(report: Report, wanted: Expected, replied: Sequence[Mapping[str, Any]]) -> None:
    got = Counter((reply["channel_id"], reply["comment_id"]) for reply in replied)
    report.same_table("reply to", got, Counter(wanted.answered - wanted.unanswered))
    states = dict(await _pairs("select state, count(*) from platform_reply group by state"))
    due = {"SENT": len(wanted.answered - wanted.unanswered), "DROPPED": len(wanted.unanswered)}
    report.same_table("replies", states, {state: count for state, count in due.items() if count})
