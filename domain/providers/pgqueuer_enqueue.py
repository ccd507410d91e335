"""Enqueueing for PgQueuer 1.6: see `domain.jobs` for the port and `pgqueuer_jobs` for the running.

It is one INSERT of ours into the tables of migration 0003: the library takes delays only, and turning an instant into a delay needs two
clocks. Processes that only enqueue do not load the library.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import orjson

from domain.db import Tx
from domain.jobs import AT_ONCE, Payload


class PgQueuerJobs:
    """Enqueues on the caller's transaction. `unheard`: jobs that nobody will run."""

    def __init__(self, unheard: Collection[str] = ()) -> None:
        self.unheard: Collection[str] = frozenset(unheard)

    async def enqueue(self, tx: Tx, name: str, payloads: Sequence[Payload], *, run_at: datetime | None = None) -> None:
        if not payloads:
            return
        await tx.execute(
            """with job as (
                 insert into pgqueuer (priority, entrypoint, payload, execute_after, status)
                 select $4, $1, p.payload, coalesce($2, now()), 'queued'
                 from unnest($3::bytea[]) with ordinality p(payload, place) order by p.place
                 returning id)
               insert into pgqueuer_log (job_id, status, entrypoint, priority) select id, 'queued', $1, $4 from job""",
            name,
            run_at,
            [orjson.dumps(payload) for payload in payloads],
            int(name in AT_ONCE),
        )
