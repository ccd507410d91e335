"""Buyers are reminded of parcels that a store keeps until today or tomorrow."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from domain import db
from domain.jobs import JobQueue
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind

_DUE: Final = """
with due as (select id from shipment where remind_at <= $1 order by remind_at, id limit $2 for update skip locked)
update shipment h set remind_at = null from due, shop s where h.id = due.id and s.id = h.shop_id
returning h.id, h.shop_id, h.buyer_id, h.last_pickup_day, h.carrier, h.carrier_name, h.tracking_number, h.store_name, s.name as shop,
  (select o.id from shipment_line x join "order" o on o.id = x.order_id where x.shipment_id = h.id order by x.id limit 1) as order_id,
  (select o.number from shipment_line x join "order" o on o.id = x.order_id where x.shipment_id = h.id order by x.id limit 1) as number"""


async def remind_last_days(*, now: datetime, limit: int, jobs: JobQueue) -> int:
    """Remind the buyers of at most `limit` parcels whose reminder is due; answers how many. Once for each last day that was told."""
    async with db.transaction() as tx:
        by_shop: dict[UUID, list[NoticeDraft]] = {}
        rows = await tx.fetch(_DUE, now, limit)
        for row in sorted(rows, key=lambda row: (row["shop_id"], row["id"])):
            day = row["last_pickup_day"].isoformat()
            facts = {
                "shopName": row["shop"], "orderId": str(row["order_id"]), "orderNumber": row["number"], "shipmentId": str(row["id"]),
                "carrier": row["carrier"], "carrierName": row["carrier_name"], "trackingNumber": row["tracking_number"], "storeName": row["store_name"],
                "lastPickupDay": day,
            }  # fmt: skip
            facts = {name: value for name, value in facts.items() if value}
            draft = NoticeDraft(row["buyer_id"], NoticeKind.SHIPMENT_LAST_DAY, f"shipment_last_day:{row['id']}:{day}", facts)
            by_shop.setdefault(row["shop_id"], []).append(draft)
        for shop_id, drafts in by_shop.items():
            await enqueue(tx, shop_id, drafts, now=now, jobs=jobs)
        return len(rows)
