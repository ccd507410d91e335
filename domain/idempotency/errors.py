"""What idempotency keys refuse."""

from __future__ import annotations

from typing import ClassVar

from domain.errors import DomainError


class KeyMissing(DomainError):
    """This act moves money, stock or goods and needs a key."""

    code: ClassVar[str] = "IDEMPOTENCY_KEY_MISSING"


class KeyReused(DomainError):
    """The key was used before for another request."""

    code: ClassVar[str] = "IDEMPOTENCY_KEY_REUSED"


class KeyUnusable(DomainError):
    """The key is empty, too long, or has characters that no key has."""

    code: ClassVar[str] = "IDEMPOTENCY_KEY_UNUSABLE"
