"""What reports of transfers and their pictures are refused for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.errors import DomainError, InvalidField


class InvalidTransfer(InvalidField):
    """A field of a reported transfer cannot be."""


class ReportsOver(DomainError):
    """Reports have stopped this order's deadline for as long as they may."""

    code: ClassVar[str] = "HOLD_EXPIRED"


@dataclass
class SlipRefused(DomainError):
    """These bytes are not kept. `reason`: TYPE, SIZE, PIXELS or BROKEN; nothing of the bytes is said."""

    code: ClassVar[str] = "SLIP_REFUSED"
    reason: str


class SlipTicketOver(DomainError):
    """The address to send a picture to is not ours, altered, or too old. One answer for every cause."""

    code: ClassVar[str] = "TICKET_OVER"
