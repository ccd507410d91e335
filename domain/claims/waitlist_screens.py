"""A member's places in waiting lists over all shops; one statement."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from domain.ids import public_id
from domain.paging import SHOP, Args, Listing, Page, Row, Shape, Slice, Wanted, fetch_page, shape, variant_shape
from domain.paging.shape import Read, same
from domain.posts.screens import post_shape

SOURCE: Final = """waitlist_entry w join buyer b on b.id = w.buyer_id join claim c on c.id = w.claim_id join shop s on s.id = w.shop_id
    join variant v on v.id = w.variant_id join product p on p.id = v.product_id join sales_post sp on sp.id = c.post_id"""
AHEAD: Final = """(select coalesce(sum(x.quantity), 0)::int from waitlist_entry x
    where x.variant_id = w.variant_id and x.state = 'WAITING' and (x.queued_at, x.id) < (w.queued_at, w.id))"""
OFFER: Final = """(select row(f.id, f.quantity, f.offered_at, f.expires_at) from waitlist_offer f
    where f.place_id = w.id and f.state = 'OPEN' and f.expires_at > {now})"""


def _place(row: Any) -> Row:
    return {
        "id": public_id("place", row[0]),
        "claim_id": public_id("claim", row[1]),
        "title": row[2],
        "label": row[3],
        "quantity": row[4],
        "queued_at": row[5],
    }


def _offer(row: Any) -> Row | None:
    if row is None:
        return None
    return {"id": public_id("offer", row[0]), "quantity": row[1], "offered_at": row[2], "accept_until": row[3]}


@lru_cache(maxsize=64)
def _shape(wanted: Wanted, language: str, now: str) -> Shape:
    """A place; aliases of SOURCE, `now` is a parameter. Branches: variant, post, shop, ahead, offer."""
    branches: list[tuple[str, str, Read]] = []
    if "variant" in wanted:
        variant = variant_shape(wanted["variant"])
        branches.append(("variant", variant.row, variant.read))
    if "post" in wanted:
        post = post_shape(wanted["post"], language)
        branches.append(("post", post.row, post.read))
    if "shop" in wanted:
        branches.append(("shop", SHOP.row, SHOP.read))
    if "ahead" in wanted:
        branches.append(("ahead", AHEAD, same))
    if "offer" in wanted:
        branches.append(("offer", OFFER.format(now=now), _offer))
    return shape(("w.id", "w.claim_id", "p.title", "v.label", "w.quantity", "w.queued_at"), _place, branches)


async def places_of_member(member_id: UUID, *, page: Page, wanted: Wanted, language: str, now: datetime, count: bool = False) -> Slice:
    """What a member waits for, the oldest place first."""
    args = Args(member_id)
    instant = f"{args(now)}::timestamptz" if "offer" in wanted else ""
    listing = Listing(SOURCE, "b.member_id = $1 and w.state = 'WAITING'", at="w.queued_at", id="w.id", newest_first=False)
    return await fetch_page(_shape(wanted, language, instant), listing, page, args, count=count)
