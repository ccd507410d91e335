"""The worker asks an ECPay-shaped server about attempts of which nothing was heard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from domain import db as database
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.clock import FixedClock
from domain.settings import load
from plusone.invariants import check
from tests.build import NOW
from tests.domain.payments.online import Till, a_till, attempt_of, begun, no_money_is_lost, order_of, paid
from tests.ecpay_server import EcpayServer, Trade
from tests.serving import SECRET_KEY, running
from workers.payments import ask_due

SOON, LATER = NOW + timedelta(minutes=11), NOW + timedelta(hours=2)


@pytest.fixture
async def provider() -> AsyncIterator[tuple[EcpayServer, str]]:
    server = EcpayServer()
    async with running(server.app()) as base:
        yield server, base


@pytest.fixture
def services(db: str, clock: FixedClock, provider: tuple[EcpayServer, str]) -> Services:
    return services_for(load(secret_key=SECRET_KEY, environment="development", ecpay_url=provider[1]), clock=clock)


async def an_attempt(till: Till, server: EcpayServer) -> str:
    """One whose buyer has reached the provider's page."""
    number = await begun(till)
    server.trades[number] = Trade({"TotalAmount": "1180"}, "26110000000001")
    return number


@pytest.mark.parametrize("encoded", [False, True])
async def test_money_of_which_no_notice_came_is_found_by_asking(services, provider, encoded: bool) -> None:
    server, _ = provider
    server.encoded = encoded
    till = await a_till()
    number = await an_attempt(till, server)
    assert await ask_due(services) == 0  # not within ten minutes
    services.clock.at = SOON
    server.paid(number)
    assert await ask_due(services) == 1
    assert await attempt_of(number) == ("PAID", 1180, 0, None)
    assert await order_of(till) == ("OPEN", "PAID", 1180)
    assert await paid(till, number)  # the notice comes after all, with another number of the provider's
    assert await ask_due(services) == 0
    assert await database.fetchval("select count(*) from payment") == 1
    assert await check(SOON) == []


async def test_nothing_so_far_is_asked_again_and_ends_when_its_time_is_over(services, provider) -> None:
    server, _ = provider
    till = await a_till()
    number = await an_attempt(till, server)
    services.clock.at = SOON
    assert await ask_due(services) == 1
    assert await database.fetchval("select ask_at from payment_attempt") == SOON + timedelta(minutes=10)
    services.clock.at = LATER
    assert await ask_due(services) == 1
    assert (await attempt_of(number))[0] == "EXPIRED"
    assert await ask_due(services) == 0
    assert server.questions == [number, number]


async def test_a_buyer_who_never_reached_the_provider(services, provider) -> None:
    till = await a_till()
    number = await begun(till)
    services.clock.at = LATER
    assert await ask_due(services) == 1
    assert (await attempt_of(number))[0] == "EXPIRED"


@pytest.mark.parametrize("fault", ["broken seal", "away"])
async def test_what_is_unknown_ends_nothing(services, provider, fault: str) -> None:
    server, _ = provider
    till = await a_till()
    number = await an_attempt(till, server)
    server.paid(number)
    services.clock.at = LATER
    asking = services
    if fault == "away":
        asking = replace(services, settings=load(secret_key=SECRET_KEY, environment="development", ecpay_url="http://127.0.0.1:9"))
    else:
        server.broken = True
    assert await ask_due(asking) == 1
    assert (await attempt_of(number))[0] == "PENDING"
    assert await order_of(till) == ("OPEN", "UNPAID", 0)
    server.broken = False
    services.clock.at = LATER + timedelta(minutes=11)
    assert await ask_due(services) == 1
    assert (await attempt_of(number))[0] == "PAID"
    await no_money_is_lost()


async def test_who_is_asked_too_fast_is_left_alone(services, provider) -> None:
    server, _ = provider
    server.refuse = True
    till = await a_till()
    for _ in range(3):
        await begun(till)
    services.clock.at = SOON
    assert await ask_due(services) == 0
    assert len(server.questions) == 1
    assert await database.fetchval("select count(*) from payment_attempt where ask_at = $1", NOW + timedelta(minutes=10)) == 3
