"""`myOrders` and `myNotifications`: from a place on, nothing missed, nothing of others, never back in time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from domain import db as database
from domain.bootstrap import Services
from domain.clock import FixedClock
from domain.ids import public_id
from domain.live import places, queries
from domain.live.rules import KEPT
from tests import build
from tests.api.live.acts import HOME, NOTICES, ORDERS, announce, ask, cursor, pay, touch
from tests.api.live.conftest import Place, SignIn
from tests.api.live.wire import Wire, wired


async def an_order(place: Place) -> build.AnOrder:
    """An order of its own: claims of one buyer would stack on one."""
    buyer = await build.a_buyer(place.shop, member_id=place.session.member)
    return await build.an_order(place.shop, {place.variant: 1}, buyer=buyer)


async def test_an_order_is_told_when_it_is_placed_and_at_each_change(base: str, place: Place) -> None:
    since = await cursor(base, place.token)
    async with wired(base, place.token) as wire:
        await wire.subscribe(ORDERS, {"since": since})
        order = await an_order(place)
        placed = await wire.data()
        assert (placed["kind"], placed["orderId"]) == ("CHANGED", public_id("order", order.id))
        assert placed["order"] == {"number": order.number, "version": 1, "state": "OPEN"}
        await pay(order)
        assert (await wire.data())["order"]["version"] == await database.fetchval('select version from "order"')
        await wire.nothing_more()


async def test_what_happened_between_the_lists_and_the_stream_is_told(base: str, place: Place) -> None:
    first = await an_order(place)
    home = (await ask(base, place.token, HOME))["me"]
    assert [row["id"] for row in home["orders"]["nodes"]] == [public_id("order", first.id)]
    second = await an_order(place)
    await announce(place.buyer, "k1")
    await touch(first, 3)
    async with wired(base, place.token) as wire:
        await wire.subscribe(ORDERS, {"since": home["liveCursor"]}, name="o")
        told = [await wire.data(name="o") for _ in range(2)]
        assert [(row["orderId"], row["order"]["version"]) for row in told] == [
            (public_id("order", second.id), 1),
            (public_id("order", first.id), 4),
        ]
        await wire.nothing_more()
        await wire.subscribe(NOTICES, {"since": home["liveCursor"]}, name="n")
        assert (await wire.data(name="n"))["title"] == "小鹿團購：k1"
        await wire.nothing_more()


async def test_without_a_place_the_stream_begins_now(base: str, place: Place) -> None:
    await an_order(place)
    async with wired(base, place.token) as wire:
        await wire.subscribe(ORDERS)
        await wire.subscribe(NOTICES, name="n")
        await wire.nothing_more()
        seen = None
        for number in range(200):  # when the stream has begun is not told: something is heard once it has
            await announce(place.buyer, f"k{number}")
            try:
                async with asyncio.timeout(0.1):
                    seen = await wire.data(name="n")
                    break
            except TimeoutError:
                continue
        assert seen is not None


async def test_a_stream_goes_on_where_it_was(base: str, place: Place) -> None:
    since = await cursor(base, place.token)
    orders = [await an_order(place) for _ in range(3)]
    async with wired(base, place.token) as wire:
        await wire.subscribe(ORDERS, {"since": since})
        rows = [await wire.data() for _ in range(3)]
    assert [row["orderId"] for row in rows] == [public_id("order", order.id) for order in orders]
    await touch(orders[0])
    async with wired(base, place.token) as wire:
        await wire.subscribe(ORDERS, {"since": rows[-1]["resumeFrom"]})
        again = await wire.data()
        assert (again["orderId"], again["order"]["version"]) == (public_id("order", orders[0].id), 2)
        await wire.nothing_more()
        # A place in the midst of a lot gives the rest of the lot again, and never less.
        await wire.subscribe(ORDERS, {"since": rows[0]["resumeFrom"]}, name="2")
        assert {(await wire.data(name="2"))["orderId"] for _ in range(3)} == {row["orderId"] for row in rows}


async def late_commit(base: str, place: Place) -> tuple[str, build.AnOrder]:
    """A place taken while another transaction had written and not committed; it commits afterwards."""
    order, other = await an_order(place), await an_order(place)
    written, go = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with database.transaction() as tx:
            await tx.execute('update "order" set version = version + 1 where id = $1', order.id)
            written.set()
            await go.wait()

    task = asyncio.create_task(slow())
    await written.wait()
    await touch(other)  # begins later, commits earlier
    since = await cursor(base, place.token)
    go.set()
    await task
    return since, order


async def test_a_transaction_that_ends_late_is_not_missed(base: str, place: Place) -> None:
    since, order = await late_commit(base, place)
    async with wired(base, place.token) as wire:
        await wire.subscribe(ORDERS, {"since": since})
        told = await wire.data()
        assert (told["orderId"], told["order"]["version"]) == (public_id("order", order.id), 2)
        await wire.nothing_more()


async def test_with_a_plain_counter_for_a_place_it_would_be_missed(base: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: a place that says only how far the counting was when it was taken."""
    monkeypatch.setattr(places, "short", lambda snapshot: f"{snapshot.split(':')[1]}:{snapshot.split(':')[1]}:")
    since, _ = await late_commit(base, place)
    async with wired(base, place.token) as wire:
        await wire.subscribe(ORDERS, {"since": since})
        await wire.nothing_more()
        later = await an_order(place)
        assert (await wire.data())["orderId"] == public_id("order", later.id)


