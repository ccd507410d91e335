"""`ignore_authors`: whose comments are never read as orders: the page, staff, restricted buyers, bots."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from domain import db as database
from domain.audit.commands import Actor
from domain.claims.rules import IgnoredAuthor
from domain.ids import new_id
from domain.inbox.rules import lane_number
from domain.orders import buyers
from domain.posts.commands import place_post
from domain.providers.platforms import PLATFORMS
from domain.shops.rules import Role, SourcePlatform
from tests.build import NOW, a_buyer, a_channel, a_member, a_membership, an_endpoint
from tests.domain.claims.policy.picture import Picture, picture, play
from tests.wall import PAGE, Wall, a_wall

ALL = frozenset(IgnoredAuthor)
OWNER = Actor("member:00000000-0000-0000-0000-000000000001", "OWNER")


async def linked(author: str) -> UUID:
    """The member who proved to be this author on the platform."""
    member = await a_member()
    await database.execute(
        "insert into identity (id, member_id, provider, subject, created_at, last_seen_at) values ($1, $2, 'facebook', $3, $4, $4)",
        new_id(), member, author, NOW,
    )  # fmt: skip
    return member


async def tell_telegram(wall: Wall, sender: dict[str, object], text: str, number: int = 1) -> str:
    """A message in a Telegram group where the wall's post is open; answers its id."""
    endpoint = await an_endpoint(source="telegram")
    channel = await a_channel(wall.shop, endpoint_id=endpoint, platform=SourcePlatform.TELEGRAM, external_id="-1001")
    async with database.transaction() as tx:
        await place_post(tx, shop_id=wall.shop.id, post_id=wall.post_id, channel_id=channel.id, now=NOW)
    message = {
        "message_id": number,
        "from": sender,
        "chat": {"id": -1001, "type": "supergroup"},
        "date": int(NOW.timestamp()),
        "text": text,
    }
    for raw in PLATFORMS["telegram"].split(database.jsonb({"update_id": number, "message": message}).encode(), received_at=NOW):
        await database.execute(
            """insert into inbox_event (endpoint_id, source, external_key, lane, occurred_at, payload, state, outcome, tries, received_at, parked_reason)
               values ($1, 'telegram', $2, $3, $4, $5::jsonb, 'PENDING', '', 0, $4, '')""",
            endpoint, raw.external_key, lane_number(raw.lane), NOW, database.jsonb(dict(raw.payload)),
        )  # fmt: skip
    return str(number)


def ordered(author: str, *, page: bool = True) -> Picture:
    """One piece, ordered and told."""
    replies = [f"{author} PUBLIC"] if page else []
    return Picture(["ORDERED"], ["10/1/0"], {author: {"": 1}}, [f"{author} OPEN UNPAID 590"], [], [f"{author} ORDER_PLACED"], replies)


async def by_page(wall: Wall) -> tuple[str, str]:
    return PAGE, (await play(wall, (PAGE, "+1")))[0]


async def by_staff(wall: Wall) -> tuple[str, str]:
    await a_membership(wall.shop, await linked("店員"), role=Role.HELPER)
    return "店員", (await play(wall, ("店員", "+1")))[0]


async def by_restricted(wall: Wall) -> tuple[str, str]:
    buyer = await a_buyer(wall.shop, external_id="甲")
    await buyers.restrict(buyer_id=buyer.id, shop_id=wall.shop.id, until=NOW + timedelta(days=1), reason="no-show", actor=OWNER, now=NOW)
    return "甲", (await play(wall, ("甲", "+1")))[0]


async def by_bot(wall: Wall) -> tuple[str, str]:
    comment = await tell_telegram(wall, {"id": 7, "is_bot": True, "first_name": "Bot"}, "+1")
    await wall.drain()
    return "7", comment


WHO = [
    (IgnoredAuthor.PAGE, by_page, "FROM_SHOP"),
    (IgnoredAuthor.STAFF, by_staff, "FROM_STAFF"),
    (IgnoredAuthor.RESTRICTED, by_restricted, "RESTRICTED"),
    (IgnoredAuthor.BOTS, by_bot, "BOT"),
]


@pytest.mark.parametrize(("who", "writes", "reason"), WHO, ids=[who for who, *_ in WHO])
@pytest.mark.parametrize("only", [False, True], ids=["with all on", "alone"])
async def test_ignored_authors_order_nothing_and_hear_nothing(db: str, who: IgnoredAuthor, writes, reason: str, only: bool) -> None:
    wall = await a_wall(ignore_authors={who} if only else ALL)
    _, comment = await writes(wall)
    assert await picture(wall, [comment]) == Picture([f"IGNORED {reason}"])
    rows = await database.fetch("select action from audit_entry where object_type = 'claim'")
    assert [row["action"] for row in rows] == ["CLAIM_DECIDED"]
    assert await database.fetchval("select policy_version_id is not null from claim") is True


