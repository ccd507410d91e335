"""Contract section 15: grade cases against the recogniser."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from domain.claims.recognition import Context, Result, compile_context, recognize

Case = Mapping[str, Any]
BARS = {"dev": (1.0, 0.0, 1.0, 1.0), "held-out": (0.95, 0.005, 0.97, 0.95)}
"""Least share of exact cases, most of false orders, least of `question` and of evidence (section 15)."""
_LINE_KEYS = ("variant", "op", "qty")


@dataclass
class Grade:
    """Counts over a corpus, and every failing case."""

    cases: int = 0
    exact: int = 0
    false_orders: int = 0
    false_on_silence: int = 0
    missed: int = 0
    question: int = 0
    evidence: int = 0
    evidence_right: int = 0
    failures: list[str] = field(default_factory=list)

    def passes(self, bars: str = "dev") -> bool:
        """Whether the figures meet these bars of section 15."""
        exact, false, question, evidence = BARS[bars]
        return (
            self.exact >= exact * self.cases
            and self.false_orders <= false * self.cases
            and not self.false_on_silence
            and not self.missed
            and self.question >= question * self.cases
            and self.evidence_right >= evidence * self.evidence
        )


def _lines(lines: Iterable[Mapping[str, Any]]) -> set[tuple[Any, ...]]:
    return {tuple(line[key] for key in _LINE_KEYS) for line in lines}


def read(case: Case, context: Context) -> Result:
    """Recognise one case."""
    at = datetime.fromisoformat(case["at"]) if case["at"] else None
    mentions = [(start, end) for start, end in case["mentions"]] if case["mentions"] else None
    return recognize(case["text"], context, at=at, mentions=mentions, from_shop=case["from_shop"])


def mark(grade: Grade, case: Case, result: Result) -> None:
    """Add one case to the grade."""
    got, want = result.to_json(), case["expect"]
    same_lines = _lines(got["lines"]) == _lines(want["lines"])  # type: ignore[arg-type]
    exact = same_lines and all(got[key] == want[key] for key in ("intent", "reason", "scope"))
    false_order = got["intent"] in ("ORDER", "AMEND") and not (same_lines and got["intent"] == want["intent"])
    found = [
        any(t.kind == e["kind"] and t.span[0] < e["span"][1] and e["span"][0] < t.span[1] for t in result.trail) for e in case["evidence"]
    ]
    grade.cases += 1
    grade.exact += exact
    grade.false_orders += false_order
    grade.false_on_silence += false_order and want["intent"] in ("QUESTION", "NONE")
    grade.missed += want["intent"] == "ORDER" and got["intent"] == "NONE"
    grade.question += got["question"] == want["question"]
    grade.evidence += len(found)
    grade.evidence_right += sum(found)
    if not exact or got["question"] != want["question"] or not all(found):
        grade.failures.append(_failure(case, got, found))


def _failure(case: Case, got: Mapping[str, Any], found: list[bool]) -> str:
    want = case["expect"]

    def short(of: Mapping[str, Any]) -> str:
        lines = " ".join(f"{line['op']} {line['variant']} {line['qty']}" for line in of["lines"])
        return f"{of['intent']} {of['reason'] or ''} {of['scope'] or ''} [{lines}]{' ?' if of['question'] else ''}"

    absent = [f"{e['kind']}{e['span']}" for e, ok in zip(case["evidence"], found, strict=True) if not ok]
    return f"{case['id']} {case['context']} {case['text']!r}\n    expected {short(want)}\n    actual   {short(got)}  {' '.join(absent)}"


def grade(cases: Iterable[Case], contexts: Iterable[Mapping[str, Any]], reader: Callable[[Case, Context], Result] = read) -> Grade:
    """Grade all cases."""
    compiled = {post["id"]: compile_context(post) for post in contexts}
    total = Grade()
    for case in cases:
        mark(total, case, reader(case, compiled[case["context"]]))
    return total


def load(cases: Path, contexts: Path) -> tuple[list[Case], list[Mapping[str, Any]]]:
    """Read a corpus from its two files."""
    rows = [json.loads(line) for line in cases.read_text("utf-8").splitlines() if line.strip()]
    posts = json.loads(contexts.read_text("utf-8"))["contexts"]
    return rows, posts
