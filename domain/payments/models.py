"""Tables: payment (money that was recorded for an order), payment_account, payment_attempt, payment_event, transfer_report, transfer_slip."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from domain.payments.rules import AttemptState, OnlinePaymentMethod, PaymentMethod, SurplusReason
from domain.payments.transfer_rules import ReportState


class Payment(Model):
    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    order_id = fields.UUIDField()
    method = fields.CharEnumField(PaymentMethod, max_length=16)
    reference = fields.CharField(max_length=120)
    amount_minor = fields.BigIntField()
    currency = fields.CharField(max_length=3)
    recorded_by = fields.UUIDField(null=True)
    """The member who took it; nobody when a provider did."""
    recorded_at = fields.DatetimeField()

    class Meta:
        table = "payment"
        unique_together = (("shop_id", "id"),)
        indexes = [Index(fields=("order_id",))]


class PaymentAccount(Model):
    """A shop's contract with a payment provider; its keys are encrypted with the settings' key."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    provider = fields.CharField(max_length=16)
    slug = fields.CharField(max_length=43, unique=True)
    """The part of the notices' address that nobody guesses."""
    merchant_id = fields.CharField(max_length=20)
    hash_key_encrypted = fields.TextField()
    hash_iv_encrypted = fields.TextField()
    live = fields.BooleanField()
    """False: the provider's test site, where no money moves."""
    created_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "payment_account"
        indexes = [Index(fields=("shop_id",))]


class PaymentAttempt(Model):
    """One try to pay an order online. Money that came and was not the order's is its surplus, which a person of the shop returns."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    order_id = fields.UUIDField()
    account_id = fields.UUIDField()
    member_id = fields.UUIDField()
    trade_no = fields.CharField(max_length=20, unique=True)
    method = fields.CharEnumField(OnlinePaymentMethod, max_length=16)
    amount_minor = fields.BigIntField()
    currency = fields.CharField(max_length=3)
    state = fields.CharEnumField(AttemptState, max_length=8)
    provider_no = fields.CharField(max_length=40, default="")
    code = fields.CharField(max_length=20, default="")
    """What the provider said last."""
    bank = fields.CharField(max_length=20, default="")
    number = fields.CharField(max_length=40, default="")
    number_until = fields.DatetimeField(null=True)
    received_minor = fields.BigIntField(default=0)
    surplus_minor = fields.BigIntField(default=0)
    surplus_reason = fields.CharEnumField(SurplusReason, max_length=16, null=True)
    returned_at = fields.DatetimeField(null=True)
    returned_by = fields.UUIDField(null=True)
    return_note = fields.CharField(max_length=200, default="")
    created_at = fields.DatetimeField()
    page_until = fields.DatetimeField()
    """The page that leads to the provider opens until then."""
    opened_at = fields.DatetimeField(null=True)
    """When it was opened first; null: the provider cannot know of the attempt, and no money can come for it."""
    hold_until = fields.DatetimeField(null=True)
    """The order is not expired before this while the attempt is pending; None: it holds nothing."""
    ask_at = fields.DatetimeField(null=True)
    """When the provider is asked next; None: never again."""
    asked = fields.IntField(default=0)
    settled_at = fields.DatetimeField(null=True)

    class Meta:
        table = "payment_attempt"
        indexes = [Index(fields=("order_id",)), Index(fields=("shop_id", "created_at", "id"))]


class PaymentEvent(Model):
    """What a provider told about an attempt, each thing once; append only. No personal data of the payer is kept."""

    id = fields.BigIntField(primary_key=True)
    shop_id = fields.UUIDField()
    attempt_id = fields.UUIDField()
    word = fields.CharField(max_length=12)
    code = fields.CharField(max_length=20)
    provider_no = fields.CharField(max_length=40)
    amount_minor = fields.BigIntField(null=True)
    source = fields.CharField(max_length=8)
    """NOTICE or QUERY."""
    at = fields.DatetimeField()

    class Meta:
        table = "payment_event"
        unique_together = (("attempt_id", "word", "code", "provider_no"),)


class TransferReport(Model):
    """A buyer says that money was sent. At most one of an order stands open, and only while its payment is REPORTED."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    order_id = fields.UUIDField()
    state = fields.CharEnumField(ReportState, max_length=12)
    last_five = fields.CharField(max_length=5)
    """Of the account that paid, as text: leading zeros count. Empty once the member was deleted."""
    paid_at = fields.DatetimeField()
    amount_minor = fields.BigIntField()
    currency = fields.CharField(max_length=3)
    slip_id = fields.UUIDField(null=True)
    reason = fields.CharField(max_length=200, default="")
    """The shop's words to the buyer when it refused."""
    reported_at = fields.DatetimeField()
    answer_by = fields.DatetimeField()
    answered_at = fields.DatetimeField(null=True)
    answered_by = fields.UUIDField(null=True)

    class Meta:
        table = "transfer_report"
        indexes = [Index(fields=("order_id", "reported_at"))]


class TransferSlip(Model):
    """A picture of a transfer, drawn anew by us; its key is the upload's, so that the same upload never makes two."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    order_id = fields.UUIDField()
    content = fields.BinaryField()
    """JPEG."""
    width = fields.IntField()
    height = fields.IntField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "transfer_slip"
        indexes = [Index(fields=("order_id",))]
