"""Which language a reader gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.words import LANGUAGES, language_for, negotiate


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("zh-TW", "zh-TW"), ("zh-Hant", "zh-TW"), ("zh-Hant-TW", "zh-TW"), ("zh", "zh-TW"), ("ZH-tw", "zh-TW"), ("zh-Hant-MY", "zh-TW"),
        ("zh-HK", "zh-HK"), ("zh-MO", "zh-HK"), ("zh-Hant-HK", "zh-HK"), ("zh-Hant-MO", "zh-HK"), ("yue", "zh-HK"), ("yue-Hant", "zh-HK"),
        ("zh-CN", "zh-CN"), ("zh-Hans", "zh-CN"), ("zh-SG", "zh-CN"), ("zh-MY", "zh-CN"), ("zh-Hans-HK", "zh-CN"), ("yue-Hans", "zh-CN"),
        ("zh_TW", "zh-TW"), ("zh_HK", "zh-HK"), ("zh_TW_#Hant", "zh-TW"), ("zh_HK_#Hant", "zh-HK"), ("zh_CN_#Hans", "zh-CN"), ("zh_TW.UTF-8", "zh-TW"),
        ("cmn-Hans-CN", "zh-CN"), ("cmn-TW", "zh-TW"), ("zh-US", "zh-TW"),
        ("en", "en"), ("en-SG", "en"), ("en_GB", "en"), ("ja-JP", "en"), ("ms", "en"), ("zha", "en"), ("enm", "en"), ("x", "en"), ("-", "en"),
        ("", "zh-TW"), (" ", "zh-TW"),
    ],
)  # fmt: skip
def test_a_locale_has_one_language(locale: str, language: str) -> None:
    assert language_for(locale) == language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-TW", "zh-TW"),
        ("zh-HK,zh-Hant;q=0.9,zh;q=0.8,en;q=0.7", "zh-HK"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("en-US,en;q=0.9,zh-TW;q=0.8", "en"),
        ("en;q=0.5, zh-Hant-HK;q=0.8", "zh-HK"),
        ("en;q=0.5,zh-MO ; Q=0.5", "en"),
        ("zh-MO;q=0.5,en;q=0.5", "zh-HK"),
        ("ja,zh-TW;q=0.1", "zh-TW"),
        ("ja-JP,ko;q=0.5", "en"),
        ("ja,*;q=0.5", "en"),
        ("en;q=0,ms", "en"),
        ("zh-TW;q=0.3,en;q=0.300", "zh-TW"),
        ("zh-TW;q=1.0,en;q=1", "zh-TW"),
        ("", None),
        ("*", None),
        (" , ,", None),
        ("zh-TW;q=0", None),
        ("zh-TW;q=much", None),
        ("zh-TW;q=-1", None),
        ("zh-TW;q=nan", None),
        ("zh-TW;q=1e9", None),
        ("zh-TW;level=1", None),
        ("x" * 250 + ",zh-HK", "en"),
    ],
)
def test_a_header_asks_for_one_language(header: str, language: str | None) -> None:
    assert negotiate(header) == language


@given(st.text(alphabet="zhentwkcn-_;q=.0195*, \x00é", max_size=40))
def test_no_header_is_too_odd(header: str) -> None:
    assert negotiate(header) in (*LANGUAGES, None)
    assert language_for(header) in LANGUAGES
