"""What must always be true of the tables: one query per sentence, each gives no rows when all is well.

Run by `plusone doctor --invariants` and after every flow test. Numbers follow the reliability bar (docs/rules/invariants.md). What only the
code can break (I5 key answered once, I7 amounts of provider notices) is guarded by unique keys and tests beside the queries here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain import db

MOST_ROWS = 20


@dataclass(frozen=True, slots=True)
class Invariant:
    """A sentence, and the query for its counter-examples. `timed`: the query takes the present instant as $1."""

    code: str
    sentence: str
    sql: str
    timed: bool = False


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold, with at most MOST_ROWS counter-examples (ids and figures, no personal data)."""

    invariant: str
    sentence: str
    rows: list[dict[str, object]]


UNSETTLED = "('UNPAID','REPORTED','PENDING','FAILED','EXPIRED','PARTIALLY_PAID')"

BY_MONEY = "('order.mark_paid','order.paid_online','order.partly_paid_online')"
INVARIANTS = (
    Invariant(
        "I1",
        "no variant is oversold",
        """select variant_id, on_hand, held, committed, backorder_limit from stock_level
           where on_hand < 0 or held < 0 or committed < 0 or held + committed > on_hand + backorder_limit""",
    ),
    Invariant(
        "I2a",
        "the ledger's sums are the level's figures",
        """select distinct on (s.variant_id) s.variant_id, s.on_hand, s.held, s.committed, m.on_hand as ledger_on_hand, m.held as ledger_held, m.committed as ledger_committed
           from stock_level s cross join (values ('stock_movement'), ('stock_ledger')) of(ledger) left join (
             select 'stock_movement' as ledger, variant_id, sum(on_hand_delta) on_hand, sum(held_delta) held, sum(committed_delta) committed
             from stock_movement group by variant_id
             union all select 'stock_ledger', variant_id, sum(on_hand_delta), sum(held_delta), sum(committed_delta) from stock_ledger group by variant_id
           ) m using (ledger, variant_id)
           where (s.on_hand, s.held, s.committed) is distinct from (coalesce(m.on_hand, 0), coalesce(m.held, 0), coalesce(m.committed, 0))""",
    ),
    Invariant(
        "I2b",
        "held and committed are the pieces of open orders",
        f"""select s.variant_id, s.held, s.committed, o.held as orders_held, o.committed as orders_committed from stock_level s left join (
             select l.variant_id, sum(l.quantity - l.handed_over - l.shipped) filter (where o.payment_state in {UNSETTLED}) held,
                    sum(l.quantity - l.handed_over - l.shipped) filter (where o.payment_state not in {UNSETTLED}) committed
             from order_line l join "order" o on o.id = l.order_id where o.state in ('OPEN','LOCKED') group by l.variant_id) o using (variant_id)
           where (s.held, s.committed) is distinct from (coalesce(o.held, 0), coalesce(o.committed, 0))""",
    ),
    Invariant(
        "I2c",
        "the pieces that are waited for are the waiting list's open places",
        """select s.variant_id, s.waiting, w.places from stock_level s left join (
             select variant_id, sum(quantity) as places from waitlist_entry where state = 'WAITING' group by variant_id) w using (variant_id)
           where s.waiting is distinct from coalesce(w.places, 0)""",
    ),
    Invariant(
        "I3",
        "every stored event is decided or parked within 60 s",
        """select id, source, received_at from inbox_event e where state = 'PENDING' and (received_at < $1::timestamptz - interval '60 seconds'
             or not exists (select from inbox_undecided u where u.lane = e.lane and u.occurred_at = e.occurred_at and u.event_id = e.id and u.size = e.size))
           union all
           select u.event_id, '', u.received_at from inbox_undecided u left join inbox_event e on e.id = u.event_id where e.state is distinct from 'PENDING'""",
        timed=True,
    ),
    Invariant(
        "I4",
        "nothing is doubled: one comment, one claim, one line per order and variant",
        """select claim_id, variant_id, count(*) from order_line where claim_id is not null group by order_id, 1, 2 having count(*) > 1
           union all select comment_id, null, count(*) from claim group by 1 having count(*) > 1
           union all select channel_id, null, count(*) from social_comment group by channel_id, external_id having count(*) > 1""",
    ),
    Invariant(
        "I5",
        "an idempotency key is answered once",
        "select actor_id, key, count(*) from idempotency_key group by 1, 2 having count(*) > 1",
    ),
    Invariant(
        "I6a",
        "an order's lines and its total agree",
        """select o.id, o.subtotal_minor, o.total_minor, coalesce(l.sum, 0) as lines from "order" o
           left join (select order_id, sum(unit_price_minor * quantity) from order_line group by 1) l on l.order_id = o.id
           where o.subtotal_minor <> coalesce(l.sum, 0) or o.total_minor <> o.subtotal_minor + o.shipping_minor - o.discount_minor""",
    ),
    Invariant(
        "I6b",
        "what was paid is the sum of the payments",
        """select o.id, o.paid_minor, coalesce(p.sum, 0) as payments from "order" o
           left join (select order_id, sum(amount_minor) from payment group by 1) p on p.order_id = o.id where o.paid_minor <> coalesce(p.sum, 0)""",
    ),
    Invariant(
        "I7",
        "a payment has its order's currency and never exceeds it",
        """select p.id, p.order_id from payment p join "order" o on o.id = p.order_id
           where p.currency <> o.currency or o.paid_minor > o.total_minor or (o.payment_state = 'PAID' and o.paid_minor <> o.total_minor)""",
    ),
    Invariant(
        "I8",
        "a completed order was handed over or delivered; a cancelled one was never paid",
        """select id, state, payment_state, fulfilment_state from "order"
           where (state = 'COMPLETED' and fulfilment_state not in ('HANDED_OVER','DELIVERED'))
              or (state = 'CANCELLED' and payment_state in ('PAID','PARTIALLY_PAID') )""",
    ),
    Invariant(
        "I9",
        "every claim, payment, hand-over and parcel has an audit entry",
        f"""select 'claim' as kind, c.id from claim c where not exists (select 1 from audit_entry a where a.object_id = c.id)
           union all select 'payment', p.order_id from payment p
             where not exists (select 1 from audit_entry a where a.object_id = p.order_id and a.action in {BY_MONEY})
           union all select 'hand_over', h.id from hand_over h
             where not exists (select 1 from audit_entry a where a.object_id in (h.id, h.pickup_id))
           union all select 'shipment', s.id from shipment s where not exists (select 1 from audit_entry a where a.object_id = s.id)""",
    ),
    Invariant(
        "I10",
        "a notice reaches a device at most once, and every notice is in its member's inbox",
        """select notice_id as id, count(*) from push_delivery group by notice_id, device_id having count(*) > 1
           union all select n.id, 1 from notice n join buyer b on b.id = n.buyer_id where n.member_id is distinct from b.member_id""",
    ),
    Invariant(
        "I11",
        "no row links two shops, and orders and parcels follow their buyer's member",
        """select l.id from order_line l join "order" o on o.id = l.order_id where o.shop_id <> l.shop_id
           union all select c.id from claim c join social_comment s on s.id = c.comment_id where s.shop_id <> c.shop_id
           union all select o.id from "order" o join buyer b on b.id = o.buyer_id
             where b.shop_id <> o.shop_id or o.member_id is distinct from b.member_id
           union all select s.id from shipment s join buyer b on b.id = s.buyer_id where b.shop_id <> s.shop_id or s.member_id is distinct from b.member_id
           union all select s.id from shipment_line x join shipment s on s.id = x.shipment_id join order_line l on l.id = x.order_line_id
             join "order" o on o.id = l.order_id
             where x.shop_id <> s.shop_id or o.shop_id <> s.shop_id or x.order_id <> l.order_id or o.buyer_id <> s.buyer_id""",
    ),
    Invariant(
        "I12",
        "a line's reservation ends once: what moved for it is what it still holds",
        f"""select l.id, m.held, m.committed, l.quantity, l.handed_over, l.shipped, o.state, o.payment_state from order_line l join "order" o on o.id = l.order_id
           left join (select order_line_id, sum(held_delta) held, sum(committed_delta) committed from stock_ledger group by 1) m on m.order_line_id = l.id
           where coalesce(m.held, 0) <> case when o.state in ('OPEN','LOCKED') and o.payment_state in {UNSETTLED} then l.quantity - l.handed_over - l.shipped else 0 end
              or coalesce(m.committed, 0)
                 <> case when o.state in ('OPEN','LOCKED') and o.payment_state not in {UNSETTLED} then l.quantity - l.handed_over - l.shipped else 0 end""",
    ),
    Invariant(
        "I13",
        "pieces handed over have a record and never exceed the pieces due",
        """select l.id, l.quantity, l.handed_over, coalesce(h.sum, 0) as recorded from order_line l
           left join (select x.order_line_id, sum(x.quantity) from hand_over_line x join hand_over y on y.id = x.hand_over_id
             where not y.conflict group by 1) h on h.order_line_id = l.id
           where l.handed_over <> coalesce(h.sum, 0) or l.handed_over > l.quantity""",
    ),
    Invariant(
        "I14",
        "nothing to be sent lies forgotten",
        """select 'push' as kind, d.id from push_delivery d where d.state = 'PENDING' and d.next_try_at < $1::timestamptz - interval '10 minutes'
           union all select 'reply', r.id from platform_reply r where r.state = 'PENDING' and r.created_at < $1::timestamptz - interval '30 hours'""",
        timed=True,
    ),
    Invariant(
        "I15",
        "nobody signs in to an account that was deleted or is part of another one, and a deleted person has no name left",
        """with gone as (
              select id from member where deleted_at is not null union select absorbed_id from member_merge where undone_at is null)
            select 'identity' as kind, i.id from identity i join gone on gone.id = i.member_id
            union all select 'session', s.id from session s join gone on gone.id = s.member_id where s.ended_at is null
            union all select 'member', m.id from member m where m.deleted_at is not null and m.display_name <> ''
            union all select 'merge', a.id from member_merge a join member_merge b on b.absorbed_id = a.keeper_id and b.keeper_id = a.absorbed_id
              where a.undone_at is null and b.undone_at is null""",
    ),
    Invariant(
        "I16",
        "money that a payment provider says has come pays its order or waits to go back",
        """select o.id, o.came, o.used from (
              select t.order_id as id, sum(t.received_minor - t.surplus_minor) as came,
                     (select coalesce(sum(p.amount_minor), 0) from payment p where p.order_id = t.order_id and p.method = 'ONLINE') as used
              from payment_attempt t group by t.order_id) o where o.came <> o.used
            union all select p.order_id, 0, p.amount_minor from payment p
              where p.method = 'ONLINE' and not exists (select from payment_attempt t where t.order_id = p.order_id)""",
    ),
    Invariant(
        "I17",
        "no piece is collected, packed or sent twice: lines say what parcels hold, and never more than was ordered",
        """select l.id, l.quantity, l.handed_over, l.packed, l.shipped, p.packed as in_parcels, p.shipped as sent from order_line l left join (
             select x.order_line_id, sum(x.quantity) filter (where s.state = 'PREPARING') packed,
                    sum(x.quantity) filter (where s.left_at is not null and s.return_decision is distinct from 'SHIP_AGAIN') shipped
             from shipment_line x join shipment s on s.id = x.shipment_id group by 1) p on p.order_line_id = l.id
           where l.handed_over + l.packed + l.shipped > l.quantity or l.packed <> coalesce(p.packed, 0) or l.shipped <> coalesce(p.shipped, 0)""",
    ),
    Invariant(
        "I18",
        "every piece that left in a parcel left the ledger once, and came back once where the shop decided so",
        """select id, p.gone, p.back, m.gone as moved, m.back as moved_back from (
             select x.order_line_id as id, coalesce(sum(x.quantity) filter (where s.left_at is not null), 0) gone,
                    coalesce(sum(x.quantity) filter (where s.return_decision in ('RESTOCK','SHIP_AGAIN')), 0) back
             from shipment_line x join shipment s on s.id = x.shipment_id group by 1) p full join (
             select order_line_id as id, coalesce(-sum(on_hand_delta) filter (where kind = 'SHIPPED'), 0) gone,
                    coalesce(sum(on_hand_delta) filter (where kind = 'RETURNED'), 0) back
             from stock_ledger where kind in ('SHIPPED','RETURNED') group by 1) m using (id)
           where (coalesce(p.gone, 0), coalesce(p.back, 0)) is distinct from (coalesce(m.gone, 0), coalesce(m.back, 0))""",
    ),
    Invariant(
        "I19",
        "a parcel is where the newest thing said about it puts it",
        """select s.id, s.state, s.state_at, e.state as said, e.at from shipment s left join lateral (
             select state, at from shipment_event v where v.shipment_id = s.id order by at desc, array_position(
               array['SHIPPED','IN_TRANSIT','ARRIVED_AT_STORE','DELIVERED','RETURNING','RETURNED','LOST'], state::text) desc limit 1) e on true
           where (s.left_at is null and e.state is not null) or (s.left_at is not null and (s.state, s.state_at) is distinct from (e.state, e.at))""",
    ),
    Invariant(
        "I20",
        "a transfer waits for its answer exactly while its order is open and reported",
        """select coalesce(r.order_id, o.id) as id, r.state, o.state as order_state, o.payment_state
           from (select order_id, state from transfer_report where state = 'OPEN') r
           full join (select id, state, payment_state from "order" where state = 'OPEN' and payment_state = 'REPORTED') o on o.id = r.order_id
           where r.order_id is null or o.id is null""",
    ),
    Invariant(
        "I21",
        "a slot is taken by the orders that chose it, and by none that is cancelled",
        """select k.id, k.taken, coalesce(d.orders, 0) as orders, coalesce(d.cancelled, 0) as cancelled from pickup_slot k left join (
             select d.slot_id, count(*) orders, count(*) filter (where o.state = 'CANCELLED') cancelled
             from order_delivery d join "order" o on o.id = d.order_id group by d.slot_id) d on d.slot_id = k.id
           where k.taken <> coalesce(d.orders, 0) or coalesce(d.cancelled, 0) > 0""",
    ),
    Invariant(
        "I22",
        "an order that may be collected stands on the pass of its slot",
        """select po.order_id as id, p.id as pickup, p.slot_id, d.slot_id as chosen from pickup p join pickup_order po on po.pickup_id = p.id
           join "order" o on o.id = po.order_id and o.state in ('OPEN', 'LOCKED') left join order_delivery d on d.order_id = o.id
           where p.state = 'OPEN' and p.slot_id is distinct from d.slot_id""",
    ),
)


async def check(now: datetime) -> list[Violation]:
    """Run every query; answers the invariants that do not hold."""
    found = []
    for invariant in INVARIANTS:
        args = (now,) if invariant.timed else ()
        rows = await db.fetch(f"select * from ({invariant.sql}) x limit {MOST_ROWS}", *args)
        if rows:
            found.append(Violation(invariant.code, invariant.sentence, [dict(row) for row in rows]))
    return found
