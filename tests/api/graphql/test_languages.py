"""One language per request, everywhere in its answer: notices, rule sentences, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from domain import db as database
from domain.claims.rules import ClaimPolicy
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.posts.commands import set_policy
from tests import build
from tests.api.graphql.conftest import Client, pid
from tests.sql_recorder import recorded

INBOX = "{ me { notifications(first: 5) { nodes { title body } } } }"
RULE = "query ($id: ID!) { salesPost(id: $id) { rule { sentence } } }"
CANCEL = """mutation ($input: OrderCancelInput!, $key: String!) {
  orderCancel(input: $input) @idempotent(key: $key) { userErrors { code message } }
}"""
SAID = {
    "zh-TW": ("小鹿團購：可以取貨了", "訂單 7-1 · 取貨時請出示 App 內的取貨碼", "任一品項庫存不足，整則留言不成立。", "找不到這筆資料。"),
    "zh-HK": ("小鹿團購：可以取貨了", "訂單 7-1 · 取貨時請出示 App 內的取貨碼", "任何一款貨品存貨不足，整則留言不會落單。", "找不到這項資料。"),
    "zh-CN": ("小鹿團購：可以取货了", "订单 7-1 · 取货时请出示 App 内的取货码", "任一商品库存不足，整条评论不会下单。", "找不到这条信息。"),
    "en": ("小鹿團購: ready for pickup", "Order 7-1 · Show the pickup code in the app", "When any item is short, the whole comment is not ordered.", "There is no such object."),
}  # fmt: skip


@pytest.fixture
async def notice(people, services) -> str:
    """A notice of the buyer's, and a post with a rule; answers the post's id."""
    draft = NoticeDraft(people.buyer.id, NoticeKind.PICKUP_READY, "k", {"shopName": "小鹿團購", "orderNumber": "7-1"})
    post = await build.a_post(people.shop, products=[await build.a_product(people.shop)])
    async with database.transaction() as tx:
        await enqueue(tx, people.shop.id, [draft], now=build.NOW, jobs=services.jobs)
        await set_policy(
            tx, shop_id=people.shop.id, post_id=post.id, policy={**ClaimPolicy().stored(), "shortage": "REJECT_COMMENT"}, now=build.NOW
        )
    return pid("post", post.id)


async def read(client: Client, post: str, **headers: str) -> tuple[str, ...]:
    """Title and body of the notice, the sentence of the rule that is asked about, and a refusal."""
    (shown,) = (await client.ask(INBOX, **headers)).data["me"]["notifications"]["nodes"]
    sentence = (await client.ask(RULE, {"id": post}, **headers)).data["salesPost"]["rule"]["sentence"]
    unknown: dict[str, Any] = {"input": {"orderId": "order_AAAAAAAAAAAAAAAAAAAABQ", "reason": "x"}, "key": "k-1"}
    (refused,) = (await client.ask(CANCEL, unknown, **headers)).data["orderCancel"]["userErrors"]
    assert refused["code"] == "NOT_FOUND"
    (rule,) = [phrase for *_, phrase, _ in SAID.values() if phrase in sentence]
    return shown["title"], shown["body"], rule, refused["message"]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-TW", "zh-TW"), ("zh-Hant-HK,zh;q=0.5", "zh-HK"), ("zh-MO", "zh-HK"), ("zh-Hans-SG,en;q=0.9", "zh-CN"), ("zh", "zh-TW"),
        ("en-GB,zh-TW;q=0.9", "en"), ("ja", "en"), ("ja,zh-HK;q=0.2", "zh-HK"), ("*", "zh-TW"),
    ],
)  # fmt: skip
async def test_all_of_an_answer_is_in_the_language_that_was_asked_for(people, signed_in, notice, header: str, language: str) -> None:
    assert await read(await signed_in(people.member), notice, accept_language=header) == SAID[language]


@pytest.mark.parametrize(
    ("locale", "language"), [("zh-TW", "zh-TW"), ("zh-HK", "zh-HK"), ("zh-SG", "zh-CN"), ("en-SG", "en"), ("ms", "en"), ("", "zh-TW")]
)
async def test_who_asks_for_none_gets_their_own(people, signed_in, notice, locale: str, language: str) -> None:
    await database.execute("update member set locale = $2 where id = $1", people.member, locale)
    client = await signed_in(people.member)
    assert await read(client, notice) == SAID[language]
    assert await read(client, notice, accept_language="*") == SAID[language]
    assert await read(client, notice, accept_language="zh-CN") == SAID["zh-CN"]


async def test_nobody_reads_as_in_taiwan(people, signed_in, notice) -> None:
    nobody = await signed_in(None)
    assert SAID["zh-TW"][2] in (await nobody.ask(RULE, {"id": notice})).data["salesPost"]["rule"]["sentence"]
    assert SAID["zh-HK"][2] in (await nobody.ask(RULE, {"id": notice}, accept_language="zh-HK")).data["salesPost"]["rule"]["sentence"]


async def test_an_inbox_is_one_statement_in_every_language(people, signed_in, notice) -> None:
    client = await signed_in(people.member)
    for language in SAID:
        await client.ask(INBOX, accept_language=language)
        with recorded() as sql:
            await client.ask(INBOX, accept_language=language)
        assert len(sql) == 1, language
