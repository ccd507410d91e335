"""`on_near_miss`: what follows from a comment that is almost an order."""

from __future__ import annotations

import pytest

from domain import db as database
from domain.claims.rules import NearMiss, PublicReply
from tests.domain.claims.policy.picture import Picture, played

KINDS = ("紅", "白")
BOTH = ["10/0/0", "10/0/0"]
CASES = [
    # A choice, and words that are understood: the buyer can say yes.
    ("+1", NearMiss.SILENT, Picture(["NEEDS_REVIEW MISSING_OPTION ?"], BOTH)),
    ("+1", NearMiss.SUGGEST, Picture(["SUGGESTED MISSING_OPTION"], BOTH, notices=["甲 SUGGESTION"])),
    ("+1", NearMiss.REPLY_HELP, Picture(["NEEDS_REVIEW MISSING_OPTION ?"], BOTH, replies=["甲 PUBLIC"])),
    ("紅x2", NearMiss.SILENT, Picture(["NEEDS_REVIEW NEEDS_CONFIRMATION ?"], BOTH)),
    ("紅x2", NearMiss.SUGGEST, Picture(["SUGGESTED NEEDS_CONFIRMATION"], BOTH, notices=["甲 SUGGESTION"])),
    ("紅x2", NearMiss.REPLY_HELP, Picture(["NEEDS_REVIEW NEEDS_CONFIRMATION ?"], BOTH, replies=["甲 PUBLIC"])),
    # Nothing that could be offered: a person looks, whatever the policy.
    ("酒紅+1", NearMiss.SILENT, Picture(["NEEDS_REVIEW UNKNOWN_ITEM ?"], BOTH)),
    ("酒紅+1", NearMiss.SUGGEST, Picture(["NEEDS_REVIEW UNKNOWN_ITEM ?"], BOTH)),
    ("酒紅+1", NearMiss.REPLY_HELP, Picture(["NEEDS_REVIEW UNKNOWN_ITEM ?"], BOTH, replies=["甲 PUBLIC"])),
    # Questions and chat are no near misses.
    *[("紅+1嗎？", near, Picture(["NEEDS_REVIEW LOOKS_LIKE_QUESTION ?"], BOTH)) for near in NearMiss],
    *[("好美", near, Picture(["IGNORED NO_TRIGGER"], BOTH)) for near in NearMiss],
]


@pytest.mark.parametrize(("text", "near", "expected"), CASES, ids=[f"{near}-{text}" for text, near, _ in CASES])
async def test_an_almost_order_is_answered_as_the_shop_wants(db: str, text: str, near: NearMiss, expected: Picture) -> None:
    assert await played(("甲", text), variants=KINDS, on_near_miss=near) == expected


async def test_a_suggestion_names_what_is_offered_and_nobody_else_hears_of_it(db: str) -> None:
    await played(("甲", "紅x2"), ("乙", "好美"), variants=KINDS)
    notice = await database.fetchrow("select data->'lines'->0->>'label' as label, data->'lines'->0->>'quantity' as n from notice")
    assert notice == ("紅", "2")
    assert await database.fetchval("select count(*) from notice") == 1


@pytest.mark.parametrize(("reply", "help_replies"), [(PublicReply.NEVER, 0), (PublicReply.ONCE_PER_BUYER, 2), (PublicReply.EACH, 2)])
async def test_help_is_given_once_per_buyer_where_the_shop_speaks_at_all(db: str, reply: PublicReply, help_replies: int) -> None:
    found = await played(("甲", "+1"), ("甲", "+2"), ("乙", "+1"), variants=KINDS, on_near_miss=NearMiss.REPLY_HELP, public_reply=reply)
    assert found.replies == ["甲 PUBLIC", "乙 PUBLIC"][:help_replies]
    assert found.notices == []
    assert found.orders == []
