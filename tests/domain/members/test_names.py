"""A name becomes a member's by their own yes, one per shop where ids name accounts, and can be given up with all that is its."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from domain import db as database
from domain.claims.ports import SourcePlatform
from domain.errors import NotFound
from domain.ids import new_id
from domain.members import claim_codes, grants, linking_names, people_screens
from domain.members.claim_codes import Spoken
from domain.members.commands import sign_in
from domain.members.errors import LastIdentity, LinkOver, SameProvider, TooManyGuesses
from domain.members.ports import KeptGrant, ProvenIdentity
from domain.members.rules import CONFIRM_WITHIN, CodeKind
from domain.vault import Vault
from plusone.invariants import check
from tests.build import NOW, AShop, a_buyer, a_device, a_member, a_shop, a_variant, an_order
from tests.domain.members.test_linking import a_notice, a_pickup, member_of

LATER = NOW + timedelta(minutes=5)


async def written(member: UUID, shops: list[AShop], author: str = "mei", provider: str = "facebook", now=NOW) -> UUID:
    """The question after `author` wrote a fresh code of the member."""
    code = await claim_codes.start(member_id=member, kind=CodeKind.NAME, now=now)
    async with database.transaction() as tx:
        assert await claim_codes.hear(tx, [Spoken(provider, author, "小美", tuple(s.id for s in shops), code.code)], now) == 1
    return code.id


async def link(member: UUID, shops: list[AShop], author: str = "mei", provider: str = "facebook", now=LATER) -> None:
    await linking_names.confirm(member_id=member, link_id=await written(member, shops, author, provider, now), accept=True, now=now)


async def an_identity(member: UUID, provider: str = "line", subject: str = "U1") -> UUID:
    key = new_id()
    await database.execute(
        "insert into identity (id, member_id, provider, subject, created_at, last_seen_at) values ($1, $2, $3, $4, $5, $5)",
        key, member, provider, subject, NOW,
    )  # fmt: skip
    return key


async def acts() -> list[str]:
    return [row["action"] for row in await database.fetch("select action from member_event order by id")]


async def test_a_yes_brings_orders_notices_and_pickups_and_is_in_both_books(db: str) -> None:
    shop, member = await a_shop(), await a_member()
    buyer = await a_buyer(shop, provider="facebook", external_id="mei")
    order = await an_order(shop, {await a_variant(shop): 1}, buyer=buyer)
    notice, pickup = await a_notice(buyer), await a_pickup(buyer)
    await link(member, [shop])
    for table, key in (("buyer", buyer.id), ("order", order.id), ("notice", notice), ("pickup", pickup)):
        assert await member_of(table, key) == member, table
    audit = [
        (r["action"], r["actor"])
        for r in await database.fetch("select action, actor from audit_entry where actor like 'member:%' order by id")
    ]
    assert audit == [("BUYER_LINKED", f"member:{member}"), ("ORDER_MEMBER_LINKED", f"member:{member}")]
    assert await acts() == ["NAME_CODE_MADE", "NAME_CONFIRMED"]
    assert [(n["provider"], n["by_sign_in"]) for n in await people_screens.names(member)] == [("facebook", False)]
    assert await check(LATER) == []


async def test_a_no_links_nothing_and_cannot_become_a_yes(db: str) -> None:
    shop, member = await a_shop(), await a_member()
    buyer = await a_buyer(shop, provider="facebook", external_id="mei")
    question = await written(member, [shop])
    await linking_names.confirm(member_id=member, link_id=question, accept=False, now=LATER)
    with pytest.raises(LinkOver):
        await linking_names.confirm(member_id=member, link_id=question, accept=True, now=LATER)
    assert await member_of("buyer", buyer.id) is None


async def test_another_members_question_is_not_found_and_an_old_one_is_over(db: str) -> None:
    shop, member, other = await a_shop(), await a_member(), await a_member()
    question = await written(member, [shop])
    with pytest.raises(NotFound):
        await linking_names.confirm(member_id=other, link_id=question, accept=True, now=LATER)
    with pytest.raises(LinkOver):
        await linking_names.confirm(member_id=member, link_id=question, accept=True, now=NOW + CONFIRM_WITHIN + timedelta(seconds=1))
    assert await database.fetchval("select count(*) from buyer where member_id is not null") == 0


async def test_a_code_that_nobody_wrote_cannot_be_confirmed(db: str) -> None:
    member = await a_member()
    code = await claim_codes.start(member_id=member, kind=CodeKind.NAME, now=NOW)
    with pytest.raises(NotFound):
        await linking_names.confirm(member_id=member, link_id=code.id, accept=True, now=NOW)


async def test_who_signed_in_with_that_name_meanwhile_keeps_it(db: str) -> None:
    shop, member = await a_shop(), await a_member()
    await a_buyer(shop, provider="line", external_id="U1")
    question = await written(member, [shop], "U1", "line")
    async with database.transaction() as tx:
        owner = await sign_in(tx, ProvenIdentity("line", "U1"), NOW)
    with pytest.raises(LinkOver):
        await linking_names.confirm(member_id=member, link_id=question, accept=True, now=LATER)
    assert await database.fetchval("select member_id from buyer") == owner


async def two_say_yes(shop: AShop) -> list[object]:
    """Two members hold a question about one name and say yes at once."""
    questions = [(m, await written(m, [shop])) for m in [await a_member(), await a_member()]]
    return await asyncio.gather(
        *(linking_names.confirm(member_id=m, link_id=q, accept=True, now=LATER) for m, q in questions), return_exceptions=True
    )


async def test_a_name_has_one_member_however_many_say_yes_at_once(db: str) -> None:
    for _ in range(5):
        done = await two_say_yes(await a_shop())
        assert sorted(type(d).__name__ for d in done) == ["LinkOver", "NoneType"]
    assert await check(LATER) == []


async def test_the_twin_without_the_turns_gives_one_name_away_twice(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both look before either writes: without the lock both are told that the name is theirs."""
    both = asyncio.Barrier(2)

    async def unlocked(tx, members, also=()):
        rows = await tx.fetch(
            "select id, shop_id, provider, external_id, inbox_id, member_id, created_at from buyer where member_id = any($1::uuid[]) or id = any($2::uuid[])",
            list(members), list(also),
        )  # fmt: skip
        await both.wait()
        return rows

    async def no_advice(tx, provider, external_id, name, shops, now):
        return [r["id"] for r in await tx.fetch("select id from buyer where external_id = $1", external_id)]

    shop = await a_shop()
    await a_buyer(shop, provider="facebook", external_id="mei")
    monkeypatch.setattr(linking_names, "lock_buyers", unlocked)
    monkeypatch.setattr(linking_names, "_names", no_advice)
    monkeypatch.setattr("domain.db.pool.Tx.execute", _no_advisory_lock)
    done = await two_say_yes(shop)
    assert done == [None, None]


