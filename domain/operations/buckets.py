"""What was spent, in one statement for everybody who spent since the last one. No request waits for it, and it holds its locks for itself alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from domain import db
from domain.operations.rules import MOST_DEBT, REFILL_SECONDS

LATEST: Final = timedelta(seconds=REFILL_SECONDS * (1 + MOST_DEBT))


async def settle(spent: Mapping[str, timedelta], now: datetime) -> dict[str, datetime]:
    """Move each bucket's instant on by what was spent of it (back, where more came back than was spent); answers all the instants as they are now."""
    keys = sorted(spent)
    rows = await db.fetch(
        """insert into cost_bucket as b (key, full_at) select key, $3::timestamptz + spent from unnest($1::text[], $2::interval[]) as t (key, spent)
           on conflict (key) do update set full_at = least(greatest(b.full_at, $3) + (excluded.full_at - $3), $3 + $4::interval)
           returning key, full_at""",
        keys,
        [spent[key] for key in keys],
        now,
        LATEST,
    )
    return {row["key"]: row["full_at"] for row in rows}


async def forget_full(now: datetime) -> int:
    """Delete buckets that are full; a missing one is full too. Answers how many there were."""
    return await db.execute("delete from cost_bucket where full_at < $1", now - timedelta(seconds=REFILL_SECONDS))
