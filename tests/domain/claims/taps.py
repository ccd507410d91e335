"""Buyers who tap, for tests: members of the app whose comments stand on a wall."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import pytest

from domain import db
from domain.claims.commands import ResolveAction, resolve
from domain.claims.offering import Offer, offered
from domain.claims.suggestions import accept
from domain.errors import DomainError
from domain.ids import new_id
from tests.books import everything
from tests.build import NOW, a_member
from tests.domain.claims.acts import STAFF
from tests.wall import Wall


async def a_fan(author: str) -> UUID:
    """A member who linked this Facebook identity before writing anything."""
    member = await a_member()
    await db.execute(
        "insert into identity (id, member_id, provider, subject, created_at, last_seen_at) values ($1, $2, 'facebook', $3, $4, $4)",
        new_id(), member, author, NOW,
    )  # fmt: skip
    return member


async def claim_of(comment: str) -> UUID:
    """The claim of a comment."""
    found: UUID = await db.fetchval(
        "select k.id from claim k join social_comment c on c.id = k.comment_id where c.external_id = $1", comment
    )
    return found


async def offer_of(comment: str) -> Offer | None:
    """What is offered for a comment by its stored result."""
    return offered(db.from_jsonb(await db.fetchval("select result from claim where id = $1", await claim_of(comment))))


async def tap(
    wall: Wall,
    comment: str,
    member: UUID,
    lines: Sequence[tuple[UUID, int]] | None = None,
    *,
    at: datetime = NOW,
    version: str | None = None,
) -> None:
    """The buyer says yes."""
    await accept(claim_id=await claim_of(comment), member_id=member, lines=lines, version=version, now=at, jobs=wall.services.jobs)


async def suggested(wall: Wall, author: str, text: str, *, at: datetime | None = None) -> tuple[str, UUID]:
    """A comment that became a suggestion, and its author's member."""
    member = await a_fan(author)
    comment = await wall.says(author, text, at=at)
    await wall.drain()
    assert (await wall.outcome(comment))[0] == "SUGGESTED"
    return comment, member


async def standing() -> dict[str, list[str]]:
    """Every row that a tap could change, as text: equal before and after when nothing changed."""
    mine = {
        name: sorted(row["row"] for row in await db.fetch(f"select t::text as row from {name} t"))
        for name in ("claim", "waitlist_entry", "platform_reply")
    }
    return {**await everything(), **mine}


async def refused(
    wall: Wall, refusal: type[DomainError], comment: str, member: UUID, lines: Sequence[tuple[UUID, int]] | None = None, **when: object
) -> DomainError:
    """The refusal of a tap, which changed nothing."""
    before = await standing()
    with pytest.raises(refusal) as raised:
        await tap(wall, comment, member, lines, **when)  # type: ignore[arg-type]
    assert await standing() == before
    return raised.value


async def staff_make_order(wall: Wall, comment: str, quantity: int = 1) -> None:
    """The seller makes the order of a comment by hand, before its buyer has tapped."""
    await resolve(
        comment_id=await db.fetchval("select comment_id from claim where id = $1", await claim_of(comment)),
        shop_id=wall.shop.id, action=ResolveAction.MAKE_ORDER, lines=[(wall.product.variants[0].id, quantity)], actor=STAFF,
        by_member_id=new_id(), now=NOW, jobs=wall.services.jobs,
    )  # fmt: skip
