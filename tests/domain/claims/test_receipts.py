"""What a receipt tells, of whom, and to whom."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain import db as database
from domain.audit.commands import Actor
from domain.claims.commands import ResolveAction, resolve
from domain.claims.proof import check
from domain.claims.receipts import MOST, receipt_keys, receipts_of
from domain.claims.rules import Shortage
from domain.ids import new_id, public_id
from domain.members import keys
from domain.members.linking import link_buyers
from domain.members.rules import KeyUse
from domain.orders.commands import cancel
from domain.shops.rules import Role
from plusone.invariants import check as broken
from tests import build
from tests.build import NOW
from tests.domain.claims import acts
from tests.sql_recorder import recorded
from tests.wall import PAGE, Wall, a_wall

LATER = NOW + timedelta(minutes=5)
PHONE = "0912-345-678"


@pytest.fixture(autouse=True)
async def invariants_hold(db: str):
    yield
    assert await broken(NOW + timedelta(seconds=30)) == []


async def opened(**policy: Any) -> Wall:
    """A wall whose deployment has its keys."""
    wall = await a_wall(**policy)
    await keys.ensure_keys(wall.services.vault, NOW)
    return wall


async def claim_of(comment: str) -> UUID:
    found: UUID = await database.fetchval(
        "select k.id from claim k join social_comment c on c.id = k.comment_id where c.external_id = $1", comment
    )
    return found


async def linked(author: str, provider: str = "facebook") -> UUID:
    """The author signs in: the member's id."""
    member = await build.a_member()
    async with database.transaction() as tx:
        assert await link_buyers(tx, member, provider, author, NOW) == 1
    return member


async def told(comment: str, member: UUID) -> dict[str, Any]:
    """The receipt's document, proven."""
    claim = await claim_of(comment)
    found = await receipts_of([claim], member, now=LATER)
    receipt = found[claim]
    return check(receipt.document.encode(), receipt.signature, receipt.kid, await receipt_keys())


def the_order(order: UUID, number: str, line: UUID, comment: str, at: str) -> dict[str, Any]:
    """What the document says of the paid order of two red tiles."""
    return {
        "id": public_id("order", order),
        "number": number,
        "placedAt": at,
        "state": "OPEN",
        "paymentState": "PAID",
        "fulfilmentState": "READY_FOR_PICKUP",
        "lines": [
            {
                "id": public_id("line", line),
                "title": "瓦片",
                "label": "紅",
                "quantity": 2,
                "handedOver": 0,
                "unitPrice": "590",
                "total": "1180",
                "currency": "TWD",
                "hold": {"held": 0, "committed": 2, "until": None},
                "changes": [
                    {"kind": "HELD", "at": at, "by": "BUYER", "comment": comment, "held": 2},
                    {"kind": "COMMITTED", "at": at, "by": "OWNER", "held": -2, "committed": 2},
                ],
            }
        ],
        "changes": [
            {"kind": "OPENED", "at": at, "by": "SYSTEM"},
            {"kind": "LINES_ADDED", "at": at, "by": "BUYER", "comment": comment, "lines": [{"title": "瓦片", "label": "紅", "quantity": 2}]},
            {"kind": "MEMBER_LINKED", "at": at, "by": "BUYER"},
            {"kind": "PAID", "at": at, "by": "OWNER", "method": "CASH", "amount": "1180", "currency": "TWD"},
            {"kind": "READY_FOR_PICKUP", "at": at, "by": "OWNER"},
        ],
    }  # fmt: skip


