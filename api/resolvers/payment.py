"""Paying online: begun by the buyer; what has to go back is the shop's."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry

from api.resolvers.base import Info, attach, key_of, selected
from api.resolvers.lists import Listed, desk_list
from api.resolvers.mutation import effect, freshly_signed_in, mutation, staff_of, text
from api.resolvers.order import staff_view
from api.schema.errors import OrderUserError
from api.schema.payment import (
    PaymentReturnRecordInput,
    PaymentReturnRecordPayload,
    PaymentSessionCreateInput,
    PaymentSessionCreatePayload,
    PaymentSurplusConnection,
)
from api.schema.shop import Shop
from domain.audit.commands import Actor
from domain.ids import public_id
from domain.orders.queries import order_of_shop, visible_orders
from domain.paging import Row, Slice
from domain.payments import attempts, returning, screens
from domain.shops.rules import Permission


@strawberry.type
class ShopSurpluses:
    """Fields of a shop's desk."""

    @desk_list(
        PaymentSurplusConnection,
        Permission.MARK_PAID,
        "Money that came and has to go back, the oldest first. For staff who may mark orders paid and view orders; null for others.",
        also=Permission.VIEW_ORDERS,
    )
    async def payment_surpluses(self, listed: Listed) -> Slice:
        page, view = listed.page(), await staff_view(listed.info, listed.owner_id)
        return await screens.surpluses_of_shop(listed.owner_id, **page, viewpoint=view)


attach(Shop, ShopSurpluses)


@strawberry.type
class PaymentMutations:
    @mutation(
        OrderUserError,
        PaymentSessionCreatePayload,
        "NOT_FOUND ALREADY_PAID INVALID_TRANSITION PAYMENT_UNAVAILABLE OVER_LIMIT",
        idempotent=True,
    )
    async def payment_session_create(self, info: Info, input: PaymentSessionCreateInput) -> Row:
        """Begin to pay what is due on an order of mine; the order is paid once the provider says so."""
        viewer, now, services = info.context.require_viewer(), info.context.now(), info.context.services
        order_id = key_of(input.order_id, "order")

        async def act() -> Row:
            begun = await attempts.begin(
                order_id=order_id, member_id=viewer.member_id, method=input.method, vault=services.vault, now=now,
                actor=Actor(f"member:{viewer.member_id}"),
            )  # fmt: skip
            return {"path": begun.path, "until": begun.until.isoformat()}

        done = await effect(info, input, act)
        session = {"url": services.settings.public_url.rstrip("/") + done["path"], "expires_at": datetime.fromisoformat(done["until"])}
        return {"session": session, "order": await _own(info, order_id)}

    @mutation(
        OrderUserError,
        PaymentReturnRecordPayload,
        "NOT_FOUND PERMISSION_DENIED INVALID_INPUT INVALID_TRANSITION SIGN_IN_AGAIN SECOND_PROOF_NEEDED SECOND_PROOF_UNSET",
        idempotent=True,
    )
    async def payment_return_record(self, info: Info, input: PaymentReturnRecordInput) -> Row:
        """Record that a surplus went back to its payer, outside of plusone. Needs a fresh sign-in."""
        attempt_id, viewer = key_of(input.attempt_id, "attempt"), info.context.require_viewer()
        shop_id, actor = await staff_of(info, "payment_attempt", attempt_id, Permission.MARK_PAID)
        note = text(input.note, "note", 200, shortest=1)
        await freshly_signed_in(info)

        async def act() -> Row:
            order_id = await returning.mark_returned(
                attempt_id=attempt_id, shop_id=shop_id, note=note, actor=actor, by_member_id=viewer.member_id, now=info.context.now()
            )
            return {"order": public_id("order", order_id)}

        done = await effect(info, input, act)
        order_id = key_of(done["order"], "order")
        return {"order": await order_of_shop(shop_id, order_id, wanted=selected(info, "order"), viewpoint=await staff_view(info, shop_id))}


async def _own(info: Info, order_id: UUID) -> Any:
    wanted = selected(info)
    if "order" not in wanted:
        return None
    viewer = info.context.require_viewer()
    found = await visible_orders([order_id], viewer.member_id, wanted=wanted["order"], language=info.context.language)
    return found.get(order_id)
