"""Goods on hand: added, taken, counted; never below what orders were promised; every change on record."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest

from domain import db as database
from domain.audit.commands import Actor
from domain.errors import NotFound
from domain.ids import new_id
from domain.jobs import RESTOCKED
from domain.orders.rules import PaymentState
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from domain.stock.commands import MAX_PIECES, Move, OutOfStep, adjust, lock_levels, move, receive_first, set_quantity
from domain.stock.errors import InsufficientStock, OverLimit, VersionConflict
from domain.stock.rules import AdjustReason, Level, MovementKind, SellBeyond
from tests.books import books_agree, everything, figures, queued
from tests.build import NOW, AVariant, a_product, a_shop, a_variant, an_order

JOBS = PgQueuerJobs()
HELPER = Actor(f"member:{UUID(int=1)}", "HELPER")


async def adjusted(variant: AVariant, delta: int, reason: AdjustReason = AdjustReason.RECEIPT, shop_id: UUID | None = None) -> Level:
    return await adjust(
        shop_id=shop_id or variant.shop_id, variant_id=variant.id, delta=delta, reason=reason, actor=HELPER, now=NOW, jobs=JOBS
    )


async def counted(variant: AVariant, quantity: int, seen: int, shop_id: UUID | None = None) -> Level:
    return await set_quantity(
        shop_id=shop_id or variant.shop_id, variant_id=variant.id, quantity=quantity, change_from_quantity=seen, reason=AdjustReason.COUNT,
        actor=HELPER, now=NOW, jobs=JOBS,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "kind"),
    [(reason, {"RECEIPT": "RECEIVED", "COUNT": "COUNTED"}.get(reason.value, "ADJUSTED")) for reason in AdjustReason],
)
async def test_every_reason_has_its_kind_in_the_ledger(db: str, reason: AdjustReason, kind: str) -> None:
    variant = await a_variant(on_hand=3)
    assert await adjusted(variant, 4, reason) == Level(7, 0, 0, 0)
    rows = await database.fetch(
        "select kind, on_hand_delta, held_delta, committed_delta, actor, reason, at from stock_movement order by id offset 1"
    )
    assert [tuple(row) for row in rows] == [(kind, 4, 0, 0, HELPER.name, reason.value, NOW)]
    assert await database.fetchval("select version from stock_level") == 2
    entries = await database.fetch("select action, object_type, object_id, detail::text from audit_entry")
    assert [tuple(e) for e in entries] == [
        ("stock.adjust", "variant", variant.id, '{"delta":4,"reason":"' + reason.value + '","on_hand":7}')
    ]
    await books_agree()


async def test_added_pieces_are_announced_and_taken_ones_are_not(db: str) -> None:
    variant = await a_variant(on_hand=3)
    await adjusted(variant, -1, AdjustReason.DAMAGE)
    assert await queued(RESTOCKED) == []
    await adjusted(variant, 1, AdjustReason.RETURN)
    assert await queued(RESTOCKED) == [{"shop_id": str(variant.shop_id), "variants": [str(variant.id)]}]


async def test_nothing_is_written_when_nothing_changes(db: str) -> None:
    variant = await a_variant(on_hand=3)
    await database.execute("update stock_level set version = 5")
    before = await everything(but=["stock_level"])
    assert await adjusted(variant, 0) == Level(3, 0, 0, 0)
    assert await counted(variant, 3, seen=3) == Level(3, 0, 0, 0)
    assert await everything(but=["stock_level"]) == before


@pytest.mark.parametrize(
    ("beyond", "taken", "left_over"), [(0, -1, 1), (0, -2, None), (2, -3, 3), (2, -4, None), (9, -5, 5), (9, -6, None)]
)
async def test_no_more_is_taken_than_orders_can_spare(db: str, beyond: int, taken: int, left_over: int | None) -> None:
    """5 on hand, 3 held and 1 committed: 1 may go, and as many more as may be sold beyond; never more than there are."""
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=5, sell_beyond=SellBeyond.OVERSELL if beyond else SellBeyond.DENY, backorder_limit=beyond)
    await an_order(shop, [(variant, 3)])
    await an_order(shop, [(variant, 1)], payment=PaymentState.PAID)
    before = await everything()
    if left_over is not None:
        assert (await adjusted(variant, taken, AdjustReason.LOSS)).on_hand == 5 + taken
        return
    with pytest.raises(InsufficientStock) as refused:
        await adjusted(variant, taken, AdjustReason.LOSS)
    assert vars(refused.value) == {"variant_id": variant.id, "wanted": -taken, "available": -taken - 1}
    assert await everything() == before


@pytest.mark.parametrize("delta", [-4, -(2**31), -(2**62)])
async def test_taking_more_than_there_is(db: str, delta: int) -> None:
    variant = await a_variant(on_hand=3)
    before = await everything()
    with pytest.raises(InsufficientStock):
        await adjusted(variant, delta)
    assert await everything() == before


@pytest.mark.parametrize("delta", [MAX_PIECES - 2, 2**31 - 1, 2**62])
async def test_adding_more_than_a_level_counts(db: str, delta: int) -> None:
    variant = await a_variant(on_hand=3)
    before = await everything()
    with pytest.raises(OverLimit) as refused:
        await adjusted(variant, delta)
    assert vars(refused.value) == {"variant_id": variant.id, "limit": MAX_PIECES}
    with pytest.raises(OverLimit):
        await counted(variant, 3 + delta, seen=3)
    assert await everything() == before
    assert (await adjusted(variant, MAX_PIECES - 3)).on_hand == MAX_PIECES


async def test_another_shops_variant_is_not_found_just_like_a_missing_one(db: str) -> None:
    variant, other = await a_variant(on_hand=3), await a_shop()
    before = await everything()
    missing = AVariant(uuid4(), variant.shop_id, variant.product_id, 0, "")
    for case, shop_id in ((variant, other.id), (missing, variant.shop_id)):
        with pytest.raises(NotFound):
            await adjusted(case, 1, shop_id=shop_id)
        with pytest.raises(NotFound):
            await counted(case, 5, seen=3, shop_id=shop_id)
    assert await everything() == before


async def test_a_count_replaces_the_figure_that_was_seen(db: str) -> None:
    variant = await a_variant(on_hand=3)
    assert await counted(variant, 8, seen=3) == Level(8, 0, 0, 0)
    assert await counted(variant, 6, seen=8) == Level(6, 0, 0, 0)
    rows = await database.fetch("select kind, on_hand_delta, reason from stock_movement order by id offset 1")
    assert [tuple(row) for row in rows] == [("COUNTED", 5, "COUNT"), ("COUNTED", -2, "COUNT")]
    assert await database.fetchval("select array_agg(action order by id) from audit_entry") == ["stock.set", "stock.set"]
    assert len(await queued(RESTOCKED)) == 1
    await books_agree()


async def test_a_count_of_a_figure_that_moved_meanwhile_is_refused(db: str) -> None:
    variant = await a_variant(on_hand=3)
    await adjusted(variant, 1)
    before = await everything()
    with pytest.raises(VersionConflict) as refused:
        await counted(variant, 8, seen=3)
    assert vars(refused.value) == {"variant_id": variant.id, "expected_quantity": 3, "current_quantity": 4}
    assert await everything() == before


@pytest.mark.parametrize("quantity", [2, 0, -1])
async def test_a_count_below_what_orders_hold_is_refused(db: str, quantity: int) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=4)
    await an_order(shop, [(variant, 3)])
    before = await everything()
    with pytest.raises(InsufficientStock) as refused:
        await counted(variant, quantity, seen=4)
    assert vars(refused.value) == {"variant_id": variant.id, "wanted": 4 - quantity, "available": 1}
    assert await everything() == before


async def test_of_two_counts_at_once_one_wins(db: str) -> None:
    variant = await a_variant(on_hand=3)
    answers = await asyncio.gather(*(counted(variant, 10 + n, seen=3) for n in range(6)), return_exceptions=True)
    assert [type(answer) for answer in answers].count(VersionConflict) == 5
    await books_agree()


async def test_adjustments_at_once_all_count(db: str) -> None:
    variant = await a_variant(on_hand=10)
    await asyncio.gather(*(adjusted(variant, 1 if n % 2 else -1, AdjustReason.CORRECTION) for n in range(40)))
    assert await figures(variant) == (10, 0, 0)
    assert await database.fetchval("select version from stock_level") == 41
    await books_agree()


async def _bare_variant() -> AVariant:
    """A variant without a level."""
    variant = await a_variant(await a_shop())
    bare = AVariant(new_id(), variant.shop_id, variant.product_id, 590, "")
    await database.execute(
        "insert into variant (id, shop_id, product_id, label, option_values, code, price_minor, position) values ($1, $2, $3, '', '{}', '', 590, 1)",
        bare.id, bare.shop_id, bare.product_id,
    )  # fmt: skip
    return bare


async def test_a_new_variants_books_open_with_what_is_there(db: str) -> None:
    bare = await _bare_variant()
    async with database.transaction() as tx:
        opened = await receive_first(
            tx,
            shop_id=bare.shop_id,
            variant_id=bare.id,
            on_hand=7,
            sell_beyond=SellBeyond.PREORDER,
            backorder_limit=5,
            actor=HELPER,
            now=NOW,
        )
    assert opened == Level(7, 0, 0, 5)
    row = await database.fetchrow("select on_hand, sell_beyond, backorder_limit, version from stock_level where variant_id = $1", bare.id)
    assert row is not None
    assert tuple(row) == (7, SellBeyond.PREORDER, 5, 1)
    assert opened.available == 12
    rows = await database.fetch("select kind, on_hand_delta, reason, actor from stock_movement where variant_id = $1", bare.id)
    assert [tuple(r) for r in rows] == [("RECEIVED", 7, "RECEIPT", HELPER.name)]
    assert await database.fetchval("select array_agg(action) from audit_entry") == ["stock.receive"]
    await books_agree()


async def test_books_are_opened_once(db: str) -> None:
    bare = await _bare_variant()
    before = await everything()
    with pytest.raises(OverLimit):
        async with database.transaction() as tx:
            await receive_first(tx, shop_id=bare.shop_id, variant_id=bare.id, on_hand=MAX_PIECES + 1, actor=HELPER, now=NOW)
    with pytest.raises(asyncpg.UniqueViolationError):
        async with database.transaction() as tx:
            for _ in range(2):
                await receive_first(tx, shop_id=bare.shop_id, variant_id=bare.id, on_hand=1, actor=HELPER, now=NOW)
    assert await everything() == before


async def test_moves_of_many_lines_are_one_change_per_level_and_one_ledger_row_per_line(db: str) -> None:
    shop = await a_shop()
    red, white = (await a_product(shop, variants=["紅", "白"], on_hand=5)).variants
    lines = [new_id() for _ in range(3)]
    async with database.transaction() as tx:
        assert list(await lock_levels(tx, [white.id, red.id, red.id])) == sorted([red.id, white.id])
        moves = [Move(shop.id, v.id, line, held=n) for v, line, n in zip([red, white, red], lines, [1, 2, 3], strict=True)]
        levels = await move(tx, MovementKind.HELD, moves, actor=HELPER, now=NOW)
        assert await move(tx, MovementKind.HELD, [], actor=HELPER, now=NOW) == {}
    assert levels == {red.id: Level(5, 4, 0, 0), white.id: Level(5, 2, 0, 0)}
    assert await database.fetch("select distinct version from stock_level") == [(2,)]
    rows = await database.fetch("select order_line_id, held_delta from stock_movement where kind = 'HELD'")
    assert {row["order_line_id"]: row["held_delta"] for row in rows} == dict(zip(lines, [1, 2, 3], strict=True))


@pytest.mark.parametrize("figure", ["on_hand", "held", "committed"])
async def test_a_move_that_does_not_fit_moves_nothing(db: str, figure: str) -> None:
    shop = await a_shop()
    red, white = (await a_product(shop, variants=["紅", "白"], on_hand=5)).variants
    before = await everything()
    with pytest.raises(OutOfStep, match=str(white.id)):
        async with database.transaction() as tx:
            moves = [Move(shop.id, red.id, new_id(), held=1), Move(shop.id, white.id, new_id(), **{figure: -6})]
            await move(tx, MovementKind.HELD, moves, actor=HELPER, now=NOW)
    with pytest.raises(OutOfStep):
        async with database.transaction() as tx:
            await move(tx, MovementKind.HELD, [Move((await a_shop()).id, red.id, new_id(), held=1)], actor=HELPER, now=NOW)
    with pytest.raises(OutOfStep):
        async with database.transaction() as tx:
            await move(tx, MovementKind.HELD, [Move(shop.id, red.id, new_id(), held=6)], actor=HELPER, now=NOW)
    assert await everything() == before
