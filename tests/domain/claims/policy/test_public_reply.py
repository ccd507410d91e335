"""`public_reply`: which orders are answered in public, on pages and in groups."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain import db as database
from domain.claims.rules import NearMiss, PublicReply, Shortage
from tests.build import NOW
from tests.domain.claims.acts import tell_line
from tests.domain.claims.policy.picture import Step, picture, play, played
from tests.wall import a_wall

NEVER, ONCE, EACH = PublicReply.NEVER, PublicReply.ONCE_PER_BUYER, PublicReply.EACH
STEPS: list[Step] = [("甲", "+1"), ("甲", "+1"), ("乙", "+1"), ("丙", "+1嗎？"), ("丁", "好美"), ("甲", "-1"), ("戊", "+500")]


@pytest.mark.parametrize(
    ("reply", "answered"), [(NEVER, []), (ONCE, ["甲 PUBLIC", "乙 PUBLIC"]), (EACH, ["甲 PUBLIC", "甲 PUBLIC", "乙 PUBLIC"])]
)
async def test_on_a_page_orders_are_answered_and_nothing_else(db: str, reply: PublicReply, answered: list[str]) -> None:
    found = await played(*STEPS, public_reply=reply)
    assert found.replies == answered
    assert found.lines == {"乙": {"": 1}, "甲": {"": 1}}


@pytest.mark.parametrize(("reply", "answered"), [(NEVER, 0), (ONCE, 0), (EACH, 2)])
async def test_in_a_group_only_each_breaks_the_silence(db: str, reply: PublicReply, answered: int) -> None:
    wall = await a_wall(public_reply=reply)
    for second, author in enumerate("甲乙"):
        await tell_line(wall, author, f"m{second}", "+1", at=NOW + timedelta(seconds=second))
    await wall.drain()
    found = await picture(wall, ["m0", "m1"])
    assert found.outcomes == ["ORDERED", "ORDERED"]
    assert len(found.replies) == answered
    assert sorted(found.notices) == ["乙 ORDER_PLACED", "甲 ORDER_PLACED"]


@pytest.mark.parametrize(
    ("shortage", "on_hand", "words"),
    [
        (Shortage.PARTIAL_WAITLIST, 5, "已登記,請到"),
        (Shortage.PARTIAL_WAITLIST, 1, "不足的部分已排入候補"),
        (Shortage.PARTIAL, 1, "不足的部分未成立"),
        (Shortage.PARTIAL_WAITLIST, 0, "目前已售完"),
        (Shortage.PARTIAL, 0, ""),
        (Shortage.REJECT_COMMENT, 1, ""),
    ],
)
async def test_the_answer_says_what_became_of_it_and_a_refusal_stays_private(db: str, shortage: Shortage, on_hand: int, words: str) -> None:
    found = await played(("甲", "+2"), on_hand=on_hand, shortage=shortage)
    texts = [row["text"] for row in await database.fetch("select text from platform_reply")]
    assert [words in text for text in texts] == [True] * bool(words)
    assert ("甲 CLAIM_REJECTED" in found.notices) is not bool(words)


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("zh-TW", ["已登記,請到會員 App 查看訂單,謝謝!", "想下單請留言「品項+數量」,例如:+1"]),
        ("zh-HK", ["已落單，請到會員 App 查看訂單，多謝！", "想落單請留言「貨品+數量」，例如：+1"]),
        ("zh-Hans", ["已下单，请到会员 App 查看订单，谢谢！", "想下单请评论“商品+数量”，例如：+1"]),
        ("en-SG", ["Got it! Your order is in the member app. Thank you!", "To order, comment the item and a quantity, for example: +1"]),
        ("ms", ["Got it! Your order is in the member app. Thank you!", "To order, comment the item and a quantity, for example: +1"]),
    ],
)
async def test_a_shop_answers_in_its_own_language(db: str, locale: str, words: list[str]) -> None:
    wall = await a_wall(variants=("紅", "白"), public_reply=EACH, on_near_miss=NearMiss.REPLY_HELP)
    await database.execute("update shop set locale = $2 where id = $1", wall.shop.id, locale)
    await play(wall, ("甲", "紅+1"), ("乙", "+1"))
    assert sorted(row["text"] for row in await database.fetch("select text from platform_reply")) == sorted(words)


async def test_the_same_event_again_is_not_answered_again(db: str) -> None:
    wall = await a_wall(public_reply=EACH)
    (comment,) = await play(wall, ("甲", "+1"))
    await database.execute("update inbox_event set state = 'PENDING', decided_at = null")
    await wall.drain()
    assert (await picture(wall, [comment])).replies == ["甲 PUBLIC"]


@pytest.mark.parametrize(("reply", "answers"), [(NEVER, 0), (ONCE, 1), (EACH, 1)])
async def test_a_comment_has_at_most_one_answer_however_often_it_is_edited(db: str, reply: PublicReply, answers: int) -> None:
    found = await played(("甲", "+1"), ("甲", "+2", 1), ("甲", "+3", 1), public_reply=reply)
    assert found.lines == {"甲": {"": 3}}
    assert len(found.replies) == answers
