"""What the buyers of a parcel's orders chose, and what follows from it for the label. `differences` says where the two are not alike.

The choice is the delivery room's; the orders' locks guard it, so that a parcel is labelled by the choice that stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from domain.db import Tx
from domain.orders.carriers import STORES, Carrier
from domain.orders.shipments import DIFFERENCES
from domain.shipping.errors import BadParcel, ChoicesDiffer
from domain.shipping.rules import LONGEST_NAME, Store

CHOSEN: Final = """select distinct f.kind, f.chain, d.store_code, case when d.store_code = '' then '' else d.store_name end as store_name,
    d.recipient_name, d.recipient_phone, d.postal_code, d.address
  from order_delivery d cross join lateral (select * from delivery_offer x where x.id = d.offer_id offset 0) f where d.order_id = any($1::uuid[])"""


@dataclass(frozen=True, slots=True)
class Label:
    """What a parcel says on its outside. Without a carrier: the one of the store that the buyer chose."""

    carrier: Carrier | None = None
    carrier_name: str = ""
    tracking_number: str = ""
    store: Store | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where orders go: the store's carrier with the store, or None for home and face to face."""

    carrier: Carrier | None
    store: Store | None


async def places_of(tx: Tx, order_ids: Sequence[UUID]) -> list[Place]:
    """The different places that were chosen for these orders, which the caller holds; orders without a choice say nothing."""
    rows = await tx.fetch(CHOSEN, list(order_ids))
    return [
        Place(
            None if row["chain"] is None else Carrier(row["chain"]),
            Store(row["store_code"], row["store_name"][:LONGEST_NAME]) if row["store_code"] else None,
        )
        for row in rows
    ]


def completed(label: Label, places: Sequence[Place]) -> tuple[Carrier, Label]:
    """The label with what was chosen where it says nothing itself: the carrier, and the store where the carrier is the chosen one. Pure.

    Raises:
        BadParcel: it names no carrier, and none follows from what was chosen.
        ChoicesDiffer: it names no carrier, and the orders go to different places.
    """
    if label.carrier is None and label.store is None and len(places) > 1:
        raise ChoicesDiffer()
    chosen = places[0] if len(places) == 1 else Place(None, None)
    carrier = label.carrier or chosen.carrier
    if carrier is None:
        raise BadParcel("carrier")
    taken = chosen.store if label.store is None and carrier is chosen.carrier and carrier in STORES else label.store
    return carrier, replace(label, carrier=carrier, store=taken)


async def differences(tx: Tx, shipment_id: UUID) -> list[str]:
    """What of a parcel is other than was chosen, as its screens say it."""
    found: list[str] = await tx.fetchval(f"select {DIFFERENCES} from shipment sh where sh.id = $1", shipment_id)
    return found
