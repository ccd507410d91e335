"""What runs behind `plusone keys`. Nothing here shows a private key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from domain import bootstrap, db
from domain.bootstrap import Services
from domain.members import keys
from domain.members.keyring import RENEWED_EVERY, KeyOnRing, KeyState, keyring
from domain.members.rules import KeyUse
from domain.settings import Settings
from domain.vault import SealBroken
from plusone.runtime import StartRefused

T = TypeVar("T")
COLOURS: Final[Mapping[KeyState, str]] = MappingProxyType(
    {KeyState.NEXT: "cyan", KeyState.SIGNS: "green", KeyState.HONOURED: "yellow", KeyState.ENDED: "dim", KeyState.REVOKED: "red"}
)
CONSEQUENCES: Final[Mapping[KeyUse, str]] = MappingProxyType(
    {
        KeyUse.ACCESS: "Access tokens signed with it are refused; apps get new ones with their refresh tokens, nobody signs in again.",
        KeyUse.PICKUP: "Pickup codes signed with it are refused; the apps must ask for new ones, and scanners must fetch the new key.",
        KeyUse.RECEIPT: "Receipts signed with it no longer verify, for ever.",
    }
)


class NotRevoked(Exception):
    """There is no such key, or the person thought better of it."""


def show(settings: Settings, dsn: str, out: Console) -> None:
    """Print every key."""
    now, ring = _run(settings, dsn, _ring)
    if not ring:
        out.print("There are no keys yet: the first process that needs them makes them.")
        return
    out.print(_table(ring))
    for key in ring:
        if key.is_old(now):
            days, use = (now - key.not_before).days, key.use.lower()
            told = f"The {use} key has signed for {days} days, more than {RENEWED_EVERY.days}: `plusone keys rotate {use}`"
            out.print(told, style="yellow", highlight=False, soft_wrap=True)


def rotate(use: str, older_than_days: int, settings: Settings, dsn: str, out: Console) -> None:
    """Publish the next key, unless there is one already or the present one is young, and say so."""

    async def work(services: Services, now: datetime) -> str:
        return await _rotate(KeyUse(use.upper()), timedelta(days=older_than_days), services, now)

    out.print(_run(settings, dsn, work), highlight=False, soft_wrap=True)


def revoke(kid: str, settings: Settings, dsn: str, out: Console, *, confirmed: bool) -> None:
    """Drop a key after telling what follows.

    Raises:
        NotRevoked: see there.
    """
    _, ring = _run(settings, dsn, _ring)
    key = next((key for key in ring if key.kid == kid), None)
    if key is None:
        raise NotRevoked("There is no key of this id; `plusone keys list` shows them.")
    if key.state is KeyState.REVOKED:
        out.print("It is revoked already.")
        return
    out.print(CONSEQUENCES[key.use], highlight=False, soft_wrap=True)
    if not confirmed and not typer.confirm(f"Revoke {key.use.lower()} key {key.number}?"):
        raise NotRevoked("Nothing was changed.")

    async def work(services: Services, now: datetime) -> None:
        await _check_vault(key.use, services, now)
        await keys.revoke(kid, services.vault, now)

    _run(settings, dsn, work)
    out.print("Revoked. Processes that run notice within 30 seconds.", highlight=False)


def _run(settings: Settings, dsn: str, work: Callable[[Services, datetime], Awaitable[T]]) -> T:
    async def main() -> T:
        await bootstrap.connect(settings, dsn, application_name="plusone-keys")
        try:
            services = bootstrap.services(settings)
            return await work(services, services.clock.now())
        finally:
            await db.close()

    try:
        return asyncio.run(main())
    except db.AWAY as error:
        raise StartRefused(f"The database went away ({type(error).__name__}); look at `plusone keys list` before trying again.") from None


async def _ring(_: Services, now: datetime) -> tuple[datetime, list[KeyOnRing]]:
    return now, await keyring(now)


async def _check_vault(use: KeyUse, services: Services, now: datetime) -> None:
    """A key sealed with another secret than the processes have would sign nothing.

    Raises:
        StartRefused: PLUSONE_SECRET_KEY is not theirs.
    """
    await keys.ensure_keys(services.vault, now)
    try:
        await keys.active_key(use, now)
    except SealBroken:
        raise StartRefused("PLUSONE_SECRET_KEY is not the one that the keys were stored with: nothing was changed.") from None


async def _rotate(use: KeyUse, older_than: timedelta, services: Services, now: datetime) -> str:
    """Rotate unless it was done already, or need not be; answers what to tell."""
    await _check_vault(use, services, now)
    ring = [key for key in await keyring(now) if key.use is use]
    name = use.lower()
    coming = next((key for key in ring if key.state is KeyState.NEXT), None)
    if coming is not None:
        return f"The next {name} key is published already: {coming.kid} signs from {_at(coming.not_before)}. Nothing was changed."
    (signs,) = [key for key in ring if key.state is KeyState.SIGNS]
    if now - signs.not_before < older_than:
        return f"The {name} key has signed for {(now - signs.not_before).days} days, less than {older_than.days}. Nothing was changed."
    made = await keys.rotate(use, services.vault, now)
    kept = keys.KEPT_AFTER[use]
    until = "for ever" if kept is None else f"until {_at(made.not_before + kept)}"
    return f"Published {made.kid}: it signs from {_at(made.not_before)}. What older keys signed counts {until}."


def _table(ring: Sequence[KeyOnRing]) -> Table:
    table = Table(header_style="bold")
    for name in ("use", "no.", "state", "signs from", "counts until"):
        table.add_column(name, no_wrap=True)
    table.add_column("kid", overflow="fold")
    for key in ring:
        state = f"[{COLOURS[key.state]}]{key.state}[/]"
        table.add_row(key.use.lower(), str(key.number), state, _at(key.not_before), _until(key), key.kid)
    return table


def _until(key: KeyOnRing) -> str:
    if key.revoked_at is not None:
        return f"revoked {_at(key.revoked_at)}"
    return "no end" if key.not_after >= keys.NO_END else _at(key.not_after)


def _at(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M}Z"
