"""What a batch needs from the database, each kind in one statement; rows that will change are locked, in key order.

Order of locks: buyers, open orders, stock levels. Nobody else opens an order for a buyer without the buyer's row lock.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain.claims.buyers import buyers_for as buyers_for
from domain.claims.desk import UNCOUNTED, Claim, Comment, Desk, Heard, Level, Line, OpenOrder, Reading, ShopFacts, Turn, Wait
from domain.claims.ports import EventKind, SocialEvent
from domain.claims.recognition import Context, Result, compile_context
from domain.claims.rules import ClaimOutcome, ClaimPolicy, Proxy, ReviewState, person
from domain.db import Tx, from_jsonb
from domain.ids import ids_for, new_id
from domain.orders.numbers import numbers_of_day
from domain.posts.queries import PostFacts, VariantFacts, offers_of_post, policies_before, post_facts
from domain.posts.rules import DeliveryMethod
from domain.shops.rules import SourcePlatform

MOST_COMPILED = 512
MOST_HEARD = 50_000
"""Results of `Reading.heard` over all posts, some 1.3 kB each: of posts that nobody has written under for long they are dropped first."""

LOCK_LEVELS = """
select variant_id, on_hand, backorder_limit, held, committed, waiting from stock_level
where variant_id = any($1::uuid[]) and shop_id = $2 order by variant_id for no key update
"""
WAITING = """
select variant_id, sum(quantity)::int as waiting from waitlist_entry
where variant_id = any($1::uuid[]) and state = 'WAITING' group by variant_id
"""
"""Only for variants whose stock was never entered: they have no level that keeps the sum."""
ACTED_AT = "greatest(c.written_at, (k.result #>> '{accepted,at}')::timestamptz)"
"""When the buyer of a claim `k` ordered: with the comment `c`, or with the tap that accepted it."""
MENTIONS = (
    "(select r.mentions from comment_history r where r.comment_id = c.id and r.at = c.text_at and r.text = c.text order by r.id limit 1)"
)
"""Tagged people in the text of a comment `c` as it now stands."""
_compiled: OrderedDict[
    tuple[UUID, int, UUID | None], tuple[Context, ClaimPolicy, Mapping[UUID, VariantFacts], dict[Heard, Result], bool]
] = OrderedDict()


def context_of(facts: PostFacts, policy: ClaimPolicy, offers: Sequence[Mapping[str, Any]], name: str = "") -> dict[str, Any]:
    """The post as `compile_context` takes it (recognition contract, section 1)."""
    return {
        "id": str(facts.id),
        "shop": name,
        "policy": policy.reading.value,
        "trigger_symbols": list(policy.trigger_symbols),
        "trigger_words": list(policy.trigger_words),
        "fillers": list(policy.fillers),
        "max_qty": policy.max_per_line,
        "closes_at": facts.closes_at.isoformat() if facts.closes_at else None,
        "focus": str(facts.focus_item_id) if facts.focus_item_id else None,
        "offers": list(offers),
    }


async def readings_of(tx: Tx, post_ids: Collection[UUID]) -> dict[UUID, Reading]:
    """These posts by the newest version of their policy, compiled; compiled words are kept per post version and policy version."""
    return {post_id: await _reading(tx, facts) for post_id, facts in (await post_facts(tx, list(post_ids))).items()}


async def _reading(tx: Tx, facts: PostFacts) -> Reading:
    key = (facts.id, facts.version, facts.policy_version_id)
    if key not in _compiled:
        policy = ClaimPolicy.read(facts.policy)
        offers, found = await offers_of_post(tx, facts.id)
        windows = any(v.opens_at is not None or v.closes_at is not None for v in found.values())
        _compiled[key] = (compile_context(context_of(facts, policy, offers)), policy, found, {}, windows)
        while len(_compiled) > MOST_COMPILED:
            _compiled.popitem(last=False)
    _compiled.move_to_end(key)
    _forget_words()
    context, policy, variants, heard, windows = _compiled[key]
    return Reading(facts, policy, context, variants, heard, windows)


def _forget_words() -> None:
    kept = sum(len(heard) for *_, heard, _ in _compiled.values())
    for *_, heard, _ in _compiled.values():
        if kept <= MOST_HEARD:
            return
        kept -= len(heard)
        heard.clear()


async def read_back(tx: Tx, desk: Desk, since: Mapping[UUID, datetime]) -> None:
    """Let the desk know the earlier versions of a post's policy, where something of it (`since`, by post) happened before the newest one.

    Plain batches, whose comments are newer than every rule, cost nothing here.
    """
    for post_id, at in since.items():
        newest = desk.readings.get(post_id)
        if newest is None or newest.facts.policy_since is None or newest.facts.policy_since <= at:
            continue
        facts = newest.facts
        desk.earlier[post_id] = [
            await _reading(tx, replace(facts, policy_version_id=v.id, policy=v.policy, policy_since=v.effective_at))
            for v in await policies_before(tx, post_id, at)
        ]


async def shop_facts(tx: Tx, shop_id: UUID) -> ShopFacts:
    """The shop's own facts."""
    row = await tx.fetchrow("select id, number, name, currency, locale, time_zone, pay_within_minutes from shop where id = $1", shop_id)
    assert row is not None
    return ShopFacts(*row.values())


