"""Every phrase of the code stands in every catalogue, and nothing else does."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from domain.words import CHINA, ENGLISH, HONG_KONG, LANGUAGES, TAIWAN, say
from domain.words.catalogues import LOCALES, catalogue, path_of
from domain.words.extracting import HAN, PLACE, Unpaired, phrases

ROOT = Path(__file__).parents[3]
TO_DO = "\nRun `make catalogues`, then fill in the words of Hong Kong and China (docs/words.md): domain/words/*/LC_MESSAGES/plusone.po"
TRANSLATED = tuple(LOCALES)


@cache
def said() -> dict[str, set[str]]:
    """English: its Taiwanese, as pybabel finds them by `babel.cfg`."""
    with (ROOT / "domain" / "words" / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    found: dict[str, set[str]] = defaultdict(set)
    for folder in ("api", "domain"):  # the other folders are not in the mapping: not worth walking
        under = [(pattern.removeprefix(f"{folder}/"), method) for pattern, method in methods if pattern.startswith(f"{folder}/")]
        choices = {pattern.removeprefix(f"{folder}/"): option for pattern, option in options.items()}
        for _, _, msgid, comments, _ in extract_from_dir(ROOT / folder, under, choices):
            assert isinstance(msgid, str)
            found[msgid].update(comment.removeprefix("zh-TW: ") for comment in comments)
    return found


@cache
def messages(language: str) -> Catalog:
    with path_of(language).open("rb") as file:
        return read_po(file)


def texts(language: str) -> Iterator[tuple[Message, str]]:
    for message in messages(language):
        if message.id:
            assert isinstance(message.string, str), "no plurals: write one phrase for one and one for several"
            yield message, message.string


def test_the_code_speaks() -> None:
    assert len(said()) > 120


def test_one_english_phrase_is_one_taiwanese_phrase() -> None:
    several = {english: taiwanese for english, taiwanese in said().items() if len(taiwanese) > 1}
    assert several == {}, "the English is a phrase's name in the catalogues: word it differently in one of these places"


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_phrase_is_in_the_catalogue_and_nothing_else(language: str) -> None:
    there = {message.id for message, _ in texts(language)}
    assert sorted(said().keys() - there) == [], f"not in the catalogue of {language}.{TO_DO}"
    assert sorted(there - said().keys()) == [], f"no longer in the code.{TO_DO}"
    assert messages(language).obsolete == {}


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_phrase_has_its_words(language: str) -> None:
    empty = [message.id for message, text in texts(language) if not text.strip() or message.fuzzy]
    assert empty == [], f"without words in {language}.{TO_DO}"
    assert {message.id: text for message, text in texts(language)} == dict(catalogue(language))


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_same_facts_stand_in_every_language(language: str) -> None:
    for message, text in texts(language):
        assert sorted(PLACE.findall(text)) == sorted(PLACE.findall(message.id)), message.id
        assert "{" not in PLACE.sub("", text) + PLACE.sub("", message.id), message.id
        assert (text[0].isspace(), text[-1].isspace()) == (message.id[0].isspace(), message.id[-1].isspace())


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_taiwanese_of_the_code_stands_in_the_catalogues(language: str) -> None:
    """As a note in each, and as the words themselves in Taiwan's."""
    for message, text in texts(language):
        (taiwanese,) = said()[message.id]
        assert message.auto_comments == [f"zh-TW: {taiwanese}"], f"the code says it differently now: look at {message.id!r}.{TO_DO}"
        if language == TAIWAN:
            assert text == taiwanese, TO_DO
            assert say((taiwanese, message.id), language) == taiwanese


ELSEWHERE = {
    TAIWAN: "店鋪 店舖 截單 帖文 帖子 軟件 短信",
    HONG_KONG: "賣場 品項 貼文 帳號 結單 您 「品項",
    CHINA: "卖场 品项 贴文 帐号 结单 留言 登入 「 」",
}
CHARACTERS = {TAIWAN: "big5", HONG_KONG: "big5hkscs", CHINA: "gb2312"}


@pytest.mark.parametrize("language", TRANSLATED)
def test_words_are_those_of_the_place(language: str) -> None:
    for message, text in texts(language):
        text.replace("×", "").encode(CHARACTERS[language])  # the characters that are written there
        assert [word for word in ELSEWHERE[language].split() if word in text] == [], message.id


def of_buyers(path: Path) -> bool:
    """Files that read what buyers write, or that show what nobody is told."""
    name = path.relative_to(ROOT).as_posix()
    return name.startswith(("domain/claims/recognition/", "domain/migrations/")) or name in {
        "domain/claims/pasted.py", "domain/members/claim_codes.py", "api/schema/descriptions.py",
    }  # fmt: skip


