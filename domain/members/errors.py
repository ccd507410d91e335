"""What sign-in and the member's own data may refuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.errors import DomainError


class SignInRefused(DomainError):
    """The proof of identity does not hold. One answer for every cause, so that nobody learns which part was wrong."""

    code: ClassVar[str] = "SIGN_IN_REFUSED"


@dataclass
class TooManyGuesses(DomainError):
    """The limit of guesses is reached; `retry_after_seconds` until the window ends."""

    code: ClassVar[str] = "TOO_MANY_GUESSES"
    retryable: ClassVar[bool] = True
    retry_after_seconds: int


@dataclass
class InvalidDevice(DomainError):
    """A field of the device is empty, too long, or holds characters that no device has."""

    code: ClassVar[str] = "INVALID_DEVICE"
    field: str


class NoSigningKey(DomainError):
    """No key of this use may sign: this process was not told its vault."""

    code: ClassVar[str] = "NO_SIGNING_KEY"
    retryable: ClassVar[bool] = True
