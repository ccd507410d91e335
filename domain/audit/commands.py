"""Audit entries are written in the transaction of the change they tell of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.db import Tx, jsonb
from domain.values import value


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `name` is `member:<uuid>`, `comment:<uuid>`, `worker:<name>` or `operator`; role as of now; request id for the logs."""

    name: str
    role: str = ""
    request_id: str = ""


@value
class Entry:
    """One act on one object. `detail` holds no personal data."""

    shop_id: UUID
    action: str
    object_type: str
    object_id: UUID
    detail: Mapping[str, Any] = field(default_factory=dict)


async def record(tx: Tx, actor: Actor, entries: Sequence[Entry], *, now: datetime) -> None:
    """Append entries, all by one actor; one statement."""
    rows = [
        (e.shop_id, now, actor.name, actor.role, e.action, e.object_type, e.object_id, jsonb(e.detail), actor.request_id) for e in entries
    ]
    await tx.copy("audit_entry", ("shop_id", "at", "actor", "role", "action", "object_type", "object_id", "detail", "request_id"), rows)
