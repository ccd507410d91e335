"""Parcels on their way: states, what may follow, and what that makes of their order. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from domain.orders.rules import FulfilmentState

LONGEST_NAME: Final = 60
"""Of a carrier, and of a tracking number."""
LONGEST_PLACE: Final = 120
LONGEST_ADDRESS: Final = 200


class ShipmentState(StrEnum):
    SHIPPED = "SHIPPED"
    ARRIVED_AT_STORE = "ARRIVED_AT_STORE"
    DELIVERED = "DELIVERED"
    RETURNED = "RETURNED"


S = ShipmentState
NEXT: Final[Mapping[ShipmentState, frozenset[ShipmentState]]] = MappingProxyType(
    {
        S.SHIPPED: frozenset({S.ARRIVED_AT_STORE, S.DELIVERED, S.RETURNED}),
        S.ARRIVED_AT_STORE: frozenset({S.DELIVERED, S.RETURNED}),
        S.DELIVERED: frozenset(),
        S.RETURNED: frozenset(),
    }
)
ACTIVE: Final = frozenset({S.SHIPPED, S.ARRIVED_AT_STORE})
"""The buyer waits for it, or must fetch it."""


REMIND_AT: Final = time(10)
"""By the shop's clocks."""


def remind_at(last_day: date, zone: tzinfo, now: datetime) -> datetime | None:
    """When the buyer is reminded of a store's last day: at ten on the day before, or else on the day itself; None when both have passed."""
    for day in (last_day - timedelta(days=1), last_day):
        at = datetime.combine(day, REMIND_AT, zone).astimezone(UTC)
        if at > now:
            return at
    return None


def fulfilment_of(parcels: Collection[ShipmentState], *, everything_left: bool) -> FulfilmentState:
    """Where the goods of an order with these parcels (at least one) are: with the one that is furthest behind."""
    if not everything_left:
        return FulfilmentState.PARTIAL
    for state in (S.SHIPPED, S.ARRIVED_AT_STORE, S.DELIVERED):
        if state in parcels:
            return FulfilmentState(state.value)
    return FulfilmentState.RETURNED
