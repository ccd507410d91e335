"""Contract section 12 in its order: from events to the result."""

from datetime import datetime

from domain.claims.recognition import lexicon as lx
from domain.claims.recognition.anchors import DOUBT, LIVE, SILENT_ASK, SILENT_NONE
from domain.claims.recognition.context import Context
from domain.claims.recognition.phrases import unread
from domain.claims.recognition.reading import Reading
from domain.claims.recognition.result import Intent, Line, Op, Reason, Scope
from domain.claims.recognition.tokens import EVERY, LEX, PHRASE_KINDS, PLUS, SEP, SHOP
from domain.claims.recognition.verdict import Event

_SILENCED = ((SILENT_ASK, Intent.QUESTION), (DOUBT, Intent.AMBIGUOUS), (SILENT_NONE, Intent.NONE))
Outcome = tuple[Intent, list[Line], Reason | None, Scope | None]
_ADD, _SET, _REMOVE, _ORDER = Op.ADD, Op.SET, Op.REMOVE, Intent.ORDER
_NOTHING: Outcome = (Intent.NONE, [], Reason.NO_TRIGGER, None)
_QUESTION: Outcome = (Intent.QUESTION, [], Reason.LOOKS_LIKE_QUESTION, None)


def _doubt(reason: Reason | None, lines: list[Line] | None = None) -> Outcome:
    return Intent.AMBIGUOUS, lines or [], reason, None


def decide(reading: Reading, events: list[Event], at: datetime | None, asks: bool) -> Outcome:
    """Section 12, steps 2 to 7."""
    live = [event for event in events if event.status == LIVE]
    if live:
        return _alive(reading.context, events, live, at)
    for status, intent in _SILENCED:
        for event in events:
            if event.status == status:
                return intent, [], event.reason, None
    if asks:
        return _QUESTION
    if _dangling(reading) or _quantity_missing(reading):
        return _doubt(Reason.MISSING_QUANTITY)
    return _NOTHING


def _alive(context: Context, events: list[Event], live: list[Event], at: datetime | None) -> Outcome:
    """Step 2."""
    if context.closes_at is not None and at is not None and _late(at, context.closes_at):
        return _doubt(Reason.CLOSED)
    for event in events:
        if event.status in (LIVE, DOUBT) and event.reason is not None:
            return _doubt(event.reason)
    if len(live) > 1 or live[0].total:
        problem = _totals(live) or _mixed(live)
        if problem is not None:
            return _doubt(problem)
    return _lines(context, live)


def _late(at: datetime, closes_at: datetime) -> bool:
    if (at.tzinfo is None) != (closes_at.tzinfo is None):
        at, closes_at = at.replace(tzinfo=None), closes_at.replace(tzinfo=None)
    return at > closes_at


def _totals(live: list[Event]) -> Reason | None:
    """Section 11.4: a total beside other lines equals their sum; alone it sets."""
    totals = [event for event in live if event.total]
    if not totals:
        return None
    others = [event for event in live if not event.total and event.op is _ADD]
    if not others:
        for event in totals:
            event.op = _SET
        return Reason.AMBIGUOUS_QUANTITY if len(totals) > 1 else None
    amount = sum((event.qty or 0) * len(event.masks) for event in others)
    for event in totals:
        if event.qty != amount:
            return Reason.AMBIGUOUS_QUANTITY
        live.remove(event)
    return None


def _mixed(live: list[Event]) -> Reason | None:
    """Section 11.5: additions beside UNNAMED or ALL, or two ops on one variant."""
    bare = [event for event in live if event.scope]
    if bare and len(bare) < len(live):
        return Reason.UNCLEAR_CHANGE
    ops: dict[int, Op] = {}
    for event in live:
        for mask in event.masks:
            if ops.setdefault(mask, event.op) is not event.op or (event.op is _SET and mask in ops and _twice(live, event, mask)):
                return Reason.UNCLEAR_CHANGE
    return None


def _twice(live: list[Event], event: Event, mask: int) -> bool:
    """Whether one variant is set by two events."""
    return next(other for other in live if mask in other.masks) is not event


def _lines(context: Context, live: list[Event]) -> Outcome:
    """The lines, range, confirmation, intent."""
    scopes = [event.scope for event in live if event.scope]
    if scopes:
        return Intent.CANCEL, [], None, Scope.ALL if Scope.ALL in scopes else Scope.UNNAMED
    sums: dict[int, int | float | None] = {}
    ops: dict[int, Op] = {}
    for event in live:
        for mask in event.masks:
            ops[mask] = event.op
            before = sums.get(mask, 0)
            sums[mask] = None if event.qty is None or before is None else before + event.qty
    lines = []
    for mask, op in ops.items():
        variant = mask.bit_length() - 1
        qty = sums[mask]
        if op is _SET and qty == 0:
            lines.append(Line(context.variants[variant], _REMOVE, None))
            continue
        if qty is not None and (qty != int(qty) or not 0 < qty <= context.limits[variant]):
            return _doubt(Reason.QUANTITY_OUT_OF_RANGE)
        lines.append(Line(context.variants[variant], op, None if qty is None else int(qty)))
    if [event for event in live if event.confirm]:
        return _doubt(Reason.NEEDS_CONFIRMATION, lines)
    return _intent(lines)


def _intent(lines: list[Line]) -> Outcome:
    ops = [line.op for line in lines]
    if ops.count(_ADD) == len(ops):
        return _ORDER, lines, None, None
    if ops.count(_REMOVE) == len(ops):
        return Intent.CANCEL, lines, None, Scope.LINES
    return Intent.AMEND, lines, None, None


def _dangling(reading: Reading) -> bool:
    """Section 8.5: a symbol without a number that touches an item or stands alone."""
    tokens = reading.tokens
    for index in reading.loose:
        for side in (index - 1, index + 1):
            if 0 <= side < len(tokens) and tokens[side].kind in (SHOP, EVERY):
                return True
    return bool(reading.loose) and all(token.kind == PLUS or token.kind <= SEP for token in tokens)


def _quantity_missing(reading: Reading) -> bool:
    """Step 6: a clause of known words with a `buy` word and an item but no number."""
    if reading.context.policy == "STRICT":
        return False
    tokens = reading.tokens
    for clause in reading.layout.clauses:
        buys = item = False
        for token in tokens[clause.start : clause.end]:
            if token.kind == SHOP:
                item = True
            elif token.kind == LEX and token.roles & lx.BUY:
                buys = True
            if token.kind in PHRASE_KINDS and unread(token) and not (token.kind == LEX and token.roles & lx.CONNECTOR):
                break
        else:
            if buys and item:
                return True
    return False
