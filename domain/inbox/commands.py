"""The way in: events of verified deliveries become rows, many requests per commit; parked rows come back on demand.

There is one `InboxWriter` per API process, because two could commit events of one post out of the order of their arrival. A request waits
until the COMMIT that holds its rows. How long a commit waits for company goes by how much comes in: a lone delivery LINGER_SECONDS, some hundred
events a second WINDOW_SECONDS, because a commit costs as much as storing some fifty rows, here and in the workers that it wakes; some thousand less again, for
each has enough company by then. Comments of one lane go into one row together (`bundles`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Protocol
from uuid import UUID

import asyncpg

from domain import db
from domain.db import CONTENTION, DatabaseAway, Tx, jsonb
from domain.inbox.bundles import Arrival, Row, rows_of
from domain.inbox.errors import Unstorable
from domain.inbox.metrics import events as counted
from domain.inbox.metrics import store_seconds
from domain.inbox.patience import Patience
from domain.inbox.rules import EventState, lane_number

log = logging.getLogger(__name__)

CHANNEL: Final = "inbox_new"
"""NOTIFY channel: something undecided has been committed."""
LINGER_SECONDS: Final = 0.003
WINDOW_SECONDS: Final = 0.025
"""From one commit's start to the next when much comes in. A platform waits for seconds; who counts on the answer is the worker's processor."""
FULL_RATE: Final = 400.0
"""Rows a second from which on the window is that long; below it is shorter in proportion."""
ENOUGH_ROWS: Final = 40
"""So many of one commit pay for it: when more come in, it is made sooner."""
CALM_SECONDS: Final = 0.25
"""After so long without a commit nothing is known of how much comes in, and the next delivery does not wait for others."""
MAX_ROWS: Final = 1_000
"""Rows of one statement; a larger delivery takes several of them in one transaction."""
MAX_WAITING_ROWS: Final = 20_000
"""Rows that wait for the writer; beyond that the door says 503 and the platform comes again."""
MAX_WAITING_CHARS: Final = 64_000_000
"""The same for the length of their payloads: what a process may keep in memory for a database that is away."""
PATIENCE_SECONDS: Final = 1.75
"""Who is not stored by then hears so at once, while its sender still listens."""
BATCH_SECONDS: Final = 1.5
"""A batch that takes longer loses its connection: its requests must be answered within 2 s."""
MAX_REASON_CHARS: Final = 300
FUTURE_LIMIT: Final = timedelta(minutes=5)
"""A platform time further ahead is wrong, and must not decide whose comment came first."""

_UNSTORABLE = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError, ValueError)


class Arrived(Protocol):
    """One event as a platform cuts it from a delivery; `domain.claims.ports.RawEvent` is one."""

    @property
    def external_key(self) -> str: ...
    @property
    def lane(self) -> str: ...
    @property
    def occurred_at(self) -> datetime | None: ...
    @property
    def payload(self) -> Mapping[str, Any]: ...
    @property
    def written(self) -> str:
        """The payload as JSON text if somebody has written it already, else empty."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether hearing it again changes nothing, so that others may share its row (`bundles`)."""
        ...


_lane = lru_cache(maxsize=4_096)(lane_number)


@dataclass(slots=True, eq=False)
class _Request:
    rows: list[Arrival]
    chars: int
    done: asyncio.Future[None]
    since: float
    """By the loop's clock."""


def occurred(claimed: datetime | None, received_at: datetime) -> datetime:
    """The time that orders an event within its lane: the platform's, or the receipt's when there is none or it lies in the future."""
    return received_at if claimed is None or claimed > received_at + FUTURE_LIMIT else claimed


def _row(endpoint_id: UUID, source: str, event: Arrived, received_at: datetime) -> Arrival:
    try:
        payload = event.written or jsonb(event.payload)
    except (TypeError, ValueError) as error:
        raise Unstorable(type(error).__name__) from None
    at = occurred(event.occurred_at, received_at)
    return Arrival(endpoint_id, source, event.external_key, _lane(event.lane), at, payload, received_at, event.repeatable)


