"""What workers and commands do, each run over the seed's busiest shop; for tests of how the statements run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from domain import db
from domain.audit.seal import seal
from domain.claims import replies, waiting
from domain.idempotency import commands as idempotency
from domain.ids import new_id
from domain.inbox import queries as inbox
from domain.inbox.commands import replay_parked
from domain.inbox.drain import Cursor, drain_one
from domain.members import alerts, grants, linking, sweeping
from domain.members.rules import AlertKind
from domain.notices import announcements, deliveries, digests
from domain.notices.commands import mark_all_read, mark_read
from domain.notices.deciding import admit
from domain.orders.carriers import Carrier
from domain.orders.commands import expire_due
from domain.orders.reminders import remind_due
from domain.payments import attempts
from domain.payments.accounts import set_account
from domain.payments.commands import mark_paid
from domain.payments.ecpay import Told, Word
from domain.payments.results import still_open, take, unanswered
from domain.payments.returning import mark_returned
from domain.payments.rules import OnlinePaymentMethod, PaymentMethod
from domain.pickup import commands as pickup
from domain.providers.pgqueuer_enqueue import PgQueuerJobs
from domain.shipping import commands as shipping
from domain.shipping.chosen import Label
from domain.shipping.importing import take_rows
from domain.shipping.reminders import remind_last_days
from domain.shipping.rules import ReturnDecision, Said, ShipmentState
from domain.shipping.table import read_table
from domain.stock.commands import adjust
from domain.stock.rules import AdjustReason
from domain.upkeep import commands
from domain.upkeep.rules import Keep
from domain.vault import Vault
from tests.build import NOW
from tests.counter import CLERK, CLERK_ID, KEYS, SIGNER, VAULT
from tests.domain.inbox.bundling import bundle_what_waits
from tests.ecpay_server import IV, KEY, MERCHANT
from tests.growth.lists import lists
from tests.growth.seeded import Seeded
from tests.growth.wall import code_of, wall_of
from tests.wall import Wall
from workers.ingest import handler
from workers.payments import AT_ONCE, OPEN_ATTEMPTS

LOT, LOTS = 100, 10
"""So small that what a lot of the upkeep reads and sorts is far below what the seed holds."""


POSTS_OF_YEARS = """
/* arranged */ with old as (
  insert into sales_post (id, shop_id, title, state, delivery_method, version, created_at)
  select gen_random_uuid(), id, 'old ' || n, 'CLOSED', 'PICKUP', 1, $1 from shop cross join generate_series(1, 100) n returning id, shop_id)
insert into post_placement (id, shop_id, post_id, channel_id, external_post_id, created_at)
select gen_random_uuid(), shop_id, old.id, c.id, 'old-' || old.id, $1 from old join channel c using (shop_id)"""
"""The seed's channels have a dozen posts each, and of so few it is all the same by what they are found."""
REPLIES_OF_YEARS = """
/* arranged */ insert into platform_reply (id, shop_id, comment_id, kind, text, state, tries, external_id, last_error, dedupe_key, created_at, sent_at)
select gen_random_uuid(), shop_id, id, 'PUBLIC', 'ok', 'SENT', 1, '', '', 'upkeep:' || id, received_at, received_at from social_comment order by id limit 400"""


@dataclass(frozen=True, slots=True)
class Work:
    """A part of the workers: how it is run, how many statements that shows at least, and texts of statements that may do more."""

    run: Callable[[Seeded], Awaitable[object]]
    at_least: int = 1
    allowed: Mapping[str, str] = field(default_factory=dict)


async def analyse(tables: str = "") -> None:
    """Have the planner know these tables, or all, on a connection without a limit: it waits wherever the server cleans just then."""
    connection = await db.dedicated()
    await connection.execute(f"/* arranged */ analyze {tables}")
    await connection.close()


async def live(seed: Seeded) -> int:
    """Regulars and newcomers order, change their minds, and take comments back."""
    wall = await wall_of(seed)
    rows = await db.fetch(
        "/* arranged */ select external_id from buyer where shop_id = $1 and provider = 'facebook' order by created_at limit 30", seed.shop
    )
    known = [row["external_id"] for row in rows]
    code = await code_of(wall)
    said = [await wall.says(author, f"{code}+1") for author in [*known, *[f"newcomer-{n}" for n in range(30)]]]
    done = await wall.drain()
    for n, comment in enumerate(said[:20]):
        await wall.says((known or ["newcomer-0"])[0] if n < len(known) else "newcomer-1", f"{code}+2", comment=comment, verb="edited")
    await wall.says("newcomer-2", "", comment=said[-1], verb="remove")
    await wall.says("newcomer-3", "還有嗎？")
    return done and await wall.drain() and await bundled(wall, code)


