"""What buyers are told works where they are told it."""

from __future__ import annotations

import re

import pytest

from domain.claims.recognition import Intent, compile_context, recognize
from domain.posts.policy import Reading
from domain.posts.screens import rule_sentence
from domain.words import LANGUAGES

EXAMPLE = re.compile("[「“]([^」”]{2,})[」”]")


@pytest.mark.parametrize(("language", "red"), [("zh-TW", "紅色"), ("zh-HK", "紅色"), ("zh-CN", "红色")])
@pytest.mark.parametrize("reading", Reading)
def test_the_examples_of_a_rule_are_orders_under_it(language: str, red: str, reading: Reading) -> None:
    option = {"name": "色", "values": [{"key": "red", "label": red}, {"key": "white", "label": "白色"}]}
    variants = [{"id": key, "values": {"色": key}, "code": None, "on_sale": True} for key in ("red", "white")]
    offer = {
        "id": "o",
        "title": "瓦片",
        "codes": [],
        "aliases": [],
        "on_sale": True,
        "max_qty": None,
        "options": [option],
        "variants": variants,
    }
    context = compile_context({"id": "p", "policy": reading.value, "trigger_symbols": ["+"], "max_qty": 9, "offers": [offer]})
    *orders, proxy = EXAMPLE.findall(rule_sentence({"reading": reading.value, "proxy": "ALLOW"}, language))
    assert len(orders) == (2 if reading is Reading.LENIENT else 1)
    for text in orders:
        read = recognize(text, context)
        assert (read.intent, [(line.variant, line.qty) for line in read.lines]) == (Intent.ORDER, [("red", 1)])
    assert recognize(proxy, context).beneficiary == (1, 3)  # whom it is for


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_rule_has_a_sentence_for_each_part(language: str) -> None:
    short = rule_sentence({}, language)
    whole = rule_sentence({"per_buyer_max": 3, "per_buyer_window_hours": 24, "hold_minutes": 2880, "proxy": "ALLOW"}, language)
    parts = re.findall(r"[^。.]+(?:。|\.(?: |$))", whole)
    assert len(parts) == 6
    assert len(whole) > len(short)
    assert "{" not in whole


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (1440, {"zh-TW": "1 天", "zh-HK": "1 日", "zh-CN": "1 天", "en": "1 day;"}),
        (2880, {"zh-TW": "2 天", "zh-HK": "2 日", "zh-CN": "2 天", "en": "2 days;"}),
        (60, {"zh-TW": "1 小時", "zh-HK": "1 小時", "zh-CN": "1 小时", "en": "1 hour;"}),
        (90, {"zh-TW": "90 分鐘", "zh-HK": "90 分鐘", "zh-CN": "90 分钟", "en": "90 minutes;"}),
    ],
)
def test_a_time_is_said_in_its_language(minutes: int, said: dict[str, str]) -> None:
    for language, time in said.items():
        assert time in rule_sentence({"hold_minutes": minutes}, language)
