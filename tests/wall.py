"""A Facebook post that people comment on, for tests: real payloads through the real adapter into the inbox, then the real drain."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain import db
from domain.bootstrap import Services, services
from domain.claims.rules import ClaimPolicy
from domain.clock import FixedClock
from domain.inbox.rules import lane_number
from domain.posts.commands import place_post, set_policy
from domain.providers.platforms import PLATFORMS
from domain.providers.platforms.wire import facebook_wire
from domain.settings import Environment, Settings
from tests.build import NOW, AProduct, AShop, a_channel, a_post, a_product, a_shop, an_endpoint
from workers.ingest import drain_all

PAGE = "104561234567890"
_ids = itertools.count(1)


def wall_services(clock: FixedClock | None = None) -> Services:
    """Services as in development, on a clock that stands still, where somebody sends replies."""
    return services(
        Settings(environment=Environment.DEVELOPMENT, secret_key="x" * 40, reply_base_url="http://127.0.0.1:9", _env_file=None),  # type: ignore[call-arg]
        clock=clock or FixedClock(NOW),
    )


@dataclass
class Wall:
    """One post on a page. `says` stores an event as the front door would; `drain` decides all that is stored."""

    shop: AShop
    product: AProduct
    post_id: UUID
    endpoint_id: UUID
    channel_id: UUID
    external_posts: list[str]
    """Where the post stands: each is a lane of its own."""
    services: Services
    seconds: itertools.count[int] = field(default_factory=lambda: itertools.count(0))

    async def says(
        self,
        author: str,
        text: str,
        *,
        comment: str | None = None,
        verb: str = "add",
        at: datetime | None = None,
        received_at: datetime | None = None,
        place: int = 0,
        tags: Sequence[tuple[int, int]] = (),
    ) -> str:
        """Store one comment event, with tagged people at these (offset, length); answers the comment's id."""
        comment = comment or f"1221_{next(_ids)}"
        post = self.external_posts[place]
        when = at or NOW + timedelta(seconds=next(self.seconds))
        value: dict[str, Any] = {
            "from": {"id": author, "name": f"{author} 小姐"},
            "post": {"status_type": "mobile_status_update", "id": post},
            "message": text, "post_id": post, "comment_id": comment, "created_time": int(when.timestamp()), "item": "comment",
            "parent_id": post, "verb": verb,
        }  # fmt: skip
        if verb == "remove":
            del value["message"]
        if tags:
            value["message_tags"] = [
                {"id": "9", "name": "x", "type": "user", "offset": offset, "length": length} for offset, length in tags
            ]
        body = facebook_wire(
            {"object": "page", "entry": [{"id": PAGE, "time": int(when.timestamp()), "changes": [{"value": value, "field": "feed"}]}]}
        )
        received = received_at or when
        for event in PLATFORMS["facebook"].split(body, received_at=received):
            await db.execute(
                """insert into inbox_event (endpoint_id, source, external_key, lane, occurred_at, payload, state, outcome, tries, received_at, parked_reason)
                   values ($1, 'facebook', $2, $3, $4, $5::jsonb, 'PENDING', '', 0, $6, '') on conflict (endpoint_id, external_key) do nothing""",
                self.endpoint_id, event.external_key, lane_number(event.lane), event.occurred_at or received, db.jsonb(dict(event.payload)), received,
            )  # fmt: skip
        return comment

    async def drain(self) -> int:
        """Decide everything stored."""
        return await drain_all(self.services)

    async def outcome(self, comment: str) -> tuple[str, str]:
        """(outcome, reason) of a comment."""
        row = await db.fetchrow(
            "select k.outcome, k.reason from claim k join social_comment c on c.id = k.comment_id where c.external_id = $1", comment
        )
        assert row is not None, comment
        return row["outcome"], row["reason"]

    async def pieces(self, author: str) -> dict[str, int]:
        """{variant label: pieces} that an author holds in living orders."""
        rows = await db.fetch(
            """select l.variant_label, sum(l.quantity)::int as n from order_line l join "order" o on o.id = l.order_id join buyer b on b.id = o.buyer_id
               where b.external_id = $1 and o.state <> 'CANCELLED' and l.quantity > 0 group by 1""",
            author,
        )
        return {row["variant_label"]: row["n"] for row in rows}

    async def level(self, index: int = 0) -> tuple[int, int, int]:
        """(on hand, held, committed) of a variant."""
        row = await db.fetchrow("select on_hand, held, committed from stock_level where variant_id = $1", self.product.variants[index].id)
        assert row is not None
        return tuple(row.values())  # type: ignore[return-value]

    async def waiting(self) -> list[tuple[str, int]]:
        """(author, pieces) in the order of the waiting list."""
        rows = await db.fetch(
            """select b.external_id, w.quantity from waitlist_entry w join buyer b on b.id = w.buyer_id
               where w.state = 'WAITING' order by w.queued_at, w.id"""
        )
        return [(row["external_id"], row["quantity"]) for row in rows]


async def a_wall(
    *,
    variants: tuple[str, ...] = ("",),
    on_hand: int | tuple[int, ...] = 10,
    closes_at: datetime | None = None,
    clock: FixedClock | None = None,
    places: int = 1,
    **policy: Any,
) -> Wall:
    """A shop with a page, one post with one product, and the policy given."""
    shop = await a_shop()
    endpoint = await an_endpoint()
    channel = await a_channel(shop, endpoint_id=endpoint, external_id=PAGE)
    product = await a_product(shop, title="瓦片", variants=variants, on_hand=on_hand)
    numbers = [f"{PAGE}_{next(_ids)}" for _ in range(places)]
    post = await a_post(shop, products=[product], closes_at=closes_at)
    async with db.transaction() as tx:
        for number in numbers:
            await place_post(tx, shop_id=shop.id, post_id=post.id, channel_id=channel.id, external_post_id=number, now=NOW)
        await set_policy(tx, shop_id=shop.id, post_id=None, policy=ClaimPolicy(**policy).stored(), now=NOW)
    return Wall(shop, product, post.id, endpoint, channel.id, numbers, wall_services(clock))
