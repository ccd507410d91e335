"""Opening a shop and binding it to platforms."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from uuid import UUID
from zoneinfo import available_timezones

import asyncpg

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Tx
from domain.errors import NotFound
from domain.ids import new_id
from domain.money import DIGITS
from domain.shops import queries
from domain.shops.errors import ChannelTaken, EndpointTaken, HandleTaken, InvalidShop
from domain.shops.rules import Role, SourcePlatform
from domain.shops.staff import add_membership, deny, end_membership
from domain.vault import SealBroken, Vault

__all__ = [
    "add_channel",
    "add_endpoint",
    "add_membership",
    "change_shop",
    "create_shop",
    "deny",
    "end_membership",
    "rename_channel",
    "reseal_endpoint",
]

SETUP = Actor("worker:setup")

HANDLE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
LOCALE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,2}")
LONGEST_PAY_WITHIN_MINUTES = 366 * 24 * 60


async def create_shop(
    *,
    handle: str,
    name: str,
    currency: str,
    time_zone: str,
    locale: str,
    owner_id: UUID,
    pickup_place: str = "",
    pay_within_minutes: int = 4320,
    now: datetime,
    actor: Actor | None = None,
) -> UUID:
    """Open a shop with its first owner; answers its id. The number comes from the sequence. `actor` is who opens it, when not the owner.

    Raises:
        InvalidShop: the named field cannot be (`time_zone` is an IANA name, `currency` one of `domain.money.DIGITS`).
        HandleTaken: another shop has the handle.
        NotFound: no such member.
    """
    _check(handle=HANDLE.fullmatch(handle) is not None, currency=currency in DIGITS)
    _check_shop(name, time_zone, locale, pickup_place, pay_within_minutes)
    shop_id = new_id()
    async with db.transaction() as tx:
        if await tx.fetchval("select 1 from member where id = $1 and deleted_at is null", owner_id) is None:
            raise NotFound
        made = await tx.execute(
            """insert into shop (id, handle, name, currency, time_zone, locale, pay_within_minutes, pickup_place, created_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (handle) do nothing""",
            shop_id,
            handle,
            name,
            currency,
            time_zone,
            locale,
            pay_within_minutes,
            pickup_place,
            now,
        )
        if not made:
            raise HandleTaken
        opened = Entry(shop_id, "SHOP_CREATED", "shop", shop_id, {"currency": currency, "timeZone": time_zone})
        opener = actor or Actor(f"member:{owner_id}", Role.OWNER.value)
        await record(tx, opener, [opened, await _first_owner(tx, shop_id, owner_id, now)], now=now)
    return shop_id


async def change_shop(
    *,
    shop_id: UUID,
    name: str,
    time_zone: str,
    locale: str,
    pickup_place: str,
    pay_within_minutes: int,
    now: datetime,
    actor: Actor = SETUP,
) -> tuple[str, ...]:
    """Set what may change of a shop; answers the fields that did. Handle and currency never change: links and amounts mean them.

    Raises:
        InvalidShop: the named field cannot be.
        NotFound: no such shop.
    """
    _check_shop(name, time_zone, locale, pickup_place, pay_within_minutes)
    wanted = {
        "name": name,
        "time_zone": time_zone,
        "locale": locale,
        "pickup_place": pickup_place,
        "pay_within_minutes": pay_within_minutes,
    }
    async with db.transaction() as tx:
        row = await tx.fetchrow(f"select {', '.join(wanted)} from shop where id = $1 for no key update", shop_id)
        if row is None:
            raise NotFound
        changed = tuple(field for field, value in wanted.items() if row[field] != value)
        if changed:
            await tx.execute(
                "update shop set name = $2, time_zone = $3, locale = $4, pickup_place = $5, pay_within_minutes = $6 where id = $1",
                shop_id,
                *wanted.values(),
            )
            await record(tx, actor, [Entry(shop_id, "SHOP_CHANGED", "shop", shop_id, {"fields": list(changed)})], now=now)
    return changed


async def _first_owner(tx: db.Tx, shop_id: UUID, owner_id: UUID, now: datetime) -> Entry:
    membership_id = new_id()
    await tx.execute(
        "insert into membership (id, shop_id, member_id, role, denied, created_at) values ($1, $2, $3, $4, '[]', $5)",
        membership_id,
        shop_id,
        owner_id,
        Role.OWNER.value,
        now,
    )
    return Entry(shop_id, "MEMBERSHIP_ADDED", "membership", membership_id, {"member": str(owner_id), "role": Role.OWNER.value})


async def add_endpoint(
    *, source: str, slug: str, secret: str, verify_token: str = "", destination: str = "", vault: Vault, now: datetime
) -> UUID:
    """A webhook address `/webhooks/{source}/{slug}` and what it checks deliveries with; answers its id. Secrets are sealed.

    It belongs to no shop (one Facebook app serves many), so the audit begins with the channels that are bound to it.

    Raises:
        InvalidShop: the named field cannot be.
        EndpointTaken: the address exists.
    """
    _check(source=queries.SOURCE.fullmatch(source) is not None, slug=queries.SLUG.fullmatch(slug) is not None)
    _check_secrets(secret, verify_token, destination)
    endpoint_id = new_id()
    async with db.transaction() as tx:
        made = await tx.execute(
            """insert into webhook_endpoint (id, source, slug, secret_encrypted, verify_token_encrypted, destination, created_at)
               values ($1, $2, $3, $4, $5, $6, $7) on conflict (source, slug) do nothing""",
            endpoint_id,
            source,
            slug,
            vault.seal(secret),
            vault.seal(verify_token) if verify_token else "",
            destination,
            now,
        )
    if not made:
        raise EndpointTaken
    queries.forget()
    return endpoint_id


async def reseal_endpoint(
    *,
    endpoint_id: UUID,
    secret: str,
    verify_token: str = "",
    destination: str = "",
    vault: Vault,
    now: datetime,
    actor: Actor = SETUP,
) -> tuple[str, ...]:
    """Give an endpoint what the platform has now; answers what changed: secret, verify_token, destination. Nothing is sealed twice.

    A secret that does not open any more (another PLUSONE_SECRET_KEY) is sealed anew. Every shop with a channel there gets an audit entry.
    API processes know the new secret after at most 35 s.

    Raises:
        InvalidShop: the named field cannot be.
        NotFound: no such endpoint.
    """
    _check_secrets(secret, verify_token, destination)
    async with db.transaction() as tx:
        row = await tx.fetchrow(
            "select secret_encrypted, verify_token_encrypted, destination from webhook_endpoint where id = $1 for update", endpoint_id
        )
        if row is None:
            raise NotFound
        changes = {
            "secret": not _opens_to(vault, row["secret_encrypted"], secret),
            "verify_token": not _opens_to(vault, row["verify_token_encrypted"], verify_token),
            "destination": row["destination"] != destination,
        }
        changed = tuple(part for part, differs in changes.items() if differs)
        if changed:
            await tx.execute(
                "update webhook_endpoint set secret_encrypted = $2, verify_token_encrypted = $3, destination = $4 where id = $1",
                endpoint_id,
                vault.seal(secret),
                vault.seal(verify_token) if verify_token else "",
                destination,
            )
            await _record_at_its_shops(tx, endpoint_id, changed, actor, now)
    queries.forget()
    return changed


async def _record_at_its_shops(tx: Tx, endpoint_id: UUID, changed: tuple[str, ...], actor: Actor, now: datetime) -> None:
    shops = await tx.fetch("select distinct shop_id from channel where endpoint_id = $1 order by shop_id", endpoint_id)
    detail = {"changed": list(changed)}
    entries = [Entry(shop["shop_id"], "ENDPOINT_CHANGED", "endpoint", endpoint_id, detail) for shop in shops]
    await record(tx, actor, entries, now=now)


def _opens_to(vault: Vault, sealed: str, secret: str) -> bool:
    """Whether this is what was sealed; an empty text stands for none."""
    if not sealed or not secret:
        return sealed == secret
    try:
        return vault.open(sealed) == secret.encode()
    except SealBroken:
        return False


async def add_channel(
    *, shop_id: UUID, endpoint_id: UUID, platform: SourcePlatform, external_id: str, name: str, now: datetime, actor: Actor | None = None
) -> UUID:
    """Bind a page, group or chat to the shop; answers the channel's id.

    Raises:
        InvalidShop: the named field cannot be.
        NotFound: no such shop or endpoint.
        ChannelTaken: it is bound already.
    """
    _check(external_id=_is_text(external_id, 1, 120), name=_is_text(name, 0, 120))
    channel_id = new_id()
    async with db.transaction() as tx:
        try:
            made = await tx.execute(
                """insert into channel (id, shop_id, endpoint_id, platform, external_id, name, created_at)
                   values ($1, $2, $3, $4, $5, $6, $7) on conflict (endpoint_id, external_id) do nothing""",
                channel_id,
                shop_id,
                endpoint_id,
                platform.value,
                external_id,
                name,
                now,
            )
        except asyncpg.ForeignKeyViolationError:
            raise NotFound from None
        if not made:
            raise ChannelTaken
        detail = {"platform": platform.value, "endpoint": str(endpoint_id)}
        await record(tx, actor or SETUP, [Entry(shop_id, "CHANNEL_ADDED", "channel", channel_id, detail)], now=now)
    return channel_id


async def rename_channel(*, shop_id: UUID, channel_id: UUID, name: str, now: datetime, actor: Actor = SETUP) -> bool:
    """Call a page, group or chat by another name; answers whether it had another one.

    Raises:
        InvalidShop: the name cannot be.
        NotFound: this shop has no such channel.
    """
    _check(name=_is_text(name, 0, 120))
    async with db.transaction() as tx:
        before = await tx.fetchval("select name from channel where shop_id = $1 and id = $2 for update", shop_id, channel_id)
        if before is None:
            raise NotFound
        if before == name:
            return False
        await tx.execute("update channel set name = $2 where id = $1", channel_id, name)
        await record(tx, actor, [Entry(shop_id, "CHANNEL_RENAMED", "channel", channel_id)], now=now)
    return True


def _check(**fields: bool) -> None:
    """Raises InvalidShop for the first field that does not hold."""
    for name, holds in fields.items():
        if not holds:
            raise InvalidShop(name)


def _check_shop(name: str, time_zone: str, locale: str, pickup_place: str, pay_within_minutes: int) -> None:
    _check(
        name=_is_text(name, 1, 120),
        time_zone=time_zone in _zones() and len(time_zone) <= 40,
        locale=LOCALE.fullmatch(locale) is not None and len(locale) <= 16,
        pickup_place=_is_text(pickup_place, 0, 200),
        pay_within_minutes=0 < pay_within_minutes <= LONGEST_PAY_WITHIN_MINUTES,
    )


def _check_secrets(secret: str, verify_token: str, destination: str) -> None:
    _check(secret=_is_text(secret, 1, 4096), verify_token=_is_text(verify_token, 0, 4096), destination=_is_text(destination, 0, 64))


def _is_text(text: str, least: int, most: int) -> bool:
    """A text of this many characters that PostgreSQL takes and a line can show: no control characters, no lone surrogates."""
    return least <= len(text) <= most and not any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) <= 0xDFFF for c in text)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
