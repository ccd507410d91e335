"""What the steps of a seeded order leave: its timeline, payments, passes and hand-overs, parcels."""

from __future__ import annotations

from typing import Final

from benchmarks.seed_book import HOUR_MS, Book, Sale, audit, event, facts_of, notify
from benchmarks.seed_rows import DAY_MS, NULL, at, dashed, json
from benchmarks.seed_stories import Step
from domain.orders.rules import FulfilmentState, OrderState, PaymentState

PARCELS: Final = frozenset({FulfilmentState.SHIPPED, FulfilmentState.ARRIVED_AT_STORE, FulfilmentState.DELIVERED, FulfilmentState.RETURNED})
"""Where a parcel may be."""


def history(book: Book, sale: Sale) -> list[int]:
    """The timeline, and what each step leaves besides; answers the instants of the steps."""
    steps = sale.story.steps
    span = min(5 * DAY_MS, book.now - sale.at)
    part = 0.3 + 0.5 * book.chance.random.random()
    when = [sale.at + int(span * part * (k + 1) / len(steps)) for k in range(len(steps))]
    for line in sale.lines:
        facts = json({"lines": [{"title": line.variant.title, "label": line.variant.label, "quantity": line.pieces}]})
        event(book, sale, "LINES_ADDED", facts, f"comment:{dashed(line.comment)}", sale.at + 400)
    notify(book, sale, "ORDER_PLACED", sale.at + 400, {"totalMinor": sale.subtotal, "lines": facts_of(sale)})
    for step, at_ms in zip(steps, when, strict=True):
        actor = sale.owner if step.staff else "worker:deadlines"
        event(book, sale, step.kind, "{}", actor, at_ms)
        _consequences(book, sale, step, at_ms)
    return when


