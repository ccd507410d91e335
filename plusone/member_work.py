"""What runs behind `plusone member`. Nothing here shows who the member is beside the id that was given."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

import typer
from rich.console import Console

from domain import bootstrap, db
from domain.audit.commands import Actor
from domain.errors import NotFound
from domain.ids import public_id, read_public_id
from domain.members import proofs
from domain.members.proofs import Proofs
from domain.settings import Settings
from plusone.runtime import StartRefused

T = TypeVar("T")
OPERATOR: Final = Actor("operator")
NOBODY: Final = "There is no such member; the id begins with member_ or is a UUID, and its account is neither deleted nor part of another."
CONSEQUENCES: Final = (
    "They are removed for ever and the member is signed out everywhere. Whoever can sign in as this member at a provider then gets in, "
    "and may do all that asked for the second proof; make sure that it is the member who asks."
)


class NotForgotten(Exception):
    """There is no such member, or the person thought better of it."""


def forget_proofs(member: str, settings: Settings, dsn: str, out: Console, *, confirmed: bool) -> None:
    """Remove the member's second proofs after telling what follows.

    Raises:
        NotForgotten: see there.
    """
    member_id = _member_id(member)
    shown = public_id("member", member_id)
    found = _run(settings, dsn, lambda _: proofs.proofs_of(member_id))
    if not found:
        out.print(f"{shown} has no second proof. Nothing was changed.", highlight=False, soft_wrap=True)
        return
    out.print(f"{shown} has {_told(found)}. {CONSEQUENCES}", highlight=False, soft_wrap=True)
    if not confirmed and not typer.confirm("Forget them?"):
        raise NotForgotten("Nothing was changed.")
    removed = _run(settings, dsn, lambda now: proofs.forget(member_id=member_id, actor=OPERATOR, now=now))
    out.print(f"Removed: {_told(removed)}. Processes that run notice within 30 seconds.", highlight=False, soft_wrap=True)


def _member_id(text: str) -> UUID:
    read = read_public_id(text)
    if read is not None and read[0] == "member":
        return read[1]
    try:
        return UUID(text)
    except ValueError:
        raise NotForgotten(NOBODY) from None


def _told(found: Proofs) -> str:
    counted = ((found.passkeys, "passkey"), (found.authenticators, "authenticator app"), (found.recovery_codes, "recovery code"))
    return ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in counted)


def _run(settings: Settings, dsn: str, work: Callable[[datetime], Awaitable[T]]) -> T:
    async def main() -> T:
        await bootstrap.connect(settings, dsn, application_name="plusone-member")
        try:
            return await work(bootstrap.services(settings).clock.now())
        finally:
            await db.close()

    try:
        return asyncio.run(main())
    except NotFound:
        raise NotForgotten(NOBODY) from None
    except db.AWAY as error:
        raise StartRefused(f"The database went away ({type(error).__name__}); run the command again to see what is left.") from None
