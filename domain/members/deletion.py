"""A member wants to be forgotten: asked for, held for 7 days in which it can be called off, then done for good.

What goes: identities, passkeys and authenticators, sessions, devices, the name, the platforms' ids and names of the person at every shop, what they wrote (comments, their
revisions, what recognition quoted of them, answers to them, stored deliveries), pictures of transfers with their digits, who gets the goods and
where, where parcels went and their numbers, words and links of gifts, places in waiting lists, files and codes. What stays, under a random id:
orders, lines, payments, hand-overs, parcels, stock and the audit, as book-keeping asks. Who writes under a post again is a stranger to us.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Record, Tx, from_jsonb, jsonb
from domain.errors import NotFound
from domain.ids import new_id
from domain.jobs import RESTOCKED, JobQueue
from domain.members import standing
from domain.members.errors import OnlyOwner, OpenOrders
from domain.members.people import lock_account, lock_buyers, lock_identities, lock_members, note
from domain.members.rules import DELETION_POSTPONED, DELETION_WAIT, ERASE_AGAIN, ERASED

WORKER: Final = Actor("worker:people")
MOST: Final = 100
"""Deletions done in one run; the rest waits for the next."""
LOT: Final = 5_000
"""Stored deliveries looked at in one statement."""

HOLDS_ON: Final = """
select 1 from "order" o where o.member_id = $1 and o.state in ('OPEN', 'LOCKED')
  and not (o.state = 'OPEN' and o.payment_state in ('UNPAID', 'FAILED', 'EXPIRED') and o.pay_by is not null) limit 1"""
"""An order that would stay open for ever with nobody behind it; one that is unpaid with a deadline runs out by itself."""
OWNS_ALONE: Final = """
select 1 from membership m where m.member_id = $1 and m.ended_at is null and m.role = 'OWNER'
  and not exists (select from membership o where o.shop_id = m.shop_id and o.role = 'OWNER' and o.ended_at is null and o.member_id <> $1) limit 1"""

WRITTEN: Final = (
    """update social_comment set text = '', mentions = null, author_name = '', permalink = '', reply_token = ''
       where buyer_id = any($1::uuid[]) and (text <> '' or mentions is not null or author_name <> '' or permalink <> '' or reply_token <> '')""",
    """update comment_revision r set text = '', mentions = null from social_comment c
       where c.buyer_id = any($1::uuid[]) and r.comment_id = c.id and (r.text <> '' or r.mentions is not null)""",
    """update claim set result = result::jsonb || '{"trail": [], "beneficiary": null}', resolution = ''
       where buyer_id = any($1::uuid[]) and (json_array_length(result -> 'trail') > 0 or resolution <> '' or result ->> 'beneficiary' is not null)""",
    """update order_line l set beneficiary = '' from "order" o
       where o.buyer_id = any($1::uuid[]) and l.order_id = o.id and l.beneficiary <> ''""",
    """update dispute_message m set text = '' from dispute d
       where d.buyer_id = any($1::uuid[]) and m.dispute_id = d.id and m.side = 'BUYER' and m.text <> ''""",
    """update transfer_report r set last_five = '', slip_id = null from "order" o
       where o.buyer_id = any($1::uuid[]) and r.order_id = o.id and (r.last_five <> '' or r.slip_id is not null)""",
    """update order_delivery d set store_code = '', store_name = '', recipient_name = '', recipient_phone = '', postal_code = '', address = '' from "order" o
       where o.buyer_id = any($1::uuid[]) and d.order_id = o.id
         and (d.store_code, d.store_name, d.recipient_name, d.recipient_phone, d.postal_code, d.address) <> ('', '', '', '', '', '')""",
    """update order_gift g set token_hash = null, sender = '', message = '' from "order" o
       where o.buyer_id = any($1::uuid[]) and g.order_id = o.id and (g.token_hash is not null or g.sender <> '' or g.message <> '')""",
    """delete from transfer_slip p using "order" o where o.buyer_id = any($1::uuid[]) and p.order_id = o.id""",
    "update pickup set lent_to = '' where buyer_id = any($1::uuid[]) and lent_to <> ''",
    """update shipment_event e set note = '' from shipment s where s.buyer_id = any($1::uuid[]) and e.shipment_id = s.id and e.note <> ''""",
    """update notice set data = data::jsonb - '{trackingNumber,storeName,note}'::text[]
       where buyer_id = any($1::uuid[]) and kind like 'SHIPMENT%' and data::jsonb ?| '{trackingNumber,storeName,note}'::text[]""",
    """update shipment set tracking_number = '', store_code = '', store_name = '', store_address = '', last_pickup_day = null, remind_at = null
       where buyer_id = any($1::uuid[]) and (tracking_number <> '' or store_code <> '')""",
    """update platform_reply p set text = '', state = case when p.state = 'PENDING' then 'DROPPED' else p.state end from social_comment c
       where c.buyer_id = any($1::uuid[]) and p.comment_id = c.id and p.text <> ''""",
)
"""What a person wrote, what quotes it, and where their parcels went; each may be run again."""

OF_MEMBERS: Final = (
    "delete from push_delivery p using device d where d.member_id = any($1::uuid[]) and p.device_id = d.id",
    "delete from device where member_id = any($1::uuid[])",
    "delete from refresh_token t using session s where s.member_id = any($1::uuid[]) and t.session_id = s.id",
    "delete from sign_in_alert where member_id = any($1::uuid[])",
    "delete from live_change where member_id = any($1::uuid[])",
    "delete from session where member_id = any($1::uuid[])",
    "delete from passkey where member_id = any($1::uuid[])",
    "delete from authenticator where member_id = any($1::uuid[])",
    "delete from recovery_code where member_id = any($1::uuid[])",
    "delete from identity where member_id = any($1::uuid[])",
    "delete from idempotency_key where actor_id = any($1::uuid[])",
    "delete from claim_code where member_id = any($1::uuid[])",
    "delete from account_link where member_id = any($1::uuid[])",
    "delete from notice_settings where member_id = any($1::uuid[])",
    "delete from shop_notice_settings where member_id = any($1::uuid[])",
    "delete from push_digest where member_id = any($1::uuid[])",
    "delete from data_export where member_id = any($1::uuid[])",
)

LEAVE_WAITING: Final = """
with places as (
  select id, shop_id, variant_id, quantity from waitlist_entry where buyer_id = any($1::uuid[]) and state = 'WAITING' order by id for update),
