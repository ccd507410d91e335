"""Parcels: their states and legal moves, which of two events is the newer, and what a label can say. Pure.

A parcel is where the newest thing said about it puts it, by the time that the carrier (or the seller) gives, whenever it arrives here and however
often. So a carrier may tell its events late, repeatedly and in any order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from domain.orders.carriers import STORES, Carrier
from domain.shipping.errors import BadParcel


class ShipmentState(StrEnum):
    PREPARING = "PREPARING"
    SHIPPED = "SHIPPED"
    IN_TRANSIT = "IN_TRANSIT"
    ARRIVED_AT_STORE = "ARRIVED_AT_STORE"
    DELIVERED = "DELIVERED"
    RETURNING = "RETURNING"
    RETURNED = "RETURNED"
    LOST = "LOST"
    CANCELLED = "CANCELLED"


class ReturnDecision(StrEnum):
    """What the seller does with the pieces of a parcel that came back."""

    RESTOCK = "RESTOCK"
    SHIP_AGAIN = "SHIP_AGAIN"
    WRITE_OFF = "WRITE_OFF"


class ShipmentDifference(StrEnum):
    """What of a parcel is other than its buyer chose."""

    METHOD = "METHOD"
    CARRIER = "CARRIER"
    STORE = "STORE"
    SEVERAL = "SEVERAL"


class ImportOutcome(StrEnum):
    """What became of one row of an import."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    UNCHANGED = "UNCHANGED"
    REFUSED = "REFUSED"


S = ShipmentState
WITH_CARRIER: Final = (S.SHIPPED, S.IN_TRANSIT, S.ARRIVED_AT_STORE, S.DELIVERED, S.RETURNING, S.RETURNED, S.LOST)
"""What may be said of a parcel that has left, in the order that decides between two things said of the same instant."""
ACTIVE: Final = frozenset({S.PREPARING, S.SHIPPED, S.IN_TRANSIT, S.ARRIVED_AT_STORE, S.RETURNING})
"""Something is still to come."""

MOVES: Mapping[ShipmentState, frozenset[ShipmentState]] = MappingProxyType(
    {
        S.PREPARING: frozenset({*WITH_CARRIER, S.CANCELLED}),
        **{state: frozenset(WITH_CARRIER) - {state} for state in WITH_CARRIER},
        S.CANCELLED: frozenset(),
    }
)
"""Every move that a newer event may make: never back to PREPARING, never away from CANCELLED. The table's trigger holds them too."""

EXPECTED: Mapping[ShipmentState, frozenset[ShipmentState]] = MappingProxyType(
    {
        S.PREPARING: MOVES[S.PREPARING],
        S.SHIPPED: frozenset({S.IN_TRANSIT, S.ARRIVED_AT_STORE, S.DELIVERED, S.RETURNING, S.RETURNED, S.LOST}),
        S.IN_TRANSIT: frozenset({S.ARRIVED_AT_STORE, S.DELIVERED, S.RETURNING, S.RETURNED, S.LOST}),
        S.ARRIVED_AT_STORE: frozenset({S.IN_TRANSIT, S.DELIVERED, S.RETURNING, S.RETURNED, S.LOST}),
        S.DELIVERED: frozenset({S.RETURNING, S.RETURNED}),
        S.RETURNING: frozenset({S.RETURNED, S.DELIVERED, S.LOST}),
        S.RETURNED: frozenset(),
        S.LOST: frozenset({S.IN_TRANSIT, S.ARRIVED_AT_STORE, S.DELIVERED, S.RETURNING, S.RETURNED}),
        S.CANCELLED: frozenset(),
    }
)
"""What a person may say next without saying that it corrects something; the others of MOVES need that word."""

NUMBER: Final = re.compile(r"[A-Za-z0-9-]{1,40}", re.ASCII)
STORE_CODE: Final = re.compile(r"[A-Za-z0-9]{1,10}", re.ASCII)
LONGEST_NAME, LONGEST_ADDRESS, LONGEST_NOTE = 60, 200, 200
CLOCK_SLACK: Final = timedelta(minutes=10)
"""So far ahead of us a carrier's clock may be; what is said to happen later than that is refused, for nothing could follow it for a while."""
OLDEST: Final = timedelta(days=60)
"""So long before it was entered here a parcel may have been on its way."""
MOST_LINES: Final = 100
"""Of one parcel."""
MOST_ROWS: Final = 200
"""Of one import."""


REMIND_AT: Final = time(10)
"""By the shop's clocks."""


def remind_at(last_day: date, zone: tzinfo, now: datetime) -> datetime | None:
    """When the buyer is reminded of a store's last day: at ten on the day before, or else on the day itself; None when both have passed, or
    are beyond the calendar."""
    try:
        for day in (last_day - timedelta(days=1), last_day):
            at = datetime.combine(day, REMIND_AT, zone).astimezone(UTC)
            if at > now:
                return at
    except OverflowError:
        pass
    return None


@dataclass(frozen=True, slots=True)
class Pieces:
    """So many pieces of one order line, by the line's id."""

    order_line_id: UUID
    quantity: int


@dataclass(frozen=True, slots=True)
class Store:
    """The convenience store that a parcel goes to. `last_pickup_day`: the last day, by the shop's calendar, on which it waits there."""

    code: str
    name: str = ""
    address: str = ""
    last_pickup_day: date | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """One thing said about a parcel: it was so at this instant."""

    state: ShipmentState
    at: datetime
    note: str = ""


def is_newer(state: ShipmentState, at: datetime, than: ShipmentState, than_at: datetime) -> bool:
    """Does what is said to be so at `at` come after what is known, `than` since `than_at`? Nothing is older than not having left."""
    if than not in WITH_CARRIER:
        return True
    return (at, WITH_CARRIER.index(state)) > (than_at, WITH_CARRIER.index(than))


def check_parcel(carrier: Carrier, carrier_name: str, number: str, store: Store | None) -> None:
    """What a parcel's label says can be so.

    Raises:
        BadParcel: which part of it cannot.
    """
    if number and not NUMBER.fullmatch(number):
        raise BadParcel("trackingNumber")
    if len(carrier_name) > LONGEST_NAME or (carrier is Carrier.OTHER) is not bool(carrier_name):
        raise BadParcel("carrierName")
    if store is None:
        return
    if carrier not in STORES:
        raise BadParcel("store")
    if not STORE_CODE.fullmatch(store.code):
        raise BadParcel("store.code")
    if len(store.name) > LONGEST_NAME:
        raise BadParcel("store.name")
    if len(store.address) > LONGEST_ADDRESS:
        raise BadParcel("store.address")


def check_said(said: Said, *, made_at: datetime, now: datetime) -> None:
    """An event can have happened then.

    Raises:
        BadParcel: no state that is told of a parcel on its way, an instant that is yet to come or too long ago, or too long a note.
    """
    if said.state not in WITH_CARRIER:
        raise BadParcel("state")
    if not made_at - OLDEST <= said.at <= now + CLOCK_SLACK:
        raise BadParcel("at")
    if len(said.note) > LONGEST_NOTE:
        raise BadParcel("note")
