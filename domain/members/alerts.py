"""What a member is told about their sign-in, on their devices and among their sessions.

An alert is a row of the transaction that found its cause. A worker takes rows that are due, sends, and marks; a row whose sender dies is
due again after LEASE. Devices get it once under the same id, however often it is sent.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from domain import db
from domain.db import Tx
from domain.ids import new_id
from domain.members.rules import AlertKind

USE_BY = timedelta(hours=24)
"""A push that could not be sent for so long is not sent any more; the alert stays among the sessions."""
LEASE = timedelta(seconds=60)
MAX_TRIES = 10
SHOWN = 20


@dataclass(frozen=True, slots=True)
class AlertTarget:
    """One device that is to be told."""

    device_id: UUID
    target_kind: str
    target: str = field(repr=False)
    locale: str


@dataclass(frozen=True, slots=True)
class DueAlert:
    """An alert, leased to us, with the devices it goes to."""

    id: UUID
    kind: AlertKind
    use_by: datetime
    targets: tuple[AlertTarget, ...]


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as its member sees it."""

    id: UUID
    session_id: UUID
    kind: AlertKind
    at: datetime


async def raise_alert(tx: Tx, kind: AlertKind, *, member_id: UUID, session_id: UUID, installation_id: str, now: datetime) -> None:
    """Tell the member; a NEW_DEVICE alert goes to the other installations."""
    await tx.execute(
        """insert into sign_in_alert (id, member_id, session_id, kind, installation_id, at, use_by, next_try_at, tries)
           values ($1, $2, $3, $4, $5, $6, $7, $6, 0)""",
        new_id(),
        member_id,
        session_id,
        kind.value,
        installation_id,
        now,
        now + USE_BY,
    )


async def claim_due(now: datetime, *, limit: int = 100) -> list[DueAlert]:
    """Lease alerts that are due for a minute, with their members' devices."""
    rows = await db.fetch(
        """with due as materialized (
             select id from sign_in_alert where sent_at is null and next_try_at between $5 and $1 and use_by > $1 and tries < $3
             order by next_try_at, id limit $4 for update skip locked),
           taken as (
             update sign_in_alert a set next_try_at = $2, tries = a.tries + 1 from due where a.id = due.id returning a.*)
           select t.id, t.kind, t.use_by, d.id as device_id, d.target_kind, d.target, d.locale
           from taken t left join device d on d.member_id = t.member_id and d.revoked_at is null
             and (t.kind <> 'NEW_DEVICE' or d.installation_id <> t.installation_id)
           order by t.at, t.id, d.id""",
        now,
        now + LEASE,
        MAX_TRIES,
        limit,
        now - USE_BY,
    )
    found: dict[UUID, DueAlert] = {}
    for row in rows:
        before = found.get(row["id"])
        targets = before.targets if before else ()
        if row["device_id"] is not None:
            targets = (*targets, AlertTarget(row["device_id"], row["target_kind"], row["target"], row["locale"]))
        found[row["id"]] = DueAlert(row["id"], AlertKind(row["kind"]), row["use_by"], targets)
    return list(found.values())


async def mark_sent(alerts: Collection[UUID], now: datetime) -> None:
    """These need no further try."""
    await db.execute("update sign_in_alert set sent_at = $2 where id = any($1::uuid[]) and sent_at is null", list(alerts), now)


async def alerts_of(member_id: UUID) -> list[Alert]:
    """The member's latest alerts, newest first, at most SHOWN."""
    rows = await db.fetch(
        "select id, session_id, kind, at from sign_in_alert where member_id = $1 order by at desc, id desc limit $2", member_id, SHOWN
    )
    return [Alert(row["id"], row["session_id"], AlertKind(row["kind"]), row["at"]) for row in rows]
