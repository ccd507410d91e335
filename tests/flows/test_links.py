"""From a commenter to a member on the real path: signed deliveries on a port, the drain, replies and bots over HTTP, and the app's requests."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import timedelta
from uuid import UUID

import pytest

from domain import db as database
from domain.bootstrap import services as services_for
from domain.claims.ports import OutgoingReply, ReplyRefused, SentReply
from domain.ids import new_id
from domain.members import deletion, opening
from domain.members.inbox_ids import learn
from domain.members.link_addresses import Opens, token
from domain.members.rules import COMMENT_LINK_LIFE, DELETION_WAIT
from domain.providers.platforms.wire import facebook_wire, utf8_wire
from domain.settings import load
from tests.build import NOW
from tests.flows.street import (
    ADDRESSES,
    APP,
    CONFIRM,
    IGSID,
    LINE_MEI,
    LINKS,
    MEI,
    OPEN,
    PAGE,
    PSID,
    START,
    Street,
    a_line_address,
    books,
    gone_on,
    names_of_members,
    recorded_body,
    standing,
)
from tests.flows.test_people import STEPS
from tests.serving import SECRET_KEY
from workers.outbox import Replies

# --- codes in chats -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sample", "name"),
    [
        ("facebook/messenger_referral_claim_code", ("facebook", PSID)),
        ("facebook/messenger_postback_referral", ("facebook", PSID)),
        ("facebook/messenger_optin", ("facebook", PSID)),
        ("facebook/messenger_text", ("facebook", PSID)),
        ("instagram/dm_referral_claim_code", ("instagram", IGSID)),
        ("instagram/dm_text", ("instagram", IGSID)),
    ],
)
async def test_a_code_in_a_chat_asks_and_links_at_this_page_alone(street: Street, sample: str, name: tuple[str, str]) -> None:
    await street.sign_in("mei")
    await street.message(sample, await street.code("mei"))
    (question,) = await street.confirm_all("mei")
    assert (question["provider"], question["shopNames"]) == (name[0], ["阿美團購"])
    assert await names_of_members() == [(*name, "阿美團購")]
    assert await database.fetchval("select count(*) from social_comment") == 0
    assert await database.fetchval("select count(*) from inbox_event where state <> 'DECIDED' or outcome <> 'NOTED'") == 0
    assert await standing() == []


async def test_an_instagram_commenter_becomes_a_member_by_the_chat(street: Street) -> None:
    """The id of a comment and of a message are one at Instagram."""
    payload = recorded_body("instagram/comment_add")
    payload["entry"][0]["changes"][0]["value"]["text"] = "紅色+1"
    await street.deliver("instagram", payload)
    await street.sign_in("mei")
    assert await street.orders("mei") == 0
    await street.message("instagram/dm_referral_claim_code", await street.code("mei"))
    await street.confirm_all("mei")
    assert (await street.orders("mei"), await standing()) == (1, [])


async def test_a_wrong_code_and_the_pages_own_words_are_silent(street: Street) -> None:
    await street.sign_in("mei")
    code = await street.code("mei")
    await street.message("facebook/messenger_referral_claim_code", "claim_00000000")
    echo = recorded_body("facebook/messenger_echo")
    echo["entry"][0]["messaging"][0]["message"]["text"] = code
    await street.deliver("facebook", echo)
    elsewhere = recorded_body("facebook/messenger_referral_claim_code")
    elsewhere["entry"][0]["id"] = "555"  # a page that nobody has bound
    elsewhere["entry"][0]["messaging"][0]["referral"]["ref"] = code
    await street.deliver("facebook", elsewhere)
    assert await street.confirm_all("mei") == []
    assert await names_of_members() == []


async def test_addresses_carry_the_code_into_the_shops_chats(street: Street) -> None:
    await street.sign_in("mei")
    found = (await street.ask("mei", ADDRESSES, shop=street.shop))["code"]
    code = found["text"]
    assert [(a["provider"], a["url"]) for a in found["addresses"]] == [
        ("facebook", f"https://m.me/{PAGE}?ref={code}"),
        ("instagram", f"https://ig.me/m/amei.groupbuy?ref={code}"),
        ("telegram", f"https://t.me/amei_bot?start={code}"),
    ]
    assert (await street.ask("mei", START))["code"]["addresses"] == []
    await database.execute("update channel set contact = ''")
    assert [a["provider"] for a in (await street.ask("mei", ADDRESSES, shop=street.shop))["code"]["addresses"]] == ["facebook"]
    codes = await database.fetchval("select count(*) from claim_code")
    for unknown in ("shop_AAAAAAAAAAAAAAAAAAAAAA", "x"):
        assert await street.refused("mei", ADDRESSES, shop=unknown) == "NOT_FOUND"
    assert await database.fetchval("select count(*) from claim_code") == codes


# --- links in private replies -----------------------------------------------------------------------------------------------------


async def test_the_link_of_a_private_reply_makes_its_reader_the_commenter(street: Street, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    street.platform.recipients[MEI] = PSID
    await street.comment("紅色+1")
    await street.comment("白色+1")  # one private reply for each post
    (reply,) = await street.send_replies()
    assert all("#" not in other["text"] and APP not in other["text"] for other in street.platform.replies if other is not reply)
    address = reply["text"].rpartition(" ")[2]
    assert address.startswith(f"{APP}#")
    text = address.partition("#")[2]
    assert text == token(Opens.COMMENT, UUID(reply["reply_id"]), street.services.vault)

    await street.sign_in("mei", "eve")
    opened = await street.ask("mei", OPEN, text=text)
    assert (opened["url"], opened["userErrors"]) == (None, [])
    question = opened["link"]
    assert (question["provider"], question["name"], question["shopNames"]) == ("facebook", "林小美", ["阿美團購"])
    assert (await street.ask("mei", OPEN, text=text))["link"]["id"] == question["id"]  # a lost answer
    assert await street.refused("eve", OPEN, text=text) == "LINK_OVER"
    assert await street.refused("eve", CONFIRM, link=question["id"]) == "NOT_FOUND"
    assert (await street.orders("mei"), await street.orders("eve")) == (0, 0)
    assert (await street.ask("mei", CONFIRM, link=question["id"]))["names"] == [{"provider": "facebook", "name": "林小美"}]
    assert (await street.orders("mei"), await street.orders("eve")) == (1, 0)
    for who in ("mei", "eve"):
        assert await street.refused(who, OPEN, text=text) == "LINK_OVER"
    assert (await books("BUYER_LINKED"), await books("COMMENT_LINK_OPENED"), await books("NAME_CONFIRMED")) == (1, 1, 1)
    # Messenger knows her by the answer to the reply: a code from there asks nothing any more.
    assert await database.fetchval("select inbox_id from buyer where external_id = $1", MEI) == PSID
    await street.message("facebook/messenger_referral_claim_code", await street.code("eve"))
    assert await street.confirm_all("eve") == []
    # A member is not invited again, and nothing of the link is anywhere but on its way.
    await street.comment("白色+1")
    assert len(await street.send_replies()) == 1
    assert text not in caplog.text
    for table in ("platform_reply", "claim_code", "member_event", "audit_entry", "social_comment"):
        assert await database.fetchval(f"select count(*) from {table} t where strpos(t::text, $1) > 0", text) == 0
    assert await standing() == []


async def test_the_same_reply_sent_again_carries_the_same_link(street: Street) -> None:
    street.platform.fail_next(2, 503, take_first=True)
    await street.comment("紅色+1")
    await street.send_replies()
    street.clock.at += timedelta(minutes=1)
    (reply,) = await street.send_replies()
    assert street.platform.attempts >= 3
    await street.sign_in("mei")
    assert (await street.ask("mei", OPEN, text=reply["text"].partition("#")[2]))["userErrors"] == []


async def test_what_a_platform_quotes_of_a_reply_is_kept_without_its_link(street: Street) -> None:
    seen: list[str] = []

    class Quoting:
        async def send(self, reply: OutgoingReply) -> SentReply:
            seen.append(reply.text)
            raise ReplyRefused(f"400 not this: {reply.text[-60:]}")

    await street.comment("紅色+1")
    await Replies(Quoting(), street.services).sweep()
    secret = next(text for text in seen if "#" in text).partition("#")[2]
    (kept,) = [row["last_error"] for row in await database.fetch("select last_error from platform_reply where kind = 'PRIVATE'")]
    assert "400 not this" in kept
    assert secret not in kept


async def test_a_link_ends_and_a_page_that_wants_none_sends_none(street: Street) -> None:
    await street.comment("紅色+1")
    (reply,) = await street.send_replies()
    text = reply["text"].partition("#")[2]
    await database.execute("update channel set private_links = false")
    await street.comment("紅色+1", author="6841177305512208")
    assert len(await street.send_replies()) == 1
    street.clock.at += COMMENT_LINK_LIFE
    await street.sign_in("mei")
    assert await street.refused("mei", OPEN, text=text) == "LINK_OVER"
    assert await database.fetchval("select count(*) from claim_code") == 0


async def opened_by_many(street: Street) -> list[int]:
    """One link, opened by four members at once: the questions that each of them has then."""
    people = ("mei", "eve", "ann", "bob")
    await street.comment("紅色+1")
    (reply,) = await street.send_replies()
    await street.sign_in(*people)
    await asyncio.gather(*(street.ask(who, OPEN, text=reply["text"].partition("#")[2]) for who in people))
    return sorted([len((await street.ask(who, LINKS))["me"]["identityLinks"]) for who in people])


async def test_a_link_opened_by_many_at_once_asks_one(street: Street) -> None:
    assert await opened_by_many(street) == [0, 0, 0, 1]


async def test_twin_without_the_mark_of_the_reply_asks_them_all(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_mark", lambda _: new_id().hex)
    assert await opened_by_many(street) == [1, 1, 1, 1]


async def test_guesses_count_and_too_many_are_not_looked_at(street: Street) -> None:
    await street.comment("紅色+1")
    (reply,) = await street.send_replies()
    text = reply["text"].partition("#")[2]
    public = await database.fetchval("select id from platform_reply where kind = 'PUBLIC'")
    await street.sign_in("mei", "eve")
    forged = [text[:-4] + "AAA=", text[1:], "", "x", "é", "A" * 44, token(Opens.COMMENT, public, street.services.vault)]
    told = [await street.refused("eve", OPEN, text=each) for each in forged]
    assert set(told) == {"LINK_OVER", "INVALID_INPUT"}
    for _ in range(12 - len(forged)):
        answer = await street.http.post(
            "/graphql", json={"query": OPEN, "variables": {"text": "x"}}, headers={"authorization": f"Bearer {street.tokens['eve']}"}
        )
    assert answer.json()["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert (await street.ask("mei", OPEN, text=text))["link"] is not None
    assert await database.fetchval("select count(*) from claim_code") == 1


async def test_a_name_that_was_given_up_is_not_taken_by_its_old_link(street: Street) -> None:
    await street.comment("紅色+1")
    (reply,) = await street.send_replies()
    text = reply["text"].partition("#")[2]
    await street.sign_in("mei", "eve")
    await street.ask("mei", CONFIRM, link=(await street.ask("mei", OPEN, text=text))["link"]["id"])
    name = (await street.ask("mei", "{ me { names { id } } }"))["me"]["names"][0]["id"]
    await street.ask("mei", STEPS["unlink"]["text"], name=name)
    assert await street.orders("mei") == 0
    for who in ("eve", "mei"):
        assert await street.refused(who, OPEN, text=text) == "LINK_OVER"


async def test_public_replies_never_carry_a_link_and_without_an_address_none_is_sent(street: Street) -> None:
    await street.comment("紅色+1")
    await database.execute("update platform_reply set text = text || ' {link}' where kind = 'PUBLIC'")
    private = await street.send_replies()
    assert len(private) == len(street.platform.replies) == 1
    await street.comment("紅色+1", author="6841177305512208")
    bare = services_for(load(_env_file=None, secret_key=SECRET_KEY, reply_base_url=street.platform.url), clock=street.clock)
    await Replies(street.sender, bare).sweep()
    assert len([reply for reply in street.platform.replies if reply["kind"] == "PRIVATE"]) == 1
    rows = await database.fetch("select kind, last_error from platform_reply where state = 'DROPPED' order by kind desc")
    assert [tuple(row.values()) for row in rows] == [
        ("PUBLIC", "a public reply carries no link"),
        ("PRIVATE", "PLUSONE_APP_LINK_URL is not set"),
    ]


# --- the page's two ids of one person ------------------------------------------------------------------------------------------------


async def test_messengers_id_brings_the_commenter_where_the_platform_says_they_are_one(street: Street) -> None:
    """Linked in Messenger first; the answer to the private reply joins the comments' name, with its order."""
    await street.sign_in("mei")
    await street.message("facebook/messenger_referral_claim_code", await street.code("mei"))
    await street.confirm_all("mei")
    street.platform.recipients[MEI] = PSID
    await street.comment("紅色+1")
    assert await street.orders("mei") == 0
    assert len(await street.send_replies()) == 1
    assert await names_of_members() == [("facebook", PSID, "阿美團購"), ("facebook", MEI, "阿美團購")]
    assert (await street.orders("mei"), await books("NAMES_JOINED"), await standing()) == (1, 1, [])


