"""Tables: shop, membership, webhook_endpoint, channel."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from domain.shops.rules import Role, SourcePlatform


class Shop(Model):
    id = fields.UUIDField(primary_key=True)
    number = fields.IntField(unique=True)
    """Short public number, in the pickup code and in order numbers."""
    handle = fields.CharField(max_length=40, unique=True)
    name = fields.CharField(max_length=120)
    currency = fields.CharField(max_length=3)
    time_zone = fields.CharField(max_length=40)
    locale = fields.CharField(max_length=16)
    pay_within_minutes = fields.IntField(default=4320)
    pickup_place = fields.CharField(max_length=200, default="")
    undo_minutes = fields.IntField(default=5)
    """How long a buyer takes an order line back without asking; 0: not at all."""
    offer_minutes = fields.IntField(null=True)
    """How long pieces that became free are kept for one who waits to say yes; null: who waits has them at once."""
    ship_later_days = fields.IntField(default=14)
    """How long a paid parcel may wait for others; 0: not at all."""
    offers_delivery = fields.BooleanField(default=False)
    """There is a way of delivery that buyers may choose; kept with the offers, so that lists of orders need not look."""
    staff_second_proof = fields.BooleanField(default=False, db_default=False)
    """Acts that ask for a fresh sign-in ask all staff for a second proof, also those who have set none up."""
    created_at = fields.DatetimeField()

    class Meta:
        table = "shop"


class Membership(Model):
    """A person's rights in one shop; deny wins over what the role grants."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    member_id = fields.UUIDField()
    role = fields.CharEnumField(Role, max_length=16)
    denied: fields.Field[list[str]] = fields.JSONField(default=list)
    invited_by = fields.UUIDField(null=True)
    created_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "membership"
        indexes = [Index(fields=("member_id",)), Index(fields=("shop_id",))]


class WebhookEndpoint(Model):
    """One `/webhooks/{source}/{slug}` address; secrets are encrypted with the settings' key. A Facebook app may serve many shops."""

    id = fields.UUIDField(primary_key=True)
    source = fields.CharField(max_length=16)
    slug = fields.CharField(max_length=64)
    secret_encrypted = fields.TextField()
    verify_token_encrypted = fields.TextField(default="")
    destination = fields.CharField(max_length=64, default="")
    access_token_encrypted = fields.TextField(default="", db_default="")
    """LINE: the account's channel access token, where its people may link their accounts; empty: they cannot."""
    created_at = fields.DatetimeField()

    class Meta:
        table = "webhook_endpoint"
        unique_together = (("source", "slug"),)


class Channel(Model):
    """A page, group or chat of a platform, bound to one shop."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    endpoint_id = fields.UUIDField()
    platform = fields.CharEnumField(SourcePlatform, max_length=16)
    external_id = fields.CharField(max_length=120)
    name = fields.CharField(max_length=120)
    contact = fields.CharField(max_length=64, default="", db_default="")
    """How people write to the account behind it: the bot's user name (Telegram), the account's name (Instagram). A page needs none."""
    private_links = fields.BooleanField(default=False, db_default=False)
    """Commenters without a member get a private reply with a link that makes them one."""
    created_at = fields.DatetimeField()

    class Meta:
        table = "channel"
        unique_together = (("endpoint_id", "external_id"), ("shop_id", "id"))
