"""Scalars and values: instants, decimal amounts, money."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from domain.money import DIGITS

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_AMOUNT = re.compile(r"-?\d{1,15}(\.\d{1,4})?", re.ASCII)


def write_instant(value: datetime) -> str:
    """RFC 3339 in UTC with `Z`; fractions of a second only where there are any."""
    return value.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def read_instant(value: Any) -> datetime:
    """An instant of RFC 3339 with its offset, in UTC."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise GraphQLError("DateTime must look like 2026-11-21T08:00:00Z")
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError("DateTime has no such day or time") from None


def read_day(value: Any) -> date:
    """A day of the calendar."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise GraphQLError("Date must look like 2026-11-21")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise GraphQLError("Date has no such day") from None


def read_amount(value: Any) -> Decimal:
    """A plain decimal text, or a whole number; never a float."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise GraphQLError('Decimal must be a text such as "590" or "12.30"')
    return Decimal(value)


DATE_TIME = strawberry.scalar(
    name="DateTime",
    description="An instant: RFC 3339 in UTC, such as 2026-11-21T08:00:00Z.",
    serialize=write_instant,
    parse_value=read_instant,
)
DECIMAL = strawberry.scalar(
    name="Decimal", description='An exact decimal as a text, such as "590" or "12.30".', serialize=str, parse_value=read_amount
)
DATE = strawberry.scalar(
    name="Date", description="A day of the calendar, such as 2026-11-21.", serialize=date.isoformat, parse_value=read_day
)
SCALARS = cast("dict[object, ScalarDefinition]", {datetime: DATE_TIME, date: DATE, Decimal: DECIMAL})

if TYPE_CHECKING:

    class CurrencyCode(Enum):
        """One member per currency of `domain.money`."""

else:
    CurrencyCode = strawberry.enum(Enum("CurrencyCode", {code: code for code in DIGITS}), description="ISO 4217; more may come.")


@strawberry.type(description="An amount of one currency, exact.")
class Money:
    amount: Decimal
    currency_code: CurrencyCode


@strawberry.input(description="An amount of one currency.")
class MoneyInput:
    amount: Decimal
    currency_code: CurrencyCode
