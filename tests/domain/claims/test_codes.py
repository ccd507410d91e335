"""A claim code in a comment: heard before anything is read as an order, never an order, and nobody is told whether it was good."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from domain import db as database
from domain.claims.codes import BLANKED
from domain.claims.rules import Reading
from domain.members import claim_codes, people_screens
from domain.members.claim_codes import ALPHABET, NewCode, code_in
from domain.members.rules import CODE_LIFE, WRONG_CODES, CodeKind
from plusone.invariants import check
from tests.build import NOW, a_buyer, a_member
from tests.wall import Wall, a_wall

LATER = NOW + timedelta(minutes=2)


async def a_code(member: UUID, now=NOW) -> NewCode:
    return await claim_codes.start(member_id=member, kind=CodeKind.NAME, now=now)


async def asked(member: UUID, now=LATER) -> list[tuple[str, str]]:
    """(provider, name) of the questions that wait for the member."""
    return [(row["provider"], row["name"]) for row in await people_screens.links(member, now)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("claim_7K3QX9AB", "7K3QX9AB"),
        ("claim_7k3qx9ab", "7K3QX9AB"),
        ("claim_7K3Q-X9AB", "7K3QX9AB"),
        ("我是 claim_7K3QX9AB 謝謝", "7K3QX9AB"),
        ("紅色+1 claim_7K3QX9AB", "7K3QX9AB"),
        ("/start claim_7K3QX9", "7K3QX9"),
        ("ｃｌａｉｍ＿７Ｋ３ＱＸ９ＡＢ", "7K3QX9AB"),
        ("cl\u200baim_7K3QX9AB", "7K3QX9AB"),
        ("claim_OIL0OIL0", "01100110"),
        ("認領碼 7K3QX9AB", "7K3QX9AB"),
        ("認領碼:7K3QX9AB", "7K3QX9AB"),
        ("claim_1+1", "1"),
        ("+1", None),
        ("claim notebook", None),
        ("A_1 +1", None),
        ("認領", None),
        ("claim_", None),
        ("", None),
    ],
)
def test_what_is_a_code(text: str, code: str | None) -> None:
    assert code_in(text) == code


async def test_a_code_is_random_short_lived_and_kept_as_a_hash(db: str) -> None:
    member = await a_member()
    codes = [await a_code(member) for _ in range(3)]
    assert len({c.code for c in codes}) == 3
    assert all(len(c.code) == 8 and set(c.code) <= set(ALPHABET) for c in codes)
    assert all(c.expires_at == NOW + CODE_LIFE for c in codes)
    rows = await database.fetch("select t::text as row from claim_code t")
    assert len(rows) == 1  # the earlier ones are void
    assert all(c.code not in rows[0]["row"] for c in codes)
    assert codes[0].code not in repr(codes[0])


async def test_whoever_writes_the_code_is_asked_about_and_nothing_is_ordered(db: str) -> None:
    wall, member = await a_wall(), await a_member()
    code = await a_code(member)
    comment = await wall.says("mei", f"{code.text} +1")
    await wall.drain()
    assert await wall.outcome(comment) == ("IGNORED", await reason_of_blank(wall))
    assert await asked(member) == [("facebook", "mei 小姐")]
    assert await database.fetchval('select count(*) from "order"') == 0
    assert await database.fetchval("select member_id from buyer where external_id = 'mei'") is None
    assert await database.fetchval("select text from social_comment order by written_at, id limit 1") == BLANKED
    history = "select text from comment_history where comment_id = (select id from social_comment order by written_at, id limit 1)"
    assert await database.fetch(history) == [(BLANKED,)]
    assert await check(LATER) == []


async def reason_of_blank(wall: Wall) -> str:
    """What an ordinary text without any sign of an order gets."""
    comment = await wall.says("somebody", "今天天氣很好")
    await wall.drain()
    return (await wall.outcome(comment))[1]


@pytest.mark.parametrize("reading", list(Reading))
@pytest.mark.parametrize("text", ["claim_7K3QX9AB", "claim_7K3QX9AB +1", "紅色+1 claim_7K3QX9AB 黑色+2", "claim_1+1", "+1 認領碼 7K3QX9AB"])
async def test_a_text_with_a_code_never_orders_under_any_policy(db: str, reading: Reading, text: str) -> None:
    wall = await a_wall(variants=("紅色", "黑色"), reading=reading)
    comment = await wall.says("mei", text)
    await wall.drain()
    assert (await wall.outcome(comment))[0] == "IGNORED"
    assert await database.fetchval('select count(*) from "order"') == 0
    assert await wall.level() == (10, 0, 0)


async def test_the_twin_without_the_ear_orders(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blanking is what keeps such a text from ordering."""
    monkeypatch.setattr("domain.claims.codes.code_in", lambda _text: None)
    wall = await a_wall(variants=("紅色", "黑色"))
    await wall.says("mei", "紅色+1 claim_7K3QX9AB")
    await wall.drain()
    assert await wall.pieces("mei") == {"紅色": 1}


