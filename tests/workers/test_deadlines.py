"""The sweep: whatever is due falls due, however much there is, and the audit is sealed after it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain import db as database
from domain.audit.seal import verify_chain
from domain.bootstrap import Services, services
from domain.clock import FixedClock
from domain.settings import Settings
from tests.books import books_agree, everything, figures
from tests.build import a_shop, a_variant, an_order
from workers import deadlines


@pytest.fixture
def parts(clock: FixedClock) -> Services:
    return services(Settings(secret_key="a secret of at least thirty-two characters", _env_file=None), clock=clock)  # type: ignore[arg-type, call-arg]


async def test_everything_due_expires_in_one_sweep(db: str, parts: Services, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "ORDERS_AT_ONCE", 3)
    monkeypatch.setattr(deadlines, "ENTRIES_AT_ONCE", 4)
    shops = [await a_shop(), await a_shop()]
    variants = [await a_variant(shop, on_hand=20) for shop in shops]
    for shop, variant in zip(shops, variants, strict=True):
        for _ in range(5):
            await an_order(shop, [(variant, 1)])
    await deadlines.sweep(parts)
    assert await database.fetchval("select count(*) from \"order\" where state = 'OPEN'") == 10
    clock.at += timedelta(days=3, seconds=1)
    await deadlines.sweep(parts)
    assert await database.fetch('select distinct state, payment_state from "order"') == [("CANCELLED", "EXPIRED")]
    assert [await figures(variant) for variant in variants] == [(20, 0, 0)] * 2
    await books_agree()
    assert (
        await database.fetchval("select sum(entries) from audit_seal") == await database.fetchval("select count(*) from audit_entry") == 10
    )
    assert [await verify_chain(shop.id) for shop in shops] == [None, None]
    before = await everything()
    await deadlines.sweep(parts)
    assert await everything() == before
    assert await database.fetchval("select sum(entries) from audit_seal") == 10


async def test_a_deadline_holds_over_a_restart(db: str, parts: Services, clock: FixedClock) -> None:
    """Nothing but the row says when an order is due: a worker that was not there at the instant finds it later."""
    shop = await a_shop()
    order = await an_order(shop, [(await a_variant(shop), 1)])
    clock.at += timedelta(days=400)
    await deadlines.sweep(parts)
    assert await database.fetchval('select payment_state from "order" where id = $1', order.id) == "EXPIRED"
