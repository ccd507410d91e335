"""Sales posts: what is offered, where it stands on the platforms, and by which rule comments are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Tx, from_jsonb, jsonb
from domain.errors import NotFound
from domain.ids import new_id
from domain.posts.models import PostItem, PostPlacement, SalesPost
from domain.posts.policy import ClaimPolicy, check
from domain.posts.rules import DeliveryMethod, PostState


@dataclass(frozen=True, slots=True)
class ItemDraft:
    """An offer of a post: a product with the words that name it there."""

    product_id: UUID
    codes: Sequence[str] = ()
    aliases: Sequence[str] = ()
    on_sale: bool = True
    max_qty: int | None = None
    opens_at: datetime | None = None
    """Within the post's window the item may have a narrower one of its own."""
    closes_at: datetime | None = None


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
            on_sale=i.on_sale, max_qty=i.max_qty, opens_at=i.opens_at, closes_at=i.closes_at, position=position,
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


async def take_place(tx: Tx, *, shop_id: UUID, placement_id: UUID, post_id: UUID, actor: Actor, now: datetime) -> None:
    """Another post of the shop stands here from now on, such as next week's in the same chat. Decided comments keep their post.

    Raises:
        NotFound: this shop has no such placement or post.
    """
    moved = await tx.execute(
        """update post_placement p set post_id = s.id from sales_post s
           where p.shop_id = $1 and p.id = $2 and s.shop_id = $1 and s.id = $3""",
        shop_id,
        placement_id,
        post_id,
    )
    if not moved:
        raise NotFound
    await record(tx, actor, [Entry(shop_id, "PLACEMENT_MOVED", "post", post_id, {"placement": str(placement_id)})], now=now)


async def set_window(
    tx: Tx, *, shop_id: UUID, post_id: UUID, opens_at: datetime | None, closes_at: datetime | None, actor: Actor, now: datetime
) -> bool:
    """Set when the post takes orders; answers whether it was another window.

    Raises:
        NotFound: this shop has no such post.
    """
    row = await tx.fetchrow("select opens_at, closes_at from sales_post where shop_id = $1 and id = $2 for no key update", shop_id, post_id)
    if row is None:
        raise NotFound
    if (row["opens_at"], row["closes_at"]) == (opens_at, closes_at):
        return False
    await tx.execute(
        "update sales_post set opens_at = $2, closes_at = $3, version = version + 1 where id = $1", post_id, opens_at, closes_at
    )
    detail = {"opensAt": opens_at and opens_at.isoformat(), "closesAt": closes_at and closes_at.isoformat()}
    await record(tx, actor, [Entry(shop_id, "POST_WINDOW_SET", "post", post_id, detail)], now=now)
    return True


async def add_item(tx: Tx, *, shop_id: UUID, post_id: UUID, item: ItemDraft, actor: Actor, now: datetime) -> UUID:
    """One more offer of a post, behind the others; answers the item's id. The post must not sell the product yet.

    Raises:
        NotFound: this shop has no such post.
    """
    if not await _raise_version(tx, shop_id, post_id):
        raise NotFound
    item_id = new_id()
    await tx.execute(
        """insert into post_item (id, shop_id, post_id, product_id, codes, aliases, on_sale, max_qty, opens_at, closes_at, position)
           select $1, $2, $3, $4, $5::jsonb, $6::jsonb, $7, $8, $9, $10, coalesce(max(position), -1) + 1 from post_item where post_id = $3""",
        item_id,
        shop_id,
        post_id,
        item.product_id,
        jsonb(list(item.codes)),
        jsonb(list(item.aliases)),
        item.on_sale,
        item.max_qty,
        item.opens_at,
        item.closes_at,
    )
    await record(tx, actor, [Entry(shop_id, "POST_ITEM_ADDED", "post", post_id, {"item": str(item_id)})], now=now)
    return item_id


