"""The simulator decides what the worker decides, comment by comment and byte by byte."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from domain import db as database
from domain.claims.rehearsal import Rehearsal
from domain.claims.rules import ClaimPolicy, IgnoredAuthor, Reading, Shortage
from domain.posts.commands import place_post, set_policy
from plusone.invariants import check
from tests.build import NOW, a_membership, a_post
from tests.domain.claims.lives import MINUTE, POLICIES, Event, lived, rehearsed, stored, tell, told, tried, whole
from tests.wall import PAGE, a_wall


@pytest.mark.parametrize("seed", range(12))
async def test_the_policy_in_force_gives_what_the_worker_stored(db: str, seed: int) -> None:
    wall = await lived(told(seed), POLICIES[seed % len(POLICIES)])
    recorded_then = await stored(wall)
    assert len(recorded_then) > 20
    assert await rehearsed(wall) == recorded_then
    found = await tried(wall)
    assert (found.comments, found.same_as_recorded, found.left_out) == (len(recorded_then), len(recorded_then), 0)
    assert list(found.differences) == []
    assert found.before == found.after
    assert await check(NOW + timedelta(days=1)) == []


@pytest.mark.parametrize("seed", range(100, 112))
async def test_a_candidate_gives_what_the_worker_would_have_stored(db: str, seed: int) -> None:
    events, changes = told(seed), POLICIES[(seed + 1) % len(POLICIES)]
    wall = await lived(events, POLICIES[seed % len(POLICIES)])
    other = await lived(events, changes)
    before, after = await stored(wall), await stored(other)
    assert await rehearsed(wall, **whole(changes)) == after
    found = await tried(wall, **whole(changes))
    differ = {key for key in before if before[key][:2] + before[key][3:] != after[key][:2] + after[key][3:]}
    assert found.same_as_recorded == found.comments == len(before)
    assert len(found.differences) == len(differ) > 0
    assert found.after.pieces == await database.fetchval(
        "select coalesce(sum(quantity), 0)::int from order_line where shop_id = $1", other.shop.id
    )
    assert found.after.revenue_minor == await database.fetchval(
        """select coalesce(sum(total_minor), 0)::bigint from "order" where shop_id = $1 and state = 'OPEN'""", other.shop.id
    )
    assert found.after.orders == await database.fetchval(
        """select count(*) from "order" where shop_id = $1 and state = 'OPEN'""", other.shop.id
    )
    assert found.after.waiting == await database.fetchval(
        "select coalesce(sum(quantity), 0)::int from waitlist_entry where shop_id = $1 and state = 'WAITING'", other.shop.id
    )


@pytest.mark.parametrize("seed", range(200, 206))
async def test_one_large_batch_in_any_order_of_delivery_gives_the_same(db: str, seed: int) -> None:
    """Nobody waits under these policies, so that it is of no account when the waiting list is looked at."""
    events = told(seed)
    wall = await a_wall(
        variants=("紅", "白"), on_hand=(5, 4), closes_at=NOW + 90 * MINUTE, **{**POLICIES[seed % 3], "shortage": Shortage.PARTIAL}
    )
    random.Random(seed).shuffle(events)
    for event in events:
        await tell(wall, event)
    await wall.drain()
    assert await rehearsed(wall) == await stored(wall)


async def test_tagged_people_are_no_words_for_the_simulator_either(db: str) -> None:
    wall = await a_wall()
    said = [await wall.says("a", "Mei Lin +1", tags=[(0, 7)]), await wall.says("b", "Mei Lin +1")]
    said.append(await wall.says("c", "好美"))
    await wall.says("c", "王小明 +2", comment=said[2], verb="edited", tags=[(0, 3)])
    await wall.drain()
    assert [(await wall.outcome(comment))[0] for comment in said] == ["ORDERED", "NEEDS_REVIEW", "ORDERED"]
    assert await rehearsed(wall) == await stored(wall)
    assert (await tried(wall)).same_as_recorded == 3


async def test_twin_that_leaves_the_waiting_list_alone_is_not_the_worker(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = (("a", "紅+5"), ("b", "紅+2"), ("a", "紅-1"), ("c", "紅+1"))
    wall = await lived([Event(who, text, f"c{n}", "add", NOW + n * MINUTE, NOW + n * MINUTE) for n, (who, text) in enumerate(texts)], {})
    assert await rehearsed(wall) == await stored(wall)
    monkeypatch.setattr(Rehearsal, "_fill", lambda self: None)
    assert await rehearsed(wall) != await stored(wall)


async def test_orders_under_other_posts_count_for_the_limits_of_a_buyer(db: str) -> None:
    limits = {"rate_limit_orders": 2, "rate_limit_hours": 24}
    wall = await a_wall(**limits)
    other = await a_post(wall.shop, products=[wall.product], title="另一團")
    async with database.transaction() as tx:
        await place_post(tx, shop_id=wall.shop.id, post_id=other.id, channel_id=wall.channel_id, external_post_id="other", now=NOW)
    wall.external_posts.append("other")
    for place in (1, 0, 1, 0):
        await wall.says("a", "+1", place=place)
        await wall.drain()
    assert [v[0] for v in (await stored(wall)).values()] == ["ORDERED", "REJECTED"]
    assert await rehearsed(wall) == await stored(wall)
    free = await tried(wall, rate_limit_orders=None)
    assert [(d.before.reason, d.after.outcome.value) for d in free.differences] == [("RATE_LIMITED", "ORDERED")]
    window = await tried(wall, rate_limit_orders=None, per_buyer_max=2, per_buyer_window_hours=24)
    assert [(d.before.reason, d.after.reason) for d in window.differences] == [("RATE_LIMITED", "OVER_LIMIT")]
    wide = await tried(wall, rate_limit_orders=None, per_buyer_max=2)
    assert [d.after.outcome.value for d in wide.differences] == ["ORDERED"]


async def test_staff_and_restricted_buyers_are_known(db: str) -> None:
    wall = await a_wall()
    for author in ("helper", "restricted", "c"):
        await wall.says(author, "+1")
    await wall.drain()
    member = await a_membership(wall.shop)
    await database.execute("update buyer set member_id = $1 where external_id = 'helper'", member)
    await database.execute("update buyer set restricted_until = $1 where external_id = 'restricted'", NOW + timedelta(days=1))
    found = await tried(wall, ignore_authors=frozenset())
    assert found.before.pieces == 1
    assert found.after.pieces == 3
    assert found.same_as_recorded == 1


async def test_a_program_is_known_by_what_was_decided_of_it(db: str) -> None:
    wall = await a_wall()
    await wall.says(PAGE, "+1")
    await wall.drain()
    await database.execute("update claim set reason = 'BOT'")
    found = await tried(wall, ignore_authors=frozenset(IgnoredAuthor) - {IgnoredAuthor.PAGE})
    assert (found.same_as_recorded, list(found.differences)) == (1, [])
    heard = await tried(wall, ignore_authors=frozenset(IgnoredAuthor) - {IgnoredAuthor.BOTS})
    assert [(d.before.reason, d.after.outcome.value) for d in heard.differences] == [("BOT", "ORDERED")]


async def test_the_newest_policy_counts_for_all_comments(db: str) -> None:
    wall = await a_wall(variants=("紅", "白"))
    await wall.says("a", "紅一件", at=NOW)
    await wall.drain()
    async with database.transaction() as tx:
        policy = ClaimPolicy(reading=Reading.LENIENT).stored()
        await set_policy(tx, shop_id=wall.shop.id, post_id=wall.post_id, policy=policy, now=NOW + MINUTE)
    found = await tried(wall)
    assert (found.before.pieces, found.same_as_recorded) == (1, 0)
