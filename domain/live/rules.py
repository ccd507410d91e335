"""What is told to those who watch, and how long it is kept. Pure."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

CHANNEL: Final = "plusone_live"
"""NOTIFY channel. A payload is the letter of a `Bell` and ids with commas between, never anything of what changed."""


class ChangeKind(StrEnum):
    """Changes that are kept, so that a stream can go on where it was."""

    ORDER = "ORDER"
    NOTICE = "NOTICE"


class Bell(StrEnum):
    """Whose id is rung."""

    ORDERS = "o"
    """A member, whose order changed."""
    NOTICES = "n"
    """A member, who got a notice."""
    ACCESS = "a"
    """A member, whose sessions or memberships changed."""
    PICKUP = "k"
    POST = "p"
    PRODUCT = "g"
    VARIANT = "v"


KEPT: Final = timedelta(days=7)
"""How far back a stream can go on; older changes are deleted."""
MOST_AT_ONCE: Final = 500
"""Objects that changed since a place; who is further behind reads the lists anew."""

OF_KIND: Final = {ChangeKind.ORDER: Bell.ORDERS, ChangeKind.NOTICE: Bell.NOTICES}


def topic(bell: Bell, key: UUID) -> str:
    """What a watcher of this thing listens for."""
    return f"{bell.value}{key}"


def topics_of(payload: str) -> list[str]:
    """The topics of a NOTIFY payload, as `topic` writes them."""
    bell, ids = payload[:1], payload[1:]
    return [bell + key for key in ids.split(",") if key]
