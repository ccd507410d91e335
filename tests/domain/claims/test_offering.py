"""What is offered, computed from a stored result alone; and the names of suggestions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.claims.errors import BadChoice, OverLimit, SuggestionClosed
from domain.claims.offering import (
    MOST_CANDIDATES,
    Choice,
    Offer,
    SuggestionMode,
    most_of,
    offered,
    read_suggestion_id,
    suggestion_id,
    version_of,
    version_of_text,
    with_candidates,
)
from domain.claims.planning import text_hash
from domain.claims.recognition import Context, Op, compile_context, recognize
from domain.claims.suggestions import chosen
from domain.ids import new_id, public_id

A, B, C, D = (UUID(int=n) for n in range(1, 5))
CHOOSE, CONFIRM = SuggestionMode.CHOOSE, SuggestionMode.CONFIRM


def option(name: str, *values: str) -> dict[str, Any]:
    return {"name": name, "values": [{"key": v, "label": v, "aliases": []} for v in values]}


def offer_item(
    title: str, codes: list[str], variants: dict[str, dict[str, str]], options: list[dict[str, Any]], **more: Any
) -> dict[str, Any]:
    made = [{"id": name, "values": values, "code": None, "on_sale": True} for name, values in variants.items()]
    return {
        "id": title,
        "title": title,
        "codes": codes,
        "aliases": [],
        "on_sale": True,
        "max_qty": None,
        "options": options,
        "variants": made,
        **more,
    }


def shirt(**more: Any) -> dict[str, Any]:
    sizes = {f"{colour}{size}": {"顏色": colour, "尺寸": size} for colour in ("紅", "白") for size in "SML"}
    return offer_item("上衣", ["A1"], sizes, [option("顏色", "紅", "白"), option("尺寸", "S", "M", "L")], **more)


def context(*offers: dict[str, Any], **more: Any) -> Context:
    return compile_context({"policy": "CONFIRM", "trigger_symbols": ["+"], "max_qty": 9, "offers": list(offers), **more})


BAG = offer_item("包", ["C3"], {"bag": {}}, [])
SKIRT = offer_item("長裙", ["B2"], {"B2M": {"尺寸": "M"}, "B2L": {"尺寸": "L"}}, [option("尺寸", "M", "L")])


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("紅白L+1", ["紅L", "白L"]),
        ("我要紅L", ["紅L"]),
        ("我要上衣紅", ["紅S", "紅M", "紅L"]),
        ("紅白 S M 各+1", ["紅S", "紅M", "白S", "白M"]),
        ("每色+1", ["紅S", "紅M", "紅L", "白S", "白M", "白L"]),
        ("紅L+", ["紅L"]),
        ("紅+1", ["紅S", "紅M", "紅L"]),
        ("紅L+1 白M", ["紅L", "白M"]),
    ],
)
def test_the_words_say_which_variants_are_possible(text: str, candidates: list[str]) -> None:
    post = context(shirt())
    assert list(with_candidates(recognize(text, post), post).candidates) == candidates


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("A1、B2+1", ["紅S", "紅M", "紅L", "白S", "白M", "白L", "B2M", "B2L"]),
        ("我要 C3 和 A1紅L", ["bag", "紅L"]),
        ("M+1", ["紅M", "白M", "B2M"]),
        ("我要長裙", ["B2M", "B2L"]),
        ("+", ["紅S", "紅M", "紅L", "白S", "白M", "白L", "B2M", "B2L", "bag"]),
    ],
)
def test_several_offers(text: str, candidates: list[str]) -> None:
    post = context(shirt(), SKIRT, BAG)
    found = with_candidates(recognize(text, post), post)
    assert sorted(found.candidates) == sorted(candidates)


def test_the_item_shown_now_narrows_what_names_none() -> None:
    post = context(shirt(), SKIRT, focus="長裙")
    assert with_candidates(recognize("我要M", post), post).candidates == ("B2M",)
    assert with_candidates(recognize("我要上衣M", post), post).candidates == ("紅M", "白M")


def test_what_is_not_on_sale_is_not_possible() -> None:
    post = context(shirt(on_sale=False), SKIRT)
    assert with_candidates(recognize("M+1", post), post).candidates == ("B2M",)


@pytest.mark.parametrize("text", ["紅L+1", "紅L1件", "還有嗎", "酒紅L+1", "好美", "紅L+99", "+1~2"])
def test_other_results_stay_as_they_were_read(text: str) -> None:
    post = context(shirt())
    read = recognize(text, post)
    assert with_candidates(read, post) is read


def result(
    reason: str = "MISSING_OPTION", candidates: tuple[UUID, ...] = (A, B), trail: tuple[tuple[str, str], ...] = (), **more: Any
) -> dict[str, Any]:
    entries = [{"kind": kind, "span": [0, 1], "text": value, "value": value} for kind, value in trail]
    return {"intent": "AMBIGUOUS", "lines": [], "reason": reason, "candidates": [str(c) for c in candidates], "trail": entries, **more}


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (result(), Offer(CHOOSE, (Choice(A, Op.ADD, 1), Choice(B, Op.ADD, 1)))),
        (result(trail=(("ITEM", "紅"), ("QTY", "3"))), Offer(CHOOSE, (Choice(A, Op.ADD, 3), Choice(B, Op.ADD, 3)))),
        (result(trail=(("QTY", "2"), ("QTY", "2"))), Offer(CHOOSE, (Choice(A, Op.ADD, 2), Choice(B, Op.ADD, 2)))),
        (result(trail=(("QTY", "2"), ("QTY", "3"))), Offer(CHOOSE, (Choice(A, Op.ADD, 1), Choice(B, Op.ADD, 1)))),
        *((result(trail=(("QTY", odd),)), Offer(CHOOSE, (Choice(A, Op.ADD, 1), Choice(B, Op.ADD, 1)))) for odd in ("", "0", "1.5", "9" * 7, "٣", "-1")),
        (result("MISSING_QUANTITY", (C,)), Offer(CHOOSE, (Choice(C, Op.ADD, 1),))),
        (result(trail=(("OP", "改"),)), None),
        (result(candidates=()), None),
        (result(candidates=tuple(UUID(int=n) for n in range(MOST_CANDIDATES + 1))), None),
        (result("UNKNOWN_ITEM"), None),
        (result("AMBIGUOUS_QUANTITY"), None),
        ({"intent": "NONE", "lines": [], "reason": None, "candidates": [], "trail": []}, None),
        ({}, None),
        (
            result("NEEDS_CONFIRMATION", lines=[{"variant": str(D), "op": "SET", "qty": 2}, {"variant": str(A), "op": "REMOVE", "qty": None}]),
            Offer(CONFIRM, (Choice(D, Op.SET, 2), Choice(A, Op.REMOVE, None))),
        ),
    ],
)  # fmt: skip
def test_the_offer_of_a_stored_result(stored: dict[str, Any], expected: Offer | None) -> None:
    assert offered(stored) == expected


UUIDS = {name: new_id() for name in ("紅S", "紅M", "紅L", "白S", "白M", "白L")}
SHIRT = context(offer_item("上衣", ["A1"], {str(UUIDS[n]): {"顏色": n[0], "尺寸": n[1]} for n in UUIDS}, shirt()["options"]))
GONE = context(offer_item("上衣", [], {str(UUIDS["紅S"]): {}}, [], on_sale=False))


def test_a_removal_of_all_needs_no_sale_and_no_quantity() -> None:
    offer = Offer(CONFIRM, (Choice(UUIDS["紅S"], Op.REMOVE, None),))
    (line,) = chosen(offer, None, GONE, A)
    assert (line.variant, line.op, line.qty) == (str(UUIDS["紅S"]), Op.REMOVE, None)
    with pytest.raises(BadChoice):
        chosen(offer, [(UUIDS["紅S"], 1)], GONE, A)


def test_what_is_not_sold_now_is_closed() -> None:
    assert most_of(GONE, UUIDS["紅S"]) is None
    assert most_of(GONE, UUIDS["白L"]) is None
    for missing in ("紅S", "白L"):
        with pytest.raises(SuggestionClosed):
            chosen(Offer(CHOOSE, (Choice(UUIDS[missing], Op.ADD, 1),)), None, GONE, A)


names = st.sampled_from(sorted(UUIDS))


@given(offer=st.sets(names, min_size=1), lines=st.none() | st.lists(st.tuples(names, st.integers(-2, 12)), max_size=4))
def test_only_choices_within_the_limits_are_ever_taken(offer: set[str], lines: list[tuple[str, int]] | None) -> None:
    given_lines = None if lines is None else [(UUIDS[name], n) for name, n in lines]
    on_offer = Offer(CHOOSE, tuple(Choice(UUIDS[name], Op.ADD, 2) for name in sorted(offer)))
    try:
        taken = chosen(on_offer, given_lines, SHIRT, A)
    except (BadChoice, OverLimit):
        return
    assert {UUID(line.variant) for line in taken} <= {choice.variant_id for choice in on_offer.choices}
    assert all(line.qty is not None and 1 <= line.qty <= 9 for line in taken)
    assert sum(line.qty or 0 for line in taken) == (2 if lines is None else sum(n for _, n in lines))


# --- names -----------------------------------------------------------------------------------------------------------------------


def test_an_id_names_the_claim_and_the_text() -> None:
    claim, version = new_id(), version_of_text("紅1個")
    name = suggestion_id(claim, version)
    assert read_suggestion_id(name) == (claim, version)
    assert name != suggestion_id(claim, version_of_text("紅2個"))
    assert version == version_of(text_hash("紅1個"))
    assert version_of("") == "0" * 16


@pytest.mark.parametrize(
    "text",
    [
        "",
        "suggestion_",
        "suggestion_x",
        public_id("claim", A),
        public_id("suggestion", A),
        "suggestion_" + "é" * 32,
        "suggestion_" + "*" * 32,
        "suggestion_" + "+" * 32,
    ],
)
def test_other_texts_are_no_ids(text: str) -> None:
    assert read_suggestion_id(text) is None


@given(st.text())
def test_no_text_makes_reading_an_id_fail(text: str) -> None:
    assert read_suggestion_id(text) is None
    found = read_suggestion_id("suggestion_" + text)
    assert found is None or suggestion_id(*found) == "suggestion_" + text
