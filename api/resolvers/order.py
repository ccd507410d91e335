"""Orders: the buyer's lists, an order's lines, marked paid and cancelled by staff."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import strawberry

from api.execution.errors import RequestError
from api.resolvers.base import (
    Asked,
    GraphQLContext,
    Info,
    asked,
    attach,
    connection,
    counts,
    field,
    granted,
    key_of,
    keys_of,
    question,
    selected,
)
from api.resolvers.lists import Listed, member_list
from api.resolvers.mutation import InvalidInput, effect, mutation, staff_of, text
from api.schema.errors import OrderUserError
from api.schema.member import Buyer
from api.schema.order import (
    MyOrderConnection,
    Order,
    OrderCancelInput,
    OrderCancelPayload,
    OrderEventConnection,
    OrderFilter,
    OrderLineConnection,
    OrderMarkPaidInput,
    OrderMarkPaidPayload,
    UnpaidConnection,
    UnpaidFilter,
)
from domain.money import minor_from_text
from domain.orders import commands, queries, unpaid
from domain.orders.parcels import EVENTS_AT_ONCE
from domain.orders.shapes import LINES_AT_ONCE, LINES_SHOWN, NEEDED, Viewpoint
from domain.orders.timeline import words_of
from domain.paging import DEFAULT_SIZE, Args, Page, Position, Row, Slice, with_total
from domain.paging.written import Screen
from domain.payments.commands import mark_paid
from domain.payments.rules import PaymentMethod
from domain.shops.rules import Permission
from domain.shops.screens import currency_of

LONGEST_TEXT = 60
LOOKED_AT = (*NEEDED.values(), Permission.VIEW_ORDERS, Permission.VIEW_COMMENTS)
"""Permissions that change what staff see of an order."""


def narrowed_by(filter: OrderFilter | None) -> queries.OrderFilter:
    """The app's filter as the domain's; unknown shops stand for nothing."""
    if filter is None:
        return queries.OrderFilter()
    shops = None if filter.shop_ids is None else tuple(sorted(keys_of(filter.shop_ids, "shop")))
    wanted = None if filter.text is None else filter.text.strip()
    if wanted is not None and not 1 <= len(wanted) <= LONGEST_TEXT:
        raise RequestError(f"text must have 1 to {LONGEST_TEXT} characters")
    return queries.OrderFilter(shops, filter.state, filter.payment_state, filter.since, filter.fulfilment_state, wanted)


def _owed_by(filter: UnpaidFilter | None) -> unpaid.UnpaidFilter:
    if filter is None:
        return unpaid.UnpaidFilter()
    shops = None if filter.shop_ids is None else tuple(sorted(keys_of(filter.shop_ids, "shop")))
    return unpaid.UnpaidFilter(shops, None if filter.currency is None else filter.currency.value, filter.due_before)


async def staff_view(info: Info, shop_id: UUID) -> Viewpoint:
    """How staff of this shop look at orders."""
    return Viewpoint(info.context.language, await granted(info.context, shop_id, LOOKED_AT))


def _orders(context: GraphQLContext, args: Args, *, filter: OrderFilter | None = None, **page: Any) -> tuple[Asked, Screen]:
    narrowed = narrowed_by(filter)
    found = question(context, "me.orders", narrowed, **page)
    return found, queries.orders_screen(context.require_viewer().member_id, args, page=found.page, narrowed=narrowed)


def _unpaid(context: GraphQLContext, args: Args, *, filter: UnpaidFilter | None = None, **page: Any) -> tuple[Asked, Screen]:
    narrowed = _owed_by(filter)
    found = question(context, "me.unpaid", narrowed, **page)
    return found, unpaid.unpaid_screen(context.require_viewer().member_id, args, page=found.page, narrowed=narrowed)


@strawberry.type
class BuyerOrders:
    """Fields of the signed-in buyer."""

    @member_list(MyOrderConnection, "My orders of all shops, newest first.", screen=_orders)
    async def orders(self, listed: Listed, filter: OrderFilter | None = None) -> Slice:
        narrowed, view = narrowed_by(filter), Viewpoint(listed.info.context.language)
        return await queries.orders_of_buyer(
            listed.owner_id, **listed.page(narrowed), viewpoint=view, narrowed=narrowed, totals="totals" in listed.wanted
        )

    @member_list(UnpaidConnection, "What I owe, the nearest deadline first.", screen=_unpaid)
    async def unpaid(self, listed: Listed, filter: UnpaidFilter | None = None) -> Slice:
        narrowed, view = _owed_by(filter), Viewpoint(listed.info.context.language)
        parts = [name for name in unpaid.PARTS if name in listed.wanted]
        return await unpaid.unpaid_of_buyer(listed.owner_id, **listed.page(narrowed), viewpoint=view, narrowed=narrowed, parts=parts)


@strawberry.type
class OrderLines:
    """Fields of an order."""

    @field(
        OrderLineConnection,
        description=f"Its lines, oldest first; the first {LINES_SHOWN} unless `first` or `last` says how many.",
        from_row=True,
    )
    def lines(
        self: Any, info: Info, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
    ) -> Any:
        order: Row = self
        size = LINES_SHOWN if first is None and last is None else first
        question = asked(info, "lines of ", None, first=size, after=after, last=last, before=before, of=order["key"])
        part = _came_along(order["lines"], question.page, LINES_AT_ONCE, lambda position: position, order.get("lines_total"))
        return _further_lines(info, order, question) if part is None else connection(info, question, part, selected(info))

    @field(
        OrderEventConnection,
        description=f"What happened to it, oldest first; the first {DEFAULT_SIZE} unless `first` or `last` says how many.",
        from_row=True,
    )
    def timeline(
        self: Any, info: Info, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
    ) -> Any:
        order: Row = self
        question = asked(info, "timeline of ", None, first=first, after=after, last=last, before=before, of=order["key"])
        part = _came_along(order["timeline"], question.page, EVENTS_AT_ONCE, lambda position: position[1], order.get("timeline_total"))
        if part is None:
            return _further_events(info, order, question)
        return connection(info, question, _titled(info, part), selected(info))


def _titled(info: Info, part: Slice) -> Slice:
    """Events with their words, in the language of the request."""
    if "title" in selected(info)["nodes"]:
        for event in part.rows:
            event["title"] = words_of(event["kind"], info.context.language)
    return part


def _came_along(found: list[Row], page: Page, most: int, place: Callable[[Position], Any], total: int | None) -> Slice | None:
    """The page cut out of the at most `most` rows (and one, where there are more) that came with the order; None: it may lie beyond them.

    `place`: what the rows are ordered by. `total`: of all of them, where it was asked for.
    """
    whole, after, before = len(found) <= most, page.after, page.before
    if not whole and (after is not None or page.backwards):
        return None
    rest = found if after is None else [row for row in found if place(row["position"]) > place(after)]
    if before is not None:
        rest = [row for row in rest if place(row["position"]) < place(before)]
    more = len(rest) > page.size
    shown = rest[-page.size :] if page.backwards else rest[: page.size]
    around = (before is not None, more) if page.backwards else (more, after is not None)
    part = Slice(shown, [row["position"] for row in shown], *around)
    return part if total is None else with_total(part, total)


async def _further_events(info: Info, order: Row, question: Asked) -> Row:
    """A page of a very long timeline beyond what came with its order."""
    wanted = selected(info)
    part = await queries.events_of_order(order["key"], page=question.page, count=counts(wanted))
    return connection(info, question, _titled(info, part), wanted)


async def _further_lines(info: Info, order: Row, question: Asked) -> Row:
    """A page of a very long order beyond the lines that came with it."""
    wanted = selected(info)
    part = await queries.lines_of_order(
        order["key"], page=question.page, wanted=wanted["nodes"], viewpoint=order["viewpoint"], count=counts(wanted)
    )
    return connection(info, question, part, wanted)


attach(Buyer, BuyerOrders)
attach(Order, OrderLines)


@strawberry.type
class OrderMutations:
    @mutation(
        OrderUserError,
        OrderMarkPaidPayload,
        "NOT_FOUND PERMISSION_DENIED INVALID_INPUT ALREADY_PAID AMOUNT_MISMATCH INVALID_TRANSITION VERSION_CONFLICT",
        idempotent=True,
    )
    async def order_mark_paid(self, info: Info, input: OrderMarkPaidInput) -> Row:
        """Record that the whole amount due was taken by other means."""
        order_id, member = key_of(input.order_id, "order"), info.context.require_viewer().member_id
        shop_id, actor = await staff_of(info, "order", order_id, Permission.MARK_PAID)
        reference = text(input.reference, "reference", 120, shortest=1)
        if input.method is PaymentMethod.ONLINE:
            raise InvalidInput("method")
        amount = None if input.amount is None else await minor(input.amount, shop_id, "amount")

        async def act() -> Row:
            await mark_paid(
                order_id=order_id, shop_id=shop_id, method=input.method, reference=reference, amount_minor=amount,
                expected_version=input.expected_version, actor=actor, by_member_id=member, now=info.context.now(), jobs=info.context.services.jobs,
            )  # fmt: skip
            return {}

        await effect(info, input, act)
        return {"order": await _after(info, shop_id, order_id)}

    @mutation(
        OrderUserError,
        OrderCancelPayload,
        "NOT_FOUND PERMISSION_DENIED INVALID_INPUT INVALID_TRANSITION PAYMENT_UNDER_WAY",
        idempotent=True,
    )
    async def order_cancel(self, info: Info, input: OrderCancelInput) -> Row:
        """Cancel an unpaid order; its pieces are free again and its buyer is told."""
        order_id, reason = key_of(input.order_id, "order"), text(input.reason, "reason", 200)
        shop_id, actor = await staff_of(info, "order", order_id, Permission.CANCEL_ORDER)

        async def act() -> Row:
            await commands.cancel(
                order_id=order_id, shop_id=shop_id, reason=reason, anyway=input.even_if_being_paid, actor=actor, now=info.context.now(),
                jobs=info.context.services.jobs,
            )  # fmt: skip
            return {}

        await effect(info, input, act)
        return {"order": await _after(info, shop_id, order_id)}


async def _after(info: Info, shop_id: UUID, order_id: UUID) -> Row | None:
    """The changed order, for staff."""
    return await queries.order_of_shop(shop_id, order_id, wanted=selected(info, "order"), viewpoint=await staff_view(info, shop_id))


async def minor(amount: Decimal, shop_id: UUID, field: str, currency: str | None = None) -> int:
    """An amount in minor units of the shop's currency.

    Raises:
        InvalidInput: more digits than the currency has, negative, or another currency.
    """
    own = await currency_of(shop_id)
    if own is None or (currency is not None and currency != own):
        raise InvalidInput(field)
    return in_minor(amount, own, field)


def in_minor(amount: Decimal, currency: str, field: str) -> int:
    """An amount in minor units of this currency.

    Raises:
        InvalidInput: more digits than the currency has, or negative.
    """
    try:
        found = minor_from_text(f"{amount:f}", currency)
    except ValueError:
        raise InvalidInput(field) from None
    if found < 0:
        raise InvalidInput(field)
    return found
