"""Ways to deliver, what each needs to know, and when a buyer may still choose. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from domain.posts.rules import DeliveryMethod


class DeliveryKind(StrEnum):
    """How goods reach a buyer."""

    FACE_TO_FACE = "FACE_TO_FACE"
    CONVENIENCE_STORE = "CONVENIENCE_STORE"
    HOME = "HOME"


class StoreChain(StrEnum):
    """Convenience stores that keep parcels."""

    SEVEN_ELEVEN = "SEVEN_ELEVEN"
    FAMILY_MART = "FAMILY_MART"
    HI_LIFE = "HI_LIFE"
    OK_MART = "OK_MART"


METHOD: Final[Mapping[DeliveryKind, DeliveryMethod]] = MappingProxyType(
    {
        DeliveryKind.FACE_TO_FACE: DeliveryMethod.PICKUP,
        DeliveryKind.CONVENIENCE_STORE: DeliveryMethod.SHIP,
        DeliveryKind.HOME: DeliveryMethod.SHIP,
    }
)
STORE_CODE: Final[Mapping[StoreChain, re.Pattern[str]]] = MappingProxyType(
    {
        StoreChain.SEVEN_ELEVEN: re.compile(r"[0-9]{6}"),
        StoreChain.FAMILY_MART: re.compile(r"[0-9]{6}"),
        StoreChain.HI_LIFE: re.compile(r"[0-9]{4}"),
        StoreChain.OK_MART: re.compile(r"[0-9]{4}"),
    }
)
"""How each chain numbers its stores."""
PHONE: Final = re.compile(r"\+?[0-9][0-9 -]{4,18}[0-9]")
STORE_PHONE: Final = re.compile(r"09[0-9]{8}")
"""Stores tell of a parcel by SMS; their carriers take mobile numbers of this form alone."""

MOST_OFFERS: Final = 20
MOST_SLOTS: Final = 50
"""Offers of a shop, and coming slots of an offer."""
MOST_CAPACITY: Final = 10_000
LONGEST_SLOT: Final = timedelta(days=1)
FARTHEST_SLOT: Final = timedelta(days=366)
GIFT_LIFE: Final = timedelta(days=30)
LONGEST_MESSAGE: Final = 200
LONGEST_FROM: Final = 40
