"""What a simulation reads: a post as it is read, its comments or pasted ones, and the stock they begin with. Nothing is locked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.claims import loading
from domain.claims.deciding import ERASED_WHEN_REMOVED
from domain.claims.desk import Level, Reading, ShopFacts
from domain.claims.pasted import MOST_COMMENTS, PastedComment, instants
from domain.claims.ports import EventKind, SocialEvent
from domain.claims.recognition import compile_context
from domain.claims.rehearsal import Decided, Elsewhere, Pieces, Said, Scene, canonical
from domain.claims.rules import ClaimOutcome, ClaimPolicy
from domain.db import Record, Tx, from_jsonb
from domain.errors import NotFound
from domain.ids import new_id
from domain.inbox.taken import InboxRow
from domain.posts.queries import PostFacts, VariantFacts, offers_of_post, post_facts
from domain.posts.rules import PostState
from domain.shops.rules import SourcePlatform

ENDLESS: Final = 1_000_000_000
"""Pieces of every variant where stock is not to matter."""
Key = tuple[UUID, str]
"""(channel, external id) of a comment."""
Pause = Callable[[], Awaitable[None]]
"""Gives the loop back where that is due; called between any two comments."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A post that is to be read by one policy or another, as open as it ever was."""

    shop: ShopFacts
    facts: PostFacts
    policy: ClaimPolicy
    """In force now."""
    offers: Sequence[Mapping[str, Any]]
    variants: Mapping[UUID, VariantFacts]

    def reading(self, policy: ClaimPolicy) -> Reading:
        """The post compiled by this policy."""
        return Reading(self.facts, policy, compile_context(loading.context_of(self.facts, policy, self.offers)), self.variants)


@dataclass(frozen=True, slots=True)
class Shown:
    """A comment as staff sees it, and what the worker stored of it."""

    comment_id: UUID | None
    text: str | None
    """None once it was removed."""
    author: str
    written_at: datetime
    recorded: Decided | None


@dataclass(frozen=True, slots=True)
class Cast:
    """The comments: their events in platform order, how they are shown, and what had to be left out."""

    said: Sequence[Said]
    shown: Mapping[Key, Shown]
    left_out: int = 0
    erased: Collection[UUID] = ()
    """Claims of comments of which no text is kept: what they hold is not given back."""


async def stage_of(tx: Tx, shop_id: UUID, post_id: UUID) -> Stage:
    """The shop and the post by the policy in force.

    Raises:
        NotFound: this shop has no such post.
    """
    facts = (await post_facts(tx, [post_id])).get(post_id)
    if facts is None or facts.shop_id != shop_id:
        raise NotFound
    offers, variants = await offers_of_post(tx, post_id)
    # A post is simulated when it is closed already, or not open yet; what its window says of each comment stands.
    rehearsed = replace(facts, state=PostState.OPEN, policy_since=None)
    return Stage(await loading.shop_facts(tx, shop_id), rehearsed, ClaimPolicy.read(facts.policy), offers, variants)


def without_window(stage: Stage) -> Stage:
    """The same post, open at all times."""
    variants = {key: replace(variant, opens_at=None, closes_at=None) for key, variant in stage.variants.items()}
    return replace(stage, facts=replace(stage.facts, opens_at=None, closes_at=None), variants=variants)


# --- comments that were written --------------------------------------------------------------------------------------------

COMMENTS: Final = """
select c.id, c.channel_id, c.external_id, c.external_post_id, c.parent_external_id, c.platform, c.buyer_id, c.author_name, c.text, c.written_at,
       c.removed_at, c.is_owner, h.external_id as channel, coalesce(b.external_id, '') as author_id,
       k.id as claim_id, k.outcome, k.reason, k.result, count(*) over () as total
from social_comment c join channel h on h.id = c.channel_id left join buyer b on b.id = c.buyer_id left join claim k on k.comment_id = c.id
where c.shop_id = $1 and c.post_id = $2
order by c.written_at, length(c.external_id), c.external_id collate "C" limit $3
"""


