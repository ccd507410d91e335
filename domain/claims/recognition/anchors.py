"""Contract section 8: what carries a quantity."""

from domain.claims.recognition import lexicon as lx
from domain.claims.recognition.context import Context
from domain.claims.recognition.phrases import Phrase
from domain.claims.recognition.result import Op, Reason
from domain.claims.recognition.tokens import (
    ASK,
    BLANK,
    COMMA,
    EVERY,
    LEX,
    MASK,
    MINUS,
    NEWLINE,
    NUM,
    PLUS,
    SEP,
    SHOP,
    STAR,
    STOP,
    UNK,
    Token,
)

_ADD, _SET, _REMOVE = Op.ADD, Op.SET, Op.REMOVE
BOUND, NATURAL, REMOVAL, WORD = range(4)
EVERYTHING, SOMETHING = "=", "?"
TIMES, MEASURED, EACH_FORM, BARE = range(4)


NO_PHRASE = Phrase()


class Anchor:
    """A quantity at tokens [first, last); `start`/`end` is the span of the quantity itself."""

    __slots__ = (
        "after",
        "core",
        "count",
        "each",
        "end",
        "first",
        "form",
        "kind",
        "last",
        "op",
        "phrase",
        "problem",
        "qty",
        "setting",
        "start",
        "status",
        "total",
        "universal",
        "unsure",
        "why",
    )

    def __init__(self, kind: int, first: int, last: int, qty: int | float | None) -> None:
        self.kind = kind
        self.first = self.core = first
        self.last = last
        self.qty = qty
        self.form = BARE
        self.op = _REMOVE if kind == REMOVAL else _ADD
        self.each = False
        self.count: tuple[int | float | None, str] | None = None
        self.total = False
        self.setting = -1
        self.problem: Reason | None = None
        self.status = LIVE
        self.why: Reason | None = None
        self.universal: str | None = None
        self.unsure = False
        self.after: list[Token] = []
        self.phrase = NO_PHRASE


LIVE, SILENT_ASK, SILENT_NONE, DOUBT, GONE = range(5)


