"""Disputes: a buyer's problem with an order, talked over with the shop."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

import strawberry

from api.schema.errors import DisputeUserError
from api.schema.order import Order
from api.schema.paging import Connection, Node
from domain.disputes.rules import DisputeReason, DisputeState, Side

VALUES: Final[Mapping[type[StrEnum], tuple[str, str, Mapping[str, str]]]] = {
    DisputeReason: (
        "DisputeReason",
        "What went wrong.",
        {
            "NOT_RECEIVED": "The goods did not come.", "WRONG_GOODS": "Other goods came.", "DAMAGED": "They are broken or spoilt.",
            "WRONG_AMOUNT": "The sum or the count does not fit.", "NOT_ORDERED": "The buyer did not want this order.", "OTHER": "Something else.",
        },
    ),
    DisputeState: (
        "DisputeState",
        "Whose turn it is.",
        {
            "WAITS_FOR_SHOP": "The buyer wrote last.", "WAITS_FOR_BUYER": "The shop wrote last.", "CLOSED": "Nothing is added any more.",
        },
    ),
    Side: ("DisputeSide", "Who of the two.", {"BUYER": "Whose order it is.", "SHOP": "Somebody of the shop."}),
}  # fmt: skip
for _enum, (_name, _about, _described) in VALUES.items():
    strawberry.enum(_enum, name=_name, description=_about)
    for _value in _enum.__strawberry_definition__.values:  # type: ignore[attr-defined]
        _value.description = _described[_value.name]


@strawberry.type(description="What one side wrote.")
class DisputeMessage:
    id: strawberry.ID = strawberry.field(description="Opaque; a list's key.")
    side: Side = strawberry.field(description="Which side wrote it.")
    text: str = strawberry.field(description="As it was written; empty once the writer's account is gone.")
    at: datetime = strawberry.field(description="When it came.")


@strawberry.type(description="A buyer's problem with an order.")
class Dispute(Node):
    order: Order = strawberry.field(description="The order that it is about.")
    reason: DisputeReason = strawberry.field(description="What the buyer chose.")
    state: DisputeState = strawberry.field(description="Who is to write next, or that it is over.")
    opened_at: datetime = strawberry.field(description="When the buyer raised it.")
    written_at: datetime = strawberry.field(description="When something was added last.")
    closed_at: datetime | None = strawberry.field(description="When it was closed; null before.")
    closed_by: Side | None = strawberry.field(description="Which side closed it.")
    messages: list[DisputeMessage] = strawberry.field(description="All of it, oldest first; at most 200.")


DisputeConnection = Connection[Dispute]


@strawberry.input(description="Narrows a list of disputes; absent fields narrow nothing.")
class DisputeFilter:
    state: DisputeState | None = strawberry.field(default=None, description="Only those that stand so.")


@strawberry.input(description="A problem with an order of mine.")
class DisputeOpenInput:
    order_id: strawberry.ID = strawberry.field(description="Whatever its state.")
    reason: DisputeReason = strawberry.field(description="What went wrong.")
    text: str = strawberry.field(description="In words; 1 to 2,000 characters.")


@strawberry.input(description="More about a dispute, from either side.")
class DisputeMessageSendInput:
    dispute_id: strawberry.ID = strawberry.field(description="One of mine, or of my shop.")
    text: str = strawberry.field(description="1 to 2,000 characters.")


@strawberry.input(description="A dispute that is settled.")
class DisputeCloseInput:
    dispute_id: strawberry.ID = strawberry.field(description="One of mine, or of my shop.")


@strawberry.type(description="What became of it.")
class DisputeOpenPayload:
    dispute: Dispute | None = strawberry.field(description="The new dispute.")
    user_errors: list[DisputeUserError]


@strawberry.type(description="What became of it.")
class DisputeMessageSendPayload:
    dispute: Dispute | None = strawberry.field(description="With the new message.")
    user_errors: list[DisputeUserError]


@strawberry.type(description="What became of it.")
class DisputeClosePayload:
    dispute: Dispute | None = strawberry.field(description="Closed.")
    user_errors: list[DisputeUserError]
