"""Reports of bank transfers, and where a picture of one is sent."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import strawberry

from api.schema.errors import TransferUserError
from api.schema.order import Order
from api.schema.scalars import Money
from domain.payments.transfer_rules import ReportState

FOR_STAFF = "As it stands now; null also for staff who may act on it and not view orders."

strawberry.enum(ReportState, name="TransferState", description="What became of a report. Treat unknown values as OVER.")


@strawberry.type(description="What a buyer said about a bank transfer. It is no payment: the shop looks at its account and answers.")
class TransferReport:
    id: strawberry.ID = strawberry.field(description="For `transferConfirm` and `transferRefuse`.")
    state: ReportState = strawberry.field(description="How it stands.")
    last_five_digits: str | None = strawberry.field(
        description="Of the account that paid; leading zeros count. Null once its owner was deleted."
    )
    paid_at: datetime = strawberry.field(description="When, as the buyer says.")
    amount: Money = strawberry.field(description="How much, as the buyer says.")
    is_amount_due: bool = strawberry.field(description="It is exactly what the order owes now.")
    slip_path: str | None = strawberry.field(
        description="Where the picture is fetched (GET, with the access token), a JPEG for its owner and staff who may mark orders as paid; null without one."
    )
    reason: str | None = strawberry.field(description="The shop's words, when it refused.")
    reported_at: datetime = strawberry.field(description="When it was said.")
    answer_by: datetime = strawberry.field(description="Until then the order's deadline stands still; unanswered, it is over then.")
    answered_at: datetime | None = strawberry.field(description="Null while it stands open.")


@strawberry.input
class PaymentReportInput:
    order_id: strawberry.ID = strawberry.field(description="An open order of mine on which money is owed.")
    last_five_digits: str = strawberry.field(description="Of the account that paid, five digits.")
    paid_at: datetime = strawberry.field(description="When the money was sent; 60 days ago at most.")
    amount: Decimal = strawberry.field(description="What was sent, in the order's currency.")
    slip_upload_id: strawberry.ID | None = strawberry.field(
        default=None, description="From `slipUploadStart`, once the picture was sent there."
    )


@strawberry.input
class SlipUploadStartInput:
    order_id: strawberry.ID = strawberry.field(description="The order that the picture is about.")


@strawberry.type(description="Where one picture may be sent.")
class SlipUpload:
    id: strawberry.ID = strawberry.field(description="For `paymentReport`, once the picture was sent.")
    path: str = strawberry.field(
        description="POST the file's bytes here, as they are, without a form. Good once; sending the same again is harmless."
    )
    expires_at: datetime = strawberry.field(description="From then on a new one is needed.")
    max_bytes: int = strawberry.field(description="Larger files are refused.")
    media_types: list[str] = strawberry.field(description="What may be sent. The bytes decide, not their name.")


@strawberry.input
class TransferConfirmInput:
    report_id: strawberry.ID = strawberry.field(description="One that stands open.")
    amount: Decimal | None = strawberry.field(
        default=None, description="What came, where it is not what was reported. It must be the amount due."
    )


@strawberry.input
class TransferRefuseInput:
    report_id: strawberry.ID = strawberry.field(description="One that stands open.")
    reason: str = strawberry.field(default="", description="Words for the buyer; at most 200 characters.")


@strawberry.type
class _OrderPayload:
    order: Order | None = strawberry.field(description="As it stands now.")
    user_errors: list[TransferUserError]


@strawberry.type
class PaymentReportPayload(_OrderPayload):
    pass


@strawberry.type
class SlipUploadStartPayload:
    upload: SlipUpload | None = strawberry.field(description="Where to send the picture.")
    user_errors: list[TransferUserError]


@strawberry.type
class TransferConfirmPayload(_OrderPayload):
    order: Order | None = strawberry.field(description=FOR_STAFF)


@strawberry.type
class TransferRefusePayload(_OrderPayload):
    order: Order | None = strawberry.field(description=FOR_STAFF)
