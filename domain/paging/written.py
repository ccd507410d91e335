"""Screens as text: each row of a page comes from PostgreSQL as the texts of what is selected of it, joined by separators.

Decoding rows value by value costs a web process more than everything else about a screen together. Here a row is one text of pieces, and a
piece is already what stands in JSON (texts are quoted by PostgreSQL) or nearly (ids, instants, words): who writes the answer splits and
places them. Rows, and the pieces of a row, are separated by control characters, which JSON's texts never hold; a list within a row has
separators of its own. The columns are the UTF-8 bytes of such texts; see `CARRIED` for how they are handled. A null that may not be has no
piece, so a row that does not fit has another number of pieces than was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from functools import lru_cache
from typing import Any, Final, TypeAlias

from domain import db
from domain.paging.page import COUNT_CAP, DEFAULT_SIZE, Args, Listing, Page, count_sql, end_sql, tail_sql

DEEPEST: Final = 6
"""Lists within lists."""
MOST_PIECES: Final = 90
"""Of one row: a function of PostgreSQL takes a hundred arguments."""
NULL: Final = "null"
QUOTED: Final = "text_as_json"
"""Stands in SQL for the function that writes a text as JSON: `json_scalar` knows its type beforehand, `to_json` looks it up in the catalogue for
each text, which is an eighth of a screen's statement; but only PostgreSQL 17 has the former."""
QUOTED_BY_SERVER: Final = {True: "json_scalar", False: "to_json"}
CARRIED: Final = "latin-1"
"""How the bytes of texts become Python's while they are split and placed, and bytes again: a character per byte is twice to four times as
quick to put together as wider ones, and nothing looks at what people wrote. `real` is the text itself."""


def between_pieces(depth: int) -> str:
    """What separates the pieces of a row; the rows of a page are at depth 0."""
    return chr(31 - 2 * depth)


def between_rows(depth: int) -> str:
    """What separates the rows of a list."""
    return chr(30 - 2 * depth)


class Kind(Enum):
    """What a piece holds."""

    ID = auto()
    """The UUID's 16 bytes as base64 (24 characters)."""
    TEXT = auto()
    """A text as JSON."""
    WORD = auto()
    """One of a fixed set of words, as it is."""
    WHOLE = auto()
    """A whole number of 32 bits."""
    FLAG = auto()
    """`t` or `f`."""
    INSTANT = auto()
    """As PostgreSQL shows a timestamptz in UTC."""
    DAY = auto()
    """As PostgreSQL shows a date."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value; `tag`: of an id. A null of a `nullable` one is the piece `null`."""

    kind: Kind
    sql: str
    nullable: bool = False
    tag: str = ""

    @property
    def piece(self) -> str:
        """The SQL of its piece."""
        match self.kind:
            case Kind.ID:
                return as_base64(self.sql)
            case Kind.TEXT:
                return f"coalesce({QUOTED}({self.sql}), '{NULL}')" if self.nullable else f"{QUOTED}({self.sql})"
        return f"coalesce(({self.sql})::text, '{NULL}')" if self.nullable else self.sql


@dataclass(frozen=True, slots=True)
class Amount:
    """Money: `amount` and `currency_code` from minor units (64 bits) and a currency."""

    minor: str
    currency: str
    of_outer: bool = False
    """The currency is a column of the row around the list's: it is asked for once, there."""


@dataclass(frozen=True, slots=True)
class Made:
    """Made in Python of these pieces (as they really are), once per row."""

    pieces: tuple[str, ...]
    make: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Part:
    """An attribute of what was made, or with `name` None all of it: a text, or a tuple of words."""

    of: Made
    name: str | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Fields:
    """An object's fields by their names. Not every field need be here: a selection of others is read as rows."""

    entries: Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class Within:
    """An object whose columns are of the same row."""

    fields: Fields


@dataclass(frozen=True, slots=True)
class Rows:
    """A list in a row; `select` is a statement with `{row}` for the row's text."""

    fields: Fields | Amount
    select: str


@dataclass(frozen=True, slots=True)
class Maybe:
    """An object that may be missing; `select` is a statement of one row at most, with `{row}` for the row's text."""

    fields: Fields
    select: str


@dataclass(frozen=True, slots=True)
class One:
    """An object of another row, which is always there; `select` is a statement of that row, with `{row}` for the row's text."""

    fields: Fields
    select: str


@dataclass(frozen=True, slots=True)
class Paged:
    """The beginning of a list that has pages of its own. `most`: rows that are shown at once; `select` answers one more."""

    rows: Rows
    most: int
    name: str
    """What its cursors are bound to, with `of`."""
    of: str
    """The SQL of the UUID of the object around, a column of its row."""
    place: tuple[str, str]
    """The SQL of a row's position: its instant and its id, a UUID."""
    counted: str
    """The statement of all its rows, for counting those beyond `most`."""
    size: int = DEFAULT_SIZE
    """Rows of a page whose size is not said."""

    @property
    def beyond(self) -> str:
        """The SQL of how many rows there are beyond `most`, no more of them than a total tells."""
        return f"(select count(*) from ({self.counted} offset {self.most} limit {COUNT_CAP + 1 - self.most}) beyond)"


Entry: TypeAlias = Leaf | Amount | Part | Within | Rows | Maybe | One | Paged


def real(carried: str) -> str:
    """A piece as the text that it is."""
    return carried if carried.isascii() else carried.encode(CARRIED).decode()


def public(tag: str, sql: str) -> Leaf:
    """A public id."""
    return Leaf(Kind.ID, sql, tag=tag)


