"""What buyers do with orders that stand, the shop's answer, and the shop's times for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import strawberry
from strawberry.utils.str_converters import to_camel_case

from api.resolvers.base import Info, granted, key_of, selected
from api.resolvers.mutation import InvalidInput, effect, freshly_signed_in, mutation, staff_of, text
from api.resolvers.order import staff_view
from api.schema.acting import (
    ClaimUndoInput,
    ClaimUndoPayload,
    OrderCancelAnswerInput,
    OrderCancelAnswerPayload,
    OrderCancelRequestInput,
    OrderCancelRequestPayload,
    OrderLineQuantityReduceInput,
    OrderLineQuantityReducePayload,
    OrderShipLaterInput,
    OrderShipLaterPayload,
    OrderShipNowInput,
    OrderShipNowPayload,
    OrdersMergeInput,
    OrdersMergePayload,
    ShopTimesUpdateInput,
    ShopTimesUpdatePayload,
)
from api.schema.errors import ActingUserError
from domain.orders import lines, merging, patience, queries, requests
from domain.paging import Row
from domain.shops import times
from domain.shops.rules import Permission


@strawberry.type
class ActingMutations:
    @mutation(ActingUserError, ClaimUndoPayload, "NOT_FOUND ALREADY_PAID INVALID_TRANSITION UNDO_OVER PAYMENT_UNDER_WAY", idempotent=True)
    async def claim_undo(self, info: Info, input: ClaimUndoInput) -> Row:
        """Take a whole line of mine back within the shop's minutes, also where its rule lets nobody cancel."""
        line_id = key_of(input.line_id, "line")
        return await _taken_back(
            info, input,
            lambda member_id: lines.undo(line_id=line_id, member_id=member_id, now=info.context.now(), jobs=info.context.services.jobs),
        )  # fmt: skip

    @mutation(
        ActingUserError,
        OrderLineQuantityReducePayload,
        "NOT_FOUND INVALID_INPUT ALREADY_PAID INVALID_TRANSITION VERSION_CONFLICT NOT_EDITABLE PAYMENT_UNDER_WAY",
        idempotent=True,
    )
    async def order_line_quantity_reduce(self, info: Info, input: OrderLineQuantityReduceInput) -> Row:
        """Make a line of an unpaid order of mine smaller, or drop it, while the rule that it was ordered under allows that."""
        line_id = key_of(input.line_id, "line")
        return await _taken_back(
            info, input,
            lambda member_id: lines.reduce(
                line_id=line_id, quantity=input.quantity, member_id=member_id, expected_version=input.expected_version,
                now=info.context.now(), jobs=info.context.services.jobs,
            ),
        )  # fmt: skip

    @mutation(ActingUserError, OrderCancelRequestPayload, "NOT_FOUND INVALID_INPUT INVALID_TRANSITION", idempotent=True)
    async def order_cancel_request(self, info: Info, input: OrderCancelRequestInput) -> Row:
        """Ask the shop to cancel an order of mine, paid or not, of which nothing has left yet."""
        order_id, reason = key_of(input.order_id, "order"), text(input.reason, "reason", requests.MOST_REASON)

        async def act(member_id: UUID) -> UUID:
            await requests.request(order_id=order_id, reason=reason, member_id=member_id, now=info.context.now())
            return order_id

        return await _own(info, input, act)

    @mutation(
        ActingUserError,
        OrderCancelAnswerPayload,
        "NOT_FOUND PERMISSION_DENIED INVALID_INPUT INVALID_TRANSITION APPROVAL_REQUIRED PAYMENT_UNDER_WAY SIGN_IN_AGAIN SECOND_PROOF_NEEDED SECOND_PROOF_UNSET",
        idempotent=True,
    )
    async def order_cancel_answer(self, info: Info, input: OrderCancelAnswerInput) -> Row:
        """Answer a buyer who asks to cancel. Where money was received, cancelling needs the permission to record payments, a reference, and a fresh sign-in."""
        order_id, note = key_of(input.order_id, "order"), text(input.note, "note", 200)
        reference = text(input.refund_reference, "refundReference", 120)
        shop_id, actor = await staff_of(info, "order", order_id, Permission.CANCEL_ORDER)
        may_refund = bool(await granted(info.context, shop_id, [Permission.MARK_PAID]))
        if input.accept and reference and may_refund:  # without a reference no money goes back
            await freshly_signed_in(info)

        async def act() -> Row:
            await requests.answer(
                order_id=order_id, shop_id=shop_id, accept=input.accept, note=note, refund_reference=reference, may_refund=may_refund,
                anyway=input.even_if_being_paid, actor=actor, now=info.context.now(), jobs=info.context.services.jobs,
            )  # fmt: skip
            return {}

        await effect(info, input, act)
        view = await staff_view(info, shop_id)
        return {"order": await queries.order_of_shop(shop_id, order_id, wanted=selected(info, "order"), viewpoint=view)}

    @mutation(
        ActingUserError,
        OrdersMergePayload,
        "NOT_FOUND INVALID_INPUT INVALID_TRANSITION NOT_EDITABLE CROSS_SHOP_MERGE HOLD_EXPIRED PAYMENT_UNDER_WAY DELIVERY_DIFFERS GIFT_DIFFERS",
        idempotent=True,
    )
    async def orders_merge(self, info: Info, input: OrdersMergeInput) -> Row:
        """Make one of several orders of mine; the nearest deadline counts, and one shipping fee. Where they are delivered differently, or one is
        a gift, it must be said which of them the merged one follows."""
        order_ids = [key_of(each, "order") for each in input.order_ids[: merging.MOST + 1]]
        if not 2 <= len(set(order_ids)) <= merging.MOST:
            raise InvalidInput("orderIds")
        named = {"deliveryFrom": input.delivery_from, "giftFrom": input.gift_from}
        follow = {name: None if given is None else key_of(given, "order") for name, given in named.items()}
        for name, key in follow.items():
            if key is not None and key not in order_ids:
                raise InvalidInput(name)
        return await _own(
            info, input,
            lambda member_id: merging.merge(
                order_ids=order_ids, member_id=member_id, delivery_from=follow["deliveryFrom"], gift_from=follow["giftFrom"],
                now=info.context.now(), jobs=info.context.services.jobs,
            ),
        )  # fmt: skip

    @mutation(ActingUserError, OrderShipLaterPayload, "NOT_FOUND INVALID_TRANSITION", idempotent=True)
    async def order_ship_later(self, info: Info, input: OrderShipLaterInput) -> Row:
        """Let a paid parcel of mine wait for others, at most the shop's days."""
        return await _own(info, input, _parcel(info, input.order_id, patience.ship_later))

    @mutation(ActingUserError, OrderShipNowPayload, "NOT_FOUND INVALID_TRANSITION", idempotent=True)
    async def order_ship_now(self, info: Info, input: OrderShipNowInput) -> Row:
        """A parcel of mine need not wait any more."""
        return await _own(info, input, _parcel(info, input.order_id, patience.ship_now))

    @mutation(ActingUserError, ShopTimesUpdatePayload, "NOT_FOUND PERMISSION_DENIED INVALID_INPUT")
    async def shop_times_update(self, info: Info, input: ShopTimesUpdateInput) -> Row:
        """Set how long buyers may undo, how long pieces are offered to those who wait, and how long parcels may wait."""
        shop_id = key_of(input.shop_id, "shop")
        actor = await info.context.require(Permission.CHANGE_CLAIM_RULES, shop_id)
        given = {name: value for name in times.RANGES if (value := getattr(input, name)) is not strawberry.UNSET}
        for name, value in given.items():
            least, most = times.RANGES[name]
            if (value is None and name not in times.OPTIONAL) or (value is not None and not least <= value <= most):
                raise InvalidInput(to_camel_case(name))
        return {"times": await times.change(shop_id, given, actor=actor, now=info.context.now())}


