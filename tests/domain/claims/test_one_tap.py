"""The corpus through the claims layer: chat stays free, orders stay exact, and one tap recalls what a loose reader would have taken.

Every comment of the developers' corpus is decided under CONFIRM and, beside it, under LENIENT, each alone at a fresh desk with stock enough.
A suggestion is then answered as its writer would: all lines of a confirmation, or the meant variants of a choice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest

from domain.claims import planning, suggestions
from domain.claims.desk import Claim, Comment, Desk, Level, Reading, ShopFacts, Turn
from domain.claims.offering import SuggestionMode, offered
from domain.claims.ports import EventKind, SocialEvent, SourcePlatform
from domain.claims.recognition import Intent, compile_context
from domain.claims.recognition.grading import load
from domain.claims.rules import ClaimOutcome, ClaimPolicy, Proxy, ReviewState
from domain.claims.rules import Reading as ReadingMode
from domain.ids import new_id
from domain.posts.queries import PostFacts, VariantFacts
from domain.posts.rules import DeliveryMethod, PostState
from tests.build import NOW

HERE = Path(__file__).parent / "recognition"
CASES, POSTS = load(HERE / "dev.jsonl", HERE / "contexts.json")
CONTEXTS = {post["id"]: post for post in POSTS}
SHOP = ShopFacts(new_id(), 1, "shop", "TWD", "zh-TW", "Asia/Taipei", 60)
Pieces = dict[UUID, int]


def key(variant: str) -> UUID:
    """The corpus names variants by words, the claims layer by UUIDs."""
    return uuid5(NAMESPACE_URL, variant)


def reading_of(post: Mapping[str, Any], mode: ReadingMode) -> Reading:
    """The post of the corpus, as the claims layer reads it under another policy."""
    offers = [{**offer, "variants": [{**v, "id": str(key(v["id"]))} for v in offer["variants"]]} for offer in post["offers"]]
    closes_at = datetime.fromisoformat(post["closes_at"]) if post["closes_at"] else None
    policy = ClaimPolicy(
        reading=mode, trigger_symbols=tuple(post["trigger_symbols"]), trigger_words=tuple(post["trigger_words"]),
        max_per_line=post["max_qty"], proxy=Proxy.ALLOW,
    )  # fmt: skip
    facts = PostFacts(
        uuid5(NAMESPACE_URL, post["id"]),
        SHOP.id,
        1,
        post["id"],
        PostState.OPEN,
        DeliveryMethod.PICKUP,
        None,
        closes_at,
        None,
        None,
        policy.stored(),
    )
    variants = {UUID(v["id"]): VariantFacts(UUID(v["id"]), offer["title"], "", 100) for offer in offers for v in offer["variants"]}
    return Reading(facts, policy, compile_context({**post, "offers": offers, "policy": mode.value}), variants)


READINGS = {(name, mode): reading_of(post, mode) for name, post in CONTEXTS.items() for mode in (ReadingMode.CONFIRM, ReadingMode.LENIENT)}


@dataclass
class Said:
    """One comment of the corpus, decided."""

    case: Mapping[str, Any]
    desk: Desk
    turn: Turn
    claim: Claim

    @property
    def pieces(self) -> Pieces:
        """What its writer holds."""
        held: Counter[UUID] = Counter()
        for line in self.desk.lines[self.turn.buyer_id]:
            held[line.variant_id] += line.quantity
        return dict(+held)

    def tap(self, meant: Pieces) -> None:
        """The writer answers the suggestion: yes to a confirmation, or what was meant of a choice; nothing where it is not offered."""
        offer = offered(self.claim.result)
        assert offer is not None
        lines = None
        if offer.mode is SuggestionMode.CHOOSE:
            lines = [(c.variant_id, meant[c.variant_id]) for c in offer.choices if c.variant_id in meant]
            if not lines:
                return
        suggestions.take(self.desk, self.turn, self.claim, suggestions.chosen(offer, lines, self.turn.reading.context, self.claim.id))


def said(case: Mapping[str, Any], mode: ReadingMode) -> Said:
    """Decide one comment at a fresh desk."""
    reading = READINGS[case["context"], mode]
    given = datetime.fromisoformat(case["at"]) if case["at"] else None
    at = given or (reading.facts.closes_at - timedelta(hours=1) if reading.facts.closes_at else NOW)
    mentions = [(start, end) for start, end in case["mentions"]] if case["mentions"] else None
    buyer, text = new_id(), case["text"]
    event = SocialEvent(
        EventKind.ADD, SourcePlatform.FACEBOOK_PAGE, "page", case["id"], text=text, mentions=mentions, occurred_at=at,
        is_owner=case["from_shop"],
    )  # fmt: skip
    comment = Comment(new_id(), case["id"], reading.facts.id, buyer, text, at, at, None)
    claim = Claim(
        new_id(), comment.id, reading.facts.id, buyer, ClaimOutcome.IGNORED, "", Intent.NONE.value, {}, planning.text_hash(text), None, None,
        ReviewState.NONE, at,
    )  # fmt: skip
    desk = Desk(SHOP, at, new_id, lambda: "1", readings={reading.facts.id: reading}, claims={comment.id: claim})
    desk.levels = {variant: Level(variant, 1000, 0, 0, 0) for variant in reading.variants}
    turn = Turn(comment, event, reading, buyer, at, at)
    planning.written(desk, turn, claim, planning.read(text, mentions, reading, given, from_shop=case["from_shop"]))
    return Said(case, desk, turn, claim)


def wanted_by(lines: list[Mapping[str, Any]]) -> Pieces:
    return {key(line["variant"]): line["qty"] for line in lines}


@dataclass
class Wish:
    """A comment whose writer wants pieces, and which."""

    case: Mapping[str, Any]
    meant: Pieces = field(default_factory=dict)


def wishes() -> Iterator[Wish]:
    """Comments labelled as orders or as orders to confirm; and those that no symbol makes an order, but a loose reader takes for one."""
    for case in CASES:
        label = case["expect"]
        adds = bool(label["lines"]) and all(line["op"] == "ADD" for line in label["lines"])
        if adds and (label["intent"] == "ORDER" or label["reason"] == "NEEDS_CONFIRMATION"):
            yield Wish(case, wanted_by(label["lines"]))
        elif label["reason"] == "NO_TRIGGER" and (pieces := said(case, ReadingMode.LENIENT).pieces):
            yield Wish(case, pieces)


WISHES = list(wishes())
ASKING = [
    c for c in CASES if c["expect"]["intent"] == "QUESTION" or c["expect"]["reason"] in ("NEGATED", "HYPOTHETICAL", "REPORTED", "FROM_SHOP")
]
NEAR = [c for c in CASES if c["expect"]["reason"] in ("MISSING_OPTION", "AMBIGUOUS_OPTION", "MISSING_ITEM", "MISSING_QUANTITY")]


def test_no_question_and_no_remark_orders_or_is_offered() -> None:
    assert len(ASKING) == 38
    outcomes = Counter(done.claim.outcome for case in ASKING for done in (said(case, ReadingMode.CONFIRM),) if not done.pieces)
    assert outcomes.keys() <= {ClaimOutcome.NEEDS_REVIEW, ClaimOutcome.IGNORED}
    assert outcomes.total() == len(ASKING)


def test_one_tap_recalls_at_least_what_a_loose_reader_takes() -> None:
    loose = {wish.case["id"] for wish in WISHES if said(wish.case, ReadingMode.LENIENT).pieces == wish.meant}
    at_once, after_one_tap = set(), set()
    for wish in WISHES:
        done = said(wish.case, ReadingMode.CONFIRM)
        if done.claim.outcome is ClaimOutcome.SUGGESTED:
            assert not done.pieces
            done.tap(wish.meant)
        else:
            at_once |= {wish.case["id"]} if done.pieces == wish.meant else set()
        after_one_tap |= {wish.case["id"]} if done.pieces == wish.meant else set()
    assert loose - after_one_tap == set()
    assert (len(WISHES), len(loose), len(at_once), len(after_one_tap)) == (175, 174, 146, 175)


def test_nothing_is_ordered_before_a_tap_but_what_the_symbol_orders() -> None:
    plain = {case["id"]: wanted_by(case["expect"]["lines"]) for case in CASES if case["expect"]["intent"] == "ORDER"}
    held = {case["id"]: pieces for case in CASES if (pieces := said(case, ReadingMode.CONFIRM).pieces)}
    assert {name: pieces for name, pieces in held.items() if plain.get(name) != pieces} == {}
    assert len(held) == 146


def test_what_a_loose_reader_leaves_to_a_person_is_mostly_one_tap_away() -> None:
    """Comments that miss an item, an option or a number: LENIENT orders none of them."""
    assert [case["id"] for case in NEAR if said(case, ReadingMode.LENIENT).pieces] == []
    asked = {case["id"] for case in NEAR if said(case, ReadingMode.CONFIRM).claim.outcome is ClaimOutcome.SUGGESTED}
    assert (len(NEAR), len(asked)) == (25, 23)
    assert sorted(case["text"] for case in NEAR if case["id"] not in asked) == ["-1", "改+2"]


@pytest.mark.parametrize("case", NEAR, ids=lambda case: case["id"])
def test_a_choice_fits_the_words_and_is_on_sale(case: Mapping[str, Any]) -> None:
    done = said(case, ReadingMode.CONFIRM)
    offer = offered(done.claim.result)
    if offer is None:
        assert done.claim.outcome is ClaimOutcome.NEEDS_REVIEW
        return
    context = done.turn.reading.context
    for choice in offer.choices:
        assert context.on_sale >> context.variants.index(str(choice.variant_id)) & 1
        assert choice.quantity is not None
        assert choice.quantity >= 1
