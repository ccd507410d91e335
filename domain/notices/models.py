"""Tables: notice, push_delivery, notice_settings, shop_notice_settings, push_digest, announcement."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from domain.notices.rules import DeliveryState, NoticeKind


class Notice(Model):
    """Something a buyer should know. It is in the member's inbox whatever becomes of the push."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    buyer_id = fields.UUIDField()
    member_id = fields.UUIDField(null=True)
    kind = fields.CharEnumField(NoticeKind, max_length=20, description="A NoticeKind; more may come.")
    data: fields.Field[dict[str, Any]] = fields.JSONField()
    dedupe_key = fields.CharField(max_length=120)
    read_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "notice"
        unique_together = (("shop_id", "dedupe_key"),)


class PushDelivery(Model):
    """One notice on its way to one device; unique, so that a crash never makes two."""

    id = fields.UUIDField(primary_key=True)
    notice_id = fields.UUIDField()
    device_id = fields.UUIDField()
    state = fields.CharEnumField(DeliveryState, max_length=8, default=DeliveryState.PENDING)
    tries = fields.IntField(default=0)
    next_try_at = fields.DatetimeField()
    use_by = fields.DatetimeField()
    """A push later than this is dropped; the notice stays."""
    provider_id = fields.CharField(max_length=200, default="")
    last_error = fields.CharField(max_length=200, default="")
    sent_at = fields.DatetimeField(null=True)
    admitted = fields.BooleanField(default=False)
    """It was decided that it goes, and counted."""
    digest_id = fields.UUIDField(null=True)
    """The digest that tells of it instead."""

    class Meta:
        table = "push_delivery"
        unique_together = (("notice_id", "device_id"),)
        indexes = [Index(fields=("device_id",))]


class NoticeSettings(Model):
    """What a member wishes of their pushes, and how many have gone to them in their day. Times are minutes after midnight."""

    member_id = fields.UUIDField(primary_key=True)
    time_zone = fields.CharField(max_length=40, default="")
    """IANA name; empty for that of each notice's shop."""
    quiet_from = fields.SmallIntField(null=True)
    quiet_until = fields.SmallIntField(null=True)
    daily_pushes = fields.SmallIntField(default=20)
    digest_at = fields.SmallIntField(default=1200)
    off: fields.Field[list[str]] = fields.JSONField(default=list)
    """Kinds that are not pushed."""
    day = fields.DateField(null=True)
    spent = fields.IntField(default=0)
    """Pushes of `day`, which is the member's own."""
    updated_at = fields.DatetimeField()

    class Meta:
        table = "notice_settings"


class ShopNoticeSettings(Model):
    """What a member wishes of one shop's pushes."""

    id = fields.BigIntField(primary_key=True, generated=True)
    member_id = fields.UUIDField()
    shop_id = fields.UUIDField()
    muted = fields.BooleanField(default=False)
    muted_until = fields.DatetimeField(null=True)
    """Null while muted: until the member says otherwise."""
    off: fields.Field[list[str]] = fields.JSONField(default=list)
    updated_at = fields.DatetimeField()

    class Meta:
        table = "shop_notice_settings"
        unique_together = (("member_id", "shop_id"),)


class PushDigest(Model):
    """One push that tells of several notices; one a day for a member at most."""

    id = fields.UUIDField(primary_key=True)
    member_id = fields.UUIDField()
    day = fields.DateField()
    state = fields.CharEnumField(DeliveryState, max_length=8, default=DeliveryState.PENDING)
    tries = fields.IntField(default=0)
    due_at = fields.DatetimeField()
    next_try_at = fields.DatetimeField()
    sent_at = fields.DatetimeField(null=True)

    class Meta:
        table = "push_digest"
        unique_together = (("member_id", "day"),)


class Announcement(Model):
    """What a shop told its buyers, or those of one post."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    post_id = fields.UUIDField(null=True)
    title = fields.CharField(max_length=60)
    body = fields.CharField(max_length=500)
    by_member_id = fields.UUIDField()
    told = fields.IntField(default=0)
    """Buyers told so far."""
    done_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "announcement"
        indexes = [Index(fields=("shop_id", "created_at"))]