async def test_a_code_from_messenger_brings_the_commenter_whose_id_it_is(street: Street) -> None:
    street.platform.recipients[MEI] = PSID
    await street.comment("紅色+1")
    await street.send_replies()
    await street.sign_in("mei")
    await street.message("facebook/messenger_referral_claim_code", await street.code("mei"))
    await street.confirm_all("mei")
    assert await names_of_members() == [("facebook", MEI, "阿美團購")]
    assert (await street.orders("mei"), await standing()) == (1, [])


async def test_the_twin_that_is_not_told_the_id_links_the_chat_alone(street: Street) -> None:
    await street.comment("紅色+1")
    await street.send_replies()
    await street.sign_in("mei")
    await street.message("facebook/messenger_referral_claim_code", await street.code("mei"))
    await street.confirm_all("mei")
    assert (await names_of_members(), await street.orders("mei")) == ([("facebook", PSID, "阿美團購")], 0)


async def test_two_members_ids_are_never_poured_together(street: Street) -> None:
    street.platform.recipients[MEI] = PSID
    await street.sign_in("mei", "eve")
    await street.message("facebook/messenger_referral_claim_code", await street.code("eve"))
    await street.confirm_all("eve")
    await street.comment("紅色+1")
    code = await street.code("mei")
    await street.comment(code)
    await street.confirm_all("mei")
    await database.execute("update buyer set member_id = null where external_id = $1", MEI)  # for the reply to be sent at all
    await database.execute("update platform_reply set state = 'PENDING', sent_at = null where kind = 'PRIVATE'")
    before = await database.fetchval("select member_id from buyer where external_id = $1", PSID)
    await database.execute("update buyer set member_id = (select id from member where id <> $2) where external_id = $1", MEI, before)
    reply = await database.fetchval("select id from platform_reply where kind = 'PRIVATE'")
    assert await learn(reply, PSID, NOW) is True
    assert await database.fetchval("select count(distinct member_id) from buyer where external_id in ($1, $2)", MEI, PSID) == 2
    assert await learn(reply, PSID, NOW) is False
    assert await learn(reply, "x" * 121, NOW) is False


