"""Streams: what changed is heard of, what it now is is read from the database under the viewer's rights.

Each stream is a generator that goes on when its last event was handed to the network, so a slow client is told less often and never less truly.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

import strawberry

from api.execution.errors import Code, RequestError
from api.live import Hub, Together
from api.resolvers.base import GraphQLContext, key_of, selected
from api.resolvers.notice import with_words
from api.resolvers.pickup import as_last
from api.schema.live import OrderChange, OrderChangeKind, PickupResult, SalesPostLive
from api.schema.notice import Notification
from domain.clock import asked
from domain.errors import NotFound
from domain.ids import public_id
from domain.live import places
from domain.live.queries import Changes, changes_since, here
from domain.live.rules import OF_KIND, Bell, ChangeKind, topic
from domain.notices.screens import notices_by_id
from domain.orders.live import orders_of_member
from domain.orders.shapes import Viewpoint
from domain.paging import Row
from domain.pickup.screens import last_hand_over, visible_pickups
from domain.posts.live import parts_of_post
from domain.posts.screens import sales_posts

REMEMBERED: Final = 200
"""Orders of one stream whose last version is known, so that the same one is not sent twice."""
AT_ONCE: Final = 50
"""Objects read in one statement."""


@dataclass(slots=True)
class LiveContext(GraphQLContext):
    """One subscription. `hub`: who is told of changes; `together`: shared readings."""

    hub: Hub = None  # type: ignore[assignment]
    together: Together = None  # type: ignore[assignment]


Info = strawberry.Info[LiveContext, None]


def stream(graphql_type: Any, description: str) -> Callable[[Callable[..., AsyncIterator[Row]]], Any]:
    """A subscription whose resolver yields finished rows of this type."""
    decorate: Callable[[Callable[..., Any]], Any] = strawberry.subscription(graphql_type=graphql_type, description=description)
    return decorate


@contextmanager
def _ringing(context: LiveContext, *topics: str) -> Any:
    """(watch, event that is set when something was rung)"""
    rung = asyncio.Event()
    with context.hub.watching(rung.set, *topics) as watch:
        yield watch, rung


async def _changes(context: LiveContext, kind: ChangeKind, since: str | None) -> AsyncIterator[tuple[list[UUID], str, str]]:
    """Lots of objects that changed, each with the text of the place before and of the place behind it.

    Raises:
        RequestError: RESYNC, `since` cannot be gone on from, or too much changed at once.
    """
    member_id, vault = context.require_viewer().member_id, context.services.vault
    with _ringing(context, topic(OF_KIND[kind], member_id)) as (_, rung):
        try:
            place = (
                await context.hub.ask(lambda: here(context.now()))
                if since is None
                else places.read(vault, member_id, since, now=context.now())
            )
            while True:
                rung.clear()
                before = place

                async def question(from_here: places.Place = before) -> Changes:
                    return await changes_since(member_id, kind, from_here, now=context.now())

                found = await context.hub.ask(question)
                place = found.place
                texts = places.write(vault, member_id, before), places.write(vault, member_id, place)
                for start in range(0, len(found.objects), AT_ONCE):
                    yield found.objects[start : start + AT_ONCE], texts[0], texts[1] if start + AT_ONCE >= len(found.objects) else texts[0]
                await rung.wait()
        except places.BadPlace:
            raise RequestError(
                "this place cannot be gone on from: read the lists again, and begin at their liveCursor", Code.RESYNC
            ) from None


@strawberry.type
class LiveSubscription:
    @stream(OrderChange, "My orders of all shops, as they are placed and change. Without `since` from now on.")
    async def my_orders(self, info: Info, since: str | None = None) -> AsyncIterator[Row]:
        context, wanted = info.context, selected(cast("Any", info))["order"]
        member_id, view = context.require_viewer().member_id, Viewpoint(context.language)
        sent: OrderedDict[UUID, int] = OrderedDict()

        async def read(ids: Collection[UUID]) -> dict[UUID, Row]:
            asked(context.now())  # anew each time: what may be done with an order goes by the clock, and a stream lasts for hours
            return await orders_of_member(member_id, ids, wanted=wanted, viewpoint=view)

        async for ids, before, behind in _changes(context, ChangeKind.ORDER, since):
            rows = await context.hub.ask(lambda ids=ids: read(ids))  # type: ignore[misc]
            fresh = [key for key in ids if key not in rows or rows[key]["version"] > sent.get(key, 0)]
            for key in fresh:
                place = behind if key == ids[-1] else before
                row = rows.get(key)
                _remember(sent, key, row)
                kind = OrderChangeKind.CHANGED if row else OrderChangeKind.GONE
                yield {"kind": kind.value, "order_id": public_id("order", key), "order": row, "resume_from": place}

    @stream(Notification, "What comes into my inbox. Without `since` from now on.")
    async def my_notifications(self, info: Info, since: str | None = None) -> AsyncIterator[Row]:
        context, wanted = info.context, selected(cast("Any", info))
        member_id = context.require_viewer().member_id

        async def read(ids: Collection[UUID]) -> dict[UUID, Row]:
            return await notices_by_id(member_id, ids, wanted=wanted, now=context.now())

        async for ids, before, behind in _changes(context, ChangeKind.NOTICE, since):
            rows = await context.hub.ask(lambda ids=ids: read(ids))  # type: ignore[misc]
            for key in (key for key in ids if key in rows):
                yield {**with_words(rows[key], context.language), "resume_from": behind if key == ids[-1] else before}

    @stream(
        SalesPostLive,
        "A post with what is left of its items: how it stands, then again whenever that changes. No sign-in needed.",
    )
    async def sales_post_updated(self, info: Info, id: strawberry.ID) -> AsyncIterator[Row]:
        context, post_id, wanted = info.context, key_of(id, "post"), selected(cast("Any", info))["post"]
        language = context.language

        async def read() -> Row | None:
            parts = await parts_of_post(post_id)
            found = await sales_posts([post_id], wanted=wanted, language=language)
            return {"at": context.now(), "post": found[post_id], "parts": parts} if post_id in found else None

        last: Row | None = None
        with _ringing(context, topic(Bell.POST, post_id)) as (watch, rung):
            while True:
                rung.clear()
                row = await context.together.ask((post_id, wanted, language), read)
                if row is None:
                    raise NotFound
                products, variants = row["parts"]
                topics = {
                    topic(Bell.POST, post_id),
                    *(topic(Bell.PRODUCT, key) for key in products),
                    *(topic(Bell.VARIANT, key) for key in variants),
                }
                if watch.set(*topics):
                    rung.set()  # what was rung between that reading and this line was not heard
                if last is None or row["post"] != last["post"]:
                    last = row
                    yield {"at": row["at"], "post": row["post"]}
                await rung.wait()

    @stream(
        PickupResult,
        "A pass, for its buyer and for staff who may view orders: how it stands, then again whenever it is renewed, lent, revoked or used.",
    )
    async def pickup_pass_used(self, info: Info, id: strawberry.ID) -> AsyncIterator[Row]:
        context, pickup_id, wanted = info.context, key_of(id, "pickup"), selected(cast("Any", info))
        member_id, language = context.require_viewer().member_id, context.language
        last: Row | None = None

        async def read() -> Row | None:
            seen = await visible_pickups([pickup_id], member_id, wanted=wanted["pickup"], language=language)
            if pickup_id not in seen:
                return None
            left = as_last(pickup_id, await last_hand_over(pickup_id)) if "last_hand_over" in wanted else None
            return {"pickup": seen[pickup_id], "last_hand_over": left}

        with _ringing(context, topic(Bell.PICKUP, pickup_id), topic(Bell.ACCESS, member_id)) as (_, rung):
            while True:
                rung.clear()
                row = await context.hub.ask(read)
                if row is None:
                    raise NotFound
                if row != last:
                    last = row
                    yield row
                await rung.wait()


def _remember(sent: OrderedDict[UUID, int], key: UUID, row: Row | None) -> None:
    """What was sent last of an order; of the REMEMBERED ones that were sent last."""
    sent.pop(key, None)
    if row is not None:
        sent[key] = row["version"]
    while len(sent) > REMEMBERED:
        sent.popitem(last=False)
