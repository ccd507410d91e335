"""Tables: member, identity, device, session, refresh_token, login_attempt, seen_token, guess_count, signing_key; sign_in_alert, provider_grant;
claim_code, member_merge, account_deletion, data_export, member_event, account_link;
passkey, authenticator, recovery_code."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from domain.members.rules import AlertKind, CodeKind, DevicePlatform, KeyUse, LinkState, PushTarget


class Member(Model):
    """A person who signed in. `ver` rises when all access tokens of the person must die."""

    id = fields.UUIDField(primary_key=True)
    ver = fields.IntField(default=1)
    display_name = fields.CharField(max_length=120, default="")
    locale = fields.CharField(max_length=16, default="zh-TW")
    created_at = fields.DatetimeField()
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "member"


class Identity(Model):
    """How a person proves who they are at one provider; (provider, subject) is one person for ever."""

    id = fields.UUIDField(primary_key=True)
    member_id = fields.UUIDField()
    provider = fields.CharField(max_length=16)
    subject = fields.CharField(max_length=120)
    created_at = fields.DatetimeField()
    last_seen_at = fields.DatetimeField()

    class Meta:
        table = "identity"
        unique_together = (("provider", "subject"),)
        indexes = [Index(fields=("member_id",))]


class Device(Model):
    """One installation of the app. The push target moves with the installation when another member signs in on it."""

    id = fields.UUIDField(primary_key=True)
    member_id = fields.UUIDField()
    installation_id = fields.CharField(max_length=120, unique=True)
    platform = fields.CharEnumField(DevicePlatform, max_length=8)
    target_kind = fields.CharEnumField(PushTarget, max_length=8)
    target = fields.CharField(max_length=512)
    locale = fields.CharField(max_length=16, default="zh-TW")
    created_at = fields.DatetimeField()
    last_seen_at = fields.DatetimeField()
    revoked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "device"
        indexes = [Index(fields=("member_id",))]


class Session(Model):
    """A family of refresh tokens on one installation."""

    id = fields.UUIDField(primary_key=True)
    member_id = fields.UUIDField()
    installation_id = fields.CharField(max_length=120)
    created_at = fields.DatetimeField()
    last_used_at = fields.DatetimeField()
    idle_until = fields.DatetimeField()
    ends_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    ended_reason = fields.CharField(max_length=32, default="")
    confirmed_at = fields.DatetimeField(null=True)
    """When its person last proved again who they are; null: not since it began."""
    second_proof_at = fields.DatetimeField(null=True)
    """When its person last showed a passkey or a code of their authenticator app; null: never."""

    class Meta:
        table = "session"
        indexes = [Index(fields=("member_id",))]


class RefreshToken(Model):
    """SHA-256 of a refresh token; the token itself is nowhere."""

    hash = fields.CharField(max_length=64, primary_key=True)
    session_id = fields.UUIDField()
    parent_hash = fields.CharField(max_length=64, null=True)
    created_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "refresh_token"
        indexes = [Index(fields=("session_id",))]


class LoginAttempt(Model):
    """A nonce given out for one sign-in; single use."""

    nonce_hash = fields.CharField(max_length=64, primary_key=True)
    provider = fields.CharField(max_length=16)
    expires_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "login_attempt"


class SeenToken(Model):
    """A provider's token that was used; kept until it would have expired anyway."""

    hash = fields.CharField(max_length=64, primary_key=True)
    until = fields.DatetimeField()

    class Meta:
        table = "seen_token"


class GuessCount(Model):
    """Guesses per subject and window, for every secret that could be guessed."""

    scope = fields.CharField(max_length=160, primary_key=True)
    window_started_at = fields.DatetimeField()
    guesses = fields.IntField()

    class Meta:
        table = "guess_count"


