"""What the domain may refuse, as data.

A refusal is a fact with a stable code: the command raises it, the edge turns it into `userErrors` or a typed answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class DomainError(Exception):
    """A refusal. Subclasses are dataclasses in a room's `errors.py`; `code` is public and never changes its meaning."""

    code: ClassVar[str] = "REFUSED"
    retryable: ClassVar[bool] = False

    def __str__(self) -> str:
        facts = {k: v for k, v in vars(self).items() if not k.startswith("_")}
        return f"{self.code} {facts}" if facts else self.code


class NotFound(DomainError):
    """No such object for this viewer: another's object gives the same answer as a missing one."""

    code: ClassVar[str] = "NOT_FOUND"


class PermissionDenied(DomainError):
    """The viewer's membership lacks the permission, or it is denied to it."""

    code: ClassVar[str] = "PERMISSION_DENIED"


class Unavailable(DomainError):
    """The database or a provider is away for the moment; the same request may be sent again."""

    code: ClassVar[str] = "UNAVAILABLE"
    retryable: ClassVar[bool] = True


@dataclass
class InvalidField(DomainError):
    """A value that was given cannot be; `field` is its name as the app writes it."""

    code: ClassVar[str] = "INVALID_INPUT"
    field: str
