"""Rows of sign-in that have done their work: for a schedule of the worker."""

from __future__ import annotations

from datetime import datetime, timedelta

from domain import db

SLACK = timedelta(hours=2)
"""Kept so long beyond their end, for processes whose clocks are behind."""
ENDED_KEPT = timedelta(days=30)
"""Ended sessions and their token hashes stay so long, so that a copied token still shows itself."""
ALERTS_KEPT = timedelta(days=180)
DELETED_WITHIN = timedelta(days=30)
"""Alerts of members who were deleted longer ago have gone."""
MOST = 5_000


async def forget_expired(now: datetime) -> int:
    """Delete used nonces, seen tokens and guess counts whose time is over, and alerts and sessions of long ago; answers how many rows.

    At most MOST of each kind at a time, the oldest first.
    """
    deleted = 0
    for table, key, instant, before in (
        ("login_attempt", "nonce_hash", "expires_at", now - SLACK),
        ("seen_token", "hash", "until", now - SLACK),
        ("guess_count", "scope", "window_started_at", now - SLACK),
        ("sign_in_alert", "id", "at", now - ALERTS_KEPT),
    ):
        deleted += await db.execute(
            f"""delete from {table} where {key} in (select {key} from {table} where {instant} < $1 order by {instant} limit $2)""",
            before,
            MOST,
        )
    # A deleted member has nobody left to tell; alerts name installations.
    deleted += await db.execute(
        "delete from sign_in_alert where member_id in (select id from member where deleted_at > $1)", now - DELETED_WITHIN
    )
    async with db.transaction() as tx:
        rows = await tx.fetch(
            """select id from session where least(coalesce(ended_at, 'infinity'), idle_until, ends_at) < $1
               order by least(coalesce(ended_at, 'infinity'), idle_until, ends_at) limit $2 for update skip locked""",
            now - ENDED_KEPT,
            MOST,
        )
        sessions = [row["id"] for row in rows]
        deleted += await tx.execute("delete from refresh_token where session_id = any($1::uuid[])", sessions)
        deleted += await tx.execute("delete from session where id = any($1::uuid[])", sessions)
    return deleted
