"""Bank transfers: reported by the buyer, confirmed or refused by staff."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import strawberry

from api.resolvers.base import Info, attach, key_of, selected
from api.resolvers.delivery import own_order
from api.resolvers.mutation import effect, mutation, staff_of, text
from api.resolvers.order import in_minor, minor, staff_view
from api.schema.errors import TransferUserError
from api.schema.order import Order
from api.schema.transfer import (
    PaymentReportInput,
    PaymentReportPayload,
    SlipUploadStartInput,
    SlipUploadStartPayload,
    TransferConfirmInput,
    TransferConfirmPayload,
    TransferRefuseInput,
    TransferRefusePayload,
    TransferReport,
)
from domain.ids import public_id
from domain.orders import queries
from domain.paging import Row
from domain.payments import slips, transfers
from domain.payments.transfer_rules import LONGEST_REASON, UPLOAD_BYTES
from domain.shops.rules import Permission

MEDIA_TYPES = ["image/jpeg", "image/png", "image/webp"]
UPLOADS = "/uploads/slips/"


@strawberry.type
class OrderTransfer:
    """Fields of an order."""

    transfer: TransferReport | None = strawberry.field(
        description="The newest report of a bank transfer; null without one, and for staff who may not mark orders as paid."
    )


attach(Order, OrderTransfer)


@strawberry.type
class TransferMutations:
    @mutation(TransferUserError, SlipUploadStartPayload, "NOT_FOUND ALREADY_PAID INVALID_TRANSITION")
    async def slip_upload_start(self, info: Info, input: SlipUploadStartInput) -> Row:
        """An address for one picture of a bank transfer for an order of mine; nothing is kept until the picture is there."""
        context = info.context
        ticket, path = await slips.start(
            order_id=key_of(input.order_id, "order"),
            member_id=context.require_viewer().member_id,
            vault=context.services.vault,
            now=context.now(),
        )
        return {
            "upload": {
                "id": public_id("slip", ticket.slip_id), "path": UPLOADS + path, "expires_at": ticket.expires_at, "max_bytes": UPLOAD_BYTES,
                "media_types": MEDIA_TYPES,
            }
        }  # fmt: skip

    @mutation(
        TransferUserError, PaymentReportPayload, "NOT_FOUND INVALID_INPUT ALREADY_PAID INVALID_TRANSITION HOLD_EXPIRED", idempotent=True
    )
    async def payment_report(self, info: Info, input: PaymentReportInput) -> Row:
        """Say that I sent money for an order of mine. Its deadline stands still until the shop answers; saying it again replaces what I said."""
        member_id, order_id = info.context.require_viewer().member_id, key_of(input.order_id, "order")
        slip_id = None if input.slip_upload_id is None else key_of(input.slip_upload_id, "slip")
        amount = in_minor(input.amount, await transfers.currency_of_own(order_id, member_id), "amount")
        said = transfers.Transfer(input.last_five_digits, input.paid_at, amount, slip_id)

        async def act() -> Row:
            await transfers.report(order_id=order_id, member_id=member_id, transfer=said, now=info.context.now())
            return {}

        await effect(info, input, act)
        return {"order": await own_order(info, order_id, member_id)}

    @mutation(
        TransferUserError,
        TransferConfirmPayload,
        "NOT_FOUND PERMISSION_DENIED INVALID_INPUT ALREADY_PAID AMOUNT_MISMATCH INVALID_TRANSITION",
        idempotent=True,
    )
    async def transfer_confirm(self, info: Info, input: TransferConfirmInput) -> Row:
        """The reported money is on the shop's account: its order is paid."""
        member_id, report_id = info.context.require_viewer().member_id, key_of(input.report_id, "transfer")
        shop_id, actor = await staff_of(info, "transfer", report_id, Permission.MARK_PAID)
        amount = None if input.amount is None else await minor(input.amount, shop_id, "amount")

        async def act() -> Row:
            order_id = await transfers.confirm(
                report_id=report_id, shop_id=shop_id, amount_minor=amount, actor=actor, by_member_id=member_id, now=info.context.now(),
                jobs=info.context.services.jobs,
            )  # fmt: skip
            return {"order": str(order_id)}

        return {"order": await _after(info, shop_id, await effect(info, input, act))}

    @mutation(
        TransferUserError,
        TransferRefusePayload,
        "NOT_FOUND PERMISSION_DENIED INVALID_INPUT ALREADY_PAID INVALID_TRANSITION",
        idempotent=True,
    )
    async def transfer_refuse(self, info: Info, input: TransferRefuseInput) -> Row:
        """The reported money did not come: the buyer is told, and has at least a day to report it anew, for a week after the first report."""
        member_id, report_id = info.context.require_viewer().member_id, key_of(input.report_id, "transfer")
        shop_id, actor = await staff_of(info, "transfer", report_id, Permission.MARK_PAID)
        reason = text(input.reason, "reason", LONGEST_REASON)

        async def act() -> Row:
            order_id = await transfers.refuse(
                report_id=report_id, shop_id=shop_id, reason=reason, actor=actor, by_member_id=member_id, now=info.context.now(),
                jobs=info.context.services.jobs,
            )  # fmt: skip
            return {"order": str(order_id)}

        return {"order": await _after(info, shop_id, await effect(info, input, act))}


async def _after(info: Info, shop_id: UUID, outcome: Any) -> Row | None:
    """The changed order, for staff."""
    view = await staff_view(info, shop_id)
    return await queries.order_of_shop(shop_id, UUID(outcome["order"]), wanted=selected(info, "order"), viewpoint=view)
