"""Reading a post the way the claims room needs it: the words that name its offers, prices, window and policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.db import Record, Tx, from_jsonb
from domain.posts.rules import DeliveryMethod, PostState


@dataclass(frozen=True, slots=True)
class PostFacts:
    """What changes with the post's own row; cheap to read for every batch."""

    id: UUID
    shop_id: UUID
    version: int
    title: str
    state: PostState
    delivery_method: DeliveryMethod
    opens_at: datetime | None
    closes_at: datetime | None
    focus_item_id: UUID | None
    policy_version_id: UUID | None
    policy: Mapping[str, Any]
    policy_since: datetime | None = None
    """When that version took effect."""


@dataclass(frozen=True, slots=True)
class VariantFacts:
    """One variant as it is copied to an order line."""

    id: UUID
    title: str
    label: str
    price_minor: int
    opens_at: datetime | None = None
    """The item's own window within the post's."""
    closes_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version of a claim policy, as stored."""

    id: UUID
    policy: Mapping[str, Any]
    effective_at: datetime


MOST_VERSIONS = 100
"""So many versions back an event is read by its own; an older one by the oldest of these."""


async def policies_before(tx: Tx, post_id: UUID, at: datetime) -> list[PolicyVersion]:
    """The versions that were in force for this post before its newest, the newest first, back to the one in force at an instant.

    The post's own come before the shop's from the day it had one. Without any so old, the last one is the first there was.
    """
    rows = await tx.fetch(
        """with all_of as (
             select c.id, c.policy, c.effective_at, c.version, c.post_id is not null as own,
                    min(c.effective_at) filter (where c.post_id is not null) over () as own_since
             from claim_policy_version c join sales_post p on p.shop_id = c.shop_id
             where p.id = $1 and (c.post_id = p.id or c.post_id is null))
           select id, policy, effective_at from all_of where own or own_since is null or effective_at < own_since
           order by own desc, version desc offset 1 limit $2""",
        post_id,
        MOST_VERSIONS,
    )
    found: list[PolicyVersion] = []
    for row in rows:
        found.append(PolicyVersion(row["id"], from_jsonb(row["policy"]), row["effective_at"]))
        if row["effective_at"] <= at:
            break
    return found


async def post_facts(tx: Tx, post_ids: Sequence[UUID]) -> dict[UUID, PostFacts]:
    """Facts of these posts with the policy in force: the post's newest version, else the shop's."""
    rows = await tx.fetch(
        """select p.id, p.shop_id, p.version, p.title, p.state, p.delivery_method, p.opens_at, p.closes_at, p.focus_item_id,
                  v.id as policy_version_id, v.policy, v.effective_at as policy_since
           from sales_post p left join lateral (
             select id, policy, effective_at from claim_policy_version c
             where c.shop_id = p.shop_id and (c.post_id = p.id or c.post_id is null)
             order by c.post_id nulls last, c.version desc limit 1) v on true
           where p.id = any($1::uuid[])""",
        list(post_ids),
    )
    return {
        row["id"]: PostFacts(
            row["id"], row["shop_id"], row["version"], row["title"], PostState(row["state"]), DeliveryMethod(row["delivery_method"]),
            row["opens_at"], row["closes_at"], row["focus_item_id"], row["policy_version_id"], from_jsonb(row["policy"]) or {},
            row["policy_since"],
        )
        for row in rows
    }  # fmt: skip


async def offers_of_post(tx: Tx, post_id: UUID) -> tuple[list[dict[str, Any]], dict[UUID, VariantFacts]]:
    """The post's offers in the form of the recognition contract (section 1, `offers[]`), and its variants for order lines."""
    rows = await tx.fetch(
        """select i.id as item_id, i.codes, i.aliases, i.on_sale, i.max_qty, i.opens_at, i.closes_at, p.title, p.options,
                  v.id as variant_id, v.label, v.option_values, v.code, v.price_minor
           from post_item i join product p on p.id = i.product_id join variant v on v.product_id = p.id
           where i.post_id = $1 order by i.position, i.id, v.position, v.id""",
        post_id,
    )
    offers: dict[UUID, dict[str, Any]] = {}
    facts: dict[UUID, VariantFacts] = {}
    for row in rows:
        offer = offers.setdefault(row["item_id"], _offer(row))
        offer["variants"].append(
            {
                "id": str(row["variant_id"]),
                "values": from_jsonb(row["option_values"]),
                "code": row["code"] or None,
                "on_sale": row["on_sale"],
            }
        )
        facts[row["variant_id"]] = VariantFacts(
            row["variant_id"], row["title"], row["label"], row["price_minor"], row["opens_at"], row["closes_at"]
        )
    return list(offers.values()), facts


def _offer(row: Record) -> dict[str, Any]:
    return {
        "id": str(row["item_id"]),
        "title": row["title"],
        "codes": from_jsonb(row["codes"]),
        "aliases": from_jsonb(row["aliases"]),
        "on_sale": row["on_sale"],
        "max_qty": row["max_qty"],
        "options": from_jsonb(row["options"]),
        "variants": [],
    }
