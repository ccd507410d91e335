"""Two accounts of one person become one, by somebody signed in to both, and may become two again within 7 days.

The keeper asks for a code (`claim_codes.start`, MERGE); the other account, signed in to a moment ago, hands it in and is absorbed. What
changes hands are identities, names and devices. Every name keeps its own orders, waiting places and open order: nothing is poured together,
so two open orders at one shop stay two (an open order is one per name, index `order_stacks`), and the member may merge them as any two orders
of theirs. Undoing gives back what was moved and has not been given up since, with all that the returning names did meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Record, Tx, from_jsonb, jsonb
from domain.errors import NotFound
from domain.ids import new_id
from domain.members import freshness, standing
from domain.members.claim_codes import hash_of, read_code
from domain.members.errors import DeletionUnderway, LinkOver, SameProvider, StaffRights, UndoOver
from domain.members.guesses import count, give_back, per_account, per_address
from domain.members.linking_names import refuse_two_accounts
from domain.members.people import end_sessions, grants_follow, hand, lock_buyers, lock_identities, lock_members, note
from domain.members.rules import FRESH_SIGN_IN, UNDO_MERGE

STALE: Final = timedelta(minutes=5)
"""Longer than any transaction runs: a delivery that read an identity before a merge has written its name by then."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Who hands a code in, and from where."""

    member_id: UUID
    session_id: UUID
    address: str = ""
    request_id: str = ""

    @property
    def actor(self) -> Actor:
        return Actor(f"member:{self.member_id}", request_id=self.request_id)


async def merge(asking: Asking, code: str, now: datetime) -> UUID:
    """The asking account becomes part of the account that made the code; answers the merge's id.

    Raises:
        TooManyGuesses: too many wrong codes.
        SignInAgain, SecondProofNeeded, SecondProofUnset: the asking session is not fresh, or shows too little.
        LinkOver: no such code, or not any more.
        StaffRights: the asking account works in a shop.
        DeletionUnderway: one of the two is about to be deleted.
        SameProvider: both have an account of one provider.
    """
    limits = [per_account("merge-code", str(asking.member_id)), per_address("merge-code", asking.address)]
    await count(limits, now)
    async with db.transaction() as tx:
        await freshness.require(asking.session_id, asking.member_id, now, within=FRESH_SIGN_IN, tx=tx)
        keeper_id = await _use(tx, code, asking.member_id, now)
        merge_id, ended = await _absorb(tx, keeper_id, asking, now)
    await give_back(limits)
    if ended:
        standing.forget(*ended)
    standing.forget_member(asking.member_id)
    return merge_id


async def undo(*, merge_id: UUID, member_id: UUID, now: datetime, request_id: str = "") -> None:
    """Make two accounts of one again. Sessions begun since the merge end, for nobody knows whose they are.

    Raises:
        NotFound: no merge into this member.
        UndoOver: undone, older than 7 days, or one of the two was merged on or deleted since.
    """
    actor = Actor(f"member:{member_id}", request_id=request_id)
    async with db.transaction() as tx:
        found = await tx.fetchrow("select keeper_id, absorbed_id from member_merge where id = $1 and keeper_id = $2", merge_id, member_id)
        if found is None:
            raise NotFound
        both = [found["keeper_id"], found["absorbed_id"]]
        await lock_identities(tx, both)
        living = await lock_members(tx, both)
        row = await tx.fetchrow(
            "select absorbed_id, merged_at, undo_until, undone_at, moved from member_merge where id = $1 for update", merge_id
        )
        assert row is not None
        merged_on = await tx.fetchval("select 1 from member_merge where absorbed_id = $1 and undone_at is null", member_id)
        if row["undone_at"] is not None or now >= row["undo_until"] or len(living) < 2 or merged_on is not None:
            raise UndoOver
        await tx.execute("update member_merge set undone_at = $2 where id = $1", merge_id, now)
        ended = await _give_back(tx, merge_id, member_id, row, actor, now)
        await note(tx, both, "MERGE_UNDONE", actor=actor, now=now, detail={"merge": str(merge_id)})
    if ended:
        standing.forget(*ended)


