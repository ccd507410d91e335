"""Fixtures of the flows."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from domain.clock import FixedClock
from tests.flows.street import Street, a_street


@pytest.fixture
async def street(db: str, clock: FixedClock) -> AsyncIterator[Street]:
    """See `a_street`."""
    async with a_street(clock) as found:
        yield found
