"""Who has set a second proof up shows it where a fresh sign-in is asked for, and so does everybody in a shop that asks for it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from domain import db as database
from domain.audit.commands import Actor
from domain.ids import new_id
from domain.members import passkeys
from domain.members.passkeys import NewPasskey
from domain.shops.rules import Role
from domain.shops.second_proof import ask_of_staff
from tests import build
from tests.api.graphql.matrix import said
from tests.api.graphql.test_fresh_sign_in import ACTS, JUST, Act
from tests.build import NOW
from tests.domain.members.test_authenticators import an_authenticator, begun

ASKED = Actor("worker:setup")


async def enrol(member: UUID) -> UUID:
    async with database.transaction() as tx:
        return (await passkeys.add(tx, member, NewPasskey(new_id().bytes, b"key", 0), "phone", NOW)).id


async def showed(member: UUID, ago: timedelta) -> None:
    assert await database.execute("update session set second_proof_at = $2 where member_id = $1", member, NOW - ago) == 1


async def signed_in_ago(member: UUID, ago: timedelta) -> None:
    await database.execute("update session set created_at = $2, confirmed_at = null where member_id = $1", member, NOW - ago)


async def done(client, act: Act) -> tuple[str, bool]:
    answer = said((await client.ask(act.query, {"input": act.input})).body)
    return answer, await database.fetchval(act.done)


@pytest.mark.parametrize("what", ACTS)
async def test_who_has_a_passkey_shows_it(signed_in, what: str) -> None:
    """Whether they work in a shop or not."""
    act = await ACTS[what]()
    client = await signed_in(act.who)
    await enrol(act.who)
    assert await done(client, act) == ("SECOND_PROOF_NEEDED", False)
    await showed(act.who, act.within + JUST)
    assert await done(client, act) == ("SECOND_PROOF_NEEDED", False)
    await showed(act.who, act.within)
    await signed_in_ago(act.who, act.within + JUST)
    assert await done(client, act) == ("SIGN_IN_AGAIN", False)
    await signed_in_ago(act.who, act.within)
    assert await done(client, act) == ("yes", True)


async def test_of_an_old_session_the_passkey_is_asked_for_first(signed_in) -> None:
    """It makes the session fresh as well: nobody confirms twice."""
    act = await ACTS["file"]()
    client = await signed_in(act.who)
    await enrol(act.who)
    await signed_in_ago(act.who, act.within + JUST)
    assert await done(client, act) == ("SECOND_PROOF_NEEDED", False)


async def test_who_has_an_authenticator_shows_a_code_of_it(signed_in) -> None:
    """One that was begun and never confirmed asks for nothing."""
    act = await ACTS["return"]()
    client = await signed_in(act.who)
    await database.execute("update shop set staff_second_proof = true")
    await begun(act.who)
    assert await done(client, act) == ("SECOND_PROOF_UNSET", False)
    await an_authenticator(act.who)
    assert await done(client, act) == ("SECOND_PROOF_NEEDED", False)
    await showed(act.who, act.within)
    assert await done(client, act) == ("yes", True)


@pytest.mark.parametrize("what", ["return", "refund"])
async def test_a_shop_may_ask_all_of_its_staff(signed_in, what: str) -> None:
    act = await ACTS[what]()
    client = await signed_in(act.who)
    shop_id = await database.fetchval("select shop_id from membership where member_id = $1", act.who)
    assert await ask_of_staff(shop_id=shop_id, required=True, now=NOW, actor=ASKED) is True
    assert await done(client, act) == ("SECOND_PROOF_UNSET", False)
    await enrol(act.who)
    assert await done(client, act) == ("SECOND_PROOF_NEEDED", False)
    await showed(act.who, timedelta(0))
    assert await done(client, act) == ("yes", True)


async def test_of_who_has_none_the_sign_in_is_asked_for_first(signed_in) -> None:
    """It is what setting one up asks for."""
    act = await ACTS["return"]()
    client = await signed_in(act.who)
    await database.execute("update shop set staff_second_proof = true")
    await signed_in_ago(act.who, act.within + JUST)
    assert await done(client, act) == ("SIGN_IN_AGAIN", False)


@pytest.mark.parametrize(("left", "answer"), [(False, "SECOND_PROOF_UNSET"), (True, "yes")])
async def test_one_shop_that_asks_is_enough(signed_in, left: bool, answer: str) -> None:
    """Also for what is the person's own; a shop that they left asks nothing of them."""
    act = await ACTS["file"]()
    client = await signed_in(act.who)
    asking, other = await build.a_shop(), await build.a_shop(name="別家")
    for shop in (asking, other):
        await build.a_membership(shop, member_id=act.who, role=Role.HELPER)
    await ask_of_staff(shop_id=asking.id, required=True, now=NOW, actor=ASKED)
    if left:
        await database.execute("update membership set ended_at = $2 where shop_id = $1", asking.id, NOW)
    assert await done(client, act) == (answer, left)


async def test_buyers_of_a_shop_that_asks_are_not_its_staff(signed_in) -> None:
    act = await ACTS["file"]()
    shop = await build.a_shop()
    await build.a_buyer(shop, member_id=act.who)
    await ask_of_staff(shop_id=shop.id, required=True, now=NOW, actor=ASKED)
    assert await done(await signed_in(act.who), act) == ("yes", True)


async def test_asking_is_audited_and_done_once(db: str) -> None:
    shop = await build.a_shop()
    for required, new in ((False, False), (True, True), (True, False), (False, True)):
        assert await ask_of_staff(shop_id=shop.id, required=required, now=NOW, actor=ASKED) is new
        assert await database.fetchval("select staff_second_proof from shop where id = $1", shop.id) is required
    rows = await database.fetch("select detail from audit_entry where shop_id = $1 and action = 'SHOP_CHANGED' order by id", shop.id)
    assert [database.from_jsonb(row["detail"])["to"] for row in rows] == [True, False]


async def test_to_others_it_says_no_more_than_ever(signed_in) -> None:
    act = await ACTS["refund"]()
    stranger = await build.a_member()
    client = await signed_in(stranger)
    await enrol(stranger)
    assert (await done(client, act))[0] == act.stranger_gets