_execute = database.Tx.execute


async def _no_advisory_lock(self, sql, *args):
    return 0 if "pg_advisory_xact_lock" in sql else await _execute(self, sql, *args)


@pytest.mark.parametrize(("provider", "refused"), [("line", True), ("telegram", True), ("facebook", False), ("generic", False)])
async def test_two_names_of_one_platform_at_one_shop(db: str, provider: str, refused: bool) -> None:
    shop, member = await a_shop(), await a_member()
    await link(member, [shop], "first", provider)
    if refused:
        with pytest.raises(SameProvider):
            await link(member, [shop], "second", provider)
    else:
        await link(member, [shop], "second", provider)
    assert len(await people_screens.names(member)) == (1 if refused else 2)


async def test_at_another_shop_a_second_line_name_is_no_second_account(db: str) -> None:
    """Two official accounts of two providers give one person two ids."""
    member = await a_member()
    await link(member, [await a_shop()], "U1", "line")
    await link(member, [await a_shop()], "U2", "line")
    assert len(await people_screens.names(member)) == 2


async def test_a_name_that_a_bot_met_first_is_made_at_all_its_shops(db: str) -> None:
    shops, member = [await a_shop(), await a_shop()], await a_member()
    await link(member, shops, "77", "telegram")
    rows = await database.fetch("select shop_id, provider, external_id, name, member_id from buyer order by shop_id")
    assert [tuple(row) for row in rows] == [(shop, "telegram", "77", "小美", member) for shop in sorted(s.id for s in shops)]


async def test_a_name_given_up_takes_everything_along_and_can_be_linked_anew(db: str) -> None:
    shop, member, other = await a_shop(), await a_member(), await a_member()
    buyer = await a_buyer(shop, provider="facebook", external_id="mei")
    order = await an_order(shop, {await a_variant(shop): 1}, buyer=buyer)
    notice = await a_notice(buyer)
    await link(member, [shop])
    device = await a_device(member)
    await database.execute(
        """insert into push_delivery (id, notice_id, device_id, state, tries, next_try_at, use_by, provider_id, last_error)
           values (gen_random_uuid(), $1, $2, 'PENDING', 0, $3, $3, '', '')""",
        notice, device, NOW,
    )  # fmt: skip
    await linking_names.unlink_name(member_id=member, buyer_id=buyer.id, now=LATER)
    assert [await member_of(t, k) for t, k in (("buyer", buyer.id), ("order", order.id), ("notice", notice))] == [None] * 3
    assert await database.fetchval("select state from push_delivery") == "DROPPED"
    assert await people_screens.names(member) == []
    await link(other, [shop])
    assert await member_of("order", order.id) == other
    kinds = [r["kind"] for r in await database.fetch("select kind from order_event where kind like 'MEMBER%' order by id")]
    assert kinds == ["MEMBER_LINKED", "MEMBER_UNLINKED", "MEMBER_LINKED"]
    assert await check(LATER) == []