class SigningKey(Model):
    """An Ed25519 key; the private half is encrypted with the settings' key."""

    kid = fields.CharField(max_length=64, primary_key=True)
    use = fields.CharEnumField(KeyUse, max_length=8)
    number = fields.IntField()
    """Key number inside pickup codes (0 to 255), unique per use."""
    public_key = fields.BinaryField()
    private_encrypted = fields.TextField()
    not_before = fields.DatetimeField()
    not_after = fields.DatetimeField()
    revoked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "signing_key"
        unique_together = (("use", "number"),)


class SignInAlert(Model):
    """Something that a member is told about their sign-in. `session_id` is no reference: an alert outlives its session."""

    id = fields.UUIDField(primary_key=True)
    member_id = fields.UUIDField()
    session_id = fields.UUIDField()
    kind = fields.CharEnumField(AlertKind, max_length=16)
    installation_id = fields.CharField(max_length=120)
    at = fields.DatetimeField()
    use_by = fields.DatetimeField()
    """A push later than this is not sent any more."""
    next_try_at = fields.DatetimeField()
    tries = fields.IntField(default=0)
    sent_at = fields.DatetimeField(null=True)

    class Meta:
        table = "sign_in_alert"
        indexes = [Index(fields=("member_id", "at")), Index(fields=("at",))]


class ProviderGrant(Model):
    """What a provider wants back when an account is deleted; encrypted with the settings' key."""

    id = fields.UUIDField(primary_key=True)
    member_id = fields.UUIDField()
    provider = fields.CharField(max_length=16)
    subject = fields.CharField(max_length=120)
    client_id = fields.CharField(max_length=120)
    """Of the app that the grant was made to."""
    token_encrypted = fields.TextField()
    created_at = fields.DatetimeField()
    give_back_at = fields.DatetimeField(null=True)
    """When it is to be tried next, once its member is deleted."""

    class Meta:
        table = "provider_grant"
        unique_together = (("provider", "subject", "client_id"),)
        indexes = [Index(fields=("member_id",))]


class ClaimCode(Model):
    """A code that links a commenter's name (NAME) or a second account (MERGE) to the member who asked for it; single use, kept as a hash."""

    id = fields.UUIDField(primary_key=True)
    kind = fields.CharEnumField(CodeKind, max_length=8)
    member_id = fields.UUIDField()
    hash = fields.CharField(max_length=64, unique=True)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    seen_at = fields.DatetimeField(null=True)
    """When somebody wrote it; the member is then asked whether that was them."""
    provider = fields.CharField(max_length=16, default="")
    external_id = fields.CharField(max_length=120, default="")
    name = fields.CharField(max_length=120, default="")
    """Who wrote it, as the platform names them."""
    shops: fields.Field[list[str]] = fields.JSONField(default=list)
    """Ids of the shops where that name is to become the member's."""
    answered_at = fields.DatetimeField(null=True)
    accepted = fields.BooleanField(default=False)

    class Meta:
        table = "claim_code"
        indexes = [Index(fields=("member_id", "created_at")), Index(fields=("created_at",))]


class MemberMerge(Model):
    """Two accounts of one person became one; what was moved is kept here, so that it can be moved back."""

    id = fields.UUIDField(primary_key=True)
    keeper_id = fields.UUIDField()
    absorbed_id = fields.UUIDField()
    merged_at = fields.DatetimeField()
    undo_until = fields.DatetimeField()
    undone_at = fields.DatetimeField(null=True)
    moved: fields.Field[dict[str, list[str]]] = fields.JSONField(default=dict)
    """{identities, buyers, devices}: ids of the rows that were the absorbed member's."""

    class Meta:
        table = "member_merge"
        indexes = [Index(fields=("keeper_id",)), Index(fields=("merged_at",))]


class AccountDeletion(Model):
    """A member wants to be forgotten; until `due_at` it can be called off, afterwards never again."""

    id = fields.UUIDField(primary_key=True)
    member_id = fields.UUIDField()
    requested_at = fields.DatetimeField()
    due_at = fields.DatetimeField()
    cancelled_at = fields.DatetimeField(null=True)
    done_at = fields.DatetimeField(null=True)
    names: fields.Field[list[list[str]]] = fields.JSONField(default=list)
    """[provider, external id] of names whose stored deliveries are still to be erased; empty once they are."""

    class Meta:
        table = "account_deletion"
        indexes = [Index(fields=("member_id",)), Index(fields=("done_at",))]


