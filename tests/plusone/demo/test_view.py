"""What the demo shows, without a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from domain.claims.rules import ClaimOutcome
from plusone.demo.expect import ShopFigures
from plusone.demo.script import last_lines, script
from plusone.demo.view import OUTCOME, REASON, Door, Row, how_to_go_on, queries, say, totals


def test_every_outcome_and_reason_of_the_evening_has_words():
    wanted = list(last_lines(script()).values())
    assert set(ClaimOutcome) == set(OUTCOME)
    assert {line.reason for line in wanted if line.reason} - set(REASON) == set()


def test_a_row_names_who_said_what_and_what_came_of_it():
    line = next(line for line in script() if line.who == "林小美" and line.place.key == "amei_page")
    cells = Row(line, "ORDERED", "", "1121-ABCDEF", "愛文芒果禮盒 59").cells()
    assert cells == ("19:30:15", "FB 粉專", "阿美團購", "林小美", "A+1", "成立 ORDERED", "1121-ABCDEF", "愛文芒果禮盒 59")


def test_outside_of_a_terminal_lines_are_plain_and_whole():
    out = io.StringIO()
    console = Console(file=out, width=40)
    say(console, "長" * 60, "red")
    totals(console, {"amei": ShopFigures(1, 2, 1360, 3, 4, 2), "island": ShopFigures(), "gangdo": ShopFigures(money_minor=12345)})
    lines = out.getvalue().splitlines()
    assert lines[0] == "長" * 60
    assert (
        lines[1]
        == "賣場 shop 阿美團購, 訂單 orders 1, 件數 pieces 2, 金額 money TWD 1,360, 候補 waiting 3, 待人工 review 4, 偽造被拒 forged 2"
    )
    assert "HKD 123.45" in lines[3]


def test_three_questions_each_are_offered_to_paste():
    out = io.StringIO()
    door = Door("http://127.0.0.1:8000", "b", "s", "c", "shop_1", "post_1")
    how_to_go_on(Console(file=out, width=80), door)
    assert [who for who, _ in queries(door)] == ["BUYER"] * 3 + ["SELLER"] * 3
    assert out.getvalue().count("curl -s $API") == 6
    assert 'shop(id: \\"shop_1\\")' in out.getvalue()
