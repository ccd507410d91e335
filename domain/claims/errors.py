"""What the claims room refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from domain.errors import DomainError


@dataclass
class NotResolvable(DomainError):
    """This comment cannot be made an order: nobody known wrote it, it stands under no post, or it was resolved before."""

    code: ClassVar[str] = "NOT_EDITABLE"
    comment_id: UUID


@dataclass
class NotOnPost(DomainError):
    """The variant is not offered by the comment's post."""

    code: ClassVar[str] = "ITEM_CLOSED"
    variant_id: UUID


@dataclass
class TooFew(DomainError):
    """Fewer pieces are free than the seller wants to give."""

    code: ClassVar[str] = "INSUFFICIENT_STOCK"
    variant_id: UUID
    wanted: int
    available: int
