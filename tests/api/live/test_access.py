"""Who may watch what, and how soon it ends when they no longer may."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from graphql import GraphQLObjectType

from api.graphql_app import schema
from api.sockets import registry
from api.sockets.limits import SocketLimits
from domain import db as database
from domain.bootstrap import Services
from domain.clock import FixedClock
from domain.ids import new_id, public_id
from domain.live.queries import standing
from domain.members import sessions
from tests import build
from tests.api.live.acts import NOTICES, ORDERS, PASS, POST, announce, cursor
from tests.api.live.conftest import House, Place, Session, SignIn
from tests.api.live.wire import bare, wired
from tests.counter import paid

EVERYBODY = ("member", "stranger", "OWNER", "MANAGER", "HELPER", "SCANNER", "ended", "other_owner", None)
YES, NOTHING, MISSING, SIGN_IN = "yes", "nothing", "BAD_REQUEST", "UNAUTHENTICATED"

#                        member   stranger  OWNER     MANAGER   HELPER    SCANNER   ended     other     nobody
TABLE = {
    "myOrders":          (YES,     NOTHING,  NOTHING,  NOTHING,  NOTHING,  NOTHING,  NOTHING,  NOTHING,  SIGN_IN),
    "myNotifications":   (YES,     NOTHING,  NOTHING,  NOTHING,  NOTHING,  NOTHING,  NOTHING,  NOTHING,  SIGN_IN),
    "salesPostUpdated":  (YES,     YES,      YES,      YES,      YES,      YES,      YES,      YES,      YES),
    "pickupPassUsed":    (YES,     MISSING,  YES,      YES,      YES,      MISSING,  MISSING,  MISSING,  SIGN_IN),
}  # fmt: skip
DOCUMENTS = {"myOrders": ORDERS, "myNotifications": NOTICES, "salesPostUpdated": POST, "pickupPassUsed": PASS}


def test_every_stream_has_its_row() -> None:
    type_ = schema._schema.subscription_type
    assert isinstance(type_, GraphQLObjectType)
    assert set(type_.fields) == set(TABLE) == set(DOCUMENTS)
    assert [name for name, field in type_.fields.items() if not field.description] == []


async def person(place: Place, who: str) -> Any:
    if who == "member":
        return place.session.member
    if who == "stranger":
        return await build.a_member()
    shop = await build.a_shop() if who == "other_owner" else place.shop
    role = build.Role.OWNER if who in ("ended", "other_owner") else build.Role(who)
    found = await build.a_membership(shop, role=role)
    if who == "ended":
        await database.execute("update membership set ended_at = $2 where member_id = $1", found, build.NOW)
    return found


async def things(place: Place) -> dict[str, str]:
    """A post and a pass of the shop."""
    post = await build.a_post(place.shop, products=[await build.a_product(place.shop)])
    await paid(place.shop, [(place.variant, 1)], place.buyer)
    return {
        "salesPostUpdated": public_id("post", post.id),
        "pickupPassUsed": public_id("pickup", await database.fetchval("select id from pickup")),
    }


@pytest.mark.parametrize("what", TABLE)
async def test_everybody_sees_what_the_matrix_says(base: str, place: Place, sign_in: SignIn, what: str) -> None:
    ids = await things(place)
    for who, expected in zip(EVERYBODY, TABLE[what], strict=True):
        token = (await sign_in(await person(place, who))).token if who else None
        given = {"id": ids[what]} if what in ids else {"since": await cursor(base, token)} if token else {}
        async with wired(base, token) as wire:
            await wire.subscribe(DOCUMENTS[what], given)
            if what not in ids:
                buyer = await build.a_buyer(place.shop, member_id=place.session.member)
                await build.an_order(place.shop, {place.variant: 1}, buyer=buyer)
                await announce(place.buyer, f"{who}")
            if expected == YES:
                assert await wire.data(), who
            elif expected == NOTHING:
                sentinel = await build.a_buyer(
                    place.shop, member_id=await database.fetchval("select member_id from session order by id desc limit 1")
                )
                order = await build.an_order(place.shop, {place.variant: 1}, buyer=sentinel)
                await announce(sentinel, f"sentinel {who}")
                own = await wire.data()
                assert own["orderId"] == public_id("order", order.id) if what == "myOrders" else own["title"].endswith(f"sentinel {who}")
            else:
                denied = await wire.hear()
                assert [error["extensions"]["code"] for error in denied["payload"]] == [expected], who
                if expected == MISSING:
                    await wire.subscribe(DOCUMENTS[what], {"id": public_id(ids[what].partition("_")[0], new_id())})
                    assert (await wire.hear())["payload"] == denied["payload"], who


@pytest.mark.parametrize("id", ["", "x", "post_", "order_AAAAAAAAAAAAAAAAAAAAAA", "é", "\u202e", "x" * 70_000])
async def test_an_odd_id_is_that_of_nothing(base: str, place: Place, id: str) -> None:
    async with wired(base, place.token) as wire:
        for document in (POST, PASS):
            await wire.subscribe(document, {"id": id})
            assert await wire.refusal() == ["BAD_REQUEST"]


async def test_a_draft_is_nobodys_to_watch(base: str, place: Place) -> None:
    post = await build.a_post(place.shop, products=[])
    await database.execute("update sales_post set state = 'DRAFT'")
    async with wired(base) as wire:
        await wire.subscribe(POST, {"id": public_id("post", post.id)})
        assert await wire.refusal() == ["BAD_REQUEST"]


# The end of a right


async def signed_out(session: Session, clock: FixedClock) -> None:
    await sessions.end(session.id, clock.now())


async def signed_out_everywhere(session: Session, clock: FixedClock) -> None:
    await sessions.end_all(session.member, clock.now())


async def banned(session: Session, clock: FixedClock) -> None:
    await database.execute("update member set ver = ver + 1 where id = $1", session.member)


async def deleted(session: Session, clock: FixedClock) -> None:
    await database.execute("update member set deleted_at = $2 where id = $1", session.member, clock.now())


End = Callable[[Session, FixedClock], Awaitable[None]]


@pytest.mark.parametrize("end", [signed_out, signed_out_everywhere, banned, deleted])
@pytest.mark.parametrize("sweep", [3600.0, 0.05])
async def test_a_session_that_ends_ends_its_connections(
    house: House, place: Place, sign_in: SignIn, clock: FixedClock, end: End, sweep: float
) -> None:
    """By the bell alone (no sweep within the hour), and by the sweep alone (nobody rings)."""
    other = await sign_in(await build.a_member())
    if sweep < 1:
        await database.execute("alter table session disable trigger live; alter table member disable trigger live")
    try:
        async with house(sweep=sweep) as base, wired(base, place.token) as wire, wired(base, other.token) as bystander:
            await wire.subscribe(ORDERS)
            await wire.nothing_more()
            await end(place.session, clock)
            assert await wire.closed() == (4403, "revoked")
            await bystander.nothing_more()
            async with bare(base) as again:
                await again.say(type="connection_init", payload={"authorization": f"Bearer {place.token}"})
                assert (await again.closed())[0] == 4403
    finally:
        await database.execute("alter table session enable trigger live; alter table member enable trigger live")


def test_no_session_outlives_its_end_by_a_minute() -> None:
    """Where no bell is heard, the sweep of a process as it is shipped ends it."""
    assert 0 < SocketLimits().sweep <= 60


async def test_a_connection_ends_with_its_token_unless_a_newer_one_is_given(
    house: House, place: Place, sign_in: SignIn, clock: FixedClock, services: Services
) -> None:
    async with house(sweep=0.05) as base, wired(base, place.token) as wire, wired(base, place.token) as idle:
        clock.at = clock.now() + timedelta(minutes=9)
        newer = await sign_in(place.session.member)
        await wire.say(type="ping", payload={"authorization": f"Bearer {newer.token}"})
        assert await wire.hear() == {"type": "pong"}
        clock.at = clock.now() + timedelta(minutes=1)
        assert await idle.closed() == (4403, "expired")
        await wire.nothing_more()
        clock.at = clock.now() + timedelta(minutes=9)
        assert await wire.closed() == (4403, "expired")


@pytest.mark.parametrize("ends", [False, True])
async def test_a_newer_token_that_comes_while_its_session_is_asked_about(
    house: House, place: Place, sign_in: SignIn, clock: FixedClock, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    """What was read of the older session says nothing of the newer one, neither that it holds nor that it is over: that is asked next."""
    answered, may_go = asyncio.Event(), asyncio.Event()

    async def held(*args: Any, **named: Any) -> dict[UUID, int]:
        found = await standing(*args, **named)
        answered.set()
        await may_go.wait()
        return found

    monkeypatch.setattr(registry, "standing", held)
    newer = await sign_in(place.session.member)
    async with house(sweep=3600.0) as base, wired(base, place.token) as wire:
        await answered.wait()
        await wire.say(type="ping", payload={"authorization": f"Bearer {newer.token}"})
        assert await wire.hear() == {"type": "pong"}
        await database.execute("alter table session disable trigger live")  # so that only the second question can tell
        try:
            if ends:
                await sessions.end(newer.id, clock.now())
            answered.clear()
            may_go.set()
            await answered.wait()
            if ends:
                assert await wire.closed() == (4403, "revoked")
            else:
                await wire.nothing_more()
        finally:
            await database.execute("alter table session enable trigger live")


async def test_a_ping_with_anothers_token_ends_the_connection(base: str, place: Place, sign_in: SignIn) -> None:
    other = await sign_in(await build.a_member())
    async with wired(base, place.token) as wire:
        await wire.say(type="ping", payload={"authorization": f"Bearer {other.token}"})
        assert (await wire.closed())[0] == 4403


@pytest.mark.parametrize("act", ["ended_at = now()", "role = 'SCANNER'", "denied = '[\"VIEW_ORDERS\"]'::jsonb"])
async def test_staff_who_lose_the_right_lose_the_stream(base: str, place: Place, sign_in: SignIn, act: str) -> None:
    ids, clerk = await things(place), await sign_in(await build.a_membership(place.shop, role=build.Role.HELPER))
    async with wired(base, clerk.token) as wire, wired(base, place.token) as owner:
        for each in (wire, owner):
            await each.subscribe(PASS, {"id": ids["pickupPassUsed"]})
            assert (await each.data())["pickup"]["state"] == "OPEN"
        await database.execute(f"update membership set {act} where member_id = $1", clerk.member)
        assert await wire.refusal() == ["BAD_REQUEST"]
        await wire.nothing_more()
        await owner.nothing_more()