async def bundled(wall: Wall, code: str) -> int:
    """Comments of one commit share a row, with another among them; and one that does not fit a batch comes apart."""
    done = 0
    for most in (400, 2):
        at = NOW + timedelta(hours=1, seconds=most)
        for n in range(8):
            await wall.says(f"newcomer-{n}", f"{code}+1", at=at + timedelta(seconds=n % 2))
        await bundle_what_waits(wall.endpoint_id)
        await wall.says("newcomer-8", f"{code}+1", at=at)
        drained = await drain_one(Cursor(), handler(wall.services), now=wall.services.clock.now, most=most)
        done += len(drained.verdicts) if drained else 0
    return done and await wall.drain()


async def waiters(seed: Seeded) -> int:
    """Pieces arrive for those who wait, and for paid orders that wait."""
    wall = await wall_of(seed)
    variants = [v.id for v in wall.product.variants]
    await wall.says("newcomer-9", f"{await code_of(wall)}+3")
    await wall.drain()
    await db.execute(
        "/* arranged */ update stock_level set on_hand = held + committed where variant_id = any($1::uuid[]) and on_hand > held + committed",
        variants,
    )
    await wall.says("newcomer-10", f"{await code_of(wall)}+2")
    await wall.drain()
    await adjust(
        shop_id=seed.shop, variant_id=variants[0], delta=50, reason=AdjustReason.RECEIPT, actor=CLERK, now=NOW, jobs=seed.services.jobs
    )
    filled = await waiting.fill(shop_id=seed.shop, variant_ids=variants, now=NOW, jobs=seed.services.jobs)
    late = await db.fetch(
        """/* arranged */ select distinct l.variant_id from order_line l join "order" o on o.id = l.order_id
           where o.shop_id = $1 and o.state = 'OPEN' and o.fulfilment_state = 'WAITING_STOCK' limit 2""",
        seed.shop,
    )
    await db.execute(
        "/* arranged */ update stock_level set on_hand = on_hand + 100 where variant_id = any($1::uuid[])", [row[0] for row in late]
    )
    await pickup.ready_waiting_orders(shop_id=seed.shop, variant_ids=[row[0] for row in late], now=NOW, jobs=seed.services.jobs)
    return filled


async def deadlines(seed: Seeded) -> int:
    """Reminders, then expiry, then seals."""
    now = NOW + timedelta(days=30)
    await db.execute(
        """/* arranged */ insert into payment_reminder (shop_id, order_id, half_at, due_at)
           select o.shop_id, o.id, at, at from "order" o cross join lateral (select $1::timestamptz - random() * interval '1 day' + o.version * interval '0' as at) due where state = 'OPEN' and payment_state = 'UNPAID' on conflict do nothing""",
        NOW,
    )
    told = await remind_due(now=NOW, limit=5_000, jobs=seed.services.jobs)
    await db.execute(
        """/* arranged */ update shipment set state = 'ARRIVED_AT_STORE', store_code = '1', last_pickup_day = $1::timestamptz::date, remind_at = $1, left_at = $1,
             version = version + 1 where id in (select id from shipment where state <> 'CANCELLED' and return_decision is null order by id limit 150)""",
        NOW,
    )
    assert await remind_last_days(now=NOW, limit=100, jobs=seed.services.jobs) == 100
    expired = await expire_due(now=now, limit=5_000, jobs=seed.services.jobs)
    while await seal(now=now, limit=1_000):
        pass
    return told and expired


