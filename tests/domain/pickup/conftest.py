"""A counter that is open."""

from __future__ import annotations

import pytest

from tests.counter import Counter


@pytest.fixture
async def counter(db: str) -> Counter:
    """A shop with one buyer who may collect 2 red and 1 white."""
    return await Counter.open()
