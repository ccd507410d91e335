"""What writers are made of: the pieces of a list's rows while a writer is compiled, and what compiled writers call."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Protocol
from uuid import UUID

import orjson

from api.execution.leaves import Misfit
from api.execution.plans import Unplannable
from domain.money import DIGITS
from domain.paging import Page, Position
from domain.paging.written import (
    CARRIED,
    MOST_PIECES,
    NULL,
    Fields,
    Leaf,
    Made,
    Paged,
    Rows,
    Screen,
    as_base64,
    between_pieces,
    column_of,
    real,
    row_text,
)

MOST_LISTS: Final = 200
SEPARATOR: Final = between_pieces(0)
TOTALS: Final = frozenset({"total_count", "total_count_is_exact"})
"""Fields of a list with pages that need the number of its rows."""


class Beyond(Exception):
    """Rows are asked for that did not come along with their object."""


class Question(Protocol):
    """The page that was asked for; `cursor` makes the cursor of a position in its list."""

    page: Page

    def cursor(self, position: Position) -> str: ...

    def by(self, viewer: Any) -> Question:
        """The same asked by another."""

    def within(self, name: str, of: UUID) -> Question:
        """That of the beginning of a list of this name in one of its objects."""


# What compiled functions call


def instant(piece: str) -> str:
    """An instant as JSON: RFC 3339 with `Z`, six digits of a second or none.

    Raises:
        Misfit: a year that Python does not know, or PostgreSQL shows instants in another way.
    """
    size = len(piece)
    if size == 26 and piece[23:] == "+00" and piece[10] == " ":  # milliseconds
        return f'"{piece[:10]}T{piece[11:23]}000Z"'
    if piece[10:11] == " " and piece[-3:] == "+00":
        if size == 22:
            return f'"{piece[:10]}T{piece[11:19]}Z"'
        if size <= 29 and piece[19] == ".":
            return f'"{piece[:10]}T{piece[11:-3]:0<15}Z"'
    raise Misfit


def day(piece: str) -> str:
    """A date as JSON.

    Raises:
        Misfit: a year that Python does not know, or PostgreSQL shows dates in another way.
    """
    if len(piece) == 10 and piece[4] == piece[7] == "-":
        return f'"{piece}"'
    raise Misfit


def cents(minor: str, currency: str) -> str:
    """An amount in major units of a currency that has minor ones."""
    digits = DIGITS[currency]
    if digits == 2 and len(minor) > 2 and minor.isdigit():
        return f"{minor[:-2]}.{minor[-2:]}"
    return str(Decimal(minor).scaleb(-digits))


def quoted(value: Any) -> str:
    """A text of Python as JSON, carried as pieces are."""
    if type(value) is not str:
        raise Misfit
    return orjson.dumps(value).decode(CARRIED)


def cursor(at: str, id_: str, question: Question) -> str:
    """The cursor of a row at this position, as JSON."""
    return f'"{question.cursor((datetime.fromisoformat(at), UUID(bytes=a2b_base64(id_))))}"'


def end(rows: Sequence[str], which: int, at: int, id_: int, question: Question, separator: str) -> str:
    """The cursor of the first or last row, null without rows. `at`, `id_`: places of its position's pieces."""
    if not rows:
        return NULL
    pieces = rows[which].split(separator)
    return cursor(pieces[at], pieces[id_], question)


def within(question: Question, name: str, of: str) -> Question:
    """What makes the cursors of a list in an object, whose id is this piece."""
    return question.within(name, UUID(bytes=a2b_base64(of)))


def all_of(rows: Sequence[str], most: int) -> Sequence[str]:
    """The rows of a list that is shown from its end.

    Raises:
        Beyond: there are more than came along.
    """
    if len(rows) > most:
        raise Beyond
    return rows


def there(text: str) -> tuple[str]:
    """The text of an object that is always there, as rows.

    Raises:
        Misfit: it is not.
    """
    if not text:
        raise Misfit
    return (text,)


ENVIRONMENT: Final[Mapping[str, Any]] = {
    "instant": instant, "day": day, "cents": cents, "quoted": quoted, "cursor": cursor, "end": end, "within": within, "there": there, "real": real,
    "all_of": all_of,     "SEPARATOR": SEPARATOR, "NULL": NULL, "NONE": "", "COMMA": ",", "TRUE": "true", "FALSE": "false", "PLUS": "+", "DASH": "-", "SLASH": "/", "LINE": "_",
    "FLAGS": {"t": "true", "f": "false"},
    "UNDIVIDED": frozenset(code for code, digits in DIGITS.items() if not digits),
}  # fmt: skip


class Tally:
    """Points of what was written since it was set."""

    __slots__ = ("points",)

    def __init__(self) -> None:
        self.points = 0

    def spend(self, rows: Sequence[str], price: int) -> Sequence[str]:
        """These rows again, each counted at this price."""
        self.points += price * len(rows)
        return rows