@pytest.mark.parametrize(("who", "writes", "reason"), WHO, ids=[who for who, *_ in WHO])
@pytest.mark.parametrize("none", [False, True], ids=["with the others on", "with none on"])
async def test_turned_off_they_are_read_like_anybody(db: str, who: IgnoredAuthor, writes, reason: str, none: bool) -> None:
    wall = await a_wall(ignore_authors=set() if none else ALL - {who})
    author, comment = await writes(wall)
    assert await picture(wall, [comment]) == ordered(author, page=who is not IgnoredAuthor.BOTS)


async def test_staff_means_active_staff_of_this_shop(db: str) -> None:
    wall, other = await a_wall(), await a_wall()
    await a_membership(other.shop, await linked("甲"))
    left = await linked("乙")
    await a_membership(wall.shop, left)
    await database.execute("update membership set ended_at = $2 where member_id = $1", left, NOW)
    comments = await play(wall, ("甲", "+1"), ("乙", "+1"))
    assert (await picture(wall, comments)).outcomes == ["ORDERED", "ORDERED"]


async def test_staff_are_known_as_soon_as_they_link_their_identity(db: str) -> None:
    wall = await a_wall()
    comments = await play(wall, ("店員", "+1"))
    member = await linked("店員")
    await database.execute("update buyer set member_id = $1", member)
    await database.execute('update "order" set member_id = $1, version = version + 1', member)
    await database.execute("update notice set member_id = $1", member)
    await a_membership(wall.shop, member)
    comments += await play(wall, ("店員", "+1"))
    assert (await picture(wall, comments)).outcomes == ["ORDERED", "IGNORED FROM_STAFF"]


@pytest.mark.parametrize(("seconds", "outcome"), [(-1, "IGNORED RESTRICTED"), (0, "ORDERED"), (1, "ORDERED")])
async def test_a_restriction_ends_at_its_instant_by_the_comment_s_time(db: str, seconds: int, outcome: str) -> None:
    wall, until = await a_wall(), NOW + timedelta(hours=1)
    buyer = await a_buyer(wall.shop, external_id="甲")
    await buyers.restrict(buyer_id=buyer.id, shop_id=wall.shop.id, until=until, reason="", actor=OWNER, now=NOW)
    comment = await wall.says("甲", "+1", at=until + timedelta(seconds=seconds))
    await wall.drain()
    assert (await picture(wall, [comment])).outcomes == [outcome]


async def test_restored_buyers_are_read_again_and_other_shops_never_knew(db: str) -> None:
    wall, other = await a_wall(), await a_wall()
    author, _ = await by_restricted(wall)
    elsewhere = await play(other, (author, "+1"))
    assert (await picture(other, elsewhere)).outcomes == ["ORDERED"]
    buyer = await database.fetchval("select id from buyer where shop_id = $1", wall.shop.id)
    await buyers.restore(buyer_id=buyer, shop_id=wall.shop.id, actor=OWNER, now=NOW)
    comments = await play(wall, (author, "+1"))
    assert (await picture(wall, comments)).outcomes == ["ORDERED"]
    assert await database.fetchval("select count(*) from buyer where restricted_until is not null") == 0


async def test_what_a_restricted_buyer_has_stays_and_their_edits_change_nothing(db: str) -> None:
    wall = await a_wall()
    comments = await play(wall, ("甲", "+2"))
    buyer = await database.fetchval("select id from buyer")
    await buyers.restrict(buyer_id=buyer, shop_id=wall.shop.id, until=NOW + timedelta(days=9), reason="", actor=OWNER, now=NOW)
    before = await picture(wall, comments)
    await wall.says("甲", "+5", comment=comments[0], verb="edited")
    comments += await play(wall, ("甲", "取消"))
    found = await picture(wall, comments)
    assert found.outcomes == ["ORDERED", "IGNORED RESTRICTED"]
    found.outcomes = before.outcomes
    assert found == before


@pytest.mark.parametrize("ignore", [ALL, ALL - {IgnoredAuthor.PAGE}])
async def test_anonymous_admins_and_channels_are_the_page_not_bots(db: str, ignore: frozenset[IgnoredAuthor]) -> None:
    wall = await a_wall(ignore_authors=ignore)
    comment = await tell_telegram(wall, {"id": 1087968824, "is_bot": True, "first_name": "Group"}, "+1")
    await wall.drain()
    assert (await picture(wall, [comment])).outcomes == ["IGNORED FROM_SHOP" if IgnoredAuthor.PAGE in ignore else "ORDERED"]


async def test_under_no_post_nobody_of_the_shop_becomes_a_buyer(db: str) -> None:
    wall = await a_wall(ignore_authors=set())
    wall.external_posts.append(f"{PAGE}_unknown")
    comment = await wall.says(PAGE, "+1", place=1)
    await wall.drain()
    assert await wall.outcome(comment) == ("IGNORED", "NO_POST")
    assert await database.fetchval("select count(*) from buyer") == 0
