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
from domain.orders.rules import FulfilmentState, OrderState
from domain.pickup.errors import PickupRefused
from domain.pickup.passes import PASS, DueLine, Pass, as_pass, covered_by, why_not
from domain.pickup.rules import CLOCK_SLACK, SCAN_LIFE, LineQuantity, PickupRefusal, PickupState
from domain.pickup.scans import Scan, read_scan
from domain.stock.commands import Move, lock_levels
from domain.stock.commands import move as move_stock
from domain.stock.rules import Level, MovementKind
from domain.vault import Vault

LOCK_ORDERS: Final = f"""select {COLUMNS} from "order" o
  where o.shop_id = $2 and o.id in (select order_id from pickup_order where pickup_id = $1) order by o.id for update of o"""
LOCK_PASS: Final = f"{PASS} where p.id = $1 and p.shop_id = $2 for update of p"


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
    if scan is None:
        raise PickupRefused(PickupRefusal.INVALID, {"reason": "scan"})
    if scan.scanner_id != by_member_id:
        raise PickupRefused(PickupRefusal.NOT_PERMITTED)
    async with db.transaction() as tx:
        orders, order_lines, levels, found = await _lock(tx, shop_id, scan.pickup_id)
        before = await _already(tx, shop_id, scan.hand_over_id)
        if before is not None:
            return before
        if not -CLOCK_SLACK <= now - scan.at <= SCAN_LIFE:
            raise PickupRefused(PickupRefusal.EXPIRED, {"reason": "scan", "scanned_at": scan.at})
        covered = await covered_by(tx.fetch, found.id)
        refused = await why_not(tx.fetch, found, scan.issue_number, covered)
        if refused is not None:
            raise PickupRefused(*refused)
        locked = {order.id for order in orders}
        # An order that joined the pass after its orders were locked waits for the next scan.
        leaving = choose([line for line in covered.lines if line.may_leave and line.order_id in locked], lines)
        _check_counter(leaving, levels, collected_minor)
        await _write(tx, found, scan, leaving, collected_minor, by_member_id, device, now)
        await _move_goods(tx, orders, order_lines, leaving, actor=actor, now=now)
        await _close(tx, found, now=now)
        await _tell(tx, found, scan, orders, leaving, collected_minor, device, actor=actor, now=now, jobs=jobs)
        done = await _already(tx, shop_id, scan.hand_over_id)
        assert done is not None
        return done


def choose(may_leave: Sequence[DueLine], wanted: Sequence[LineQuantity] | None) -> dict[UUID, int]:
    """Pieces per line that leave: all of them, or those asked for. Pure.

    Raises:
        PickupRefused: RULES, when a line is not of this pass, named twice, or more (or less than one) of it is asked for than may leave.
    """
    due = {line.order_line_id: line.left for line in may_leave}
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
             (select coalesce(sum(l.quantity - l.handed_over), 0) from pickup_order po join "order" o on o.id = po.order_id and o.state = 'OPEN'
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
