"""`salesPostUpdated`: a post as it stands, again whenever that changes; read once for all who look at it alike."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from domain import db as database
from domain.ids import public_id
from domain.stock.commands import adjust
from domain.stock.rules import AdjustReason
from tests import build
from tests.api.live.acts import CLERK, JOBS, POST, pay
from tests.api.live.conftest import Place
from tests.api.live.wire import Wire, wired
from tests.sql_recorder import recorded


async def arrive(variant: build.AVariant, pieces: int) -> None:
    await adjust(
        shop_id=variant.shop_id, variant_id=variant.id, delta=pieces, reason=AdjustReason.RECEIPT, actor=CLERK, now=build.NOW, jobs=JOBS
    )


async def left(wire: Wire) -> list[int]:
    """Pieces of each variant by the next message."""
    post = (await wire.data())["post"]
    return [variant["availability"] for item in post["items"] for variant in item["variants"]]


async def test_the_first_message_is_how_it_stands_and_each_change_another(base: str, place: Place) -> None:
    scarf = await build.a_product(place.shop, variants=("紅", "白"), on_hand=(5, 7))
    post = await build.a_post(place.shop, products=[scarf])
    async with wired(base) as wire:
        await wire.subscribe(POST, {"id": public_id("post", post.id)})
        assert await left(wire) == [5, 7]
        await arrive(scarf.variants[1], 3)
        assert await left(wire) == [5, 10]
        order = await build.an_order(place.shop, {scarf.variants[0]: 2}, post=post)
        assert await left(wire) == [3, 10]
        await pay(order)  # held becomes committed: nothing that a buyer sees
        await database.execute("update sales_post set state = 'CLOSED'")
        closed = (await wire.data())["post"]
        assert (closed["state"], [item["availability"] for item in closed["items"]]) == ("CLOSED", [13])
        await wire.nothing_more()


async def test_what_is_offered_later_is_watched_too(base: str, place: Place) -> None:
    post = await build.a_post(place.shop, products=[])
    hat = await build.a_product(place.shop, title="帽子", on_hand=4)
    async with wired(base) as wire:
        await wire.subscribe(POST, {"id": public_id("post", post.id)})
        assert await left(wire) == []
        await database.execute(
            """insert into post_item (id, shop_id, post_id, product_id, codes, aliases, on_sale, position)
               values (gen_random_uuid(), $1, $2, $3, '[]', '[]', true, 0)""",
            place.shop.id, post.id, hat.id,
        )  # fmt: skip
        assert await left(wire) == [4]
        await arrive(hat.variants[0], 1)
        assert await left(wire) == [5]


async def test_other_posts_and_other_stock_say_nothing(base: str, place: Place) -> None:
    mine, other = [await build.a_product(place.shop) for _ in range(2)]
    post = await build.a_post(place.shop, products=[mine])
    await build.a_post(place.shop, products=[other])
    async with wired(base) as wire:
        await wire.subscribe(POST, {"id": public_id("post", post.id)})
        assert await left(wire) == [10]
        await arrive(other.variants[0], 1)
        await arrive(mine.variants[0], 2)
        assert await left(wire) == [12]
        await wire.nothing_more()


async def test_a_thousand_changes_are_read_some_times_and_the_last_one_is_told(base: str, place: Place) -> None:
    """Thirty who look at a hot post cost as much as one, and all end with the truth."""
    scarf = await build.a_product(place.shop, on_hand=10)
    post = await build.a_post(place.shop, products=[scarf])
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(wired(base)) for _ in range(30)]
        for wire in wires:
            await wire.subscribe(POST, {"id": public_id("post", post.id)})
        assert [await left(wire) for wire in wires] == [[10]] * 30
        with recorded() as sql:
            await asyncio.gather(*(database.execute("update stock_level set on_hand = on_hand + 1 where variant_id = $1", scarf.variants[0].id)
                                   for _ in range(200)))  # fmt: skip

            async def to_the_end(wire: Wire) -> list[int]:
                told = []
                while not told or told[-1] < 210:
                    told += await left(wire)
                return told

            heard = await asyncio.gather(*(to_the_end(wire) for wire in wires))
        for told in heard:
            assert told == sorted(set(told))
        readings = [text for text in sql if "from sales_post sp" in text]
        messages = sum(len(told) for told in heard)
        assert len(readings) * 10 <= messages
        assert len(readings) <= 200
