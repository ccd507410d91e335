"""The words of a push: every kind, every language, any missing fact."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.notifications.messages import BODY_CHARS, EN, TITLE_CHARS, ZH, deep_link, push_text
from domain.notices.rules import NoticeKind
from domain.words import LANGUAGES

ORDER, PICKUP = UUID(int=5), UUID(int=6)
LINES = [{"title": "芒果禮盒", "label": "M", "quantity": 2}, {"title": "鳳梨酥", "label": "", "quantity": 1}]
FACTS: dict[str, Any] = {
    "shopName": "小芳團購",
    "orderId": str(ORDER),
    "orderNumber": "1001-7",
    "lines": LINES,
    "waiting": [{"title": "芒果禮盒", "label": "L", "quantity": 3}],
    "totalMinor": 1180,
    "paidMinor": 1180,
    "dueMinor": 590,
    "payBy": "2026-11-24T08:00:00+00:00",
    "timeZone": "Asia/Taipei",
    "currency": "TWD",
    "postTitle": "夏季芒果團",
    "place": "中山站 2 號出口",
    "reason": "CLOSED",
    "pickupId": str(PICKUP),
    "title": "颱風停班",
    "body": "今天不取貨，明天照常。",
}


def test_every_kind_has_words_in_both_languages() -> None:
    assert set(ZH) == set(EN) == set(NoticeKind)


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.parametrize("locale", LANGUAGES)
def test_full_facts_and_none_both_make_a_push(kind: NoticeKind, locale: str) -> None:
    for data in (FACTS, {}):
        text = push_text(kind, data, locale)
        assert 0 < len(text.title) <= TITLE_CHARS
        assert 0 < len(text.body) <= BODY_CHARS
        assert text.deep_link.startswith("plusone://")
        assert "{" not in text.title + text.body


def test_words_by_example() -> None:
    def body(kind: NoticeKind, locale: str = "zh-TW") -> str:
        return push_text(kind, FACTS, locale).body

    assert push_text(NoticeKind.ORDER_PLACED, FACTS, "zh-TW").title == "小芳團購：+1 成功"
    assert body(NoticeKind.ORDER_PLACED) == "芒果禮盒 M ×2、鳳梨酥 ×1 · 訂單 1001-7 · 目前合計 NT$1,180"
    assert body(NoticeKind.ORDER_PARTIAL) == "已登記 芒果禮盒 M ×2、鳳梨酥 ×1 · 候補 芒果禮盒 L ×3 · 訂單 1001-7 · 目前合計 NT$1,180"
    assert body(NoticeKind.CLAIM_REJECTED) == "這篇貼文已經結單 · 夏季芒果團"
    assert body(NoticeKind.PICKUP_READY) == "訂單 1001-7 · 中山站 2 號出口 · 取貨時請出示 App 內的取貨碼"
    assert body(NoticeKind.PAYMENT_REMINDER) == "訂單 1001-7 · 應付 NT$590 · 請在 11/24 16:00 前付款，逾期商品會釋出"
    assert body(NoticeKind.PAYMENT_REMINDER, "en") == "Order 1001-7 · NT$590 to pay · Pay by 11/24 16:00, or the goods are given to others"
    assert body(NoticeKind.ORDER_PLACED, "en-GB") == "芒果禮盒 M ×2, 鳳梨酥 ×1 · Order 1001-7 · Total so far NT$1,180"
    assert push_text(NoticeKind.ANNOUNCEMENT, FACTS, "zh-TW").title == "小芳團購：颱風停班"
    assert body(NoticeKind.ANNOUNCEMENT) == "今天不取貨，明天照常。"
    assert body(NoticeKind.CLAIM_REJECTED, "zh-Hant-HK") == "這個帖文已截單 · 夏季芒果團"
    assert body(NoticeKind.CLAIM_REJECTED, "zh-CN") == "这个帖子已截单 · 夏季芒果團"
    assert body(NoticeKind.PAYMENT_REMINDER, "zh-MO") == "訂單 1001-7 · 應付 NT$590 · 請於 11/24 16:00 前付款，逾期貨品會釋出"
    assert body(NoticeKind.PAYMENT_REMINDER, "zh-SG") == "订单 1001-7 · 应付 NT$590 · 请在 11/24 16:00 前付款，逾期商品将释放"
    assert push_text(NoticeKind.WAITLISTED, FACTS, "zh_HK_#Hant").title == "小芳團購：已加入候補名單"
    assert push_text(NoticeKind.ANNOUNCEMENT, FACTS, "zh-CN").title == "小芳團購：颱風停班"


@pytest.mark.parametrize(
    ("locale", "title"),
    [
        ("zh-TW", "+1 成功"),
        ("zh-HK", "+1 成功"),
        ("zh-CN", "+1 成功"),
        ("", "+1 成功"),
        ("en", "Your +1 is in"),
        ("ja-JP", "Your +1 is in"),
    ],
)
def test_languages_and_their_fallbacks(locale: str, title: str) -> None:
    assert push_text(NoticeKind.ORDER_PLACED, {}, locale).title == title


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (0, "TWD", "NT$0"),
        (123456789, "TWD", "NT$123,456,789"),
        (12345, "HKD", "HKD 123.45"),
        (500, "JPY", "JPY 500"),
        (5, "XXX", ""),
        ("5", "TWD", ""),
    ],
)
def test_money_is_shown_in_the_shops_currency(minor: object, currency: str, shown: str) -> None:
    body = push_text(NoticeKind.PAYMENT_RECEIVED, {"paidMinor": minor, "currency": currency}, "en").body
    assert body == (shown or "Open the app for more")


def test_many_lines_are_cut_and_counted() -> None:
    data = {"lines": LINES * 3}
    assert push_text(NoticeKind.PICKED_UP, data, "zh-TW").body == "芒果禮盒 M ×2、鳳梨酥 ×1、芒果禮盒 M ×2 等 6 項"
    assert push_text(NoticeKind.PICKED_UP, data, "zh-CN").body == "芒果禮盒 M ×2、鳳梨酥 ×1、芒果禮盒 M ×2 等 6 项"
    assert push_text(NoticeKind.PICKED_UP, data, "en").body == "芒果禮盒 M ×2, 鳳梨酥 ×1, 芒果禮盒 M ×2 and more (6 in all)"


def test_what_a_shop_writes_is_never_read_as_a_phrase() -> None:
    data = {"shopName": "{number}", "orderNumber": "7", "lines": [{"title": "{total}{shop}", "quantity": 1}]}
    text = push_text(NoticeKind.ORDER_PLACED, data, "zh-TW")
    assert text.title == "{number}：+1 成功"
    assert text.body == "{total}{shop} ×1 · 訂單 7"


def test_who_took_back_more_than_there_was_reads_so() -> None:
    data = {"lines": [{"title": "瓦片", "quantity": 2}], "reason": "FEWER_HELD"}
    assert push_text(NoticeKind.LINES_CANCELLED, data, "zh-TW").body == "瓦片 ×2 · 您訂的比要取消的少，已全部取消"


def test_unknown_reasons_are_left_out() -> None:
    assert push_text(NoticeKind.ASK_BUYER, {"reason": "SOMETHING_NEW"}, "en").body == "Open the app to answer"


def test_a_tap_leads_to_the_pass_the_order_or_the_inbox() -> None:
    assert deep_link(NoticeKind.PICKUP_READY, FACTS) == "plusone://pickups/pickup_AAAAAAAAAAAAAAAAAAAABg"
    assert deep_link(NoticeKind.PICKED_UP, FACTS) == "plusone://orders/order_AAAAAAAAAAAAAAAAAAAABQ"
    assert deep_link(NoticeKind.ORDER_PLACED, {"orderId": "no uuid"}) == "plusone://notifications"


SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANYTHING = SCALAR | st.lists(SCALAR | st.dictionaries(st.sampled_from(["title", "label", "quantity"]), SCALAR), max_size=4)


@settings(max_examples=100)
@given(st.sampled_from(NoticeKind), st.dictionaries(st.sampled_from(sorted(FACTS)), ANYTHING), st.sampled_from([*LANGUAGES, "x"]))
def test_odd_facts_never_raise(kind: NoticeKind, data: dict[str, Any], locale: str) -> None:
    text = push_text(kind, data, locale)
    assert text.title
    assert text.body
