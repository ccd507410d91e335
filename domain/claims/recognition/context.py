"""One post, compiled once per version: contract section 1 (context) and section 5 (shop words)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any

from domain.claims.recognition import lexicon as lx
from domain.claims.recognition.normalise import normalise


class ShopWord:
    """What one shop word may stand for: per slot the variants it fits, one bit each; `mask` is the union.

    A slot is an option's name, or "" for an offer or one of its variants.
    """

    __slots__ = ("mask", "names_offer", "slots")

    def __init__(self) -> None:
        self.mask = 0
        self.slots: dict[str, int] = {}
        self.names_offer = False

    def add(self, slot: str, mask: int) -> None:
        """Let the word also stand for `mask`."""
        self.slots[slot] = self.slots.get(slot, 0) | mask
        self.mask |= mask
        self.names_offer = self.names_offer or not slot


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """One offer of the post: its variants as a mask, each option's values as masks."""

    id: str
    mask: int
    options: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """A compiled post; safe to share between threads."""

    policy: str
    variants: tuple[str, ...]
    limits: tuple[int, ...]
    on_sale: int
    offers: tuple[Offer, ...]
    offer_of: tuple[int, ...]
    focus: int
    closes_at: datetime | None
    single: bool
    plus: frozenset[str]
    has_plus: bool
    digit_word: bool
    words: Mapping[str, int | ShopWord]
    lengths: Mapping[str, tuple[int, ...]]
    option_names: Mapping[str, str]
    sparks: frozenset[str]
    triggers: bool


def _spellings(word: str) -> Iterable[str]:
    """A shop word with each of its blanks present or not (section 5)."""
    normal = normalise(word)
    if " " not in normal and "\n" not in normal:
        return (normal,)
    normal = " ".join(normal.split())
    parts = normal.split(" ")
    if len(parts) > 4:
        return (normal, "".join(parts))
    return [
        parts[0] + "".join(gap + part for gap, part in zip(gaps, parts[1:], strict=True))
        for gaps in product((" ", ""), repeat=len(parts) - 1)
    ]


class _Builder:
    """Collects the words of a post."""

    def __init__(self) -> None:
        self.shop: dict[str, ShopWord] = {}

    def add(self, word: str | None, slot: str, mask: int) -> None:
        if not word or not mask:
            return
        for spelling in _spellings(word):
            known = self.shop.get(spelling)
            if known is None:
                if not spelling:
                    continue
                known = self.shop[spelling] = ShopWord()
            known.add(slot, mask)


class _Variants:
    """All variants of a post; the place of each is its bit."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.ids: list[str] = []
        self.limits: list[int] = []
        self.offer_of: list[int] = []
        self.on_sale = 0

    def add(self, place: int, offer: Mapping[str, Any]) -> list[int]:
        """Those of one offer; answers their masks."""
        limit, bits = offer.get("max_qty"), []
        for variant in offer["variants"]:
            bits.append(1 << len(self.ids))
            if offer.get("on_sale", True) and variant.get("on_sale", True):
                self.on_sale |= bits[-1]
            self.ids.append(str(variant["id"]))
            self.limits.append(self.most if limit is None else limit)
            self.offer_of.append(place)
        return bits


_COLOURS = frozenset(map(normalise, ("顏色", "花色", "色")))


def _derived(option: str, labels: list[tuple[int, list[str]]]) -> list[tuple[int, str]]:
    """紅色 also as 紅 and 酒紅 also as 酒紅色, unless two values would share the word (section 5)."""
    if option not in _COLOURS:
        return []
    owners: dict[str, set[int]] = {}
    for place, words in labels:
        for word in words:
            owners.setdefault(word, set()).add(place)
    made: dict[str, set[int]] = {}
    for place, words in labels:
        for word in words:
            other = word[:-1] if word.endswith("色") and len(word) > 1 else "" if word.isascii() else word + "色"
            if other:
                made.setdefault(other, set()).add(place)
    return [(min(places), word) for word, places in made.items() if len(places | owners.get(word, set())) == 1 and word not in owners]


def _offer(builder: _Builder, offer: Mapping[str, Any], bits: list[int]) -> Offer:
    """The words of one offer; `bits` are the masks of its variants."""
    whole = sum(bits)
    for word in (offer.get("title"), *(offer.get("codes") or ()), *(offer.get("aliases") or ())):
        builder.add(word, "", whole)
    options: dict[str, tuple[int, ...]] = {}
    for option in offer.get("options") or ():
        name = normalise(option["name"])
        masks: dict[str, int] = {}
        for bit, variant in zip(bits, offer["variants"], strict=True):
            key = variant["values"].get(option["name"])
            masks[key] = masks.get(key, 0) | bit
        labels = []
        for value in option["values"]:
            mask = masks.get(value["key"], 0)
            words = [value["label"], *(value.get("aliases") or ())]
            labels.append((mask, [normalise(word) for word in words]))
            for word in words:
                builder.add(word, name, mask)
        for mask, word in _derived(name, labels):
            builder.add(word, name, mask)
        options[name] = tuple(mask for mask, _ in labels if mask)
    for bit, variant in zip(bits, offer["variants"], strict=True):
        builder.add(variant.get("code"), "", bit)
    return Offer(str(offer["id"]), whole, options)


def _sparks(shop: Mapping[str, ShopWord], policy: str, plus: frozenset[str], triggers: Iterable[str]) -> frozenset[str]:
    """Characters without which a comment cannot be anything but NONE `NO_TRIGGER`."""
    sparks = set(plus) | _asking_sparks()
    if "+" in plus:
        sparks |= {"十", "加"}
    sparks.update(word[0] for word in triggers)
    if policy != "STRICT":
        sparks.update("0123456789", lx.CN_DIGITS, lx.CN_UNITS, "半每各", (w[0] for w in lx.EN_NUMBERS), (w[0] for w in shop))
    return frozenset(sparks)


_COMMON = frozenset("好有要了是的會能可請天一全部都 aeiounlrthsy")


def _asking_sparks() -> set[str]:
    """One character of every word that can ask, cancel or change: one that is already there, else its rarest end."""
    roles = lx.Q_WORD | lx.Q_CLOSE | lx.CHANGES
    sparks = set("?-嗎消不唔幾")
    for word in sorted((w for w, r in lx.WORDS.items() if r & roles), key=len):
        if not sparks.intersection(word):
            sparks.add(max(word, key=lambda c: (c not in _COMMON, -word.index(c))))
    return sparks


def _instant(value: str | datetime | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _lengths(words: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Per first character the word lengths to try, longest first."""
    found: dict[str, set[int]] = {}
    for word in words:
        found.setdefault(word[0], set()).add(len(word))
    return {char: tuple(sorted(sizes, reverse=True)) for char, sizes in found.items()}


