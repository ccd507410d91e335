"""What is kept for how long, to the second; lots, and what must never happen although something is gone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.ids import new_id
from domain.settings import Settings, load
from domain.upkeep import commands
from domain.upkeep.commands import forget_old
from domain.upkeep.rules import Keep
from tests.build import NOW, a_buyer, a_channel, a_claim, a_device, a_member, a_shop, an_endpoint
from tests.domain.claims.acts import tell_line
from tests.serving import SECRET_KEY
from tests.wall import Wall, a_wall
from workers import upkeep

FOR_EVER = Keep(0, 0, 0, 0, 0, 0, 0, 0, 0)
SECOND = timedelta(seconds=1)


async def count(table: str, where: str = "true") -> int:
    found: int = await database.fetchval(f"select count(*) from {table} where {where}")
    return found


async def an_event(endpoint: UUID, key: str, *, at: datetime, state: str = "DECIDED") -> None:
    await database.execute(
        """insert into inbox_event (endpoint_id, source, external_key, lane, occurred_at, payload, state, outcome, tries, received_at, parked_reason)
           values ($1, 'line', $2, 1, $3, '{}', $4, '', 0, $3, $5)""",
        endpoint, key, at, state, "odd" if state == "PARKED" else "",
    )  # fmt: skip


async def a_notice(*, at: datetime, read_at: datetime | None = None, push: str = "SENT") -> UUID:
    """A notice of a member with a phone, and the push that told of it."""
    member = await a_member()
    shop = await a_shop()
    buyer, device, notice = await a_buyer(shop, member_id=member), await a_device(member), new_id()
    await database.execute(
        """insert into notice (id, shop_id, buyer_id, member_id, kind, data, dedupe_key, read_at, created_at)
           values ($1, $2, $3, $4, 'ANNOUNCEMENT', '{}', $1::uuid::text, $5, $6)""",
        notice, shop.id, buyer.id, member, read_at, at,
    )  # fmt: skip
    await database.execute(
        """insert into push_delivery (id, notice_id, device_id, state, tries, next_try_at, use_by, provider_id, last_error)
           values ($1, $2, $3, $4, 0, $5, $5, '', '')""",
        new_id(), notice, device, push, at,
    )  # fmt: skip
    return notice


async def left(keep: Keep, *, now: datetime = NOW) -> dict[str, int]:
    """What went, without the kinds of which nothing did."""
    return {kind: gone for kind, gone in (await forget_old(keep, now=now)).items() if gone}


async def test_decided_events_go_after_their_days_and_no_others(db) -> None:
    endpoint = await an_endpoint()
    for days, state in ((91, "DECIDED"), (91, "PARKED"), (91, "PENDING"), (89, "DECIDED")):
        await an_event(endpoint, f"{days}{state}", at=NOW - timedelta(days=days), state=state)
    await an_event(endpoint, "to the second", at=NOW - timedelta(days=90))
    keep = Keep()
    assert await left(keep) == {"events": 1}
    assert await count("inbox_event") == 4
    assert await left(keep, now=NOW + SECOND) == {"events": 1}
    assert await left(keep, now=NOW + SECOND) == {}
    assert await count("inbox_event", "state = 'PENDING'") == 1


async def test_parked_events_wait_a_year_for_a_person(db) -> None:
    endpoint = await an_endpoint()
    await an_event(endpoint, "a", at=NOW - timedelta(days=365), state="PARKED")
    await an_event(endpoint, "b", at=NOW - timedelta(days=364), state="PARKED")
    assert await left(Keep()) == {}
    assert await left(Keep(), now=NOW + SECOND) == {"parked": 1}
    assert await database.fetchval("select external_key from inbox_event") == "b"


async def test_a_notice_goes_with_its_pushes_read_sooner_than_unread(db) -> None:
    days = timedelta(days=1)
    read = await a_notice(at=NOW - 200 * days, read_at=NOW - 180 * days - SECOND)
    unread = await a_notice(at=NOW - 365 * days - SECOND)
    lately = await a_notice(at=NOW - 400 * days, read_at=NOW - 179 * days)
    waiting = await a_notice(at=NOW - 364 * days)
    assert await left(Keep(pushes=0)) == {"read_notices": 1, "unread_notices": 1}
    assert {row["id"] for row in await database.fetch("select id from notice")} == {lately, waiting}
    assert {row["notice_id"] for row in await database.fetch("select notice_id from push_delivery")} == {lately, waiting}
    assert read != unread
    assert await left(Keep(pushes=0), now=NOW + 2 * days) == {"read_notices": 1, "unread_notices": 1}
    assert await count("push_delivery") == 0


async def test_pushes_go_before_their_notice_unless_they_wait(db) -> None:
    old = NOW - timedelta(days=30) - SECOND
    for state in ("SENT", "DROPPED", "PARKED", "PENDING"):
        await a_notice(at=old, push=state)
    await a_notice(at=old + 2 * SECOND)
    assert await left(Keep()) == {"pushes": 3}
    assert await count("notice") == 5
    assert sorted(row["state"] for row in await database.fetch("select state from push_delivery")) == ["PENDING", "SENT"]


async def test_replies_and_earlier_texts_go_after_their_days(db) -> None:
    shop = await a_shop()
    channel = await a_channel(shop)
    comment = await database.fetchval("select comment_id from claim where id = $1", await a_claim(shop, channel=channel))
    for days, state in ((181, "SENT"), (181, "PENDING"), (179, "SENT")):
        await database.execute(
            """insert into platform_reply (id, shop_id, comment_id, dedupe_key, kind, text, state, tries, external_id, last_error, created_at)
               values ($1, $2, $3, $1::uuid::text, 'PUBLIC', '', $4, 0, '', '', $5)""",
            new_id(), shop.id, comment, state, NOW - timedelta(days=days),
        )  # fmt: skip
    for days in (731, 729):
        await database.execute(
            "insert into comment_revision (shop_id, comment_id, kind, text, at, received_at) values ($1, $2, 'EDIT', 'x', $3, $3)",
            shop.id, comment, NOW - timedelta(days=days),
        )  # fmt: skip
    assert await left(Keep()) == {"replies": 1, "revisions": 1}
    assert await left(Keep()) == {}
    assert (await count("platform_reply"), await count("comment_revision"), await count("social_comment")) == (2, 1, 1)


async def test_zero_days_is_for_ever(db) -> None:
    endpoint = await an_endpoint()
    await an_event(endpoint, "a", at=NOW - timedelta(days=9_000))
    await an_event(endpoint, "b", at=NOW - timedelta(days=9_000), state="PARKED")
    await a_notice(at=NOW - timedelta(days=9_000), read_at=NOW - timedelta(days=8_000))
    await a_wall()
    assert await left(FOR_EVER, now=NOW + timedelta(days=9_000)) == {}
    assert (await count("inbox_event"), await count("notice"), await count("push_delivery")) == (2, 1, 1)


@pytest.mark.parametrize("lot", [1, 2, 7, 100])
async def test_old_rows_are_found_behind_those_that_stay(db, monkeypatch, lot) -> None:
    """Parked ones at the beginning, young ones between: the walk ends at the first lot without any old row."""
    monkeypatch.setattr(commands, "LOT", lot)
    endpoint = await an_endpoint()
    for n in range(20):
        await an_event(endpoint, str(n), at=NOW - timedelta(days=100 - n // 10), state="PARKED" if n % 3 == 0 else "DECIDED")
    await an_event(endpoint, "young", at=NOW)
    assert await left(Keep()) == {"events": 13}
    assert await count("inbox_event") == 8


async def test_a_run_ends_after_its_lots_and_the_next_goes_on(db, monkeypatch) -> None:
    monkeypatch.setattr(commands, "LOT", 2)
    monkeypatch.setattr(commands, "LOTS", 3)
    endpoint = await an_endpoint()
    for n in range(8):
        await an_event(endpoint, str(n), at=NOW - timedelta(days=100))
    assert await left(Keep()) == {"events": 6}
    assert await left(Keep()) == {"events": 2}


async def test_an_event_that_comes_again_after_its_row_is_gone_orders_nothing_twice(db) -> None:
    wall = await a_wall(on_hand=10)
    comment = await wall.says("anna", "+2")
    await wall.drain()
    before = await everything_of(wall)
    later = NOW + timedelta(days=91)
    assert (await left(Keep(), now=later))["events"] == 1
    assert await count("inbox_event") == 0
    await wall.says("anna", "+2", comment=comment, at=NOW)
    assert await wall.drain() == 1
    assert await everything_of(wall) == before
    assert await wall.pieces("anna") == {"": 2}


async def everything_of(wall: Wall) -> dict[str, Any]:
    """What a second order would change."""
    tables = ("order", "order_line", "stock_movement", "claim", "social_comment", "notice", "platform_reply", "comment_revision")
    return {table: await count(f'"{table}"') for table in tables} | {"level": await wall.level()}


async def test_a_message_taken_back_on_line_leaves_no_text_in_the_inbox(db) -> None:
    wall = await a_wall()
    await tell_line(wall, "U1", "m1", "紅色+1 電話0912", at=NOW)
    await tell_line(wall, "U1", "m1", "紅色+2 電話0912", at=NOW + SECOND, edit=True)
    await tell_line(wall, "U2", "m2", "+1 別人", at=NOW + SECOND)
    await wall.drain()
    assert await count("inbox_event", "payload::text like '%0912%'") == 2
    await tell_line(wall, "U1", "m1", None, at=NOW + 2 * SECOND)
    await wall.drain()
    assert await count("inbox_event", "payload::text like '%0912%'") == 0
    assert await count("inbox_event", """payload = '{"erased": true}'""") == 2
    assert await count("inbox_event", "payload::text like '%別人%'") == 1
    assert await count("inbox_event", "state = 'DECIDED'") == 4


async def test_a_message_and_its_taking_back_in_one_batch_leave_no_text_either(db) -> None:
    wall = await a_wall()
    await tell_line(wall, "U1", "m1", "+1 電話0912", at=NOW)
    await tell_line(wall, "U1", "m1", None, at=NOW + SECOND)
    await wall.drain()
    assert await count("inbox_event", "payload::text like '%0912%'") == 0


def test_the_periods_are_settings(monkeypatch) -> None:
    assert upkeep.keep_of(load(secret_key=SECRET_KEY, _env_file=None)) == Keep()
    for number, name in enumerate(name for name in Settings.model_fields if name.startswith("keep_")):
        monkeypatch.setenv(f"PLUSONE_{name.upper()}", str(number + 10))
    assert upkeep.keep_of(load(secret_key=SECRET_KEY, _env_file=None)) == Keep(*range(10, 19))


class Listing:
    """A runner that keeps what it is taught."""

    def __init__(self) -> None:
        self.schedules: dict[str, Any] = {}

    def handle(self, name: str, handler: Any) -> None: ...

    def every(self, cron: str, name: str, action: Any) -> None:
        self.schedules[name] = action

    async def run(self, stop: Any) -> None: ...


async def test_the_worker_tells_counts_and_nothing_else(db, caplog) -> None:
    wall, runner = await a_wall(), Listing()
    upkeep.register(runner, wall.services)
    endpoint = await an_endpoint()
    await an_event(endpoint, "secret-key", at=NOW - timedelta(days=100))
    before = upkeep.GONE.labels(kind="events")._value.get()
    with caplog.at_level("INFO", logger="workers.upkeep"):
        await runner.schedules["upkeep"]()
        await runner.schedules["upkeep"]()
    assert upkeep.GONE.labels(kind="events")._value.get() == before + 1
    assert [record.gone["events"] for record in caplog.records] == [1]
    assert "secret-key" not in caplog.text


async def test_whatever_rows_point_to_that_go_is_found_by_an_index(db) -> None:
    """Else each row that goes would read the whole table that points to it."""
    missing = await database.fetch(
        """select c.conname from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any(c.conkey)
           where c.contype = 'f' and c.confrelid::regclass::text in ('notice', 'push_delivery', 'platform_reply', 'comment_revision', 'inbox_event', 'session')
             and not exists (select from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = any(c.conkey) and i.indpred is null)"""
    )
    assert missing == []
