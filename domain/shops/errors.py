"""What a shop's set-up and its staff list may refuse."""

from __future__ import annotations

from typing import ClassVar

from domain.errors import DomainError, InvalidField


class InvalidShop(InvalidField):
    """A field of the shop, endpoint or channel has a value that cannot be."""

    code: ClassVar[str] = "INVALID_SHOP"


class HandleTaken(DomainError):
    """Another shop has this handle."""

    code: ClassVar[str] = "DUPLICATE_ITEM"


class EndpointTaken(DomainError):
    """There is an endpoint with this source and slug."""

    code: ClassVar[str] = "DUPLICATE_ITEM"


class ChannelTaken(DomainError):
    """This page, group or chat is bound already; it is not said to which shop."""

    code: ClassVar[str] = "DUPLICATE_ITEM"


class AlreadyStaff(DomainError):
    """The person has an active membership in this shop."""

    code: ClassVar[str] = "DUPLICATE_ITEM"


class LastOwner(DomainError):
    """A shop always has an owner."""

    code: ClassVar[str] = "INVALID_TRANSITION"
