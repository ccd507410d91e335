"""What an order's line came from, as texts: the same as `shapes` has of variants, posts, claims and comments, with the same aliases.

A rule's sentence, what a post offers and what a comment was read as depend on the reader's language or on stored trails: they are read as rows.
"""

from __future__ import annotations

from typing import Final

from domain.paging.shape import AVAILABLE
from domain.paging.written import SHOP_FIELDS, Amount, Entry, Fields, Maybe, One, Within, instant, public, text, whole, word

VARIANT: Final = One(
    Fields(
        {
            "id": public("variant", "v.id"), "label": text("v.label"), "code": text("v.code"), "price": Amount("v.price_minor", "s.currency"),
            "product": Within(Fields({"id": public("product", "p.id"), "title": text("p.title")})), "availability": whole(AVAILABLE),
        }
    ),
    "select {row} from variant v join product p on p.id = v.product_id where v.id = l.variant_id",
)  # fmt: skip
"""Of a line `l` of a shop `s`."""

POST_FIELDS: Final = Fields(
    {
        "id": public("post", "sp.id"), "title": text("sp.title"), "state": word("sp.state"), "delivery_method": word("sp.delivery_method"),
        "opens_at": instant("sp.opens_at", nullable=True), "closes_at": instant("sp.closes_at", nullable=True), "shop": Within(SHOP_FIELDS),
    }
)  # fmt: skip


def post(key: str) -> Maybe:
    """The post of this key."""
    return Maybe(POST_FIELDS, f"select {{row}} from sales_post sp left join shop s on s.id = sp.shop_id where sp.id = {key}")


COMMENT_FIELDS: Final = Fields(
    {
        "id": public("comment", "sc.id"),
        "platform": word("sc.platform"),
        "text": text("case when sc.removed_at is null then sc.text end", nullable=True),
        "written_at": instant("sc.written_at"),
        "received_at": instant("sc.received_at"),
        "removed_at": instant("sc.removed_at", nullable=True),
        "permalink": text("nullif(sc.permalink, '')", nullable=True),
        "author": Within(Fields({"name": text("sc.author_name")})),
        "post": post("sc.post_id"),
    }
)
_CLAIM: Final[dict[str, Entry]] = {
    "id": public("claim", "c.id"),
    "outcome": word("c.outcome"),
    "reason": text("nullif(c.reason, '')", nullable=True),
    "review": word("c.review"),
    "decided_at": instant("c.decided_at"),
    "comment": Maybe(COMMENT_FIELDS, "select {row} from social_comment sc where sc.id = c.comment_id"),
}
CLAIM: Final = Maybe(Fields(_CLAIM), "select {row} from claim c where c.id = l.claim_id")
"""Of a line `l`, as its buyer sees it."""
