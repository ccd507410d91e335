"""What changed on the desk, written by set-based statements in the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain.audit.commands import Actor, Entry, record
from domain.claims.desk import Claim, Comment, Desk
from domain.claims.ports import SocialEvent
from domain.claims.recognition import RULES_VERSION
from domain.claims.replies import enqueue_replies
from domain.db import Tx, jsonb
from domain.jobs import RESTOCKED, JobQueue
from domain.notices.commands import enqueue as enqueue_notices

Revision = tuple[UUID, str, str, datetime, datetime]
"""(comment, kind, text, platform time, receipt)."""


async def write_desk(tx: Tx, desk: Desk, *, actor: Actor, jobs: JobQueue) -> None:
    """Orders, claims, lines, levels, movements, waiting places, timelines, notices, replies, audit; jobs in the same transaction."""
    await _orders(tx, desk)
    await write_claims(tx, desk.shop.id, [c for c in desk.claims.values() if c.changed])
    await _lines(tx, desk)
    await _levels(tx, desk)
    await _movements(tx, desk)
    await _waits(tx, desk)
    await _events(tx, desk)
    await enqueue_notices(tx, desk.shop.id, desk.notices, now=desk.now, jobs=jobs)
    await enqueue_replies(tx, desk.shop.id, desk.replies, now=desk.now, jobs=jobs)
    await record(tx, actor, _audit(desk), now=desk.now)
    waited_for = sorted(str(v) for v in desk.freed if desk.levels[v].waiting > 0)
    if waited_for:
        await jobs.enqueue(tx, RESTOCKED, [{"shop_id": str(desk.shop.id), "variants": waited_for}])


async def write_comments(tx: Tx, shop_id: UUID, channel_id: UUID, comments: Sequence[Comment], revisions: Sequence[Revision]) -> None:
    """New and changed comments of one channel, and their revisions."""
    fresh = [(c, c.source) for c in comments if c.is_new and c.source is not None]
    if fresh:
        await _insert_comments(tx, shop_id, channel_id, fresh)
    changed = [c for c in comments if c.changed and not c.is_new]
    if changed:
        await tx.execute(
            """update social_comment c set text = k.text, written_at = k.written_at, text_at = k.text_at, removed_at = k.removed_at,
                      buyer_id = coalesce(c.buyer_id, k.buyer_id), post_id = coalesce(c.post_id, k.post_id)
               from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::uuid[], $7::uuid[])
                 k(id, text, written_at, text_at, removed_at, buyer_id, post_id) where c.id = k.id""",
            [c.id for c in changed],
            [c.text for c in changed],
            [c.written_at for c in changed],
            [c.text_at for c in changed],
            [c.removed_at for c in changed],
            [c.buyer_id for c in changed],
            [c.post_id for c in changed],
        )
    if revisions:
        await tx.execute(
            """insert into comment_revision (shop_id, comment_id, kind, text, at, received_at)
               select $1, r.* from unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[]) r""",
            shop_id,
            *(list(column) for column in zip(*revisions, strict=True)),
        )
    erased = [c.id for c in comments if c.erased]
    if erased:
        await tx.execute("update comment_revision set text = '' where comment_id = any($1::uuid[]) and text <> ''", erased)


async def _insert_comments(tx: Tx, shop_id: UUID, channel_id: UUID, fresh: Sequence[tuple[Comment, SocialEvent]]) -> None:
    await tx.execute(
        """insert into social_comment (id, shop_id, channel_id, post_id, external_id, external_post_id, parent_external_id, platform, buyer_id, author_name, text,
                                       written_at, text_at, received_at, removed_at, is_owner, permalink, reply_token)
           select k.id, $1, $2, k.post_id, k.external_id, k.external_post, k.parent, k.platform, k.buyer_id, k.author_name, k.text,
                  k.written_at, k.text_at, k.received_at, k.removed_at, k.is_owner, k.permalink, k.reply_token
           from unnest($3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::text[], $10::text[], $11::timestamptz[],
                       $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::bool[], $16::text[], $17::text[], $18::text[])
             k(id, post_id, external_id, parent, platform, buyer_id, author_name, text, written_at, text_at, received_at, removed_at, is_owner,
               permalink, reply_token, external_post)""",
        shop_id,
        channel_id,
        [c.id for c, _ in fresh],
        [c.post_id for c, _ in fresh],
        [c.external_id for c, _ in fresh],
        [e.parent_comment_id[:200] for _, e in fresh],
        [e.source.value for _, e in fresh],
        [c.buyer_id for c, _ in fresh],
        [e.author_name[:120] for _, e in fresh],
        [c.text for c, _ in fresh],
        [c.written_at for c, _ in fresh],
        [c.text_at for c, _ in fresh],
        [c.received_at for c, _ in fresh],
        [c.removed_at for c, _ in fresh],
        [e.is_owner for _, e in fresh],
        [e.permalink[:1000] for _, e in fresh],
        [e.reply_token[:120] for _, e in fresh],
        [e.post_id[:200] for _, e in fresh],
    )


async def write_claims(tx: Tx, shop_id: UUID, claims: Sequence[Claim]) -> None:
    """New and changed claims."""
    if not claims:
        return
    await tx.execute(
        """insert into claim (id, shop_id, comment_id, post_id, buyer_id, outcome, reason, intent, result, text_hash, rules_version,
                              policy_version_id, order_id, review, resolution, decided_at)
           select k.id, $1, k.comment_id, k.post_id, k.buyer_id, k.outcome, k.reason, k.intent, k.result::jsonb, k.text_hash, $2,
                  k.policy_version_id, k.order_id, k.review, '', k.decided_at
           from unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::uuid[],
                       $13::uuid[], $14::text[], $15::timestamptz[])
             k(id, comment_id, post_id, buyer_id, outcome, reason, intent, result, text_hash, policy_version_id, order_id, review, decided_at)
           on conflict (id) do update set outcome = excluded.outcome, reason = excluded.reason, intent = excluded.intent, result = excluded.result,
             text_hash = excluded.text_hash, rules_version = excluded.rules_version, policy_version_id = excluded.policy_version_id,
             order_id = excluded.order_id, review = excluded.review, decided_at = excluded.decided_at,
             buyer_id = coalesce(claim.buyer_id, excluded.buyer_id), post_id = coalesce(claim.post_id, excluded.post_id)""",
        shop_id,
        RULES_VERSION,
        [c.id for c in claims],
        [c.comment_id for c in claims],
        [c.post_id for c in claims],
        [c.buyer_id for c in claims],
        [c.outcome.value for c in claims],
        [c.reason for c in claims],
        [c.intent for c in claims],
        [jsonb(c.result) for c in claims],
        [c.text_hash for c in claims],
        [c.policy_version_id for c in claims],
        [c.order_id for c in claims],
        [c.review.value for c in claims],
        [c.decided_at for c in claims],
    )


async def _orders(tx: Tx, desk: Desk) -> None:
    pay_by = desk.now + timedelta(minutes=desk.shop.pay_within_minutes)
    touched = [o for o in (*desk.closed_orders, *desk.orders.values()) if o.changed]
    old = sorted((o for o in touched if not o.is_new), key=lambda o: o.id)
    if old:
        await tx.execute(
            """update "order" o set subtotal_minor = k.subtotal, total_minor = k.subtotal + o.shipping_minor - o.discount_minor,
                      state = case when k.closed then 'CANCELLED' else o.state end,
                      pay_by = case when k.grown and o.pay_by <= $1 then $6 else o.pay_by end, version = o.version + 1, updated_at = $1
               from unnest($2::uuid[], $3::bigint[], $4::bool[], $5::bool[]) k(id, subtotal, closed, grown) where o.id = k.id""",
            desk.now,
            [o.id for o in old],
            [o.subtotal_minor for o in old],
            [o.closed for o in old],
            [o.grown for o in old],
            pay_by,
        )
    new = [o for o in touched if o.is_new]
    if new:
        await tx.execute(
            """insert into "order" (id, shop_id, number, buyer_id, member_id, state, payment_state, fulfilment_state, delivery_method, currency,
                                    subtotal_minor, shipping_minor, discount_minor, total_minor, paid_minor, pay_by, flagged, version, created_at, updated_at)
               select k.id, $1, k.number, k.buyer_id, b.member_id, case when k.closed then 'CANCELLED' else 'OPEN' end, 'UNPAID', 'UNFULFILLED', k.method,
                      $2, k.subtotal, 0, 0, k.subtotal, 0, $4, false, 1, $3, $3
               from unnest($5::uuid[], $6::text[], $7::uuid[], $8::text[], $9::bigint[], $10::bool[]) k(id, number, buyer_id, method, subtotal, closed)
               join buyer b on b.id = k.buyer_id""",
            desk.shop.id,
            desk.shop.currency,
            desk.now,
            pay_by,
            [o.id for o in new],
            [o.number for o in new],
            [o.buyer_id for o in new],
            [o.method.value for o in new],
            [o.subtotal_minor for o in new],
            [o.closed for o in new],
        )
    if desk.flagged_orders:
        await tx.execute(
            """update "order" set flagged = true, version = version + 1, updated_at = $1
               where shop_id = $2 and id = any($3::uuid[]) and not flagged and state <> 'CANCELLED'""",
            desk.now,
            desk.shop.id,
            sorted(desk.flagged_orders),
        )


async def _lines(tx: Tx, desk: Desk) -> None:
    changed = [x for lines in desk.lines.values() for x in lines if x.changed]
    if not changed:
        return
    await tx.execute(
        """insert into order_line (id, shop_id, order_id, variant_id, post_id, claim_id, platform, title, variant_label, unit_price_minor, quantity,
                                   handed_over, policy_version_id, created_at)
           select k.id, $1, k.order_id, k.variant_id, k.post_id, k.claim_id, k.platform, k.title, k.label, k.price, k.quantity, 0, k.policy, k.created_at
           from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::int[],
                       $12::uuid[], $13::timestamptz[])
             k(id, order_id, variant_id, post_id, claim_id, platform, title, label, price, quantity, policy, created_at)
           on conflict (id) do update set quantity = excluded.quantity, order_id = excluded.order_id, title = excluded.title,
             variant_label = excluded.variant_label, unit_price_minor = excluded.unit_price_minor,
             policy_version_id = excluded.policy_version_id, created_at = excluded.created_at""",
        desk.shop.id,
        [x.id for x in changed],
        [x.order_id for x in changed],
        [x.variant_id for x in changed],
        [x.post_id for x in changed],
        [x.claim_id for x in changed],
        [x.platform.value for x in changed],
        [x.title for x in changed],
        [x.label for x in changed],
        [x.unit_price_minor for x in changed],
        [x.quantity for x in changed],
        [x.policy_version_id for x in changed],
        [x.created_at for x in changed],
    )


async def _levels(tx: Tx, desk: Desk) -> None:
    changed = sorted((x for x in desk.levels.values() if x.held != x.held_before), key=lambda x: x.variant_id)
    if changed:
        await tx.execute(
            """update stock_level s set held = s.held + k.pieces, version = s.version + 1
               from unnest($1::uuid[], $2::int[]) k(variant_id, pieces) where s.variant_id = k.variant_id and s.shop_id = $3""",
            [x.variant_id for x in changed],
            [x.held - x.held_before for x in changed],
            desk.shop.id,
        )


async def _movements(tx: Tx, desk: Desk) -> None:
    moves = desk.movements
    if moves:
        await tx.execute(
            """insert into stock_movement (shop_id, variant_id, kind, on_hand_delta, held_delta, committed_delta, order_line_id, actor, reason, at)
               select $1, k.variant_id, k.kind, 0, k.held, 0, k.line_id, k.actor, 'CLAIM', $2
               from unnest($3::uuid[], $4::text[], $5::int[], $6::uuid[], $7::text[]) k(variant_id, kind, held, line_id, actor)""",
            desk.shop.id,
            desk.now,
            [m.variant_id for m in moves],
            [m.kind.value for m in moves],
            [m.held_delta for m in moves],
            [m.order_line_id for m in moves],
            [m.actor for m in moves],
        )


async def _waits(tx: Tx, desk: Desk) -> None:
    changed = [w for places in desk.waits.values() for w in places if w.changed and (w.quantity or not w.is_new)]
    if changed:
        await tx.execute(
            """insert into waitlist_entry (id, shop_id, variant_id, claim_id, buyer_id, quantity, state, queued_at)
               select k.id, $1, k.variant_id, k.claim_id, k.buyer_id, greatest(k.quantity, 1), k.state, k.queued_at
               from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::int[], $7::timestamptz[], $8::text[])
                 k(id, variant_id, claim_id, buyer_id, quantity, queued_at, state)
               on conflict (claim_id, variant_id) do update set state = excluded.state, queued_at = excluded.queued_at,
                 quantity = case when excluded.state = 'WAITING' then excluded.quantity else waitlist_entry.quantity end""",
            desk.shop.id,
            [w.id for w in changed],
            [w.variant_id for w in changed],
            [w.claim_id for w in changed],
            [w.buyer_id for w in changed],
            [w.quantity for w in changed],
            [w.queued_at for w in changed],
            [w.state.value for w in changed],
        )


async def _events(tx: Tx, desk: Desk) -> None:
    opened: list[tuple[UUID, str, Any, str]] = [
        (o.id, "OPENED", {}, "worker:ingest") for o in (*desk.closed_orders, *desk.orders.values()) if o.changed and o.is_new
    ]
    closed: list[tuple[UUID, str, Any, str]] = [(o.id, "CANCELLED", {"reason": "EMPTY"}, "worker:ingest") for o in desk.closed_orders]
    events = [*opened, *desk.events, *closed]
    if events:
        await tx.execute(
            """insert into order_event (shop_id, order_id, kind, data, actor, at)
               select $1, k.order_id, k.kind, k.data::jsonb, k.actor, $2 from unnest($3::uuid[], $4::text[], $5::text[], $6::text[]) k(order_id, kind, data, actor)""",
            desk.shop.id,
            desk.now,
            [e[0] for e in events],
            [e[1] for e in events],
            [jsonb(e[2]) for e in events],
            [e[3] for e in events],
        )


def _audit(desk: Desk) -> list[Entry]:
    """One entry per decision, with the stock it moved and the order it touched."""
    moved: dict[str, list[list[Any]]] = defaultdict(list)
    for m in desk.movements:
        moved[m.actor].append([str(m.variant_id), m.kind.value, m.held_delta, str(m.order_line_id)])
    by_id = {c.id: c for c in desk.claims.values()}
    entries = []
    for decision in desk.decisions:
        claim = by_id[decision.claim_id]
        detail = {**decision.detail, "outcome": decision.outcome.value, "reason": decision.reason}
        if claim.order_id is not None:
            detail["order"] = str(claim.order_id)
        stock = moved.pop(f"comment:{claim.comment_id}", None)
        if stock:
            detail["stock"] = stock
        entries.append(Entry(desk.shop.id, "CLAIM_DECIDED", "claim", claim.id, detail))
    return entries