class Lists(dict[tuple[str, ...], str]):
    """Lists of words as JSON, by the pieces that they are made of: there are few."""

    def __init__(self, make: Callable[..., tuple[Any, ...]], names: Mapping[Any, str]) -> None:
        super().__init__()
        self._make = make
        self._names = names

    def __missing__(self, pieces: tuple[str, ...]) -> str:
        words = self._make(*map(real, pieces))
        text = f"[{','.join([self._names[word] for word in words])}]"
        if len(self) < MOST_LISTS:
            self[pieces] = text
        return text


@dataclass(slots=True)
class Level:
    """The rows of one list while their writers are made: their pieces, and what is done before they are placed."""

    depth: int
    outer: Level | None = None
    pieces: list[str] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    made: dict[Made, str] = field(default_factory=dict)
    before: list[str] = field(default_factory=list)
    borrowed: list[str] = field(default_factory=list)
    """Names of pieces of the row around."""
    written: list[tuple[str, str, str]] = field(default_factory=list)
    """Functions: name, further parameters, body."""

    def piece(self, sql: str) -> str:
        """The name of a piece."""
        if sql not in self.known:
            self.known[sql] = self.name(self.reserve(sql))
        return self.known[sql]

    def place(self, sql: str) -> int:
        """The place of a piece among the row's."""
        self.piece(sql)
        return self.pieces.index(sql)

    def reserve(self, sql: str = "") -> int:
        """The place of a piece, whose SQL may be known only later."""
        if len(self.pieces) >= MOST_PIECES:
            raise Unplannable
        self.pieces.append(sql)
        return len(self.pieces) - 1

    def name(self, place: int) -> str:
        """What the piece at this place is called."""
        return f"x{self.depth}_{place}"

    def source(self) -> str:
        """The functions."""
        split = f" {', '.join(map(self.name, range(len(self.pieces))))}, = t.split({between_pieces(self.depth)!r})"
        before = "".join(f"\n {line}" for line in self.before)
        return "\n".join(f"def {name}(t, q{more}):\n{split}{before}\n return f'{body}'" for name, more, body in self.written)

    @property
    def said(self) -> list[str]:
        """The SQL of the pieces. One that comes with the piece before it has none of its own."""
        return [sql for sql in self.pieces if sql]

    def row(self) -> str:
        """The SQL of a row's text."""
        return row_text(self.said, self.depth)


@dataclass(slots=True)
class Beginning:
    """The first page of a list in a row, or the last one (`backwards`). `rows`: the name of its rows in the functions of the row around, which is of `level`."""

    rows: str
    size: int
    entry: Paged
    level: Level
    backwards: bool
    beyond: str
    """The name of the piece that says how many rows there are beyond those that came along, when that is asked for."""
    asked: str = ""

    @property
    def shown(self) -> str:
        """The expression of the page's rows."""
        return f"{self.rows}[-{self.size}:]" if self.backwards else f"{self.rows}[:{self.size}]"

    @property
    def place(self) -> tuple[str, str]:
        """The SQL of a position, as `Screen.place`."""
        at, id_ = self.entry.place
        return at, as_base64(id_)

    @property
    def total(self) -> str:
        """The expression of the number of all its rows: of those that came along, and of those beyond them."""
        return f"(min(len({self.rows}), {self.entry.most}) + int({self.beyond}))"

    def question(self, name: Callable[[str], str], bound: Callable[[Any], str]) -> str:
        """The name of what its cursors are made by. `name` answers a new name, `bound` the name of a value."""
        if not self.asked:
            self.asked = name("q")
            key = self.level.piece(as_base64(self.entry.of))
            self.level.before.append(f"{self.asked} = within(q, {bound(self.entry.name)}, {key})")
        return self.asked


@dataclass(frozen=True, slots=True)
class Written:
    """How a list's page is asked for and written. `write(columns, first, question)`: from the columns of `columns(screen)`, the first of
    which is the one of this number."""

    fields: Fields
    pieces: str
    place: tuple[str, str]
    """The SQL of the positions that it was made for."""
    count: bool
    whole: tuple[tuple[str, str | None], ...]
    """Values over the whole list: their names, with the row's SQL of lists."""
    write: Callable[[Any, int, Any], str]

    def columns(self, screen: Screen) -> list[str]:
        """The SQL of this page's columns."""
        whole = [_whole(screen.whole[name], row) for name, row in self.whole]
        return screen.columns(self.pieces, count=self.count, whole=whole)


def _whole(entry: Leaf | Rows, row: str | None) -> str:
    if row is None or not isinstance(entry, Rows):
        return entry.piece if isinstance(entry, Leaf) else ""
    return _of_whole(entry.select, row)


@lru_cache(maxsize=512)
def _of_whole(select: str, row: str) -> str:
    return column_of(select.replace("{row}", row))
