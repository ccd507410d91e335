"""The table of an import: comma- or tab-separated text with a heading, read row by row. Pure.

A row that cannot be read says which field of it is wrong and stands alone; only a text that is no such table is refused as a whole. Cells are
data: a formula is never worked out, and the forms in which spreadsheets keep a number as text (`="0123"`, `'0123`) are taken off.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from domain.orders.carriers import Carrier
from domain.shipping.errors import BadImport, BadParcel
from domain.shipping.rules import LONGEST_NOTE, MOST_ROWS, Said, ShipmentState, Store

COLUMNS: Final = (
    "order_number", "carrier", "carrier_name", "tracking_number", "state", "at", "note", "store_code", "store_name", "store_address", "last_pickup_day",
)  # fmt: skip
NEEDED: Final = frozenset({"order_number", "carrier", "tracking_number"})
LONGEST: Final = 60_000
"""Characters of one import."""
LONGEST_CELL: Final = 400
_KEPT_AS_TEXT: Final = re.compile(r'="([^"]*)"')
_WALL_CLOCK: Final = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}[ T]\d{1,2}:\d\d(:\d\d)?", re.ASCII)
_DAY: Final = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One row: `line` is where it stands in the text, `wrong` the field that cannot be read (then nothing else of it counts)."""

    line: int
    order_number: str = ""
    carrier: Carrier = Carrier.OTHER
    carrier_name: str = ""
    tracking_number: str = ""
    said: Said | None = None
    store: Store | None = None
    last_pickup_day: date | None = None
    wrong: str | None = None


def read_table(text: str, *, time_zone: str, now: datetime) -> list[ImportRow]:
    """The rows of an import. Times without an offset are those of the shop's clocks; a state without a time is told of now.

    Raises:
        BadImport: no table of ours.
    """
    if len(text) > LONGEST:
        raise BadImport("csv", "too long")
    plain = text.removeprefix("\ufeff")
    heading = plain.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(plain, newline=""), delimiter="\t" if "\t" in heading else ",", strict=True)
    rows: list[ImportRow] = []
    names: list[str] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = _heading(cells)
            elif len(rows) == MOST_ROWS:
                raise BadImport("csv", "too many rows")
            else:
                rows.append(_row(reader.line_num, names, cells, ZoneInfo(time_zone), now))
    except csv.Error:
        raise BadImport("csv", "not a table") from None
    if not rows:
        raise BadImport("csv", "no rows")
    return rows


def _heading(cells: list[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    if set(names) - set(COLUMNS) or NEEDED - set(names) or len(set(names)) != len(names):
        raise BadImport("csv", "heading")
    return names


def _row(line: int, names: list[str], cells: list[str], zone: ZoneInfo, now: datetime) -> ImportRow:
    if len(cells) != len(names) or any(len(cell) > LONGEST_CELL for cell in cells):
        return ImportRow(line, wrong="csv")
    given = {name: _cell(cell) for name, cell in zip(names, cells, strict=True)}
    try:
        return ImportRow(
            line, given["order_number"][:40], _carrier(given["carrier"]), given.get("carrier_name", ""), given["tracking_number"],
            _said(given, zone, now), _store(given), _day(given.get("last_pickup_day", "")),
        )  # fmt: skip
    except BadParcel as wrong:
        return ImportRow(line, given["order_number"][:40], wrong=wrong.field)


def _cell(text: str) -> str:
    found = text.strip()
    kept = _KEPT_AS_TEXT.fullmatch(found)
    if kept is not None:
        return kept[1].strip()
    return found[1:] if found[:1] == "'" else found


def _carrier(text: str) -> Carrier:
    try:
        return Carrier(text.upper())
    except ValueError:
        raise BadParcel("carrier") from None


def _said(given: Mapping[str, str], zone: ZoneInfo, now: datetime) -> Said | None:
    word, at, note = given.get("state", ""), given.get("at", ""), given.get("note", "")
    if not word:
        if at or note:
            raise BadParcel("state")
        return None
    try:
        state = ShipmentState(word.upper())
    except ValueError:
        raise BadParcel("state") from None
    if len(note) > LONGEST_NOTE:
        raise BadParcel("note")
    return Said(state, _instant(at, zone) if at else now, note)


def _instant(text: str, zone: ZoneInfo) -> datetime:
    try:
        if _WALL_CLOCK.fullmatch(text):
            day, _, clock = text.replace("T", " ").partition(" ")
            parts = [int(part) for part in (*re.split("[-/]", day), *clock.split(":"))]
            year, month, date, hour, minute, second = (*parts, 0)[:6]
            return datetime(year, month, date, hour, minute, second, tzinfo=zone).astimezone(UTC)
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            raise BadParcel("at")
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadParcel("at") from None


def _day(text: str) -> date | None:
    if not text:
        return None
    found = _DAY.fullmatch(text)
    try:
        if found is not None:
            return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        pass
    raise BadParcel("last_pickup_day")


def _store(given: Mapping[str, str]) -> Store | None:
    code, name, address = (given.get(name, "") for name in ("store_code", "store_name", "store_address"))
    if not code:
        if name or address:
            raise BadParcel("store_code")
        return None
    return Store(code, name, address, _day(given.get("last_pickup_day", "")))