async def test_nobody_gives_up_anothers_name_or_one_that_comes_with_an_identity(db: str) -> None:
    shop, member, other = await a_shop(), await a_member(), await a_member()
    buyer = await a_buyer(shop, provider="facebook", external_id="mei")
    await link(member, [shop])
    signed = await a_buyer(shop, provider="line", external_id="U1", member_id=member)
    await an_identity(member)
    own = await a_buyer(shop, provider="member", external_id=str(member), member_id=member)
    for who, what in ((other, buyer.id), (member, signed.id), (member, own.id), (member, new_id())):
        with pytest.raises(NotFound):
            await linking_names.unlink_name(member_id=who, buyer_id=what, now=LATER)
    assert await database.fetchval("select count(*) from buyer where member_id = $1", member) == 3


async def a_session(member: UUID, at=NOW) -> UUID:
    key = new_id()
    await database.execute(
        """insert into session (id, member_id, installation_id, created_at, last_used_at, idle_until, ends_at, ended_reason)
           values ($1, $2, 'i', $3, $3, $4, $4, '')""",
        key, member, at, at + timedelta(days=30),
    )  # fmt: skip
    return key


async def test_an_identity_given_up_takes_its_names_and_all_other_sessions_along(db: str) -> None:
    shop, member = await a_shop(), await a_member()
    line, google = await an_identity(member), await an_identity(member, "google", "g1")
    buyer = await a_buyer(shop, provider="line", external_id="U1", member_id=member)
    kept = await a_buyer(shop, provider="facebook", external_id="mei", member_id=member)
    here, there = await a_session(member), await a_session(member)
    await linking_names.unlink_identity(member_id=member, identity_id=line, session_id=here, now=LATER)
    assert [await member_of("buyer", b.id) for b in (buyer, kept)] == [None, member]
    ended = await database.fetch("select id from session where ended_at is not null")
    assert [row["id"] for row in ended] == [there]
    with pytest.raises(LastIdentity):
        await linking_names.unlink_identity(member_id=member, identity_id=google, session_id=here, now=LATER)
    with pytest.raises(NotFound):
        await linking_names.unlink_identity(member_id=member, identity_id=line, session_id=here, now=LATER)
    async with database.transaction() as tx:
        stranger = await sign_in(tx, ProvenIdentity("line", "U1"), LATER)
    assert stranger != member
    assert await member_of("buyer", buyer.id) == stranger


async def test_what_apple_gave_for_an_identity_is_given_back_with_it_unless_they_come_back(db: str) -> None:
    vault, member = Vault("a root secret that is used by tests only, 48 chars"), await a_member()
    apple = await an_identity(member, "apple", "a1")
    await an_identity(member, "google", "g1")
    proven = ProvenIdentity("apple", "a1")
    await grants.keep(member, proven, KeptGrant("app", "first"), vault, NOW)
    assert await grants.claim_due("apple", vault, LATER) == []
    await linking_names.unlink_identity(member_id=member, identity_id=apple, session_id=new_id(), now=LATER)
    assert [grant.token for grant in await grants.claim_due("apple", vault, LATER)] == ["first"]
    async with database.transaction() as tx:
        stranger = await sign_in(tx, proven, LATER)
    await grants.keep(stranger, proven, KeptGrant("app", "second"), vault, LATER)
    assert await grants.claim_due("apple", vault, LATER + timedelta(days=9)) == []
    assert await member_of("provider_grant", await database.fetchval("select id from provider_grant")) == stranger


async def test_codes_are_not_made_without_end(db: str) -> None:
    member = await a_member()
    for _ in range(10):
        await claim_codes.start(member_id=member, kind=CodeKind.NAME, now=NOW)
    with pytest.raises(TooManyGuesses):
        await claim_codes.start(member_id=member, kind=CodeKind.NAME, now=NOW)


def test_platforms_with_one_account_per_id_are_known_sources() -> None:
    from domain.members.rules import ONE_NAME_PER_SHOP

    assert {name for name in ONE_NAME_PER_SHOP if any(p.value.lower().startswith(name) for p in SourcePlatform)} == ONE_NAME_PER_SHOP