async def follow_missed(now: datetime, *, within: timedelta = timedelta(hours=1)) -> int:
    """Names that a delivery wrote for the member it had read just before a merge or its undoing go where their identity is.

    For a schedule of the worker; answers how many names were put right.
    """
    rows = await db.fetch(
        """select b.id, i.member_id from member_merge g join identity i on i.member_id in (g.keeper_id, g.absorbed_id)
           join buyer b on b.provider = i.provider and b.external_id = i.subject and b.member_id in (g.keeper_id, g.absorbed_id)
           where coalesce(g.undone_at, g.merged_at) > $1 and b.member_id <> i.member_id
             and b.created_at > coalesce(g.undone_at, g.merged_at) - $2::interval order by b.id""",
        now - within,
        STALE,
    )
    actor = Actor("worker:people")
    for row in rows:
        async with db.transaction() as tx:
            await lock_buyers(tx, [], [row["id"]])
            await record(tx, actor, await hand(tx, [row["id"]], row["member_id"], actor=actor, now=now), now=now)
    return len(rows) + await _notices_follow(now, within)


async def _notices_follow(now: datetime, within: timedelta) -> int:
    """Announcements that were being written meanwhile."""
    return await db.execute(
        """update notice n set member_id = b.member_id from member_merge g, buyer b
           where coalesce(g.undone_at, g.merged_at) > $1 and n.member_id in (g.keeper_id, g.absorbed_id)
             and n.created_at > coalesce(g.undone_at, g.merged_at) - $2::interval
             and b.id = n.buyer_id and b.shop_id = n.shop_id and n.member_id is distinct from b.member_id""",
        now - within,
        STALE,
    )


# --- merging ----------------------------------------------------------------------------------------------------------------


async def _use(tx: Tx, code: str, asking: UUID, now: datetime) -> UUID:
    """Use a code up; answers who made it."""
    keeper: UUID | None = await tx.fetchval(
        """update claim_code set answered_at = $3, accepted = true
           where hash = $1 and kind = 'MERGE' and member_id <> $2 and answered_at is null and expires_at > $3 returning member_id""",
        hash_of(read_code(code.strip().removeprefix("claim_"))),
        asking,
        now,
    )
    if keeper is None:
        raise LinkOver
    return keeper


async def _absorb(tx: Tx, keeper_id: UUID, asking: Asking, now: datetime) -> tuple[UUID, list[UUID]]:
    """Move what the asking account has; answers the merge and the sessions that ended."""
    both, absorbed_id = [keeper_id, asking.member_id], asking.member_id
    await lock_identities(tx, both)
    if len(await lock_members(tx, both)) < 2:
        raise LinkOver
    await _refuse_unfit(tx, keeper_id, absorbed_id)
    held = await lock_buyers(tx, both)
    moving = [row for row in held if row["member_id"] == absorbed_id]
    refuse_two_accounts((row for row in held if row["member_id"] == keeper_id), moving)
    identities = await tx.fetch("update identity set member_id = $1 where member_id = $2 returning id", keeper_id, absorbed_id)
    devices = await tx.fetch(
        "update device set member_id = $1 where member_id = $2 and revoked_at is null returning id", keeper_id, absorbed_id
    )
    await grants_follow(tx, [row["id"] for row in identities])
    await tx.execute("update sign_in_alert set member_id = $1 where member_id = $2 and sent_at is null", keeper_id, absorbed_id)
    ended = await end_sessions(tx, absorbed_id, "MERGED", now)
    await tx.execute("update member set ver = ver + 1 where id = $1", absorbed_id)
    merge_id, moved = new_id(), {"identities": identities, "buyers": moving, "devices": devices}
    await tx.execute(
        """insert into member_merge (id, keeper_id, absorbed_id, merged_at, undo_until, moved) values ($1, $2, $3, $4, $5, $6::jsonb)""",
        merge_id, keeper_id, absorbed_id, now, now + UNDO_MERGE, jsonb({what: [str(row["id"]) for row in rows] for what, rows in moved.items()}),
    )  # fmt: skip
    entries = await hand(tx, [row["id"] for row in moving], keeper_id, actor=asking.actor, now=now)
    await record(tx, asking.actor, [*entries, *_told(moving, "BUYER_MERGED", merge_id)], now=now)
    await note(tx, both, "MERGED", actor=asking.actor, now=now, detail={"merge": str(merge_id)})
    return merge_id, ended