async def test_a_wrong_an_old_a_used_and_a_void_code_end_alike_in_silence(db: str) -> None:
    wall, member = await a_wall(), await a_member()
    void = await a_code(member)
    used = await a_code(member)
    await wall.says("first", used.text)
    await wall.drain()
    assert await asked(member) == [("facebook", "first 小姐")]
    old = await a_code(member, NOW - CODE_LIFE)
    comments = [await wall.says(f"p{n}", t) for n, t in enumerate((void.text, used.text, old.text, "claim_AAAAAAAA"))]
    await wall.drain()
    assert await asked(member) == [("facebook", "first 小姐")]
    assert len({await wall.outcome(c) for c in comments}) == 1
    assert await database.fetchval("select count(*) from notice") == 0
    assert await database.fetchval("select count(*) from platform_reply") == 0


async def test_a_replayed_delivery_asks_nothing_twice(db: str) -> None:
    wall, member = await a_wall(), await a_member()
    code = await a_code(member)
    comment = await wall.says("mei", code.text, at=NOW)
    await wall.says("mei", code.text, at=NOW, comment=comment)
    await wall.says("mei", code.text, at=NOW + timedelta(seconds=1), comment=comment, verb="edited")
    await wall.drain()
    assert await asked(member) == [("facebook", "mei 小姐")]
    assert await database.fetchval("select count(*) from claim_code where seen_at is not null") == 1


async def test_who_is_wrong_too_often_is_not_listened_to_for_an_hour(db: str) -> None:
    wall, member = await a_wall(), await a_member()
    code = await a_code(member)
    for n in range(WRONG_CODES):
        await wall.says("mallory", f"claim_0000000{n}")
    await wall.says("mallory", code.text)
    await wall.drain()
    assert await asked(member) == []
    await wall.says("mei", code.text)
    await wall.drain()
    assert await asked(member) == [("facebook", "mei 小姐")]


async def test_a_thousand_guesses_of_many_names_find_nothing_and_cost_the_owner_nothing(db: str) -> None:
    wall, member = await a_wall(), await a_member()
    code = await a_code(member)
    for n in range(200):
        for k in range(5):
            await wall.says(f"bot{n}", f"claim_{n:04d}{k:04d}")
    await wall.drain()
    assert await asked(member) == []
    await wall.says("mei", code.text)
    await wall.drain()
    assert len(await asked(member)) == 1


async def test_a_right_code_does_not_count_as_a_guess(db: str) -> None:
    wall = await a_wall()
    for _ in range(WRONG_CODES + 2):
        member = await a_member()
        await wall.says("family", (await a_code(member)).text)
        await wall.drain()
        assert len(await asked(member)) == 1


async def test_a_name_that_has_a_member_neither_uses_a_code_up_nor_is_asked_about(db: str) -> None:
    wall, member, other = await a_wall(), await a_member(), await a_member()
    await a_buyer(wall.shop, provider="facebook", external_id="taken", member_id=other)
    await database.execute(
        "insert into identity (id, member_id, provider, subject, created_at, last_seen_at) values (gen_random_uuid(), $1, 'facebook', 'signs-in', $2, $2)",
        other,
        NOW,
    )
    code = await a_code(member)
    await wall.says("taken", code.text)
    await wall.says("signs-in", code.text)
    await wall.drain()
    assert await asked(member) == []
    await wall.says("mei", code.text)
    await wall.drain()
    assert await asked(member) == [("facebook", "mei 小姐")]


async def test_the_page_itself_and_nobody_are_not_heard(db: str) -> None:
    wall, member = await a_wall(), await a_member()
    code = await a_code(member)
    await wall.says("104561234567890", code.text)
    await wall.drain()
    assert await asked(member) == []


async def test_an_edit_into_a_code_is_an_edit_into_chat_and_orders_no_more(db: str) -> None:
    wall, member = await a_wall(), await a_member()
    comment = await wall.says("mei", "+1")
    await wall.drain()
    assert await wall.level() == (10, 1, 0)
    await wall.says("mei", f"{(await a_code(member)).text} +3", comment=comment, verb="edited")
    await wall.drain()
    assert await wall.level() == (10, 1, 0)
    assert await wall.pieces("mei") == {"": 1}
    assert await asked(member) == []  # an edit on Facebook does not say whose it is
    assert await check(LATER) == []


async def test_a_code_of_a_merge_is_not_heard_in_comments(db: str) -> None:
    wall, member = await a_wall(), await a_member()
    code = await claim_codes.start(member_id=member, kind=CodeKind.MERGE, now=NOW)
    await wall.says("mei", code.text)
    await wall.drain()
    assert await asked(member) == []
    assert await database.fetchval("select answered_at from claim_code") is None


async def test_questions_are_the_members_own(db: str) -> None:
    wall, member, other = await a_wall(), await a_member(), await a_member()
    await wall.says("mei", (await a_code(member)).text)
    await wall.drain()
    assert await asked(other) == []
    assert await asked(member, NOW + timedelta(hours=25)) == []
