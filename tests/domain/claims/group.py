"""A Facebook group as a collector sees it, for tests: rows through the real adapter into the inbox, then the real drain."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from domain import db
from domain.claims.rules import ClaimPolicy
from domain.inbox.commands import occurred
from domain.inbox.rules import lane_number
from domain.posts.commands import place_post, set_policy
from domain.providers.platforms import PLATFORMS
from domain.providers.platforms.wire import utf8_wire
from domain.shops.rules import SourcePlatform
from tests.build import NOW, a_channel, a_post, a_product, a_shop, an_endpoint
from tests.wall import Wall, wall_services

GROUP, POST = "fbgroup:2204567890123456", "3311223344556677"
_looks = itertools.count(1)


def minute(number: float) -> datetime:
    """The collector's clock."""
    return NOW + timedelta(minutes=number)


def millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)


@dataclass
class Group(Wall):
    """One post in a group. `tells` and `looks` store what the collector sends; `drain` decides it."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The row of each comment as it was first sent."""

    def row(self, comment: str, author: str, text: str, at: datetime, **more: Any) -> dict[str, Any]:
        return {
            "schema": "plusone.comment/1", "source": "fb_group_ext", "channel_id": GROUP, "post_id": self.external_posts[0], "comment_id": comment,
            "author": {"profile_key": author, "name": f"{author} 小姐"}, "text": text, "created_at_ms": millis(at), "created_at_precision": "exact",
            "observed_at_ms": millis(at), "event": "add", **more,
        }  # fmt: skip

    async def send(self, rows: list[dict[str, Any]], *, received_at: datetime, **head: Any) -> list[str]:
        """Store a delivery; answers the keys of its events."""
        body = utf8_wire({"batch_id": "b", "items": rows, **head})
        events = PLATFORMS["generic"].split(body, received_at=received_at)
        for event in events:
            await db.execute(
                """insert into inbox_event (endpoint_id, source, external_key, lane, occurred_at, payload, state, outcome, tries, received_at, parked_reason)
                   values ($1, 'generic', $2, $3, $4, $5::jsonb, 'PENDING', '', 0, $6, '') on conflict (endpoint_id, external_key) do nothing""",
                self.endpoint_id, event.external_key, lane_number(event.lane), occurred(event.occurred_at, received_at), db.jsonb(dict(event.payload)), received_at,
            )  # fmt: skip
        return [event.external_key for event in events]

    async def tells(self, comment: str, author: str, text: str, at: float = 0, *, received: float | None = None, **more: Any) -> str:
        """Send one row by itself; answers the comment's id."""
        row = self.row(comment, author, text, minute(at), **more)
        self.rows.setdefault(comment, row)
        await self.send([row], received_at=minute(at if received is None else received))
        return comment

    async def looks(
        self,
        comments: str,
        at: float,
        *,
        id: str | None = None,
        received: float | None = None,
        changed: Mapping[str, Any] | None = None,
        **head: Any,
    ) -> str:
        """Send a list of comments (their ids, parted by blanks) that was taken at this minute; answers its id."""
        rows = [{**self.rows[comment], "observed_at_ms": millis(minute(at)), **(changed or {})} for comment in comments.split()]
        snapshot = id or f"look-{next(_looks)}"
        named = {} if rows else {"source": "fb_group_ext", "channel_id": GROUP, "post_id": self.external_posts[0]}
        body = {"snapshot_id": snapshot, "complete": True, "taken_at_ms": millis(minute(at)), **named, **head}
        await self.send(rows, received_at=minute(at if received is None else received), **body)
        return snapshot

    async def outcomes(self) -> list[str]:
        """What became of the lists, in the order in which they were stored."""
        rows = await db.fetch("select outcome from inbox_event where external_key like 'snapshot:%' order by id")
        return [row["outcome"] for row in rows]

    async def missed(self) -> list[str]:
        """Comments that are missed, by id; `!` where the shop was asked to look."""
        rows = await db.fetch(
            """select c.external_id || case when m.told then '!' else '' end as comment from comment_missed m join social_comment c on c.id = m.comment_id
               where c.removed_at is null order by length(c.external_id), c.external_id"""
        )
        return [row["comment"] for row in rows]

    async def removed(self) -> dict[str, datetime]:
        """Comments that count as removed, and since when."""
        rows = await db.fetch("select external_id, removed_at from social_comment where removed_at is not null")
        return {row["external_id"]: row["removed_at"] for row in rows}


async def a_group(*, variants: tuple[str, ...] = ("",), on_hand: int | tuple[int, ...] = 10, **policy: Any) -> Group:
    """A shop with a group, one post with one product, and the policy given."""
    shop = await a_shop()
    endpoint = await an_endpoint(source="generic")
    channel = await a_channel(shop, endpoint_id=endpoint, platform=SourcePlatform.FACEBOOK_GROUP, external_id=GROUP)
    product = await a_product(shop, title="瓦片", variants=variants, on_hand=on_hand)
    post = await a_post(shop, products=[product])
    async with db.transaction() as tx:
        await place_post(tx, shop_id=shop.id, post_id=post.id, channel_id=channel.id, external_post_id=POST, now=NOW)
        await set_policy(tx, shop_id=shop.id, post_id=None, policy=ClaimPolicy(**policy).stored(), now=NOW)
    return Group(shop, product, post.id, endpoint, channel.id, [POST], wall_services())
