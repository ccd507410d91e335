"""Every line of the evening has exactly one receipt, and it says what the tables say."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from domain import bootstrap
from domain import db as database
from domain.audit.commands import Actor
from domain.bootstrap import Services
from domain.claims import waiting
from domain.claims.proof import check
from domain.claims.receipts import receipt_keys, receipts_of
from domain.clock import FixedClock
from domain.ids import new_id, public_id, read_public_id
from domain.members import keys
from domain.orders.queries import visible_lines
from domain.paging import Wanted
from domain.payments.commands import mark_paid
from domain.payments.rules import PaymentMethod
from domain.settings import load
from domain.stock.commands import adjust
from domain.stock.rules import AdjustReason
from plusone import invariants
from plusone.demo.places import EVENING
from plusone.demo.record import recorded
from plusone.demo.run import SECRET_KEY
from tests.flows.test_evening import store
from workers.ingest import drain_all

AFTER = EVENING + timedelta(minutes=35)
STAFF = Actor(f"member:{UUID(int=1)}", "OWNER")


async def test_every_line_of_the_evening_resolves_to_one_receipt(db: str) -> None:
    keys.forget()
    await store(recorded())
    services = bootstrap.services(load(_env_file=None, environment="development", secret_key=SECRET_KEY), clock=FixedClock(AFTER))
    keys.sign_with(services.vault)
    await drain_all(services)
    await the_shops_take_money_and_more_arrives(services)
    told: list[dict[str, Any]] = []
    lines = 0
    for shop_id, owner in await database.fetch("select shop_id, member_id from membership where role = 'OWNER' order by shop_id"):
        ids = [row["id"] for row in await database.fetch("select id from order_line where shop_id = $1 order by id", shop_id)]
        assert ids
        claims = await claims_of(ids, owner)
        for some in lots(sorted(set(claims.values()))):
            receipts = await receipts_of(some, owner, now=AFTER)
            assert sorted(receipts) == some
            told += [check(r.document.encode(), r.signature, r.kid, await receipt_keys()) for r in receipts.values()]
        lines += len(ids)
    of_receipts = Counter(line["id"] for document in told for order in document["orders"] for line in order["lines"])
    assert len(of_receipts) == lines
    assert set(of_receipts.values()) == {1}
    assert lines > 150
    assert max(len(document["orders"]) for document in told) > 1
    await say_what_the_tables_say(told)
    assert await invariants.check(AFTER) == []


async def the_shops_take_money_and_more_arrives(services: Services) -> None:
    """Every unpaid order with a waiting claim is paid; then there is enough for all who wait, on orders of their own."""
    orders = await database.fetch(
        """select distinct o.id, o.shop_id from "order" o join claim c on c.order_id = o.id join waitlist_entry w on w.claim_id = c.id
           where o.state = 'OPEN' and o.payment_state = 'UNPAID' and w.state = 'WAITING' order by o.id"""
    )
    for order in orders:
        await mark_paid(
            order_id=order["id"], shop_id=order["shop_id"], method=PaymentMethod.CASH, reference="r", amount_minor=None, expected_version=None,
            actor=STAFF, by_member_id=new_id(), now=AFTER, jobs=services.jobs,
        )  # fmt: skip
    for row in await database.fetch("select distinct shop_id, variant_id from waitlist_entry where state = 'WAITING' order by 1, 2"):
        await adjust(
            shop_id=row["shop_id"],
            variant_id=row["variant_id"],
            delta=100,
            reason=AdjustReason.RECEIPT,
            actor=STAFF,
            now=AFTER,
            jobs=services.jobs,
        )
        await waiting.fill(shop_id=row["shop_id"], variant_ids=[row["variant_id"]], now=AFTER, jobs=services.jobs)


def lots(claims: Sequence[UUID]) -> Iterator[list[UUID]]:
    for begin in range(0, len(claims), 100):
        yield list(claims[begin : begin + 100])


async def claims_of(lines: Sequence[UUID], owner: UUID) -> dict[str, UUID]:
    """The claim of each line, as the screens show it."""
    rows = await visible_lines(lines, owner, wanted=Wanted.of("claim"), language="en")
    assert len(rows) == len(lines)
    found = {row["id"]: read_public_id(row["claim"]["id"]) for row in rows.values() if row["claim"] is not None}
    assert len(found) == len(lines)
    return {line: claim[1] for line, claim in found.items() if claim is not None}


async def say_what_the_tables_say(told: Sequence[dict[str, Any]]) -> None:
    rows = await database.fetch(
        """select l.id, l.title, l.variant_label, l.quantity, l.handed_over, o.number, o.id as order_id, s.name,
             coalesce((select sum(held_delta) from stock_movement m where m.order_line_id = l.id), 0) as held
           from order_line l join "order" o on o.id = l.order_id join shop s on s.id = l.shop_id"""
    )
    stored = {
        (public_id("line", r["id"]), r["title"], r["variant_label"], r["quantity"], r["handed_over"], r["number"], public_id("order", r["order_id"]), r["name"],
         int(r["held"]))
        for r in rows
    }  # fmt: skip
    shown = {
        (line["id"], line["title"], line["label"], line["quantity"], line["handedOver"], order["number"], order["id"], document["shop"]["name"],
         sum(change.get("held", 0) for change in line["changes"]))
        for document in told for order in document["orders"] for line in order["lines"]
    }  # fmt: skip
    assert shown == stored
    for document in told:
        comment = document["comment"]
        assert document["complete"]
        if "text" in comment:
            assert hashlib.sha256(comment["text"].encode()).hexdigest() == comment["textSha256"]
            assert [token for token in document["matched"] if comment["text"][token["start"] : token["end"]] != token["text"]] == []
        else:
            assert (document["matched"], comment["platform"], comment["removedAt"] is not None) == ([], "LINE_GROUP", True)
    assert sum("text" in document["comment"] for document in told) > 100
