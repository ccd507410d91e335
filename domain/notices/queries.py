"""How late the way out is, for health and metrics."""

from __future__ import annotations

from datetime import datetime

from domain import db
from domain.notices.commands import USE_BY


async def outbox_age(now: datetime) -> float:
    """Seconds since the oldest push or reply that is still open was written; 0 when none is."""
    age = await db.fetchval(
        """select extract(epoch from $1 - least(
             (select min(use_by) - $2::interval from push_delivery where state = 'PENDING'),
             (select min(created_at) from platform_reply where state = 'PENDING')))""",
        now,
        USE_BY,
    )
    return max(float(age), 0.0) if age is not None else 0.0
