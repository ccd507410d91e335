"""Rows for a buyer's screens: of every kind that they show, plain at first, then with something odd in every place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import asyncpg

from domain import db as database
from domain.claims.rules import ClaimOutcome, ReviewState
from domain.delivery.rules import DeliveryKind, StoreChain
from domain.orders.carriers import Carrier
from domain.payments.rules import OnlinePaymentMethod, SurplusReason
from domain.payments.transfer_rules import ReportState
from domain.posts.rules import PostState
from domain.shipping.rules import ShipmentState
from tests import build
from tests.api.graphql import test_budgets as budgets
from tests.parcels import an_order_to_send, packed, said

TEXTS = [
    "",
    "a",
    "五月團 ☀ 👩‍👩‍👧",
    "q\"'\\\n\t\b\f\r",
    "\x01\x1c\x1d\x1e\x1f\x7f",
    "null",
    "{x}",
    "</script>",
    "\u2028\u00ff\ufeff",
    "+/=",
    "x" * 60,
]
SHORT = TEXTS[:-1]
INSTANTS = [
    None, datetime(2026, 11, 21, 8, tzinfo=UTC), datetime(2026, 11, 21, 8, 0, 0, 120_000, tzinfo=UTC), datetime(2026, 2, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(1000, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC),
]  # fmt: skip
DAYS = [None, date(2026, 11, 21), date(1000, 1, 1), date(9999, 12, 30)]
EVENTS = [
    "{}",
    '{"lines": []}',
    '{"lines": 3}',
    '{"lines": [{"title": "五 \\u001f\\"", "label": "", "quantity": 2}, {"title": "", "label": "x", "quantity": 1}]}',
]
AMOUNTS = [0, 1, 9, 10, 99, 100, 123_456, 2**53 + 1, 10**15 - 1]
CURRENCIES = ["TWD", "HKD", "JPY", "USD"]
COLUMNS: dict[str, dict[str, Sequence[Any]]] = {
    "shop": {"name": TEXTS, "pickup_place": TEXTS, "currency": CURRENCIES},
    '"order"': {
        "currency": CURRENCIES, "subtotal_minor": AMOUNTS, "shipping_minor": AMOUNTS, "discount_minor": AMOUNTS, "total_minor": AMOUNTS,
        "paid_minor": AMOUNTS, "pay_by": INSTANTS, "updated_at": INSTANTS[1:], "version": [1, 7, 2**31 - 1],
        "fulfilment_state": list(build.FulfilmentState), "payment_state": list(build.PaymentState),
    },
    "order_line": {
        "title": TEXTS, "variant_label": TEXTS, "beneficiary": TEXTS, "unit_price_minor": AMOUNTS, "quantity": [0, 1, 3], "handed_over": [0, 5],
    },
    "buyer": {"name": TEXTS},
    "product": {"title": TEXTS},
    "variant": {"label": TEXTS, "price_minor": AMOUNTS},
    "sales_post": {"title": TEXTS, "state": list(PostState), "opens_at": INSTANTS, "closes_at": INSTANTS},
    "claim": {"reason": ["", "NO_STOCK"], "outcome": list(ClaimOutcome), "review": list(ReviewState), "decided_at": INSTANTS[1:]},
    "social_comment": {"text": TEXTS, "removed_at": INSTANTS, "permalink": TEXTS, "author_name": TEXTS},
    "notice": {"read_at": INSTANTS, "kind": ["ORDER_PLACED", "PICKUP_READY", "ANNOUNCEMENT", "SUGGESTION"]},
    "shipment": {
        "carrier_name": TEXTS, "tracking_number": ["", "A-1"], "store_code": ["", "1"], "store_name": TEXTS, "store_address": TEXTS,
        "carrier": list(Carrier), "state": ["PREPARING", "CANCELLED"], "state_at": INSTANTS[1:],
        "last_pickup_day": [None, date(2026, 11, 28), date(1, 1, 1), date(9999, 12, 31)],
    },
    "shipment_event": {"note": TEXTS, "at": INSTANTS[1:]},
    "pickup": {
        "not_after": INSTANTS, "state": ["OPEN", "COLLECTED"], "lent_issue": [None, 0, 1], "lent_to": [None, *SHORT], "lent_at": INSTANTS[1:],
        "lent_used_at": INSTANTS, "issue_number": [0, 1],
    },
    "payment": {"amount_minor": AMOUNTS[1:], "currency": CURRENCIES},
    "order_event": {"kind": ["PAID", "SHIPPED", "UNHEARD"], "actor": ["worker:x", "comment:1", "member:1"], "data": EVENTS},
    "delivery_offer": {
        "name": SHORT[1:], "place": TEXTS, "fee_minor": AMOUNTS, "kind": list(DeliveryKind), "chain": [None, *StoreChain],
    },
    "pickup_slot": {"capacity": [1, 9], "taken": [0, 1], "closed_at": INSTANTS, "starts_at": [INSTANTS[1]], "ends_at": INSTANTS[2:]},
    "order_delivery": {
        "store_code": ["", "123456"], "store_name": TEXTS, "recipient_name": TEXTS, "recipient_phone": ["", "0912 345-678"],
        "postal_code": ["", "106"], "address": TEXTS, "chosen_at": INSTANTS[1:],
    },
    "order_gift": {"sender": SHORT, "message": TEXTS, "token_hash": [None], "expires_at": INSTANTS[1:]},
    "transfer_report": {
        "last_five": ["", "00123"], "amount_minor": AMOUNTS[1:], "currency": CURRENCIES, "reason": TEXTS, "state": list(ReportState),
        "answered_at": INSTANTS, "paid_at": INSTANTS[1:], "slip_id": [None, build.new_id(), UUID(int=2**128 - 1), UUID(int=0)],
    },
    "payment_attempt": {
        "method": list(OnlinePaymentMethod), "amount_minor": AMOUNTS[1:], "currency": CURRENCIES, "bank": ["", "012"], "number": SHORT,
        "number_until": INSTANTS, "state": ["PAID", "FAILED"], "received_minor": [0, 700], "surplus_minor": [0, 0, 7],
        "surplus_reason": [None, *SurplusReason],
    },
}  # fmt: skip
"""What each column may hold; some values together the table itself refuses."""
KEYS = {"order_delivery": "order_id", "order_gift": "order_id"}
"""Keys that are not called id."""


async def odd(chance: Random, *, fits: bool = True) -> None:
    """Every row that screens show holds something odd; the guards of the tables look away meanwhile. `fits` False: also days that no text has."""
    async with database.transaction() as tx:
        await tx.execute("set local session_replication_role = replica")
        for table, columns in COLUMNS.items():
            key = KEYS.get(table, "id")
            for row in await tx.fetch(f"select {key} from {table} order by 1"):
                values = [chance.choice(list(choices)) for choices in columns.values()]
                sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(columns, 2))
                await _update(tx, f"update {table} set {sets} where {key} = $1", row[key], values)
        if fits:
            await tx.execute("update shipment set last_pickup_day = null where not isfinite(last_pickup_day)")


async def _update(tx: Any, sql: str, key: Any, values: Sequence[Any]) -> None:
    try:
        async with tx.raw.transaction():
            await tx.execute(sql, key, *values)
    except asyncpg.IntegrityConstraintViolationError:
        pass  # a pair of values that the table itself refuses


async def furnished(people: Any) -> None:
    """Orders, a pass, parcels and notices; one order with very many lines, one without any."""
    await budgets.furnished(people, 4)
    for n in range(2):
        order = await an_order_to_send(people.shop, buyer=people.buyer, created_at=build.NOW - timedelta(minutes=n))
        await database.execute(
            """insert into payment (id, shop_id, order_id, method, reference, amount_minor, currency, recorded_by, recorded_at)
               values ($1, $2, $3, 'CASH', '', 590, 'TWD', $1, $4)""",
            build.new_id(), people.shop.id, order.id, build.NOW,
        )  # fmt: skip
    variant = await build.a_variant(people.shop, on_hand=500)
    many = await build.an_order(people.shop, [(variant, 1)] * 105, buyer=people.buyer, payment=build.PaymentState.PAID)
    for n in range(4):
        parcel = await packed(many, {2 * n: 1, 2 * n + 1: 1}, now=build.NOW + timedelta(seconds=n))
        for hour, state in enumerate((ShipmentState.SHIPPED, ShipmentState.IN_TRANSIT)[: n % 3]):
            await said(many, parcel, state, at=build.NOW + timedelta(hours=hour), note="說明" * hour)
    await build.an_order(people.shop, [], buyer=people.buyer, payment=build.PaymentState.PAID)
    for n, facts in enumerate(('{"shopName": "小芳\\u001f\\"團"}', "{}", '{"title": "a", "body": "五 \\\\ "}', '{"orderId": "no"}')):
        await database.execute(
            """insert into notice (id, shop_id, buyer_id, member_id, kind, data, dedupe_key, created_at)
               values ($1, $2, $3, $4, 'ANNOUNCEMENT', $5::jsonb, $6, $7)""",
            build.new_id(), people.shop.id, people.buyer.id, people.member, facts, f"n{n}", build.NOW + timedelta(seconds=n, microseconds=n),
        )  # fmt: skip
    await _attached(people)


ORDERS = '(select *, row_number() over (order by created_at, id) as place from "order" where shop_id = $1)'
ATTACHED = (
    """update order_line l set claim_id = c.id from (select id, row_number() over (order by id) as place from claim) c
       where c.place = 1 + l.quantity % 3 and l.id in (select distinct on (order_id, variant_id) id from order_line order by order_id, variant_id, id)""",
    """insert into delivery_offer (id, shop_id, kind, name, place, fee_minor, chain, created_at)
       select gen_random_uuid(), $1, kind, kind, place, fee, chain, $2 from (values ('FACE_TO_FACE', '車站', 0, null),
         ('CONVENIENCE_STORE', '', 60, 'SEVEN_ELEVEN'), ('HOME', '', 120, null)) offers(kind, place, fee, chain)""",
    """insert into pickup_slot (id, shop_id, offer_id, starts_at, ends_at, capacity, taken, created_at)
       select gen_random_uuid(), $1, f.id, $2, $2::timestamptz + interval '1 hour', 9, 1, $2 from delivery_offer f where f.kind = 'FACE_TO_FACE'""",
    """insert into order_delivery (order_id, shop_id, offer_id, slot_id, recipient_name, chosen_at)
       select o.id, o.shop_id, f.id, (select k.id from pickup_slot k where k.offer_id = f.id), '小芳', $2
       from ORDERS o
       join (select id, row_number() over (order by kind) as place from delivery_offer) f on f.place = 1 + o.place % 4""",
    """update pickup p set slot_id = d.slot_id from pickup_order po join order_delivery d on d.order_id = po.order_id
       where po.pickup_id = p.id and d.slot_id is not null and p.shop_id = $1 and p.created_at <= $2""",
    """insert into order_gift (order_id, shop_id, token_hash, sender, message, expires_at, created_at)
       select o.id, o.shop_id, o.id::text, '我', '生日快樂', $2, $2 from ORDERS o where o.place % 2 = 0""",
    """insert into transfer_report (id, shop_id, order_id, state, last_five, paid_at, amount_minor, currency, reported_at, answer_by, answered_at)
       select gen_random_uuid(), o.shop_id, o.id, 'REFUSED', '01234', $2, 590, 'TWD', $2::timestamptz + n * interval '1 minute', $2, $2
       from ORDERS o, generate_series(1, 2) n where o.place % 3 = 0""",
    """insert into payment_attempt (id, shop_id, order_id, account_id, member_id, trade_no, method, amount_minor, currency, state, created_at, page_until,
         provider_no, code, bank, number, received_minor, surplus_minor, return_note, asked)
       select gen_random_uuid(), o.shop_id, o.id, o.id, o.member_id, left(md5(o.id::text || n), 20), 'ATM', 590, 'TWD', 'FAILED',
         $2::timestamptz + n * interval '1 minute', $2, '', '', '812', '0123', 0, 0, '', 0
       from ORDERS o, generate_series(1, 2) n where o.place % 2 = 1""",
)


async def _attached(people: Any) -> None:
    """Something of all that hangs on an order, on some of them; the guards of the tables look away."""
    async with database.transaction() as tx:
        await tx.execute("set local session_replication_role = replica")
        for sql in ATTACHED:
            given = (people.shop.id, build.NOW) if "$2" in sql else ()
            assert await tx.execute(sql.replace("ORDERS", ORDERS), *given), sql
