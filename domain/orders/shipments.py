"""Parcels as screens show them, as rows and as text. They stand below orders, which show them; what becomes of parcels is the shipping room's.

Table aliases: `sh` shipment, `s` its shop, `o` the order that shows it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from domain.ids import public_id
from domain.orders.carriers import STORES, TRACKING_URL
from domain.paging import SHOP, Row, Shape, Wanted, shape
from domain.paging.shape import Read
from domain.paging.written import SHOP_FIELDS, Fields, Made, Part, Rows, Within, day, flag, instant, public, text, whole, word

STORES_SQL: Final = ", ".join(f"'{carrier.value}'" for carrier in sorted(STORES))
MOST_EVENTS: Final = 100
"""Events of a parcel that are shown, the newest."""
MOST_PARCELS: Final = 50
"""Parcels of one order."""
UNDER_WAY: Final = "sh.state in ('PREPARING','SHIPPED','IN_TRANSIT','ARRIVED_AT_STORE','RETURNING')"
"""As in the partial indexes of the active ones."""

SHIPMENTS_OF_ORDER: Final = f"""select {{row}} from shipment sh
    where sh.id = any(array(select x.shipment_id from shipment_line x where x.order_id = o.id)) order by sh.created_at, sh.id limit {MOST_PARCELS}"""
SHIPMENT_EVENTS: Final = (
    f"select {{row}} from shipment_event e where e.shipment_id = sh.id order by e.at desc, e.id desc limit {MOST_EVENTS}"
)
SHIPMENT_LINES: Final = """select {row} from shipment_line x join order_line l on l.id = x.order_line_id join "order" o on o.id = x.order_id
    where x.shipment_id = sh.id order by x.id limit 100"""

DIFFERENCES: Final = f"""(select array_remove(array[
      case when bool_or(f.kind = 'FACE_TO_FACE') then 'METHOD' end,
      case when bool_or(case f.kind when 'CONVENIENCE_STORE' then sh.carrier <> f.chain when 'HOME' then sh.carrier in ({STORES_SQL}) else false end)
        then 'CARRIER' end,
      case when bool_or(f.kind = 'CONVENIENCE_STORE' and sh.carrier = f.chain and d.store_code <> '' and d.store_code <> sh.store_code)
        then 'STORE' end,
      case when count(distinct (f.kind, f.chain, d.store_code, d.recipient_name, d.recipient_phone, d.postal_code, d.address)) > 1 then 'SEVERAL' end
    ]::text[], null)
  from (select distinct x.order_id from shipment_line x where x.shipment_id = sh.id) within
  cross join lateral (select * from order_delivery x where x.order_id = within.order_id offset 0) d
  cross join lateral (select * from delivery_offer x where x.id = d.offer_id offset 0) f)"""
"""What of a parcel is other than its buyer chose for its orders, words of ShipmentDifference; a store that was erased is like any."""


@lru_cache(maxsize=64)
def _words(words: str) -> tuple[str, ...]:
    return tuple(words.split())


EVENT_FIELDS: Final = Fields(
    {
        "state": word("e.state"),
        "at": instant("e.at"),
        "note": text("nullif(e.note, '')", nullable=True),
        "recorded_at": instant("e.recorded_at"),
    }
)
LINE_FIELDS: Final = Fields(
    {
        "line_id": public("line", "x.order_line_id"), "order_id": public("order", "x.order_id"), "order_number": text("o.number"),
        "title": text("l.title"), "variant_label": text("l.variant_label"), "quantity": whole("x.quantity"),
    }
)  # fmt: skip
SHIPMENT_FIELDS: Final = Fields(
    {
        "id": public("shipment", "sh.id"),
        "state": word("sh.state"),
        "since": instant("sh.state_at"),
        "is_active": flag(UNDER_WAY),
        "carrier": word("sh.carrier"),
        "carrier_name": text("nullif(sh.carrier_name, '')", nullable=True),
        "tracking_number": text("nullif(sh.tracking_number, '')", nullable=True),
        "tracking_url": text(TRACKING_URL, nullable=True),
        "store_code": text("nullif(sh.store_code, '')", nullable=True),
        "store_name": text("nullif(sh.store_name, '')", nullable=True),
        "store_address": text("nullif(sh.store_address, '')", nullable=True),
        "last_pickup_day": day("sh.last_pickup_day"),
        "return_decision": word("sh.return_decision", nullable=True),
        "differences": Part(Made((f"array_to_string({DIFFERENCES}, ' ')",), _words)),
        "version": whole("sh.version"),
        "created_at": instant("sh.created_at"),
        "updated_at": instant("sh.updated_at"),
        "shop": Within(SHOP_FIELDS),
        "lines": Rows(LINE_FIELDS, SHIPMENT_LINES),
        "events": Rows(EVENT_FIELDS, SHIPMENT_EVENTS),
    }
)
"""A parcel as text."""

SHIPMENT: Final = (
    "sh.id", "sh.state", "sh.state_at", UNDER_WAY, "sh.carrier", "sh.carrier_name", "sh.tracking_number", TRACKING_URL, "sh.store_code", "sh.store_name",
    "sh.store_address", "sh.last_pickup_day", "sh.version", "sh.created_at", "sh.updated_at", "sh.return_decision", "sh.shop_id",
)  # fmt: skip


def _shipment(row: Any) -> Row:
    return {
        "id": public_id("shipment", row[0]),
        "state": row[1],
        "since": row[2],
        "is_active": row[3],
        "carrier": row[4],
        "carrier_name": row[5] or None,
        "tracking_number": row[6] or None,
        "tracking_url": row[7],
        "store_code": row[8] or None,
        "store_name": row[9] or None,
        "store_address": row[10] or None,
        "last_pickup_day": row[11],
        "version": row[12],
        "created_at": row[13],
        "updated_at": row[14],
        "return_decision": row[15],
    }


@lru_cache(maxsize=128)
def shipment_shape(wanted: Wanted) -> Shape:
    """A parcel; aliases `sh` and `s`. Branches: shop, lines, events, differences."""
    branches: list[tuple[str, str, Read]] = [("shop", SHOP.row, SHOP.read)] if "shop" in wanted else []
    if "lines" in wanted:
        columns = "row(x.order_line_id, x.order_id, o.number, l.title, l.variant_label, x.quantity)"
        branches.append(("lines", f"array({SHIPMENT_LINES.format(row=columns)})", _lines))
    if "events" in wanted:
        branches.append(("events", f"array({SHIPMENT_EVENTS.format(row='row(e.state, e.at, e.note, e.recorded_at)')})", _events))
    if "differences" in wanted:
        branches.append(("differences", DIFFERENCES, list))
    return shape(SHIPMENT, _shipment, branches)


def _lines(rows: Any) -> list[Row]:
    return [
        {
            "line_id": public_id("line", line), "order_id": public_id("order", order), "order_number": number, "title": title,
            "variant_label": label, "quantity": quantity,
        }
        for line, order, number, title, label, quantity in rows
    ]  # fmt: skip


def _events(rows: Any) -> list[Row]:
    return [{"state": state, "at": at, "note": note or None, "recorded_at": recorded} for state, at, note, recorded in rows]
