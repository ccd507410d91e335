"""Pages: which part of a list is asked for, the condition that cuts it out, and what came back.

Lists are ordered by (instant, id): the id breaks ties, so the order is total and a row that is inserted later never moves others.
A position is such a pair; the page after it is found by comparing pairs (keyset), whatever was inserted or removed meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import db
from domain.paging.shape import Row, Shape

DEFAULT_SIZE = 20
MAX_SIZE = 100
COUNT_CAP = 1_000
"""A total above this is answered as this number and said to be inexact."""

Position = tuple[datetime, UUID]


@dataclass(frozen=True, slots=True)
class Page:
    """`size` rows (1 to 100) after `after` and before `before`; `backwards` takes the last ones instead of the first."""

    size: int = DEFAULT_SIZE
    after: Position | None = None
    before: Position | None = None
    backwards: bool = False


class Args:
    """Parameters of a statement being put together; calling it adds one and answers its `$n`.

    Those that say who asks and when are told apart (`member`, `now`), so that a statement that depends on nothing else can be kept for others.
    """

    def __init__(self, *values: object) -> None:
        self.values: list[object] = list(values)
        self._members: list[int] = []
        self._nows: list[int] = []

    def member(self, value: UUID) -> str:
        """Add the member who asks."""
        self._members.append(len(self.values))
        return self(value)

    def now(self, value: datetime) -> str:
        """Add the instant of the request."""
        self._nows.append(len(self.values))
        return self(value)

    def again(self, member: UUID, now: Callable[[], datetime]) -> list[object]:
        """The values of the same statement for another request."""
        values = self.values.copy()
        for place in self._members:
            values[place] = member
        if self._nows:
            at = now()
            for place in self._nows:
                values[place] = at
        return values

    def __call__(self, value: object) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


@dataclass(frozen=True, slots=True)
class Listing:
    """Where the rows of a list are and how they are ordered. All parts are SQL of ours, values go through `Args`."""

    source: str
    """The `from` part for the rows."""
    where: str
    at: str
    id: str
    newest_first: bool = True
    counted: str = ""
    """The `from` part for counting, when fewer joins do."""
    of_two_tables: bool = False
    """`at` and `id` are columns of different tables, so that no index knows the pair: the instant is compared by itself as well."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows in the list's order, their positions, and what lies around them."""

    rows: list[Row]
    positions: list[Position]
    has_next: bool
    has_previous: bool
    total: int | None = None
    """Up to COUNT_CAP; None when it was not asked for."""
    total_is_exact: bool | None = None
    summary: dict[str, Any] = field(default_factory=dict)
    """Values over the whole list, as the database gave them."""


def cut(found: Sequence[tuple[Row, Position]], page: Page) -> Slice:
    """A slice from up to `size + 1` rows in the order they were fetched (reversed for a backward page)."""
    more = len(found) > page.size
    kept = list(found[: page.size])
    if page.backwards:
        kept.reverse()
    rows, positions = [row for row, _ in kept], [position for _, position in kept]
    if page.backwards:
        return Slice(rows, positions, page.before is not None, more)
    return Slice(rows, positions, more, page.after is not None)


def page_sql(shape: Shape, listing: Listing, page: Page, args: Args) -> str:
    """The statement of one page: the shape's columns, then the position's two. Fetches one row more than the page."""
    return f"select {shape.select}, {listing.at} as position_at, {listing.id} as position_id\n        {tail_sql(listing, page, args)}"


def tail_sql(listing: Listing, page: Page, args: Args) -> str:
    """What follows the columns in the statement of one page. Takes one row more than the page."""
    conditions = [listing.where]
    for position, forwards in ((page.after, True), (page.before, False)):
        if position is not None:
            sign = "<" if listing.newest_first is forwards else ">"
            if listing.of_two_tables:
                conditions.append(f"{listing.at} {sign}= {args(position[0])}::timestamptz")
            conditions.append(f"({listing.at}, {listing.id}) {sign} ({args(position[0])}::timestamptz, {args(position[1])}::uuid)")
    return end_sql(listing, backwards=page.backwards, limit=str(page.size + 1), where=" and ".join(conditions))


def end_sql(listing: Listing, *, backwards: bool, limit: str, where: str = "") -> str:
    """The same at one end of the list; `where`: instead of the list's own."""
    way = "desc" if listing.newest_first is not backwards else "asc"
    return f"""from {listing.source} where {where or listing.where}
        order by {listing.at} {way}, {listing.id} {way} limit {limit}"""


def count_sql(listing: Listing) -> str:
    """The number of rows of the whole list, at most COUNT_CAP + 1."""
    return f"(select count(*)::int from (select 1 from {listing.counted or listing.source} where {listing.where} limit {COUNT_CAP + 1}) counted)"


async def fetch_page(
    shape: Shape, listing: Listing, page: Page, args: Args, *, count: bool = False, summary: Mapping[str, str] | None = None
) -> Slice:
    """One page in one statement, with the total when `count` and with values over the whole list (name to SQL) as `summary`."""
    whole = {**({"total": count_sql(listing)} if count else {}), **(summary or {})}
    if not whole:
        records = await db.fetch(page_sql(shape, listing, page, args), *args.values)
        return cut([(shape.read(r), (r["position_at"], r["position_id"])) for r in records], page)
    way = "desc" if listing.newest_first is not page.backwards else "asc"
    once = ", ".join(f"{sql} as {name}" for name, sql in whole.items())
    sql = f"""select page.*, {", ".join(f"whole.{name}" for name in whole)} from (select {once}) whole
        left join lateral ({numbered(page_sql(shape, listing, page, args), len(shape.columns))}) page on true
        order by page.position_at {way}, page.position_id {way}"""
    records = await db.fetch(sql, *args.values)
    found = [(shape.read(r), (r["position_at"], r["position_id"])) for r in records if r["position_id"] is not None]
    part = cut(found, page)
    part.summary.update({name: records[0][name] for name in summary or {}})
    return with_total(part, records[0]["total"]) if count else part


def numbered(sql: str, columns: int) -> str:
    """The same statement with columns c0, c1, …: names of joined tables would clash in a sub-select."""
    names = ", ".join(f"c{n}" for n in range(columns))
    return f"select * from ({sql}) as plain({names}, lists, position_at, position_id)"


def with_total(part: Slice, total: int) -> Slice:
    """The slice with the list's total, capped."""
    return Slice(part.rows, part.positions, part.has_next, part.has_previous, min(total, COUNT_CAP), total <= COUNT_CAP, part.summary)