async def test_a_receipt_tells_the_whole_story(db: str):
    wall = await opened(variants=("紅", "白"), on_hand=(3, 5))
    comment = await wall.says("小美", "紅+2，謝謝 📦", received_at=NOW + timedelta(seconds=2))
    await wall.drain()
    member = await linked("小美")
    await acts.pay(wall)
    order, line, number = await database.fetchrow('select o.id, l.id, o.number from "order" o join order_line l on l.order_id = o.id')
    found = await told(comment, member)
    policy = found.pop("policy")
    assert (policy["version"], policy["effectiveAt"], policy["policy"]["reading"]) == (1, "2026-11-21T08:00:00Z", "CONFIRM")
    text = "紅+2，謝謝 📦"
    digest = hashlib.sha256(text.encode()).hexdigest()
    claim, at = await claim_of(comment), "2026-11-21T08:00:00Z"
    assert found == {
        "format": "plusone-receipt",
        "version": 1,
        "issuedAt": "2026-11-21T08:05:00Z",
        "shop": {"id": public_id("shop", wall.shop.id), "name": "小鹿團購"},
        "claim": {"id": public_id("claim", claim), "intent": "ORDER", "outcome": "ORDERED", "reason": None, "decidedAt": at, "waiting": 0},
        "comment": {
            "platform": "FACEBOOK_PAGE",
            "channel": PAGE,
            "id": comment,
            "writtenAt": at,
            "receivedAt": "2026-11-21T08:00:02Z",
            "removedAt": None,
            "text": text,
            "textSha256": digest,
            "revisions": [{"kind": "ADD", "at": at, "receivedAt": "2026-11-21T08:00:02Z", "text": text}],
        },
        "matched": [
            {"kind": "ITEM", "text": "紅", "start": 0, "end": 1, "value": found["matched"][0]["value"]},
            {"kind": "QTY", "text": "+2", "start": 1, "end": 3, "value": "2"},
        ],
        "rulesVersion": "2",
        "decisions": [{"kind": "CLAIM_DECIDED", "at": at, "by": "SYSTEM", "intent": "ORDER", "outcome": "ORDERED", "textSha256": digest}],
        "orders": [the_order(order, number, line, comment, at)],
        "complete": True,
    }  # fmt: skip


async def test_the_document_is_canonical(db: str):
    wall = await opened()
    comment = await wall.says("小美", "+1")
    await wall.drain()
    member, claim = await linked("小美"), await claim_of(comment)
    receipt = (await receipts_of([claim], member, now=LATER))[claim]
    assert receipt.document == orjson.dumps(orjson.loads(receipt.document), option=orjson.OPT_SORT_KEYS).decode()
    assert re.findall(r'"\w+At":"(?![^"]+Z")', receipt.document) == []
    assert (receipt.issued_at, receipt.algorithm, len(receipt.signature)) == (LATER, "EdDSA", 86)
    assert receipt.kid == (await keys.active_key(KeyUse.RECEIPT, LATER)).kid
    again = (await receipts_of([claim], member, now=LATER))[claim]
    assert again == receipt


async def test_the_hold_lasts_until_the_order_must_be_paid(db: str):
    wall = await opened()
    comment = await wall.says("小美", "+3")
    await wall.drain()
    member = await linked("小美")
    hold = (await told(comment, member))["orders"][0]["lines"][0]["hold"]
    assert hold == {"held": 3, "committed": 0, "until": "2026-11-24T08:00:00Z"}
    assert await acts.expire(wall) == 1
    line = (await told(comment, member))["orders"][0]["lines"][0]
    assert line["hold"] == {"held": 0, "committed": 0, "until": None}
    assert [(change["kind"], change["by"], change["held"]) for change in line["changes"]] == [
        ("HELD", "BUYER", 3),
        ("EXPIRED", "SYSTEM", -3),
    ]


async def test_an_edited_comment_shows_every_text_and_the_one_that_was_read(db: str):
    wall = await opened(variants=("紅", "白"), on_edit="IGNORE")
    comment = await wall.says("小美", "紅+1")
    await wall.says("小美", "白+5", comment=comment, verb="edited")
    await wall.drain()
    found = (await told(comment, await linked("小美")))["comment"]
    assert found["text"] == "紅+1"
    assert [(each["kind"], each["text"]) for each in found["revisions"]] == [("ADD", "紅+1"), ("EDIT", "白+5")]


async def test_an_edit_that_is_read_again_is_what_the_receipt_is_about(db: str):
    wall = await opened(variants=("紅", "白"))
    comment = await wall.says("小美", "紅+1")
    await wall.says("小美", "紅+3", comment=comment, verb="edited")
    await wall.drain()
    found = await told(comment, await linked("小美"))
    assert found["comment"]["text"] == "紅+3"
    assert [each["value"] for each in found["matched"] if each["kind"] == "QTY"] == ["3"]
    assert len(found["decisions"]) == 2


