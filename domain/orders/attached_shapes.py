"""What hangs on an order, as screens show it. Table aliases: `t` transfer report, `o` its order."""

from __future__ import annotations

from typing import Any

from domain.ids import public_id
from domain.paging import Row, Shape, money


def _transfer(row: Any) -> Row:
    return {
        "id": public_id("transfer", row[0]),
        "state": row[1],
        "last_five_digits": row[2] or None,
        "paid_at": row[3],
        "amount": money(row[4], row[5]),
        "is_amount_due": row[11],
        "slip_path": None if row[6] is None else f"/slips/{public_id('slip', row[6])}",
        "reason": row[7] or None,
        "reported_at": row[8],
        "answer_by": row[9],
        "answered_at": row[10],
    }


TRANSFER = Shape(
    (
        "t.id", "t.state", "t.last_five", "t.paid_at", "t.amount_minor", "t.currency", "t.slip_id", "t.reason", "t.reported_at", "t.answer_by",
        "t.answered_at", "t.amount_minor = o.total_minor - o.paid_minor",
    ),
    _transfer,
)  # fmt: skip
"""A report of a transfer."""
