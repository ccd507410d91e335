"""A desk with something to push, and a server that takes it; replies have theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from api.notifications.fcm import FcmGateway
from api.notifications.service_account import self_made
from domain.bootstrap import Services
from domain.clock import FixedClock
from plusone.demo.fcm_server import FakeFcm
from tests.workers.outbox_rows import Desk, a_desk, services_at


@pytest.fixture(scope="module")
async def account() -> dict[str, str]:
    return self_made("http://127.0.0.1:1")


@pytest.fixture
async def fcm() -> AsyncIterator[FakeFcm]:
    async with FakeFcm() as server:
        yield server


@pytest.fixture
async def gateway(fcm: FakeFcm, account: dict[str, str]) -> AsyncIterator[FcmGateway]:
    made = FcmGateway({**account, "token_uri": f"{fcm.url}/token"}, base_url=fcm.url, production=False)
    yield made
    await made.aclose()


@pytest.fixture
async def desk(db: str, clock: FixedClock) -> Desk:
    return await a_desk(clock.now())


@pytest.fixture
def services(clock: FixedClock) -> Services:
    return services_at(clock)
