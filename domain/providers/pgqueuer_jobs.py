"""The job queue on PgQueuer 1.6: see `domain.jobs` for the port."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries

from domain.db import Tx
from domain.jobs import Payload


class PgQueuerJobs:
    """Enqueues through PgQueuer on the caller's transaction."""

    async def enqueue(self, tx: Tx, name: str, payloads: Sequence[Payload], *, run_at: datetime | None = None) -> None:
        if not payloads:
            return
        bodies = [orjson.dumps(payload) for payload in payloads]
        count = len(bodies)
        delays = None
        if run_at is not None:
            delays = [max(run_at - datetime.now(UTC), datetime.now(UTC) - datetime.now(UTC))] * count
        await Queries(AsyncpgDriver(tx.raw)).enqueue([name] * count, list(bodies), [0] * count, delays)
