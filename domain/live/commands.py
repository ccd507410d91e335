"""Old changes go."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from domain import db
from domain.live.rules import KEPT

LOT: Final = 5_000
LOTS: Final = 200
SPARE: Final = timedelta(days=1)
"""Kept beyond KEPT, so that what a place may ask for is always there."""

_OLDEST: Final = """
with page as materialized (select c.id, c.at < $1 as old from live_change c order by c.id limit $2),
gone as (delete from live_change c where c.id = any(array(select id from page where old)) returning 1)
select count(*)::int from gone"""


async def forget_changes(*, now: datetime) -> int:
    """Delete changes that nobody can ask for any more, in lots of their own; answers how many. Ids rise with time, near enough."""
    total = 0
    for _ in range(LOTS):
        gone: int = await db.fetchval(_OLDEST, now - KEPT - SPARE, LOT)
        total += gone
        if gone < LOT:
            break
    return total
