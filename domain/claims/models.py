"""Tables: social_comment, comment_revision, comment_snapshot, comment_missed, claim, waitlist_entry, waitlist_offer, platform_reply."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from domain.claims.ports import ReplyKind
from domain.claims.rules import ClaimOutcome, OfferState, ReviewState, WaitState
from domain.notices.rules import DeliveryState
from domain.shops.rules import SourcePlatform


class SocialComment(Model):
    """A comment as it now stands on the platform; its earlier texts are in comment_revision."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    channel_id = fields.UUIDField()
    post_id = fields.UUIDField(null=True)
    external_id = fields.CharField(max_length=200)
    external_post_id = fields.CharField(max_length=200, default="")
    """The platform's post or thread, also while no post of ours is known to stand there."""
    parent_external_id = fields.CharField(max_length=200, default="")
    platform = fields.CharEnumField(SourcePlatform, max_length=16)
    buyer_id = fields.UUIDField(null=True)
    author_name = fields.CharField(max_length=120, default="")
    text = fields.TextField()
    written_at = fields.DatetimeField()
    """By the platform's clock."""
    text_at = fields.DatetimeField()
    """Platform time of the text now shown: an older edit that arrives late changes nothing."""
    received_at = fields.DatetimeField()
    removed_at = fields.DatetimeField(null=True)
    is_owner = fields.BooleanField(default=False)
    permalink = fields.TextField(default="")
    reply_token = fields.CharField(max_length=120, default="")
    mentions: fields.Field[list[list[int]] | None] = fields.JSONField(null=True)
    """Spans of tagged people in the first text, as the platform gave them, while nothing but its writing is known of the comment."""

    class Meta:
        table = "social_comment"
        unique_together = (("channel_id", "external_id"),)


class CommentRevision(Model):
    """What happened to a comment. One that was written and nothing more has none: its own row says it (view comment_history)."""

    id = fields.BigIntField(primary_key=True, generated=True)
    shop_id = fields.UUIDField()
    comment_id = fields.UUIDField()
    kind = fields.CharField(max_length=8)
    """ADD, EDIT, REMOVE, HIDE, UNHIDE."""
    text = fields.TextField()
    mentions: fields.Field[list[list[int]] | None] = fields.JSONField(null=True)
    """Spans of tagged people in the text, as the platform gave them: without them the text may be read otherwise."""
    at = fields.DatetimeField()
    received_at = fields.DatetimeField()

    class Meta:
        table = "comment_revision"
        indexes = [Index(fields=("comment_id", "id"))]


class CommentSnapshot(Model):
    """The newest complete list of comments that a collector sent of a post; posts of which none was sent have no row."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    channel_id = fields.UUIDField()
    platform = fields.CharEnumField(SourcePlatform, max_length=16)
    external_post_id = fields.CharField(max_length=200)
    snapshot_id = fields.CharField(max_length=200, default="")
    """The collector's name of it; empty while only incomplete ones came."""
    taken_at = fields.DatetimeField(null=True)
    """By the collector's clock."""
    gathered: fields.Field[dict[str, Any] | None] = fields.JSONField(null=True)
    """Parts of a later one that is not all here yet: {"id", "takenAt", "parts", "seen": {part: [external ids]}}."""

    class Meta:
        table = "comment_snapshot"
        unique_together = (("channel_id", "platform", "external_post_id"),)


class CommentMissed(Model):
    """A comment that stood in no complete list since one was taken at `missed_at`; gone once it is seen again, or counts as removed."""

    comment_id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    place_id = fields.UUIDField()
    missed_at = fields.DatetimeField()
    told = fields.BooleanField(default=False)
    """The shop was asked to look, because too many were missing at once."""

    class Meta:
        table = "comment_missed"
        indexes = [Index(fields=("place_id",))]


class Claim(Model):
    """What one comment asked for and what became of it."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    comment_id = fields.UUIDField(unique=True)
    post_id = fields.UUIDField(null=True)
    buyer_id = fields.UUIDField(null=True)
    outcome = fields.CharEnumField(ClaimOutcome, max_length=12)
    reason = fields.CharField(max_length=40, default="")
    intent = fields.CharField(max_length=12)
    result: fields.Field[dict[str, Any]] = fields.JSONField()
    """The recognition result (contract, section 2) that was acted on."""
    text_hash = fields.CharField(max_length=64)
    rules_version = fields.CharField(max_length=32)
    policy_version_id = fields.UUIDField(null=True)
    order_id = fields.UUIDField(null=True)
    review = fields.CharEnumField(ReviewState, max_length=8, default=ReviewState.NONE)
    resolved_by = fields.UUIDField(null=True)
    resolution = fields.CharField(max_length=200, default="")
    decided_at = fields.DatetimeField()

    class Meta:
        table = "claim"


class WaitlistEntry(Model):
    """Pieces that a claim asked for and stock could not give; queued by platform time, then claim."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    variant_id = fields.UUIDField()
    claim_id = fields.UUIDField()
    buyer_id = fields.UUIDField()
    quantity = fields.IntField()
    state = fields.CharEnumField(WaitState, max_length=8)
    queued_at = fields.DatetimeField()

    class Meta:
        table = "waitlist_entry"
        unique_together = (("claim_id", "variant_id"),)


class WaitlistOffer(Model):
    """Pieces that became free, kept for one place of a waiting list until `expires_at`. They are still counted as waited for."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    place_id = fields.UUIDField()
    buyer_id = fields.UUIDField()
    variant_id = fields.UUIDField()
    quantity = fields.IntField()
    state = fields.CharEnumField(OfferState, max_length=8)
    offered_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "waitlist_offer"
        indexes = [Index(fields=("place_id",))]


class PlatformReply(Model):
    """An answer to a comment, on its way to the platform."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    comment_id = fields.UUIDField()
    dedupe_key = fields.CharField(max_length=120, unique=True)
    kind = fields.CharEnumField(ReplyKind, max_length=8)
    text = fields.TextField()
    state = fields.CharEnumField(DeliveryState, max_length=8, default=DeliveryState.PENDING)
    tries = fields.IntField(default=0)
    external_id = fields.CharField(max_length=200, default="")
    last_error = fields.CharField(max_length=200, default="")
    created_at = fields.DatetimeField()
    sent_at = fields.DatetimeField(null=True)

    class Meta:
        table = "platform_reply"
