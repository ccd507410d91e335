"""Sessions: a family of refresh tokens on one installation, each used once and followed by the next.

The next token is HMAC(key, this token). So a phone that lost the answer and asks again within LOST_ANSWER_GRACE gets the same next
token, although the table holds hashes only. A token used later than that was copied by somebody: the family ends and the member is told.

Who works in a shop has shorter sessions. Whether a member does is looked at each time, so that a role given today counts today.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from prometheus_client import Counter

from domain import db
from domain.db import Record, Tx
from domain.ids import new_id
from domain.members import standing
from domain.members.alerts import raise_alert
from domain.members.errors import SignInRefused
from domain.members.rules import LOST_ANSWER_GRACE, AlertKind, refresh_limits
from domain.vault import Vault

REUSED = Counter("plusone_refresh_reuse_total", "Refresh tokens that were used again after their grace: families ended as copied.")
TOKEN_BYTES = 32
MOST_SHOWN = 100
PURPOSE = "refresh-successor"
STAFF = "exists (select from membership w where w.member_id = m.id and w.ended_at is null)"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a sign-in or a refresh gives."""

    session_id: UUID
    member_id: UUID
    ver: int
    refresh_token: str = field(repr=False)
    """43 characters of base64url: 256 bits."""


async def start(tx: Tx, member_id: UUID, installation_id: str, now: datetime) -> Grant:
    """Open a session with its first refresh token. A first one on this installation is announced on the member's others.

    Raises:
        SignInRefused: the member is deleted or does not exist.
    """
    member = await tx.fetchrow(
        f"""select m.ver, {STAFF} as staff, exists (
              select from session s where s.member_id = m.id having bool_or(s.ended_at is null and s.idle_until > $3)
                and not bool_or(s.installation_id = $2)) as new_device
            from member m where m.id = $1 and m.deleted_at is null""",
        member_id,
        installation_id,
        now,
    )
    if member is None:
        raise SignInRefused
    session_id, token = new_id(), os.urandom(TOKEN_BYTES)
    idle, life = refresh_limits(staff=member["staff"])
    await tx.execute(
        """insert into session (id, member_id, installation_id, created_at, last_used_at, idle_until, ends_at, ended_reason)
           values ($1, $2, $3, $4, $4, $5, $6, '')""",
        session_id,
        member_id,
        installation_id,
        now,
        now + idle,
        now + life,
    )
    await _store(tx, session_id, token, parent=None, now=now)
    if member["new_device"]:
        await raise_alert(tx, AlertKind.NEW_DEVICE, member_id=member_id, session_id=session_id, installation_id=installation_id, now=now)
    return Grant(session_id, member_id, member["ver"], _text(token))


async def is_staff(provider: str, subject: str) -> bool:
    """Whether the member of this identity, if there is one, works in a shop."""
    found: bool = await db.fetchval(
        f"select exists (select from identity i join member m on m.id = i.member_id where i.provider = $1 and i.subject = $2 and {STAFF})",
        provider,
        subject,
    )
    return found


async def refresh(refresh_token: str, installation_id: str, vault: Vault, now: datetime) -> Grant:
    """Use a refresh token and get its successor.

    Raises:
        SignInRefused: no such token, another installation, a session that ended, or a token used before (which ends the family).
    """
    token = _bytes(refresh_token)
    async with db.transaction() as tx:
        session = await _locked_session(tx, _hash(token))
        if not _runs(session, installation_id, now):
            raise SignInRefused
        successor = vault.mac(PURPOSE, token)
        copied = not await _step(tx, session, token, successor, now)
        if copied:
            await _end(tx, [session["id"]], "REUSE", now)
            await raise_alert(
                tx, AlertKind.REUSED, member_id=session["member_id"], session_id=session["id"], installation_id=installation_id, now=now
            )
    if copied:
        REUSED.inc()
        standing.forget(session["id"])
        raise SignInRefused
    return Grant(session["id"], session["member_id"], session["ver"], _text(successor))


async def end(session_id: UUID, now: datetime) -> None:
    """Sign out: the family ends, and the installation's device gets no more pushes for this member. Twice is once."""
    async with db.transaction() as tx:
        await _end(tx, [session_id], "SIGN_OUT", now)
        await tx.execute(
            """update device d set revoked_at = $2 from session s
               where s.id = $1 and d.installation_id = s.installation_id and d.member_id = s.member_id and d.revoked_at is null""",
            session_id,
            now,
        )
    standing.forget(session_id)


