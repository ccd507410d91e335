"""The script keeps the rules that make its outcomes independent of the order in which its deliveries are worked on."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from domain.claims.rules import ClaimOutcome, Shortage
from domain.claims.rules import Reading as PolicyReading
from plusone.demo.expect import buyer_of, expected
from plusone.demo.goods import SHOPS
from plusone.demo.people import MEMBERS, SHOP, STRANGER
from plusone.demo.places import PLACES
from plusone.demo.record import record
from plusone.demo.script import Act, ScriptError, _read, last_lines, script, spoken

GOODS = {(shop.handle, key): goods for shop in SHOPS for key, goods in shop.goods().items()}


def test_the_evening_is_as_large_as_it_should_be():
    lines = script()
    assert len(spoken(lines)) >= 420
    assert len(SHOPS) == 3
    assert sum(len(shop.posts) for shop in SHOPS) == 6
    assert len({line.who for line in lines if line.by_person}) >= 60
    assert len(MEMBERS) == 15
    assert 390 <= len(record()) <= 450


def test_every_outcome_and_every_way_to_read_is_in_it():
    wanted = {(line.outcome, line.reason) for line in last_lines(script()).values()}
    assert {outcome for outcome, _ in wanted} == set(ClaimOutcome) - {ClaimOutcome.DUPLICATE}
    assert {reason for _, reason in wanted} >= {
        "INSUFFICIENT_STOCK", "OVER_LIMIT", "CLOSED", "LATE", "NOT_FOR_SALE", "NO_AUTHOR", "FROM_SHOP", "REMOVED", "EDITED_TO_QUESTION",
        "LOOKS_LIKE_QUESTION", "UNKNOWN_ITEM", "NEEDS_CONFIRMATION", "QUESTION", "REDUCED", "NOTHING_TO_CANCEL",
    }  # fmt: skip
    policies = [post.policy for shop in SHOPS for post in shop.posts]
    assert {policy.reading for policy in policies} == set(PolicyReading)
    assert {policy.shortage for policy in policies} == {Shortage.PARTIAL_WAITLIST, Shortage.REJECT_LINE}
    assert {shop.currency for shop in SHOPS} == {"TWD", "HKD"}
    acts = Counter(line.act for line in script())
    assert min(acts[act] for act in Act) >= 2
    assert {line.media for line in script()} == {"", "sticker", "photo"}
    assert {STRANGER, SHOP} <= {line.who for line in script()}


def test_no_two_acts_of_a_place_share_an_instant():
    """Facebook and Telegram tell seconds only, so within one of them the order of arrival would decide."""
    instants = Counter(
        (line.place.key, line.at_ms if line.place.endpoint.source in ("line", "generic") else line.at_ms // 1000) for line in script()
    )
    assert [key for key, count in instants.items() if count > 1] == []


def test_what_runs_short_is_sold_in_one_place_only():
    places: dict[tuple[str, str], set[str]] = defaultdict(set)
    held: Counter[tuple[str, str]] = Counter()
    short = {(line.place.shop, key) for line in script() for key in line.waiting}
    for line in script():
        for key, count in line.held.items():
            places[line.place.shop, key].add(line.place.key)
            held[line.place.shop, key] += count
    short |= {key for key, count in held.items() if count == GOODS[key].supply}
    assert len(short) >= 10
    assert {key: found for key, found in places.items() if key in short and len(found) > 1} == {}


def test_never_more_is_held_than_there_is():
    held: Counter[tuple[str, str]] = Counter()
    for line in script():
        # Pieces that waited first are held later than their line, when somebody gave them back.
        for key, count in line.held.items():
            held[line.place.shop, key] += count
    assert {key: (count, GOODS[key].supply) for key, count in held.items() if count > GOODS[key].supply} == {}
    waiting = {(buyer[0], key) for buyer, key in expected(()).waiting}
    assert {key for key in waiting if held[key] < GOODS[key].supply} == set(), "somebody waits although there is one left"


def test_whoever_gives_everything_back_shops_in_one_place_only():
    """Whether the next piece opens a new order would otherwise depend on which place is worked on first."""
    places: dict[object, set[str]] = defaultdict(set)
    pieces: Counter[object] = Counter()
    emptied = set()
    for line in script():
        if not line.by_person:
            continue
        buyer = buyer_of(line)
        places[buyer].add(line.place.key)
        pieces[buyer] += sum(line.held.values())
        if any(count < 0 for count in line.held.values()) and pieces[buyer] == 0:
            emptied.add(buyer)
    assert len(emptied) >= 5
    assert [buyer for buyer in emptied if len(places[buyer]) > 1] == []


def test_whoever_waits_changes_nothing_about_it():
    """Whether the pieces had come by then would decide what the buyer is told."""
    waited: set[tuple[object, str]] = set()
    for line in script():
        if line.by_person:
            taken_back = {(buyer_of(line), key) for key, count in (*line.held.items(), *line.waiting.items()) if count < 0}
            assert not taken_back & waited, line.event
            waited |= {(buyer_of(line), key) for key in line.waiting}
            if "waited" in line.options:
                waited |= {(buyer_of(line), key) for key in line.held}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("0:12 | 林小美 | +1 | ORDERED | T+1", "no time"),
        ("00:12 | 林小美 | +1 | SOLD | T+1", "SOLD"),
        ("00:12 | 林小美 | +1 | ORDERED | T1", "no pieces"),
        ("00:12 | 林小美 | edit nobody: +2 | ORDERED | T+1", "nobody"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(row: str, problem: str):
    with pytest.raises(ScriptError, match=f"amei_line.txt, row 2.*{problem}"):
        _read(PLACES["amei_line"], f"# a script\n{row}\n")