sums as (select variant_id, sum(quantity)::int as pieces from places group by variant_id),
levels as (select s.variant_id from stock_level s join sums using (variant_id) order by s.variant_id for no key update of s),
less as (
  update stock_level s set waiting = s.waiting - sums.pieces, version = s.version + 1 from sums, levels
  where s.variant_id = sums.variant_id and levels.variant_id = s.variant_id),
gone as (update waitlist_entry w set state = 'LEFT' from places where w.id = places.id)
select shop_id, array_agg(distinct variant_id order by variant_id) as variants from places group by shop_id order by shop_id"""
"""Give the places up; answers whose turn it now may be: {shop, variants}."""


async def request(*, member_id: UUID, now: datetime, request_id: str = "") -> UUID:
    """Ask to be forgotten; answers the deletion's id, the same one while it stands.

    Raises:
        NotFound: the member was deleted, or is part of another account.
        OnlyOwner: a shop would be without an owner.
        OpenOrders: goods or money are on their way.
    """
    actor = Actor(f"member:{member_id}", request_id=request_id)
    async with db.transaction() as tx:
        if not await lock_account(tx, member_id):
            raise NotFound
        standing_one: UUID | None = await tx.fetchval(
            "select id from account_deletion where member_id = $1 and cancelled_at is null", member_id
        )
        if standing_one is not None:
            return standing_one
        await _refuse_open(tx, member_id)
        deletion_id = new_id()
        await tx.execute(
            "insert into account_deletion (id, member_id, requested_at, due_at, names) values ($1, $2, $3, $4, '[]')",
            deletion_id,
            member_id,
            now,
            now + DELETION_WAIT,
        )
        await note(tx, [member_id], "DELETION_REQUESTED", actor=actor, now=now)
        return deletion_id


async def cancel(*, member_id: UUID, deletion_id: UUID, now: datetime, request_id: str = "") -> None:
    """Call a deletion off, as long as it has not been done. Twice is once.

    Raises:
        NotFound: no such deletion of this member, or it was done.
    """
    async with db.transaction() as tx:
        await lock_members(tx, [member_id])
        done = await tx.fetchrow(
            "select cancelled_at, done_at from account_deletion where id = $1 and member_id = $2 for update", deletion_id, member_id
        )
        if done is None or done["done_at"] is not None:
            raise NotFound
        if done["cancelled_at"] is None:
            await tx.execute("update account_deletion set cancelled_at = $2 where id = $1", deletion_id, now)
            await note(tx, [member_id], "DELETION_CANCELLED", actor=Actor(f"member:{member_id}", request_id=request_id), now=now)


async def run_due(now: datetime, jobs: JobQueue) -> int:
    """Do the deletions whose wait is over, each in a transaction of its own; answers how many were done. The rest is tried a day later."""
    rows = await db.fetch(
        "select id, member_id from account_deletion where due_at <= $1 and cancelled_at is null and done_at is null order by due_at, id limit $2",
        now,
        MOST,
    )
    done = 0
    for row in rows:
        try:
            done += await _delete(row["id"], row["member_id"], now, jobs)
        except (OpenOrders, OnlyOwner) as error:
            async with db.transaction() as tx:
                postpone = "update account_deletion set due_at = $2 where id = $1 and cancelled_at is null and done_at is null"
                if await tx.execute(postpone, row["id"], now + DELETION_POSTPONED):
                    await note(tx, [row["member_id"]], "DELETION_POSTPONED", actor=WORKER, now=now, detail={"why": error.code})
    return done


async def _delete(deletion_id: UUID, member_id: UUID, now: datetime, jobs: JobQueue) -> int:
    async with db.transaction() as tx:
        # Accounts that were merged into this one go with it: nothing can be undone any more.
        rows = await tx.fetch(
            """with recursive all_of(id) as (
                 select $1::uuid union select g.absorbed_id from member_merge g join all_of on all_of.id = g.keeper_id where g.undone_at is null)
               select id from all_of order by id""",
            member_id,
        )
        people = [row["id"] for row in rows]
        await lock_identities(tx, people)
        await lock_members(tx, people)
        still = await tx.fetchval(
            "select 1 from account_deletion where id = $1 and cancelled_at is null and done_at is null and due_at <= $2 for update",
            deletion_id,
            now,
        )
        if still is None:
            return 0
        await _refuse_open(tx, member_id)
        names = await lock_buyers(tx, people)
        await _erase(tx, names, now)
        left = await tx.fetch(LEAVE_WAITING, [row["id"] for row in names])
        await jobs.enqueue(tx, RESTOCKED, [{"shop_id": str(r["shop_id"]), "variants": [str(v) for v in r["variants"]]} for r in left])
        ids = _pairs(names)
        await tx.execute(
            "delete from account_link l using unnest($1::text[], $2::text[]) k(provider, external_id) where l.provider = k.provider and l.external_id = k.external_id",
            [provider for provider, _ in ids],
            [external_id for _, external_id in ids],
        )
        for statement in OF_MEMBERS:
            await tx.execute(statement, people)
        await tx.execute("update membership set ended_at = $2 where member_id = any($1::uuid[]) and ended_at is null", people, now)
        await tx.execute(
            "update member set display_name = '', locale = '', ver = ver + 1, deleted_at = $2 where id = any($1::uuid[])", people, now
        )
        await tx.execute(
            "update account_deletion set done_at = $2, names = $3::jsonb where id = $1",
            deletion_id,
            now,
            jsonb(ids),
        )
        await note(tx, people, "DELETED", actor=WORKER, now=now)
    for person in people:
        standing.forget_member(person)
    return 1


async def erase_again(now: datetime) -> int:
    """Erase what came after a deletion: an edit of an old comment, or a name that a delivery was just writing; answers how many deletions had some.

    For a schedule of the worker; looks at deletions of the last 90 days. Then the stored deliveries of everybody deleted go.
    """
    late = await db.fetch(
        f"""select distinct d.id, d.member_id from account_deletion d join buyer b on b.member_id = d.member_id
            where d.done_at > $1 and (b.external_id not like '{ERASED}%'
              or exists (select from social_comment c where c.buyer_id = b.id and c.text <> '')) order by d.id""",
        now - ERASE_AGAIN,
    )
    for row in late:
        async with db.transaction() as tx:
            names = await lock_buyers(tx, [row["member_id"]])
            await _erase(tx, names, now)
            more = jsonb(_pairs(names))
            await tx.execute("update account_deletion set names = names || $2::jsonb where id = $1", row["id"], more)
    await _erase_deliveries()
    return len(late)


async def _refuse_open(tx: Tx, member_id: UUID) -> None:
    if await tx.fetchval(OWNS_ALONE, member_id) is not None:
        raise OnlyOwner
    if await tx.fetchval(HOLDS_ON, member_id) is not None:
        raise OpenOrders


async def _erase(tx: Tx, names: Sequence[Record], now: datetime) -> None:
    """A random id in place of each name's own, and nothing of what it wrote."""
    fresh = [row for row in names if not row["external_id"].startswith(ERASED)]
    await tx.execute(
        """update buyer b set external_id = k.external_id, name = '', inbox_id = null from unnest($1::uuid[], $2::text[]) k(id, external_id) where b.id = k.id""",
        [row["id"] for row in fresh],
        [f"{ERASED}{new_id()}" for _ in fresh],
    )
    for statement in WRITTEN:
        await tx.execute(statement, [row["id"] for row in names])
    await record(tx, WORKER, [Entry(row["shop_id"], "BUYER_ERASED", "buyer", row["id"]) for row in fresh], now=now)