class InboxWriter:
    """Group commit for the webhook door: `start`, then `receive` from many requests at once, then `stop`."""

    def __init__(self) -> None:
        self._waiting: deque[_Request] = deque()
        self._rows = 0
        self._chars = 0
        self._arrived = asyncio.Event()
        self._open = False
        self._task: asyncio.Task[None] | None = None
        self._patience = Patience[_Request](PATIENCE_SECONDS, 0.1, lambda request: _resolve([request], DatabaseAway("not stored in time")))
        self._rate = 0.0
        """Rows a second, of late."""
        self._began = 0.0
        """When the last batch was taken, by the loop's clock."""

    @property
    def waiting_rows(self) -> int:
        """Rows that no batch has taken yet."""
        return self._rows

    def start(self) -> None:
        """Begin to write, in the running loop."""
        self._open = True
        self._task = asyncio.create_task(self._write(), name="inbox-writer")

    async def stop(self) -> None:
        """Take nothing more, store what waits, and end."""
        self._open = False
        self._arrived.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def receive(self, endpoint_id: UUID, source: str, events: Sequence[Arrived], *, received_at: datetime) -> None:
        """Store the events of one delivery; returns after the COMMIT. An event whose key the endpoint has sent before stays as it is.

        The caller may give up waiting; rows that no batch has taken by then are not stored.

        Raises:
            DatabaseAway: nothing is known to be stored, at the latest after PATIENCE_SECONDS; the platform must send the delivery again.
            Unstorable: the database refuses these rows.
        """
        if not events:
            return
        rows = [_row(endpoint_id, source, event, received_at) for event in events]
        loop = asyncio.get_running_loop()
        request = _Request(rows, sum([len(row.payload) for row in rows]), loop.create_future(), loop.time())
        if not self._open or not self._has_room(request):
            raise DatabaseAway("the inbox takes nothing more for the moment")
        self._waiting.append(request)
        self._rows += len(rows)
        self._chars += request.chars
        self._arrived.set()
        self._patience.begin(request)
        try:
            await request.done
        finally:
            self._patience.end(request)

    def _has_room(self, request: _Request) -> bool:
        """Whether a request may wait; an empty queue takes any."""
        return not self._waiting or (
            self._rows + len(request.rows) <= MAX_WAITING_ROWS and self._chars + request.chars <= MAX_WAITING_CHARS
        )

    async def _write(self) -> None:
        while self._open or self._waiting:
            linger = 0.0
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                linger = LINGER_SECONDS
            if self._open:
                await self._company(linger)
            batch = self._take()
            if batch:
                await self._store(batch)

    async def _company(self, linger: float) -> None:
        """Wait for more to come, so long as the load suggests; a full batch waits for nothing."""
        if self._rows >= MAX_ROWS:
            return
        since = asyncio.get_running_loop().time() - self._began
        if since > CALM_SECONDS:
            self._rate = 0.0
        window = WINDOW_SECONDS * min(1.0, self._rate / FULL_RATE, ENOUGH_ROWS / WINDOW_SECONDS / max(self._rate, 1.0))
        await asyncio.sleep(max(linger, window - since, 0.0))

    def _count(self, rows: int) -> None:
        """Take note of a batch's rows: they came since the last one was taken."""
        now = asyncio.get_running_loop().time()
        self._rate = (self._rate + rows / max(now - self._began, 0.001)) / 2
        self._began = now

    def _take(self) -> list[_Request]:
        """The next requests, MAX_ROWS rows in all or one larger request; those whose caller has gone are dropped."""
        batch: list[_Request] = []
        rows = 0
        while self._waiting and (not batch or rows + len(self._waiting[0].rows) <= MAX_ROWS):
            request = self._waiting.popleft()
            self._rows -= len(request.rows)
            self._chars -= request.chars
            if not request.done.done():
                batch.append(request)
                rows += len(request.rows)
        self._count(rows)
        return batch

    async def _store(self, batch: Sequence[_Request]) -> None:
        try:
            await _insert_with_retry([row for request in batch for row in request.rows])
        except _UNSTORABLE as error:
            if len(batch) > 1:  # one of them spoils it for the others
                for request in batch:
                    await self._store([request])
                return
            _resolve(batch, Unstorable(type(error).__name__))
        except Exception as error:
            log.warning("inbox batch failed", extra={"requests": len(batch), "error": type(error).__name__})
            _resolve(batch, DatabaseAway("the events could not be stored"))
        else:
            _resolve(batch, None)
            store_seconds.observe(asyncio.get_running_loop().time() - batch[0].since)


