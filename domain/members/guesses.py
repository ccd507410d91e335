"""Limits on guessing: every guess of a secret counts against whoever makes it and the address it comes from.

A guess is counted before it is looked at, so that many at once cannot slip through, and given back when it was right: people who sign in
properly behind one address are not in each other's way.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain import db
from domain.members.errors import TooManyGuesses


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` wrong guesses in `window`, counted from the first one. `scope` names who is counted, at most 160 characters."""

    scope: str
    most: int
    window: timedelta


def per_account(kind: str, account: str) -> Limit:
    """10 in 10 minutes for an account, an installation, or whatever is guessed at; the name is kept as a hash."""
    return Limit(f"{kind}:account:{hashlib.sha256(account.encode()).hexdigest()}", 10, timedelta(minutes=10))


def per_address(kind: str, address: str) -> Limit:
    """100 an hour for one address of the network; the address is kept as a hash."""
    return Limit(f"{kind}:address:{hashlib.sha256(address.encode()).hexdigest()}", 100, timedelta(hours=1))


async def count(limits: Sequence[Limit], now: datetime) -> None:
    """Count one guess against every limit.

    Raises:
        TooManyGuesses: one of the limits is reached; the guess must not be looked at.
    """
    waits = [wait for limit in limits if (wait := await _count_one(limit, now)) is not None]
    if waits:
        raise TooManyGuesses(max(1, math.ceil(max(waits).total_seconds())))


async def give_back(limits: Sequence[Limit]) -> None:
    """The guess was right: it counts no longer."""
    await db.execute(
        "update guess_count set guesses = guesses - 1 where scope = any($1::text[]) and guesses > 0",
        sorted(limit.scope for limit in limits),
    )


async def _count_one(limit: Limit, now: datetime) -> timedelta | None:
    """How long this limit refuses, or None; counts in a transaction of its own, so that a refusal cannot undo it."""
    row = await db.fetchrow(
        """insert into guess_count as g (scope, window_started_at, guesses) values ($1, $2, 1)
           on conflict (scope) do update set
             guesses = case when g.window_started_at <= $3 then 1 else g.guesses + 1 end,
             window_started_at = case when g.window_started_at <= $3 then $2 else g.window_started_at end
           returning guesses, window_started_at""",
        limit.scope,
        now,
        now - limit.window,
    )
    assert row is not None
    return row["window_started_at"] + limit.window - now if row["guesses"] > limit.most else None