async def written(tx: Tx, stage: Stage, pause: Pause) -> Cast:
    """The comments under the post with all that happened to them; at most MOST_COMMENTS, the earliest."""
    rows = await tx.fetch(COMMENTS, stage.shop.id, stage.facts.id, MOST_COMMENTS)
    kept = [row for row in rows if not _is_erased(row)]
    erased = [row["claim_id"] for row in rows if _is_erased(row) and row["claim_id"] is not None]
    by_id = {row["id"]: row for row in kept}
    revisions = await tx.fetch(
        """select id, comment_id, kind, text, mentions, at, received_at from comment_history
           where comment_id = any($1::uuid[]) and kind in ('ADD', 'EDIT', 'REMOVE')""",
        list(by_id),
    )
    said: list[Said] = []
    own: dict[tuple[UUID, str], UUID] = defaultdict(new_id)
    for revision in sorted(revisions, key=lambda r: _rank(by_id[r["comment_id"]], r)):
        said.append(_said(by_id[revision["comment_id"]], revision, own))
        await pause()
    lines, waiting = await _recorded_pieces(tx, stage, [row["claim_id"] for row in kept if row["claim_id"] is not None])
    shown: dict[Key, Shown] = {}
    for row in kept:
        shown[row["channel_id"], row["external_id"]] = _shown(row, lines, waiting)
        await pause()
    return Cast(said, shown, (rows[0]["total"] if rows else 0) - len(kept), erased)


def _is_erased(comment: Record) -> bool:
    """Has it no words to be read again: taken back where the platform wants nothing of it kept, or ordered in the app without any?"""
    platform = SourcePlatform(comment["platform"])
    return platform is SourcePlatform.APP or (comment["removed_at"] is not None and platform in ERASED_WHEN_REMOVED)


def _rank(comment: Record, revision: Record) -> tuple[datetime, bool, int, str, int]:
    """The order of the inbox: by the platform's time, first texts before what happened to them, then by comment."""
    return revision["at"], revision["kind"] != "ADD", len(comment["external_id"]), comment["external_id"], revision["id"]


def _said(comment: Record, revision: Record, own: Mapping[tuple[UUID, str], UUID]) -> Said:
    """One event; `own` gives the shop's own writers, by channel and name, an id each: they are no buyers in the tables."""
    source = SourcePlatform(comment["platform"])
    event = SocialEvent(
        EventKind(revision["kind"]), source, channel_id=comment["channel"], comment_id=comment["external_id"], post_id=comment["external_post_id"],
        parent_comment_id=comment["parent_external_id"], author_id=comment["author_id"], author_name=comment["author_name"], text=revision["text"],
        mentions=loading.spans(revision["mentions"]), occurred_at=revision["at"], is_owner=comment["is_owner"], is_bot=comment["is_owner"] and comment["reason"] == "BOT",
    )  # fmt: skip
    buyer_id = own[comment["channel_id"], comment["author_name"]] if comment["is_owner"] else comment["buyer_id"]
    row = InboxRow(revision["id"], comment["channel_id"], source.value, "", {}, revision["at"], revision["received_at"])
    return Said(row, event, comment["channel_id"], buyer_id)


def _shown(row: Record, lines: Mapping[UUID, Pieces], waiting: Mapping[UUID, Pieces]) -> Shown:
    claim_id = row["claim_id"]
    recorded = None
    if claim_id is not None:
        recorded = Decided(
            ClaimOutcome(row["outcome"]), row["reason"], canonical(from_jsonb(row["result"])), lines.get(claim_id, ()), waiting.get(claim_id, ())
        )  # fmt: skip
    return Shown(row["id"], None if row["removed_at"] else row["text"], row["author_name"], row["written_at"], recorded)


