"""The claim policy as a value: what may stand in it, how it is stored, how it is changed, and the sentence that buyers read."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from typing import Any

import pytest

from domain import db as database
from domain.audit.commands import Actor
from domain.claims.recognition import Intent, compile_context, recognize
from domain.errors import NotFound
from domain.ids import new_id
from domain.posts.commands import change_policy, set_policy
from domain.posts.errors import InvalidPolicy
from domain.posts.policy import RANGES, CancelUntil, ClaimPolicy, Proxy, Reading, Reminder, Shortage, check, is_symbol
from domain.posts.screens import rule_of, rule_sentence
from tests.build import NOW, a_post, a_shop

OWNER = Actor("member:00000000-0000-0000-0000-000000000001", "OWNER")
DEFAULT = ClaimPolicy()
OTHER = ClaimPolicy(
    reading=Reading.STRICT, trigger_symbols=("=", "+"), trigger_words=("mine",), fillers=("揪咪",), cancel_until=CancelUntil.NEVER, per_buyer_max=3,
    per_buyer_window_hours=24, rate_limit_orders=5, hold_minutes=30, reminders=frozenset({Reminder.HALF}), ignore_authors=frozenset(),
    proxy=Proxy.ALLOW,
)  # fmt: skip


@pytest.mark.parametrize("policy", [DEFAULT, OTHER])
def test_what_is_stored_is_read_again(policy: ClaimPolicy) -> None:
    stored = policy.stored()
    assert ClaimPolicy.read(stored) == policy
    assert ClaimPolicy.read(database.from_jsonb(database.jsonb(stored))) == policy
    assert set(stored) == {field.name for field in fields(ClaimPolicy)}
    assert check(policy) is policy


def test_unknown_fields_are_left_out_and_missing_ones_are_defaults() -> None:
    assert ClaimPolicy.read({"a_field_of_tomorrow": 1, "per_buyer_max": 3}) == replace(DEFAULT, per_buyer_max=3)


@pytest.mark.parametrize("name", [field.name for field in fields(ClaimPolicy)])
@pytest.mark.parametrize("value", [{"a": 1}, "SOMETHING", 1.5, True, ["SOMETHING", 3], [None]])
def test_a_value_of_another_kind_is_refused_by_its_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        ClaimPolicy.read({name: value})
    assert refused.value.field == name


@pytest.mark.parametrize("name", [n for n in DEFAULT.stored() if DEFAULT.stored()[n] is not None])
def test_null_is_a_value_of_limits_alone(name: str) -> None:
    with pytest.raises(InvalidPolicy):
        ClaimPolicy.read({name: None})


@pytest.mark.parametrize(("name", "least", "most"), [(name, *ends) for name, ends in RANGES.items()])
def test_every_number_has_its_range(name: str, least: int, most: int) -> None:
    base = replace(DEFAULT, per_buyer_max=5)
    for value in (least, most):
        assert check(replace(base, **{name: value}))
    for value in (least - 1, most + 1):
        with pytest.raises(InvalidPolicy) as refused:
            check(replace(base, **{name: value}))
        assert refused.value.field == name


def test_every_number_of_the_policy_has_a_range() -> None:
    numbers = {f.name for f in fields(ClaimPolicy) if isinstance(f.default, int) or f.default is None}
    assert set(RANGES) == numbers


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("trigger_symbols", {"trigger_symbols": ()}),
    ("trigger_symbols", {"trigger_symbols": ("+", "＋")}),
    ("trigger_symbols", {"trigger_symbols": tuple("+=★☆♥^*|_")}),
    *[("trigger_symbols", {"trigger_symbols": (text,)}) for text in ("", "++", "a", "1", "加", " ", "\n", "-", "−", "–", "➖", "?", "？", "!", ",", "，",
      ".", "。", ";", ":", "、", "(", ")", "/", "~", "#", "＃", "@", "$", "%", "&", "…", "№", "\ud800", "\x00")],
    ("trigger_words", {"trigger_words": ("",)}),
    ("trigger_words", {"trigger_words": ("a" * 41,)}),
    ("trigger_words", {"trigger_words": ("12",)}),
    ("trigger_words", {"trigger_words": (" mine",)}),
    ("trigger_words", {"trigger_words": ("mi\nne",)}),
    ("trigger_words", {"trigger_words": ("mine", "MINE")}),
    ("trigger_words", {"trigger_words": tuple(f"word{n}" for n in range(51))}),
    ("fillers", {"fillers": tuple(f"word{n}" for n in range(201))}),
    ("fillers", {"fillers": ("x\ud800",)}),
    ("fillers", {"trigger_words": ("mine",), "fillers": ("ＭＩＮＥ",)}),
    ("per_buyer_window_hours", {"per_buyer_window_hours": 24}),
]  # fmt: skip


@pytest.mark.parametrize(("field", "values"), WRONG, ids=[repr(values)[:50] for _, values in WRONG])
def test_what_no_shop_can_sell_by_is_refused(field: str, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        check(replace(DEFAULT, **values))
    assert refused.value.field == field


@pytest.mark.parametrize("symbol", ["+", "＋", "➕", "=", "*", "★", "☆", "♥", "^", "|", "_", "'", "<", "·", "§"])
def test_every_symbol_that_is_taken_orders(symbol: str) -> None:
    assert is_symbol(symbol)
    post = {
        "id": "p", "policy": "STRICT", "trigger_symbols": [symbol], "max_qty": 9, "offers": [
            {"id": "o", "title": "瓦片", "codes": ["A1"], "aliases": [], "on_sale": True, "max_qty": None, "options": [],
             "variants": [{"id": "v", "values": {}, "code": None, "on_sale": True}]}],
    }  # fmt: skip
    context = compile_context(post)
    for text in (f"{symbol}1", f"A1{symbol}2", f"瓦片 {symbol} 2 謝謝"):
        assert recognize(text, context).intent is Intent.ORDER


# --- in the database -------------------------------------------------------------------------------------------------------------


async def rows() -> list[tuple[int, bool]]:
    found = await database.fetch(
        "select version, post_id is not null as own from claim_policy_version order by post_id nulls first, version"
    )
    return [tuple(row.values()) for row in found]


async def test_a_wrong_policy_writes_nothing(db: str) -> None:
    shop = await a_shop()
    for policy in ({"reading": "LOUD"}, {"max_per_line": 0}, {"per_buyer_window_hours": 3}):
        with pytest.raises(InvalidPolicy):
            async with database.transaction() as tx:
                await set_policy(tx, shop_id=shop.id, post_id=None, policy=policy, now=NOW)
        with pytest.raises(InvalidPolicy):
            await change_policy(shop_id=shop.id, post_id=None, change=lambda _, p=policy: ClaimPolicy.read(p), actor=OWNER, now=NOW)
    assert await rows() == []
    assert await database.fetchval("select count(*) from audit_entry") == 0


async def test_a_version_is_written_out_whole(db: str) -> None:
    """Defaults may change one day: what a version said stays what it says."""
    shop = await a_shop()
    async with database.transaction() as tx:
        await set_policy(tx, shop_id=shop.id, post_id=None, policy={"reading": "STRICT"}, now=NOW)
    assert (
        database.from_jsonb(await database.fetchval("select policy from claim_policy_version"))
        == replace(DEFAULT, reading=Reading.STRICT).stored()
    )


async def test_a_change_is_a_version_with_an_audit_entry_and_no_change_is_none(db: str) -> None:
    shop = await a_shop()
    post = await a_post(shop)
    made = await change_policy(shop_id=shop.id, post_id=None, change=lambda p: replace(p, per_buyer_max=3), actor=OWNER, now=NOW)
    assert await change_policy(shop_id=shop.id, post_id=None, change=lambda p: replace(p, per_buyer_max=3), actor=OWNER, now=NOW) is None
    assert await change_policy(shop_id=shop.id, post_id=post.id, change=lambda p: p, actor=OWNER, now=NOW) is None
    own = await change_policy(shop_id=shop.id, post_id=post.id, change=lambda p: replace(p, proxy=Proxy.ALLOW), actor=OWNER, now=NOW)
    assert await rows() == [(1, False), (1, True)]
    of_post = database.from_jsonb(await database.fetchval("select policy from claim_policy_version where post_id = $1", post.id))
    assert ClaimPolicy.read(of_post) == replace(DEFAULT, per_buyer_max=3, proxy=Proxy.ALLOW)
    entries = await database.fetch("select actor, action, object_id, detail from audit_entry order by id")
    assert [(e["actor"], e["action"], e["object_id"]) for e in entries] == [
        (OWNER.name, "POLICY_SET", made),
        (OWNER.name, "POLICY_SET", own),
    ]
    assert [database.from_jsonb(e["detail"]) for e in entries] == [
        {"post": None, "changed": {"per_buyer_max": {"before": None, "after": 3}}},
        {"post": str(post.id), "changed": {"proxy": {"before": "OFF", "after": "ALLOW"}}},
    ]


async def test_another_shop_s_post_has_no_rule_here(db: str) -> None:
    shop, other = await a_shop(), await a_shop()
    post = await a_post(other)
    for shop_id, post_id in ((shop.id, post.id), (new_id(), None)):
        with pytest.raises(NotFound):
            await change_policy(shop_id=shop_id, post_id=post_id, change=lambda _: OTHER, actor=OWNER, now=NOW)
    assert await rows() == []


async def test_changes_at_once_are_counted_and_none_is_lost(db: str) -> None:
    shop = await a_shop()
    await asyncio.gather(
        *(
            change_policy(shop_id=shop.id, post_id=None, change=lambda p: replace(p, max_per_line=p.max_per_line + 1), actor=OWNER, now=NOW)
            for _ in range(6)
        )
    )
    assert await rows() == [(n, False) for n in range(1, 7)]
    newest = await database.fetchval("select policy from claim_policy_version order by version desc limit 1")
    assert ClaimPolicy.read(database.from_jsonb(newest)).max_per_line == 99 + 6


# --- the sentence ----------------------------------------------------------------------------------------------------------------

SENTENCES: list[tuple[ClaimPolicy, str, str]] = [
    (
        DEFAULT,
        "留言含有「+」加數量（例如「紅色+1」）才算訂購；詢問不會成立訂單。庫存不足時先給剩餘數量，其餘列入候補。付款前且結單前可留言取消。",
        ('A comment with "+" and a quantity, such as "red+1", is an order; questions never are. When stock is short you get what is left and wait in '
        "line for the rest. You may cancel by comment until you pay or the post closes, whichever is first."),
    ),
    (
        replace(OTHER, shortage=Shortage.REJECT_LINE),
        ("留言必須完整寫出商品與數量，例如「紅色=1」，才算訂購。每人每款最多 3 件，本賣場其他貼文近 24 小時內訂的也算在內。庫存不足的品項不成立。"
        "留言後為您保留 30 分鐘，請在時間內付款。留言後不可自行取消。可以幫別人訂，例如「幫小美+1」。"),
        ('Only a comment that names item and quantity in full, such as "red=1", is an order. At most 3 of each per buyer, what was ordered under the '
        "shop's other posts within 24 hours included. An item that is short is not ordered. Your pieces are held for 30 minutes; please pay in that "
        'time. Orders cannot be cancelled by comment. You may order for somebody else by naming them, such as "幫小美+1".'),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "chinese", "english"), SENTENCES)
def test_the_sentence_that_buyers_read(policy: ClaimPolicy, chinese: str, english: str) -> None:
    assert rule_sentence(policy.stored(), "zh-TW") == chinese
    assert rule_sentence(policy.stored(), "en") == english


@pytest.mark.parametrize("language", ["zh-TW", "en"])
@pytest.mark.parametrize("field", ["reading", "shortage", "cancel_until", "proxy"])
def test_every_value_that_a_buyer_feels_has_words_of_its_own(field: str, language: str) -> None:
    kind = type(getattr(DEFAULT, field))
    said = {rule_sentence({field: value.value}, language) for value in kind}
    assert len(said) == len(kind)


@pytest.mark.parametrize(("minutes", "chinese", "english"), [(1, "1 分鐘", "1 minute"), (90, "90 分鐘", "90 minutes"), (60, "1 小時", "1 hour"),
    (36 * 60, "36 小時", "36 hours"), (2880, "2 天", "2 days")])  # fmt: skip
def test_a_time_is_said_in_its_largest_unit(minutes: int, chinese: str, english: str) -> None:
    assert f"保留 {chinese}，" in rule_sentence({"hold_minutes": minutes}, "zh-TW")
    assert f"held for {english};" in rule_sentence({"hold_minutes": minutes}, "en")


async def test_the_rule_in_force_is_the_post_s_else_the_shop_s_else_the_default(db: str) -> None:
    shop = await a_shop()
    post = await a_post(shop)
    assert await rule_of(shop.id, post.id, language="en") == {"version": 0, "sentence": rule_sentence({}, "en"), "effective_at": None}
    async with database.transaction() as tx:
        await set_policy(tx, shop_id=shop.id, post_id=None, policy={"proxy": "ALLOW"}, now=NOW)
    assert (await rule_of(shop.id, post.id, language="en"))["sentence"] == rule_sentence({"proxy": "ALLOW"}, "en")
    async with database.transaction() as tx:
        await set_policy(tx, shop_id=shop.id, post_id=post.id, policy={"reading": "STRICT"}, now=NOW)
    assert (await rule_of(shop.id, post.id, language="en"))["sentence"] == rule_sentence({"reading": "STRICT"}, "en")
    assert (await rule_of(shop.id, None, language="en"))["sentence"] == rule_sentence({"proxy": "ALLOW"}, "en")
