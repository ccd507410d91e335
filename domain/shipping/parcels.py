"""A parcel's row while it is locked, and who is told of what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.audit.commands import Actor
from domain.db import Tx
from domain.errors import NotFound
from domain.jobs import JobQueue
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.orders.carriers import Carrier
from domain.orders.commands import LockedOrder, add_events
from domain.orders.timeline import OrderEventKind
from domain.shipping.rules import WITH_CARRIER, ReturnDecision, ShipmentState, Store, remind_at

PARCEL: Final = """select id, shop_id, buyer_id, state, state_at, carrier, carrier_name, tracking_number, store_code, store_name, store_address,
  last_pickup_day, remind_at, left_at, return_decision, settled_at, version, created_at, (select time_zone from shop where shop.id = shop_id) as time_zone
  from shipment where id = $1 and shop_id = $2 for update"""
KINDS: Final = {
    ShipmentState.SHIPPED: NoticeKind.SHIPMENT_SENT,
    ShipmentState.ARRIVED_AT_STORE: NoticeKind.SHIPMENT_ARRIVED,
    ShipmentState.DELIVERED: NoticeKind.SHIPMENT_DELIVERED,
    ShipmentState.RETURNED: NoticeKind.SHIPMENT_RETURNED,
}
"""Of the states that have one of their own; SHIPMENT_UPDATED of the others."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel whose row this transaction holds; `lines` are its order lines with their pieces."""

    id: UUID
    shop_id: UUID
    buyer_id: UUID
    state: ShipmentState
    state_at: datetime
    carrier: Carrier
    carrier_name: str
    tracking_number: str
    store_code: str
    store_name: str
    store_address: str
    last_pickup_day: date | None
    remind_at: datetime | None
    left_at: datetime | None
    return_decision: ReturnDecision | None
    settled_at: datetime | None
    version: int
    created_at: datetime
    time_zone: str
    lines: tuple[tuple[UUID, int], ...]

    @property
    def is_over(self) -> bool:
        """Nothing that is said about it counts any more."""
        return self.state is ShipmentState.CANCELLED or self.return_decision is not None

    @property
    def store(self) -> Store | None:
        """Where it waits for its buyer."""
        return Store(self.store_code, self.store_name, self.store_address, self.last_pickup_day) if self.store_code else None

    def moved(self, state: ShipmentState, at: datetime, now: datetime) -> Parcel:
        """With another state since `at`; it leaves with the first that a carrier gives it."""
        left_at = now if self.left_at is None and state in WITH_CARRIER else self.left_at
        return replace(self, state=state, state_at=at, left_at=left_at)._reminding(now)

    def _reminding(self, now: datetime) -> Parcel:
        """With a reminder of the last day that is known, as long as it lies in the store."""
        there = self.state is ShipmentState.ARRIVED_AT_STORE and self.last_pickup_day is not None
        at = remind_at(self.last_pickup_day, ZoneInfo(self.time_zone), now) if there and self.last_pickup_day else None
        return replace(self, remind_at=at)

    def settled(self, decision: ReturnDecision, now: datetime) -> Parcel:
        """With the seller's decision."""
        return replace(self, return_decision=decision, settled_at=now)

    def relabelled(
        self,
        carrier: Carrier | None,
        carrier_name: str | None,
        number: str | None,
        store: Store | None,
        last_pickup_day: date | None,
        now: datetime,
    ) -> Parcel:
        """With what is not None; another carrier than OTHER has no name of its own, another carrier than before none of its stores."""
        carrier, keeps_store = carrier or self.carrier, carrier in (None, self.carrier)
        name = (self.carrier_name if carrier_name is None else carrier_name) if carrier is Carrier.OTHER else carrier_name or ""
        there = store or (self.store if keeps_store else None)
        if there is not None and last_pickup_day is not None:
            there = replace(there, last_pickup_day=last_pickup_day)
        there = there or Store("")
        found = replace(
            self, carrier=carrier, carrier_name=name, tracking_number=self.tracking_number if number is None else number, store_code=there.code,
            store_name=there.name, store_address=there.address, last_pickup_day=there.last_pickup_day,
        )  # fmt: skip
        return self if found == self else found._reminding(now)

    def facts(self) -> dict[str, Any]:
        """What a notice says of it."""
        found: dict[str, Any] = {"shipmentId": str(self.id), "state": self.state.value, "carrier": self.carrier.value}
        named = {
            "carrierName": self.carrier_name, "trackingNumber": self.tracking_number, "storeName": self.store_name,
            "lastPickupDay": self.last_pickup_day.isoformat() if self.last_pickup_day else "",
        }  # fmt: skip
        return found | {name: value for name, value in named.items() if value}


