"""Rows of a seller's or a carrier's table, taken one by one: each is done whole or not at all, whatever becomes of the others.

A row whose carrier and tracking number the shop knows is about that parcel; another one packs all that is left of its order. So a table may be
sent again, with the rows in any order, and rows that say nothing new change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import db
from domain.audit.commands import Actor
from domain.db import Tx
from domain.errors import DomainError, NotFound
from domain.jobs import JobQueue
from domain.shipping.chosen import Label
from domain.shipping.commands import Heard, create, hear, relabel
from domain.shipping.errors import BadParcel
from domain.shipping.rules import NUMBER, ImportOutcome
from domain.shipping.table import ImportRow


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row; `refusal` is the public form of why not."""

    line: int
    order_number: str
    outcome: ImportOutcome
    shipment_id: UUID | None = None
    refusal: Mapping[str, Any] | None = None


async def take_rows(
    rows: Sequence[ImportRow],
    *,
    shop_id: UUID,
    describe: Callable[[DomainError], Mapping[str, Any]],
    actor: Actor,
    now: datetime,
    jobs: JobQueue,
) -> list[RowResult]:
    """Take all rows, in their order. A refusal that may be tried again (the database is away) ends the whole import and leaves no trace."""
    results = []
    for row in rows:
        try:
            async with db.transaction() as tx:
                shipment_id, outcome = await _take(tx, row, shop_id, actor, now, jobs)
            results.append(RowResult(row.line, row.order_number, outcome, shipment_id))
        except DomainError as error:
            if error.retryable:
                raise
            results.append(RowResult(row.line, row.order_number, ImportOutcome.REFUSED, None, describe(error)))
    return results


async def _take(tx: Tx, row: ImportRow, shop_id: UUID, actor: Actor, now: datetime, jobs: JobQueue) -> tuple[UUID, ImportOutcome]:
    if row.wrong is not None:
        raise BadParcel(row.wrong)
    if not NUMBER.fullmatch(row.tracking_number):
        raise BadParcel("tracking_number")
    shipment_id, outcome = await _known(tx, row, shop_id), ImportOutcome.UNCHANGED
    if shipment_id is None:
        shipment_id, outcome = await _packed(tx, row, shop_id, actor, now), ImportOutcome.CREATED
    elif row.store is not None or row.last_pickup_day is not None:
        changed = await relabel(
            shop_id=shop_id, shipment_id=shipment_id, store=row.store, last_pickup_day=row.last_pickup_day, actor=actor, now=now
        )
        outcome = ImportOutcome.UPDATED if changed else outcome
    if row.said is not None:
        heard = await hear(shop_id=shop_id, shipment_id=shipment_id, said=row.said, freely=True, actor=actor, now=now, jobs=jobs)
        if heard is not Heard.KNOWN and outcome is ImportOutcome.UNCHANGED:
            outcome = ImportOutcome.UPDATED
    return shipment_id, outcome


async def _known(tx: Tx, row: ImportRow, shop_id: UUID) -> UUID | None:
    """The parcel with this number. A row that names another order than those in it is about something else."""
    found = await tx.fetchrow(
        """select sh.id, exists (select 1 from shipment_line x join "order" o on o.id = x.order_id where x.shipment_id = sh.id and o.number = $4) as fits
           from shipment sh where sh.shop_id = $1 and sh.carrier = $2 and sh.tracking_number = $3 and sh.tracking_number <> '' and sh.state <> 'CANCELLED'""",
        shop_id,
        row.carrier.value,
        row.tracking_number,
        row.order_number,
    )
    if found is None:
        return None
    if row.order_number and not found["fits"]:
        raise BadParcel("order_number")
    known: UUID = found["id"]
    return known


async def _packed(tx: Tx, row: ImportRow, shop_id: UUID, actor: Actor, now: datetime) -> UUID:
    order_id = await tx.fetchval('select id from "order" where shop_id = $1 and number = $2', shop_id, row.order_number)
    if order_id is None:
        raise NotFound
    label = Label(row.carrier, row.carrier_name, row.tracking_number, row.store)
    return await create(shop_id=shop_id, pieces=None, order_id=order_id, label=label, actor=actor, now=now)
