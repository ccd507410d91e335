"""A collector's lists of a post's comments, over the seed's busiest shop: missed, gone, and too many at once."""

from __future__ import annotations

from domain import db
from domain.posts.commands import place_post
from domain.shops.rules import SourcePlatform
from tests.build import NOW, AProduct, AShop, AVariant, a_channel, a_post, an_endpoint
from tests.domain.claims.group import GROUP, POST, Group
from tests.growth.seeded import Seeded

COMMENTS = 120


def numbers(*skipped: range) -> str:
    """The comments' ids without these, parted by blanks."""
    return " ".join(str(n) for n in range(1, COMMENTS + 1) if not any(n in some for some in skipped))


async def lists(seed: Seeded) -> bool:
    """Every buyer of a group orders; then some comments vanish, then most of them, and then all are back."""
    shop = AShop(seed.shop, 1001, "busiest", "TWD")
    row = await db.fetchrow(
        "/* arranged */ select v.id, v.product_id, v.label, v.price_minor from variant v where v.shop_id = $1 order by v.id limit 1",
        seed.shop,
    )
    assert row is not None
    product = AProduct(
        row["product_id"], seed.shop, "", [AVariant(row["id"], seed.shop, row["product_id"], row["price_minor"], row["label"])]
    )
    endpoint = await an_endpoint(source="generic")
    channel = await a_channel(shop, endpoint_id=endpoint, platform=SourcePlatform.FACEBOOK_GROUP, external_id=GROUP)
    post = await a_post(shop, products=[product])
    async with db.transaction() as tx:
        await place_post(tx, shop_id=shop.id, post_id=post.id, channel_id=channel.id, external_post_id=POST, now=NOW)
    group = Group(shop, product, post.id, endpoint, channel.id, [POST], seed.services)
    for n in range(1, COMMENTS + 1):
        await group.tells(str(n), f"group-{n}", "+1", 0)
    await group.drain()
    for at, comments in (
        (1, numbers(range(1, 9))),
        (2, numbers(range(1, 9))),
        (3, numbers(range(1, 90))),
        (4, numbers(range(1, 90))),
        (5, numbers()),
    ):
        await group.looks(comments, at)
        await group.drain()
    outcomes = await db.fetch(
        "/* arranged */ select outcome from inbox_event where endpoint_id = $1 and payload ? 'snapshot' order by id", endpoint
    )
    gone = await db.fetchval(
        "/* arranged */ select count(*) from social_comment where channel_id = $1 and removed_at is not null", channel.id
    )
    return [row["outcome"] for row in outcomes] == [*["SNAPSHOT"] * 3, "SNAPSHOT_HELD", "SNAPSHOT"] and gone == 8