async def outbox(seed: Seeded) -> int:
    """Pushes and replies are leased, marked, put off and dropped."""
    jobs = PgQueuerJobs()  # of a program that has a sender of replies
    await db.execute("/* arranged */ update push_delivery set state = 'PENDING', tries = 0, next_try_at = $1, use_by = $2 where id in (select id from push_delivery order by id desc limit 150)",
                     NOW, NOW + timedelta(hours=1))  # fmt: skip
    pushes = await deliveries.claim_due(now=NOW, limit=100)
    assert await admit(pushes, now=NOW, jobs=jobs)
    due = await digests.claim_due(NOW + timedelta(hours=1))
    await digests.close(due[:1], due[1:], now=NOW)
    async with db.transaction() as tx:
        await deliveries.mark_sent(tx, {push.id: "x" for push in pushes[:40]}, now=NOW)
        await deliveries.mark_dropped(tx, pushes[40:60], "gone", now=NOW)
        await deliveries.park(tx, pushes[60:70], "odd")
        await deliveries.retry_at(tx, pushes[70:], NOW, "later", jobs=jobs)
    await deliveries.claim_due(now=NOW, ids=[push.id for push in pushes])
    await deliveries.due_in([push.id for push in pushes], now=NOW)
    await deliveries.drop_late("late", now=NOW + timedelta(days=1))
    await db.execute(POSTS_OF_YEARS, NOW)
    await analyse("sales_post, post_placement")
    comments = await db.fetch("/* arranged */ select id, shop_id from social_comment order by id desc limit 50")
    async with db.transaction() as tx:
        for row in comments:
            draft = replies.ReplyDraft(row["id"], replies.ReplyKind.PUBLIC, "ok", f"plans:{row['id']}")
            await replies.enqueue_replies(tx, row["shop_id"], [draft], now=NOW, jobs=jobs)
    due = await replies.claim_due(now=NOW, limit=20)
    await replies.mark_sent(due[0], "x", now=NOW)
    await replies.refuse(due[1], "no")
    await replies.retry_at(due[2], NOW, "later", jobs=jobs)
    await replies.claim_due(now=NOW, ids=[reply.id for reply in due])
    await replies.due_in([reply.id for reply in due], now=NOW)
    await replies.drop_all("none")
    return len(pushes) and len(due)


async def counter(seed: Seeded) -> int:
    """Money is taken, a pass is shown, scanned and confirmed, and a notice is read."""
    order = await db.fetchrow(
        """/* arranged */ select id, shop_id from "order" where shop_id = $1 and state = 'OPEN' and payment_state = 'REPORTED' and delivery_method = 'PICKUP'
           order by id limit 1""",
        seed.shop,
    )
    assert order is not None
    await mark_paid(
        order_id=order["id"], shop_id=seed.shop, method=PaymentMethod.CASH, reference="r", amount_minor=None, expected_version=None,
        actor=CLERK, by_member_id=CLERK_ID, now=NOW, jobs=seed.services.jobs,
    )  # fmt: skip
    here = await db.fetchrow(
        """/* arranged */ select k.id, k.member_id from pickup k join pickup_order po on po.pickup_id = k.id join "order" o on o.id = po.order_id
           where k.shop_id = $1 and k.state = 'OPEN' and k.member_id is not null and o.fulfilment_state = 'READY_FOR_PICKUP' order by k.id limit 1""",
        seed.shop,
    )
    assert here is not None
    issued = await pickup.issue(member_id=here["member_id"], pickup_id=here["id"], shop_id=None, signer=SIGNER, now=NOW)
    await pickup.issue(member_id=here["member_id"], pickup_id=None, shop_id=seed.shop, signer=SIGNER, now=NOW)
    issued = await pickup.issue(member_id=here["member_id"], pickup_id=here["id"], shop_id=None, signer=SIGNER, now=NOW)
    for token in (issued.short_code, issued.token):
        preview = await pickup.scan(shop_id=seed.shop, token=token, scanner_id=CLERK_ID, device="d", public_keys=KEYS, vault=VAULT, now=NOW)
    await pickup.confirm(
        shop_id=seed.shop, scan_id=preview.scan_id, lines=None, collected_minor=0, actor=CLERK, by_member_id=CLERK_ID, device="d",
        vault=VAULT, now=NOW, jobs=seed.services.jobs,
    )  # fmt: skip
    unread = await db.fetch("/* arranged */ select id from notice where member_id = $1 and read_at is null limit 20", seed.member)
    return await mark_read(member_id=seed.member, ids=[row["id"] for row in unread], now=NOW)


async def announcing(seed: Seeded) -> int:
    """The busiest shop tells all its buyers, and those of a post."""
    post = await db.fetchval("/* arranged */ select post_id from order_line where shop_id = $1 and post_id is not null limit 1", seed.shop)
    told = 0
    for one in (None, post):
        words = announcements.Words("t", "b")
        made = await announcements.announce(
            shop_id=seed.shop, post_id=one, words=words, by_member_id=seed.owner, actor=CLERK, now=NOW, jobs=seed.services.jobs
        )
        told += await announcements.tell_next(made, None, now=NOW, jobs=seed.services.jobs)
    await mark_all_read(member_id=seed.member, before=NOW, now=NOW)
    return told


