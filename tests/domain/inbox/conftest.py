"""The inbox writer, running."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from domain.inbox.commands import InboxWriter


@pytest.fixture
async def writer(db: str) -> AsyncIterator[InboxWriter]:
    inbox = InboxWriter()
    inbox.start()
    yield inbox
    await inbox.stop()
