"""Buyers who wait in line and are offered what comes, for tests."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domain import db
from domain.claims import offers
from domain.claims.passing import pass_on_due
from domain.stock.commands import adjust
from domain.stock.rules import AdjustReason
from tests.build import NOW
from tests.domain.claims.acts import STAFF
from tests.domain.claims.taps import a_fan
from tests.wall import Wall, a_wall

MINUTES = 30


async def a_line(*wishes: tuple[str, int], on_hand: int = 0, app: bool = True) -> tuple[Wall, dict[str, UUID]]:
    """A shop with timed offers, and buyers who wait in this order for so many pieces each; answers their members (none without `app`)."""
    wall = await a_wall(on_hand=on_hand)
    await db.execute("update shop set offer_minutes = $1", MINUTES)
    members = {author: await a_fan(author) for author, _ in wishes} if app else {}
    for author, pieces in wishes:
        await wall.says(author, f"+{pieces}")
    await wall.drain()
    return wall, members


async def restock(wall: Wall, pieces: int, *, at: datetime = NOW, serve: bool = True) -> int:
    """Pieces arrive, and the worker's job runs; answers how many it gave or offered."""
    await adjust(
        shop_id=wall.shop.id, variant_id=wall.product.variants[0].id, delta=pieces, reason=AdjustReason.RECEIPT, actor=STAFF, now=at,
        jobs=wall.services.jobs,
    )  # fmt: skip
    return await serve_all(wall, at=at) if serve else 0


async def serve_all(wall: Wall, *, at: datetime = NOW) -> int:
    """The worker's job."""
    return await offers.serve(shop_id=wall.shop.id, variant_ids=[v.id for v in wall.product.variants], now=at, jobs=wall.services.jobs)


async def pass_on(wall: Wall, *, at: datetime) -> int:
    """The sweep, and the job that it leaves."""
    passed = await pass_on_due(now=at, limit=1_000, jobs=wall.services.jobs)
    await serve_all(wall, at=at)
    return passed


async def on_offer(state: str = "OPEN") -> dict[str, int]:
    """Pieces on offer by author."""
    rows = await db.fetch(
        "select b.external_id, sum(f.quantity)::int as n from waitlist_offer f join buyer b on b.id = f.buyer_id where f.state = $1 group by 1",
        state,
    )
    return {row["external_id"]: row["n"] for row in rows}


async def offer_to(author: str) -> UUID:
    """The newest offer to an author."""
    found: UUID = await db.fetchval(
        "select f.id from waitlist_offer f join buyer b on b.id = f.buyer_id where b.external_id = $1 order by f.offered_at desc, f.id desc limit 1",
        author,
    )
    return found


async def place_of(author: str) -> UUID:
    """The place of an author who has one."""
    found: UUID = await db.fetchval("select w.id from waitlist_entry w join buyer b on b.id = w.buyer_id where b.external_id = $1", author)
    return found


async def say_yes(wall: Wall, members: dict[str, UUID], author: str, *, at: datetime = NOW) -> UUID:
    """The buyer takes the newest offer."""
    return await offers.accept(offer_id=await offer_to(author), member_id=members[author], now=at, jobs=wall.services.jobs)
