"""What changed on the desk, written by set-based statements in the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.audit.commands import Actor, Entry, record
from domain.claims.desk import Claim, Comment, Desk, OpenOrder
from domain.claims.ports import SocialEvent
from domain.claims.recognition import RULES_VERSION
from domain.claims.replies import enqueue_replies
from domain.db import Tx, jsonb
from domain.jobs import RESTOCKED, JobQueue
from domain.notices.commands import enqueue as enqueue_notices
from domain.orders.attached import leave_slots
from domain.orders.reminders import plan_reminders
from domain.orders.timeline import OrderEventKind

Revision = tuple[UUID, str, str, Sequence[tuple[int, int]] | None, datetime, datetime]
"""(comment, kind, text, tagged people in it, platform time, receipt)."""


async def write_desk(tx: Tx, desk: Desk, *, actor: Actor, jobs: JobQueue) -> None:
    """Orders, claims, lines, levels, movements, waiting places, timelines, notices, replies, audit; jobs in the same transaction."""
    await _orders(tx, desk)
    await write_claims(tx, desk.shop.id, [c for c in desk.claims.values() if c.changed])
    await _lines(tx, desk)
    await _levels(tx, desk)
    await _movements(tx, desk)
    await _waits(tx, desk)
    await _events(tx, desk)
    await enqueue_notices(tx, desk.shop.id, desk.notices, now=desk.now, jobs=jobs, members=desk.members)
    await enqueue_replies(tx, desk.shop.id, desk.replies, now=desk.now, jobs=jobs)
    await record(tx, actor, _audit(desk), now=desk.now)
    waited_for = sorted(str(v) for v in desk.freed if desk.levels[v].waiting > 0)
    if waited_for:
        await jobs.enqueue(tx, RESTOCKED, [{"shop_id": str(desk.shop.id), "variants": waited_for}])


async def write_comments(tx: Tx, shop_id: UUID, channel_id: UUID, comments: Sequence[Comment], revisions: Sequence[Revision]) -> None:
    """New and changed comments of one channel, and their revisions."""
    fresh = [(c, c.source) for c in comments if c.is_new and c.source is not None]
    told = _told_by_row([c for c, _ in fresh], revisions)
    if fresh:
        await _insert_comments(tx, shop_id, channel_id, fresh, told)
    revised = [r for r in revisions if r[0] not in told]
    new = {c.id for c in comments if c.is_new}
    stored = {r[0] for r in revised} - new
    if stored:
        await tx.execute(FIRST_REVISION, list(stored))
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
    await tx.copy("comment_revision", REVISION, [(shop_id, *r[:3], jsonb(r[3]) if r[3] else None, *r[4:]) for r in revised])
    erased = [c.id for c in comments if c.erased]
    if erased:
        await tx.execute("update comment_revision set text = '', mentions = null where comment_id = any($1::uuid[]) and text <> ''", erased)
        await tx.execute(ERASE_DELIVERED, channel_id, [c.external_id for c in comments if c.erased])


def _told_by_row(fresh: Sequence[Comment], revisions: Sequence[Revision]) -> dict[UUID, Revision]:
    """Of new comments to which nothing happened but that they were written: that, for their own row says it."""
    first: dict[UUID, Revision | None] = {}
    for revision in revisions:
        first[revision[0]] = None if revision[0] in first else revision
    found: dict[UUID, Revision] = {}
    for c in fresh:
        of_it = first.get(c.id)
        plain = c.removed_at is None and c.text_at == c.written_at
        if plain and of_it is not None and of_it[1:3] == ("ADD", c.text) and of_it[4:] == (c.written_at, c.received_at):
            found[c.id] = of_it
    return found


FIRST_REVISION = """
insert into comment_revision (shop_id, comment_id, kind, text, mentions, at, received_at)
select h.shop_id, h.comment_id, h.kind, h.text, h.mentions, h.at, h.received_at from comment_history h
where h.comment_id = any($1::uuid[]) and h.id = 0 order by h.comment_id"""
"""How a comment was written, before more is written of it: from now on its row does not say it any more."""
REVISION = ("shop_id", "comment_id", "kind", "text", "mentions", "at", "received_at")
ERASE_DELIVERED = """
update inbox_event e set payload = '{"erased": true}' from channel h
where h.id = $1 and e.endpoint_id = h.endpoint_id and e.source = 'line' and e.payload #>> '{event,message,id}' = any($2::text[])"""
"""What the platform delivered of messages that were taken back goes too. Only LINE wants it, and its deliveries name the message in one place."""

COMMENT = (
    "id", "shop_id", "channel_id", "post_id", "external_id", "external_post_id", "parent_external_id", "platform", "buyer_id", "author_name", "text",
    "written_at", "text_at", "received_at", "removed_at", "is_owner", "permalink", "reply_token", "mentions",
)  # fmt: skip