async def test_versions_never_go_back_while_an_order_changes_all_the_time(base: str, place: Place) -> None:
    orders = [await an_order(place) for _ in range(4)]
    since = await cursor(base, place.token)
    async with wired(base, place.token) as wire:
        await wire.subscribe(ORDERS, {"since": since})
        changing = [asyncio.create_task(touch(order, 25)) for order in orders]
        newest = dict.fromkeys((public_id("order", order.id) for order in orders), 1)
        while set(newest.values()) != {26}:
            row = await wire.data()
            assert row["order"]["version"] > newest[row["orderId"]]
            newest[row["orderId"]] = row["order"]["version"]
        await asyncio.gather(*changing)
        await wire.nothing_more()


async def test_an_order_that_is_anothers_now_is_gone_for_one_and_new_for_the_other(base: str, place: Place, sign_in: SignIn) -> None:
    order, other = await an_order(place), await sign_in(await build.a_member())
    mine, theirs = await cursor(base, place.token), await cursor(base, other.token)
    await database.execute('update "order" set member_id = $1, version = version + 1', other.member)
    async with wired(base, place.token) as wire, wired(base, other.token) as elsewhere:
        await wire.subscribe(ORDERS, {"since": mine})
        gone = await wire.data()
        assert (gone["kind"], gone["orderId"], gone["order"]) == ("GONE", public_id("order", order.id), None)
        await elsewhere.subscribe(ORDERS, {"since": theirs})
        assert (await elsewhere.data())["order"]["number"] == order.number


async def test_nothing_of_others_is_told(base: str, place: Place, sign_in: SignIn) -> None:
    stranger = await sign_in(await build.a_member())
    since = await cursor(base, stranger.token)
    async with wired(base, stranger.token) as wire:
        await wire.subscribe(ORDERS, {"since": since}, name="o")
        await wire.subscribe(NOTICES, {"since": since}, name="n")
        await an_order(place)
        await announce(place.buyer, "k")
        buyer = await build.a_buyer(place.shop, member_id=stranger.member)
        order = await build.an_order(place.shop, {place.variant: 1}, buyer=buyer)
        assert (await wire.data(name="o"))["order"]["number"] == order.number
        await wire.nothing_more()


async def refused(wire: Wire, since: str) -> None:
    for document in (ORDERS, NOTICES):
        await wire.subscribe(document, {"since": since})
        assert await wire.refusal() == ["RESYNC"]


async def test_a_place_that_is_not_ones_own_or_too_old_is_no_place(
    base: str, place: Place, sign_in: SignIn, services: Services, clock: FixedClock
) -> None:
    other = await sign_in(await build.a_member())
    since = await cursor(base, place.token)
    old = places.write(services.vault, place.session.member, places.Place("5:5:", clock.now() - KEPT - build.timedelta(seconds=1)))
    beyond = places.write(services.vault, place.session.member, places.Place("9000000000:9000000000:", clock.now()))
    async with wired(base, place.token) as wire:
        for text in ("", "x", "é", "A" * 5000, since[:-2], since[::-1], await cursor(base, other.token), old, beyond):
            await refused(wire, text)
        await wire.subscribe(ORDERS, {"since": since})
        await wire.nothing_more()


async def test_who_is_too_far_behind_reads_anew(base: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    since = await cursor(base, place.token)
    await database.execute(
        """insert into live_change (member_id, kind, object_id, at) select $1, 'ORDER', gen_random_uuid(), $2 from generate_series(1, 501)""",
        place.session.member, build.NOW,
    )  # fmt: skip
    async with wired(base, place.token) as wire:
        await wire.subscribe(ORDERS, {"since": since})
        assert await wire.refusal() == ["RESYNC"]


async def test_old_changes_go_and_new_ones_stay(db: str, place: Place) -> None:
    from domain.live.commands import forget_changes

    await an_order(place)
    assert await forget_changes(now=build.NOW + build.timedelta(days=8)) == 0
    assert await database.fetchval("select count(*) from live_change") == 1
    assert await forget_changes(now=build.NOW + build.timedelta(days=8, seconds=1)) == 1
    assert await database.fetchval("select count(*) from live_change") == 0


async def test_a_place_with_many_running_transactions_is_short_and_says_no_more_than_it_knows() -> None:
    running = ",".join(str(number) for number in range(10, 400))
    assert places.short(f"10:500:{running}") == "10:10:"
    assert places.short("10:12:10,11") == "10:12:10,11"


async def test_each_reading_is_one_statement(place: Place) -> None:
    from tests.sql_recorder import recorded

    here = await queries.here(build.NOW)
    with recorded() as sql:
        await queries.changes_since(place.session.member, queries.ChangeKind.ORDER, here, now=build.NOW)
    assert len(sql) == 1


async def test_a_notice_is_told_in_the_language_that_was_asked_for(base: str, place: Place) -> None:
    since = await cursor(base, place.token)
    titles: list[Any] = []
    await pay(await an_order(place))
    for language in ("zh-TW", "en"):
        async with wired(base, place.token, additional_headers={"accept-language": language}) as wire:
            await wire.subscribe(NOTICES, {"since": since})
            titles.append((await wire.data())["title"])
    assert titles[0] != titles[1]


async def test_what_may_be_done_with_an_order_is_told_by_the_time_of_each_message(base: str, place: Place, clock: FixedClock) -> None:
    """A stream lasts for hours: an order may be undone when it is placed, and no more when it changes later."""
    document = "subscription ($since: String) { myOrders(since: $since) { order { version actions } } }"
    since = await cursor(base, place.token)
    order = await an_order(place)  # whole before anybody looks: the builder writes it in several steps
    async with wired(base, place.token) as wire:
        await wire.subscribe(document, {"since": since})
        assert "UNDO" in (await wire.data())["order"]["actions"]
        clock.at = clock.now() + build.timedelta(minutes=6)  # the access token lasts for ten
        await touch(order)
        later = (await wire.data())["order"]
        assert (later["version"], "UNDO" in later["actions"]) == (2, False)
