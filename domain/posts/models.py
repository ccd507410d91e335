"""Tables: sales_post, post_item, post_placement, claim_policy_version."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from domain.posts.rules import DeliveryMethod, PostState


class SalesPost(Model):
    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    title = fields.CharField(max_length=200)
    state = fields.CharEnumField(PostState, max_length=8)
    delivery_method = fields.CharEnumField(DeliveryMethod, max_length=8, default=DeliveryMethod.PICKUP)
    opens_at = fields.DatetimeField(null=True)
    closes_at = fields.DatetimeField(null=True)
    focus_item_id = fields.UUIDField(null=True)
    """The item now shown in the live."""
    version = fields.IntField(default=1)
    """Rises with every change that changes how comments are read."""
    created_at = fields.DatetimeField()

    class Meta:
        table = "sales_post"
        unique_together = (("shop_id", "id"),)


class PostItem(Model):
    """An offer of a post: one product with the words that name it there."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    post_id = fields.UUIDField()
    product_id = fields.UUIDField()
    codes: fields.Field[list[str]] = fields.JSONField(default=list)
    aliases: fields.Field[list[str]] = fields.JSONField(default=list)
    on_sale = fields.BooleanField(default=True)
    max_qty = fields.IntField(null=True)
    opens_at = fields.DatetimeField(null=True)
    """Within the post's window, the item may have a narrower one of its own."""
    closes_at = fields.DatetimeField(null=True)
    position = fields.IntField(default=0)

    class Meta:
        table = "post_item"
        unique_together = (("post_id", "product_id"), ("shop_id", "id"))


class PostPlacement(Model):
    """Where a post stands on a platform. An empty `external_post_id` means: the chat itself takes orders for this post."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    post_id = fields.UUIDField()
    channel_id = fields.UUIDField()
    external_post_id = fields.CharField(max_length=120)
    created_at = fields.DatetimeField()

    class Meta:
        table = "post_placement"
        unique_together = (("channel_id", "external_post_id"),)
        indexes = [Index(fields=("post_id",))]


class ClaimPolicyVersion(Model):
    """One version of a shop's claim policy, or of a post's own; never changed once written."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    post_id = fields.UUIDField(null=True)
    version = fields.IntField()
    policy: fields.Field[dict[str, Any]] = fields.JSONField()
    effective_at = fields.DatetimeField()

    class Meta:
        table = "claim_policy_version"
        unique_together = (("shop_id", "id"),)