async def _recorded_pieces(tx: Tx, stage: Stage, claims: Sequence[UUID]) -> tuple[dict[UUID, Pieces], dict[UUID, Pieces]]:
    """By claim: pieces on order lines, whatever became of the orders since, and pieces waited for."""
    lines = await tx.fetch(
        """select claim_id, variant_id, sum(quantity)::int as quantity from order_line
           where claim_id = any($1::uuid[]) and shop_id = $2 and quantity > 0 group by 1, 2""",
        list(claims),
        stage.shop.id,
    )
    places = await tx.fetch(
        "select claim_id, variant_id, quantity from waitlist_entry where claim_id = any($1::uuid[]) and shop_id = $2 and state = 'WAITING'",
        list(claims),
        stage.shop.id,
    )
    return _by_claim(lines), _by_claim(places)


def _by_claim(rows: Sequence[Record]) -> dict[UUID, Pieces]:
    found: dict[UUID, list[tuple[UUID, int]]] = defaultdict(list)
    for row in rows:
        found[row["claim_id"]].append((row["variant_id"], row["quantity"]))
    return {claim_id: tuple(sorted(pieces)) for claim_id, pieces in found.items()}


# --- comments that were pasted ---------------------------------------------------------------------------------------------


async def pasted(stage: Stage, comments: Sequence[PastedComment], now: datetime, pause: Pause) -> Cast:
    """Comments that no platform sent: written from now on, each delivered at once."""
    channel_id = new_id()
    people: dict[str, UUID] = {}
    said: list[Said] = []
    shown: dict[Key, Shown] = {}
    times = instants(comments, now.astimezone(ZoneInfo(stage.shop.time_zone)))
    for number, (comment, at) in enumerate(zip(comments, times, strict=True), 1):
        buyer_id = new_id() if comment.name is None else people.setdefault(comment.name, new_id())
        event = SocialEvent(
            EventKind.ADD,
            SourcePlatform.IMPORT,
            channel_id="",
            comment_id=str(number),
            author_id=str(buyer_id),
            text=comment.text,
            occurred_at=at,
        )
        said.append(Said(InboxRow(number, channel_id, "", "", {}, at, at), event, channel_id, buyer_id))
        shown[channel_id, event.comment_id] = Shown(None, comment.text, comment.name or "", at, None)
        await pause()
    return Cast(said, shown)


# --- what they begin with --------------------------------------------------------------------------------------------------

LEVELS: Final = """
with took as (
  select l.variant_id, sum(m.on_hand) as on_hand, sum(m.held) as held, sum(m.committed) as committed
  from order_line l cross join lateral (
    select sum(x.on_hand_delta) as on_hand, sum(x.held_delta) as held, sum(x.committed_delta) as committed
    from stock_ledger x where x.order_line_id = l.id) m
  where l.shop_id = $2 and l.post_id = $3 and (l.claim_id = any($4::uuid[])) is not true group by 1),
ahead as (
  select w.variant_id, sum(w.quantity) as pieces from waitlist_entry w join claim c on c.id = w.claim_id
  where w.variant_id = any($1::uuid[]) and w.shop_id = $2 and w.state = 'WAITING'
    and ($3::uuid is null or ((c.post_id is distinct from $3 or c.id = any($4::uuid[])) and w.queued_at < $5)) group by 1)
select v.id, coalesce(s.backorder_limit, 0) as backorder_limit,
       (coalesce(s.on_hand, 0) - coalesce(t.on_hand, 0))::int as on_hand,
       (coalesce(s.held, 0) - coalesce(t.held, 0) + coalesce(a.pieces, 0))::int as held,
       (coalesce(s.committed, 0) - coalesce(t.committed, 0))::int as committed
from unnest($1::uuid[]) v(id) left join stock_level s on s.variant_id = v.id and s.shop_id = $2
left join took t on t.variant_id = v.id left join ahead a on a.variant_id = v.id
"""
"""The levels now, without what the lines of this post ever moved. Pieces that others wait for already are as good as theirs."""


async def levels(tx: Tx, stage: Stage, cast: Cast, *, before_post: bool) -> list[Level]:
    """The levels of the post's variants before its comments, or (not `before_post`) as they are now."""
    rows = await tx.fetch(
        LEVELS,
        list(stage.variants),
        stage.shop.id,
        stage.facts.id if before_post else None,
        list(cast.erased),
        cast.said[0].row.occurred_at if cast.said else None,
    )
    return [Level(row["id"], row["on_hand"], row["backorder_limit"], row["held"], row["committed"]) for row in rows]