def is_chinese(text: str) -> bool:
    """Not an English text that quotes a Chinese word."""
    return len(re.findall("[A-Za-z]", text)) < 10 * len(HAN.findall(text))


def test_no_chinese_is_said_past_the_catalogues() -> None:
    """A text in Chinese is half of a pair; `"..." if chinese else "..."` would be one that Hong Kong and China never get."""
    lost = []
    for path in sorted([*(ROOT / "api").rglob("*.py"), *(ROOT / "domain").rglob("*.py"), *(ROOT / "workers").rglob("*.py")]):
        if of_buyers(path):
            continue
        source = path.read_text()
        tree = ast.parse(source)
        known = {text for phrase in phrases(source) for text in (phrase.chinese, phrase.english)}
        silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        described = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "description"}
        lost += [
            f"{path.relative_to(ROOT)}:{node.lineno} {node.value!r}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and is_chinese(node.value)
            if id(node) not in silent | described and node.value not in known
        ]
    assert lost == [], 'write it as a pair, ("中文", "English"), and say it with domain.words.say'


def test_every_language_of_a_phrase_is_said() -> None:
    pair = ("庫存不足。", "There is not enough stock.")
    assert [say(pair, language) for language in LANGUAGES] == ["庫存不足。", "存貨不足。", "库存不足。", "There is not enough stock."]
    assert say(("新的", "Something of tomorrow"), HONG_KONG) == "新的"
    assert say(("{lines}", "{lines}"), CHINA) == "{lines}"


TABLES = 'ZH = {A: ("甲 {x}", "{x}"), B: ("乙",)}\nEN = {A: ("a {x}", "{x}"), B: ("b",)}\n'


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (TABLES, [("甲 {x}", "a {x}"), ("乙", "b")]),
        ('x = {"A": ("庫存不足", "Not enough"), "B": ("{x}：{y}", "{x}: {y}")}', [("庫存不足", "Not enough")]),
        ('x = ("缺少 @idempotent 的 key。", "The key of @idempotent is missing.")', [("缺少 @idempotent 的 key。", "The key of @idempotent is missing.")]),
        ("x = ('例如「幫小美+1」。', 'Such as the Chinese of it: \"幫小美+1\".')", [("例如「幫小美+1」。", 'Such as the Chinese of it: "幫小美+1".')]),
        ('x = ("上" "下", "up and " "down")', [("上下", "up and down")]),
        ('x = ("訂單 {number}", "請開啟 App 確認")', []),
        ('x = ("{shop}：候補", "{shop}")', []),
        ('x = ("甲", "a", 1)', []),
        ('"""("甲", "a")"""', []),
    ],
)  # fmt: skip
def test_phrases_are_found(source: str, found: list[tuple[str, str]]) -> None:
    assert [(phrase.chinese, phrase.english) for phrase in phrases(source)] == found


@pytest.mark.parametrize(
    "source", [TABLES.replace('("b",)', '("b", "c")'), TABLES.replace("B: (\"b\",)", "C: (\"b\",)"), TABLES.partition("\n")[0]]
)  # fmt: skip
def test_tables_that_do_not_match_are_refused(source: str) -> None:
    with pytest.raises(Unpaired):
        list(phrases(source))


LAZY = """
import sys, importlib
for name in ("api.app", "workers.main", "plusone.cli", "plusone.processes"):
    importlib.import_module(name)
from api.notifications.messages import push_text
from domain.notices.rules import NoticeKind
from domain.words import say
assert push_text(NoticeKind.ORDER_PLACED, {}, "zh-TW").title and push_text(NoticeKind.ORDER_PLACED, {}, "en").title
assert not any(name.partition(".")[0] == "babel" for name in sys.modules)
assert push_text(NoticeKind.ORDER_PLACED, {}, "zh-HK").title
assert "babel.messages.pofile" in sys.modules
"""


def test_a_start_does_not_pay_for_catalogues() -> None:
    done = subprocess.run([sys.executable, "-c", LAZY], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_catalogues_are_written_by_make() -> None:
    """The targets of the Makefile that the messages here name, and where it writes."""
    rule = re.search(r"^catalogues:.*\n((?:\t.*\n|  .*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert rule is not None
    assert all(word in rule[1] for word in ("extract", "update", "domain/words/babel.cfg", "domain.words.extracting"))
    assert [path_of(language).is_file() for language in TRANSLATED] == [True] * 3
    assert ENGLISH not in LOCALES