async def _insert_comments(
    tx: Tx, shop_id: UUID, channel_id: UUID, fresh: Sequence[tuple[Comment, SocialEvent]], told: Mapping[UUID, Revision]
) -> None:
    rows = [
        (
            c.id, shop_id, channel_id, c.post_id, c.external_id, e.post_id[:200], e.parent_comment_id[:200], e.source, c.buyer_id, e.author_name[:120],
            c.text, c.written_at, c.text_at, c.received_at, c.removed_at, e.is_owner, e.permalink[:1000], e.reply_token[:120],
            jsonb(told[c.id][3]) if c.id in told and told[c.id][3] else None,
        )
        for c, e in fresh
    ]  # fmt: skip
    await tx.copy("social_comment", COMMENT, rows)


CLAIM = (
    "id", "shop_id", "comment_id", "post_id", "buyer_id", "outcome", "reason", "intent", "result", "text_hash", "rules_version", "policy_version_id",
    "order_id", "review", "resolution", "decided_at",
)  # fmt: skip


class _Written:
    """Values as `jsonb` text: claims by the same words share one, which is written out once."""

    def __init__(self) -> None:
        self._texts: dict[int, tuple[object, str]] = {}

    def __getitem__(self, value: object) -> str:
        found = self._texts.get(id(value))
        if found is None:
            found = self._texts[id(value)] = (value, jsonb(value))  # held, so that nothing else gets its id meanwhile
        return found[1]


async def write_claims(tx: Tx, shop_id: UUID, claims: Sequence[Claim]) -> None:
    """New and changed claims."""
    written = _Written()
    new = [
        (
            c.id, shop_id, c.comment_id, c.post_id, c.buyer_id, c.outcome, c.reason, c.intent, written[c.result], c.text_hash, RULES_VERSION,
            c.policy_version_id, c.order_id, c.review, "", c.decided_at,
        )
        for c in claims if c.is_new
    ]  # fmt: skip
    await tx.copy("claim", CLAIM, new)
    changed = [c for c in claims if not c.is_new]
    if changed:
        await _update_claims(tx, changed)


async def _update_claims(tx: Tx, claims: Sequence[Claim]) -> None:
    await tx.execute(
        """update claim c set outcome = k.outcome, reason = k.reason, intent = k.intent, result = k.result::json, text_hash = k.text_hash,
                  rules_version = $1, policy_version_id = k.policy_version_id, order_id = k.order_id, review = k.review, decided_at = k.decided_at,
                  buyer_id = coalesce(c.buyer_id, k.buyer_id), post_id = coalesce(c.post_id, k.post_id)
           from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::uuid[], $11::uuid[],
                       $12::text[], $13::timestamptz[])
             k(id, post_id, buyer_id, outcome, reason, intent, result, text_hash, policy_version_id, order_id, review, decided_at)
           where c.id = k.id""",
        RULES_VERSION,
        [c.id for c in claims],
        [c.post_id for c in claims],
        [c.buyer_id for c in claims],
        [c.outcome for c in claims],
        [c.reason for c in claims],
        [c.intent for c in claims],
        [jsonb(c.result) for c in claims],
        [c.text_hash for c in claims],
        [c.policy_version_id for c in claims],
        [c.order_id for c in claims],
        [c.review for c in claims],
        [c.decided_at for c in claims],
    )


ORDER = (
    "id", "shop_id", "number", "buyer_id", "member_id", "state", "payment_state", "fulfilment_state", "delivery_method", "currency", "subtotal_minor",
    "shipping_minor", "discount_minor", "total_minor", "paid_minor", "pay_by", "flagged", "version", "created_at", "updated_at",
)  # fmt: skip


async def _orders(tx: Tx, desk: Desk) -> None:
    touched = [o for o in (*desk.closed_orders, *desk.orders.values()) if o.changed]
    old = sorted((o for o in touched if not o.is_new), key=lambda o: o.id)
    if old:
        await tx.execute(
            """update "order" o set subtotal_minor = k.subtotal, total_minor = k.subtotal + o.shipping_minor - o.discount_minor,
                      state = case when k.closed then 'CANCELLED' else o.state end,
                      pay_by = k.pay_by, version = o.version + 1, updated_at = $1
               from unnest($2::uuid[], $3::bigint[], $4::bool[], $5::timestamptz[]) k(id, subtotal, closed, pay_by) where o.id = k.id""",
            desk.now,
            [o.id for o in old],
            [o.subtotal_minor for o in old],
            [o.closed for o in old],
            [o.pay_by for o in old],
        )
    if closed := [o.id for o in old if o.closed]:
        await leave_slots(tx, closed)
    await _new_orders(tx, desk, [o for o in touched if o.is_new])
    await plan_reminders(
        tx,
        desk.shop.id,
        {o.id: (o.pay_by, o.reminders) for o in touched if o.pay_by and o.reminders is not None and not o.closed},
        new={o.id for o in touched if o.is_new},
        now=desk.now,
    )
    if desk.flagged_orders:
        await tx.execute(
            """update "order" set flagged = true, version = version + 1, updated_at = $1
               where shop_id = $2 and id = any($3::uuid[]) and not flagged and state <> 'CANCELLED'""",
            desk.now,
            desk.shop.id,
            sorted(desk.flagged_orders),
        )


