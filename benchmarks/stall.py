"""A shop that sells on a page, and the signed deliveries of its comments: what the benches of webhooks and pushes send."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson

from benchmarks import load
from domain import db
from domain.audit.commands import Actor
from domain.catalog.commands import VariantDraft, create_product
from domain.ids import new_id
from domain.posts.commands import ItemDraft, create_post, place_post
from domain.shops.commands import add_channel, add_endpoint, create_shop
from domain.shops.rules import SourcePlatform
from domain.stock.commands import receive_first
from domain.stock.rules import SellBeyond
from domain.vault import Vault

SECRET: Final = "a secret of a page that there is not"
PAGE: Final = "104561000000001"
CURRENCY, ZONE, LOCALE = "TWD", "Asia/Taipei", "zh-TW"


@dataclass(frozen=True, slots=True)
class Said:
    """A comment to be: who, on which of the stall's posts, what."""

    key: int
    """Makes its id; the same key again is the same comment."""
    author: str
    post: int
    text: str


@dataclass(frozen=True, slots=True)
class Stall:
    """A shop with one page and some posts, each with one product."""

    shop_id: UUID
    slug: str
    posts: Sequence[str]
    """Ids of the posts on the page."""

    def delivery(self, comments: Sequence[Said], at: datetime) -> bytes:
        """A signed POST of the platform with these comments, as it goes over the wire."""
        changes = [{"field": "feed", "value": self._value(one, int(at.timestamp()))} for one in comments]
        body = orjson.dumps({"object": "page", "entry": [{"id": PAGE, "time": int(at.timestamp()), "changes": changes}]})
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return load.post(f"/webhooks/facebook/{self.slug}", body, {"x-hub-signature-256": f"sha256={signature}"})

    def _value(self, one: Said, seconds: int) -> dict[str, object]:
        post = self.posts[one.post]
        return {
            "from": {"id": one.author, "name": f"買家{one.author[-4:]}"}, "message": one.text, "post_id": post, "parent_id": post,
            "comment_id": f"{post.partition('_')[2]}_{one.key}", "created_time": seconds, "item": "comment", "verb": "add",
        }  # fmt: skip


async def open_stall(vault: Vault, *, posts: int, on_hand: int, now: datetime) -> Stall:
    """Open it on the connected database: every post offers one product as A1, with so many pieces."""
    owner = new_id()
    await db.execute("insert into member (id, ver, display_name, locale, created_at) values ($1, 1, '', $2, $3)", owner, LOCALE, now)
    slug = f"bench-{owner.hex[:8]}"
    shop_id = await create_shop(handle=slug, name="量測小舖", currency=CURRENCY, time_zone=ZONE, locale=LOCALE, owner_id=owner, now=now)
    endpoint = await add_endpoint(source="facebook", slug=slug, secret=SECRET, verify_token="verify", vault=vault, now=now)
    platform = SourcePlatform.FACEBOOK_PAGE
    channel = await add_channel(shop_id=shop_id, endpoint_id=endpoint, platform=platform, external_id=PAGE, name="量測小舖", now=now)
    places = [await _post(shop_id, channel, number, on_hand, now) for number in range(posts)]
    return Stall(shop_id, slug, places)


async def _post(shop_id: UUID, channel_id: UUID, number: int, on_hand: int, now: datetime) -> str:
    external = f"{PAGE}_{700_000 + number}"
    async with db.transaction() as tx:
        product, variants = await create_product(
            tx, shop_id=shop_id, title=f"量測商品 {number + 1}", variants=[VariantDraft("", 590, {})], now=now
        )
        await receive_first(
            tx, shop_id=shop_id, variant_id=variants[0], on_hand=on_hand, sell_beyond=SellBeyond.DENY, backorder_limit=0,
            actor=Actor("worker:bench"), now=now,
        )  # fmt: skip
        post, _ = await create_post(tx, shop_id=shop_id, title=f"第 {number + 1} 場", items=[ItemDraft(product, ["A1"])], now=now)
        await place_post(tx, shop_id=shop_id, post_id=post, channel_id=channel_id, external_post_id=external, now=now)
    return external
