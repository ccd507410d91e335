"""Two phones open a dispute at the same instant, and one side closes while the other writes; the twin does without the unique index."""

from __future__ import annotations

import asyncio

import pytest

from domain import db as database
from domain.audit.commands import Actor
from domain.disputes import commands
from domain.disputes.commands import close, open_dispute, send
from domain.disputes.errors import Closed
from domain.disputes.rules import DisputeReason, Side
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from tests.build import NOW, a_buyer, a_member, a_shop, a_variant, an_order

JOBS = PgQueuerJobs()
ACTOR = Actor("member:1")


async def an_open_order() -> tuple[object, object, object]:
    shop, member = await a_shop(), await a_member()
    order = await an_order(shop, [(await a_variant(shop, on_hand=9), 1)], buyer=await a_buyer(shop, member_id=member))
    return shop, member, order


async def test_two_phones_open_one_dispute(db: str) -> None:
    for number in range(10):
        _, member, order = await an_open_order()
        answers = await asyncio.gather(
            *(
                open_dispute(order_id=order.id, member_id=member, reason=DisputeReason.OTHER, text="x", now=NOW, actor=ACTOR)
                for _ in range(3)
            ),
            return_exceptions=True,
        )
        assert sorted(type(answer).__name__ for answer in answers)[:2] == ["AlreadyOpen", "AlreadyOpen"]
        assert await database.fetchval("select count(*) from dispute") == number + 1


async def test_without_the_index_there_are_three(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: the order's lock alone makes them wait, and then nothing stands against each of them."""
    _, member, order = await an_open_order()
    made = await database.fetchval("select indexdef from pg_indexes where indexname = 'dispute_standing'")
    await database.execute("drop index dispute_standing")
    monkeypatch.setattr(commands, "OPEN", commands.OPEN.replace("on conflict (order_id) where state <> 'CLOSED' do nothing", ""))
    try:
        await asyncio.gather(
            *(
                open_dispute(order_id=order.id, member_id=member, reason=DisputeReason.OTHER, text="x", now=NOW, actor=ACTOR)
                for _ in range(3)
            )
        )
        assert await database.fetchval("select count(*) from dispute where order_id = $1", order.id) == 3
    finally:
        await database.execute("delete from dispute_message")
        await database.execute("delete from dispute")
        await database.execute(made)


async def test_nothing_is_written_after_the_closing(db: str) -> None:
    for _ in range(10):
        shop, member, order = await an_open_order()
        dispute = await open_dispute(order_id=order.id, member_id=member, reason=DisputeReason.OTHER, text="x", now=NOW, actor=ACTOR)
        answers = await asyncio.gather(
            close(dispute_id=dispute, side=Side.SHOP, member_id=member, shop_id=shop.id, now=NOW, actor=ACTOR, jobs=JOBS),
            send(dispute_id=dispute, side=Side.BUYER, member_id=member, shop_id=None, text="y", now=NOW, actor=ACTOR, jobs=JOBS),
            return_exceptions=True,
        )
        assert answers[0] is None
        messages = await database.fetchval("select count(*) from dispute_message where dispute_id = $1", dispute)
        assert messages == (1 if isinstance(answers[1], Closed) else 2)
        assert await database.fetchval("select state from dispute where id = $1", dispute) == "CLOSED"
