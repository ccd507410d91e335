"""One comment on its way from tokens to events: sides and phrases (9.1), natural anchors (8.3), trigger words (8.4)."""

from itertools import pairwise

from domain.claims.recognition import lexicon as lx
from domain.claims.recognition import phrases
from domain.claims.recognition.anchors import (
    BARE,
    BOUND,
    EACH_FORM,
    GONE,
    LIVE,
    MEASURED,
    NATURAL,
    REMOVAL,
    SILENT_ASK,
    TIMES,
    WORD,
    Anchor,
    Finder,
)
from domain.claims.recognition.changes import Change, Reader
from domain.claims.recognition.context import Context
from domain.claims.recognition.cues import covered, judge
from domain.claims.recognition.layout import Layout, people, universals
from domain.claims.recognition.phrases import Phrase, unread
from domain.claims.recognition.result import Op, Reason
from domain.claims.recognition.tokens import BLANK, EVERY, LEX, NUM, SEP, SHOP, UNK, Token, Tokenizer


class Reading:
    """Everything read from one comment, before the verdict."""

    __slots__ = ("anchors", "changes", "context", "cued", "layout", "loose", "shown", "tokens", "trigger")

    def __init__(self, text: str, context: Context, tagged: list[tuple[int, int]] | None, wide: frozenset[int]) -> None:
        self.context = context
        cutter = Tokenizer(text, context, tagged, wide)
        tokens = cutter.run()
        if cutter.roles & lx.PREFIX:
            tokens = universals(tokens, context)
        if cutter.roles & lx.FOR:
            people(tokens)
        self.tokens = tokens
        self.layout = Layout(tokens)
        finder = Finder(tokens, context)
        finder.run()
        self.loose = finder.loose
        self.anchors = finder.anchors
        self.changes: list[Change] = []
        if cutter.roles & _CHANGING:
            reader = Reader(tokens, finder.anchors)
            reader.run()
            self.changes = reader.changes
        self.trigger = [i for i, token in enumerate(tokens) if token.roles & lx.TRIGGER] if context.triggers else []
        self.cued = self.layout.asks or cutter.roles & lx.CUES != 0 or "的" in text
        self.shown = bool(self.trigger)
        if self.anchors or self.trigger:
            self._act()

    def _act(self) -> None:
        """Which anchors act, and on what."""
        bound = [a for a in self.anchors if a.kind != NATURAL]
        self._judge(bound)
        self.shown = self.shown or bool([a for a in bound if a.kind == BOUND and a.status == LIVE and a.op is not _REMOVE])
        if self.trigger or len(bound) < len(self.anchors):
            self._naturals()
            self._trigger_words()
            self._judge([a for a in self.anchors if a.status == LIVE])
        self.anchors = [a for a in self.anchors if a.status != GONE or a.why is not None]
        if len(self.anchors) > 1:
            self._replace_old()
        self._phrases()

    def _judge(self, anchors: list[Anchor]) -> None:
        """Section 10 for these anchors."""
        if not self.cued:
            return
        asked = covered(self.tokens, self.layout.clauses, anchors) if self.layout.asks else set()
        floor = 0
        for place, anchor in enumerate(anchors):
            if anchor.kind == REMOVAL or anchor.op is _REMOVE:
                if self.tokens[anchor.core].sentence.asks and anchor.kind == REMOVAL:
                    anchor.status, anchor.why = _ASKED
            elif anchor.status == LIVE:
                judge(self.tokens, anchor, floor, place in asked)
            floor = anchor.last

    def _naturals(self) -> None:
        """Section 8.3: which natural anchors count, and how."""
        open_policy = self.context.policy != "STRICT" or bool(self.trigger)
        narrow = self.shown and not self.trigger
        beside = bool(self.loose)
        for place, anchor in enumerate(self.anchors):
            if anchor.kind != NATURAL or anchor.status == GONE or anchor.op is _REMOVE:
                continue
            floor = self.anchors[place - 1].last if place else 0
            ceiling = self.anchors[place + 1].first if place + 1 < len(self.anchors) else len(self.tokens)
            if anchor.setting >= 0 and not (anchor.total and not (self.shown or open_policy)):
                keep = not any(unread(token) for token in self._near(anchor, floor, ceiling))
            elif narrow:
                beside_item = anchor.form in (TIMES, MEASURED, EACH_FORM) and self._after_item(anchor, floor)
                keep = (beside_item or open_policy) and self._clean(anchor, floor, ceiling)
                anchor.unsure = anchor.unsure or (not beside_item and self.context.policy == "CONFIRM")
            else:
                keep = (open_policy or beside) and self._clean(anchor, floor, ceiling)
            if not keep:
                anchor.status, anchor.why = GONE, None

    def _after_item(self, anchor: Anchor, floor: int) -> bool:
        at = anchor.first - 1
        while at >= floor and self.tokens[at].kind == BLANK:
            at -= 1
        return at >= floor and self.tokens[at].kind in (SHOP, EVERY)

    def _near(self, anchor: Anchor, floor: int, ceiling: int) -> list[Token]:
        """The other words of the anchor's chunk."""
        tokens = self.tokens
        first = anchor.first
        while first > floor and tokens[first - 1].chunk == tokens[anchor.first].chunk:
            first -= 1
        last = anchor.last
        while last < ceiling and tokens[last].chunk == tokens[anchor.last - 1].chunk:
            last += 1
        return tokens[first : anchor.first] + tokens[anchor.last : last]

    def _clean(self, anchor: Anchor, floor: int, ceiling: int) -> bool:
        """Whether nothing unknown spoils the chunk, and there is an item or a calm clause."""
        near = self._near(anchor, floor, ceiling)
        clause = self.tokens[anchor.core].clause
        if any(map(unread, near)):
            return self._spoilt(anchor, near)
        gap = self.tokens[max(floor, clause.start) : anchor.first] + self.tokens[anchor.last : min(ceiling, clause.end)]
        if not (anchor.count or anchor.universal or any(token.kind in (SHOP, EVERY) for token in gap)):
            return self._itemless(anchor, gap)
        anchor.unsure = clause.unknown
        return True

    def _spoilt(self, anchor: Anchor, near: list[Token]) -> bool:
        """Unknown characters before and touching the item are an unknown item; others make it no anchor."""
        for left, right in pairwise(near):
            if unread(left) and right.kind in (SHOP, EVERY) and left.end == right.start:
                anchor.problem = anchor.problem or Reason.UNKNOWN_ITEM
                return True
        return False

    def _itemless(self, anchor: Anchor, gap: list[Token]) -> bool:
        """2個 感謝; 要3 on a post with one variant."""
        if any(token.kind == UNK or (token.kind == LEX and not token.roles & (lx.CALM | lx.TRIGGER | lx.CUES)) for token in gap):
            return False
        if anchor.form == MEASURED:
            return True
        buys = any(token.kind == LEX and token.roles & (lx.BUY | lx.TRIGGER) for token in gap)
        return self.context.single and anchor.form == BARE and buys

    def _trigger_words(self) -> None:
        """Section 8.4: an item without a number means 1."""
        lines = {self.tokens[a.core].line for a in self.anchors if a.status != GONE}
        looked_at = None
        for index in self.trigger:
            clause = self.tokens[index].clause
            if clause is looked_at or self.tokens[index].line in lines:
                continue
            looked_at = clause
            words = self.tokens[clause.start : clause.end]
            has_item = any(token.kind in (SHOP, EVERY) for token in words)
            anchor = Anchor(WORD, index, index + 1, 1)
            if any(token.kind == NUM for token in words):
                anchor.problem = Reason.AMBIGUOUS_QUANTITY
            if not has_item and clause.unknown:
                if not any(token.kind == UNK and _coded(token.text) for token in words):
                    continue
                anchor.problem = Reason.UNKNOWN_ITEM
            lines.add(self.tokens[index].line)
            self.anchors.append(anchor)
        if self.trigger:
            self.anchors.sort(key=lambda a: a.core)

    def _replace_old(self) -> None:
        """Section 11.3: an anchor right before a `set` word is the old quantity."""
        kept: list[Anchor] = []
        for anchor in self.anchors:
            if (
                anchor.op is _SET
                and kept
                and kept[-1].op is _ADD
                and kept[-1].status == LIVE
                and self._bare_gap(kept[-1].last, anchor.first)
            ):
                anchor.first = kept.pop().first
            kept.append(anchor)
        self.anchors = kept

    def _bare_gap(self, start: int, end: int) -> bool:
        return all((token.kind != SHOP and not unread(token)) or token.kind in _GAP for token in self.tokens[start:end]) and (
            start == end or self.tokens[start].sentence is self.tokens[end].sentence
        )

    def _phrases(self) -> None:
        """Section 9.1: per line, phrases stand left or right of their anchors."""
        side_line, on_left = -1, True
        anchors = self.anchors
        for place, anchor in enumerate(anchors):
            core = self.tokens[anchor.core]
            floor = anchors[place - 1].last if place else 0
            ceiling = anchors[place + 1].first if place + 1 < len(anchors) else len(self.tokens)
            phrase = phrases.left(self.tokens, anchor.first, floor, core.sentence)
            if core.line != side_line:
                side_line = core.line
                on_left = bool(phrase.items or phrase.unknown or anchor.universal or anchor.count or anchor.each)
            if on_left:
                self._join(anchor, phrase, place, ceiling)
            else:
                person = phrase.person
                other = phrases.right(self.tokens, anchor.last, ceiling, core.sentence)
                other.remark = other.remark or phrase.remark
                other.person = other.person or person
                phrase = other
            anchor.phrase = phrase

    def _join(self, anchor: Anchor, phrase: Phrase, place: int, ceiling: int) -> None:
        """Known item chunks after the last anchor of a clause join it."""
        core = self.tokens[anchor.core]
        if place + 1 < len(self.anchors) and self.tokens[self.anchors[place + 1].core].clause is core.clause:
            return
        end = min(ceiling, core.clause.end)
        change = next((c for c in self.changes if anchor.last <= c.index < end), None) if self.changes else None
        if anchor.op is _REMOVE or (change is not None and change.items):
            return
        anchor.after = phrases.trailing(self.tokens, anchor.last, end, core.sentence, bool(phrase.items))


def _coded(text: str) -> bool:
    """Whether an unknown word looks like a code of the post: letters, then digits."""
    return text.isascii() and text[0].isalpha() and text[-1].isdigit()


_ADD, _SET, _REMOVE = Op.ADD, Op.SET, Op.REMOVE
_ASKED = SILENT_ASK, Reason.LOOKS_LIKE_QUESTION
_CHANGING = lx.CANCEL | lx.CANCEL_ALL | lx.SPLIT | lx.SET
_GAP = frozenset((BLANK, SEP))