class Finder:
    """One pass over the tokens; `loose` are the places of symbols without a number."""

    __slots__ = ("anchors", "context", "loose", "tokens")

    def __init__(self, tokens: list[Token], context: Context) -> None:
        self.tokens = tokens
        self.context = context
        self.anchors: list[Anchor] = []
        self.loose: list[int] = []

    def run(self) -> None:
        """Fill `anchors` in text order."""
        tokens = self.tokens
        index, size = 0, len(tokens)
        while index < size:
            token = tokens[index]
            kind = token.kind
            if kind <= SHOP:
                index += 1
                continue
            anchor: Anchor | None = None
            if kind == PLUS:
                anchor = self._bound(index)
            elif kind == MINUS:
                anchor = self._minus(index)
            elif kind == NUM:
                anchor = self._natural(index)
            elif kind == LEX:
                if token.roles & lx.REDUCE:
                    anchor = self._reduced(index)
                elif token.roles & lx.DOZEN and self._number(index) is not None:
                    anchor = self._natural(index)
            if anchor is None:
                index += 1
                continue
            self._second(anchor)
            self._lead(anchor)
            self.anchors.append(anchor)
            index = max(anchor.last, index + 1)

    def _skip(self, index: int) -> int:
        """The next place that is no blank."""
        while index < len(self.tokens) and self.tokens[index].kind == BLANK:
            index += 1
        return index

    def _back(self, index: int, floor: int = 0) -> int:
        """The place before `index` that is no blank; -1 at the floor."""
        index -= 1
        while index >= floor and self.tokens[index].kind == BLANK:
            index -= 1
        return index if index >= floor else -1

    def _floor(self) -> int:
        return self.anchors[-1].last if self.anchors else 0

    def _number(self, index: int) -> tuple[int, int | float | None, int] | None:
        """Place after, value and form of the number with its measure at `index`."""
        tokens = self.tokens
        if index >= len(tokens):
            return None
        token = tokens[index]
        if token.kind == LEX and token.roles & lx.DOZEN and lx.DOZENS[token.text] < 12:
            return index + 1, lx.DOZENS[token.text], MEASURED
        if token.kind != NUM:
            return None
        value = token.value
        assert value is None or isinstance(value, int | float)
        after = index + 1
        if (
            after < len(tokens)
            and tokens[after].kind == BLANK
            and self._skip(after) < len(tokens)
            and tokens[self._skip(after)].text[0] < "\x80"
        ):
            after = self._skip(after)
        if after < len(tokens) and tokens[after].kind == LEX:
            if tokens[after].roles & lx.DOZEN:
                return after + 1, None if value is None else value * lx.DOZENS[tokens[after].text], MEASURED
            if tokens[after].roles & lx.MEASURE:
                return after + 1, value, MEASURED
        return index + 1, value, BARE

    def _bound(self, index: int) -> Anchor | None:
        """Section 8.1, and the arithmetic of section 4."""
        found = self._number(self._skip(index + 1))
        if found is None or self.tokens[self._skip(index + 1)].roles & lx.EN_NUMBER:
            self.loose.append(index)
            return None
        last, qty, _ = found
        anchor = Anchor(BOUND, index, last, qty)
        if qty is None:
            anchor.problem = Reason.AMBIGUOUS_QUANTITY
        after = self.tokens[last] if last < len(self.tokens) else None
        if after is not None and after.kind == LEX and after.roles & lx.UNIT_ASK:
            anchor.problem = Reason.AMBIGUOUS_QUANTITY
            anchor.last += 1
        return self._sum(anchor, index)

    def _sum(self, anchor: Anchor, index: int) -> Anchor | None:
        """Whether a number or a price stands on the left of the symbol: 7+1, 瓦片2+1, NT$250+1."""
        tokens = self.tokens
        before = self._back(index, self._floor())
        if before < 0:
            return anchor
        left = tokens[before]
        if (left.kind == MASK and before == index - 1 and "$" in left.text) or (
            left.kind == MASK and left.text[-1] in "元圓錢塊" and before == index - 1
        ):
            anchor.problem = Reason.AMBIGUOUS_QUANTITY
        if left.kind != NUM or self.context.digit_word or (before and tokens[before - 1].kind == UNK and not left.text.isascii()):
            return anchor
        blanks = before < index - 1, tokens[index + 1].kind == BLANK
        if blanks == (True, False):
            if left.used:
                anchor.problem = Reason.UNKNOWN_ITEM
            return anchor
        if before and tokens[self._back(before)].kind in (SHOP, STAR):
            anchor.problem = Reason.AMBIGUOUS_QUANTITY
            left.used = True
            return anchor
        left.used = True
        for token in tokens[index : anchor.last]:
            token.used = True
        return None

    def _minus(self, index: int) -> Anchor | None:
        """Section 8.2: -N, or an item and - at the end of a clause."""
        tokens = self.tokens
        left = tokens[index - 1] if index else None
        if index + 1 < len(tokens) and tokens[index + 1].kind == NUM:
            if left is not None and (left.kind in (NUM, MASK) or (left.kind == UNK and self._hyphenated(index - 1))):
                tokens[index + 1].used = True
                return None
            found = self._number(index + 1)
            assert found is not None
            return Anchor(REMOVAL, index, found[0], found[1])
        if left is not None and left.kind == SHOP:
            after = index + 1
            while after < len(tokens) and tokens[after].kind in (BLANK, SEP):
                after += 1
            if after == len(tokens) or tokens[after].kind in _CLAUSE_ENDS:
                return Anchor(REMOVAL, index, index + 1, None)
        return None

    def _hyphenated(self, index: int) -> bool:
        """Whether unknown letters before - are a word like covid-19, and not part of an item (紅L-1) or a code (D9-1)."""
        word, before = self.tokens[index], self.tokens[index - 1] if index else None
        return word.text.isascii() and word.text.isalpha() and not (before is not None and before.kind == SHOP)

    def _reduced(self, index: int) -> Anchor | None:
        """減 扣 少 before a number."""
        at = self._skip(index + 1)
        found = self._number(at)
        if found is None or self.tokens[at].used:
            return None
        return Anchor(REMOVAL, index, found[0], found[1])

    def _natural(self, index: int) -> Anchor | None:
        """Section 8.3: ×N, N measure, 各 N, N x item, a bare number beside an item."""
        tokens = self.tokens
        if tokens[index].used:
            return None
        found = self._number(index)
        assert found is not None
        last, qty, form = found
        before = self._back(index, self._floor())
        after = tokens[last] if last < len(tokens) else None
        if after is not None and after.kind == LEX and after.roles & (lx.UNIT_ASK | lx.UNIT):
            return None
        anchor = Anchor(NATURAL, index, last, qty)
        anchor.form = form
        left = tokens[before] if before >= 0 else None
        if left is not None and left.kind == STAR:
            anchor.first = anchor.core = before
            anchor.form = TIMES
        elif left is not None and left.kind == LEX and left.roles & (lx.EACH | lx.ALL_EACH):
            if form == MEASURED and self._each_after(last):
                return None
            anchor.form = EACH_FORM
        elif form == MEASURED and self._each_after(last):
            return None
        elif form == BARE and after is not None and after.kind == STAR and self._item_at(self._skip(last + 1)):
            anchor.form, anchor.last = TIMES, last + 1
        elif form == BARE and (self._added_to(last) or not self._bare(index, before, last)):
            return None
        if qty is None:
            anchor.problem = Reason.AMBIGUOUS_QUANTITY
        return anchor

    def _added_to(self, last: int) -> bool:
        """Whether the symbol and a number follow: that is arithmetic or an unknown name, see `_sum`."""
        at = self._skip(last)
        return at < len(self.tokens) and self.tokens[at].kind == PLUS and self._number(self._skip(at + 1)) is not None

    def _each_after(self, last: int) -> bool:
        """Whether 各/都 follows: 兩色各+1 counts the list and is no quantity."""
        last = self._skip(last)
        return (
            last < len(self.tokens)
            and self.tokens[last].kind == LEX
            and bool(self.tokens[last].roles & lx.EACH)
            and self._quantity_follows(last)
        )

    def _quantity_follows(self, each: int) -> bool:
        after = self._skip(each + 1)
        return after < len(self.tokens) and self.tokens[after].kind in (PLUS, NUM, STAR)

    def _item_at(self, index: int) -> bool:
        return index < len(self.tokens) and self.tokens[index].kind == SHOP

    def _bare(self, index: int, before: int, last: int) -> bool:
        """A bare number directly after an item, a `set`, `total` or `buy` word; or between a clause start or `buy` word and an item."""
        tokens = self.tokens
        left = tokens[before] if before >= 0 else None
        same = left is not None and left.clause is tokens[index].clause
        after = tokens[last] if last < len(tokens) else None
        calm = (
            after is None
            or after.kind not in (SHOP, UNK, LEX, NUM, MINUS, EVERY)
            or (after.kind == LEX and bool(after.roles & _MAY_FOLLOW))
        )
        if left is not None and same and left.kind in (SHOP, EVERY):
            return calm
        if left is not None and same and left.kind == LEX and left.roles & (lx.SET | lx.TOTAL):
            return calm
        opens = left is None or not same or (left.kind == LEX and bool(left.roles & (lx.BUY | lx.TRIGGER | lx.FILLER)))
        if not opens:
            return False
        to = self._skip(last)
        if to < len(tokens) and tokens[to].kind == SHOP and tokens[to].clause is tokens[index].clause:
            return to > last or not tokens[to].text[0].isascii()
        return left is not None and same and calm and bool(left.roles & (lx.BUY | lx.TRIGGER))

    def _second(self, anchor: Anchor) -> None:
        """Section 8.6: a second number after ~ / - x or a `range` word."""
        tokens = self.tokens
        if anchor.kind not in (BOUND, NATURAL) or anchor.last >= len(tokens):
            return
        at = self._skip(anchor.last)
        if at >= len(tokens):
            return
        link = tokens[at]
        tight = at == anchor.last
        if not (
            (link.kind == SEP and link.text in "~/～")
            or (link.kind == MINUS and tight)
            or link.kind == STAR
            or (link.kind == LEX and link.roles & lx.RANGE)
        ):
            return
        after = self._skip(at + 1)
        if link.kind == LEX and after < len(tokens) and tokens[after].kind == PLUS:
            after = self._skip(after + 1)
        found = self._number(after)
        if found is not None and (tokens[after].kind == NUM or tokens[after].kind == LEX):
            anchor.problem = Reason.AMBIGUOUS_QUANTITY
            anchor.last = found[0]

    def _lead(self, anchor: Anchor) -> None:
        """各/都 with a count before it, a `set` or `total` word: all belong to the anchor."""
        tokens = self.tokens
        floor = self._floor()
        before = self._back(anchor.first, floor)
        if before >= 0 and tokens[before].kind == LEX and tokens[before].roles & _EACHES and anchor.kind != REMOVAL:
            anchor.each = bool(tokens[before].roles & (lx.EACH | lx.ALL_EACH))
            if tokens[before].roles & (lx.ALL | lx.ALL_EACH):
                anchor.universal = EVERYTHING if anchor.each else SOMETHING
            anchor.first = before
            before = self._counted(anchor, before, floor)
            if before >= 0 and tokens[before].kind == LEX and tokens[before].roles & lx.ALL:
                anchor.universal = EVERYTHING
                anchor.first = before
                before = self._back(before, floor)
        if before < 0 or tokens[before].kind != LEX or tokens[before].sentence is not tokens[anchor.core].sentence:
            return
        if tokens[before].roles & lx.SET and anchor.kind != REMOVAL:
            anchor.op = _SET
            anchor.setting = anchor.first = before
        elif tokens[before].roles & lx.TOTAL and anchor.kind in (BOUND, NATURAL):
            anchor.total = True
            anchor.setting = anchor.first = before

    def _counted(self, anchor: Anchor, each: int, floor: int) -> int:
        """兩色 三款 兩個 before 各/都; the place before all that."""
        tokens = self.tokens
        measure = self._back(each, floor)
        number = self._back(measure, floor) if measure >= 0 else -1
        if number >= 0 and tokens[number].kind == NUM and tokens[measure].kind == LEX and tokens[measure].roles & lx.MEASURE:
            value = tokens[number].value
            assert value is None or isinstance(value, int | float)
            anchor.count = value, tokens[measure].text
            anchor.first = number
            return self._back(number, floor)
        return measure


_CLAUSE_ENDS = frozenset((NEWLINE, STOP, ASK, COMMA))
_EACHES = lx.EACH | lx.ALL | lx.ALL_EACH
_MAY_FOLLOW = (
    lx.FILLER
    | lx.PRAISE
    | lx.PARTICLE
    | lx.BUY
    | lx.Q_CLOSE
    | lx.CONNECTOR
    | lx.TRIGGER
    | lx.CANCEL
    | lx.CANCEL_ALL
    | lx.Q_PRICE
    | lx.Q_WORD
    | lx.RANGE
)
