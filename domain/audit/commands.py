"""Audit entries are written in the transaction of the change they tell of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.db import Tx, jsonb


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `name` is `member:<uuid>`, `comment:<uuid>` or `worker:<name>`; role as of now; request id for the logs."""

    name: str
    role: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One act on one object. `detail` holds no personal data."""

    shop_id: UUID
    action: str
    object_type: str
    object_id: UUID
    detail: Mapping[str, Any] = field(default_factory=dict)


async def record(tx: Tx, actor: Actor, entries: Sequence[Entry], *, now: datetime) -> None:
    """Append entries, all by one actor; one statement."""
    if not entries:
        return
    await tx.execute(
        """insert into audit_entry (shop_id, at, actor, role, action, object_type, object_id, detail, request_id)
           select s, $1, $2, $3, a, t, o, d::jsonb, $4 from unnest($5::uuid[], $6::text[], $7::text[], $8::uuid[], $9::text[]) e(s, a, t, o, d)""",
        now,
        actor.name,
        actor.role,
        actor.request_id,
        [e.shop_id for e in entries],
        [e.action for e in entries],
        [e.object_type for e in entries],
        [e.object_id for e in entries],
        [jsonb(e.detail) for e in entries],
    )
