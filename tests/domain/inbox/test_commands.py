"""The inbox writer: group commit, once per key, honest failures."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY

from domain import db as database
from domain.db import DatabaseAway
from domain.inbox import commands
from domain.inbox.commands import InboxWriter, occurred, park, replay_parked
from domain.inbox.errors import Unstorable
from domain.inbox.rules import lane_number
from tests.build import NOW, an_endpoint


@dataclass(frozen=True, slots=True)
class Event:
    external_key: str
    lane: str = "facebook:post"
    occurred_at: datetime | None = None
    payload: Mapping[str, Any] | None = None
    written: str = ""
    repeatable: bool = False


async def stored() -> list[str]:
    return [row["external_key"] for row in await database.fetch("select external_key from inbox_event order by id")]


async def test_a_row_holds_what_the_drain_needs(writer: InboxWriter) -> None:
    endpoint = await an_endpoint()
    at = NOW - timedelta(seconds=3)
    await writer.receive(endpoint, "line", [Event("k1", "line:C1", at, {"text": "紅 L +2"})], received_at=NOW)
    row = await database.fetchrow("select * from inbox_event")
    assert row is not None
    assert {key: value for key, value in row.items() if key != "id"} == {
        "endpoint_id": endpoint,
        "source": "line",
        "external_key": "k1",
        "lane": lane_number("line:C1"),
        "occurred_at": at,
        "payload": '{"text": "紅 L +2"}',
        "state": "PENDING",
        "outcome": "",
        "tries": 0,
        "received_at": NOW,
        "decided_at": None,
        "parked_reason": "",
        "size": 1,
        "parts": None,
    }


async def test_the_same_key_is_stored_once_in_one_delivery_in_one_batch_and_later(writer: InboxWriter) -> None:
    endpoint = await an_endpoint()
    await writer.receive(endpoint, "facebook", [Event("a", payload={"n": 1}), Event("b"), Event("a", payload={"n": 2})], received_at=NOW)
    copies = [writer.receive(endpoint, "facebook", [Event("c", payload={"n": 3}), Event("a")], received_at=NOW) for _ in range(50)]
    await asyncio.gather(*copies)
    assert await stored() == ["a", "b", "c"]
    assert await database.fetchval("select payload->>'n' from inbox_event where external_key = 'a'") == "1"


async def test_two_endpoints_may_use_the_same_key(writer: InboxWriter) -> None:
    first, second = await an_endpoint(), await an_endpoint()
    await asyncio.gather(*(writer.receive(e, "facebook", [Event("a")], received_at=NOW) for e in (first, second)))
    assert await stored() == ["a", "a"]


async def test_requests_of_one_moment_share_commits_and_keep_their_order(writer: InboxWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    insert = commands._insert

    async def counted(rows: Any) -> None:
        batches.append(len(rows))
        await insert(rows)

    monkeypatch.setattr(commands, "_insert", counted)
    endpoint = await an_endpoint()
    await asyncio.gather(*(writer.receive(endpoint, "facebook", [Event(f"{n:04}")], received_at=NOW) for n in range(2_500)))
    assert await stored() == [f"{n:04}" for n in range(2_500)]
    assert sum(batches) == 2_500
    assert max(batches) == commands.MAX_ROWS
    assert len(batches) <= 4


async def test_a_delivery_larger_than_a_statement_is_stored_whole(writer: InboxWriter) -> None:
    endpoint = await an_endpoint()
    await writer.receive(endpoint, "facebook", [Event(f"{n:05}") for n in range(3_500)], received_at=NOW)
    assert await stored() == [f"{n:05}" for n in range(3_500)]


async def test_the_workers_are_woken_once_per_batch(writer: InboxWriter) -> None:
    endpoint = await an_endpoint()
    listener = await database.dedicated()
    woken: asyncio.Queue[str] = asyncio.Queue()
    await listener.add_listener(commands.CHANNEL, lambda *call: woken.put_nowait(call[2]))
    try:
        await writer.receive(endpoint, "facebook", [Event("a"), Event("b")], received_at=NOW)
        async with asyncio.timeout(30):
            assert await woken.get() == commands.CHANNEL
        assert await stored() == ["a", "b"]
        assert woken.empty()
    finally:
        await listener.close()


async def test_how_long_commits_take_is_told(writer: InboxWriter) -> None:
    def told(name: str) -> float:
        return REGISTRY.get_sample_value(f"plusone_webhook_store_seconds_{name}") or 0.0

    before = told("count"), told("sum")
    endpoint = await an_endpoint()
    await writer.receive(endpoint, "facebook", [Event("a"), Event("b")], received_at=NOW)
    assert told("count") == before[0] + 1
    assert told("sum") >= before[1] + commands.LINGER_SECONDS


async def test_a_delivery_without_events_waits_for_nothing(db: str) -> None:
    await InboxWriter().receive(uuid4(), "line", [], received_at=NOW)
    assert await stored() == []


@pytest.mark.parametrize(
    ("claimed", "taken"),
    [
        (None, NOW),
        (NOW - timedelta(days=2), NOW - timedelta(days=2)),
        (NOW + timedelta(minutes=5), NOW + timedelta(minutes=5)),
        (NOW + timedelta(minutes=5, seconds=1), NOW),
        (NOW + timedelta(days=4000), NOW),
    ],
)
def test_a_time_in_the_future_never_jumps_the_queue(claimed: datetime | None, taken: datetime) -> None:
    assert occurred(claimed, NOW) == taken


@pytest.mark.parametrize(
    "bad",
    [
        Event("x" * 201),
        Event("nul", payload={"text": "a\0b"}),
        Event("surrogate", payload={"text": "\ud800"}),
        Event("nul\0key"),
    ],
    ids=["long key", "NUL", "lone surrogate", "NUL in the key"],
)
async def test_rows_that_postgresql_refuses_fail_alone(writer: InboxWriter, bad: Event) -> None:
    endpoint = await an_endpoint()
    answers = await asyncio.gather(
        writer.receive(endpoint, "facebook", [Event("before")], received_at=NOW),
        writer.receive(endpoint, "facebook", [bad], received_at=NOW),
        writer.receive(endpoint, "facebook", [Event("after")], received_at=NOW),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [type(None), Unstorable, type(None)]
    assert await stored() == ["before", "after"]


async def test_an_endpoint_that_is_gone_fails_alone(writer: InboxWriter) -> None:
    endpoint = await an_endpoint()
    answers = await asyncio.gather(
        *(writer.receive(e, "facebook", [Event("a")], received_at=NOW) for e in (uuid4(), endpoint)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [Unstorable, type(None)]
    assert await stored() == ["a"]


@pytest.mark.parametrize(("limit", "value"), [("MAX_WAITING_ROWS", 3), ("MAX_WAITING_CHARS", 3 * len("null"))])
async def test_a_full_inbox_says_so_at_once(db: str, monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    inbox = InboxWriter()
    inbox.start()
    endpoint = await an_endpoint()
    monkeypatch.setattr(commands, limit, value)
    waiting = asyncio.gather(*(inbox.receive(endpoint, "facebook", [Event(f"{n}")], received_at=NOW) for n in range(3)))
    await asyncio.sleep(0)
    assert inbox.waiting_rows == 3
    with pytest.raises(DatabaseAway):
        await inbox.receive(endpoint, "facebook", [Event("3")], received_at=NOW)
    await waiting
    await inbox.receive(endpoint, "facebook", [Event("4")], received_at=NOW)
    assert await stored() == ["0", "1", "2", "4"]
    await inbox.stop()


async def test_stopping_stores_what_waits_and_takes_nothing_more(db: str) -> None:
    inbox = InboxWriter()
    inbox.start()
    endpoint = await an_endpoint()
    waiting = asyncio.gather(*(inbox.receive(endpoint, "facebook", [Event(f"{n:04}")], received_at=NOW) for n in range(1_500)))
    await asyncio.sleep(0)
    await inbox.stop()
    await waiting
    assert len(await stored()) == 1_500
    with pytest.raises(DatabaseAway):
        await inbox.receive(endpoint, "facebook", [Event("late")], received_at=NOW)
    assert len(await stored()) == 1_500


async def test_rows_whose_request_gave_up_before_its_turn_are_not_stored(db: str) -> None:
    inbox = InboxWriter()
    endpoint = await an_endpoint()
    inbox.start()
    given_up = asyncio.create_task(inbox.receive(endpoint, "facebook", [Event("gone")], received_at=NOW))
    await asyncio.sleep(0)
    given_up.cancel()
    await inbox.receive(endpoint, "facebook", [Event("here")], received_at=NOW)
    await inbox.stop()
    assert await stored() == ["here"]
    assert inbox.waiting_rows == 0


async def test_a_batch_that_hangs_loses_its_connection_and_the_next_one_is_stored(
    writer: InboxWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "BATCH_SECONDS", 0.2)
    endpoint = await an_endpoint()
    async with database.transaction() as tx:  # an uncommitted row with the same key: the insert waits for it
        await tx.execute(
            """insert into inbox_event (endpoint_id, source, external_key, lane, occurred_at, payload, received_at, state, outcome, tries, parked_reason)
               values ($1, 'facebook', 'a', 1, now(), '{}', now(), 'PENDING', '', 0, '')""",
            endpoint,
        )
        hanging = asyncio.create_task(writer.receive(endpoint, "facebook", [Event("a")], received_at=NOW))
        with pytest.raises(DatabaseAway):
            await hanging
    monkeypatch.setattr(commands, "BATCH_SECONDS", 5)
    await writer.receive(endpoint, "facebook", [Event("b")], received_at=NOW)
    assert await stored() == ["a", "b"]


class Hasty(InboxWriter):
    """The twin without the guard: it says yes before the COMMIT."""

    async def _store(self, batch: Any) -> None:
        commands._resolve(batch, None)
        await super()._store(batch)


@pytest.mark.parametrize(("kind", "acknowledged_too_early"), [(InboxWriter, False), (Hasty, True)], ids=["ours", "twin"])
async def test_nothing_is_acknowledged_before_its_commit(db: str, kind: type[InboxWriter], acknowledged_too_early: bool) -> None:
    inbox = kind()
    inbox.start()
    endpoint = await an_endpoint()
    async with database.transaction() as tx:  # holds the writer's statement up
        await tx.execute("lock table inbox_event in exclusive mode")
        answer = asyncio.create_task(inbox.receive(endpoint, "facebook", [Event("a")], received_at=NOW))
        async with asyncio.timeout(30):
            while not await database.fetchval_apart(  # noqa: ASYNC110
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%insert into inbox_event%' and pid <> pg_backend_pid()"
            ):
                await asyncio.sleep(0.005)
        assert answer.done() is acknowledged_too_early
        assert await tx.fetchval("select count(*) from inbox_event") == 0
    await answer
    await inbox.stop()
    assert await stored() == ["a"]


async def an_event(endpoint: UUID, key: str, state: str, tries: int = 0) -> int:
    found: int = await database.fetchval(
        """insert into inbox_event (endpoint_id, source, external_key, lane, occurred_at, payload, received_at, state, outcome, tries, parked_reason)
           values ($1, 'facebook', $2, 1, $3, '{}', $3, $4, '', $5, $6) returning id""",
        endpoint,
        key,
        NOW,
        state,
        tries,
        "no comment id" if state == "PARKED" else "",
    )
    return found


async def states() -> list[tuple[str, str, int, str]]:
    rows = await database.fetch("select external_key, state, tries, parked_reason from inbox_event order by id")
    return [tuple(row) for row in rows]


async def test_parking_keeps_the_reason_and_leaves_decided_events(db: str) -> None:
    endpoint = await an_endpoint()
    one, two = await an_event(endpoint, "a", "PENDING"), await an_event(endpoint, "b", "DECIDED")
    async with database.transaction() as tx:
        assert await park(tx, [one, two], "odd \0 \ud800 " + "x" * 400) == 1
    assert await states() == [("a", "PARKED", 0, ("odd  ? " + "x" * 400)[:300]), ("b", "DECIDED", 0, "")]


async def test_parked_events_come_back_all_or_some(db: str) -> None:
    endpoint = await an_endpoint()
    one = await an_event(endpoint, "a", "PARKED", 5)
    await an_event(endpoint, "b", "PARKED", 5)
    decided = await an_event(endpoint, "c", "DECIDED")
    assert await replay_parked([one, decided]) == 1
    assert await states() == [("a", "PENDING", 0, ""), ("b", "PARKED", 5, "no comment id"), ("c", "DECIDED", 0, "")]
    assert await replay_parked() == 1
    assert await states() == [("a", "PENDING", 0, ""), ("b", "PENDING", 0, ""), ("c", "DECIDED", 0, "")]
    assert await replay_parked() == 0
