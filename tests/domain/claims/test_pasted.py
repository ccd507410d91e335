"""What a seller may paste, and what is made of it."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.claims.pasted import LONGEST_COMMENT, MOST_COMMENTS, PastedComment, UnusablePaste, instants, read_paste

EIGHT = datetime(2026, 11, 21, 20, 0, tzinfo=ZoneInfo("Asia/Taipei"))
P = PastedComment


@pytest.mark.parametrize(
    ("text", "comments"),
    [
        ("+1\n\n 紅+2 \r\n", [P("+1"), P("紅+2")]),
        ("\ufeff+1", [P("+1")]),
        ("小美: +1\n阿花：紅 +2", [P("+1", "小美"), P("紅 +2", "阿花")]),
        ("小美:+1\n小美 : 白+1\n好可愛", [P("+1", "小美"), P("白+1", "小美"), P("好可愛")]),
        ("尺寸: L+1\n+1\n+2", [P("尺寸: L+1"), P("+1"), P("+2")]),
        ("小美: +1\n+2", [P("小美: +1"), P("+2")]),
        ("a: b: +1", [P("b: +1", "a")]),
        (f"{'長' * 41}: +1", [P(f"{'長' * 41}: +1")]),
        ("小美:\n: +1", [P("小美:"), P(": +1")]),
        ("20:05 小美 紅+1\n20:06 阿花 +2", [P("紅+1", "小美", time(20, 5)), P("+2", "阿花", time(20, 6))]),
        ("20:05\tAmy Chen\t+1\n9:06\t小美\t白 +2", [P("+1", "Amy Chen", time(20, 5)), P("白 +2", "小美", time(9, 6))]),
        ("下午08:05\t小美\t+1", [P("+1", "小美", time(20, 5))]),
        ("上午12:05\t小美\t+1", [P("+1", "小美", time(0, 5))]),
        ("8:05 PM 小美 +1", [P("+1", "小美", time(20, 5))]),
        ("20:05:59 小美 +1", [P("+1", "小美", time(20, 5))]),
        ("20:05 小美 +1\n20:06 阿花 +2\n第二行", [P("+1", "小美", time(20, 5)), P("+2", "阿花", time(20, 6)), P("第二行")]),
        ("24:05 小美 +1", [P("05 小美 +1", "24")]),
        ("20:61 小美 +1", [P("61 小美 +1", "20")]),
    ],
)  # fmt: skip
def test_each_form_is_read(text: str, comments: list[PastedComment]) -> None:
    assert read_paste(text) == comments


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no comment in it"),
        (" \n\t\r\n", "there is no comment in it"),
        ("+1\n" * (MOST_COMMENTS + 1), "at most 5,000 comments at once"),
        ("+1\n\n" + "字" * (LONGEST_COMMENT + 1), "line 3 is longer than 2,000 characters"),
    ],
)
def test_the_refusal_names_the_line_and_not_its_words(text: str, message: str) -> None:
    with pytest.raises(UnusablePaste) as refused:
        read_paste(text)
    assert str(refused.value) == message


def test_the_most_and_the_longest_are_taken() -> None:
    assert len(read_paste("+1\n" * MOST_COMMENTS)) == MOST_COMMENTS
    assert len(read_paste("字" * LONGEST_COMMENT)[0].text) == LONGEST_COMMENT


def test_times_go_on_over_midnight_and_never_back() -> None:
    comments = [P("a", "x", time(23, 58)), P("b"), P("c", "x", time(23, 58)), P("d", "x", time(0, 3)), P("e", "x", time(0, 3))]
    found = instants(comments, EIGHT)
    assert [f"{at:%d %H:%M:%S}" for at in found] == ["21 23:58:00", "21 23:58:01", "21 23:58:01", "22 00:03:00", "22 00:03:00"]


def test_without_times_a_comment_comes_every_second() -> None:
    assert instants([P("a"), P("b"), P("c")], EIGHT) == [EIGHT + timedelta(seconds=n) for n in range(3)]
    assert instants([], EIGHT) == []


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = read_paste(text)
    except UnusablePaste:
        assert not text.removeprefix("\ufeff").strip()
        return
    assert 0 < len(found) <= text.count("\n") + 1
    assert all(c.name is None or 0 < len(c.name) <= 40 for c in found)
    times = instants(found, EIGHT)
    assert times == sorted(times)
