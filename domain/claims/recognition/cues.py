"""Contract section 10: may this anchor act?"""

from collections.abc import Iterable

from domain.claims.recognition import lexicon as lx
from domain.claims.recognition.anchors import DOUBT, GONE, SILENT_ASK, SILENT_NONE, Anchor
from domain.claims.recognition.phrases import unread
from domain.claims.recognition.places import Clause
from domain.claims.recognition.result import Reason
from domain.claims.recognition.tokens import ASK, BLANK, COMMA, EVERY, LEX, MASK, NUM, SEP, SHOP, STOP, UNK, Token

_WALKED = lx.KNOWN & ~(lx.CANCEL | lx.CANCEL_ALL)
_TAIL = lx.QUIET


class Before:
    """What stands directly before a phrase, known words between allowed."""

    __slots__ = ("adjacent", "defer", "negator", "past", "then")

    def __init__(self, tokens: list[Token], anchor: Anchor, floor: int) -> None:
        self.adjacent: Token | None = None
        self.negator = self.defer = self.past = False
        self.then = -1
        index = anchor.first - 1
        clause = tokens[anchor.core].clause
        close = True
        while index >= floor:
            token = tokens[index]
            if token.clause is not clause:
                break
            if token.kind == LEX and (token.roles & _WALKED or token.person):
                self._note(index, token, close)
                close = close and bool(token.roles & lx.BUY)
                self.adjacent = self.adjacent or token
            elif (token.kind in (SHOP, EVERY) and not token.used) or token.person:
                self.adjacent = self.adjacent or token
            elif token.kind not in (BLANK, SEP):
                break
            index -= 1

    def _note(self, index: int, token: Token, close: bool) -> None:
        roles = token.roles
        self.negator = self.negator or bool(roles & lx.NEGATOR)
        self.defer = self.defer or bool(roles & lx.DEFER)
        self.past = self.past or bool(roles & lx.PAST)
        if close and self.then < 0 and roles & lx.THEN:
            self.then = index


def _speaks_about(tokens: list[Token], anchor: Anchor) -> bool:
    """Rule 1: 後 之後 … directly after the quantity, or 的 and more words."""
    last = anchor.last
    if last >= len(tokens) or tokens[last].kind != LEX:
        return False
    token = tokens[last]
    if token.roles & lx.MENTION_AFTER:
        return True
    if token.text != "的":
        return False
    for after in range(last + 1, min(len(tokens), last + 4)):
        word = tokens[after]
        if word.clause is not token.clause:
            return False
        if word.kind in (UNK, SHOP, NUM, MASK):
            return True
        if word.kind == LEX:
            apart = word.start > tokens[last].end
            return bool(word.roles & lx.CUES) or unread(word) or not (apart or word.roles & lx.PARTICLE)
        if word.kind != BLANK:
            return False
    return False


def _conditional_then(tokens: list[Token], then: int, floor: int) -> bool:
    """Rule 8: unknown words, a number or a mask before 就 才 再 in its chunk."""
    index = then - 1
    while index >= floor:
        token = tokens[index]
        if token.kind == MASK:
            return token.end == tokens[index + 1].start
        if token.chunk != tokens[then].chunk:
            return False
        if unread(token) or (token.roles & lx.Q_AVAIL and not token.roles & lx.CALM):
            return True
        index -= 1
    return False


def asks_to_buy(tokens: list[Token], start: int, end: int, *, alone: bool) -> bool:
    """Rule 4: nothing but a closer, or a question about whether or at what price one can buy."""
    index = end - 1

    def skip(at: int) -> int:
        while at >= start and (
            tokens[at].kind in (BLANK, SEP, STOP, COMMA)
            or (tokens[at].kind == LEX and tokens[at].roles & lx.PARTICLE and not tokens[at].roles & lx.Q_CLOSE)
        ):
            at -= 1
        return at

    index = skip(index)
    closed = False
    while index >= start and (tokens[index].kind == ASK or (tokens[index].kind == LEX and tokens[index].roles & lx.Q_CLOSE)):
        closed = True
        index = skip(index - 1)
    core = False
    index = _past_measure(tokens, start, index)
    while index >= start and tokens[index].kind == LEX:
        roles = tokens[index].roles
        if roles & lx.Q_PRICE or (roles & lx.Q_AVAIL and (closed or roles & lx.Q_WORD)):
            core = closed = True
            index = skip(index - 1)
        else:
            break
    if not closed:
        return False
    if core and index >= start and tokens[index].kind == LEX and tokens[index].roles & lx.ASK_FIRST:
        index = skip(index - 1)
    if alone and not core:
        return index < start
    return all(_calm(token, alone, core) for token in tokens[start : index + 1])


def _past_measure(tokens: list[Token], start: int, index: int) -> int:
    """多少錢一包: the place of the price word."""
    at = index
    while at >= start and (tokens[at].kind in (BLANK, NUM) or (tokens[at].kind == LEX and tokens[at].roles & lx.MEASURE)):
        at -= 1
    return at if at >= start and tokens[at].roles & lx.Q_PRICE else index