def _consequences(book: Book, sale: Sale, step: Step, at_ms: int) -> None:
    shop, w = sale.shop, book.rows.waiting
    if step.payment in (PaymentState.PAID, PaymentState.PARTIALLY_PAID):
        amount = sale.subtotal if step.payment is PaymentState.PAID else max(1, sale.subtotal // 2)
        payment = f"{book.chance.id(at_ms)}\t{shop.id}\t{sale.id}\tBANK_TRANSFER\tref-{sale.number}\t{amount}\t{shop.currency}\t{shop.owner}\t{at(at_ms)}"
        w["payment"].append(payment)
        audit(book, shop, at_ms, sale.owner, "OWNER", "order.mark_paid", "order", sale.id, f'{{"amount_minor":{amount}}}')
        notify(book, sale, "PAYMENT_RECEIVED", at_ms, {"paidMinor": amount})
    if step.payment is PaymentState.REPORTED and sale.story.payment is PaymentState.REPORTED:
        said = f"{book.chance.id(at_ms)}\t{shop.id}\t{sale.id}\tOPEN\t12345\t{at(at_ms)}\t{sale.subtotal}\t{shop.currency}\t\t{at(at_ms)}"
        w["transfer_report"].append(f"{said}\t{at(at_ms + 48 * HOUR_MS)}")
    if step.fulfilment is FulfilmentState.READY_FOR_PICKUP:
        _ready(book, sale, at_ms)
    if step.fulfilment in (FulfilmentState.PARTIAL, FulfilmentState.HANDED_OVER):
        _hand_over(book, sale, at_ms, whole=step.fulfilment is FulfilmentState.HANDED_OVER)
    labelled = step.fulfilment is FulfilmentState.LABELLED and step.fulfilment is sale.story.fulfilment
    if step.fulfilment is not None and (step.fulfilment in PARCELS or labelled):
        _parcel(book, sale, step.fulfilment, at_ms)
    if step.state is OrderState.CANCELLED:
        expired = step.payment is PaymentState.EXPIRED
        actor, role = ("worker:deadlines", "worker") if expired else (sale.owner, "OWNER")
        audit(book, shop, at_ms, actor, role, "order.expire" if expired else "order.cancel", "order", sale.id, "{}")
        notify(book, sale, "ORDER_EXPIRED" if expired else "ORDER_CANCELLED", at_ms, {"lines": facts_of(sale)})


def _ready(book: Book, sale: Sale, at_ms: int) -> None:
    """Onto a pass: its own when everything will be collected, else the buyer's open one."""
    shop, w = sale.shop, book.rows.waiting
    collected = sale.story.state is OrderState.COMPLETED
    here = "" if collected else book.passes.get(sale.buyer, "")
    if not here:
        here = book.chance.id(at_ms)
        state, issue = ("COLLECTED", 1) if collected else ("OPEN", 0)
        code = book.chance.random.getrandbits(63)
        ends = at(at_ms + 3 * DAY_MS) if collected else NULL
        w["pickup"].append(f"{here}\t{shop.id}\t{sale.buyer}\t{sale.member}\t{code}\t{state}\t{issue}\t\t{ends}\t1\t{at(at_ms)}")
    book.passes[sale.id if collected else sale.buyer] = here
    w["pickup_order"].append(f"{sale.id}\t{shop.id}\t{here}")
    event(book, sale, "READY_FOR_PICKUP", f'{{"pickupId":"{dashed(here)}"}}', sale.owner, at_ms)
    notify(book, sale, "PICKUP_READY", at_ms, {"pickupId": dashed(here), "place": shop.place})


def _hand_over(book: Book, sale: Sale, at_ms: int, *, whole: bool) -> None:
    shop, w = sale.shop, book.rows.waiting
    here = book.passes.pop(sale.id) if whole else book.passes[sale.buyer]
    scan = book.chance.id(at_ms)
    w["hand_over"].append(f"{scan}\t{shop.id}\t{here}\t1\t{shop.owner}\tcounter\t0\tf\t{at(at_ms)}")
    for line in sale.lines if whole else sale.lines[:1]:
        line.handed = line.pieces if whole or len(sale.lines) > 1 else line.pieces - 1
        w["hand_over_line"].append(f"{shop.id}\t{scan}\t{line.id}\t{line.handed}")
    detail = f'{{"hand_over_id":"{dashed(scan)}"}}'
    audit(book, shop, at_ms, sale.owner, "OWNER", "pickup.hand_over", "pickup", here, detail)
    audit(book, shop, at_ms, sale.owner, "OWNER", "order.hand_over", "order", sale.id, detail)
    notify(book, sale, "PICKED_UP", at_ms, {"lines": facts_of(sale), "pickupId": dashed(here)})


def _parcel(book: Book, sale: Sale, state: FulfilmentState, at_ms: int) -> None:
    """All of an order leaves in one parcel; its row is written when it stands where the story ends."""
    shop, w = sale.shop, book.rows.waiting
    packed = state is FulfilmentState.LABELLED
    if packed or sale.id not in book.passes:
        here = book.passes[sale.id] = book.chance.id(at_ms)
        sale.sent = at_ms
        for line in sale.lines:
            line.packed, line.shipped = (line.pieces, 0) if packed else (0, line.pieces)
            w["shipment_line"].append(f"{shop.id}\t{here}\t{sale.id}\t{line.id}\t{line.pieces}")
        audit(book, shop, at_ms, sale.owner, "OWNER", "shipment.create", "shipment", here, "{}")
    here = book.passes[sale.id]
    stored = state is FulfilmentState.ARRIVED_AT_STORE
    if state is sale.story.fulfilment:
        carrier = (
            f"SEVEN_ELEVEN\t\t{sale.number}\t131386\t\t\t{at(at_ms + 7 * DAY_MS)[:10]}"
            if stored
            else f"T_CAT\t\t{sale.number}\t\t\t\t{NULL}"
        )
        left = NULL if packed else at(sale.sent)
        w["shipment"].append(
            f"{here}\t{shop.id}\t{sale.buyer}\t{sale.member}\t{'PREPARING' if packed else state}\t{at(at_ms)}\t{carrier}\t{left}\t1\t{at(sale.sent)}\t{at(at_ms)}"
        )
    if not packed:
        w["shipment_event"].append(f"{shop.id}\t{here}\t{state}\t{at(at_ms)}\t\t{sale.owner}\t{at(at_ms)}")
        if state is FulfilmentState.SHIPPED:
            notify(
                book,
                sale,
                "SHIPMENT_SENT",
                at_ms,
                {"carrier": "T_CAT", "trackingNumber": sale.number, "shipmentId": dashed(here), "state": "SHIPPED"},
            )
