"""Contract sections 9.6 and 9.7: from item words to one variant, with what carries over from before."""

from domain.claims.recognition.context import Context, ShopWord
from domain.claims.recognition.result import Reason
from domain.claims.recognition.tokens import Token


def word_of(token: Token) -> ShopWord:
    """The shop word of a SHOP token."""
    assert isinstance(token.value, ShopWord)
    return token.value


def fits(context: Context, words: list[ShopWord]) -> int:
    """The variants that fit all words."""
    mask = (1 << len(context.variants)) - 1
    for word in words:
        mask &= word.mask
    return mask


def options_of(word: ShopWord) -> set[str]:
    """The slots a word may fill: option names, or "" for an offer or one of its variants."""
    return set(word.slots)


def clash(words: list[ShopWord]) -> Reason:
    """Why no variant fits: two values of one slot, or something the post does not have."""
    seen: dict[str, int] = {}
    for word in words:
        for slot, mask in word.slots.items():
            if slot in seen and not seen[slot] & mask:
                return Reason.AMBIGUOUS_OPTION
            seen[slot] = seen.get(slot, mask) & mask
    return Reason.UNKNOWN_ITEM


def offer_of(context: Context, mask: int) -> int:
    """The mask of the one offer that has all variants of `mask`; 0 if there are several."""
    if not mask:
        return 0
    offer = context.offers[context.offer_of[mask.bit_length() - 1]].mask
    return offer if mask & ~offer == 0 else 0


def one(mask: int) -> bool:
    """Whether exactly one variant is in the mask."""
    return mask != 0 and mask & (mask - 1) == 0


class Carry:
    """What earlier phrases leave to later ones."""

    __slots__ = ("context", "headers", "last_line", "line", "offer", "words")

    def __init__(self, context: Context, headers: dict[int, tuple[int, int]]) -> None:
        self.context = context
        self.headers = headers
        self.line = -1
        self.offer = 0
        self.last_line = -1
        self.words: list[ShopWord] = []

    def narrow(self, mask: int, words: list[ShopWord], line: int) -> tuple[int, list[ShopWord]]:
        """Section 9.7 in its order; the mask unchanged where nothing ends in one variant."""
        if line == self.line and words:
            restated = set().union(*map(options_of, words)) - {""}
            kept: list[ShopWord] = []
            for word in self.words:
                if options_of(word) & restated:
                    break
                kept.append(word)
            carried = fits(self.context, kept) & mask
            if kept and one(carried):
                return carried, kept + words
        header, named_at = self.headers.get(line, (0, -1))
        if self.offer and named_at <= self.last_line and one(self.offer & mask):
            return self.offer & mask, words
        if header and one(header & mask):
            return header & mask, words
        return mask, words

    def remember(self, mask: int, words: list[ShopWord], line: int) -> None:
        """Keep what a resolved phrase named."""
        if words:
            self.words, self.line = words, line
        self.last_line = line
        if words or one(mask):
            self.offer = offer_of(self.context, mask) or self.offer


def resolve(context: Context, words: list[ShopWord], carry: Carry, line: int) -> tuple[int, Reason | None]:
    """Section 9.6: the variants left, and the reason if that is not exactly one."""
    mask = fits(context, words)
    if not mask:
        return 0, clash(words)
    effective = words
    if not one(mask):
        mask, effective = carry.narrow(mask, words, line)
    if not one(mask) and mask & context.focus and not any(word.names_offer for word in words):
        mask &= context.focus
    carry.remember(mask, effective, line)
    if one(mask):
        return mask, None
    return mask, open_reason(context, mask, bool(words))


def open_reason(context: Context, mask: int, named: bool) -> Reason:
    """Why several variants are left."""
    if offer_of(context, mask):
        return Reason.MISSING_OPTION
    return Reason.AMBIGUOUS_OPTION if named else Reason.MISSING_ITEM