def _pairs(names: Sequence[Record]) -> list[list[str]]:
    """(provider, id) of everything that these names are known by."""
    ids = [(row["provider"], row[kind]) for row in names for kind in ("external_id", "inbox_id")]
    return [[provider, known] for provider, known in ids if known is not None and not known.startswith(ERASED)]


AUTHORS: Final = (
    "value,from,id",
    "value,sender,id",
    "event,source,userId",
    "item,author,id",
    "update,message,from,id",
    "update,edited_message,from,id",
)
"""Where the platforms' payloads name their author."""


def _author_in(payload: str) -> str:
    return f"coalesce({', '.join([f'{payload} #>> {chr(39)}{{{path}}}{chr(39)}' for path in AUTHORS])})"


WROTE: Final = _author_in("e.payload")
ERASE_PARTS: Final = f"""
update inbox_event e set parts = cleaned.parts from page join inbox_event b on b.id = page.id cross join lateral (
  select jsonb_agg(case when k.source is null then p.part else jsonb_set(p.part, '{{3}}', '{{"erased": true}}') end order by p.place)::text as parts,
         count(k.source) as found
  from jsonb_array_elements(b.parts::jsonb) with ordinality p(part, place)
  left join unnest($2::text[], $3::text[]) k(source, author) on k.source = b.source and k.author = {_author_in("(p.part -> 3)")}) cleaned
where e.id = b.id and b.state <> 'PENDING' and b.parts is not null and cleaned.found > 0"""
"""The same for the events of bundles, each by itself (`inbox.bundles`)."""


async def _erase_deliveries() -> None:
    """One walk over the inbox for everybody whose deletion is done: what they sent leaves its id behind, so that it is never taken up twice."""
    rows = await db.fetch("select id, names from account_deletion where done_at is not null and names <> '[]'")
    pairs = {(provider, external_id) for row in rows for provider, external_id in from_jsonb(row["names"])}
    last: int | None = 0 if pairs else None
    while last is not None:
        last = await _erase_lot(pairs, last)
    await db.execute("update account_deletion set names = '[]' where id = any($1::uuid[])", [row["id"] for row in rows])


async def _erase_lot(pairs: Collection[tuple[str, str]], after: int) -> int | None:
    """The last id looked at; None at the end."""
    ordered = sorted(pairs)
    last: int | None = await db.fetchval(
        f"""with page as (select id from inbox_event where id > $1 order by id limit {LOT}),
            done as (
              update inbox_event e set payload = '{{"erased": true}}' from page, unnest($2::text[], $3::text[]) k(source, author)
              where e.id = page.id and e.state <> 'PENDING' and e.source = k.source and {WROTE} = k.author),
            parted as ({ERASE_PARTS})
            select max(id) from page""",
        after,
        [source for source, _ in ordered],
        [author for _, author in ordered],
    )
    return last