async def end_all(member_id: UUID, now: datetime) -> None:
    """Sign out everywhere: all sessions end, all access tokens die with `ver`, no device gets pushes."""
    async with db.transaction() as tx:
        await tx.execute("update member set ver = ver + 1 where id = $1", member_id)
        rows = await tx.fetch("select id from session where member_id = $1 and ended_at is null order by id for update", member_id)
        await _end(tx, [row["id"] for row in rows], "SIGN_OUT_EVERYWHERE", now)
        await tx.execute("update device set revoked_at = $2 where member_id = $1 and revoked_at is null", member_id, now)
    standing.forget_member(member_id)


@dataclass(frozen=True, slots=True)
class RunningSession:
    """A session that could be refreshed now."""

    id: UUID
    created_at: datetime
    last_used_at: datetime
    platform: str | None
    """Of the device on its installation; None when it registered none."""


async def running_of(member_id: UUID, now: datetime) -> list[RunningSession]:
    """The member's sessions that run, the one used last first; at most MOST_SHOWN."""
    rows = await db.fetch(
        """select s.id, s.created_at, s.last_used_at, d.platform from session s
           left join device d on d.installation_id = s.installation_id and d.member_id = s.member_id and d.revoked_at is null
           where s.member_id = $1 and s.ended_at is null and s.idle_until > $2 and s.ends_at > $2
           order by s.last_used_at desc, s.id desc limit $3""",
        member_id,
        now,
        MOST_SHOWN,
    )
    return [RunningSession(row["id"], row["created_at"], row["last_used_at"], row["platform"]) for row in rows]


async def end_of(member_id: UUID, session_id: UUID, now: datetime) -> bool:
    """End one of the member's sessions, as by signing out there; False when the member has none of this id."""
    if not await db.fetchval("select exists (select from session where id = $1 and member_id = $2)", session_id, member_id):
        return False
    await end(session_id, now)
    return True


async def _locked_session(tx: Tx, token_hash: str) -> Record:
    """The token's session, locked: whoever comes with a token of the same family waits here and then sees what the first one did.

    Raises:
        SignInRefused: no such token.
    """
    row = await tx.fetchrow(
        f"""select s.id, s.member_id, s.installation_id, s.created_at, s.last_used_at, s.idle_until, s.ends_at, s.ended_at,
                  m.ver, m.deleted_at, {STAFF} as staff
           from session s join member m on m.id = s.member_id
           where s.id = (select session_id from refresh_token where hash = $1) for update of s""",
        token_hash,
    )
    if row is None:
        raise SignInRefused
    return row


def _runs(session: Record, installation_id: str, now: datetime) -> bool:
    idle, life = refresh_limits(staff=session["staff"])
    return (
        session["installation_id"] == installation_id
        and session["ended_at"] is None
        and session["deleted_at"] is None
        and now < min(session["idle_until"], session["last_used_at"] + idle)
        and now < min(session["ends_at"], session["created_at"] + life)
    )


async def _step(tx: Tx, session: Record, token: bytes, successor: bytes, now: datetime) -> bool:
    """Use the token, or repeat the answer that was lost; False when neither is allowed."""
    used_at = await _used_at(tx, token)
    if used_at is None:
        idle, life = refresh_limits(staff=session["staff"])
        await tx.execute("update refresh_token set used_at = $2 where hash = $1", _hash(token), now)
        await _store(tx, session["id"], successor, parent=token, now=now)
        await tx.execute(
            "update session set last_used_at = $2, idle_until = $3 where id = $1",
            session["id"],
            now,
            min(now + idle, session["ends_at"], session["created_at"] + life),
        )
        return True
    if now - used_at > LOST_ANSWER_GRACE:
        return False
    return await tx.fetchval("select used_at is null from refresh_token where hash = $1", _hash(successor)) is True


async def _used_at(tx: Tx, token: bytes) -> datetime | None:
    used_at: datetime | None = await tx.fetchval("select used_at from refresh_token where hash = $1", _hash(token))
    return used_at


async def _end(tx: Tx, sessions: list[UUID], reason: str, now: datetime) -> None:
    await tx.execute(
        "update session set ended_at = $2, ended_reason = $3 where id = any($1::uuid[]) and ended_at is null", sessions, now, reason
    )


async def _store(tx: Tx, session_id: UUID, token: bytes, *, parent: bytes | None, now: datetime) -> None:
    await tx.execute(
        "insert into refresh_token (hash, session_id, parent_hash, created_at) values ($1, $2, $3, $4)",
        _hash(token),
        session_id,
        None if parent is None else _hash(parent),
        now,
    )


def _hash(token: bytes) -> str:
    return hashlib.sha256(token).hexdigest()


def _text(token: bytes) -> str:
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Raises SignInRefused for anything but the text of 32 bytes."""
    try:
        token = base64.b64decode(text.encode("ascii") + b"=", altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise SignInRefused from None
    if len(token) != TOKEN_BYTES or _text(token) != text:
        raise SignInRefused
    return token
