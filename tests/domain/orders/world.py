"""A row in every table: what the guards of the tables are tried on."""

from __future__ import annotations

from uuid import UUID

from domain import db as database
from domain.ids import new_id
from tests.build import (
    NOW,
    ABuyer,
    AShop,
    a_buyer,
    a_channel,
    a_claim,
    a_device,
    a_member,
    a_membership,
    a_post,
    a_product,
    a_shop,
    an_order,
)

Rows = list[tuple[str, dict[str, object]]]
"""Tables and what is written there."""


async def a_world() -> AShop:
    """A shop with at least one row in every table that the migration guards."""
    shop, member = await a_shop(), await a_member()
    await a_membership(shop, member)
    device, buyer = await a_device(member), await a_buyer(shop, member_id=member)
    product = await a_product(shop, variants=["紅", "白"])
    channel = await a_channel(shop)
    post = await a_post(shop, products=[product], channel=channel)
    claim = await a_claim(shop, channel=channel, buyer=buyer)
    order = await an_order(shop, [(product.variants[0], 1)], buyer=buyer, post=post)
    await _more(shop, buyer, member, device, product.variants[0].id, post.id, claim, order.id, order.lines[0])
    return shop


async def _more(
    shop: AShop, buyer: ABuyer, member: UUID, device: UUID, variant: UUID, post: UUID, claim: UUID, order: UUID, line: UUID
) -> None:
    comment = await database.fetchval("select comment_id from claim where id = $1", claim)
    policy, notice = new_id(), new_id()
    of_the_shop = [
        ("claim_policy_version", {"id": policy, "post_id": post, "version": 1, "policy": "{}", "effective_at": NOW}),
        ("notice", {"id": notice, "buyer_id": buyer.id, "kind": "ANNOUNCEMENT", "data": "{}", "dedupe_key": "x", "created_at": NOW}),
        *_around_a_comment(comment, claim, buyer, variant),
        *_around_an_order(order, member),
        *_around_a_pickup(order, line, buyer, member),
        ("audit_seal", {"up_to_id": 1, "entries": 1, "hash": "", "sealed_at": NOW}),
    ]
    for table, values in of_the_shop:
        await insert(table, {"shop_id": shop.id, **values})
    endpoint = await database.fetchval("select endpoint_id from channel where shop_id = $1", shop.id)
    for table, values in (*_around_a_member(member, device, notice), *_of_nobody(endpoint, shop.number)):
        await insert(table, values)
    await database.execute("update order_line set claim_id = $2, policy_version_id = $3 where id = $1", line, claim, policy)
    await database.execute("update claim set order_id = $2, post_id = $3, policy_version_id = $4 where id = $1", claim, order, post, policy)
    await database.execute("update social_comment set post_id = $2 where id = $1", comment, post)


def _around_a_comment(comment: UUID, claim: UUID, buyer: ABuyer, variant: UUID) -> Rows:
    return [
        ("comment_revision", {"comment_id": comment, "kind": "ADD", "text": "", "at": NOW, "received_at": NOW}),
        (
            "waitlist_entry",
            {"id": new_id(), "variant_id": variant, "claim_id": claim, "buyer_id": buyer.id, "quantity": 1, "state": "WAITING", "queued_at": NOW},
        ),
        (
            "platform_reply",
            {"id": new_id(), "comment_id": comment, "dedupe_key": str(new_id()), "kind": "PUBLIC", "text": "", "state": "PENDING", "tries": 0,
             "external_id": "", "last_error": "", "created_at": NOW},
        ),
    ]  # fmt: skip


def _around_an_order(order: UUID, member: UUID) -> Rows:
    return [
        ("payment_reminder", {"order_id": order, "half_at": NOW, "due_at": NOW}),
        ("order_event", {"order_id": order, "kind": "X", "data": "{}", "actor": "", "at": NOW}),
        (
            "payment",
            {"id": new_id(), "order_id": order, "method": "CASH", "reference": "", "amount_minor": 1, "currency": "TWD", "recorded_by": member,
             "recorded_at": NOW},
        ),
        (
            "audit_entry",
            {"at": NOW, "actor": "", "role": "", "action": "", "object_type": "", "object_id": order, "detail": "{}", "request_id": ""},
        ),
    ]  # fmt: skip


def _around_a_pickup(order: UUID, line: UUID, buyer: ABuyer, member: UUID) -> Rows:
    pickup, over = new_id(), new_id()
    return [
        (
            "pickup",
            {"id": pickup, "buyer_id": buyer.id, "code_id": pickup.int >> 65, "state": "OPEN", "issue_number": 1, "short_code": "ABCD1234",
             "version": 1, "created_at": NOW},
        ),
        ("pickup_order", {"order_id": order, "pickup_id": pickup}),
        (
            "hand_over",
            {"id": over, "pickup_id": pickup, "issue_number": 1, "by_member_id": member, "device": "", "collected_minor": 0, "conflict": False,
             "at": NOW},
        ),
        ("hand_over_line", {"hand_over_id": over, "order_line_id": line, "quantity": 1}),
    ]  # fmt: skip


def _around_a_member(member: UUID, device: UUID, notice: UUID) -> Rows:
    session = new_id()
    return [
        ("identity", {"id": new_id(), "member_id": member, "provider": "line", "subject": str(member), "created_at": NOW, "last_seen_at": NOW}),
        (
            "session",
            {"id": session, "member_id": member, "installation_id": "", "created_at": NOW, "last_used_at": NOW, "idle_until": NOW,
             "ends_at": NOW, "ended_reason": ""},
        ),
        ("refresh_token", {"hash": str(new_id()), "session_id": session, "created_at": NOW}),
        (
            "push_delivery",
            {"id": new_id(), "notice_id": notice, "device_id": device, "state": "PENDING", "tries": 0, "next_try_at": NOW, "use_by": NOW,
             "provider_id": "", "last_error": ""},
        ),
    ]  # fmt: skip


def _of_nobody(endpoint: UUID, number: int) -> Rows:
    return [
        (
            "inbox_event",
            {"endpoint_id": endpoint, "source": "facebook", "external_key": "1", "lane": 1, "occurred_at": NOW, "payload": "{}",
             "state": "DECIDED", "outcome": "", "tries": 0, "received_at": NOW, "parked_reason": ""},
        ),
        (
            "signing_key",
            {"kid": str(new_id()), "use": "PICKUP", "number": number % 256, "public_key": b"", "private_encrypted": "", "not_before": NOW,
             "not_after": NOW},
        ),
    ]  # fmt: skip


async def insert(table: str, values: dict[str, object]) -> None:
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    await database.execute(f'insert into "{table}" ({", ".join(values)}) values ({places})', *values.values())
