"""What sign-in and the member's own data may refuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.errors import DomainError, InvalidField


class SignInRefused(DomainError):
    """The proof of identity does not hold. One answer for every cause, so that nobody learns which part was wrong."""

    code: ClassVar[str] = "SIGN_IN_REFUSED"


@dataclass
class TooManyGuesses(DomainError):
    """The limit of guesses is reached; `retry_after_seconds` until the window ends."""

    code: ClassVar[str] = "TOO_MANY_GUESSES"
    retryable: ClassVar[bool] = True
    retry_after_seconds: int


class InvalidDevice(InvalidField):
    """A field of the device is empty, too long, or holds characters that no device has."""

    code: ClassVar[str] = "INVALID_DEVICE"


class NoSigningKey(DomainError):
    """No key of this use may sign: this process was not told its vault."""

    code: ClassVar[str] = "NO_SIGNING_KEY"
    retryable: ClassVar[bool] = True


@dataclass
class SameProvider(DomainError):
    """Two accounts of one provider would become one person's; `provider` says which. No rule allows that."""

    code: ClassVar[str] = "SAME_PROVIDER"
    provider: str


class LinkOver(DomainError):
    """The code or the question behind it is used, too old, answered, or was never good. One answer for every cause."""

    code: ClassVar[str] = "LINK_OVER"


class LastIdentity(DomainError):
    """Without this identity nobody could sign in to the account any more."""

    code: ClassVar[str] = "LAST_IDENTITY"


class SignInAgain(DomainError):
    """This needs a session that began a moment ago."""

    code: ClassVar[str] = "SIGN_IN_AGAIN"


class SecondProofNeeded(DomainError):
    """The person has set a second proof up, and this session has not shown it a moment ago."""

    code: ClassVar[str] = "SECOND_PROOF_NEEDED"


class SecondProofUnset(DomainError):
    """A shop asks its staff for a second proof, and this person has set none up."""

    code: ClassVar[str] = "SECOND_PROOF_UNSET"


class TooManyPasskeys(DomainError):
    """The member has so many that one must be given up first."""

    code: ClassVar[str] = "TOO_MANY_PASSKEYS"


class AuthenticatorKept(DomainError):
    """There is an authenticator already; it must be given up first."""

    code: ClassVar[str] = "AUTHENTICATOR_KEPT"


class StaffRights(DomainError):
    """The account works in a shop: rights there are a person's own and never move to another account."""

    code: ClassVar[str] = "STAFF_RIGHTS"


class UndoOver(DomainError):
    """The merge was undone, is too old, or one of the two was merged or deleted since."""

    code: ClassVar[str] = "UNDO_OVER"


class DeletionUnderway(DomainError):
    """The account is to be deleted; call that off first."""

    code: ClassVar[str] = "DELETION_UNDERWAY"


class OpenOrders(DomainError):
    """Orders are paid and not handed over, or have no deadline by which they would run out."""

    code: ClassVar[str] = "OPEN_ORDERS"


class OnlyOwner(DomainError):
    """A shop would be without an owner."""

    code: ClassVar[str] = "ONLY_OWNER"


class TooManyExports(DomainError):
    """So many files were asked for today that no more are made."""

    code: ClassVar[str] = "TOO_MANY_EXPORTS"
