"""What buyers do with orders that stand, the shop's answer, and the shop's times for it."""

from __future__ import annotations

import strawberry

from api.schema.errors import ActingUserError
from api.schema.order import Order

LINE = "A line of one of my orders."
OWN = "One of my orders."
NOW = "As it stands now."


@strawberry.input(description="A line to be taken back within the shop's minutes.")
class ClaimUndoInput:
    line_id: strawberry.ID = strawberry.field(description=LINE)


@strawberry.input(description="A line to be made smaller.")
class OrderLineQuantityReduceInput:
    line_id: strawberry.ID = strawberry.field(description=LINE)
    quantity: int = strawberry.field(description="Pieces that are left; 0 takes the whole line back.")
    expected_version: int | None = strawberry.field(default=None, description="When given, the order must still be this version.")


@strawberry.input(description="A question to the shop.")
class OrderCancelRequestInput:
    order_id: strawberry.ID = strawberry.field(description=OWN)
    reason: str = strawberry.field(default="", description="For the shop; at most 200 characters. It is not kept beyond the answer.")


@strawberry.input(description="The shop's answer.")
class OrderCancelAnswerInput:
    order_id: strawberry.ID = strawberry.field(description="One whose buyer asks for it.")
    accept: bool = strawberry.field(description="True cancels the order; false lets it stand.")
    note: str = strawberry.field(default="", description="Kept in the order's history; at most 200 characters.")
    refund_reference: str = strawberry.field(
        default="", description="What the shop finds the returned money by; needed where money was received. At most 120 characters."
    )
    even_if_being_paid: bool = strawberry.field(
        default=False, description="True: accept also while an online payment may still succeed; what comes then has to go back."
    )


@strawberry.input(description="Orders to be made one.")
class OrdersMergeInput:
    order_ids: list[strawberry.ID] = strawberry.field(description="2 to 10 of my own, at one shop, unpaid.")
    delivery_from: strawberry.ID | None = strawberry.field(
        default=None,
        description="The one of them whose delivery stays, with its recipient and its fee. Needed where they differ (DELIVERY_DIFFERS).",
    )
    gift_from: strawberry.ID | None = strawberry.field(
        default=None,
        description="The gift among them that all become; its link then shows everything. Needed where one is a gift (GIFT_DIFFERS).",
    )


@strawberry.input(description="A parcel that may wait for others.")
class OrderShipLaterInput:
    order_id: strawberry.ID = strawberry.field(description="A paid order of mine that is sent and has no label yet.")


@strawberry.input(description="A parcel that need not wait any more.")
class OrderShipNowInput:
    order_id: strawberry.ID = strawberry.field(description=OWN)


@strawberry.input(description="The shop's times for what buyers do; absent fields stay as they are.")
class ShopTimesUpdateInput:
    shop_id: strawberry.ID = strawberry.field(description="Whose times they are.")
    undo_minutes: int | None = strawberry.field(
        default=strawberry.UNSET, description="How long a line is taken back without asking: 0 (never) to 10080."
    )
    offer_minutes: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="How long pieces that became free wait for a yes: 1 to 10080. Null: who waits has them at once.",
    )
    ship_later_days: int | None = strawberry.field(
        default=strawberry.UNSET, description="How long a paid parcel may wait for others: 0 (never) to 366."
    )


@strawberry.type(description="The shop's times for what buyers do.")
class ShopTimes:
    undo_minutes: int = strawberry.field(description="How long a line is taken back without asking; 0 is never.")
    offer_minutes: int | None = strawberry.field(
        description="How long pieces that became free wait for a yes; null gives them out at once."
    )
    ship_later_days: int = strawberry.field(description="How long a paid parcel may wait for others; 0 is never.")


@strawberry.type
class _LinePayload:
    order: Order | None = strawberry.field(description="As it stands now; cancelled when nothing is left in it.")
    passed_on: bool | None = strawberry.field(description="True when somebody in line waits for the pieces.")
    user_errors: list[ActingUserError]


@strawberry.type(description="What became of taking a line back.")
class ClaimUndoPayload(_LinePayload):
    pass


@strawberry.type(description="What became of making a line smaller.")
class OrderLineQuantityReducePayload(_LinePayload):
    pass


@strawberry.type
class _OrderPayload:
    order: Order | None = strawberry.field(description=NOW)
    user_errors: list[ActingUserError]


@strawberry.type(description="What became of the question.")
class OrderCancelRequestPayload(_OrderPayload):
    pass


@strawberry.type(description="What became of the answer.")
class OrderCancelAnswerPayload(_OrderPayload):
    order: Order | None = strawberry.field(description="As it stands now; null also for staff who may act on it and not view orders.")


@strawberry.type(description="What became of several orders.")
class OrdersMergePayload(_OrderPayload):
    order: Order | None = strawberry.field(description="The oldest of them, with all their lines; the others are cancelled.")


@strawberry.type(description="What became of the wish.")
class OrderShipLaterPayload(_OrderPayload):
    pass


@strawberry.type(description="What became of the wish.")
class OrderShipNowPayload(_OrderPayload):
    pass


@strawberry.type(description="What became of the shop's times.")
class ShopTimesUpdatePayload:
    times: ShopTimes | None = strawberry.field(description="As they are now.")
    user_errors: list[ActingUserError]
