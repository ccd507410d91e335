"""Sales posts: what is offered, where it stands on the platforms, and by which rule comments are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.db import Tx, jsonb
from domain.ids import new_id
from domain.posts.models import PostItem, PostPlacement, SalesPost
from domain.posts.rules import DeliveryMethod, PostState


@dataclass(frozen=True, slots=True)
class ItemDraft:
    """An offer of a post: a product with the words that name it there."""

    product_id: UUID
    codes: Sequence[str] = ()
    aliases: Sequence[str] = ()
    on_sale: bool = True
    max_qty: int | None = None


async def create_post(
    tx: Tx,
    *,
    shop_id: UUID,
    title: str,
    items: Sequence[ItemDraft],
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
    delivery_method: DeliveryMethod = DeliveryMethod.PICKUP,
    now: datetime,
) -> tuple[UUID, list[UUID]]:
    """An open post with its items; answers the post's id and the items'."""
    post = await SalesPost.create(
        id=new_id(), shop_id=shop_id, title=title, state=PostState.OPEN, delivery_method=delivery_method, opens_at=opens_at,
        closes_at=closes_at, created_at=now, using_db=tx.using,
    )  # fmt: skip
    rows = [
        PostItem(
            id=new_id(), shop_id=shop_id, post_id=post.id, product_id=i.product_id, codes=list(i.codes), aliases=list(i.aliases),
            on_sale=i.on_sale, max_qty=i.max_qty, position=position,
        )
        for position, i in enumerate(items)
    ]  # fmt: skip
    await PostItem.bulk_create(rows, using_db=tx.using)
    return post.id, [row.id for row in rows]


async def place_post(tx: Tx, *, shop_id: UUID, post_id: UUID, channel_id: UUID, external_post_id: str = "", now: datetime) -> UUID:
    """Say where the post stands: a platform's post, thread or message, or the whole chat with an empty `external_post_id`."""
    placement = await PostPlacement.create(
        id=new_id(),
        shop_id=shop_id,
        post_id=post_id,
        channel_id=channel_id,
        external_post_id=external_post_id,
        created_at=now,
        using_db=tx.using,
    )
    return placement.id


async def show_item(tx: Tx, *, shop_id: UUID, post_id: UUID, item_id: UUID | None) -> None:
    """The live now shows this item: a bare +1 means it."""
    await tx.execute(
        "update sales_post set focus_item_id = $3, version = version + 1 where id = $1 and shop_id = $2", post_id, shop_id, item_id
    )


async def set_policy(tx: Tx, *, shop_id: UUID, post_id: UUID | None, policy: Mapping[str, Any], now: datetime) -> UUID:
    """A new version of the shop's claim policy, or of one post's (`post_id`); answers its id. Earlier versions stay as they are."""
    policy_id = new_id()
    await tx.execute(
        """insert into claim_policy_version (id, shop_id, post_id, version, policy, effective_at)
           select $1, $2, $3, coalesce(max(version), 0) + 1, $4::jsonb, $5 from claim_policy_version
           where shop_id = $2 and post_id is not distinct from $3""",
        policy_id,
        shop_id,
        post_id,
        jsonb(dict(policy)),
        now,
    )
    await tx.execute("update sales_post set version = version + 1 where shop_id = $1 and ($2::uuid is null or id = $2)", shop_id, post_id)
    return policy_id
