"""A member changes their language and their clocks: answers, pushes that wait and later notices follow."""

from __future__ import annotations

from typing import Any

import pytest

from domain import db as database
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.deliveries import claim_due
from domain.notices.rules import NoticeKind
from domain.words import LANGUAGES
from tests import build

UPDATE = """mutation ($input: MemberUpdateInput!) { memberUpdate(input: $input) {
  member { id displayName locale liveCursor } preferences { timeZone } userErrors { code field message } } }"""
INBOX = "{ me { locale notifications(first: 1) { nodes { title } } } }"
CANCEL = """mutation { orderCancel(input: {orderId: "order_AAAAAAAAAAAAAAAAAAAABQ"}) @idempotent(key: "k") { userErrors { message } } }"""
TITLES = {
    "zh-TW": "小鹿團購：可以取貨了",
    "zh-HK": "小鹿團購：可以取貨了",
    "zh-CN": "小鹿團購：可以取货了",
    "en": "小鹿團購: ready for pickup",
}
MISSING = {"zh-TW": "找不到這筆資料。", "zh-HK": "找不到這項資料。", "zh-CN": "找不到这条信息。", "en": "There is no such object."}


async def a_notice(people: Any, services: Any, key: str) -> None:
    draft = NoticeDraft(people.buyer.id, NoticeKind.PICKUP_READY, key, {"shopName": "小鹿團購", "orderNumber": "7-1"})
    async with database.transaction() as tx:
        await enqueue(tx, people.shop.id, [draft], now=build.NOW, jobs=services.jobs)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_answers_and_pushes_follow_the_language(people, services, signed_in, language: str) -> None:
    client, other = await signed_in(people.member), await build.a_device(people.stranger)
    await build.a_device(people.member)
    gone = await build.a_device(people.member)
    await database.execute("update device set revoked_at = $2, locale = 'ja' where id = $1", gone, build.NOW)
    await a_notice(people, services, "before")
    done = (await client.get(UPDATE, {"input": {"locale": language}}))["memberUpdate"]
    assert (done["member"]["locale"], done["preferences"], done["userErrors"]) == (language, {"timeZone": None}, [])
    assert done["member"]["liveCursor"]
    await a_notice(people, services, "after")
    found = (await client.get(INBOX))["me"]
    assert (found["locale"], found["notifications"]["nodes"][0]["title"]) == (language, TITLES[language])
    assert (await client.get(CANCEL))["orderCancel"]["userErrors"] == [{"message": MISSING[language]}]
    assert (await client.ask(INBOX, **{"Accept-Language": "en"})).data["me"]["notifications"]["nodes"][0]["title"] == TITLES["en"]
    pushes = await claim_due(now=build.NOW)
    assert [(push.member_id, push.locale) for push in pushes] == [(people.member, language)] * 2
    rest = await database.fetch("select id, locale from device where id = any($1::uuid[])", [gone, other])
    assert {row["id"]: row["locale"] for row in rest} == {gone: "ja", other: "zh-TW"}
    assert await database.fetchval("select locale from member where id = $1", people.stranger) == "zh-TW"


async def test_clocks_change_alone_or_together_and_nothing_changes_nothing(people, signed_in) -> None:
    client = await signed_in(people.member)
    for given, language, zone in (
        ({}, "zh-TW", None), ({"timeZone": "Asia/Hong_Kong"}, "zh-TW", "Asia/Hong_Kong"), ({"locale": "en"}, "en", "Asia/Hong_Kong"),
        ({"locale": "zh-HK", "timeZone": "Asia/Taipei"}, "zh-HK", "Asia/Taipei"), ({"locale": None, "timeZone": None}, "zh-HK", "Asia/Taipei"),
    ):  # fmt: skip
        done = (await client.get(UPDATE, {"input": given}))["memberUpdate"]
        assert (done["member"]["locale"], done["preferences"]["timeZone"], done["userErrors"]) == (language, zone, [])
    assert await database.fetchval("select time_zone from notice_settings where member_id = $1", people.member) == "Asia/Taipei"


@pytest.mark.parametrize(
    ("given", "field"),
    [({"locale": "ja"}, "locale"), ({"locale": ""}, "locale"), ({"locale": "zh-tw"}, "locale"), ({"locale": "en", "timeZone": "Mars/Base"}, "timeZone"),
     ({"locale": "xx", "timeZone": "Asia/Taipei"}, "locale")],
)  # fmt: skip
async def test_what_we_do_not_speak_is_refused_and_changes_nothing(people, signed_in, given: dict[str, str], field: str) -> None:
    client = await signed_in(people.member)
    done = (await client.get(UPDATE, {"input": given}))["memberUpdate"]
    assert (done["member"], [(e["code"], e["field"]) for e in done["userErrors"]]) == (None, [("INVALID_INPUT", ["input", field])])
    assert await database.fetchval("select locale from member where id = $1", people.member) == "zh-TW"
    assert await database.fetchval("select count(*) from notice_settings") == 0