def desk_of(shop: ShopFacts, now: datetime, *, ids: int = 0) -> Desk:
    """An empty desk for this shop's work at this instant, which will probably need so many ids."""
    return Desk(shop, now, ids_for(ids) if ids else new_id, numbers_of_day(now, shop.time_zone))


async def comments_of(tx: Tx, channel_ids: Sequence[UUID], external_ids: Sequence[str]) -> dict[tuple[UUID, str], Comment]:
    """Stored comments by (channel, external id); the two sequences are parallel."""
    rows = await tx.fetch(
        f"""select c.id, c.channel_id, c.external_id, c.post_id, c.buyer_id, c.text, c.written_at, c.text_at, c.removed_at,
                  case when c.buyer_id is null then {MENTIONS} end as mentions
           from social_comment c join (select distinct * from unnest($1::uuid[], $2::text[])) k(channel_id, external_id)
             on c.channel_id = k.channel_id and c.external_id = k.external_id""",
        list(channel_ids),
        list(external_ids),
    )
    return {
        (row["channel_id"], row["external_id"]): Comment(
            row["id"],
            row["external_id"],
            row["post_id"],
            row["buyer_id"],
            row["text"],
            row["written_at"],
            row["text_at"],
            row["removed_at"],
            mentions=spans(row["mentions"]),
        )
        for row in rows
    }


def spans(stored: str | None) -> list[tuple[int, int]] | None:
    """Tagged people of a stored text; None where the platform gave none."""
    return None if stored is None else [(start, end) for start, end in from_jsonb(stored)]


async def claims_of(tx: Tx, comment_ids: Sequence[UUID]) -> dict[UUID, Claim]:
    """Claims by comment."""
    rows = await tx.fetch(
        """select id, comment_id, post_id, buyer_id, outcome, reason, intent, result, text_hash, policy_version_id, order_id, review, decided_at
           from claim where comment_id = any($1::uuid[])""",
        list(comment_ids),
    )
    return {
        row["comment_id"]: Claim(
            row["id"], row["comment_id"], row["post_id"], row["buyer_id"], ClaimOutcome(row["outcome"]), row["reason"], row["intent"],
            from_jsonb(row["result"]), row["text_hash"], row["policy_version_id"], row["order_id"], ReviewState(row["review"]), row["decided_at"],
        )
        for row in rows
    }  # fmt: skip


async def fill_desk(
    tx: Tx, desk: Desk, buyers: Collection[UUID], variants: Iterable[UUID], *, only_more: Collection[UUID] = frozenset()
) -> None:
    """Lock and read what these buyers hold and wait for on the desk's posts, and the levels of all variants concerned.

    `only_more`: those of them who only order more, under no rule that counts what they have; of them only the open orders are read.
    """
    known = [buyer for buyer in buyers if buyer not in only_more]
    await _open_orders(tx, desk, buyers, known)
    if known:
        await _held(tx, desk, known)
        await _waited_for(tx, desk, known)
    things = (thing for kind in (desk.lines, desk.waits) for of_buyer in kind.values() for thing in of_buyer)
    wanted = set(variants) | {thing.variant_id for thing in things}
    await _levels(tx, desk, wanted)
    await _ordered_before(tx, desk, buyers)
    await _elsewhere(tx, desk, buyers, wanted)


