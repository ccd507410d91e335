"""A worker that can be killed: imports everything once, then forks a working child per line of its input and prints the child's pid.

Run as `python evening_worker.py <dsn> <instant>`. The child stands at that instant, and sends nothing outside: there is neither push server nor platform.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import api.notifications.fcm  # noqa: F401 -- loaded once, before the forks
from domain import bootstrap
from domain.clock import FixedClock
from domain.providers.pgqueuer_enqueue import PgQueuerJobs
from domain.providers.pgqueuer_jobs import Limits, PgQueuerRunner
from domain.settings import load
from plusone.demo.run import SECRET_KEY
from workers import main as workers

LIMITS = Limits(lease_seconds=3.0, poll_seconds=0.5)
"""A killed worker's jobs come back sooner than in production, so that the test need not wait for them."""
workers.PgQueuerRunner = lambda dsn: PgQueuerRunner(dsn, LIMITS)


async def work(dsn: str, at: datetime) -> None:
    settings = load(_env_file=None, environment="development", secret_key=SECRET_KEY, pool_size=5, fcm_base_url=None, reply_base_url=None)
    # Replies are written, and closed by their jobs.
    services = replace(bootstrap.services(settings, clock=FixedClock(at)), jobs=PgQueuerJobs())
    await bootstrap.connect(settings, dsn, application_name="evening-worker")
    print(os.getpid(), flush=True)
    await workers.run(services, asyncio.Event(), dsn)


def main() -> None:
    dsn, at = sys.argv[1], datetime.fromisoformat(sys.argv[2])
    child = 0
    for _ in sys.stdin:
        if child:
            os.waitpid(child, 0)
        child = os.fork()
        if child == 0:
            sys.stdin.close()
            asyncio.run(work(dsn, at))
            os._exit(0)


if __name__ == "__main__":
    main()
