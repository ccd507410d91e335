"""Contract sections 9.8 (各 after a list) and 9.9 (every colour, every item)."""

from domain.claims.recognition.anchors import EVERYTHING, Anchor
from domain.claims.recognition.context import Context, Offer, ShopWord
from domain.claims.recognition.items import clash, fits, one, open_reason, options_of, word_of
from domain.claims.recognition.result import Reason
from domain.claims.recognition.tokens import EVERY, SHOP, Token

_EVERY_OFFER = "*"
_COLOURS = ("顏色", "花色", "色")
Found = tuple[list[int], Reason | None]


def pieces(words: list[ShopWord]) -> list[list[ShopWord]]:
    """The list cut where an option or another offer repeats."""
    out: list[list[ShopWord]] = []
    slots: set[str] = set()
    for word in words:
        mine = options_of(word)
        again = mine & slots
        if not out or (again and not (again == {""} and slots == {""} and out[-1][-1].mask == word.mask)):
            out.append([])
            slots = set()
        out[-1].append(word)
        slots |= mine
    return out


def each(context: Context, words: list[ShopWord]) -> Found:
    """Every listed item: each piece one variant, or one option with several values and the other words for all."""
    masks = [fits(context, piece) for piece in pieces(words)]
    if masks and all(map(one, masks)):
        return _distinct(masks), None
    return spread(context, words, whole=False)


def _distinct(masks: list[int]) -> list[int]:
    return list(dict.fromkeys(masks))


def spread(context: Context, words: list[ShopWord], *, whole: bool) -> Found:
    """One option has several values, the other words apply to all; `whole` lets a value stand for several variants."""
    groups: dict[str, list[ShopWord]] = {}
    for word in words:
        slot = min(options_of(word), key=lambda name: (name not in groups, name))
        groups.setdefault(slot, []).append(word)
    several = [slot for slot, members in groups.items() if len({w.mask for w in members}) > 1]
    if len(several) > 1:
        return [], Reason.AMBIGUOUS_OPTION
    if not several:
        mask = fits(context, words)
        if not mask:
            return [], clash(words)
        return ([mask], None) if whole or one(mask) else ([], open_reason(context, mask, True))
    common = fits(context, [w for slot, members in groups.items() if slot != several[0] for w in members])
    focus = context.focus if not any(w.names_offer for w in words) else 0
    out = []
    for word in groups[several[0]]:
        mask = common & word.mask
        if focus & mask and not one(mask):
            mask &= focus
        if not mask:
            return [], Reason.UNKNOWN_ITEM
        if not whole and not one(mask):
            return [], open_reason(context, mask, True)
        out.append(mask)
    return _distinct(out), None


def _open_options(offer: Offer, mask: int) -> list[str]:
    return [name for name, values in offer.options.items() if sum(1 for value in values if value & mask) > 1]


def _every_value(context: Context, option: str, base: int, named: bool) -> Found:
    """All values of one option that fit the other words."""
    having = [offer for offer in context.offers if option in offer.options and offer.mask & base]
    if len(having) > 1 and context.focus & base and not named:
        having = [offer for offer in having if offer.mask == context.focus]
    if len(having) != 1:
        return [], Reason.AMBIGUOUS_OPTION if having else Reason.UNKNOWN_ITEM
    masks = [value & base for value in having[0].options[option] if value & base]
    return (masks, None) if all(map(one, masks)) else ([], Reason.MISSING_OPTION)


def _every_offer(context: Context, base: int) -> Found:
    """Every offer with its one variant, or on a post of one offer every value of the only open option."""
    offers = [offer for offer in context.offers if offer.mask & base]
    if len(offers) == 1:
        open_ones = _open_options(offers[0], base)
        if len(open_ones) > 1:
            return [], Reason.MISSING_OPTION
        if open_ones:
            return _every_value(context, open_ones[0], base & offers[0].mask, True)
    masks = [offer.mask & base for offer in offers]
    return (masks, None) if all(map(one, masks)) else ([], Reason.MISSING_OPTION)


def every(context: Context, option: str | None, words: list[ShopWord]) -> Found:
    """What 每色, 各款 or 全部都 stands for beside the other words."""
    base = fits(context, words)
    if not base:
        return [], clash(words)
    if option is None:
        return [], Reason.UNKNOWN_ITEM
    if option == EVERYTHING:
        return [1 << place for place in range(len(context.variants)) if base >> place & 1], None
    if option == _EVERY_OFFER:
        return _every_offer(context, base)
    return _every_value(context, option, base, any(word.names_offer for word in words))


def expand(context: Context, anchor: Anchor, items: list[Token]) -> Found:
    """The variants of an anchor with 各/都, a count or an every-word."""
    words = [word_of(token) for token in items if token.kind == SHOP]
    every_word = next((token for token in items if token.kind == EVERY), None)
    if every_word is not None or anchor.universal == EVERYTHING:
        option = every_word.value if every_word is not None else EVERYTHING
        assert option is None or isinstance(option, str)
        found = every(context, option, words)
    elif words and not (anchor.count and _not_a_list(context, words)):
        found = each(context, words)
    elif anchor.count is None:
        return [], Reason.AMBIGUOUS_QUANTITY
    else:
        found = _counted(context, anchor.count[1], words)
    masks, problem = found
    if problem is None and anchor.count is not None and anchor.count[0] != len(masks):
        return [], Reason.AMBIGUOUS_OPTION
    return masks, problem


def _not_a_list(context: Context, words: list[ShopWord]) -> bool:
    """Whether the words before a count name no list but what all of it shares (圍巾三色都+1)."""
    return not one(fits(context, words)) and bool(fits(context, words)) and len(pieces(words)) == 1


def _counted(context: Context, measure: str, words: list[ShopWord]) -> Found:
    """三色都+1: all colours; other measures: what every 款 stands for."""
    if measure == "色":
        option = next((name for name in _COLOURS if name in context.option_names), None)
        return every(context, option, words)
    return every(context, _EVERY_OFFER, words)