async def _held(tx: Tx, desk: Desk, buyers: Sequence[UUID]) -> None:
    """Lines on the desk's posts and of its claims."""
    asked = set(buyers)
    rows = await tx.fetch(
        # By their comments under these posts: over their orders, a regular of many years would cost more with every order.
        """with spoken as (
             select id, bool_or(own) as own from (
               select unnest($3::uuid[]) as id, true as own
               union all select id, false from claim where buyer_id = any($1::uuid[]) and post_id = any($2::uuid[])) k group by id)
           select l.id, l.order_id, l.variant_id, l.claim_id, l.post_id, l.quantity, l.unit_price_minor, l.title, l.variant_label, l.platform,
                  l.policy_version_id, l.created_at, l.beneficiary, o.buyer_id, o.state = 'OPEN' and o.payment_state = 'UNPAID' as open, o.state = 'CANCELLED' as dead
           from spoken cross join lateral (select * from order_line x where x.claim_id = spoken.id offset 0) l
           cross join lateral (select * from "order" x where x.id = l.order_id offset 0) o
           where o.shop_id = $4 and (spoken.own or (l.post_id = any($2::uuid[]) and o.state <> 'CANCELLED'))
           order by l.created_at, l.id""",
        list(buyers),
        list(desk.readings),
        [c.id for c in desk.claims.values()],
        desk.shop.id,
    )
    for row in rows:
        if row["buyer_id"] not in asked:
            continue
        desk.lines[row["buyer_id"]].append(
            Line(
                row["id"], row["order_id"], row["variant_id"], row["claim_id"], row["post_id"], row["quantity"], row["unit_price_minor"],
                row["title"], row["variant_label"], SourcePlatform(row["platform"]), row["policy_version_id"], row["created_at"],
                row["beneficiary"], open=row["open"], dead=row["dead"],
            )
        )  # fmt: skip


async def _waited_for(tx: Tx, desk: Desk, buyers: Collection[UUID]) -> None:
    """Places in the waiting lists, of the desk's posts and of its claims."""
    rows = await tx.fetch(
        """select w.id, w.variant_id, w.claim_id, w.buyer_id, w.quantity, w.queued_at, c.post_id
           from waitlist_entry w join claim c on c.id = w.claim_id
           where w.state = 'WAITING' and w.buyer_id = any($1::uuid[]) and (c.post_id = any($2::uuid[]) or c.id = any($3::uuid[]))
           order by w.queued_at, w.id""",
        list(buyers),
        list(desk.readings),
        [c.id for c in desk.claims.values()],
    )
    for row in rows:
        desk.waits[row["buyer_id"]].append(Wait(*row.values()))


async def _open_orders(tx: Tx, desk: Desk, buyers: Collection[UUID], counted: Sequence[UUID]) -> None:
    """Lock the orders that claims stack on, and with them those that the desk's claims may flag: none is to be locked after the levels."""
    rows = await tx.fetch(
        # Each way to an order by its own key: an OR of both compares every order with every buyer.
        """with locked as (
             select id, number, buyer_id, delivery_method, subtotal_minor, created_at, pay_by, state = 'OPEN' and payment_state = 'UNPAID' as open
             from "order" where shop_id = $1 and id = any(array(
               select o.id from unnest($2::uuid[]) b(id) cross join lateral (
                 select x.id from "order" x where x.buyer_id = b.id and x.state = 'OPEN' and x.payment_state = 'UNPAID' offset 0) o
               union select unnest($3::uuid[])))
             order by id for update)
           select locked.*, case when $4::uuid[] <> '{}' and buyer_id = any($4::uuid[]) then
             coalesce((select sum(quantity) from order_line l where l.order_id = locked.id), 0) end as pieces from locked where open""",
        desk.shop.id,
        list(buyers),
        [c.order_id for c in desk.claims.values() if c.order_id is not None],
        counted,
    )
    for row in rows:
        pieces = UNCOUNTED if row["pieces"] is None else row["pieces"]
        method = DeliveryMethod(row["delivery_method"])
        desk.orders[row["buyer_id"], method] = OpenOrder(
            row["id"], row["number"], row["buyer_id"], method, row["subtotal_minor"], row["created_at"], row["pay_by"], pieces=pieces
        )


async def _levels(tx: Tx, desk: Desk, variants: Collection[UUID]) -> None:
    if not variants:
        return
    for row in await tx.fetch(LOCK_LEVELS, list(variants), desk.shop.id):
        variant_id, on_hand, backorder_limit, held, committed, waiting = row.values()
        desk.levels[variant_id] = Level(variant_id, on_hand, backorder_limit, held, committed, waiting, held, waiting)
    never_entered = set(variants) - set(desk.levels)
    if never_entered:
        # A variant whose stock was never entered has none: its buyers wait.
        places = {row["variant_id"]: row["waiting"] for row in await tx.fetch(WAITING, list(never_entered))}
        desk.levels |= {
            variant_id: Level(variant_id, 0, 0, 0, 0, n, 0, n) for variant_id in never_entered for n in (places.get(variant_id, 0),)
        }