async def payments(seed: Seeded) -> int:
    """Orders are paid online: begun, told of, asked about, paid, ended; and money goes back."""
    shop = await db.fetchrow("/* arranged */ select id, currency from shop where id = $1", seed.shop)
    assert shop is not None
    await set_account(
        shop_id=seed.shop, merchant_id=MERCHANT, hash_key=KEY, hash_iv=IV, live=False, production=False, vault=VAULT, now=NOW, actor=CLERK
    )
    orders = await db.fetch(
        """/* arranged */ select id, member_id from "order" where shop_id = $1 and state = 'OPEN' and payment_state = 'UNPAID' and member_id is not null
             and total_minor between 31 and 20000 and (pay_by is null or pay_by > $2) order by id limit 3""",
        seed.shop,
        NOW + timedelta(days=1),
    )
    for order in orders:
        await attempts.begin(
            order_id=order["id"], member_id=order["member_id"], method=OnlinePaymentMethod.CARD, vault=VAULT, now=NOW, actor=CLERK
        )
    tried = await db.fetch("/* arranged */ select id, account_id, trade_no, amount_minor from payment_attempt order by id")
    await attempts.page(token=attempts.page_path(tried[0]["id"], VAULT)[5:], base_url="", ecpay_url=None, vault=VAULT, now=NOW)
    for attempt, amount in zip(tried, (tried[0]["amount_minor"], 7), strict=False):
        told = Told(Word.PAID, MERCHANT, attempt["trade_no"], f"26{attempt['trade_no']}"[:20], amount, "1")
        await take(account_id=attempt["account_id"], told=told, source="NOTICE", now=NOW, jobs=seed.services.jobs)
    await mark_returned(attempt_id=tried[1]["id"], shop_id=seed.shop, note="x", actor=CLERK, by_member_id=CLERK_ID, now=NOW)
    asked = await db.fetch(OPEN_ATTEMPTS, NOW + timedelta(minutes=20), AT_ONCE)
    await unanswered(attempt_id=tried[2]["id"], now=NOW)
    await still_open(attempt_id=tried[2]["id"], now=NOW + timedelta(days=1))
    return len(asked)


async def parcels(seed: Seeded) -> bool:
    """Parcels are packed, labelled, sent, told of, returned and settled, one by one and from a table; one is cancelled."""
    jobs = seed.services.jobs
    rows = await db.fetch(
        """/* arranged */ select o.id, o.number from "order" o where o.shop_id = $1 and o.state = 'OPEN' and o.payment_state in ('PAID', 'NONE_DUE')
             and o.fulfilment_state in ('LABELLED', 'READY_FOR_PICKUP', 'UNFULFILLED') and exists (select from order_line l where l.order_id = o.id and l.quantity > l.handed_over + l.packed)
             and not exists (select from order_line l join stock_level s on s.variant_id = l.variant_id where l.order_id = o.id and s.committed < l.quantity - l.handed_over)
           order by o.created_at desc limit 3""",
        seed.shop,
    )
    label, said = Label(Carrier.POST), (ShipmentState.SHIPPED, ShipmentState.RETURNING, ShipmentState.RETURNED)
    first, second, third = rows
    dropped = await shipping.create(shop_id=seed.shop, pieces=None, order_id=first["id"], label=label, actor=CLERK, now=NOW)
    await shipping.cancel(shop_id=seed.shop, shipment_id=dropped, actor=CLERK, now=NOW, jobs=jobs)
    for order, decision in ((first, ReturnDecision.RESTOCK), (second, ReturnDecision.SHIP_AGAIN)):
        sent = await shipping.create(shop_id=seed.shop, pieces=None, order_id=order["id"], label=label, actor=CLERK, now=NOW)
        for after, state in enumerate(said):
            at = NOW + timedelta(minutes=after)
            await shipping.hear(shop_id=seed.shop, shipment_id=sent, said=Said(state, at, ""), freely=False, actor=CLERK, now=at, jobs=jobs)
        await shipping.settle_return(shop_id=seed.shop, shipment_id=sent, decision=decision, actor=CLERK, now=NOW, jobs=jobs)
    table = (
        f"order_number,carrier,tracking_number,state\n{third['number']},T_CAT,PLANS2,SHIPPED\n{third['number']},T_CAT,PLANS2,IN_TRANSIT\n"
    )
    taken = await take_rows(
        read_table(table, time_zone="Asia/Taipei", now=NOW),
        shop_id=seed.shop,
        describe=lambda error: {"code": type(error).__name__},
        actor=CLERK,
        now=NOW,
        jobs=jobs,
    )
    assert [row.refusal for row in taken] == [None, None]
    return await shipping.relabel(
        shop_id=seed.shop, shipment_id=taken[0].shipment_id or dropped, tracking_number="PLANS1", actor=CLERK, now=NOW
    )


