"""What the posts room refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.errors import DomainError


@dataclass
class InvalidPolicy(DomainError):
    """A field of the claim policy has a value that cannot be; `field` is its name in the policy."""

    code: ClassVar[str] = "INVALID_INPUT"
    field: str