_BASE_LENGTHS = _lengths(lx.WORDS)


def _merge(shop: Mapping[str, ShopWord], extra: Mapping[str, int]) -> tuple[dict[str, int | ShopWord], dict[str, tuple[int, ...]]]:
    """Lexicon, option names, fillers, trigger words and, above all of them, shop words."""
    words: dict[str, int | ShopWord] = dict(lx.WORDS)
    for word, roles in extra.items():
        words[word] = lx.WORDS.get(word, 0) | roles
    words.update(shop)
    lengths = dict(_BASE_LENGTHS)
    for char, sizes in _lengths([*extra, *shop]).items():
        lengths[char] = tuple(sorted({*sizes, *lengths.get(char, ())}, reverse=True))
    return words, lengths


def _roles(names: Iterable[str], fillers: Iterable[str], triggers: Iterable[str]) -> dict[str, int]:
    """What the post's own words are beside what they may be in the lexicon."""
    found = dict.fromkeys(names, lx.NAME)
    for words, role in ((fillers, lx.FILLER), (triggers, lx.TRIGGER)):
        for word in words:
            found[word] = found.get(word, 0) | role
    return found


def compile_context(post: Mapping[str, Any]) -> Context:
    """Compile one post; `post` has the fields of section 1."""
    builder, variants = _Builder(), _Variants(post["max_qty"])
    offers = [_offer(builder, offer, variants.add(place, offer)) for place, offer in enumerate(post["offers"])]
    names = {name: name for offer in offers for name in offer.options}
    symbols = frozenset(normalise(s) for s in post.get("trigger_symbols") or ("+",))
    triggers = [w for w in map(normalise, post.get("trigger_words") or ()) if w]
    words, lengths = _merge(builder.shop, _roles(names, filter(None, map(normalise, post.get("fillers") or ())), triggers))
    policy = post.get("policy") or "CONFIRM"
    focus = next((offer.mask for offer in offers if offer.id == post.get("focus")), 0)
    return Context(
        policy=policy,
        variants=tuple(variants.ids),
        limits=tuple(variants.limits),
        on_sale=variants.on_sale,
        offers=tuple(offers),
        offer_of=tuple(variants.offer_of),
        focus=focus,
        closes_at=_instant(post.get("closes_at")),
        single=len(variants.ids) == 1,
        plus=symbols,
        has_plus="+" in symbols,
        digit_word=any(word.isdigit() for word in builder.shop),
        words=words,
        lengths=lengths,
        option_names=names,
        sparks=_sparks(builder.shop, policy, symbols, triggers),
        triggers=bool(triggers),
    )
