"""Comments that a seller pasted: one a line, with or without names and times. Pure.

A paste has one form, the one that most of its lines have: `text`, `name: text`, or `HH:MM name text` as LINE writes a chat's history. A
line of another form is a comment of somebody unknown. Lines without a name are different people; the same name is one person.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

MOST_COMMENTS: Final = 5_000
LONGEST_COMMENT: Final = 2_000
LONGEST_NAME: Final = 40
_COLON: Final = re.compile("[:：]")
_HOUR: Final = r"(?P<half>上午|下午|AM|PM)?\s?(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::\d\d)?\s?(?P<after>AM|PM)?"
_TABBED: Final = re.compile(rf"{_HOUR}\t(?P<name>[^\t]{{1,{LONGEST_NAME}}})\t(?P<text>.*)", re.IGNORECASE)
_SPACED: Final = re.compile(rf"{_HOUR}\s+(?P<name>\S{{1,{LONGEST_NAME}}})\s+(?P<text>\S.*)", re.IGNORECASE)
DAY: Final = timedelta(days=1)


class UnusablePaste(ValueError):
    """The pasted text is too long, or holds no comment; the message names the line, never its words."""


@dataclass(frozen=True, slots=True)
class PastedComment:
    """One comment. `name` is None where nobody is named; `at` is the hour and minute it was written, where the line says it."""

    text: str
    name: str | None = None
    at: time | None = None


def read_paste(text: str) -> list[PastedComment]:
    """The comments, in the order of their lines; blank lines are none.

    Raises:
        UnusablePaste: more than MOST_COMMENTS comments, one longer than LONGEST_COMMENT characters, or none at all.
    """
    lines = enumerate(text.removeprefix("\ufeff").split("\n"), 1)
    found = [(number, line) for number, raw in lines if (line := raw.strip())]
    if not found:
        raise UnusablePaste("there is no comment in it")
    if len(found) > MOST_COMMENTS:
        raise UnusablePaste(f"at most {MOST_COMMENTS:,} comments at once")
    for number, line in found:
        if len(line) > LONGEST_COMMENT:
            raise UnusablePaste(f"line {number} is longer than {LONGEST_COMMENT:,} characters")
    return _of_most([line for _, line in found])


def _of_most(lines: Sequence[str]) -> list[PastedComment]:
    for form in (_timed, _named):
        read = [form(line) for line in lines]
        if 2 * sum(each is not None for each in read) > len(lines):
            return [each or PastedComment(line) for each, line in zip(read, lines, strict=True)]
    return [PastedComment(line) for line in lines]


def _named(line: str) -> PastedComment | None:
    name, _, text = (part.strip() for part in _COLON.sub("\n", line, count=1).partition("\n"))
    return PastedComment(text, name) if text and 0 < len(name) <= LONGEST_NAME else None


def _timed(line: str) -> PastedComment | None:
    found = _TABBED.fullmatch(line) or _SPACED.fullmatch(line)
    if found is None or (hour := _hour(int(found["hour"]), (found["half"] or found["after"] or "").upper())) is None:
        return None
    if int(found["minute"]) > 59:
        return None
    return PastedComment(found["text"].strip(), found["name"].strip(), time(hour, int(found["minute"])))


def _hour(hour: int, half: str) -> int | None:
    """The hour of the day from 0; None when there is no such hour."""
    if not half:
        return hour if hour < 24 else None
    if not 0 < hour <= 12:
        return None
    return hour % 12 + (12 if half in ("下午", "PM") else 0)


def instants(comments: Sequence[PastedComment], begin: datetime) -> list[datetime]:
    """When each was written, never earlier than the one before: by its hour on the day of `begin` and the days after, else a second later."""
    found: list[datetime] = []
    last = begin if not comments or comments[0].at is None else datetime.combine(begin.date(), comments[0].at, begin.tzinfo)
    for comment in comments:
        if comment.at is None:
            last += timedelta(seconds=1) if found else timedelta()
        else:
            at = datetime.combine(last.date(), comment.at, last.tzinfo)
            if at < last.replace(second=0, microsecond=0):
                at += DAY
            last = max(at, last)
        found.append(last)
    return found