async def sweeps(seed: Seeded) -> int:
    """Sign-in rows, keys of answered requests, and people who came between two looks."""
    await db.execute(
        "/* arranged */ insert into idempotency_key (id, actor_id, key, request_hash, created_at) select gen_random_uuid(), gen_random_uuid(), n::text, '', $1 from generate_series(1, 500) n",
        NOW,
    )
    await analyse("idempotency_key")
    forgotten = await idempotency.forget(before=NOW + timedelta(days=3), limit=5_000)
    over = await sweeping.forget_expired(NOW + timedelta(days=200))
    wall = await wall_of(seed)
    await wall.says("newcomer-4", f"{await code_of(wall)}+1")
    await wall.drain()
    await db.execute(
        "/* arranged */ insert into identity (id, member_id, provider, subject, created_at, last_seen_at) values ($1, $2, 'facebook', 'newcomer-4', $3, $3)",
        new_id(), seed.member, NOW,
    )  # fmt: skip
    linked = await linking.link_missed(NOW + timedelta(minutes=5))
    return forgotten and over and linked and await _alerts(seed)


async def _alerts(seed: Seeded) -> int:
    """Members are told of their sign-ins, and grants of deleted ones are looked for."""
    async with db.transaction() as tx:
        for kind in AlertKind:
            await alerts.raise_alert(tx, kind, member_id=seed.member, session_id=new_id(), installation_id="plans", now=NOW)
    due = await alerts.claim_due(NOW)
    await alerts.mark_sent([alert.id for alert in due], NOW)
    shown = await alerts.alerts_of(seed.member)
    await grants.note_deleted(NOW)
    await grants.claim_due("apple", Vault("a root secret that is used by tests only, 48 chars"), NOW)
    return len(due) and len(shown)


async def looks(seed: Seeded) -> bool:
    """What health, metrics and the doctor ask."""
    await inbox.backlog(NOW)
    await replay_parked()
    return True


async def upkeep(seed: Seeded) -> int:
    """Years later: whatever goes, goes in one run. Half of the notices were read by then."""
    await db.execute("/* arranged */ update inbox_event set state = 'PARKED', parked_reason = 'odd' where id % 7 = 0")
    await db.execute("/* arranged */ update notice set read_at = created_at where read_at is null and hashtext(id::text) % 2 = 0")
    await db.execute(
        """/* arranged */ insert into transfer_slip (id, shop_id, order_id, content, width, height, created_at)
           select gen_random_uuid(), shop_id, id, decode('ffd8ff00', 'hex'), 1, 1, created_at from "order" order by id limit 400"""
    )
    await db.execute(
        """/* arranged */ insert into transfer_report (id, shop_id, order_id, state, last_five, paid_at, amount_minor, currency, slip_id, reason,
             reported_at, answer_by, answered_at)
           select gen_random_uuid(), shop_id, order_id, 'REFUSED', '12345', created_at, 1, 'TWD', id, '', created_at, created_at, created_at
           from transfer_slip order by id limit 200"""
    )
    await db.execute(REPLIES_OF_YEARS)
    await analyse()
    kept = commands.LOT, commands.LOTS
    commands.LOT, commands.LOTS = LOT, LOTS
    try:
        gone = await commands.forget_old(Keep(), now=NOW + timedelta(days=500))
        await commands.forget_old(Keep(), now=NOW + timedelta(days=5_000))
    finally:
        commands.LOT, commands.LOTS = kept
    return min(count for kind, count in gone.items() if kind != "pushes")


WORK: dict[str, Work] = {
    "drain": Work(live, 40),
    "lists of comments": Work(lists, 40),
    "waiting list": Work(
        waiters,
        40,
        {"running as (select order_id": "reads what is left to hand over of a variant; orders that were cancelled are among it"},
    ),
    "counter": Work(counter, 25),
    "payments": Work(payments, 20),
    "parcels": Work(parcels, 30),
    "outbox": Work(outbox, 15),
    "announcing": Work(
        announcing, 15, {"l.post_id = $5": "of a post's buyers: what each of a lot of the shop's buyers ordered is looked through"}
    ),
    "sweeps": Work(sweeps, 15, {"set member_id = $1": "a member's own rows, once, when an identity is linked"}),
    "looks": Work(looks, 2),
    "deadlines": Work(deadlines, 12),
    "upkeep": Work(upkeep, 100),
}
