"""The buyer's open suggestions over all shops; one statement."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from domain import db
from domain.claims.offering import fitting, offered, suggestion_id, version_of
from domain.claims.rules import ClaimPolicy
from domain.claims.suggestions import accept_until
from domain.ids import public_id
from domain.notices.suggestions import OPEN_SUGGESTION
from domain.orders.shapes import Viewpoint, comment_shape
from domain.paging import SHOP, Args, Listing, Page, Row, Shape, Slice, Wanted, fetch_page, money, shape, variant_shape
from domain.paging.shape import AVAILABLE, Read
from domain.posts.screens import post_shape

SOURCE: Final = """claim c join buyer b on b.id = c.buyer_id join social_comment sc on sc.id = c.comment_id
    join sales_post sp on sp.id = c.post_id join shop s on s.id = c.shop_id"""
DEFAULT_MOST: Final = ClaimPolicy().max_per_line
NAMED: Final = """select (x ->> 'variant')::uuid from json_array_elements(c.result -> 'lines') x
    union select y::uuid from json_array_elements_text(c.result -> 'candidates') y"""
"""Variants that a stored result speaks of."""
MOST: Final = f"""coalesce(i.max_qty, (select (r.policy ->> 'max_per_line')::int from claim_policy_version r where r.id = c.policy_version_id),
    {DEFAULT_MOST})"""
ON_SALE: Final = """(i.id is not null and i.on_sale and (i.opens_at is null or i.opens_at <= {now})
    and (i.closes_at is null or i.closes_at >= {now}))"""


def _suggestion(row: Any) -> Row:
    return {
        "id": suggestion_id(row[0], version_of(row[1])),
        "claim_id": public_id("claim", row[0]),
        "reason": row[2],
        "created_at": row[3],
        "accept_until": accept_until(row[4], row[3]),
        "offer": offered(db.from_jsonb(row[5])),
    }


@lru_cache(maxsize=64)
def _shape(wanted: Wanted, language: str, now: str) -> Shape:
    """A suggestion; aliases of SOURCE, `now` is a parameter. Branches: comment, post, shop, choices."""
    viewpoint = Viewpoint(language)
    branches: list[tuple[str, str, Read]] = []
    if "comment" in wanted:
        comment = comment_shape(wanted["comment"], viewpoint)
        branches.append(("comment", comment.row, comment.read))
    if "post" in wanted:
        post = post_shape(wanted["post"], language)
        branches.append(("post", post.row, post.read))
    if "shop" in wanted:
        branches.append(("shop", SHOP.row, SHOP.read))
    if "choices" in wanted:
        facts = _facts(wanted["choices"], now)
        rows = f"""array(select {facts.row} from variant v join product p on p.id = v.product_id
            left join post_item i on i.post_id = c.post_id and i.product_id = v.product_id where v.id in ({NAMED}))"""
        branches.append(("facts", rows, facts.read_all))
    base = shape(("c.id", "c.text_hash", "c.reason", "c.decided_at", "sp.closes_at", "c.result"), _suggestion, branches)
    return Shape(base.columns, lambda row: _finished(base.read(row)))


def _facts(wanted: Wanted, now: str) -> Shape:
    """What a choice shows of its variant now."""
    branches: list[tuple[str, str, Read]] = []
    if "variant" in wanted:
        variant = variant_shape(wanted["variant"])
        branches.append(("variant", variant.row, variant.read))
    available = f"case when {ON_SALE.format(now=now)} then {AVAILABLE} else 0 end"
    return shape(("v.id", "p.title", "v.label", "v.price_minor", "s.currency", available, MOST), _fact, branches)


def _fact(row: Any) -> Row:
    return {
        "key": row[0], "title": row[1], "label": row[2], "unit_price": money(row[3], row[4]), "available": row[5], "max_quantity": row[6],
    }  # fmt: skip


def _finished(row: Row) -> Row:
    """The row with its offer as mode and choices."""
    offer, facts = row.pop("offer"), {fact["key"]: fact for fact in row.pop("facts", ())}
    row["mode"] = offer.mode.value
    row["choices"] = [
        {**facts[choice.variant_id], "op": choice.op.value, "quantity": fitting(choice, facts[choice.variant_id]["max_quantity"])}
        for choice in offer.choices
        if choice.variant_id in facts
    ]
    return row


async def open_suggestions(member_id: UUID, *, page: Page, wanted: Wanted, language: str, now: datetime, count: bool = False) -> Slice:
    """A member's suggestions that may be accepted at `now`, the newest first."""
    args = Args(member_id)
    instant = f"{args(now)}::timestamptz"
    listing = Listing(SOURCE, f"b.member_id = $1 and {OPEN_SUGGESTION.format(now=instant)}", at="c.decided_at", id="c.id")
    return await fetch_page(_shape(wanted, language, instant), listing, page, args, count=count)
