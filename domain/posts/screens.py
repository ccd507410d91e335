"""A post as buyers see it: what is offered, how to order, what is left."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from domain import db
from domain.ids import public_id
from domain.paging import SHOP, Row, Shape, Wanted, shape, variant_shape
from domain.paging.shape import AVAILABLE, Read, same
from domain.posts.policy import ClaimPolicy
from domain.words import ENGLISH, say

POLICY_IN_FORCE = """(select row(c.id, c.version, c.policy, c.effective_at) from claim_policy_version c
    where c.shop_id = sp.shop_id and (c.post_id = sp.id or c.post_id is null) order by c.post_id nulls last, c.version desc limit 1)"""
"""The post's newest policy, else the shop's; alias `sp`."""

_READING = {
    "STRICT": (
        "留言必須完整寫出商品與數量，例如「紅色{mark}1」，才算訂購。",
        'Only a comment that names item and quantity in full, such as "red{mark}1", is an order.',
    ),
    "CONFIRM": (
        "留言含有「{mark}」加數量（例如「紅色{mark}1」）才算訂購；詢問不會成立訂單。",
        'A comment with "{mark}" and a quantity, such as "red{mark}1", is an order; questions never are.',
    ),
    "LENIENT": (
        "留言寫出商品與數量（例如「紅色{mark}1」或「紅色1個」）即算訂購；詢問不會成立訂單。",
        'A comment that gives item and quantity, such as "red{mark}1" or "1 red", is an order; questions never are.',
    ),
}
_SHORTAGE = {
    "REJECT_LINE": ("庫存不足的品項不成立。", "An item that is short is not ordered."),
    "PARTIAL": ("庫存不足時以剩餘數量成立。", "When stock is short you get what is left."),
    "PARTIAL_WAITLIST": (
        "庫存不足時先給剩餘數量，其餘列入候補。",
        "When stock is short you get what is left and wait in line for the rest.",
    ),
    "REJECT_COMMENT": ("任一品項庫存不足，整則留言不成立。", "When any item is short, the whole comment is not ordered."),
}
_CANCEL = {
    "PAYMENT": ("付款前都可留言取消，結單後也可以。", "You may cancel by comment until you pay, also after the post has closed."),
    "CLOSE": ("付款前且結單前可留言取消。", "You may cancel by comment until you pay or the post closes, whichever is first."),
    "NEVER": ("留言後不可自行取消。", "Orders cannot be cancelled by comment."),
}
_MOST = {
    False: ("每人每款最多 {most} 件。", "At most {most} of each per buyer."),
    True: (
        "每人每款最多 {most} 件，本賣場其他貼文近 {hours} 小時內訂的也算在內。",
        "At most {most} of each per buyer, what was ordered under the shop's other posts within {hours} hours included.",
    ),
}
_HOLD = ("留言後為您保留 {time}，請在時間內付款。", "Your pieces are held for {time}; please pay in that time.")
_PROXY = ("可以幫別人訂，例如「幫小美+1」。", 'You may order for somebody else by naming them, such as "幫小美+1".')
_TIME = (
    (24 * 60, ("{count} 天", "{count} day"), ("{count} 天", "{count} days")),
    (60, ("{count} 小時", "{count} hour"), ("{count} 小時", "{count} hours")),
    (1, ("{count} 分鐘", "{count} minute"), ("{count} 分鐘", "{count} minutes")),
)
"""Minutes in a unit, one of it, several of it."""
_DEFAULTS = ClaimPolicy().stored()


def rule_sentence(policy: Mapping[str, Any], language: str) -> str:
    """The rule in force as buyers read it in this language; `policy` as stored, missing fields mean their defaults."""
    policy = {**_DEFAULTS, **policy}
    parts = [say(_READING[policy["reading"]], language).format(mark=policy["trigger_symbols"][0])]
    most, hours = policy["per_buyer_max"], policy["per_buyer_window_hours"]
    if most is not None:
        parts.append(say(_MOST[hours is not None], language).format(most=most, hours=hours))
    parts.append(say(_SHORTAGE[policy["shortage"]], language))
    if policy["hold_minutes"] is not None:
        parts.append(say(_HOLD, language).format(time=_time(policy["hold_minutes"], language)))
    parts.append(say(_CANCEL[policy["cancel_until"]], language))
    if policy["proxy"] == "ALLOW":
        parts.append(say(_PROXY, language))
    return (" " if language == ENGLISH else "").join(parts)


def _time(minutes: int, language: str) -> str:
    """Minutes in the largest unit that divides them."""
    for unit, one, several in _TIME:
        if minutes % unit == 0:
            count = minutes // unit
            return say(one if count == 1 else several, language).format(count=count)
    raise AssertionError("one minute divides all")


async def rule_of(shop_id: UUID, post_id: UUID | None, *, language: str) -> Row:
    """The rule in force of a shop, or of one of its posts."""
    rule: Row = read_rule(language)(
        await db.fetchrow(
            """select id, version, policy, effective_at from claim_policy_version
               where shop_id = $1 and (post_id = $2 or post_id is null) order by post_id nulls last, version desc limit 1""",
            shop_id,
            post_id,
        )
    )
    return rule


def read_rule(language: str) -> Read:
    """Reads (id, version, policy, effective at); no policy at all means the defaults, version 0."""

    def read(row: Any) -> Row:
        if row is None or row[0] is None:
            return {"version": 0, "sentence": rule_sentence({}, language), "effective_at": None}
        return {"version": row[1], "sentence": rule_sentence(db.from_jsonb(row[2]), language), "effective_at": row[3]}

    return read


def _post(row: Any) -> Row:
    return {
        "id": public_id("post", row[0]),
        "title": row[1],
        "state": row[2],
        "delivery_method": row[3],
        "opens_at": row[4],
        "closes_at": row[5],
    }


def _item(row: Any) -> Row:
    return {
        "id": public_id("item", row[0]),
        "codes": db.from_jsonb(row[1]),
        "on_sale": row[2],
        "max_quantity": row[3],
        "product": {"id": public_id("product", row[4]), "title": row[5]},
    }


@lru_cache(maxsize=64)
def _item_shape(wanted: Wanted) -> Shape:
    branches: list[tuple[str, str, Read]] = []
    if "variants" in wanted:
        variant = variant_shape(wanted["variants"])
        rows = f"array(select {variant.row} from variant v where v.product_id = p.id order by v.position, v.id)"
        branches.append(("variants", rows, variant.read_all))
    if "availability" in wanted:
        branches.append(("availability", f"(select coalesce(sum({AVAILABLE}), 0)::int from variant v where v.product_id = p.id)", same))
    return shape(("i.id", "i.codes", "i.on_sale", "i.max_qty", "p.id", "p.title"), _item, branches)


@lru_cache(maxsize=128)
def post_shape(wanted: Wanted, language: str) -> Shape:
    """A post; aliases `sp` (sales_post) and `s` (its shop). Branches: shop, rule, items."""
    branches: list[tuple[str, str, Read]] = []
    if "shop" in wanted:
        branches.append(("shop", SHOP.row, SHOP.read))
    if "rule" in wanted:
        branches.append(("rule", POLICY_IN_FORCE, read_rule(language)))
    if "items" in wanted:
        item = _item_shape(wanted["items"])
        rows = f"""array(select {item.row} from post_item i join product p on p.id = i.product_id
            where i.post_id = sp.id order by i.position, i.id)"""
        branches.append(("items", rows, item.read_all))
    return shape(("sp.id", "sp.title", "sp.state", "sp.delivery_method", "sp.opens_at", "sp.closes_at"), _post, branches)


async def sales_posts(post_ids: Collection[UUID], *, wanted: Wanted, language: str) -> dict[UUID, Row]:
    """Posts that are not drafts, for anybody; one statement."""
    post = post_shape(wanted, language)
    rows = await db.fetch(
        f"select {post.select} from sales_post sp join shop s on s.id = sp.shop_id where sp.id = any($1::uuid[]) and sp.state <> 'DRAFT'",
        list(post_ids),
    )
    return {row[0]: post.read(row) for row in rows}


async def variants(variant_ids: Collection[UUID], *, wanted: Wanted) -> dict[UUID, Row]:
    """Variants that some post offers or offered, for anybody; one statement."""
    found = variant_shape(wanted)
    rows = await db.fetch(
        f"""select {found.select} from variant v join product p on p.id = v.product_id join shop s on s.id = v.shop_id
            where v.id = any($1::uuid[]) and exists (select from post_item i join sales_post sp on sp.id = i.post_id
                                        where i.product_id = p.id and sp.state <> 'DRAFT')""",
        list(variant_ids),
    )
    return {row[0]: found.read(row) for row in rows}
