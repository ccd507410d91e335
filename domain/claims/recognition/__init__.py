"""STAND-IN until the real package lands; same public names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

RULES_VERSION = "0"


class Intent(StrEnum):
    ORDER = "ORDER"
    AMEND = "AMEND"
    CANCEL = "CANCEL"
    QUESTION = "QUESTION"
    AMBIGUOUS = "AMBIGUOUS"
    NONE = "NONE"


class Op(StrEnum):
    ADD = "ADD"
    SET = "SET"
    REMOVE = "REMOVE"


class Scope(StrEnum):
    LINES = "LINES"
    UNNAMED = "UNNAMED"
    ALL = "ALL"


Reason = StrEnum("Reason", {n: n for n in ["NO_TRIGGER", "FROM_SHOP", "NEGATED", "HYPOTHETICAL", "REPORTED", "LOOKS_LIKE_QUESTION", "CONDITIONAL", "UNKNOWN_ITEM", "MISSING_ITEM", "MISSING_OPTION", "AMBIGUOUS_OPTION", "MISSING_QUANTITY", "AMBIGUOUS_QUANTITY", "QUANTITY_OUT_OF_RANGE", "NOT_FOR_SALE", "CLOSED", "UNCLEAR_CHANGE", "NEEDS_CONFIRMATION"]})  # type: ignore[misc]


@dataclass(frozen=True)
class Line:
    variant: str
    op: Op
    qty: int | None


@dataclass(frozen=True)
class Result:
    intent: Intent
    lines: tuple[Line, ...] = ()
    reason: Any = None
    scope: Scope | None = None
    question: bool = False
    candidates: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"intent": self.intent.value, "lines": [{"variant": x.variant, "op": x.op.value, "qty": x.qty} for x in self.lines], "reason": self.reason and str(self.reason), "trail": []}


@dataclass(frozen=True)
class Context:
    post: Mapping[str, Any]


def normalise(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def compile_context(post: Mapping[str, Any]) -> Context:
    return Context(post)


def recognize(text: str, context: Context, *, at: datetime | None = None, mentions: Sequence[tuple[int, int]] | None = None, from_shop: bool = False) -> Result:
    t = normalise(text)
    if from_shop:
        return Result(Intent.NONE, reason=Reason.FROM_SHOP)
    if "?" in t or "嗎" in t:
        return Result(Intent.QUESTION, reason=Reason.LOOKS_LIKE_QUESTION, question=True)
    if t.strip() == "取消":
        return Result(Intent.CANCEL, scope=Scope.UNNAMED)
    lines = []
    for m in re.finditer(r"([^\s+]*)\s*\+\s*(\d+)", t):
        name, qty = m.group(1), int(m.group(2))
        found = []
        for offer in context.post["offers"]:
            words = [normalise(w) for w in [offer["title"], *offer["codes"], *offer["aliases"]]]
            for v in offer["variants"]:
                opts = [normalise(x["label"]) for o in offer["options"] for x in o["values"] if v["values"].get(o["name"]) == x["key"]]
                if not name or name in words or name == "".join(opts):
                    found.append(v["id"])
        if len(found) != 1:
            return Result(Intent.AMBIGUOUS, reason=Reason.UNKNOWN_ITEM if not found else Reason.MISSING_OPTION, candidates=tuple(found))
        if qty > context.post["max_qty"]:
            return Result(Intent.AMBIGUOUS, reason=Reason.QUANTITY_OUT_OF_RANGE)
        lines.append(Line(found[0], Op.ADD, qty))
    if lines:
        return Result(Intent.ORDER, tuple(lines))
    return Result(Intent.NONE, reason=Reason.NO_TRIGGER)
