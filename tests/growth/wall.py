"""A page of the seed's busiest shop, to write comments on."""

from __future__ import annotations

from domain import db
from domain.posts.commands import place_post
from domain.shops.rules import SourcePlatform
from tests.build import NOW, AProduct, AShop, AVariant, a_channel, an_endpoint
from tests.growth.seeded import Seeded
from tests.wall import PAGE, Wall

POST = f"{PAGE}_77"


async def wall_of(seed: Seeded) -> Wall:
    """A page of the busiest shop, on which one of its open posts stands as well."""
    shop = AShop(seed.shop, 1001, "busiest", "TWD")
    row = await db.fetchrow(
        """/* arranged */ select p.id as post, v.id, v.product_id, v.label, v.price_minor from sales_post p join post_item i on i.post_id = p.id
           join variant v on v.product_id = i.product_id where p.shop_id = $1 and p.state = 'OPEN' order by p.id, i.position, v.position limit 1""",
        seed.shop,
    )
    assert row is not None
    variant = AVariant(row["id"], seed.shop, row["product_id"], row["price_minor"], row["label"])
    known = await db.fetchrow("/* arranged */ select id, endpoint_id from channel where external_id = $1", PAGE)
    if known is None:
        endpoint = await an_endpoint()
        channel = (await a_channel(shop, endpoint_id=endpoint, platform=SourcePlatform.FACEBOOK_PAGE, external_id=PAGE)).id
        async with db.transaction() as tx:
            await place_post(tx, shop_id=seed.shop, post_id=row["post"], channel_id=channel, external_post_id=POST, now=NOW)
    else:
        channel, endpoint = known["id"], known["endpoint_id"]
    return Wall(shop, AProduct(row["product_id"], seed.shop, "", [variant]), row["post"], endpoint, channel, [POST], seed.services)


async def code_of(wall: Wall) -> str:
    """What people write for the wall's first product."""
    codes = await db.fetchval(
        "/* arranged */ select codes from post_item where post_id = $1 and product_id = $2", wall.post_id, wall.product.id
    )
    found: str = db.from_jsonb(codes)[0]
    return found + (wall.product.variants[0].label or "")
