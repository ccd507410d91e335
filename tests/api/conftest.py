"""A house whose webhook doors are knocked at."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from api.app import create_app
from domain.bootstrap import Services, services
from domain.clock import FixedClock
from domain.settings import load
from domain.shops import queries as shops
from tests.serving import SECRET_KEY


@pytest.fixture
def house(clock: FixedClock) -> Services:
    return services(load(secret_key=SECRET_KEY, _env_file=None), clock=clock)


@pytest.fixture
async def client(db: str, house: Services) -> AsyncIterator[httpx.AsyncClient]:
    shops.forget()
    app = create_app(house)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://plusone") as client,
    ):
        yield client