class DataExport(Model):
    """A member asked for the file of all their data; it may be fetched until `expires_at`."""

    id = fields.UUIDField(primary_key=True)
    member_id = fields.UUIDField()
    requested_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    fetched_at = fields.DatetimeField(null=True)

    class Meta:
        table = "data_export"
        indexes = [Index(fields=("member_id",))]


class MemberEvent(Model):
    """What was done with an account, beside the shops' audit; append only, without personal data."""

    id = fields.BigIntField(primary_key=True, generated=True)
    member_id = fields.UUIDField()
    at = fields.DatetimeField()
    actor = fields.CharField(max_length=80)
    action = fields.CharField(max_length=40)
    detail: fields.Field[dict[str, object]] = fields.JSONField(default=dict)
    request_id = fields.CharField(max_length=64, default="")

    class Meta:
        table = "member_event"
        indexes = [Index(fields=("member_id", "id"))]


class AccountLink(Model):
    """A person of a platform on the way to a member, by the platform's own linking of accounts (LINE); tokens are sealed, the nonce is a hash."""

    id = fields.UUIDField(primary_key=True)
    endpoint_id = fields.UUIDField()
    provider = fields.CharField(max_length=16)
    external_id = fields.CharField(max_length=120)
    state = fields.CharEnumField(LinkState, max_length=8)
    reply_token = fields.CharField(max_length=120, default="")
    """What the person's message may be answered with for about a minute."""
    link_token_encrypted = fields.TextField(default="")
    nonce_hash = fields.CharField(max_length=64, null=True, unique=True)
    member_id = fields.UUIDField(null=True)
    """Who opened the address."""
    tries = fields.IntField(default=0)
    asked_at = fields.DatetimeField()
    next_try_at = fields.DatetimeField(null=True)
    """ASKED: not before; null: at once."""
    sent_at = fields.DatetimeField(null=True)
    opened_at = fields.DatetimeField(null=True)
    done_at = fields.DatetimeField(null=True)

    class Meta:
        table = "account_link"
        indexes = [Index(fields=("endpoint_id", "external_id", "asked_at")), Index(fields=("member_id",)), Index(fields=("asked_at",))]


class Passkey(Model):
    """A passkey of a member (WebAuthn): the public half of a key that stays on the person's device, or in its maker's cloud."""

    id = fields.UUIDField(primary_key=True)
    member_id = fields.UUIDField()
    name = fields.CharField(max_length=60)
    """As the person calls the device."""
    credential_id = fields.BinaryField()
    """What the device knows it by; at most 1023 bytes, unique."""
    public_key = fields.BinaryField()
    """COSE, as the device gave it."""
    sign_count = fields.BigIntField(default=0)
    """The device's count of its signatures; 0 where it does not count."""
    created_at = fields.DatetimeField()
    last_used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "passkey"
        indexes = [Index(fields=("member_id",))]


class Authenticator(Model):
    """A member's authenticator app (TOTP); its secret is encrypted with the settings' key."""

    id = fields.UUIDField(primary_key=True)
    member_id = fields.UUIDField(unique=True)
    secret_encrypted = fields.TextField()
    created_at = fields.DatetimeField()
    confirmed_at = fields.DatetimeField(null=True)
    """When its first code was right; before that it counts for nothing."""
    last_step = fields.BigIntField(default=0)
    """The latest half minute since 1970 of which a code was used."""

    class Meta:
        table = "authenticator"


class RecoveryCode(Model):
    """A code for when the authenticator app is gone; a MAC of it, good once."""

    id = fields.UUIDField(primary_key=True)
    member_id = fields.UUIDField()
    hash = fields.CharField(max_length=64)
    created_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "recovery_code"
        unique_together = (("member_id", "hash"),)
