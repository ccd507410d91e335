"""`hold_minutes` and `reminders`: how long pieces are held unpaid, and when the buyer is reminded: once, and never in vain."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from domain import db as database
from domain.claims.rules import ClaimPolicy, Reminder
from domain.clock import FixedClock
from domain.orders import reminders
from domain.orders.commands import cancel
from domain.orders.reminders import due_times, remind_due
from domain.posts.commands import place_post, set_policy
from tests.books import everything, queued
from tests.build import NOW, a_device, a_member, a_post
from tests.domain.claims.acts import STAFF, expire, fill, first_order, pay
from tests.wall import Wall, a_wall
from workers import deadlines

HALF, LAST_HOUR = Reminder.HALF, Reminder.LAST_HOUR
BOTH = frozenset(Reminder)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SHOP = 3 * DAY
"""What the wall's shop gives by itself."""


async def pay_by(author: str = "甲") -> datetime:
    """The deadline of an author's open order."""
    found: datetime = await database.fetchval(
        """select o.pay_by from "order" o join buyer b on b.id = o.buyer_id where b.external_id = $1 and o.state = 'OPEN' and o.payment_state = 'UNPAID'""",
        author,
    )
    return found


async def told() -> list[tuple[str, str]]:
    """(kind, deadline) of every reminder that was written."""
    rows = await database.fetch("select data from notice where kind = 'PAYMENT_REMINDER' order by created_at, id")
    return [(data["reminder"], data["payBy"]) for data in (database.from_jsonb(row["data"]) for row in rows)]


async def kinds() -> list[str]:
    return [kind for kind, _ in await told()]


async def sweep(wall: Wall, at: datetime) -> None:
    """The deadlines worker, at an instant."""
    clock = wall.services.clock
    assert isinstance(clock, FixedClock)
    clock.at = at
    await deadlines.sweep(wall.services)


async def a_second_post(wall: Wall, **policy: object) -> None:
    """Another post of the shop in place 1, with a rule of its own."""
    other = await a_post(wall.shop, products=[wall.product], title="另一團")
    async with database.transaction() as tx:
        await place_post(tx, shop_id=wall.shop.id, post_id=other.id, channel_id=wall.channel_id, external_post_id="other", now=NOW)
        await set_policy(tx, shop_id=wall.shop.id, post_id=other.id, policy=ClaimPolicy(**policy).stored(), now=NOW)  # type: ignore[arg-type]
    wall.external_posts.append("other")


async def says_at(wall: Wall, text: str, at: datetime, place: int = 0) -> str:
    """A comment, decided at that instant."""
    clock = wall.services.clock
    assert isinstance(clock, FixedClock)
    clock.at = at
    comment = await wall.says("甲", text, at=at, place=place)
    await wall.drain()
    return comment


class TestHold:
    @pytest.mark.parametrize(("minutes", "time"), [(None, SHOP), (30, 30 * MINUTE), (24 * 60, DAY), (10 * 24 * 60, 10 * DAY)])
    async def test_a_new_order_has_the_policy_s_time_or_the_shop_s(self, db: str, minutes: int | None, time: timedelta) -> None:
        wall = await a_wall(hold_minutes=minutes)
        await says_at(wall, "+1", NOW)
        assert await pay_by() == NOW + time

    @pytest.mark.parametrize(("minutes", "by"), [(None, NOW + SHOP), (30, NOW + 50 * MINUTE)])
    async def test_one_piece_more_counts_anew_only_by_the_policy_s_time(self, db: str, minutes: int | None, by: datetime) -> None:
        wall = await a_wall(hold_minutes=minutes)
        await says_at(wall, "+1", NOW)
        await says_at(wall, "+1", NOW + 20 * MINUTE)
        assert await pay_by() == by

    @pytest.mark.parametrize(
        ("first", "second", "by"),
        [
            (60, 30, NOW + 60 * MINUTE),  # never shortened
            (30, 60, NOW + 70 * MINUTE),
            (60, None, NOW + SHOP),
            (None, 60, NOW + SHOP),
            (None, 5 * 24 * 60, NOW + 5 * DAY + 10 * MINUTE),
        ],
    )
    async def test_of_several_posts_the_latest_deadline_wins(self, db: str, first: int | None, second: int | None, by: datetime) -> None:
        wall = await a_wall(hold_minutes=first)
        await a_second_post(wall, hold_minutes=second)
        await says_at(wall, "+1", NOW)
        await says_at(wall, "+1", NOW + 10 * MINUTE, place=1)
        assert await pay_by() == by
        assert await database.fetchval('select count(*) from "order"') == 1

    async def test_what_gives_pieces_back_moves_no_deadline(self, db: str) -> None:
        wall = await a_wall(hold_minutes=60)
        comment = await says_at(wall, "+3", NOW)
        await says_at(wall, "-1", NOW + 10 * MINUTE)
        await wall.says("甲", "+1", comment=comment, verb="edited", at=NOW + 20 * MINUTE)
        await wall.drain()
        assert await pay_by() == NOW + 60 * MINUTE

    async def test_waiting_pieces_bring_their_time_when_they_come(self, db: str) -> None:
        wall = await a_wall(hold_minutes=60, on_hand=1)
        await says_at(wall, "+2", NOW - 30 * MINUTE)
        assert await pay_by() == NOW + 30 * MINUTE
        assert await fill(wall, more=1) == 1
        assert await pay_by() == NOW + 60 * MINUTE

    async def test_the_time_is_kept_to_the_second(self, db: str) -> None:
        wall = await a_wall(hold_minutes=30)
        await says_at(wall, "+1", NOW)
        assert await expire(wall, at=NOW + 30 * MINUTE) == 0
        assert await expire(wall, at=NOW + 30 * MINUTE + timedelta(microseconds=1)) == 1