async def _ordered_before(tx: Tx, desk: Desk, buyers: Collection[UUID]) -> None:
    """What the rate rule counts, by the times of the comments; of an accepted suggestion by the time of the tap."""
    hours = [p.rate_limit_hours for p in desk.policies() if p.rate_limit_orders is not None]
    if not hours or desk.earliest is None:
        return
    rows = await tx.fetch(
        f"""select k.id, k.buyer_id, {ACTED_AT} as acted_at from claim k join social_comment c on c.id = k.comment_id
           where k.shop_id = $1 and k.buyer_id = any($2::uuid[]) and k.outcome in ('ORDERED', 'PARTIAL', 'WAITLISTED') and {ACTED_AT} > $3""",
        desk.shop.id,
        list(buyers),
        desk.earliest - timedelta(hours=max(hours)),
    )
    for row in rows:
        desk.ordered_at[row["buyer_id"]][row["id"]] = row["acted_at"]


async def _elsewhere(tx: Tx, desk: Desk, buyers: Collection[UUID], variants: Collection[UUID]) -> None:
    """Pieces of the shop's other posts that a limit per buyer counts, by the times of their comments."""
    hours = [p.per_buyer_window_hours for p in desk.policies() if p.per_buyer_window_hours is not None]
    if not hours or desk.earliest is None:
        return
    rows = await tx.fetch(
        """select o.buyer_id, l.variant_id, l.created_at as at, l.quantity from "order" o join order_line l on l.order_id = o.id
           where o.shop_id = $1 and o.buyer_id = any($2::uuid[]) and o.state <> 'CANCELLED' and l.variant_id = any($3::uuid[])
             and l.post_id <> all($4::uuid[]) and l.quantity > 0 and l.created_at > $5
           union all
           select w.buyer_id, w.variant_id, w.queued_at, w.quantity from waitlist_entry w join claim c on c.id = w.claim_id
           where w.shop_id = $1 and w.state = 'WAITING' and w.buyer_id = any($2::uuid[]) and w.variant_id = any($3::uuid[])
             and c.post_id <> all($4::uuid[]) and w.queued_at > $5""",
        desk.shop.id,
        list(buyers),
        list(variants),
        list(desk.readings),
        desk.earliest - timedelta(hours=max(hours)),
    )
    for row in rows:
        desk.elsewhere[row["buyer_id"], row["variant_id"]].append((row["at"], row["quantity"]))


async def turns_of(tx: Tx, desk: Desk, claims: Sequence[Claim], *, at: datetime | None) -> dict[UUID, Turn]:
    """Turns of comments that were decided before, by claim; at this instant, or (None) at the time they were written."""
    rows = await tx.fetch(
        """select c.id, c.external_id, c.platform, c.text, c.written_at, c.text_at, c.removed_at, h.external_id as channel
           from social_comment c join channel h on h.id = c.channel_id where c.id = any($1::uuid[])""",
        [claim.comment_id for claim in claims],
    )
    stored = {row["id"]: row for row in rows}
    times = [(claim.post_id, at or stored[claim.comment_id]["written_at"]) for claim in claims if claim.post_id is not None]
    await read_back(tx, desk, {post: min(t for p, t in times if p == post) for post, _ in times})
    turns: dict[UUID, Turn] = {}
    for claim in claims:
        row = stored[claim.comment_id]
        reading = desk.reading(claim.post_id, at or row["written_at"])
        if reading is None or claim.post_id is None or claim.buyer_id is None:
            continue
        if reading.policy.proxy is Proxy.ALLOW:
            claim.beneficiary = person(claim.result.get("beneficiary"), row["text"])
        source = SourcePlatform(row["platform"])
        event = SocialEvent(EventKind.ADD, source, channel_id=row["channel"], comment_id=row["external_id"], text=row["text"])
        comment = Comment(
            row["id"], row["external_id"], claim.post_id, claim.buyer_id, row["text"], row["written_at"], row["text_at"], row["removed_at"]
        )
        turns[claim.id] = Turn(comment, event, reading, claim.buyer_id, at or row["written_at"], desk.now)
    return turns