async def test_of_an_erased_comment_only_the_hash_is_left(db: str):
    wall = await opened()
    await acts.tell_line(wall, "小美", "m1", "+2", at=NOW)
    await wall.drain()
    member = await linked("小美", "line")
    before = await told("m1", member)
    assert (before["comment"]["text"], len(before["matched"])) == ("+2", 1)
    await acts.tell_line(wall, "小美", "m1", None, at=NOW + timedelta(seconds=5))
    await wall.drain()
    found = await told("m1", member)
    assert found["matched"] == []
    assert found["comment"]["textSha256"] == before["comment"]["textSha256"] == hashlib.sha256(b"+2").hexdigest()
    assert "text" not in found["comment"]
    assert [sorted(each) for each in found["comment"]["revisions"]] == [["at", "kind", "receivedAt"]] * 2
    assert "+2" not in orjson.dumps(found).decode()
    assert found["orders"][0]["lines"][0]["quantity"] == 2


async def test_a_waiting_buyer_has_a_receipt_once_there_are_pieces(db: str):
    wall = await opened(on_hand=0, shortage=Shortage.PARTIAL_WAITLIST)
    comment = await wall.says("小美", "+2")
    await wall.drain()
    member, claim = await linked("小美"), await claim_of(comment)
    assert await receipts_of([claim], member, now=LATER) == {}
    await acts.fill(wall, more=1)
    found = await told(comment, member)
    assert (found["claim"]["outcome"], found["claim"]["waiting"]) == ("PARTIAL", 1)
    assert [each["fromWaitlist"] for each in found["orders"][0]["changes"] if each["kind"] == "LINES_ADDED"] == [True]
    assert found["decisions"][-1]["pieces"] == 1


async def test_pieces_in_two_orders_are_on_the_same_receipt(db: str):
    """What a claim gets after its order was paid is a line of the next one."""
    wall = await opened(on_hand=1, shortage=Shortage.PARTIAL_WAITLIST)
    comment = await wall.says("小美", "+3")
    await wall.drain()
    await acts.pay(wall)
    await acts.fill(wall, more=2)
    found = await told(comment, await linked("小美"))
    assert [[line["quantity"] for line in order["lines"]] for order in found["orders"]] == [[1], [2]]
    assert [order["paymentState"] for order in found["orders"]] == ["PAID", "UNPAID"]


async def test_staff_who_made_the_order_are_told_by_role_and_their_words_are_not(db: str):
    wall = await opened()
    comment = await wall.says("小美", "還有嗎？")
    await wall.drain()
    staff = await build.a_membership(wall.shop, role=Role.HELPER)
    comment_id = await database.fetchval("select id from social_comment")
    await resolve(
        comment_id=comment_id, shop_id=wall.shop.id, action=ResolveAction.MAKE_ORDER, lines=[(wall.product.variants[0].id, 1)],
        note=f"她打來 {PHONE}", actor=Actor(f"member:{staff}", "HELPER"), by_member_id=staff, now=NOW, jobs=wall.services.jobs,
    )  # fmt: skip
    order = await acts.first_order()
    await cancel(
        order_id=order, shop_id=wall.shop.id, reason=f"林小姐 {PHONE} 不要了", actor=Actor(f"member:{staff}", "HELPER"), now=NOW,
        jobs=wall.services.jobs,
    )  # fmt: skip
    found = await told(comment, await linked("小美"))
    assert found["claim"]["reason"] == "BY_STAFF"
    assert [(each["kind"], each["by"], each.get("action")) for each in found["decisions"]] == [
        ("CLAIM_DECIDED", "SYSTEM", None),
        ("COMMENT_RESOLVED", "HELPER", "MAKE_ORDER"),
    ]
    assert found["orders"][0]["changes"][-2] == {"kind": "CANCELLED", "at": "2026-11-21T08:00:00Z", "by": "HELPER"}
    assert found["orders"][0]["lines"][0]["changes"][-1]["by"] == "HELPER"
    text = orjson.dumps(found).decode()
    assert [secret for secret in (PHONE, "林小姐", "小姐", str(staff), "小美") if secret in text] == []


