"""Orders without a comment: the same path, the same limits, the same queue as a comment."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import orjson
import pytest

from domain import db as database
from domain.claims.creating import create
from domain.claims.errors import BuyerRestricted, CannotOrder, NotOnPost, OverLimit, TooFew
from domain.claims.receipts import receipts_of
from domain.claims.rules import RepeatMode, Shortage
from domain.errors import DomainError, NotFound
from domain.ids import new_id
from domain.members import keys
from domain.members.linking import link_missed
from plusone.invariants import check
from tests import build
from tests.build import NOW
from tests.domain.claims.acts import close, pay
from tests.domain.claims.taps import a_fan, standing
from tests.wall import Wall, a_wall

LATER = NOW + timedelta(seconds=59)


async def order(wall: Wall, member: UUID, quantity: int = 1, *, variant: int = 0, at: datetime = NOW) -> UUID:
    """A tap in the app; answers the claim."""
    return await create(
        post_id=wall.post_id, variant_id=wall.product.variants[variant].id, quantity=quantity, member_id=member, now=at,
        jobs=wall.services.jobs,
    )  # fmt: skip


async def outcome(claim: UUID) -> tuple[str, str]:
    row = await database.fetchrow("select outcome, reason from claim where id = $1", claim)
    assert row is not None
    return row["outcome"], row["reason"]


async def refused(wall: Wall, refusal: type[DomainError], member: UUID, quantity: int = 1, *, variant: int = 0) -> DomainError:
    """The refusal, which left nothing behind."""
    before = await standing()
    with pytest.raises(refusal) as raised:
        await order(wall, member, quantity, variant=variant)
    assert await standing() == before
    return raised.value


async def test_a_tap_makes_an_order_like_a_comment(db: str) -> None:
    wall, member = await a_wall(), await build.a_member(display_name="陳小美")
    claim = await order(wall, member, 2)
    assert await outcome(claim) == ("ORDERED", "")
    row = await database.fetchrow(
        """select o.member_id, o.state, o.payment_state, o.total_minor, l.quantity, l.platform, l.policy_version_id is not null as by_rule,
                  b.provider, b.external_id, b.name, c.text, c.platform as said_on, k.result->>'intent' as intent
           from order_line l join "order" o on o.id = l.order_id join buyer b on b.id = o.buyer_id join claim k on k.id = l.claim_id
           join social_comment c on c.id = k.comment_id"""
    )
    assert row is not None
    assert tuple(row.values()) == (
        member, "OPEN", "UNPAID", 1180, 2, "APP", True, "member", str(member), "陳小美", "", "APP", "ORDER",
    )  # fmt: skip
    assert await wall.level() == (10, 2, 0)
    assert [r["kind"] for r in await database.fetch("select kind from notice")] == ["ORDER_PLACED"]
    assert await database.fetchval("select count(*) from platform_reply") == 0
    audited = await database.fetch("select action, actor, role from audit_entry where object_id = $1", claim)
    assert [tuple(r.values()) for r in audited] == [("CLAIM_DECIDED", f"member:{member}", "buyer")]
    assert await check(LATER) == []


async def test_it_stacks_on_the_order_of_the_member_s_comments(db: str) -> None:
    wall, member = await a_wall(variants=("紅", "白")), await a_fan("小美")
    await wall.says("小美", "紅+1", at=NOW)
    await wall.drain()
    await order(wall, member, 2, variant=1)
    assert await wall.pieces("小美") == {"紅": 1, "白": 2}
    assert await database.fetchval('select count(*) from "order"') == 1
    assert await database.fetchval("select count(*) from buyer") == 1
    await wall.says("小美", "紅+1", at=NOW + timedelta(seconds=5))
    await wall.drain()
    assert await wall.pieces("小美") == {"紅": 2, "白": 2}
    assert await check(LATER) == []


async def test_of_two_names_the_one_with_an_open_order_is_taken_else_the_oldest(db: str) -> None:
    wall, member = await a_wall(), await build.a_member()
    old = await build.a_buyer(wall.shop, member_id=member, now=NOW - timedelta(days=2))
    young = await build.a_buyer(wall.shop, member_id=member, now=NOW - timedelta(days=1))
    await order(wall, member)
    assert [r["buyer_id"] for r in await database.fetch('select buyer_id from "order"')] == [old.id]
    await pay(wall)
    other = await build.a_variant(wall.shop)
    await build.an_order(wall.shop, {other: 1}, buyer=young)
    await order(wall, member)
    rows = await database.fetch("""select buyer_id, count(*)::int as n from "order" where state = 'OPEN' group by 1""")
    assert {r["buyer_id"]: r["n"] for r in rows} == {old.id: 1, young.id: 1}


async def test_two_orders_in_the_app_find_the_same_name_and_the_same_channel(db: str) -> None:
    wall, member = await a_wall(), await build.a_member()
    first, second = await order(wall, member), await order(wall, member, at=NOW + timedelta(minutes=1))
    assert first != second
    assert await database.fetchval("select count(*) from buyer") == 1
    assert await database.fetchval("select count(*) from channel where platform = 'APP'") == 1
    assert [r["quantity"] for r in await database.fetch("select quantity from order_line")] == [1, 1]
    assert await database.fetchval('select subtotal_minor from "order"') == 1180


@pytest.mark.parametrize(
    ("shortage", "expected", "held", "waiting"),
    [(Shortage.PARTIAL_WAITLIST, ("PARTIAL", "INSUFFICIENT_STOCK"), 2, 3), (Shortage.PARTIAL, ("PARTIAL", "INSUFFICIENT_STOCK"), 2, 0)],
)
async def test_what_is_short_follows_the_policy(db: str, shortage: Shortage, expected: tuple[str, str], held: int, waiting: int) -> None:
    wall, member = await a_wall(on_hand=2, shortage=shortage), await build.a_member()
    assert await outcome(await order(wall, member, 5)) == expected
    assert await wall.level() == (2, held, 0)
    assert sum(n for _, n in await wall.waiting()) == waiting
    assert await check(LATER) == []


async def test_a_sold_out_item_waits_behind_those_who_wait(db: str) -> None:
    wall, member = await a_wall(on_hand=0), await build.a_member()
    await wall.says("乙", "+2", at=NOW - timedelta(seconds=1))
    await wall.drain()
    assert await outcome(await order(wall, member)) == ("WAITLISTED", "INSUFFICIENT_STOCK")
    assert await wall.waiting() == [("乙", 2), (str(member), 1)]


async def test_what_the_post_or_the_policy_does_not_allow_is_refused_and_leaves_nothing(db: str) -> None:
    wall = await a_wall(on_hand=1, shortage=Shortage.REJECT_LINE, per_buyer_max=3, max_per_line=5)
    member, other = await build.a_member(), await build.a_variant(wall.shop)
    await order(wall, await build.a_member())
    too_few = await refused(wall, TooFew, member)
    assert isinstance(too_few, TooFew)
    assert (too_few.wanted, too_few.available) == (1, 0)
    assert vars(await refused(wall, OverLimit, member, 4)) == {"why": "OVER_LIMIT"}
    assert vars(await refused(wall, OverLimit, member, 6)) == {"why": "MAX_PER_LINE"}
    with pytest.raises(NotOnPost):
        await create(post_id=wall.post_id, variant_id=other.id, quantity=1, member_id=member, now=NOW, jobs=wall.services.jobs)
    with pytest.raises(NotFound):
        await create(post_id=new_id(), variant_id=other.id, quantity=1, member_id=member, now=NOW, jobs=wall.services.jobs)
    await database.execute("update post_item set on_sale = false")
    await database.execute("update sales_post set version = version + 1")
    await refused(wall, NotOnPost, member)
    await database.execute("update post_item set on_sale = true")
    await close(wall.post_id)
    await refused(wall, NotOnPost, member)
    await database.execute("update sales_post set state = 'DRAFT', version = version + 1")
    await refused(wall, NotFound, member)


async def test_a_post_that_is_not_open_yet_or_over_takes_nothing(db: str) -> None:
    wall, member = await a_wall(closes_at=NOW), await build.a_member()
    await order(wall, member)
    with pytest.raises(NotOnPost):
        await order(wall, member, at=NOW + timedelta(microseconds=1))
    await database.execute("update sales_post set opens_at = $1, closes_at = null, version = version + 1", NOW + timedelta(hours=1))
    await refused(wall, NotOnPost, member)


async def test_a_restriction_of_any_name_counts_for_all(db: str) -> None:
    wall, member = await a_wall(), await build.a_member()
    await build.a_buyer(wall.shop, member_id=member)
    bad = await build.a_buyer(wall.shop, member_id=member)
    await database.execute("update buyer set restricted_until = $2 where id = $1", bad.id, NOW + timedelta(days=1))
    await refused(wall, BuyerRestricted, member)
    await database.execute("update buyer set restricted_until = $2 where id = $1", bad.id, NOW)
    await order(wall, member)


async def test_staff_does_not_order_where_its_comments_do_not(db: str) -> None:
    wall = await a_wall()
    owner = await build.a_membership(wall.shop)
    await refused(wall, BuyerRestricted, owner)
    free = await a_wall(ignore_authors=frozenset())
    await order(free, await build.a_membership(free.shop))


async def test_a_paid_piece_that_a_wish_would_replace_is_left_alone(db: str) -> None:
    wall, member = await a_wall(repeat_mode=RepeatMode.REPLACE), await build.a_member()
    await order(wall, member, 3)
    await order(wall, member, 2)
    assert await wall.level() == (10, 2, 0)
    await pay(wall)
    await refused(wall, CannotOrder, member)


async def test_a_member_who_is_gone_orders_nothing(db: str) -> None:
    wall, member = await a_wall(), await build.a_member()
    await database.execute("update member set deleted_at = $2 where id = $1", member, NOW)
    with pytest.raises(NotFound):
        await order(wall, member)
    assert await database.fetchval("select count(*) from buyer") == 0


async def test_the_receipt_tells_of_the_app(db: str) -> None:
    wall, member = await a_wall(), await build.a_member()
    keys.forget()
    await keys.ensure_keys(wall.services.vault, NOW)
    keys.sign_with(wall.services.vault)
    claim = await order(wall, member)
    found = await receipts_of([claim], member, now=NOW)
    document = orjson.loads(found[claim].document)
    assert (document["comment"]["platform"], document["comment"]["text"]) == ("APP", "")
    assert [line["quantity"] for each in document["orders"] for line in each["lines"]] == [1]


async def test_a_name_of_the_app_stays_the_member_s(db: str) -> None:
    wall, member = await a_wall(), await build.a_member()
    await order(wall, member)
    await link_missed(NOW)
    assert await database.fetchval("select member_id from buyer") == member
