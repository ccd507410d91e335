"""What the recogniser says: contract section 2 (output) as frozen values."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from domain.values import Word


class Intent(Word):
    """Section 2, first table."""

    ORDER = "ORDER"
    AMEND = "AMEND"
    CANCEL = "CANCEL"
    QUESTION = "QUESTION"
    AMBIGUOUS = "AMBIGUOUS"
    NONE = "NONE"


class Op(StrEnum):
    """What one line does with its variant."""

    ADD = "ADD"
    SET = "SET"
    REMOVE = "REMOVE"


class Reason(Word):
    """Section 2, second table."""

    NO_TRIGGER = "NO_TRIGGER"
    FROM_SHOP = "FROM_SHOP"
    NEGATED = "NEGATED"
    HYPOTHETICAL = "HYPOTHETICAL"
    REPORTED = "REPORTED"
    LOOKS_LIKE_QUESTION = "LOOKS_LIKE_QUESTION"
    CONDITIONAL = "CONDITIONAL"
    UNKNOWN_ITEM = "UNKNOWN_ITEM"
    MISSING_ITEM = "MISSING_ITEM"
    MISSING_OPTION = "MISSING_OPTION"
    AMBIGUOUS_OPTION = "AMBIGUOUS_OPTION"
    MISSING_QUANTITY = "MISSING_QUANTITY"
    AMBIGUOUS_QUANTITY = "AMBIGUOUS_QUANTITY"
    QUANTITY_OUT_OF_RANGE = "QUANTITY_OUT_OF_RANGE"
    NOT_FOR_SALE = "NOT_FOR_SALE"
    CLOSED = "CLOSED"
    UNCLEAR_CHANGE = "UNCLEAR_CHANGE"
    NEEDS_CONFIRMATION = "NEEDS_CONFIRMATION"


class Scope(StrEnum):
    """How much a `CANCEL` takes back."""

    LINES = "LINES"
    UNNAMED = "UNNAMED"
    ALL = "ALL"


class Confidence(StrEnum):
    """Null on QUESTION and NONE."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


class TrailKind(StrEnum):
    """What a stretch of the comment was read as."""

    ITEM = "ITEM"
    QTY = "QTY"
    OP = "OP"
    CUE = "CUE"
    UNKNOWN = "UNKNOWN"
    IGNORED = "IGNORED"


Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Line:
    """One variant and what happens to it; `qty` is None on a `REMOVE` of all of it."""

    variant: str
    op: Op
    qty: int | None

    def to_json(self) -> dict[str, object]:
        """The shape of section 2."""
        return {"variant": self.variant, "op": self.op.value, "qty": self.qty}


class Trail(NamedTuple):
    """One reading: `span` is [start, end) in code points of the original text, `text` its slice."""

    kind: TrailKind
    span: Span
    text: str
    value: str

    def to_json(self) -> dict[str, object]:
        """The shape of section 2."""
        return {"kind": self.kind.value, "span": list(self.span), "text": self.text, "value": self.value}


@dataclass(frozen=True, slots=True)
class Result:
    """What the buyer asked for."""

    intent: Intent
    lines: tuple[Line, ...] = ()
    reason: Reason | None = None
    scope: Scope | None = None
    question: bool = False
    confidence: Confidence | None = None
    trail: tuple[Trail, ...] = ()
    candidates: tuple[str, ...] = ()
    beneficiary: Span | None = None
    _json: dict[str, object] | None = field(default=None, init=False, repr=False, compare=False)

    def to_json(self) -> dict[str, object]:
        """The shape of section 2. Made once: whoever changes anything of it takes a copy."""
        if self._json is None:
            object.__setattr__(self, "_json", self._as_json())
        assert self._json is not None
        return self._json

    def _as_json(self) -> dict[str, object]:
        return {
            "intent": self.intent.value,
            "lines": [line.to_json() for line in self.lines],
            "reason": self.reason.value if self.reason else None,
            "scope": self.scope.value if self.scope else None,
            "question": self.question,
            "confidence": self.confidence.value if self.confidence else None,
            "trail": [entry.to_json() for entry in self.trail],
            "candidates": list(self.candidates),
            "beneficiary": list(self.beneficiary) if self.beneficiary else None,
        }
