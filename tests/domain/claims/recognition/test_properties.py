"""What holds for every comment, whatever it says."""

import json
import random
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.claims.recognition import Intent, TrailKind, compile_context, normalise, recognize
from domain.claims.recognition.lexicon import WORDS

HERE = Path(__file__).parent
POSTS = {post["id"]: post for post in json.loads((HERE / "contexts.json").read_text("utf-8"))["contexts"]}
CONTEXTS = {name: compile_context(post) for name, post in POSTS.items()}
CASES = [json.loads(line) for line in (HERE / "dev.jsonl").read_text("utf-8").splitlines()]
ORDERS = [case for case in CASES if case["expect"]["intent"] == "ORDER" and not case["mentions"]]
PIECES = [
    *sorted(WORDS), "+", "+1", "+2", "-1", "x2", "紅", "白", "L", "M", "A1", "A10", "B1", "紅色", "瓦片", "1", "2", "38", "各", "每色", "@小明", "😍", "\n", "，", "。",
    "？", "！", "、", " ", "(", ")", "~", "$100", "3點", "12/25", "09", "https://a.tw", "\u200b", "＋１", "①", "\ud800", "ß", "İ", "๒", "的", "小明", "台中面交",
]  # fmt: skip
comments = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
names = st.sampled_from(sorted(CONTEXTS))
FAST = settings(max_examples=250, deadline=None, derandomize=True)


def read(case, text=None):
    """Recognise a case, or another text in its place."""
    return recognize(case["text"] if text is None else text, CONTEXTS[case["context"]])


@given(comments, names)
@settings(max_examples=700, deadline=None, derandomize=True)
def test_never_raises_and_is_deterministic(text, name):
    first = recognize(text, CONTEXTS[name])
    assert recognize(text, CONTEXTS[name]) == first
    assert json.dumps(first.to_json())


@given(comments, names)
@settings(max_examples=500, deadline=None, derandomize=True)
def test_spans_lie_in_the_text_and_equal_their_slice(text, name):
    result = recognize(text, CONTEXTS[name])
    for entry in result.trail:
        start, end = entry.span
        assert 0 <= start < end <= len(text)
        assert entry.text == text[start:end]
    if result.lines:
        assert any(entry.kind in (TrailKind.QTY, TrailKind.OP) for entry in result.trail)


@given(st.text(max_size=80))
@FAST
def test_normalise_is_idempotent(text):
    assert normalise(normalise(text)) == normalise(text)


def test_normalise_is_idempotent_on_every_code_point():
    for code in (*range(0x20000), *range(0x2F800, 0x2FA20), *range(0xE0000, 0xE0200)):
        once = normalise(chr(code))
        assert normalise(once) == once


@given(comments, names, st.randoms(use_true_random=False))
@FAST
def test_the_order_of_offers_is_irrelevant(text, name, chance):
    post = dict(POSTS[name])
    offers = list(post["offers"])
    chance.shuffle(offers)
    other = recognize(text, compile_context({**post, "offers": offers}))
    result = recognize(text, CONTEXTS[name])
    assert (other.intent, other.reason, other.scope, set(other.lines)) == (result.intent, result.reason, result.scope, set(result.lines))


_SYMBOLS = ("+", "加", "十")
_STRICT = sorted(
    name
    for name, post in POSTS.items()
    if post["policy"] in ("STRICT", "CONFIRM") and not post["trigger_words"] and post["trigger_symbols"] == ["+"]
)


@given(comments, st.sampled_from(_STRICT))
@settings(max_examples=600, deadline=None, derandomize=True)
def test_without_the_symbol_strict_and_confirm_never_order(text, name):
    normal = normalise(text)
    for symbol in _SYMBOLS:
        text = "".join(char for char in text if symbol not in normalise(char))
        normal = normalise(text)
    assert not any(symbol in normal for symbol in _SYMBOLS)
    assert recognize(text, CONTEXTS[name]).intent not in (Intent.ORDER, Intent.AMEND)


def _wide(text):
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


@pytest.mark.parametrize("case", ORDERS, ids=lambda case: case["id"])
def test_form_and_courtesy_change_nothing(case):
    plain = read(case)
    same = [
        "".join(char + "\u200b" for char in case["text"]),
        case["text"] + "，謝謝老闆",
        case["text"] + " 感謝",
        "哈囉 " + case["text"],
    ]
    if "http" not in case["text"] and "@" not in case["text"]:
        same.append(_wide(case["text"]))
    if any(text in case["text"] for text in ("何時", "什麼")):
        same = same[:1] + same[3:]
    for text in same:
        again = read(case, text)
        assert (again.intent, set(again.lines)) == (plain.intent, set(plain.lines)), text


_ONE_CLAUSE = [case for case in ORDERS if not case["expect"]["question"] and not set(case["text"]) & set("\n,，。！!？?")]


@pytest.mark.parametrize("case", _ONE_CLAUSE, ids=lambda case: case["id"])
def test_a_question_mark_after_the_last_quantity_never_orders(case):
    end = max((entry.span[1] for entry in read(case).trail if entry.kind is TrailKind.QTY), default=len(case["text"]))
    assert read(case, case["text"][:end] + "？").intent not in (Intent.ORDER, Intent.AMEND)


@pytest.mark.parametrize("name", sorted(CONTEXTS))
def test_long_and_broken_texts_are_read(name):
    chance = random.Random(7)
    for text in (
        "\ud800" * 10,
        "+" * 5000,
        "9" * 100_000,
        "+" + "9" * 5000,
        "紅色+1 " * 4000,
        "幫" * 5000,
        "".join(chance.choice(PIECES) for _ in range(5000)),
    ):
        assert recognize(text, CONTEXTS[name]).intent in Intent


def test_from_shop_and_emoji_only():
    context = CONTEXTS["d-tee"]
    assert recognize("紅L+1", context, from_shop=True).reason == "FROM_SHOP"
    assert unicodedata.category("😍") == "So"
    assert recognize("😍", context).reason == "NO_TRIGGER"


@given(comments, names)
@settings(max_examples=700, deadline=None, derandomize=True)
def test_what_acts_has_lines_and_what_is_silent_has_none(text, name):
    result = recognize(text, CONTEXTS[name])
    if result.intent in (Intent.ORDER, Intent.AMEND) or result.scope == "LINES" or result.reason == "NEEDS_CONFIRMATION":
        assert result.lines
    else:
        assert not result.lines
    if result.intent is Intent.ORDER:
        assert {line.op for line in result.lines} == {"ADD"}


@pytest.mark.parametrize("case", _ONE_CLAUSE, ids=lambda case: case["id"])
def test_an_order_that_asks_about_taking_itself_back_never_orders(case):
    end = max((entry.span[1] for entry in read(case).trail if entry.kind is TrailKind.QTY), default=len(case["text"]))
    assert read(case, case["text"][:end] + "取消嗎").intent not in (Intent.ORDER, Intent.AMEND)


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), st.sampled_from(["取消", "不要了", "棄單"]), names)
@FAST
def test_a_cancel_word_in_a_sentence_that_asks_never_cancels_by_itself(text, word, name):
    one_sentence = "".join(char for char in text if char not in "\n。！!；;？?-減扣少不唔取棄嗎")
    result = recognize(f"{one_sentence} {word}嗎？", CONTEXTS[name])
    assert result.scope is None or result.lines or result.intent is not Intent.CANCEL
