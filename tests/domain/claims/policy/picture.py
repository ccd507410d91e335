"""What a wall looks like to everybody at once, so that a test says what happened and, by all that it leaves empty, what did not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from domain import db
from tests.wall import Wall, a_wall


@dataclass
class Picture:
    """Everything that a comment can change."""

    outcomes: list[str] = field(default_factory=list)
    """Of each comment: outcome, reason, and `?` where a human should look."""
    levels: list[str] = field(default_factory=lambda: ["10/0/0"])
    """On hand, held, committed of each variant."""
    lines: dict[str, dict[str, int]] = field(default_factory=dict)
    """Pieces in living orders by author and label."""
    orders: list[str] = field(default_factory=list)
    """Author, state, payment, total; `!` where the shop should look."""
    waiting: list[str] = field(default_factory=list)
    """Author and pieces, in the order of the list."""
    notices: list[str] = field(default_factory=list)
    """Author and kind, in the order written."""
    replies: list[str] = field(default_factory=list)
    """Author and kind of answers on the platform."""


async def picture(wall: Wall, comments: Sequence[str] = ()) -> Picture:
    """What the tables say of this wall's shop."""
    shop = wall.shop.id
    claims = await db.fetch(
        "select c.external_id, k.outcome, k.reason, k.review from claim k join social_comment c on c.id = k.comment_id where k.shop_id = $1",
        shop,
    )
    said = {r["external_id"]: " ".join(filter(None, (r["outcome"], r["reason"], "?" if r["review"] == "OPEN" else ""))) for r in claims}
    lines: dict[str, dict[str, int]] = {}
    for row in await db.fetch(
        """select b.external_id, l.variant_label, sum(l.quantity)::int as n from order_line l join "order" o on o.id = l.order_id
           join buyer b on b.id = o.buyer_id where o.shop_id = $1 and o.state <> 'CANCELLED' and l.quantity > 0 group by 1, 2 order by 1, 2""",
        shop,
    ):
        lines.setdefault(row["external_id"], {})[row["variant_label"]] = row["n"]
    return Picture(
        outcomes=[said.get(comment, "") for comment in comments],
        levels=["/".join(map(str, await wall.level(n))) for n in range(len(wall.product.variants))],
        lines=lines,
        orders=await _texts(
            """select b.external_id || ' ' || o.state || ' ' || o.payment_state || ' ' || o.total_minor || case when o.flagged then ' !' else '' end
               from "order" o join buyer b on b.id = o.buyer_id where o.shop_id = $1 order by o.created_at, o.id""",
            shop,
        ),
        waiting=[f"{author} {n}" for author, n in await wall.waiting()],
        notices=await _texts(
            """select b.external_id || ' ' || n.kind from notice n join buyer b on b.id = n.buyer_id
               where n.shop_id = $1 order by n.created_at, n.id""",
            shop,
        ),
        replies=await _texts(
            """select b.external_id || ' ' || r.kind from platform_reply r join social_comment c on c.id = r.comment_id
               join buyer b on b.id = c.buyer_id where r.shop_id = $1 order by r.created_at, r.id""",
            shop,
        ),
    )


async def _texts(sql: str, *args: Any) -> list[str]:
    return [row[0] for row in await db.fetch(sql, *args)]


Act = Callable[[Wall], Awaitable[Any]]
Step = tuple[str, str] | tuple[str, str | None, int] | Act
"""Author and text: a new comment. With a number: the how-manieth comment of the play is edited (None: deleted). Else: what somebody does."""


async def play(wall: Wall, *steps: Step, at: datetime | None = None) -> list[str]:
    """Let all of it happen, a second after the other; what somebody does sees everything before it decided. Answers the comments' ids."""
    comments: list[str] = []
    for step in steps:
        if callable(step):
            await wall.drain()
            await step(wall)
        elif len(step) == 2:
            comments.append(await wall.says(*step, at=at))
        else:
            author, text, number = step
            await wall.says(author, text or "", comment=comments[number - 1], verb="remove" if text is None else "edited")
    await wall.drain()
    return comments


async def played(*steps: Step, **wall: Any) -> Picture:
    """The picture after these steps on a wall like this."""
    stage = await a_wall(**wall)
    return await picture(stage, await play(stage, *steps))


async def seconds_later(_: Wall) -> None:
    """Nothing: everything before it is decided."""