def text(sql: str, *, nullable: bool = False) -> Leaf:
    """A text."""
    return Leaf(Kind.TEXT, sql, nullable)


def word(sql: str, *, nullable: bool = False) -> Leaf:
    """A word of a fixed set."""
    return Leaf(Kind.WORD, sql, nullable)


def whole(sql: str) -> Leaf:
    """An integer of 32 bits."""
    return Leaf(Kind.WHOLE, sql)


def flag(sql: str) -> Leaf:
    """A boolean."""
    return Leaf(Kind.FLAG, sql)


def instant(sql: str, *, nullable: bool = False) -> Leaf:
    """A timestamptz."""
    return Leaf(Kind.INSTANT, sql, nullable)


def day(sql: str) -> Leaf:
    """A date that may be missing."""
    return Leaf(Kind.DAY, sql, nullable=True)


def as_base64(sql: str) -> str:
    """The SQL of a UUID's bytes as base64."""
    return f"encode(uuid_send({sql}), 'base64')"


SHOP_FIELDS: Final = Fields(
    {
        "id": public("shop", "s.id"), "handle": text("s.handle"), "name": text("s.name"), "currency": word("s.currency"),
        "time_zone": text("s.time_zone"), "locale": text("s.locale"), "pickup_place": text("s.pickup_place"),
    }
)  # fmt: skip
"""A shop as anybody may see it; table alias `s`. The same as SHOP."""

NOW: Final = "{now}"
"""In SQL of a field: the instant of the screen."""


@dataclass(frozen=True, slots=True)
class Screen:
    """A page to be read as text. `whole`: what may be asked of the whole list. `args` are the statement's, which may hold other screens too."""

    fields: Fields
    listing: Listing
    page: Page
    args: Args
    whole: Mapping[str, Leaf | Rows] = field(default_factory=dict)
    now: datetime | None = None
    steady: bool = False
    """Who asks and when are all that the statement's values have of the request besides the arguments: others may be answered by it."""

    @property
    def is_kept(self) -> bool:
        """Whether the same statement answers others who ask for the same."""
        return self.steady and self.page.after is None and self.page.before is None

    @property
    def place(self) -> tuple[str, str]:
        """The SQL of a row's position: its instant, and its id as base64."""
        return self.listing.at, as_base64(self.listing.id)

    def columns(self, pieces: str, *, count: bool, whole: Sequence[str]) -> list[str]:
        """Columns of the one row that answers it: the page's rows as a text, the total when `count`, then values over the whole list.

        `pieces`: their SQL, one after the other.
        """
        if self.page.after is None and self.page.before is None:
            # As a number, not a value: PostgreSQL keeps a plan only if it is as good as one made for these values, and of an unknown limit it thinks the worst.
            column = _beginning(pieces, self.listing, self.page.backwards, str(self.page.size + 1))
        else:
            column = _page(pieces, tail_sql(self.listing, self.page, self.args))
        found = [column, *([count_sql(self.listing)] if count else []), *whole]
        if self.now is None or not any(map(_is_dated, found)):
            return found
        now = f"{self.args.now(self.now)}::timestamptz"
        return [_dated(column, now) for column in found]


# Statements are long, and nearly all of them the same few: each is put together once. What is asked for by a text that is known already is found by
# its identity, here and among asyncpg's prepared statements.


@lru_cache(maxsize=512)
def _beginning(pieces: str, listing: Listing, backwards: bool, limit: str) -> str:
    return _page(pieces, end_sql(listing, backwards=backwards, limit=limit))


def _page(pieces: str, tail: str) -> str:
    return column_of(f"select concat_ws({TOP}, {pieces}) {tail}")


@lru_cache(maxsize=512)
def _is_dated(column: str) -> bool:
    return NOW in column


@lru_cache(maxsize=512)
def _dated(column: str, now: str) -> str:
    return column.replace(NOW, now)


@lru_cache(maxsize=512)
def _statement(columns: tuple[str, ...], quoted: str) -> str:
    return f"select {', '.join(columns)}".replace(QUOTED, quoted)


def row_text(pieces: Sequence[str], depth: int) -> str:
    """The SQL of a row's text."""
    return f"concat_ws({_quoted(between_pieces(depth))}, {', '.join(pieces)})"


def list_text(select: str, depth: int) -> str:
    """The SQL of the text of a list whose rows a statement answers."""
    return f"array_to_string(array({select}), {_quoted(between_rows(depth))})"


def list_and_beyond(select: str, depth: int, paged: Paged) -> str:
    """The SQL of two pieces of the row around: the list's text, and how many rows there are beyond it, which are looked for only when it is full."""
    return f"""(select concat_ws({_quoted(between_pieces(depth - 1))}, array_to_string(listed.a, {_quoted(between_rows(depth))}),
        case when cardinality(listed.a) > {paged.most} then {paged.beyond} else 0 end) from (select array({select}) as a offset 0) listed)"""


def column_of(select: str) -> str:
    """The SQL of a column with the bytes of such a text."""
    return f"convert_to({list_text(select, 0)}, 'UTF8')"


def _quoted(character: str) -> str:
    return f"E'\\x{ord(character):02x}'"


TOP: Final = _quoted(between_pieces(0))


async def fetch_columns(columns: tuple[str, ...], values: Sequence[object]) -> db.Record:
    """One row of these columns."""
    row = await db.fetchrow_of_request(_statement(columns, QUOTED_BY_SERVER[db.server_major() >= 17]), values)
    assert row is not None
    return row