async def lock_parcel(tx: Tx, shop_id: UUID, shipment_id: UUID) -> Parcel:
    """Lock a parcel of this shop; its orders are locked already.

    Raises:
        NotFound: this shop has no such parcel.
    """
    row = await tx.fetchrow(PARCEL, shipment_id, shop_id)
    if row is None:
        raise NotFound
    lines = await tx.fetch("select order_line_id, quantity from shipment_line where shipment_id = $1 order by id", shipment_id)
    decision = row["return_decision"]
    return Parcel(
        **{
            **row,
            "state": ShipmentState(row["state"]),
            "carrier": Carrier(row["carrier"]),
            "return_decision": None if decision is None else ReturnDecision(decision),
            "lines": tuple((line["order_line_id"], line["quantity"]) for line in lines),
        }
    )


async def write_state(tx: Tx, parcel: Parcel, *, now: datetime) -> Parcel:
    """Write a locked parcel as it now is; its version rises by one."""
    await tx.execute(
        """update shipment set state = $2, state_at = $3, carrier = $4, carrier_name = $5, tracking_number = $6, store_code = $7, store_name = $8,
             store_address = $9, last_pickup_day = $10, left_at = $11, return_decision = $12, settled_at = $13, remind_at = $14,
             version = version + 1, updated_at = $15
           where id = $1""",
        parcel.id, parcel.state.value, parcel.state_at, parcel.carrier.value, parcel.carrier_name, parcel.tracking_number, parcel.store_code,
        parcel.store_name, parcel.store_address, parcel.last_pickup_day, parcel.left_at,
        parcel.return_decision.value if parcel.return_decision else None, parcel.settled_at, parcel.remind_at, now,
    )  # fmt: skip
    return replace(parcel, version=parcel.version + 1)


async def tell(
    tx: Tx, parcel: Parcel, orders: Sequence[LockedOrder], kind: OrderEventKind, *, note: str = "", actor: Actor, now: datetime,
    jobs: JobQueue | None = None,
) -> None:  # fmt: skip
    """An entry in the timeline of each order; with `jobs` also one notice to the buyer, for this version of the parcel and never again."""
    rows = await tx.fetch(
        """select x.order_id, l.title, l.variant_label as label, x.quantity from shipment_line x join order_line l on l.id = x.order_line_id
           where x.shipment_id = $1 order by x.id""",
        parcel.id,
    )
    pieces = [(row["order_id"], {"title": row["title"], "label": row["label"], "quantity": row["quantity"]}) for row in rows]
    # The timeline is for ever: it holds no tracking number, which leads to a person.
    event = {"shipmentId": str(parcel.id), "carrier": parcel.carrier.value, "state": parcel.state.value}
    of_order = {order.id: event | {"lines": [line for of, line in pieces if of == order.id]} for order in orders}
    await add_events(tx, kind.value, orders, of_order, actor=actor, now=now)
    if jobs is None:
        return
    facts = orders[0].facts() | parcel.facts() | {"orderNumbers": [o.number for o in orders], "lines": [line for _, line in pieces[:20]]}
    facts = {name: value for name, value in facts.items() if name != "totalMinor"} | ({"note": note} if note else {})
    draft = NoticeDraft(
        parcel.buyer_id, KINDS.get(parcel.state, NoticeKind.SHIPMENT_UPDATED), f"shipment:{parcel.id}:{parcel.version}", facts
    )
    await enqueue(tx, parcel.shop_id, [draft], now=now, jobs=jobs)
