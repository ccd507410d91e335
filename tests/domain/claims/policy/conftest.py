"""After every test of the policy the invariants hold."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from plusone.invariants import check
from tests.build import NOW


@pytest.fixture(autouse=True)
async def invariants_hold(db: str) -> AsyncIterator[None]:
    yield
    assert await check(NOW + timedelta(seconds=59)) == []
