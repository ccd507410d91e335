"""LINE's linking of accounts on the real path: the bot's address, the app, the nonce, and LINE's webhook."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from domain import db as database
from domain.jobs import NotYet
from domain.members.account_links import LEASE
from domain.members.rules import LINK_TOKEN_LIFE, LINKS_ASKED, NONCE_ANSWERED_WITHIN
from domain.providers.line_bot import LineBot
from tests.flows.street import (
    ACCOUNTS,
    LINE_MEI,
    OPEN,
    Street,
    a_line_address,
    books,
    gone_on,
    names_of_members,
    standing,
)
from tests.flows.test_people import STEPS


async def test_line_links_the_account_of_another_provider(street: Street, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await street.line_says("line/group_text", message={"text": "紅色+1"})
    await street.sign_in("mei", "eve")
    text = await a_line_address(street)
    assert (street.line.calls, [way for way, _ in street.line.said]) == (["linkToken", "reply"], ["reply"])
    nonce = await gone_on(street, "mei", text)
    assert (await street.ask("mei", ACCOUNTS))["me"]["accountLinks"][0]["state"] == "OPENED"
    assert await street.refused("eve", OPEN, text=text) == "LINK_OVER"
    assert await names_of_members() == []
    await street.line_says("line/account_link_ok", link={"nonce": nonce})
    assert await names_of_members() == [("line", LINE_MEI, "阿美團購")]
    assert (await street.ask("mei", ACCOUNTS))["me"]["accountLinks"][0]["state"] == "LINKED"
    assert (await street.orders("mei"), await books("ACCOUNT_LINK_LINKED"), await books("BUYER_LINKED")) == (1, 1, 1)
    # Told again it is done once; what was secret is nowhere.
    await street.line_says("line/account_link_ok", link={"nonce": nonce})
    await street.line_says("line/account_link_failed", link={"nonce": nonce})
    assert (await books("ACCOUNT_LINK_LINKED"), await books("ACCOUNT_LINK_FAILED")) == (1, 0)
    assert await street.refused("mei", OPEN, text=text) == "LINK_OVER"
    row = await database.fetchval("select l::text from account_link l")
    assert all(secret not in row + caplog.text for secret in (nonce, text, street.line.tokens[0]))
    # Who is linked asks in vain, and the name can be given up.
    await street.line_says("line/user_text", message={"text": "連結帳號"})
    assert await database.fetchval("select count(*) from account_link") == 1
    name = (await street.ask("mei", "{ me { names { id } } }"))["me"]["names"][0]["id"]
    await street.ask("mei", STEPS["unlink"]["text"], name=name)
    assert (await street.orders("mei"), await standing()) == (0, [])


async def test_line_says_no(street: Street) -> None:
    await street.sign_in("mei")
    nonce = await gone_on(street, "mei", await a_line_address(street))
    await street.line_says("line/account_link_failed", link={"nonce": nonce})
    assert (await street.ask("mei", ACCOUNTS))["me"]["accountLinks"][0]["state"] == "FAILED"
    await street.line_says("line/account_link_ok", link={"nonce": nonce})
    assert (await names_of_members(), await books("ACCOUNT_LINK_FAILED")) == ([], 1)


async def test_a_nonce_is_for_one_person_one_account_and_an_hour(street: Street) -> None:
    await street.sign_in("mei")
    text = await a_line_address(street)
    first = await gone_on(street, "mei", text)
    nonce = await gone_on(street, "mei", text)
    await street.line_says("line/account_link_ok", link={"nonce": first})  # void since the second opening
    await street.line_says("line/account_link_ok", link={"nonce": nonce}, source={"userId": "U91eeaf62d9012345678901234567890a"})
    await street.line_says("line/account_link_ok")  # the recorded nonce, which is nobody's
    assert await names_of_members() == []
    street.clock.at += NONCE_ANSWERED_WITHIN
    await street.sign_in("mei")
    assert (await street.ask("mei", ACCOUNTS))["me"]["accountLinks"][0]["state"] == "FAILED"
    await street.line_says("line/account_link_ok", link={"nonce": nonce})
    assert await names_of_members() == []


async def test_a_member_with_another_line_name_at_the_shop_is_told(street: Street) -> None:
    await street.line_says("line/group_text", message={"text": "紅色+1"}, source={"userId": "Uother"})
    await street.sign_in("mei")
    member = await database.fetchval("select id from member")
    await database.execute("update buyer set member_id = $1 where external_id = 'Uother'", member)
    nonce = await gone_on(street, "mei", await a_line_address(street))
    await street.line_says("line/account_link_ok", link={"nonce": nonce})
    assert (await street.ask("mei", ACCOUNTS))["me"]["accountLinks"][0]["state"] == "FAILED"
    assert await names_of_members() == [("line", "Uother", "阿美團購")]
    detail = await database.fetchval("select detail->>'why' from member_event where action = 'ACCOUNT_LINK_FAILED'")
    assert detail == "SAME_PROVIDER"
    assert await database.fetchval("select count(*) from buyer") == 1


async def test_an_address_of_a_bot_ends_with_its_token(street: Street) -> None:
    await street.sign_in("mei")
    text = await a_line_address(street)
    street.clock.at += LINK_TOKEN_LIFE
    await street.sign_in("mei")
    assert await street.refused("mei", OPEN, text=text) == "LINK_OVER"
    await street.line_says("line/user_text", message={"text": "連結帳號"})
    await street.run_bot()
    assert len(street.line.tokens) == 2
    assert (await street.ask("mei", OPEN, text=street.line.said[-1][1].partition("#")[2]))["url"] is not None


async def test_an_account_without_access_token_or_asked_too_often_sends_nothing(street: Street) -> None:
    for _ in range(LINKS_ASKED + 2):
        await street.line_says("line/user_text", message={"text": "連結帳號"})
    assert await database.fetchval("select count(*) from account_link") == LINKS_ASKED
    await database.execute("delete from account_link")
    await database.execute("update webhook_endpoint set access_token_encrypted = ''")
    await street.line_says("line/follow")
    await street.line_says("line/user_text", message={"text": "連結帳號"})
    assert (await database.fetchval("select count(*) from account_link"), street.line.calls) == (0, [])
    assert await database.fetchval("select count(*) from inbox_event where state <> 'DECIDED'") == 0


async def test_a_bot_that_is_not_answered_tries_again_and_gives_up_in_the_end(street: Street) -> None:
    street.line.fail = {"linkToken": [500, 429], "reply": [400]}
    await street.line_says("line/follow")
    for _ in range(4):
        await street.bot.sweep()
        street.clock.at += timedelta(minutes=2)
    assert street.line.calls == ["linkToken", "linkToken", "linkToken", "push"]  # the reply token held for a minute
    assert street.line.to == [LINE_MEI]
    assert await database.fetchval("select state from account_link") == "SENT"
    await database.execute("delete from account_link")
    street.line.access_token = "another"
    await street.line_says("line/follow")
    await street.bot.sweep()
    assert await database.fetchval("select state from account_link") == "FAILED"
    await database.execute("delete from account_link")
    street.line.access_token, street.line.fail = "channel-access-token", {"linkToken": [500] * 9}
    await street.line_says("line/follow")
    for _ in range(8):
        await street.bot.sweep()
        street.clock.at += timedelta(minutes=2)
    assert (await database.fetchval("select state from account_link"), len(street.line.fail["linkToken"])) == ("FAILED", 5)


async def test_a_reply_token_that_is_over_becomes_a_push_once(street: Street) -> None:
    street.line.fail = {"reply": [400], "push": [500]}
    await street.line_says("line/follow")
    await street.bot.sweep()
    street.clock.at += timedelta(minutes=1)
    await street.bot.sweep()
    assert (street.line.calls, [way for way, _ in street.line.said]) == (["linkToken", "reply", "push", "linkToken", "push"], ["push"])


async def test_a_worker_that_dies_before_the_address_is_told_leaves_it_to_the_next_run(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dies(Exception):
        """The process, in the worst moment."""

    async def dies(*_: object, **__: object) -> None:
        raise Dies

    with monkeypatch.context() as broken, pytest.raises(Dies):
        broken.setattr(LineBot, "tell", dies)
        await a_line_address(street)
    assert (len(street.line.tokens), street.line.said) == (1, [])
    with pytest.raises(NotYet):  # its lease holds: the dead worker may be a slow one
        await street.run_bot()
    street.clock.at += LEASE
    await street.run_bot()
    await street.run_bot()
    assert (len(street.line.tokens), [way for way, _ in street.line.said]) == (2, ["push"])
    await street.sign_in("mei")
    nonce = await gone_on(street, "mei", street.line.said[-1][1].partition("#")[2])
    await street.line_says("line/account_link_ok", link={"nonce": nonce})
    assert (await street.ask("mei", ACCOUNTS))["me"]["accountLinks"][0]["state"] == "LINKED"