async def test_nothing_of_a_deleted_members_chats_stays(street: Street) -> None:
    await street.sign_in("mei")
    street.platform.recipients[MEI] = PSID
    await street.comment("紅色+1")
    await street.send_replies()
    await street.message("facebook/messenger_text", await street.code("mei"))
    await street.confirm_all("mei")
    nonce = await gone_on(street, "mei", await a_line_address(street))
    await street.line_says("line/account_link_ok", link={"nonce": nonce})
    await street.line_says("line/follow", source={"userId": "U91eeaf62d9012345678901234567890a"})
    member = await database.fetchval("select id from member")
    await database.execute('update "order" set pay_by = $1, version = version + 1', NOW + timedelta(days=1))
    await deletion.request(member_id=member, now=NOW)
    assert await deletion.run_due(NOW + DELETION_WAIT, street.services.jobs) == 1
    await deletion.erase_again(NOW + DELETION_WAIT)
    for table in (
        "buyer",
        "inbox_event",
        "account_link",
        "account_deletion",
        "claim_code",
        "audit_entry",
        "platform_reply",
        "social_comment",
    ):
        for secret in (PSID, MEI, LINE_MEI, nonce):
            assert await database.fetchval(f"select count(*) from {table} t where strpos(t::text, $1) > 0", secret) == 0, (table, secret)
    assert await database.fetchval("select count(*) from account_link") == 1  # another person's


def test_the_wire_of_instagram_is_the_one_of_a_page() -> None:
    payload = recorded_body("instagram/comment_add")
    assert json.loads(facebook_wire(payload)) == json.loads(utf8_wire(payload))