async def change_item(tx: Tx, *, shop_id: UUID, item_id: UUID, item: ItemDraft, actor: Actor, now: datetime) -> tuple[str, ...]:
    """Set the words that name an item, whether and when it is on sale, and how many may be taken; answers what changed. The product stays.

    Raises:
        NotFound: this shop has no such item.
    """
    row = await tx.fetchrow(
        """select post_id, codes, aliases, on_sale, max_qty, opens_at, closes_at from post_item
           where shop_id = $1 and id = $2 for no key update""",
        shop_id,
        item_id,
    )
    if row is None:
        raise NotFound
    before = {**dict(row), "codes": from_jsonb(row["codes"]), "aliases": from_jsonb(row["aliases"])}
    wanted: dict[str, Any] = {"codes": list(item.codes), "aliases": list(item.aliases), "on_sale": item.on_sale, "max_qty": item.max_qty}
    wanted |= {"opens_at": item.opens_at, "closes_at": item.closes_at}
    changed = tuple(name for name, value in wanted.items() if before[name] != value)
    if changed:
        await tx.execute(
            """update post_item set codes = $2::jsonb, aliases = $3::jsonb, on_sale = $4, max_qty = $5, opens_at = $6, closes_at = $7
               where id = $1""",
            item_id,
            jsonb(wanted["codes"]),
            jsonb(wanted["aliases"]),
            item.on_sale,
            item.max_qty,
            item.opens_at,
            item.closes_at,
        )
        await _raise_version(tx, shop_id, row["post_id"])
        detail = {"item": str(item_id), "changed": list(changed)}
        await record(tx, actor, [Entry(shop_id, "POST_ITEM_CHANGED", "post", row["post_id"], detail)], now=now)
    return changed


async def _raise_version(tx: Tx, shop_id: UUID, post_id: UUID) -> bool:
    """The post is read anew from now on; False when this shop has no such post."""
    return bool(await tx.execute("update sales_post set version = version + 1 where shop_id = $1 and id = $2", shop_id, post_id))


async def set_policy(tx: Tx, *, shop_id: UUID, post_id: UUID | None, policy: Mapping[str, Any], now: datetime) -> UUID:
    """A new version of the shop's claim policy, or of one post's (`post_id`); answers its id. Earlier versions stay as they are.

    Fields that `policy` leaves out have their defaults, which are written out: a version says the same for ever.

    Raises:
        InvalidPolicy: a value that cannot be; nothing was written.
    """
    complete, policy_id = check(ClaimPolicy.read(policy)).stored(), new_id()
    # Versions are counted one after the other.
    await tx.execute("select from shop where id = $1 for no key update", shop_id)
    await tx.execute(
        """insert into claim_policy_version (id, shop_id, post_id, version, policy, effective_at)
           select $1, $2, $3, coalesce(max(version), 0) + 1, $4::jsonb, $5 from claim_policy_version
           where shop_id = $2 and post_id is not distinct from $3""",
        policy_id,
        shop_id,
        post_id,
        jsonb(complete),
        now,
    )
    await tx.execute("update sales_post set version = version + 1 where shop_id = $1 and ($2::uuid is null or id = $2)", shop_id, post_id)
    return policy_id


async def change_policy(
    *, shop_id: UUID, post_id: UUID | None, change: Callable[[ClaimPolicy], ClaimPolicy], actor: Actor, now: datetime
) -> UUID | None:
    """Change the rule in force for the shop, or for one post of it; answers the new version's id, None when nothing would be different.

    A post without a rule of its own has the shop's; once it has one, changes of the shop's reach it no more.

    Raises:
        NotFound: no such shop, or the shop has no such post.
        InvalidPolicy: a value that cannot be; nothing was changed.
    """
    async with db.transaction() as tx:
        if await tx.fetchrow("select from shop where id = $1 for no key update", shop_id) is None:
            raise NotFound
        if post_id is not None and await tx.fetchrow("select from sales_post where shop_id = $1 and id = $2", shop_id, post_id) is None:
            raise NotFound
        stored = await tx.fetchval(
            """select policy from claim_policy_version where shop_id = $1 and (post_id = $2 or post_id is null)
               order by post_id nulls last, version desc limit 1""",
            shop_id,
            post_id,
        )
        before = ClaimPolicy.read(from_jsonb(stored) or {})
        after = check(change(before))
        if after == before:
            return None
        policy_id = await set_policy(tx, shop_id=shop_id, post_id=post_id, policy=after.stored(), now=now)
        was, will = before.stored(), after.stored()
        changed = {name: {"before": was[name], "after": value} for name, value in will.items() if was[name] != value}
        detail = {"post": post_id and str(post_id), "changed": changed}
        await record(tx, actor, [Entry(shop_id, "POLICY_SET", "policy", policy_id, detail)], now=now)
        return policy_id
