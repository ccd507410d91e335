"""LINE's linking of accounts, for an official account whose people have other ids than LINE Login gives (it is under another provider).

The person writes to the account; its bot asks LINE for a link token and sends our address; a signed-in member opens it and is sent on to LINE
with a nonce of ours; LINE asks its own user, and tells us by the account's webhook: this nonce, this person. So the member is proven by the
session and the person by LINE, and somebody else's address leads nowhere: LINE refuses a link token that is another user's.
The nonce is random (256 bits), for one use, and kept as a hash; the link token is kept sealed.

Source: LINE Developers, "Messaging API: Link user accounts" (read 2026-11; from memory: link tokens live 10 minutes, a nonce has 10 to 255 bytes).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from domain import db
from domain.audit.commands import Actor
from domain.db import Tx
from domain.errors import NotFound
from domain.ids import new_id, public_id
from domain.jobs import ACCOUNT_LINK, JobQueue
from domain.members.errors import LinkOver, SameProvider
from domain.members.linking_names import take_name
from domain.members.people import note
from domain.members.rules import LINK_TOKEN_LIFE, LINKS_ASKED, NONCE_ANSWERED_WITHIN, LinkState
from domain.paging import Row
from domain.vault import SealBroken, Vault
from domain.words import Pair

DIALOG: Final = "https://access.line.me/dialog/bot/accountLink"
WORKER: Final = Actor("worker:ingest")
LEASE: Final = timedelta(seconds=60)
MAX_TRIES: Final = 4
ASK_WITHIN: Final = timedelta(minutes=30)
"""An address that could not be sent for so long would only puzzle its reader."""
REPLY_TOKEN_HOLDS: Final = timedelta(seconds=45)
"""LINE: about a minute from the message."""
ADDRESS: Pair = (
    "請在 10 分鐘內點選這個連結並登入會員 App,您在這裡的訂單就會出現在 App 裡(只能使用一次,請勿轉傳): {link}",
    "Open this link and sign in within 10 minutes, and your orders here are in the member app (one use; do not pass it on): {link}",
)
"""What the bot says; the address is put in when it is sent."""
OPEN: Final = f"(l.state = 'ASKED' or l.state = 'SENT' and l.next_try_at is not null and l.tries < {MAX_TRIES})"
SHOWN: Final = timedelta(days=30)
MOST: Final = 50


@dataclass(frozen=True, slots=True)
class DueLink:
    """A person who is to get an address, leased to us."""

    id: UUID
    person: str = field(repr=False)
    reply_token: str = field(repr=False)
    """Empty when it holds no longer."""
    access_token: str | None = field(repr=False)
    """None when it was sealed with a key that is no more."""
    locale: str
    tries: int


async def ask(tx: Tx, *, endpoint_id: UUID, provider: str, person: str, reply_token: str, now: datetime, jobs: JobQueue) -> bool:
    """Somebody asked a bot for the way to their member account; answers whether an address is on its way.

    Nothing happens for an account without access token or shops, for a person who has a member everywhere, and beyond 5 times an hour.
    """
    link_id = new_id()
    made = await tx.execute(
        """insert into account_link (id, endpoint_id, provider, external_id, state, reply_token, link_token_encrypted, tries, asked_at)
           select $1::uuid, e.id, $3::text, $4::text, 'ASKED', $5::text, '', 0, $6::timestamptz from webhook_endpoint e
           where e.id = $2 and e.access_token_encrypted <> ''
             and not exists (select from identity i where i.provider = $3::text and i.subject = $4::text)
             and exists (select from channel c where c.endpoint_id = e.id and not exists (
               select from buyer b where b.shop_id = c.shop_id and b.provider = $3::text and b.external_id = $4::text and b.member_id is not null))
             and (select count(*) from account_link l where l.endpoint_id = e.id and l.external_id = $4::text and l.asked_at > $7) < $8""",
        link_id, endpoint_id, provider, person, reply_token, now, now - timedelta(hours=1), LINKS_ASKED,
    )  # fmt: skip
    if made:
        await jobs.enqueue(tx, ACCOUNT_LINK, [{"links": [str(link_id)]}])
    return made > 0


async def claim_due(*, vault: Vault, now: datetime, ids: Collection[UUID] | None = None, limit: int = 50) -> list[DueLink]:
    """Lease people who wait for an address: those of `ids`, or the oldest. Who waits too long, or was tried too often, gets none.

    By `ids` also those whose token is kept and who were perhaps not told, since nobody came back to say so (`told`).
    """
    await db.execute(
        """update account_link set state = 'FAILED', done_at = $1 where state = 'ASKED' and (asked_at <= $2 or tries >= $3)
           and (next_try_at is null or next_try_at <= $1)""",
        now,
        now - ASK_WITHIN,
        MAX_TRIES,
    )
    which = "l.state = 'ASKED' and (l.next_try_at is null or l.next_try_at <= $1) and $3::uuid[] is null"
    if ids is not None:
        which = f"{OPEN} and (l.next_try_at is null or l.next_try_at <= $1) and l.id = any($3::uuid[])"
    rows = await db.fetch(
        f"""with due as materialized (
             select l.id from account_link l
             where {which}
             order by l.asked_at, l.id limit $4 for update skip locked)
           update account_link l set next_try_at = $2, tries = l.tries + 1 from due, webhook_endpoint e
           where l.id = due.id and e.id = l.endpoint_id
           returning l.id, l.external_id, l.reply_token, l.asked_at, l.tries, e.access_token_encrypted,
             coalesce((select s.locale from channel c join shop s on s.id = c.shop_id where c.endpoint_id = e.id order by c.created_at, c.id limit 1), '')
               as locale""",
        now,
        now + LEASE,
        None if ids is None else list(ids),
        limit,
    )
    return [_due(row, vault, now) for row in rows]


def _due(row: db.Record, vault: Vault, now: datetime) -> DueLink:
    return DueLink(
        row["id"],
        row["external_id"],
        row["reply_token"] if row["tries"] == 1 and row["asked_at"] > now - REPLY_TOKEN_HOLDS else "",
        _opened(row["access_token_encrypted"], vault),
        row["locale"],
        row["tries"],
    )


async def due_in(ids: Collection[UUID], *, now: datetime) -> timedelta | None:
    """How long until the first of these is due who still has no address; None when there is none."""
    at: datetime | None = await db.fetchval(
        f"select min(coalesce(l.next_try_at, $2)) from account_link l where l.id = any($1::uuid[]) and {OPEN}", list(ids), now
    )
    return None if at is None else at - now


async def keep_token(link: DueLink, link_token: str, *, vault: Vault, now: datetime) -> None:
    """The platform gave a token: from now on the address opens, for as long as the token lives. Before it is sent: it may be opened at once."""
    await db.execute(
        """update account_link set state = 'SENT', link_token_encrypted = $2, sent_at = $3, reply_token = ''
           where id = $1 and state in ('ASKED', 'SENT')""",
        link.id,
        vault.seal(link_token),
        now,
    )


async def told(link: DueLink) -> None:
    """The person has the address."""
    await db.execute("update account_link set next_try_at = null where id = $1 and state = 'SENT' and tries = $2", link.id, link.tries)


async def try_again(link: DueLink, *, after: timedelta, now: datetime, jobs: JobQueue) -> None:
    """Nothing reached the person: ask for a fresh token later."""
    async with db.transaction() as tx:
        moved = await tx.execute(
            """update account_link set state = 'ASKED', link_token_encrypted = '', sent_at = null, next_try_at = $2
               where id = $1 and state in ('ASKED', 'SENT')""",
            link.id,
            now + after,
        )
        if moved:
            await jobs.enqueue(tx, ACCOUNT_LINK, [{"links": [str(link.id)]}], run_at=now + after + timedelta(seconds=1))


async def give_up(link: DueLink, *, now: datetime) -> None:
    """The platform will never do it."""
    await db.execute(
        "update account_link set state = 'FAILED', link_token_encrypted = '', done_at = $2 where id = $1 and state in ('ASKED', 'SENT')",
        link.id,
        now,
    )


async def go_on(tx: Tx, member_id: UUID, link_id: UUID, vault: Vault, actor: Actor, now: datetime) -> str:
    """The member (locked) opened the address: where to go now, with a fresh nonce. The same member may open it again; the nonce before is void.

    Raises:
        LinkOver: too old, done, or opened by somebody else.
    """
    row = await tx.fetchrow(
        """select link_token_encrypted, member_id from account_link
           where id = $1 and state in ('SENT', 'OPENED') and sent_at > $2 for update""",
        link_id,
        now - LINK_TOKEN_LIFE,
    )
    link_token = None if row is None or row["member_id"] not in (None, member_id) else _opened(row["link_token_encrypted"], vault)
    if not link_token:
        raise LinkOver
    nonce = secrets.token_urlsafe(32)
    await tx.execute(
        "update account_link set state = 'OPENED', member_id = $2, nonce_hash = $3, opened_at = $4 where id = $1",
        link_id,
        member_id,
        _hash(nonce),
        now,
    )
    await note(tx, [member_id], "ACCOUNT_LINK_OPENED", actor=actor, now=now, detail={"provider": "line"})
    return f"{DIALOG}?{urlencode({'linkToken': link_token, 'nonce': nonce})}"


async def answered(tx: Tx, *, endpoint_id: UUID, person: str, nonce: str, ok: bool, now: datetime) -> LinkState | None:
    """The platform's word about a nonce; answers what became of it, None for a nonce that means nothing here.

    It must come by the account that asked, about the person who was asked, and within an hour. Told twice, it is done once.
    """
    row = await tx.fetchrow(
        """select id, provider, member_id from account_link
           where nonce_hash = $1 and endpoint_id = $2 and external_id = $3 and state = 'OPENED' and opened_at > $4 for update""",
        _hash(nonce),
        endpoint_id,
        person,
        now - NONCE_ANSWERED_WITHIN,
    )
    if row is None:
        return None
    why = await _refusal(tx, endpoint_id, row["provider"], person, row["member_id"], now) if ok else "REFUSED_THERE"
    state = LinkState.FAILED if why else LinkState.LINKED
    await tx.execute(
        "update account_link set state = $2, done_at = $3, link_token_encrypted = '' where id = $1", row["id"], state.value, now
    )
    detail = {"provider": row["provider"], **({"why": why} if why else {})}
    await note(tx, [row["member_id"]], f"ACCOUNT_LINK_{state.value}", actor=WORKER, now=now, detail=detail)
    return state


async def _refusal(tx: Tx, endpoint_id: UUID, provider: str, person: str, member_id: UUID, now: datetime) -> str:
    """Link the name at every shop of the account; answers why not, or nothing."""
    shops: Sequence[UUID] = [
        row["shop_id"]
        for row in await tx.fetch("select distinct shop_id from channel where endpoint_id = $1 order by shop_id", endpoint_id)
    ]
    actor = Actor(f"member:{member_id}")
    try:
        async with db.transaction() as inner:
            await take_name(inner, member_id, (provider, person, ""), shops, actor=actor, now=now)
    except (LinkOver, SameProvider, NotFound) as error:
        return error.code
    return ""


async def of_member(member_id: UUID, now: datetime) -> list[Row]:
    """Account links that the member opened in the last 30 days, the newest first."""
    rows = await db.fetch(
        """select id, provider, state, opened_at, done_at from account_link
           where member_id = $1 and opened_at > $2 order by opened_at desc, id limit $3""",
        member_id,
        now - SHOWN,
        MOST,
    )
    over = now - NONCE_ANSWERED_WITHIN
    return [
        {
            "id": public_id("accountlink", row["id"]), "provider": row["provider"], "opened_at": row["opened_at"], "done_at": row["done_at"],
            "state": "FAILED" if row["state"] == "OPENED" and row["opened_at"] <= over else row["state"],
        }
        for row in rows
    ]  # fmt: skip


async def forget_links(before: datetime) -> int:
    """Delete what was asked for before an instant; answers how many."""
    return await db.execute("delete from account_link where asked_at < $1", before)


def _hash(nonce: str) -> str:
    return hashlib.sha256(f"account-link:{nonce}".encode("utf-8", "replace")).hexdigest()


def _opened(sealed: str, vault: Vault) -> str | None:
    try:
        return vault.open(sealed).decode() if sealed else None
    except SealBroken:
        return None