def _calm(token: Token, alone: bool, core: bool) -> bool:
    if token.kind == LEX:
        return bool(token.roles & _TAIL) or (core and bool(token.roles & lx.MEASURE))
    return (token.kind == NUM and core) or token.kind in (BLANK, SEP, COMMA) or (not alone and token.kind in (SHOP, EVERY))


def covered(tokens: list[Token], clauses: Iterable[Clause], anchors: list[Anchor]) -> set[int]:
    """Rule 4: the anchors (by place in the list) that a question about buying covers."""
    found: set[int] = set()
    by_clause: dict[int, list[int]] = {}
    for place, anchor in enumerate(anchors):
        if anchor.status != GONE:
            by_clause.setdefault(id(tokens[anchor.core].clause), []).append(place)
    pending: list[int] = []
    sentence = None
    for clause in clauses:
        if clause.sentence is not sentence:
            sentence, pending = clause.sentence, []
        mine = by_clause.get(id(clause), [])
        if not sentence.asks:
            continue
        if mine:
            if asks_to_buy(tokens, anchors[mine[-1]].last, clause.end, alone=False) or _asked_before(clause, anchors[mine[-1]]):
                found.update(mine)
            pending += mine
        elif pending and asks_to_buy(tokens, clause.start, clause.end, alone=True):
            found.update(pending)
            pending = []
    return found


def _asked_before(clause: Clause, anchor: Anchor) -> bool:
    """怎麼, or 可以 with a closer after it, stands before the last anchor of the clause."""
    return clause.strong < anchor.first or (clause.weak < anchor.first and clause.last_close >= anchor.last)


def _strongly_asked(tokens: list[Token], anchor: Anchor, before: Before) -> bool:
    """Rule 4, what stands before the anchor."""
    clause = tokens[anchor.core].clause
    if clause.strong < anchor.first:
        return True
    return clause.last_close >= anchor.last and _weakly_asked(clause, anchor, before)


def _weakly_asked(clause: Clause, anchor: Anchor, before: Before) -> bool:
    """可以 earlier in the clause, or 能 directly before."""
    return clause.weak < anchor.first or (before.adjacent is not None and bool(before.adjacent.roles & lx.Q_ADJACENT))


def judge(tokens: list[Token], anchor: Anchor, floor: int, is_covered: bool) -> None:
    """The first rule that fits decides; sets `status` and `why`."""
    verdict = _verdict(tokens, anchor, floor, is_covered)
    if verdict is not None:
        anchor.status, anchor.why = verdict


Verdict = tuple[int, Reason | None]
_ASKED: Verdict = SILENT_ASK, Reason.LOOKS_LIKE_QUESTION


def _verdict(tokens: list[Token], anchor: Anchor, floor: int, is_covered: bool) -> Verdict | None:
    clause = tokens[anchor.core].clause
    sentence = clause.sentence
    asked = _ASKED
    before = Before(tokens, anchor, floor)
    if _speaks_about(tokens, anchor):
        return asked if sentence.asks else (DOUBT, Reason.REPORTED)
    if before.negator:
        return _negated(tokens, anchor, before, asked)
    if clause.third < anchor.first:
        return asked if sentence.asks else (SILENT_NONE, Reason.REPORTED)
    if is_covered or _strongly_asked(tokens, anchor, before):
        return asked
    supposed = _supposed(anchor, clause, before)
    if supposed is not None:
        return supposed
    if clause.last_close < anchor.last and _weakly_asked(clause, anchor, before):
        return DOUBT, Reason.LOOKS_LIKE_QUESTION
    if before.then >= 0 and _conditional_then(tokens, before.then, floor):
        return DOUBT, Reason.CONDITIONAL
    if before.past:
        return asked if sentence.asks else (DOUBT, Reason.REPORTED)
    return None


def _negated(tokens: list[Token], anchor: Anchor, before: Before, asked: Verdict) -> Verdict:
    """Rule 2; `GONE` with `NEGATED` stands for CANCEL UNNAMED."""
    direct = before.adjacent is not None and bool(before.adjacent.roles & lx.NEGATOR)
    if not direct:
        return DOUBT, Reason.NEGATED
    if tokens[anchor.core].sentence.asks:
        return asked
    if anchor.last < len(tokens) and tokens[anchor.last].text == "了":
        return GONE, Reason.NEGATED
    return SILENT_NONE, Reason.NEGATED


def _supposed(anchor: Anchor, clause: Clause, before: Before) -> Verdict | None:
    """Rules 5 and 6."""
    sentence = clause.sentence
    advers = sentence.last_advers >= anchor.last
    if clause.counterfactual < anchor.first or before.defer or (sentence.wish < anchor.first and advers):
        return SILENT_NONE, Reason.HYPOTHETICAL
    if clause.wish_degree < anchor.first:
        return DOUBT, Reason.HYPOTHETICAL
    if sentence.cond or advers:
        return DOUBT, Reason.CONDITIONAL
    return None
