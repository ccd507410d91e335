"""The evening as a script: who writes what, where and when, and what must come of it.

The lines stand in `evening/<place>.txt`, one act a line:

    since start | who | what | outcome and reason | pieces held (~ waiting) | options

`what` is the comment's text (`⏎` is a line break), `(sticker)`, `(photo)`, or an act on an earlier comment, named by its label:
`edit x: text`, `remove x`, `hide x`, `reply x: text`, `quote x: text`. The outcome is the comment's until its next line, and the last line about a
comment says how it stands when the evening is over. Pieces are those that the line adds or gives back: `A+2 ~C+1 B-1`.

Options: `as=x` label · `late=n` delivered n s after it was written, else 1 · `copies=n` delivered n times more · `batch=x` one delivery with the
other lines of x, in reverse order if the first of them says `reversed` · `scan=n` the collector's n-th delivery · `again=n` which also repeats
scan n · `mention=a-b` a tagged person in the text · `waited` the pieces first waited for others · `tells=A,B` the notices that the buyer gets where they
do not follow from the outcome (`-` for none).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

from domain.claims.rules import ClaimOutcome
from domain.notices.rules import NoticeKind
from plusone.demo.people import SHOP, STRANGER
from plusone.demo.places import EVENING, PLACES, Place

FOLDER: Final = Path(__file__).parent / "evening"
_TIME: Final = re.compile(r"(\d\d):(\d\d)(?:\.(\d{3}))?")
_ACT: Final = re.compile(r"(edit|remove|hide|reply|quote) (\w+)(?:: (.*))?", re.DOTALL)
_PIECES: Final = re.compile(r"(~?)([^\s+~-]+)([+-]\d+)")


class Act(StrEnum):
    """What a line does."""

    SAY = "say"
    EDIT = "edit"
    REMOVE = "remove"
    HIDE = "hide"


class ScriptError(ValueError):
    """A line that cannot be read; the message names it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the script. `key` names the comment that it is about; a comment's first line and its edits share it."""

    place: Place
    number: int
    """Position among the acts of its place, from 1."""
    key: str
    at_ms: int
    """Milliseconds since the start."""
    who: str
    act: Act
    text: str
    media: str
    """`sticker`, `photo` or empty."""
    answers: str
    """Key of the comment that this one replies to or quotes; empty when it stands by itself."""
    outcome: ClaimOutcome
    reason: str
    held: Mapping[str, int]
    waiting: Mapping[str, int]
    tells: tuple[NoticeKind, ...]
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def at(self) -> datetime:
        """When it happens, by the platform."""
        return EVENING + timedelta(milliseconds=self.at_ms)

    @property
    def delivered_at(self) -> datetime:
        """When it is delivered, unless it travels with others."""
        return self.at + timedelta(seconds=int(self.options.get("late", 1)))

    @property
    def event(self) -> str:
        """Name of this act in the recording."""
        return f"{self.place.key}/{self.number}"

    @property
    def by_person(self) -> bool:
        """Written by somebody whom the platform names, who is not the shop."""
        return self.who not in (SHOP, STRANGER)


FOLLOWS: Final[Mapping[ClaimOutcome, NoticeKind]] = {
    ClaimOutcome.ORDERED: NoticeKind.ORDER_PLACED,
    ClaimOutcome.PARTIAL: NoticeKind.ORDER_PARTIAL,
    ClaimOutcome.WAITLISTED: NoticeKind.WAITLISTED,
    ClaimOutcome.SUGGESTED: NoticeKind.SUGGESTION,
    ClaimOutcome.CANCELLED: NoticeKind.LINES_CANCELLED,
    ClaimOutcome.REJECTED: NoticeKind.CLAIM_REJECTED,
}
ASKED: Final = frozenset({"QUANTITY_OUT_OF_RANGE", "WHICH", "NOT_HELD", "REMOVED"})
"""Reasons for which the buyer is asked."""


@cache
def script() -> tuple[Line, ...]:
    """All lines of all places, by time."""
    lines = [line for place in PLACES.values() for line in _read(place, (FOLDER / f"{place.key}.txt").read_text("utf-8"))]
    return tuple(sorted(lines, key=lambda line: (line.at_ms, line.place.key, line.number)))


def last_lines(lines: Iterable[Line]) -> dict[str, Line]:
    """By comment: the line that says how it stands in the end."""
    return {line.key: line for line in sorted(lines, key=lambda line: line.at_ms)}


def spoken(lines: Iterable[Line]) -> list[Line]:
    """The lines that bring a comment into the world."""
    return [line for line in lines if line.act is Act.SAY]


def _read(place: Place, text: str) -> list[Line]:
    lines: list[Line] = []
    labels: dict[str, str] = {}
    for row, raw in enumerate(text.splitlines(), 1):
        if raw.strip() and not raw.startswith("#"):
            try:
                lines.append(_line(place, len(lines) + 1, [cell.strip() for cell in raw.split("|")], labels))
            except (ValueError, KeyError) as error:
                raise ScriptError(f"{place.key}.txt, row {row}: {error}") from error
    return lines


def _line(place: Place, number: int, cells: Sequence[str], labels: dict[str, str]) -> Line:
    time, who, what, wanted, pieces, rest = [*cells, "", ""][:6]
    options = dict(part.partition("=")[::2] for part in rest.split())
    found = _ACT.fullmatch(what)
    act, ref, text = (found[1], labels[found[2]], found[3] or "") if found else ("say", "", what)
    is_new = act in ("say", "reply", "quote")
    key = f"{place.key}/{number}" if is_new else ref
    if "as" in options:
        labels[options["as"]] = key
    media = text[1:-1] if text in ("(sticker)", "(photo)") else ""
    outcome, _, reason = wanted.partition(":")
    held, waiting = _pieces(pieces)
    kind = Act.SAY if is_new else Act(act)
    return Line(
        place=place,
        number=number,
        key=key,
        at_ms=_millis(time),
        who=who,
        act=kind,
        text="" if media else text.replace("⏎", "\n"),
        media=media,
        answers=ref if is_new else "",
        outcome=ClaimOutcome(outcome),
        reason=reason,
        held=held,
        waiting=waiting,
        tells=_tells(kind, who, ClaimOutcome(outcome), reason, options),
        options=options,
    )


def _millis(time: str) -> int:
    found = _TIME.fullmatch(time)
    if found is None:
        raise ScriptError(f"no time: {time!r}")
    return (int(found[1]) * 60 + int(found[2])) * 1000 + int(found[3] or 0)


def _pieces(text: str) -> tuple[dict[str, int], dict[str, int]]:
    held: dict[str, int] = {}
    waiting: dict[str, int] = {}
    for part in text.split():
        found = _PIECES.fullmatch(part)
        if found is None:
            raise ScriptError(f"no pieces: {part!r}")
        (waiting if found[1] else held)[found[2]] = int(found[3])
    return held, waiting


def _tells(act: Act, who: str, outcome: ClaimOutcome, reason: str, options: Mapping[str, str]) -> tuple[NoticeKind, ...]:
    """What the buyer hears of a line."""
    if who in (SHOP, STRANGER):
        return ()
    if "tells" in options:
        return tuple(NoticeKind(name) for name in options["tells"].split(",") if name != "-")
    if "waited" in options:
        return NoticeKind.WAITLISTED, NoticeKind.WAITLIST_FILLED
    if act is not Act.HIDE and (reason in ASKED or reason.startswith("EDITED_")):
        return (NoticeKind.ASK_BUYER,)
    return (FOLLOWS[outcome],) if outcome in FOLLOWS else ()
