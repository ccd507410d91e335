"""What deciding costs: comments that are stored already, decided by one worker's drain in this process, one lane after the other.

The processor time of Python and of PostgreSQL per comment is what docs/decisions/0011 compares, because the time on the wall says as much about the
neighbours. Every buyer is new in one load; in the other a few regulars write again and again, as in a live.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from pydantic import SecretStr

from benchmarks import house
from benchmarks.claims_live import Crowd, Live, open_live, page_of
from benchmarks.frame import Bench, Run
from domain import db
from domain.bootstrap import services
from domain.inbox.rules import lane_number
from domain.providers.platforms import PLATFORMS
from domain.providers.platforms.wire import facebook_wire
from domain.settings import Environment, Settings
from plusone.processes import settle
from workers.ingest import drain_all

TOGETHER: Final = 50
"""Comments per delivery."""


async def measure(run: Run, *, comments: int, regulars: int) -> None:
    """See the module."""
    for name, buyers in (("buyers all new", 1_000_000_000), (f"{regulars:,} regulars", regulars)):
        async with house.database(run, connect=10) as database:
            live = await open_live(posts=4, on_hand=1_000_000, members=regulars // 3, buyers=regulars)
            with run.step(f"{name}: storing {comments:,} comments"):
                await _store(live, Crowd(live, buyers, datetime.now(UTC), per_second=1_000.0), comments)
            ours = services(Settings(environment=Environment.DEVELOPMENT, secret_key=SecretStr(house.SECRET_KEY), _env_file=None))  # type: ignore[call-arg]
            settle()  # as a worker does
            server, python, wall = house.cpu_seconds_of_server(database.postmaster), time.process_time(), house.Stopwatch()
            with run.step(f"{name}: deciding"):
                done = await drain_all(ours)
            python, seconds = time.process_time() - python, wall.seconds
            server = house.cpu_seconds_of_server(database.postmaster) - server
            run.figure(f"{name}: decided by one lane at a time", done / seconds, "comments/s")
            run.figure(f"{name}: Python", python / done * 1e6, "µs a comment")
            run.figure(f"{name}: PostgreSQL", server / done * 1e6, "µs a comment")
    run.note(f"{comments:,} comments each under four posts, eight in ten of them orders, decided in this process.")


async def _store(live: Live, crowd: Crowd, comments: int) -> None:
    """As the door stores them, without the door."""
    endpoint = await db.fetchval("select endpoint_id from channel where shop_id = $1", live.shop_id)
    at = datetime.now(UTC)
    rows: list[Sequence[object]] = []
    while crowd.written < comments:
        changes = crowd.changes(min(TOGETHER, comments - crowd.written))
        body = facebook_wire({"object": "page", "entry": [{"id": page_of(changes), "time": int(at.timestamp()), "changes": changes}]})
        events = PLATFORMS["facebook"].split(body, received_at=at)
        rows += [(one.external_key, lane_number(one.lane), one.occurred_at or at, db.jsonb(dict(one.payload))) for one in events]
    await db.execute(
        """insert into inbox_event (endpoint_id, source, external_key, lane, occurred_at, payload, received_at, state, outcome, tries, parked_reason)
           select $1, 'facebook', e.key, e.lane, e.at, e.payload::jsonb, $2, 'PENDING', '', 0, ''
           from unnest($3::text[], $4::bigint[], $5::timestamptz[], $6::text[]) e(key, lane, at, payload)""",
        endpoint, at, *(list(column) for column in zip(*rows, strict=True)),
    )  # fmt: skip


BENCH = Bench(
    "drain", "processor time of deciding a comment, in Python and in PostgreSQL", measure,
    full={"comments": 40_000, "regulars": 2_000}, quick={"comments": 4_000, "regulars": 400}, smallest={"comments": 100, "regulars": 20},
)  # fmt: skip