def _parcel(info: Info, order_id: str, change: Callable[..., Awaitable[None]]) -> Callable[[UUID], Awaitable[UUID]]:
    key = key_of(order_id, "order")

    async def act(member_id: UUID) -> UUID:
        await change(order_id=key, member_id=member_id, now=info.context.now())
        return key

    return act


async def _own(info: Info, input: Any, act: Callable[[UUID], Awaitable[UUID]], **more: Any) -> Row:
    """Do it once for the key; the order as its buyer sees it, one statement."""
    member_id = info.context.require_viewer().member_id

    async def once() -> Row:
        return {"order": str(await act(member_id))}

    return {"order": await _seen(info, UUID((await effect(info, input, once))["order"])), **more}


async def _taken_back(info: Info, input: Any, act: Callable[[UUID], Awaitable[lines.TakenBack]]) -> Row:
    member_id = info.context.require_viewer().member_id

    async def once() -> Row:
        done = await act(member_id)
        return {"order": str(done.order_id), "passed_on": done.passed_on}

    found = await effect(info, input, once)
    return {"order": await _seen(info, UUID(found["order"])), "passed_on": found["passed_on"]}


async def _seen(info: Info, order_id: UUID) -> Row | None:
    wanted = selected(info)
    if "order" not in wanted:
        return None
    member_id, language = info.context.require_viewer().member_id, info.context.language
    return (await queries.visible_orders([order_id], member_id, wanted=wanted["order"], language=language)).get(order_id)