TIMES = [
    (3 * DAY, BOTH, {HALF: 36 * HOUR, LAST_HOUR: 71 * HOUR}),
    (3 * DAY, frozenset({HALF}), {HALF: 36 * HOUR}),
    (3 * DAY, frozenset({LAST_HOUR}), {LAST_HOUR: 71 * HOUR}),
    (3 * DAY, frozenset(), {}),
    (2 * HOUR, BOTH, {HALF: HOUR, LAST_HOUR: HOUR}),
    (2 * HOUR - timedelta(seconds=1), BOTH, {HALF: HOUR - timedelta(milliseconds=500)}),
    (30 * MINUTE, BOTH, {HALF: 15 * MINUTE}),
    (30 * MINUTE, frozenset({LAST_HOUR}), {}),
    (timedelta(), BOTH, {}),
    (-HOUR, BOTH, {}),
]


@pytest.mark.parametrize(("time", "wanted", "expected"), TIMES)
def test_the_times_of_the_reminders(time: timedelta, wanted: frozenset[Reminder], expected: dict[Reminder, timedelta]) -> None:
    assert due_times(NOW + time, wanted, now=NOW) == {kind: NOW + after for kind, after in expected.items()}


class TestReminders:
    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [(BOTH, ["HALF", "LAST_HOUR"]), (frozenset({HALF}), ["HALF"]), (frozenset({LAST_HOUR}), ["LAST_HOUR"]), (frozenset(), [])],
    )
    async def test_each_comes_at_its_time_and_once(self, db: str, wanted: frozenset[Reminder], expected: list[str]) -> None:
        wall = await a_wall(hold_minutes=600, reminders=wanted)
        await says_at(wall, "+1", NOW)
        seen = []
        for at in (
            NOW + 5 * HOUR - timedelta(seconds=1),
            NOW + 5 * HOUR,
            NOW + 6 * HOUR,
            NOW + 9 * HOUR - timedelta(seconds=1),
            NOW + 9 * HOUR,
        ):
            await sweep(wall, at)
            await sweep(wall, at)
            seen.append(len(await kinds()))
        assert await kinds() == expected
        half, last = int(HALF in wanted), int(LAST_HOUR in wanted)
        assert seen == [0, half, half, half, half + last]
        await sweep(wall, NOW + 11 * HOUR)
        assert await database.fetchval('select payment_state from "order"') == "EXPIRED"
        assert await kinds() == expected
        assert await database.fetchval("select count(*) from payment_reminder") == 0

    async def test_it_says_what_is_owed_and_until_when_and_rings(self, db: str) -> None:
        wall = await a_wall(hold_minutes=600)
        member = await a_member()
        await a_device(member)
        await database.execute(
            "insert into identity (id, member_id, provider, subject, created_at, last_seen_at) values (gen_random_uuid(), $1, 'facebook', '甲', $2, $2)",
            member, NOW,
        )  # fmt: skip
        await says_at(wall, "+2", NOW)
        pushes = len(await queued("push"))
        await sweep(wall, NOW + 5 * HOUR)
        data = database.from_jsonb(await database.fetchval("select data from notice where kind = 'PAYMENT_REMINDER'"))
        number = await database.fetchval('select number from "order"')
        expected = {
            "reminder": "HALF",
            "dueMinor": 1180,
            "totalMinor": 1180,
            "currency": "TWD",
            "orderNumber": number,
            "timeZone": "Asia/Taipei",
        }
        assert {name: data[name] for name in expected} == expected
        assert datetime.fromisoformat(data["payBy"]) == NOW + 10 * HOUR
        assert len(await queued("push")) == pushes + 1
        events = await database.fetch("select kind, data->>'kind' as which, actor from order_event where kind = 'PAYMENT_REMINDED'")
        assert [tuple(event) for event in events] == [("PAYMENT_REMINDED", "HALF", "worker:deadlines")]
        assert await database.fetchval('select version from "order"') == 1

    @pytest.mark.parametrize("end", ["paid", "cancelled by the shop", "cancelled by comment", "ran out"])
    async def test_nobody_is_reminded_of_what_is_over(self, db: str, end: str) -> None:
        wall = await a_wall(hold_minutes=600)
        await says_at(wall, "+1", NOW)
        if end == "paid":
            await pay(wall)
        elif end == "cancelled by the shop":
            await cancel(order_id=await first_order(), shop_id=wall.shop.id, reason="", actor=STAFF, now=NOW, jobs=wall.services.jobs)
        elif end == "cancelled by comment":
            await says_at(wall, "取消", NOW + MINUTE)
        else:
            await expire(wall, at=NOW + 11 * HOUR)
        await sweep(wall, NOW + 9 * HOUR)
        assert await kinds() == []
        assert await database.fetchval("select count(*) from payment_reminder") == 0

    async def test_a_moved_deadline_moves_what_is_to_come(self, db: str) -> None:
        wall = await a_wall(hold_minutes=600)
        await says_at(wall, "+1", NOW)
        await says_at(wall, "+1", NOW + 4 * HOUR)
        await sweep(wall, NOW + 5 * HOUR)
        assert await kinds() == []
        await sweep(wall, NOW + 9 * HOUR)
        assert await told() == [("HALF", (NOW + 14 * HOUR).isoformat())]
        await sweep(wall, NOW + 13 * HOUR)
        assert await kinds() == ["HALF", "LAST_HOUR"]

    async def test_a_deadline_that_moves_after_a_reminder_has_reminders_of_its_own(self, db: str) -> None:
        wall = await a_wall(hold_minutes=600)
        await says_at(wall, "+1", NOW)
        await sweep(wall, NOW + 5 * HOUR)
        await says_at(wall, "+1", NOW + 6 * HOUR)
        for hour in (7, 11, 15, 16):
            await sweep(wall, NOW + hour * HOUR)
        assert await told() == [
            ("HALF", (NOW + 10 * HOUR).isoformat()), ("HALF", (NOW + 16 * HOUR).isoformat()), ("LAST_HOUR", (NOW + 16 * HOUR).isoformat()),
        ]  # fmt: skip

    async def test_a_deadline_that_does_not_move_is_not_reminded_of_again(self, db: str) -> None:
        wall = await a_wall()
        await says_at(wall, "+1", NOW)
        await sweep(wall, NOW + 36 * HOUR)
        await says_at(wall, "+1", NOW + 37 * HOUR)
        await sweep(wall, NOW + 50 * HOUR)
        assert await kinds() == ["HALF"]

    async def test_a_worker_that_was_away_tells_the_latest_alone_and_nothing_that_is_over(self, db: str) -> None:
        wall = await a_wall(hold_minutes=600)
        await says_at(wall, "+1", NOW)
        await sweep(wall, NOW + 9 * HOUR + MINUTE)
        assert await kinds() == ["LAST_HOUR"]
        other = await a_wall(hold_minutes=600)
        await says_at(other, "+1", NOW)
        await sweep(other, NOW + 10 * HOUR + MINUTE)
        assert await kinds() == ["LAST_HOUR"]

    async def test_workers_at_once_and_again_tell_it_once(self, db: str) -> None:
        wall = await a_wall(hold_minutes=600)
        for author in "甲乙丙丁戊己":
            await wall.says(author, "+1")
        await wall.drain()
        at = NOW + 5 * HOUR
        await asyncio.gather(*(remind_due(now=at, limit=100, jobs=wall.services.jobs) for _ in range(4)))
        await remind_due(now=at, limit=100, jobs=wall.services.jobs)
        assert await kinds() == ["HALF"] * 6
        before = await everything()
        assert await remind_due(now=at, limit=100, jobs=wall.services.jobs) == 0
        assert await everything() == before

    async def test_twin_without_the_order_s_lock_reminds_of_an_order_that_is_being_paid(
        self, db: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The payment has the order in hand and has not committed: who does not ask for the row sees it unpaid."""

        async def remind_while_it_is_paid(wall: Wall) -> list[str]:
            await says_at(wall, "+1", NOW)
            connection = await database.dedicated()
            try:
                async with connection.transaction():
                    await connection.execute('select 1 from "order" for no key update')
                    await remind_due(now=NOW + 5 * HOUR, limit=100, jobs=wall.services.jobs)
            finally:
                await connection.close()
            return await kinds()

        assert await remind_while_it_is_paid(await a_wall(hold_minutes=600)) == []
        locked = database.Tx.fetch

        async def unlocked(self: database.Tx, sql: str, *args: object) -> object:
            return await locked(self, sql.replace("for update of o skip locked", ""), *args)

        monkeypatch.setattr(database.Tx, "fetch", unlocked)
        assert await remind_while_it_is_paid(await a_wall(hold_minutes=600)) == ["HALF", "HALF"]

    async def test_many_are_told_in_lots(self, db: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reminders, "LOT", 2)
        wall = await a_wall(hold_minutes=600)
        for author in "甲乙丙丁戊":
            await wall.says(author, "+1")
        await wall.drain()
        assert await remind_due(now=NOW + 5 * HOUR, limit=3, jobs=wall.services.jobs) == 3
        assert await remind_due(now=NOW + 5 * HOUR, limit=100, jobs=wall.services.jobs) == 2
        assert await kinds() == ["HALF"] * 5
