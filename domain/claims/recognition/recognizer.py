"""The one pure function: contract sections 1 and 2."""

from collections.abc import Sequence
from datetime import datetime

from domain.claims.recognition.anchors import BOUND, GONE, LIVE
from domain.claims.recognition.context import Context
from domain.claims.recognition.normalise import normalise_with_map
from domain.claims.recognition.outcome import decide
from domain.claims.recognition.reading import Reading
from domain.claims.recognition.result import Confidence, Intent, Reason, Result, Span
from domain.claims.recognition.trail import Tracer
from domain.claims.recognition.verdict import Judge

_NO_PLACES: frozenset[int] = frozenset()
_FIRST_CJK = "\u2e80"
_FROM_SHOP = Result(Intent.NONE, reason=Reason.FROM_SHOP)
_HIGH, _MEDIUM, _LOW = Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW
_AMBIGUOUS, _QUESTION, _NONE = Intent.AMBIGUOUS, Intent.QUESTION, Intent.NONE
_NOTHING = Result(Intent.NONE, reason=Reason.NO_TRIGGER)


def _tagged(mentions: Sequence[tuple[int, int]] | None, origins: list[int] | None, size: int) -> list[tuple[int, int]] | None:
    """Spans of tagged people in the normalised text."""
    if not mentions:
        return None
    spans = []
    for start, end in mentions:
        if origins is None:
            first, last = max(0, start), min(size, end)
        else:
            inside = [place for place, origin in enumerate(origins) if start <= origin < end]
            first, last = (inside[0], inside[-1] + 1) if inside else (0, 0)
        if first < last:
            spans.append((first, last))
    return spans or None


def _wide(text: str, normal: str, origins: list[int] | None) -> frozenset[int]:
    """Where a CJK character of the original became ASCII: ， and ＋ end an address."""
    if text.isascii():
        return _NO_PLACES
    return frozenset(
        place for place, char in enumerate(normal) if char < "\x7f" and text[place if origins is None else origins[place]] >= _FIRST_CJK
    )


def recognize(
    text: str,
    context: Context,
    *,
    at: datetime | None = None,
    mentions: Sequence[tuple[int, int]] | None = None,
    from_shop: bool = False,
) -> Result:
    """Read one comment against one post; never raises on any text. `at` is the platform's time of the comment."""
    if from_shop:
        return _FROM_SHOP
    normal, origins = normalise_with_map(text)
    if context.sparks.isdisjoint(normal):
        return _NOTHING
    wide = _wide(text, normal, origins) if "." in normal or "://" in normal else _NO_PLACES
    reading = Reading(normal, context, _tagged(mentions, origins, len(normal)) if mentions else None, wide)
    asks = reading.layout.asks
    judge = Judge(reading)
    events = judge.events()
    if not events and not asks and not reading.loose and context.policy == "STRICT":
        return _NOTHING
    intent, lines, reason, scope = decide(reading, events, at, asks)
    tracer = Tracer(text, origins)
    for anchor in reading.anchors:
        tracer.anchor(reading.tokens, anchor)
    strange = tracer.tokens(reading.tokens, judge.used)
    return Result(
        intent=intent,
        lines=tuple(lines),
        reason=reason,
        scope=scope,
        question=asks,
        confidence=_confidence(intent, reading, strange),
        trail=tuple(tracer.out),
        candidates=_candidates(context, judge.candidates) if intent is _AMBIGUOUS else (),
        beneficiary=_beneficiary(reading, tracer),
    )


def _confidence(intent: Intent, reading: Reading, strange: bool) -> Confidence | None:
    """HIGH: bound symbol and no unknown words; MEDIUM: other orders; LOW: AMBIGUOUS."""
    if intent is _AMBIGUOUS:
        return _LOW
    if intent is _QUESTION or intent is _NONE:
        return None
    bound = bool(reading.anchors) and not [a for a in reading.anchors if a.status == LIVE and a.kind != BOUND]
    return _HIGH if bound and not strange else _MEDIUM


def _candidates(context: Context, mask: int) -> tuple[str, ...]:
    return tuple(name for place, name in enumerate(context.variants) if mask >> place & 1)


def _beneficiary(reading: Reading, tracer: Tracer) -> Span | None:
    """The first person an anchor is for."""
    for anchor in reading.anchors:
        person = anchor.phrase.person
        if anchor.status != GONE and person is not None:
            start, end = person.start, person.end
            return tracer.span(start, end)
    return None
