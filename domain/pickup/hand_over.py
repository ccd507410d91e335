"""Goods leave over the counter, once per scan: the second half of a scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Tx
from domain.jobs import JobQueue
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.orders.commands import COLUMNS, Line, LockedOrder, add_events, as_locked, lines_of, move
from domain.orders.goods import follow_goods
from domain.orders.rules import FulfilmentState, OrderState
from domain.pickup.errors import PickupRefused
from domain.pickup.passes import PICKUP_ROWS, DueLine, Pass, as_pass, covered_by, record_refusal, refuse_or_go_on
from domain.pickup.rules import CLOCK_SLACK, SCAN_LIFE, LineQuantity, PickupRefusal, PickupState
from domain.pickup.scans import Scan, read_scan
from domain.stock.commands import Move, lock_levels
from domain.stock.commands import move as move_stock
from domain.stock.rules import Level, MovementKind
from domain.vault import Vault

LOCK_ORDERS: Final = f"""select {COLUMNS} from "order" o
  where o.shop_id = $2 and o.id in (select order_id from pickup_order where pickup_id = $1) order by o.id for update of o"""
LOCK_PASS: Final = f"{PICKUP_ROWS} where p.id = $1 and p.shop_id = $2 for update of p"


@dataclass(frozen=True, slots=True)
class HandOverResult:
    """One hand-over. Confirmed again with the same scan it is the same; `left` are the pieces of the pass still to collect as of the answer."""

    hand_over_id: UUID
    pickup_id: UUID
    lines: tuple[LineQuantity, ...]
    order_ids: tuple[UUID, ...]
    collected_minor: int
    at: datetime
    left: int
    pickup_state: PickupState


async def confirm(
    *,
    shop_id: UUID,
    scan_id: str,
    lines: Sequence[LineQuantity] | None,
    collected_minor: int,
    actor: Actor,
    by_member_id: UUID,
    device: str,
    vault: Vault,
    now: datetime,
    jobs: JobQueue,
) -> HandOverResult:
    """Hand over these lines of the scanned pass, or all that may leave. The same scan confirmed again gives the same hand-over.

    The code stays good for what is left. Paid orders owe nothing, so `collected_minor` is 0 until money is collected at the counter.

    Raises:
        PickupRefused: the reason; nothing was changed.
    """
    scan = read_scan(scan_id, shop_id, vault)
    try:
        if scan is None:
            raise PickupRefused(PickupRefusal.INVALID, {"reason": "scan"})
        if scan.scanner_id != by_member_id:
            raise PickupRefused(PickupRefusal.NOT_PERMITTED, {}, scan.pickup_id)
        async with db.transaction() as tx:
            return await _hand_over(tx, shop_id, scan, lines, collected_minor, device, actor=actor, now=now, jobs=jobs)
    except PickupRefused as refused:
        await record_refusal(shop_id, actor, device, refused, now=now)
        raise


async def _hand_over(
    tx: Tx,
    shop_id: UUID,
    scan: Scan,
    wanted: Sequence[LineQuantity] | None,
    collected_minor: int,
    device: str,
    *,
    actor: Actor,
    now: datetime,
    jobs: JobQueue,
) -> HandOverResult:
    orders, lines, levels, found = await _lock(tx, shop_id, scan.pickup_id)
    before = await _already(tx, shop_id, scan.hand_over_id)
    if before is not None:
        return before
    if not -CLOCK_SLACK <= now - scan.at <= SCAN_LIFE:
        raise PickupRefused(PickupRefusal.EXPIRED, {"reason": "scan", "scanned_at": scan.at}, found.id)
    covered = await covered_by(tx.fetch, found.id)
    await refuse_or_go_on(tx.fetch, found, scan.issue_number, covered)
    # An order that joined the pass after its orders were locked waits for the next scan.
    leaving = choose([line for line in covered.lines if line.may_leave and line.order_line_id in lines], wanted)
    _check_counter(leaving, lines, levels, collected_minor)
    await _write(tx, found, scan, leaving, collected_minor, device, now)
    await _move_goods(tx, orders, lines, leaving, actor=actor, now=now)
    await _close(tx, found, scan, now)
    await _tell(tx, found, scan, orders, lines, leaving, device, actor=actor, now=now, jobs=jobs)
    done = await _already(tx, shop_id, scan.hand_over_id)
    if done is None:
        raise AssertionError("the hand-over was just written")
    return done


def choose(may_leave: Sequence[DueLine], wanted: Sequence[LineQuantity] | None) -> dict[UUID, int]:
    """Pieces per line that leave: all of them, or those asked for. Pure.

    Raises:
        PickupRefused: NOT_READY when there is none; RULES when a line is not of this pass, is named twice, or more (or less than one
            piece) of it is asked for than may leave.
    """
    due = {line.order_line_id: line.left for line in may_leave}
    if not due:
        raise PickupRefused(PickupRefusal.NOT_READY)
    if wanted is None:
        return due
    asked = {line.order_line_id: line.quantity for line in wanted}
    if not asked or len(asked) != len(wanted):
        raise PickupRefused(PickupRefusal.RULES, {"reason": "lines"})
    for line_id, pieces in asked.items():
        if not 1 <= pieces <= due.get(line_id, 0):
            raise PickupRefused(PickupRefusal.RULES, {"order_line_id": line_id, "due": due.get(line_id, 0), "asked": pieces})
    return asked


async def _lock(tx: Tx, shop_id: UUID, pickup_id: UUID) -> tuple[list[LockedOrder], dict[UUID, Line], Mapping[UUID, Level], Pass]:
    """Lock orders, then levels, then the pass."""
    orders = [as_locked(row) for row in await tx.fetch(LOCK_ORDERS, pickup_id, shop_id)]
    lines = {line.id: line for line in await lines_of(tx, [order.id for order in orders])}
    levels = await lock_levels(tx, [line.variant_id for line in lines.values()])
    row = await tx.fetchrow(LOCK_PASS, pickup_id, shop_id)
    if row is None:
        raise PickupRefused(PickupRefusal.INVALID, {"reason": "unknown"})
    return orders, lines, levels, as_pass(row)


async def _already(tx: Tx, shop_id: UUID, hand_over_id: UUID) -> HandOverResult | None:
    """The hand-over of this scan, if it happened."""
    row = await tx.fetchrow(
        """select h.id, h.pickup_id, h.collected_minor, h.at, p.state,
             (select coalesce(sum(l.quantity - l.handed_over - l.packed - l.shipped), 0) from pickup_order po join "order" o on o.id = po.order_id and o.state in ('OPEN','LOCKED')
              join order_line l on l.order_id = o.id where po.pickup_id = p.id) as left_pieces
           from hand_over h join pickup p on p.id = h.pickup_id where h.id = $1 and h.shop_id = $2""",
        hand_over_id,
        shop_id,
    )
    if row is None:
        return None
    lines = await tx.fetch(
        """select hl.order_line_id, hl.quantity, l.order_id from hand_over_line hl join order_line l on l.id = hl.order_line_id
           where hl.hand_over_id = $1 order by hl.id""",
        hand_over_id,
    )
    return HandOverResult(
        hand_over_id=row["id"],
        pickup_id=row["pickup_id"],
        lines=tuple(LineQuantity(line["order_line_id"], line["quantity"]) for line in lines),
        order_ids=tuple(dict.fromkeys(line["order_id"] for line in lines)),
        collected_minor=row["collected_minor"],
        at=row["at"],
        left=row["left_pieces"],
        pickup_state=PickupState(row["state"]),
    )


def _check_counter(leaving: Mapping[UUID, int], lines: Mapping[UUID, Line], levels: Mapping[UUID, Level], collected_minor: int) -> None:
    """The goods lie there, and no money is taken that nobody owes."""
    if collected_minor:
        raise PickupRefused(PickupRefusal.RULES, {"due_minor": 0, "collected_minor": collected_minor})
    pieces: dict[UUID, int] = {}
    for line_id, count in leaving.items():
        variant_id = lines[line_id].variant_id
        pieces[variant_id] = pieces.get(variant_id, 0) + count
    for variant_id, count in pieces.items():
        if levels[variant_id].on_hand < count:
            raise PickupRefused(PickupRefusal.NOT_READY, {"variant_id": variant_id, "on_hand": levels[variant_id].on_hand, "wanted": count})


async def _write(tx: Tx, found: Pass, scan: Scan, leaving: Mapping[UUID, int], collected_minor: int, device: str, now: datetime) -> None:
    await tx.execute(
        """insert into hand_over (id, shop_id, pickup_id, issue_number, by_member_id, device, collected_minor, conflict, at)
           values ($1, $2, $3, $4, $5, $6, $7, false, $8)""",
        scan.hand_over_id,
        found.shop_id,
        found.id,
        scan.issue_number,
        scan.scanner_id,
        device[:120],
        collected_minor,
        now,
    )
    await tx.execute(
        """insert into hand_over_line (shop_id, hand_over_id, order_line_id, quantity)
           select $1, $2, l, n from unnest($3::uuid[], $4::int[]) x(l, n)""",
        found.shop_id,
        scan.hand_over_id,
        list(leaving),
        list(leaving.values()),
    )


async def _move_goods(
    tx: Tx, orders: Sequence[LockedOrder], lines: Mapping[UUID, Line], leaving: Mapping[UUID, int], *, actor: Actor, now: datetime
) -> None:
    """Pieces leave the shelf, the lines and the levels; an order with nothing left is complete."""
    moves = [
        Move(lines[line_id].shop_id, lines[line_id].variant_id, line_id, on_hand=-count, committed=-count)
        for line_id, count in leaving.items()
    ]
    await move_stock(tx, MovementKind.HANDED_OVER, moves, actor=actor, now=now)
    await tx.execute(
        "update order_line l set handed_over = l.handed_over + x.pieces from unnest($1::uuid[], $2::int[]) x(id, pieces) where l.id = x.id",
        list(leaving),
        list(leaving.values()),
    )
    for order in _touched(orders, lines, leaving):
        of_order = [line for line in lines.values() if line.order_id == order.id]
        left = sum(line.left - leaving.get(line.id, 0) for line in of_order)
        if any(line.packed or line.shipped for line in of_order):
            await follow_goods(tx, [order], now=now)
        elif left == 0:
            await move(tx, order, state=OrderState.COMPLETED, fulfilment=FulfilmentState.HANDED_OVER, now=now)
        else:
            step = None if order.fulfilment_state is FulfilmentState.PARTIAL else FulfilmentState.PARTIAL
            await move(tx, order, fulfilment=step, now=now)


def _touched(orders: Sequence[LockedOrder], lines: Mapping[UUID, Line], leaving: Mapping[UUID, int]) -> list[LockedOrder]:
    ids = {lines[line_id].order_id for line_id in leaving}
    return [order for order in orders if order.id in ids]


async def _close(tx: Tx, found: Pass, scan: Scan, now: datetime) -> None:
    """The pass is collected once none of its orders that go on (open, or locked for a while) has a piece left; a lent code is used up at once."""
    await tx.execute(
        """update pickup p set version = p.version + 1,
             lent_used_at = case when p.lent_issue = $2 and p.lent_used_at is null then $3 else p.lent_used_at end,
             state = case when exists (
               select 1 from pickup_order po join "order" o on o.id = po.order_id and o.state in ('OPEN','LOCKED') join order_line l on l.order_id = o.id
               where po.pickup_id = p.id and l.quantity > l.handed_over + l.packed + l.shipped) then p.state else 'COLLECTED' end
           where p.id = $1""",
        found.id,
        scan.issue_number,
        now,
    )


async def _tell(
    tx: Tx,
    found: Pass,
    scan: Scan,
    orders: Sequence[LockedOrder],
    lines: Mapping[UUID, Line],
    leaving: Mapping[UUID, int],
    device: str,
    *,
    actor: Actor,
    now: datetime,
    jobs: JobQueue,
) -> None:
    """Timeline and audit per order, audit of the pass, one notice to the buyer."""
    touched = _touched(orders, lines, leaving)
    data: dict[UUID, dict[str, Any]] = {}
    for order in touched:
        of_order = [lines[line_id].facts(count) for line_id, count in leaving.items() if lines[line_id].order_id == order.id]
        data[order.id] = {"handOverId": str(scan.hand_over_id), "lines": of_order}
    await add_events(tx, "HANDED_OVER", touched, data, actor=actor, now=now)
    what = {"hand_over_id": str(scan.hand_over_id), "device": device[:120]}
    entries = [
        Entry(order.shop_id, "order.hand_over", "order", order.id, what | {"pieces": sum(x["quantity"] for x in data[order.id]["lines"])})
        for order in touched
    ]
    whole = Entry(
        found.shop_id, "pickup.hand_over", "pickup", found.id, what | {"pieces": sum(leaving.values()), "issue_number": scan.issue_number}
    )
    await record(tx, actor, [whole, *entries], now=now)
    first = touched[0].facts()
    facts = first | {"orderNumbers": [order.number for order in touched], "lines": [lines[i].facts(count) for i, count in leaving.items()]}
    await enqueue(
        tx, found.shop_id, [NoticeDraft(found.buyer_id, NoticeKind.PICKED_UP, f"picked_up:{scan.hand_over_id}", facts)], now=now, jobs=jobs
    )
