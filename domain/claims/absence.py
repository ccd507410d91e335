"""Comments that a list of all comments does not show: missed once, gone, or too many at once to be believed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.values import value

FEW: Final = 10
"""Under fewer comments any number may be gone."""


@value
class Standing:
    """A comment under the post that nobody has said was removed."""

    id: UUID
    external_id: str
    heard_at: datetime
    """The latest that was heard of it: written, edited, hidden, shown, or seen by the collector for the first time."""
    hidden: bool
    missed_at: datetime | None
    """When the first complete list since then was taken that did not show it; None when the latest one did."""


@value
class Absence:
    """What a complete list does not show."""

    first: Sequence[Standing]
    """Missing for the first time."""
    again: Sequence[Standing]
    """Missing for the second time in a row, or more: gone, unless there are too many."""
    too_many: bool
    """More than half of ten or more: a page that did not load is likelier than so many second thoughts."""


def absent(standing: Sequence[Standing], seen: Collection[str], taken_at: datetime) -> Absence:
    """Compare what stands with a complete list that was taken later than the one before.

    What was heard of a comment at the time of the list or later says more than the list, and a hidden comment is not a deleted one.
    """
    missing = [x for x in standing if x.external_id not in seen and not x.hidden and x.heard_at < taken_at]
    again = [x for x in missing if x.missed_at is not None and x.heard_at < x.missed_at]
    first = [x for x in missing if x.missed_at is None or x.heard_at >= x.missed_at]
    shown = sum(x.external_id in seen for x in standing)
    counted = shown + len(missing)
    return Absence(first, again, counted >= FEW and 2 * len(again) > counted)