async def test_a_receipt_holds_nothing_of_other_buyers(db: str):
    wall = await opened(variants=("紅", "白"))
    mine = await wall.says("小美", "紅+1")
    other = await wall.says("阿珠", "白+2 我是阿珠")
    await wall.drain()
    again = await wall.says("小美", "白+1")
    await wall.drain()
    member = await linked("小美")
    text = orjson.dumps(await told(mine, member)).decode()
    stranger = await database.fetchrow(
        """select c.external_id, c.author_name, o.number, k.id, o.id as order_id, l.id as line_id from social_comment c
           join claim k on k.comment_id = c.id join order_line l on l.claim_id = k.id join "order" o on o.id = l.order_id where c.external_id = $1""",
        other,
    )
    assert stranger is not None
    hidden = [other, "阿珠", stranger["number"], public_id("claim", stranger["id"]), public_id("order", stranger["order_id"])]
    hidden += [public_id("line", stranger["line_id"]), str(member), public_id("member", member), "小姐"]
    assert [each for each in hidden if each in text] == []
    # the same buyer's other comment did something to the same order, so it is told of
    assert again in text


@pytest.mark.parametrize(
    ("role", "denied", "sees"),
    [
        (Role.OWNER, (), True),
        (Role.HELPER, (), True),
        (Role.SCANNER, (), False),
        (Role.OWNER, ("VIEW_COMMENTS",), False),
        (Role.OWNER, ("VIEW_ORDERS",), False),
    ],
)
async def test_staff_need_comments_and_orders(db: str, role: Role, denied: tuple[str, ...], sees: bool):
    wall = await opened()
    comment = await wall.says("小美", "+1")
    await wall.drain()
    claim = await claim_of(comment)
    staff = await build.a_membership(wall.shop, role=role, denied=denied)
    assert (claim in await receipts_of([claim], staff, now=LATER)) is sees


async def test_for_others_there_is_none(db: str):
    wall = await opened()
    mine, other = await wall.says("小美", "+1"), await wall.says("阿珠", "+1")
    question = await wall.says("小美", "還有嗎？")
    await wall.drain()
    member, neighbour = await linked("小美"), await linked("阿珠")
    elsewhere = await build.a_membership(await build.a_shop(name="別家"))
    claims = [await claim_of(comment) for comment in (mine, other, question)]
    for who, seen in ((member, [claims[0]]), (neighbour, [claims[1]]), (elsewhere, []), (new_id(), [])):
        assert list(await receipts_of([*claims, new_id()], who, now=LATER)) == seen


async def test_a_hundred_receipts_are_one_statement(db: str):
    wall = await opened(on_hand=500)
    comments = [await wall.says("小美", "+1") for _ in range(100)]
    await wall.drain()
    member = await linked("小美")
    claims = [await claim_of(comment) for comment in comments]
    await keys.active_key(KeyUse.RECEIPT, LATER)
    with recorded() as sql:
        found = await receipts_of(claims, member, now=LATER)
    assert (len(sql), len(found)) == (1, 100)
    documents = [orjson.loads(receipt.document) for receipt in found.values()]
    assert {len(document["orders"][0]["changes"]) for document in documents} == {102}
    assert {document["complete"] for document in documents} == {True}


async def test_a_very_long_story_is_cut_and_says_so(db: str):
    wall = await opened()
    comment = await wall.says("小美", "+1")
    await wall.drain()
    member = await linked("小美")
    await database.execute(
        """insert into order_event (shop_id, order_id, kind, data, actor, at)
           select shop_id, id, 'NOTED', '{}'::jsonb, 'worker:test', created_at from "order", generate_series(1, $1)""",
        MOST,
    )
    found = await told(comment, member)
    assert (len(found["orders"][0]["changes"]), found["complete"]) == (MOST, False)