async def _new_orders(tx: Tx, desk: Desk, orders: Sequence[OpenOrder]) -> None:
    if not orders:
        return
    now, shop = desk.now, desk.shop
    members = desk.members
    unknown = [o.buyer_id for o in orders if o.buyer_id not in members]
    if unknown:
        rows = await tx.fetch("select id, member_id from buyer where id = any($1::uuid[])", unknown)
        members = {**members, **{row["id"]: row["member_id"] for row in rows}}
    new = [
        (
            o.id, shop.id, o.number, o.buyer_id, members[o.buyer_id], "CANCELLED" if o.closed else "OPEN", "UNPAID", "UNFULFILLED", o.method,
            shop.currency, o.subtotal_minor, 0, 0, o.subtotal_minor, 0, o.pay_by, False, 1, now, now,
        )
        for o in orders
    ]  # fmt: skip
    await tx.copy("order", ORDER, new)


LINE = (
    "id", "shop_id", "order_id", "variant_id", "post_id", "claim_id", "platform", "title", "variant_label", "unit_price_minor", "quantity", "handed_over",
    "policy_version_id", "created_at", "beneficiary",
)  # fmt: skip


async def _lines(tx: Tx, desk: Desk) -> None:
    touched = [x for lines in desk.lines.values() for x in lines if x.changed]
    new = [
        (
            x.id, desk.shop.id, x.order_id, x.variant_id, x.post_id, x.claim_id, x.platform, x.title, x.label, x.unit_price_minor, x.quantity, 0,
            x.policy_version_id, x.created_at, x.beneficiary,
        )
        for x in touched if x.is_new
    ]  # fmt: skip
    await tx.copy("order_line", LINE, new)
    changed = [x for x in touched if not x.is_new]
    if not changed:
        return
    await tx.execute(
        """update order_line l set quantity = k.quantity, title = k.title, variant_label = k.label, unit_price_minor = k.price,
                  policy_version_id = k.policy, created_at = k.created_at, beneficiary = k.beneficiary
           from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::int[], $6::uuid[], $7::timestamptz[], $8::text[])
             k(id, title, label, price, quantity, policy, created_at, beneficiary) where l.id = k.id""",
        [x.id for x in changed],
        [x.title for x in changed],
        [x.label for x in changed],
        [x.unit_price_minor for x in changed],
        [x.quantity for x in changed],
        [x.policy_version_id for x in changed],
        [x.created_at for x in changed],
        [x.beneficiary for x in changed],
    )


async def _levels(tx: Tx, desk: Desk) -> None:
    moved = (x for x in desk.levels.values() if x.held != x.held_before or x.waiting != x.waiting_before)
    changed = sorted(moved, key=lambda x: x.variant_id)
    if changed:
        await tx.execute(
            """update stock_level s set held = s.held + k.held, waiting = s.waiting + k.waiting,
                      version = s.version + case when k.held = 0 then 0 else 1 end
               from unnest($1::uuid[], $2::int[], $3::int[]) k(variant_id, held, waiting) where s.variant_id = k.variant_id and s.shop_id = $4""",
            [x.variant_id for x in changed],
            [x.held - x.held_before for x in changed],
            [x.waiting - x.waiting_before for x in changed],
            desk.shop.id,
        )


MOVEMENT = ("shop_id", "variant_id", "kind", "on_hand_delta", "held_delta", "committed_delta", "order_line_id", "actor", "reason", "at")


async def _movements(tx: Tx, desk: Desk) -> None:
    shop_id, now = desk.shop.id, desk.now
    rows = [(shop_id, m.variant_id, m.kind, 0, m.held_delta, 0, m.order_line_id, m.actor, "CLAIM", now) for m in desk.movements]
    await tx.copy("stock_movement", MOVEMENT, rows)


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
    """The timelines. That an order was opened, by its own row, is not written a second time."""
    shop_id, now = desk.shop.id, desk.now
    rows = [(shop_id, order_id, OrderEventKind(kind)._value_, jsonb(data), actor, now) for order_id, kind, data, actor in desk.events]
    rows += [(shop_id, o.id, "CANCELLED", '{"reason":"EMPTY"}', "worker:ingest", now) for o in desk.closed_orders]
    await tx.copy("order_event", ("shop_id", "order_id", "kind", "data", "actor", "at"), rows)


def _audit(desk: Desk) -> list[Entry]:
    """One entry per decision, with the stock it moved and the order it touched."""
    moved: dict[str, list[list[Any]]] = defaultdict(list)
    for m in desk.movements:
        moved[m.actor].append([str(m.variant_id), m.kind.value, m.held_delta, str(m.order_line_id)])
    by_id = {c.id: c for c in desk.claims.values()}
    entries = []
    for decision in desk.decisions:
        claim = by_id[decision.claim_id]
        detail = {**decision.detail, "outcome": decision.outcome, "reason": decision.reason}
        if claim.order_id is not None:
            detail["order"] = str(claim.order_id)
        stock = moved.pop(f"comment:{claim.comment_id}", None)
        if stock:
            detail["stock"] = stock
        entries.append(Entry(desk.shop.id, "CLAIM_DECIDED", "claim", claim.id, detail))
    return entries
