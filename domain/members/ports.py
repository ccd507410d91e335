"""What sign-in needs of an identity provider. Pure; the adapters are in `api/auth/identity/`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ProvenIdentity:
    """A person as one provider knows them, proven by a token that was checked just now."""

    provider: str
    """line, facebook, instagram, telegram, generic: the same words as in `buyer.provider`, where the subject is the id that comments come under.
    Other words (google, apple, firebase, facebook_login) meet no buyer by themselves."""
    subject: str
    """The provider's id of the person; 1 to 120 characters without control characters."""
    display_name: str = field(default="", repr=False)
    expires_at: datetime | None = None
    """When the provider's token expires, UTC; its hash is kept so long."""
    proof_hash: str = field(default="", repr=False)
    """SHA-256 (hex) of what may be used only once: the provider's token."""


@dataclass(frozen=True, slots=True)
class KeptGrant:
    """What a provider wants back when the account is deleted."""

    client_id: str
    """Of the app that it was made to."""
    token: str = field(repr=False)


@runtime_checkable
class GrantKeeper(Protocol):
    """A provider whose sign-ins leave something to be given back."""

    async def trade(self, code: str, proven: ProvenIdentity, id_token: str, now: datetime) -> KeptGrant | None:
        """Trade the code that came with a proven sign-in. None when the provider does not give anything for it: the sign-in stands."""
        ...


@runtime_checkable
class StandingAsker(Protocol):
    """A provider that can be asked what its token does not say: whether the person's account there stands now."""

    async def ask_standing(self, proven: ProvenIdentity, id_token: str) -> None:
        """Go on when a token, proven just now, counts still.

        Raises:
            SignInRefused: the account there is shut, or what it gave out before was revoked.
            Unavailable: the provider does not say at the moment.
        """
        ...


class LinkUnanswered(Exception):
    """The platform cannot be asked at the moment: try again."""


class LinkRefused(Exception):
    """The platform will never do this; the text says why and names nobody."""


class AccountLinker(Protocol):
    """A platform that links its people's accounts with ours: the account's own bot asks. Network calls, never inside a transaction."""

    async def link_token(self, person: str, *, access_token: str) -> str:
        """A token for one linking of this person, good for some minutes.

        Raises:
            LinkUnanswered: away, slow or throttled.
            LinkRefused: no such person, or the access token does not hold.
        """
        ...

    async def tell(self, person: str, text: str, *, reply_token: str, retry_key: UUID, access_token: str) -> None:
        """Write to this person: as the free answer to their message while `reply_token` holds, else as a message of its own.

        Raises:
            LinkUnanswered: away, slow or throttled; the same `retry_key` again is not a second message.
            LinkRefused: the platform does not take it.
        """
        ...


class IdentityProvider(Protocol):
    """Checks one kind of token of one provider. The kind is fixed when the adapter is made, never by the token."""

    async def verify(self, id_token: str, nonce: str, now: datetime) -> ProvenIdentity:
        """Check a token made for `nonce`.

        Raises:
            SignInRefused: the token does not hold, whatever the cause.
            Unavailable: the provider's keys cannot be had at the moment.
        """
        ...
