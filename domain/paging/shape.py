"""What a screen wants and how its rows become finished values.

A screen is one statement. `Wanted` says which branches were asked for; a `Shape` is the SQL of one object (columns of a table alias that
the caller knows) with the function that reads such a row into a plain dict. Shapes nest: a child object is `row(...)`, a child list
`array(select row(...))`, so that a whole screen comes back in one answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from domain.ids import public_id
from domain.money import DIGITS

Row = dict[str, Any]
"""A finished object: names and values as the app will see them, ids public, amounts as decimal values with their currency."""

Read = Callable[[Any], Any]


class Wanted:
    """The branches asked for below one object, as an immutable tree of names; equal trees are one key of a cache."""

    __slots__ = ("_fields", "_hash")

    def __init__(self, fields: Mapping[str, Wanted] | None = None) -> None:
        self._fields = dict(fields or {})
        self._hash = hash(frozenset((name, hash(child)) for name, child in self._fields.items()))

    @classmethod
    def of(cls, *paths: str) -> Wanted:
        """A tree from dotted paths: `Wanted.of("shop", "lines.variant")`."""
        tree: dict[str, list[str]] = {}
        for path in paths:
            head, _, tail = path.partition(".")
            tree.setdefault(head, [])
            if tail:
                tree[head].append(tail)
        return cls({head: cls.of(*tails) for head, tails in tree.items()})

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def __getitem__(self, name: str) -> Wanted:
        return self._fields.get(name, NOTHING)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Wanted) and self._hash == other._hash and self._fields == other._fields)

    def __repr__(self) -> str:
        return f"Wanted({self._fields})"

    def any_of(self, *names: str) -> bool:
        """True when one of these branches was asked for."""
        return any(name in self._fields for name in names)


NOTHING = Wanted()


@dataclass(frozen=True, slots=True)
class Shape:
    """SQL of one object and its reader."""

    columns: tuple[str, ...]
    read: Read

    @property
    def select(self) -> str:
        """The columns for a select list, and one that is always null: asyncpg reads a list of rows inside a row only on a connection that
        has seen such a list as a column."""
        return f"{', '.join(self.columns)}, null::record[] as lists"

    @property
    def row(self) -> str:
        """The object as one value."""
        return f"row({', '.join(self.columns)})"

    def row_if(self, present: str) -> str:
        """The object as one value, null unless `present` (a column of an outer join) is not null."""
        return f"case when {present} is null then null else {self.row} end"

    def read_if(self, row: Any) -> Any:
        """Null stays None."""
        return None if row is None else self.read(row)

    def read_all(self, rows: Sequence[Any] | None) -> list[Any]:
        """A child list."""
        return [self.read(row) for row in rows or ()]


def shape(columns: Sequence[str], read: Callable[[Any], Row], branches: Sequence[tuple[str, str, Read]] = ()) -> Shape:
    """Base columns with their reader, and branches as (name, SQL, reader) that follow them."""
    if not branches:
        return Shape(tuple(columns), read)
    extras = [(name, position, reader) for position, (name, _, reader) in enumerate(branches, len(columns))]

    def read_all(row: Any) -> Row:
        value = read(row)
        for name, position, reader in extras:
            value[name] = reader(row[position])
        return value

    return Shape((*columns, *(sql for _, sql, _ in branches)), read_all)


def money(minor: int, currency: str) -> Row:
    """An amount as the app sees it."""
    digits = DIGITS[currency]
    return {"amount": Decimal(minor).scaleb(-digits) if digits else Decimal(minor), "currency_code": currency}


def _shop(row: Any) -> Row:
    return {
        "id": public_id("shop", row[0]),
        "handle": row[1],
        "name": row[2],
        "currency": row[3],
        "time_zone": row[4],
        "locale": row[5],
        "pickup_place": row[6],
        "key": row[0],
    }


SHOP = Shape(("s.id", "s.handle", "s.name", "s.currency", "s.time_zone", "s.locale", "s.pickup_place"), _shop)
"""A shop as anybody may see it; table alias `s`. `key` is its UUID, for fields that ask further."""

AVAILABLE = "coalesce((select greatest(sl.on_hand + sl.backorder_limit - sl.held - sl.committed, 0) from stock_level sl where sl.variant_id = v.id), 0)"
"""Pieces of the variant `v` that may still be ordered; a variant without a level has none."""


def _variant(row: Any) -> Row:
    return {
        "id": public_id("variant", row[0]),
        "label": row[1],
        "code": row[2],
        "price": money(row[3], row[4]),
        "product": {"id": public_id("product", row[5]), "title": row[6]},
    }


@lru_cache(maxsize=64)
def variant_shape(wanted: Wanted) -> Shape:
    """A variant with its product and the pieces left; aliases `v`, `p` (product) and a currency column `s.currency`."""
    branches: list[tuple[str, str, Read]] = [("availability", AVAILABLE, _same)] if "availability" in wanted else []
    return shape(("v.id", "v.label", "v.code", "v.price_minor", "s.currency", "p.id", "p.title"), _variant, branches)


def _same(value: Any) -> Any:
    return value


same: Read = _same
"""Reads a value as it is."""


def maybe_id(tag: str, value: UUID | None) -> str | None:
    """A public id, or None."""
    return None if value is None else public_id(tag, value)
