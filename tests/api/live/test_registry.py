"""The look at all connections comes in its time, however often a bell rings in between."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from api.live import Hub
from api.sockets.closing import Closing
from api.sockets.limits import SocketLimits
from api.sockets.registry import Registry
from domain.clock import FixedClock
from domain.db import DatabaseAway
from tests.api.live.conftest import Place
from tests.api.live.wire import PATIENCE


class Listening:
    """A connection that only notes how it ends."""

    def __init__(self, member_id: UUID | None = None, session_id: UUID | None = None, until: datetime | None = None) -> None:
        self.member_id, self.session_id, self.ver, self.until = member_id, session_id, 1, until
        self.ended: asyncio.Future[tuple[Closing, str]] = asyncio.get_running_loop().create_future()

    def end(self, code: Closing, reason: str = "") -> None:
        if not self.ended.done():
            self.ended.set_result((code, reason))


async def nobody_rings() -> Any:
    await asyncio.Event().wait()


async def test_a_token_that_runs_out_is_seen_while_others_come_all_the_time(place: Place, clock: FixedClock) -> None:
    hub = Hub(nobody_rings)
    registry = Registry(hub, clock, SocketLimits(sweep=0.05))
    own = Listening(place.session.member, place.session.id, clock.now() + timedelta(minutes=10))
    try:
        with registry.holding(own, "a"):
            clock.at = clock.now() + timedelta(minutes=10)
            registry._due.clear()  # only the look at all can find it now
            async with asyncio.timeout(PATIENCE):  # nothing is judged by it
                while not own.ended.done():
                    with registry.holding(Listening(), "b"):  # each newcomer rings
                        await asyncio.sleep(0)
        assert own.ended.result() == (Closing.FORBIDDEN, "expired")
    finally:
        await registry.stop()
        await hub.stop()


async def test_a_token_that_runs_out_while_the_database_is_away_ends_its_connection_and_no_other(place: Place, clock: FixedClock) -> None:
    class Away(Hub):
        """Whose questions nobody answers."""

        async def ask(self, *_: Any, **__: Any) -> Any:
            raise DatabaseAway("for now")

    hub = Away(nobody_rings)
    registry = Registry(hub, clock, SocketLimits(sweep=0.05))
    own = Listening(place.session.member, place.session.id, clock.now() + timedelta(minutes=10))
    other = Listening(place.session.member, place.session.id, clock.now() + timedelta(minutes=20))
    try:
        with registry.holding(own, "a"), registry.holding(other, "a"):
            clock.at = clock.now() + timedelta(minutes=10)
            async with asyncio.timeout(PATIENCE):
                assert await own.ended == (Closing.FORBIDDEN, "expired")
            assert not other.ended.done()
    finally:
        await registry.stop()
        await hub.stop()
