"""What the pickup room refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

from domain.errors import DomainError
from domain.pickup.rules import PickupRefusal


@dataclass
class PickupRefused(DomainError):
    """This code is not good for goods now. `refusal` is the public reason, `facts` what the clerk may be told beside it."""

    code: ClassVar[str] = "PICKUP_REFUSED"
    refusal: PickupRefusal
    facts: Mapping[str, Any] = field(default_factory=dict)
    pickup_id: UUID | None = None
    """The pass, where the code named one of this shop; for the audit."""
    right_slot: Mapping[str, Any] | None = None
    """The pass's slot as screens have it, with WRONG_SLOT."""


@dataclass
class BadCode(DomainError):
    """The text is no code of ours. `reason`: length, prefix, alphabet, version, key or signature; the text itself is kept nowhere."""

    code: ClassVar[str] = "BAD_CODE"
    reason: str