async def _refuse_unfit(tx: Tx, keeper_id: UUID, absorbed_id: UUID) -> None:
    both = [keeper_id, absorbed_id]
    if await tx.fetchval("select 1 from member_merge where absorbed_id = any($1::uuid[]) and undone_at is null limit 1", both) is not None:
        raise LinkOver
    if (
        await tx.fetchval("select 1 from account_deletion where member_id = any($1::uuid[]) and cancelled_at is null limit 1", both)
        is not None
    ):
        raise DeletionUnderway
    if await tx.fetchval("select 1 from membership where member_id = $1 and ended_at is null limit 1", absorbed_id) is not None:
        raise StaffRights
    twice: str | None = await tx.fetchval(
        """select a.provider from identity a join identity b on b.provider = a.provider
           where a.member_id = $1 and b.member_id = $2 order by a.provider limit 1""",
        keeper_id,
        absorbed_id,
    )
    if twice is not None:
        raise SameProvider(twice)


def _told(names: Sequence[Record], action: str, merge_id: UUID) -> list[Entry]:
    return [Entry(row["shop_id"], action, "buyer", row["id"], {"merge": str(merge_id)}) for row in names]


# --- undoing ----------------------------------------------------------------------------------------------------------------


async def _give_back(tx: Tx, merge_id: UUID, keeper_id: UUID, merged: Record, actor: Actor, now: datetime) -> list[UUID]:
    """Move back what still is the keeper's, and names that the returning identities brought since; answers the sessions that ended."""
    moved: Mapping[str, list[UUID]] = {what: [UUID(key) for key in keys] for what, keys in from_jsonb(merged["moved"]).items()}
    absorbed_id = merged["absorbed_id"]
    identities = await tx.fetch(
        "update identity set member_id = $1 where id = any($2::uuid[]) and member_id = $3 returning provider, subject",
        absorbed_id, moved["identities"], keeper_id,
    )  # fmt: skip
    await grants_follow(tx, moved["identities"])
    await tx.execute(
        """update sign_in_alert a set member_id = s.member_id from session s
           where a.member_id = $2 and s.id = a.session_id and s.member_id = $1""",
        absorbed_id,
        keeper_id,
    )
    ended = await end_sessions(tx, keeper_id, "MERGE_UNDONE", now, since=merged["merged_at"])
    await _devices_go_back(tx, keeper_id, merged, moved["devices"], now)
    back = {(row["provider"], row["subject"]) for row in identities} | {("member", str(absorbed_id))}
    names = [
        row
        for row in await lock_buyers(tx, [keeper_id])
        if row["id"] in moved["buyers"] or (row["created_at"] >= merged["merged_at"] and (row["provider"], row["external_id"]) in back)
    ]
    entries = await hand(tx, [row["id"] for row in names], absorbed_id, actor=actor, now=now)
    await record(tx, actor, [*entries, *_told(names, "BUYER_MERGE_UNDONE", merge_id)], now=now)
    return ended


async def _devices_go_back(tx: Tx, keeper_id: UUID, merged: Record, devices: Sequence[UUID], now: datetime) -> None:
    """Phones of the absorbed account go back to it; phones that were registered since get no pushes until somebody signs in on them."""
    await tx.execute(
        "update device set member_id = $1 where id = any($2::uuid[]) and member_id = $3", merged["absorbed_id"], list(devices), keeper_id
    )
    await tx.execute(
        "update device set revoked_at = $3 where member_id = $1 and revoked_at is null and created_at >= $2",
        keeper_id,
        merged["merged_at"],
        now,
    )
