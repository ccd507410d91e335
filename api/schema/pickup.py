"""Pickups, the pass that is shown, and the scan that hands goods over."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.schema.errors import PickupUserError
from api.schema.order import Order
from api.schema.paging import Connection, Node
from api.schema.pass_slot import PassSlot
from api.schema.scalars import Money, MoneyInput
from api.schema.shop import Shop
from domain.pickup.rules import PickupRefusal, PickupState

strawberry.enum(PickupState)
strawberry.enum(PickupRefusal, description="Why a code is not good for goods now. Treat unknown values as RULES.")


@strawberry.type(description="A code that was made for somebody else. Whoever shows it gets the goods, once.")
class PickupLoan:
    to: str | None = strawberry.field(description="Whom the buyer says it is for; the buyer alone sees it.")
    lent_at: datetime
    used_at: datetime | None
    is_active: bool = strawberry.field(description="It is neither used nor revoked; good until the pass's codeExpiresAt.")


@strawberry.type(description="What one buyer collects at one shop and slot with one code.")
class Pickup(Node):
    state: PickupState
    shop: Shop
    orders: list[Order]
    code_expires_at: datetime | None = strawberry.field(description="Null while no code was issued, and once it was revoked.")
    slot: PassSlot | None = strawberry.field(description="What its orders chose; null for orders that chose none.")
    loan: PickupLoan | None = strawberry.field(description="The newest code that was lent; null while none was.")
    created_at: datetime


PickupConnection = Connection[Pickup]


@strawberry.input(description="Narrows a list of pickups; absent fields narrow nothing.")
class PickupFilter:
    state: PickupState | None = None


@strawberry.type(description="A code good for the goods of one pickup. Whoever shows it gets them: treat it like cash.")
class PickupPass:
    token: str = strawberry.field(description="The text inside the QR code.")
    svg: str = strawberry.field(description="The QR code as an SVG picture; dark on white, at least 35 mm wide.")
    png: str = strawberry.field(description="The QR code as a PNG picture of 490 x 490 pixels, in base64: to send, or to print.")
    short_code: str = strawberry.field(description="For a broken camera: the clerk types it.")
    expires_at: datetime
    issue_number: int = strawberry.field(description="A newer pass makes older ones void.")
    delegated_to: str | None = strawberry.field(description="Whom it is lent to; null when it is the buyer's own.")
    slot: PassSlot | None = strawberry.field(description="What its orders chose; null for orders that chose none.")
    covers_orders: list[Order]


@strawberry.input
class PickupPassIssueInput:
    pickup_id: strawberry.ID


@strawberry.input
class PickupPassDelegateInput:
    pickup_id: strawberry.ID
    to: str = strawberry.field(
        default="", description="Whom it is for, in the buyer's own words; at most 40 characters. Nobody else reads it."
    )


@strawberry.input
class PickupPassRevokeInput:
    pickup_id: strawberry.ID


@strawberry.type(description="A line of the pass that may leave now.")
class PickupLine:
    line_id: strawberry.ID
    order_number: str
    title: str
    variant_label: str
    quantity: int = strawberry.field(description="Pieces ordered.")
    left: int = strawberry.field(description="Pieces not handed over yet.")


@strawberry.type(description="What the clerk sees after a scan; nothing has changed yet.")
class PickupPreview:
    scan_id: strawberry.ID
    pickup_id: strawberry.ID
    buyer_name: str = strawberry.field(description="Masked; empty when the code is lent.")
    lent: bool = strawberry.field(description="The code was lent: somebody else stands there, and neither name nor amount is shown.")
    lines: list[PickupLine]
    amount_due: Money = strawberry.field(description="Owed for orders of the pass that may not leave.")
    slot: PassSlot | None = strawberry.field(description="What its orders chose; the code is good outside of it too. Null without one.")
    confirm_by: datetime


@strawberry.input
class PickupScanInput:
    shop_id: strawberry.ID
    token: str = strawberry.field(description="The text of the QR code, or the short code.")
    slot_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="The slot that the counter serves: codes of other slots are refused with WRONG_SLOT then. Absent: codes of all slots.",
    )
    device_id: str = strawberry.field(default="", description="The scanner's own name for itself; at most 120 characters.")


@strawberry.input
class PickupLineInput:
    line_id: strawberry.ID
    quantity: int


@strawberry.input
class PickupConfirmInput:
    shop_id: strawberry.ID
    scan_id: strawberry.ID
    lines: list[PickupLineInput] | None = strawberry.field(default=None, description="Absent: everything that is due.")
    collected: MoneyInput | None = strawberry.field(default=None, description="Money taken at the counter.")
    device_id: str = ""


@strawberry.type(description="Pieces of a line that left.")
class HandedOverLine:
    line_id: strawberry.ID
    quantity: int


@strawberry.type(description="Goods that left over the counter. The same scan confirmed again is the same hand-over.")
class HandOver:
    id: strawberry.ID
    pickup_id: strawberry.ID
    pickup_state: PickupState
    lines: list[HandedOverLine]
    left: int = strawberry.field(description="Pieces of the pass still to collect.")
    at: datetime


@strawberry.type
class PickupPassIssuePayload:
    pickup_pass: PickupPass | None
    user_errors: list[PickupUserError]


@strawberry.type
class PickupPassDelegatePayload:
    pickup_pass: PickupPass | None
    user_errors: list[PickupUserError]


@strawberry.type
class PickupPassRevokePayload:
    pickup: Pickup | None
    user_errors: list[PickupUserError]


@strawberry.type
class PickupScanPayload:
    preview: PickupPreview | None
    user_errors: list[PickupUserError]


@strawberry.type
class PickupConfirmPayload:
    hand_over: HandOver | None
    user_errors: list[PickupUserError]
