"""Posts for those who watch them."""

from __future__ import annotations

from uuid import UUID

from domain import db


async def parts_of_post(post_id: UUID) -> tuple[list[UUID], list[UUID]]:
    """Products and variants that a post offers; one statement."""
    row = await db.fetchrow(
        """select array(select i.product_id from post_item i where i.post_id = $1) as products,
             array(select v.id from post_item i join variant v on v.product_id = i.product_id where i.post_id = $1) as variants""",
        post_id,
    )
    assert row is not None
    return list(row["products"]), list(row["variants"])
