"""A member's names: confirm that a name which wrote a claim code is theirs, and give names and identities up again.

One name at a shop has one member; a member may have many names, but only one per shop on platforms whose ids name an account
(`ONE_NAME_PER_SHOP`). A name that is given up takes its orders, notices and pickups with it, and nothing of what happened is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, record
from domain.db import Record, Tx, from_jsonb
from domain.errors import NotFound
from domain.ids import new_id
from domain.members import standing
from domain.members.errors import LastIdentity, LinkOver, SameProvider
from domain.members.people import end_sessions, hand, lock_account, lock_buyers, lock_identities, lock_members, note
from domain.members.rules import CONFIRM_WITHIN, ONE_NAME_PER_SHOP


async def confirm(*, member_id: UUID, link_id: UUID, accept: bool, now: datetime, request_id: str = "") -> None:
    """The member says whether the name that wrote their code is theirs. A yes links it at the shops where it was written.

    Raises:
        NotFound: no such question to this member.
        LinkOver: answered, too old, or the name is somebody's by now.
        SameProvider: the member has another name of this platform at one of these shops.
    """
    actor = Actor(f"member:{member_id}", request_id=request_id)
    async with db.transaction() as tx:
        link = await _question(tx, member_id, link_id, now)
        provider, external_id, shops = link["provider"], link["external_id"], [UUID(shop) for shop in from_jsonb(link["shops"])]
        await tx.execute("update claim_code set answered_at = $2, accepted = $3 where id = $1", link_id, now, accept)
        await note(tx, [member_id], "NAME_CONFIRMED" if accept else "NAME_DECLINED", actor=actor, now=now, detail={"provider": provider})
        if not accept:
            return
        await take_name(tx, member_id, (provider, external_id, link["name"]), shops, actor=actor, now=now)


async def take_name(tx: Tx, member_id: UUID, name: tuple[str, str, str], shops: Sequence[UUID], *, actor: Actor, now: datetime) -> None:
    """Make a proven name (provider, id, as shown) the member's at these shops, with the id that the page's messages know it by.

    Raises:
        NotFound: the account was deleted, or is part of another one.
        LinkOver: the name is somebody else's by now.
        SameProvider: the member has another name of this platform at one of these shops.
    """
    provider, external_id, shown = name
    await tx.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"identity:{provider}:{external_id}")
    if not await lock_account(tx, member_id):
        raise NotFound
    names = await _names(tx, provider, external_id, shown, shops, now)
    held = await lock_buyers(tx, [member_id], [*names, *await _of_their_inbox(tx, names)])
    wanted = [row for row in held if row["id"] in names]
    signs_in = await tx.fetchval("select member_id from identity where provider = $1 and subject = $2", provider, external_id)
    if any(row["member_id"] not in (None, member_id) for row in wanted) or signs_in not in (None, member_id):
        raise LinkOver
    refuse_two_accounts(held, wanted)
    beside = [row["id"] for row in held if row["id"] not in names and row["member_id"] is None]
    entries = await hand(tx, [*(row["id"] for row in wanted), *beside], member_id, actor=actor, now=now)
    await record(tx, actor, entries, now=now)


async def unlink_name(*, member_id: UUID, buyer_id: UUID, now: datetime, request_id: str = "") -> None:
    """The member gives up a name that a claim code linked; it is nobody's until it is linked anew.

    Raises:
        NotFound: not a name of this member, or one that comes with an identity: that is what has to be given up then.
    """
    actor = Actor(f"member:{member_id}", request_id=request_id)
    async with db.transaction() as tx:
        await lock_members(tx, [member_id])
        held = await lock_buyers(tx, [], [buyer_id])
        if not held or held[0]["member_id"] != member_id:
            raise NotFound
        name = held[0]
        by_identity = "select 1 from identity where member_id = $1 and provider = $2 and subject = $3"
        if await tx.fetchval(by_identity, member_id, name["provider"], name["external_id"]) is not None or name["provider"] == "member":
            raise NotFound
        entries = await hand(tx, [buyer_id], None, actor=actor, now=now)
        await record(tx, actor, entries, now=now)
        await note(tx, [member_id], "NAME_UNLINKED", actor=actor, now=now, detail={"provider": name["provider"]})


async def unlink_identity(*, member_id: UUID, identity_id: UUID, session_id: UUID, now: datetime, request_id: str = "") -> None:
    """The member gives up a way to sign in, with the names that came with it; all other sessions end.

    Raises:
        NotFound: not an identity of this member.
        LastIdentity: nobody could sign in any more.
    """
    actor = Actor(f"member:{member_id}", request_id=request_id)
    async with db.transaction() as tx:
        await lock_identities(tx, [member_id])
        await lock_members(tx, [member_id])
        mine = await tx.fetch("select id, provider, subject from identity where member_id = $1 order by id for update", member_id)
        given_up = next((row for row in mine if row["id"] == identity_id), None)
        if given_up is None:
            raise NotFound
        if len(mine) == 1:
            raise LastIdentity
        await tx.execute("delete from identity where id = $1", identity_id)
        await tx.execute(
            "update provider_grant set give_back_at = $3 where provider = $1 and subject = $2",
            given_up["provider"],
            given_up["subject"],
            now,
        )
        held = await lock_buyers(tx, [member_id])
        theirs = [row["id"] for row in held if (row["provider"], row["external_id"]) == (given_up["provider"], given_up["subject"])]
        entries = await hand(tx, theirs, None, actor=actor, now=now)
        await record(tx, actor, entries, now=now)
        ended = await end_sessions(tx, member_id, "IDENTITY_UNLINKED", now, but=session_id)
        await note(tx, [member_id], "IDENTITY_UNLINKED", actor=actor, now=now, detail={"provider": given_up["provider"]})
    if ended:
        standing.forget(*ended)


def refuse_two_accounts(held: Iterable[Record], coming: Iterable[Record]) -> None:
    """Two names of one account-naming platform at one shop are two accounts.

    Raises:
        SameProvider: `coming` has a name where `held` has another one.
    """
    known = {(row["shop_id"], row["provider"]): row["external_id"] for row in held if row["member_id"] is not None}
    for row in coming:
        other = known.get((row["shop_id"], row["provider"]), row["external_id"])
        if row["provider"] in ONE_NAME_PER_SHOP and other != row["external_id"]:
            raise SameProvider(row["provider"])


async def _question(tx: Tx, member_id: UUID, link_id: UUID, now: datetime) -> Record:
    row = await tx.fetchrow(
        """select seen_at, answered_at, provider, external_id, name, shops from claim_code
           where id = $1 and member_id = $2 and kind = 'NAME' and seen_at is not null for update""",
        link_id,
        member_id,
    )
    if row is None:
        raise NotFound
    if row["answered_at"] is not None or row["seen_at"] < now - CONFIRM_WITHIN:
        raise LinkOver
    return row


async def _names(tx: Tx, provider: str, external_id: str, name: str, shops: Sequence[UUID], now: datetime) -> list[UUID]:
    """The name at each of these shops, made where it has not been met yet; an id of a page's messages is the commenter who has it."""
    await tx.execute(
        """insert into buyer (id, shop_id, provider, external_id, name, created_at)
           select k.id, k.shop_id, $3::text, $4::text, $5::text, $6::timestamptz from unnest($1::uuid[], $2::uuid[]) k(id, shop_id)
           where not exists (select from buyer b where b.inbox_id = $4::text and b.provider = $3::text and b.shop_id = k.shop_id) order by k.shop_id
           on conflict (shop_id, provider, external_id) do nothing""",
        [new_id() for _ in shops], list(shops), provider, external_id, name, now,
    )  # fmt: skip
    rows = await tx.fetch(
        """select id from buyer where provider = $1 and external_id = $2 and shop_id = any($3::uuid[])
           union select id from buyer where inbox_id = $2 and provider = $1 and shop_id = any($3::uuid[])""",
        provider,
        external_id,
        list(shops),
    )
    return [row["id"] for row in rows]


async def _of_their_inbox(tx: Tx, names: Sequence[UUID]) -> list[UUID]:
    """Names that are the ids of these commenters in the page's messages."""
    rows = await tx.fetch(
        """select o.id from buyer b join buyer o on o.shop_id = b.shop_id and o.provider = b.provider and o.external_id = b.inbox_id
           where b.id = any($1::uuid[])""",
        list(names),
    )
    return [row["id"] for row in rows]
