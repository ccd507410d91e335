"""Sessions: a family of refresh tokens on one installation, each used once and followed by the next.

The next token is HMAC(key, this token). So a phone that lost the answer and asks again within LOST_ANSWER_GRACE gets the same next
token, although the table holds hashes only. A token used later than that was copied by somebody: the family ends.
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
from domain.members.errors import SignInRefused
from domain.members.rules import LOST_ANSWER_GRACE, REFRESH_IDLE, REFRESH_LIFE
from domain.vault import Vault

REUSED = Counter("plusone_refresh_reuse_total", "Refresh tokens that were used again after their grace: families ended as copied.")
TOKEN_BYTES = 32
PURPOSE = "refresh-successor"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a sign-in or a refresh gives."""

    session_id: UUID
    member_id: UUID
    ver: int
    refresh_token: str = field(repr=False)
    """43 characters of base64url: 256 bits."""


async def start(tx: Tx, member_id: UUID, installation_id: str, now: datetime) -> Grant:
    """Open a session with its first refresh token.

    Raises:
        SignInRefused: the member is deleted or does not exist.
    """
    ver = await tx.fetchval("select ver from member where id = $1 and deleted_at is null", member_id)
    if ver is None:
        raise SignInRefused
    session_id, token = new_id(), os.urandom(TOKEN_BYTES)
    await tx.execute(
        """insert into session (id, member_id, installation_id, created_at, last_used_at, idle_until, ends_at, ended_reason)
           values ($1, $2, $3, $4, $4, $5, $6, '')""",
        session_id,
        member_id,
        installation_id,
        now,
        now + REFRESH_IDLE,
        now + REFRESH_LIFE,
    )
    await _store(tx, session_id, token, parent=None, now=now)
    return Grant(session_id, member_id, ver, _text(token))


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


async def _locked_session(tx: Tx, token_hash: str) -> Record:
    """The token's session, locked: whoever comes with a token of the same family waits here and then sees what the first one did.

    Raises:
        SignInRefused: no such token.
    """
    row = await tx.fetchrow(
        """select s.id, s.member_id, s.installation_id, s.idle_until, s.ends_at, s.ended_at, m.ver, m.deleted_at
           from session s join member m on m.id = s.member_id
           where s.id = (select session_id from refresh_token where hash = $1) for update of s""",
        token_hash,
    )
    if row is None:
        raise SignInRefused
    return row


def _runs(session: Record, installation_id: str, now: datetime) -> bool:
    return (
        session["installation_id"] == installation_id
        and session["ended_at"] is None
        and session["deleted_at"] is None
        and now < session["idle_until"]
        and now < session["ends_at"]
    )


async def _step(tx: Tx, session: Record, token: bytes, successor: bytes, now: datetime) -> bool:
    """Use the token, or repeat the answer that was lost; False when neither is allowed."""
    used_at = await _used_at(tx, token)
    if used_at is None:
        await tx.execute("update refresh_token set used_at = $2 where hash = $1", _hash(token), now)
        await _store(tx, session["id"], successor, parent=token, now=now)
        await tx.execute(
            "update session set last_used_at = $2, idle_until = $3 where id = $1",
            session["id"],
            now,
            min(now + REFRESH_IDLE, session["ends_at"]),
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