def _resolve(batch: Sequence[_Request], error: Exception | None) -> None:
    for request in batch:
        if request.done.done():
            continue
        if error is None:
            request.done.set_result(None)
        else:
            request.done.set_exception(error)


async def _insert_with_retry(arrivals: Sequence[Arrival]) -> None:
    try:
        await _insert(arrivals)
    except CONTENTION:  # two processes that were sent the same copies in another order
        await _insert(arrivals)


async def _insert(arrivals: Sequence[Arrival]) -> None:
    """Store events in one transaction, each key once, in the order of their arrival, and wake the workers."""
    first: dict[tuple[UUID, str], Arrival] = {}
    for one in arrivals:
        first.setdefault((one.endpoint_id, one.external_key), one)
    rows = rows_of(list(first.values()))
    new = await (_insert_at_once(rows) if len(first) <= MAX_ROWS else _insert_in_chunks(rows))
    counted.labels("true").inc(new)
    counted.labels("false").inc(len(arrivals) - new)


_INSERT: Final = """insert into inbox_event
     (endpoint_id, source, external_key, lane, occurred_at, payload, received_at, size, parts, state, outcome, tries, parked_reason)
   select e.endpoint_id, e.source, e.external_key, e.lane, e.occurred_at, e.payload::jsonb, e.received_at, e.size, e.parts, 'PENDING', '', 0, ''
   from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[], $6::text[], $7::timestamptz[], $8::int[], $9::text[])
        with ordinality e(endpoint_id, source, external_key, lane, occurred_at, payload, received_at, size, parts, place)
   order by e.place
   on conflict (endpoint_id, external_key) do nothing returning size"""
_INSERT_AND_COUNT: Final = f"with new as ({_INSERT}) select coalesce(sum(size), 0) from new"
_INSERT_AND_WAKE: Final = f"with new as ({_INSERT}) select coalesce(sum(size), 0), pg_notify('{CHANNEL}', '') from new"
"""A transaction of its own, in one round trip."""


async def _insert_at_once(rows: Sequence[Row]) -> int:
    async with db.connection() as raw:
        cut = asyncio.get_running_loop().call_later(BATCH_SECONDS, raw.terminate)  # it must also end a COMMIT that hangs
        try:
            new: int = await raw.fetchval(_INSERT_AND_WAKE, *zip(*rows, strict=True))
        finally:
            cut.cancel()
    return new


async def _insert_in_chunks(rows: Sequence[Row]) -> int:
    new = 0
    cut: asyncio.TimerHandle | None = None
    try:
        async with db.transaction() as tx:
            cut = asyncio.get_running_loop().call_later(BATCH_SECONDS, tx.raw.terminate)
            for start in range(0, len(rows), MAX_ROWS):
                new += await tx.fetchval(_INSERT_AND_COUNT, *zip(*rows[start : start + MAX_ROWS], strict=True))
            await tx.execute("select pg_notify($1, '')", CHANNEL)
    finally:
        if cut is not None:
            cut.cancel()
    return new


async def park(tx: Tx, event_ids: Sequence[int], reason: str) -> int:
    """Set undecided events aside with the reason, cut to what its column takes; answers how many there were."""
    shown = reason.encode("utf-8", "replace").decode().replace("\0", "")[:MAX_REASON_CHARS]
    return await tx.execute(
        """with parked as (
             update inbox_event set state = $2, parked_reason = $3 where id = any($1::bigint[]) and state = $4
             returning lane, occurred_at, id),
           gone as (
             delete from inbox_undecided u using parked p where u.lane = p.lane and u.occurred_at = p.occurred_at and u.event_id = p.id)
           select from parked""",
        list(event_ids),
        EventState.PARKED.value,
        shown or "parked",
        EventState.PENDING.value,
    )


async def replay_parked(event_ids: Sequence[int] | None = None) -> int:
    """Give parked events (all of them without ids) back to the workers, their tries forgotten; answers how many there were."""
    async with db.transaction() as tx:
        count = await tx.execute(
            """update inbox_event set state = $1, tries = 0, parked_reason = ''
               where state = $2 and parked_reason <> '' and ($3::bigint[] is null or id = any($3::bigint[]))""",
            EventState.PENDING.value,
            EventState.PARKED.value,
            None if event_ids is None else list(event_ids),
        )
        if count:
            await tx.execute("select pg_notify($1, '')", CHANNEL)
    return count
