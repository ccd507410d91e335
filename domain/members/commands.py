"""Sign-in and the member's devices."""

from __future__ import annotations

import re
from datetime import datetime
from uuid import UUID

from domain import db
from domain.db import Tx
from domain.ids import new_id
from domain.members.errors import InvalidDevice, SignInRefused
from domain.members.linking import link_buyers
from domain.members.ports import ProvenIdentity
from domain.members.rules import DevicePlatform, PushTarget
from domain.members.standing import forget_member
from domain.words import TAIWAN

PLAIN = re.compile(r"[\x21-\x7e]+")
"""Printable ASCII: installation ids, push targets and locales have nothing else."""


async def sign_in(tx: Tx, proven: ProvenIdentity, now: datetime, locale: str = TAIWAN) -> UUID:
    """The member behind a proven identity, made at the first sign-in with this locale; buyers of this identity become the member's.

    Raises:
        SignInRefused: the member was deleted.
    """
    await _one_at_a_time(tx, proven)
    member_id = await _known_member(tx, proven, now)
    if member_id is None:
        member_id = await _new_member(tx, proven, now, locale)
    elif proven.display_name:
        # Whoever was expected before the first sign-in has no name yet.
        await tx.execute("update member set display_name = $2 where id = $1 and display_name = ''", member_id, proven.display_name)
    await link_buyers(tx, member_id, proven.provider, proven.subject, now)
    return member_id


async def expect(tx: Tx, provider: str, subject: str, now: datetime) -> UUID:
    """The member who has this identity, or who will be when the identity is proven for the first time; nothing else is touched.

    Its buyers become the member's at that first sign-in, not before.

    Raises:
        SignInRefused: the member was deleted.
    """
    proven = ProvenIdentity(provider, subject)
    await _one_at_a_time(tx, proven)
    row = await tx.fetchrow(
        """select i.member_id, m.deleted_at from identity i join member m on m.id = i.member_id
           where i.provider = $1 and i.subject = $2""",
        provider,
        subject,
    )
    if row is None:
        return await _new_member(tx, proven, now)
    if row["deleted_at"] is not None:
        raise SignInRefused
    member_id: UUID = row["member_id"]
    return member_id


async def link_identity(tx: Tx, member_id: UUID, proven: ProvenIdentity, now: datetime) -> None:
    """A signed-in member proves a second identity; its buyers become the member's.

    Raises:
        SignInRefused: the identity is another member's already: two persons are never joined.
    """
    await _one_at_a_time(tx, proven)
    known = await _known_member(tx, proven, now)
    if known is None:
        await _add_identity(tx, member_id, proven, now)
    elif known != member_id:
        raise SignInRefused
    await link_buyers(tx, member_id, proven.provider, proven.subject, now)


async def register_device(
    *,
    member_id: UUID,
    installation_id: str,
    platform: DevicePlatform,
    target_kind: PushTarget,
    target: str,
    locale: str,
    now: datetime,
) -> UUID:
    """The member's installation and where its pushes go; answers the device's id.

    The installation moves with its target when another member signs in on it, and pushes still on their way to the earlier member are
    dropped. A target that another installation held leaves that one: FCM gave it to this one.

    Raises:
        InvalidDevice: a text is empty, too long, or not printable ASCII.
    """
    for field, text, most in (("installationId", installation_id, 120), ("target", target, 512), ("locale", locale, 16)):
        if not 1 <= len(text) <= most or PLAIN.fullmatch(text) is None:
            raise InvalidDevice(field)
    async with db.transaction() as tx:
        await _leave_earlier_devices(tx, member_id, installation_id, target_kind, target, now)
        device_id: UUID = await tx.fetchval(
            """insert into device (id, member_id, installation_id, platform, target_kind, target, locale, created_at, last_seen_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
               on conflict (installation_id) do update set member_id = excluded.member_id, platform = excluded.platform,
                 target_kind = excluded.target_kind, target = excluded.target, locale = excluded.locale,
                 last_seen_at = excluded.last_seen_at, revoked_at = null
               returning id""",
            new_id(),
            member_id,
            installation_id,
            platform.value,
            target_kind.value,
            target,
            locale,
            now,
        )
        return device_id


async def choose_language(*, member_id: UUID, language: str) -> None:
    """Speak one of `domain.words.LANGUAGES` with the member from now on, also on the installations that they have: pushes that wait, digests
    and alerts follow it. An installation that registers anew says its language anew."""
    async with db.transaction() as tx:
        await tx.execute("update member set locale = $2 where id = $1 and deleted_at is null and locale <> $2", member_id, language)
        await tx.execute("update device set locale = $2 where member_id = $1 and revoked_at is null and locale <> $2", member_id, language)
    forget_member(member_id)


async def _leave_earlier_devices(tx: Tx, member_id: UUID, installation_id: str, kind: PushTarget, target: str, now: datetime) -> None:
    """The target leaves other installations, this installation leaves another member, and no push follows to either."""
    await tx.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"device:{kind.value}:{target}")
    rows = await tx.fetch(
        """select id, member_id, installation_id from device
           where installation_id = $1 or (target_kind = $2 and target = $3 and revoked_at is null) order by id for update""",
        installation_id,
        kind.value,
        target,
    )
    others = [row["id"] for row in rows if row["installation_id"] != installation_id]
    moved = [row["id"] for row in rows if row["installation_id"] == installation_id and row["member_id"] != member_id]
    await tx.execute("update device set revoked_at = $2 where id = any($1::uuid[])", others, now)
    await tx.execute(
        """update push_delivery set state = 'DROPPED', last_error = 'device moved'
           where device_id = any($1::uuid[]) and state = 'PENDING'""",
        moved + others,
    )


async def _one_at_a_time(tx: Tx, proven: ProvenIdentity) -> None:
    """Two sign-ins of one identity at once take turns, so that the person becomes one member."""
    await tx.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"identity:{proven.provider}:{proven.subject}")


async def _known_member(tx: Tx, proven: ProvenIdentity, now: datetime) -> UUID | None:
    row = await tx.fetchrow(
        """update identity i set last_seen_at = $3 from member m
           where i.provider = $1 and i.subject = $2 and m.id = i.member_id returning i.member_id, m.deleted_at""",
        proven.provider,
        proven.subject,
        now,
    )
    if row is None:
        return None
    if row["deleted_at"] is not None:
        raise SignInRefused
    member_id: UUID = row["member_id"]
    return member_id


async def _new_member(tx: Tx, proven: ProvenIdentity, now: datetime, locale: str = TAIWAN) -> UUID:
    member_id = new_id()
    await tx.execute(
        "insert into member (id, ver, display_name, locale, created_at) values ($1, 1, $2, $3, $4)",
        member_id,
        proven.display_name,
        locale,
        now,
    )
    await _add_identity(tx, member_id, proven, now)
    return member_id


async def _add_identity(tx: Tx, member_id: UUID, proven: ProvenIdentity, now: datetime) -> None:
    await tx.execute(
        """insert into identity (id, member_id, provider, subject, created_at, last_seen_at) values ($1, $2, $3, $4, $5, $5)""",
        new_id(),
        member_id,
        proven.provider,
        proven.subject,
        now,
    )
