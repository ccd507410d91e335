"""Contract section 12: the verdict, and the trail of section 2."""

from domain.claims.recognition import items as it
from domain.claims.recognition import lists
from domain.claims.recognition.anchors import GONE, LIVE, NATURAL, SOMETHING, Anchor
from domain.claims.recognition.changes import Change
from domain.claims.recognition.context import Context
from domain.claims.recognition.phrases import unread
from domain.claims.recognition.reading import Reading
from domain.claims.recognition.result import Op, Reason, Scope
from domain.claims.recognition.tokens import EVERY, LEX, NUM, SHOP, UNK, Token


class Event:
    """One thing the comment does or fails to do, at a place."""

    __slots__ = ("confirm", "masks", "op", "place", "qty", "reason", "scope", "status", "total")

    def __init__(self, place: int) -> None:
        self.place = place
        self.status = LIVE
        self.reason: Reason | None = None
        self.masks: list[int] = []
        self.op = _ADD
        self.qty: int | float | None = None
        self.confirm = False
        self.scope: Scope | None = None
        self.total = False


class Judge:
    """Turns a reading into events and the events into a result."""

    __slots__ = ("candidates", "carry", "context", "reading", "used")

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.context: Context = reading.context
        self.candidates = 0
        self.used: set[int] = set()
        self.carry = it.Carry(reading.context, self._headers())

    def _headers(self) -> dict[int, tuple[int, int]]:
        """Section 9.7 (c): per line the offer of the nearest earlier line of known words without a quantity."""
        tokens = self.reading.tokens
        if not tokens or tokens[-1].line == 0 or len(self.context.offers) < 2:
            return {}
        busy = {tokens[a.core].line for a in self.reading.anchors}
        masks: dict[int, int] = {}
        for token in tokens:
            line = token.line
            if line in busy or (token.kind in _WORDS and unread(token)):
                masks[line] = 0
            elif token.kind == SHOP and it.word_of(token).names_offer and masks.get(line, -1):
                masks[line] = masks.get(line, -1) & it.word_of(token).mask
        found: dict[int, tuple[int, int]] = {}
        offer, fresh, named_at = 0, False, -1
        for line in range(tokens[-1].line + 1):
            found[line] = offer, named_at
            fresh = fresh and line not in busy
            mask = masks.get(line, 0)
            if mask > 0:
                named = it.offer_of(self.context, mask) or offer
                offer = 0 if fresh and named != offer else named
                fresh, named_at = True, line
        self.used.update(token.start for token in tokens if token.kind == SHOP and masks.get(token.line, 0) > 0)
        return found

    def events(self) -> list[Event]:
        """All events in text order."""
        out = [self._change(change) for change in self.reading.changes if change.status != GONE]
        seen = added = False
        for anchor in self.reading.anchors:
            event = self._anchor(anchor, seen, added)
            seen = seen or anchor.op is not _REMOVE
            added = added or (anchor.op is _ADD and anchor.status == LIVE)
            if event is not None:
                out.append(event)
        out.sort(key=lambda event: event.place)
        return out

    def _change(self, change: Change) -> Event:
        event = Event(change.index)
        event.status, event.reason, event.op, event.scope = change.status, change.why, _REMOVE, change.scope
        if change.status != LIVE or change.scope:
            return event
        event.reason = change.problem
        if change.problem is None:
            self._take_back(event, change.items, change.qty)
        return event

    def _take_back(self, event: Event, tokens: list[Token], qty: int | float | None) -> None:
        """Item words that fit several variants remove each of them; a quantity needs exactly one."""
        self.used.update(token.start for token in tokens)
        words = [it.word_of(token) for token in tokens if token.kind == SHOP]
        every = next((token for token in tokens if token.kind == EVERY), None)
        event.qty = qty
        if every is not None:
            assert every.value is None or isinstance(every.value, str)
            masks, event.reason = lists.every(self.context, every.value, words)
        else:
            masks, event.reason = lists.spread(self.context, words, whole=qty is None)
            if event.reason is not None and qty is None and words:
                parts = [it.fits(self.context, piece) for piece in lists.pieces(words)]
                if all(parts):
                    masks, event.reason = parts, None
        event.masks = [1 << place for place in range(len(self.context.variants)) if any(mask >> place & 1 for mask in masks)]

    def _anchor(self, anchor: Anchor, seen: bool, added: bool) -> Event | None:
        event = Event(anchor.core)
        event.status, event.reason, event.op, event.qty, event.total = anchor.status, anchor.why, anchor.op, anchor.qty, anchor.total
        if anchor.status == GONE:
            event.status, event.reason, event.op, event.scope = LIVE, None, _REMOVE, Scope.UNNAMED
            return event
        phrase = anchor.phrase
        self.used.update(token.start for token in phrase.items)
        self.used.update(token.start for token in anchor.after)
        if anchor.status != LIVE:
            return event
        if anchor.total and added and not phrase.items:
            event.reason = anchor.problem
            return event
        event.confirm = anchor.unsure or (anchor.kind == NATURAL and self._needs_yes(anchor))
        event.reason = self._resolve(event, anchor, seen)
        return event

    def _needs_yes(self, anchor: Anchor) -> bool:
        if anchor.op is _REMOVE or self.context.policy == "LENIENT" or self.reading.trigger:
            return False
        return anchor.setting >= 0 or not self.reading.shown

    def _resolve(self, event: Event, anchor: Anchor, seen: bool) -> Reason | None:
        """The variants of one anchor; the first reason against it."""
        phrase = anchor.phrase
        line = self.reading.tokens[anchor.core].line
        if anchor.problem is not None:
            return anchor.problem
        if phrase.unknown is not None:
            return Reason.UNKNOWN_ITEM
        if seen and not phrase.own and not anchor.after and anchor.op is _ADD and not anchor.universal and not anchor.count:
            return Reason.AMBIGUOUS_QUANTITY
        if anchor.universal == SOMETHING:
            return Reason.AMBIGUOUS_OPTION
        if anchor.op is _SET and any(t.start > self.reading.tokens[anchor.core].start for t in phrase.items):
            return Reason.UNCLEAR_CHANGE
        if anchor.each or anchor.universal or _has_every(phrase.items):
            if phrase.ranged:
                return Reason.AMBIGUOUS_OPTION
            masks, reason = lists.expand(self.context, anchor, phrase.items)
            self.carry.remember(masks[-1] if len(masks) == 1 else 0, [], line)
        else:
            masks, reason = self._single(anchor, line)
        event.masks = masks
        on_sale = self.context.on_sale
        for mask in masks:
            self.candidates |= mask
            if reason is None and not mask & on_sale and anchor.op is not _REMOVE:
                reason = Reason.NOT_FOR_SALE
        return reason

    def _single(self, anchor: Anchor, line: int) -> tuple[list[int], Reason | None]:
        """One variant; words after the anchor join unless they contradict a complete phrase."""
        words = [it.word_of(token) for token in anchor.phrase.items]
        after = [it.word_of(token) for token in anchor.after if token.kind == SHOP]
        if after and words and it.one(it.fits(self.context, words)) and not it.fits(self.context, words + after):
            return [it.fits(self.context, words)], Reason.MISSING_QUANTITY
        mask, reason = it.resolve(self.context, words + after, self.carry, line)
        return [mask], reason


_ADD, _SET, _REMOVE = Op.ADD, Op.SET, Op.REMOVE


def _has_every(items: list[Token]) -> bool:
    return bool([token for token in items if token.kind == EVERY])


_WORDS = frozenset((LEX, NUM, UNK))
