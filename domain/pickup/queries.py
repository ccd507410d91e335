"""Reads of passes, scoped to the member who collects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain import db
from domain.db import Record
from domain.errors import NotFound
from domain.pickup.rules import PickupState


@dataclass(frozen=True, slots=True)
class PickupRow:
    """A member's pass in one shop. `expires_at` is None until a code was issued; `left` counts pieces of its open orders not handed over yet."""

    id: UUID
    shop_id: UUID
    shop_name: str
    place: str
    state: PickupState
    issue_number: int
    expires_at: datetime | None
    created_at: datetime
    order_ids: tuple[UUID, ...]
    order_numbers: tuple[str, ...]
    left: int


_ROWS = """
select p.id, p.shop_id, s.name as shop_name, s.pickup_place as place, p.state, p.issue_number, p.not_after as expires_at, p.created_at,
  array(select o.id from pickup_order po join "order" o on o.id = po.order_id where po.pickup_id = p.id order by o.id) as order_ids,
  array(select o.number from pickup_order po join "order" o on o.id = po.order_id where po.pickup_id = p.id order by o.id) as order_numbers,
  (select coalesce(sum(l.quantity - l.handed_over), 0) from pickup_order po join "order" o on o.id = po.order_id and o.state in ('OPEN','LOCKED')
   join order_line l on l.order_id = o.id where po.pickup_id = p.id)::int as left
from buyer b join pickup p on p.shop_id = b.shop_id and p.buyer_id = b.id join shop s on s.id = p.shop_id
where b.member_id = $1"""


def _row(record: Record) -> PickupRow:
    return PickupRow(
        **{
            **record,
            "state": PickupState(record["state"]),
            "order_ids": tuple(record["order_ids"]),
            "order_numbers": tuple(record["order_numbers"]),
        }
    )


async def pickups_of_member(
    member_id: UUID,
    *,
    after: tuple[datetime, UUID] | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 20,
    backwards: bool = False,
    open_only: bool = False,
) -> list[PickupRow]:
    """A page of the member's passes in all shops, newest first; `after` and `before` are (created_at, id) of neighbours. One statement."""
    order = "asc" if backwards else "desc"
    rows = await db.fetch(
        f"""{_ROWS} and ($2::timestamptz is null or (p.created_at, p.id) < ($2, $3::uuid))
              and ($4::timestamptz is null or (p.created_at, p.id) > ($4, $5::uuid)) and (p.state = 'OPEN' or not $6)
            order by p.created_at {order}, p.id {order} limit $7""",
        member_id,
        *(after or (None, None)),
        *(before or (None, None)),
        open_only,
        limit,
    )
    found = [_row(row) for row in rows]
    return found[::-1] if backwards else found


async def pickup_of_member(member_id: UUID, pickup_id: UUID) -> PickupRow:
    """One pass of this member.

    Raises:
        NotFound: no such pass of theirs.
    """
    row = await db.fetchrow(f"{_ROWS} and p.id = $2", member_id, pickup_id)
    if row is None:
        raise NotFound
    return _row(row)
