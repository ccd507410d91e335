"""Attempts to pay an order online, as screens show them. Table alias `t`; the order's alias is `o`."""

from __future__ import annotations

from typing import Any

from domain.ids import public_id
from domain.paging import Row, Shape, money

ATTEMPTS_SHOWN = 20
COLUMNS = (
    "t.id", "t.method", "t.state", "t.amount_minor", "t.currency", "t.created_at", "t.bank", "t.number", "t.number_until",
    "t.surplus_minor", "t.surplus_reason", "t.returned_at",
)  # fmt: skip


def _attempt(row: Any) -> Row:
    currency = row[4]
    return {
        "key": row[0],
        "id": public_id("attempt", row[0]),
        "method": row[1],
        "state": row[2],
        "amount": money(row[3], currency),
        "created_at": row[5],
        "instructions": {"bank": row[6] or None, "number": row[7], "until": row[8]} if row[7] else None,
        "surplus": {"amount": money(row[9], currency), "reason": row[10], "returned_at": row[11]} if row[9] else None,
    }


ATTEMPT = Shape(COLUMNS, _attempt)
ATTEMPTS = f"select {{row}} from payment_attempt t where t.order_id = o.id order by t.created_at desc, t.id desc limit {ATTEMPTS_SHOWN}"
OF_ORDER = f"array({ATTEMPTS.format(row=ATTEMPT.row)})"
"""Of an order, newest first."""
ONLINE = """(o.state = 'OPEN' and o.total_minor > o.paid_minor
  and exists (select from payment_account a where a.shop_id = o.shop_id and a.ended_at is null))"""
"""The order's shop takes money online, and something is owed."""