def endless(stage: Stage) -> list[Level]:
    """Levels that nobody can exhaust."""
    return [Level(variant_id, ENDLESS, 0, 0, 0) for variant_id in stage.variants]


ELSEWHERE: Final = """
select c.written_at as at, k.buyer_id, k.id, 0 as quantity from claim k join social_comment c on c.id = k.comment_id
where $6::interval is not null and k.shop_id = $1 and k.buyer_id = any($2::uuid[]) and k.outcome in ('ORDERED', 'PARTIAL', 'WAITLISTED')
  and c.written_at > $5::timestamptz - $6 and (k.post_id is distinct from $4 or k.id = any($8::uuid[]))
union all
select l.created_at, o.buyer_id, l.variant_id, l.quantity from "order" o join order_line l on l.order_id = o.id
where $7::interval is not null and o.shop_id = $1 and o.buyer_id = any($2::uuid[]) and o.state <> 'CANCELLED' and l.variant_id = any($3::uuid[])
  and l.post_id <> $4 and l.quantity > 0 and l.created_at > $5::timestamptz - $7
union all
select w.queued_at, w.buyer_id, w.variant_id, w.quantity from waitlist_entry w join claim k on k.id = w.claim_id
where $7::interval is not null and w.shop_id = $1 and w.state = 'WAITING' and w.buyer_id = any($2::uuid[]) and w.variant_id = any($3::uuid[])
  and k.post_id <> $4 and w.queued_at > $5::timestamptz - $7
order by 1, 3
"""
"""What `loading.fill_desk` reads of other posts, over the whole time of this one."""


async def elsewhere(tx: Tx, stage: Stage, cast: Cast, policies: Sequence[ClaimPolicy]) -> list[Elsewhere]:
    """What the same buyers did under other posts, as far as a limit of these policies looks back."""
    rates = [p.rate_limit_hours for p in policies if p.rate_limit_orders is not None]
    windows = [p.per_buyer_window_hours for p in policies if p.per_buyer_window_hours is not None]
    buyers = {said.buyer_id for said in cast.said if said.buyer_id is not None}
    if not buyers or not (rates or windows):
        return []
    rows = await tx.fetch(
        ELSEWHERE,
        stage.shop.id,
        list(buyers),
        list(stage.variants),
        stage.facts.id,
        cast.said[0].row.occurred_at,
        timedelta(hours=max(rates)) if rates else None,
        timedelta(hours=max(windows)) if windows else None,
        list(cast.erased),
    )
    return [Elsewhere(row["at"], row["buyer_id"], row["id"], row["quantity"]) for row in rows]


async def people(tx: Tx, stage: Stage, cast: Cast) -> tuple[set[UUID], dict[UUID, datetime]]:
    """Of the buyers: those who work in the shop, and until when the shop restricted others."""
    rows = await tx.fetch(
        """select b.id, b.restricted_until,
                  exists (select from membership m where m.shop_id = $1 and m.member_id = b.member_id and m.ended_at is null) as staff
           from buyer b where b.shop_id = $1 and b.id = any($2::uuid[])""",
        stage.shop.id,
        list({said.buyer_id for said in cast.said if said.buyer_id is not None}),
    )
    restricted = {row["id"]: row["restricted_until"] for row in rows if row["restricted_until"] is not None}
    return {row["id"] for row in rows if row["staff"]}, restricted


async def scene_of(
    tx: Tx, stage: Stage, cast: Cast, policies: Sequence[ClaimPolicy], *, stored: bool, unlimited: bool, now: datetime
) -> Scene:
    """All that a rehearsal of these policies begins with; `stored`: the comments are the post's own."""
    stock = endless(stage) if unlimited else await levels(tx, stage, cast, before_post=stored)
    if not stored:
        return Scene(stage.shop, now, cast.said, stock)
    staff, restricted = await people(tx, stage, cast)
    return Scene(stage.shop, now, cast.said, stock, await elsewhere(tx, stage, cast, policies), staff, restricted)
