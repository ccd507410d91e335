"""Events of one post decided in memory under one policy, by the code that the worker decides by. Pure: no database, no clock, no I/O.

Each event is a batch of its own, and the waiting list is looked at after each, as if the worker had taken every event at once. What the
worker writes after a batch and reads before the next (`writing.py`, `loading.py`) happens here to the desk itself: see `_as_read_again`.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from domain.claims.deciding import Batch, Item, decide, of_shop, read_texts
from domain.claims.desk import Claim, Comment, Desk, Level, Line, Reading, ShopFacts, Turn, Wait
from domain.claims.planning import ORDERING
from domain.claims.ports import SocialEvent
from domain.claims.recognition import Intent
from domain.claims.rules import ClaimOutcome
from domain.claims.waiting import give_out
from domain.ids import new_id
from domain.inbox.taken import InboxRow

Pieces = tuple[tuple[UUID, int], ...]
"""(variant, quantity), by variant."""


@dataclass(frozen=True, slots=True)
class Said:
    """One event of a comment, and whose it is."""

    row: InboxRow
    event: SocialEvent
    channel_id: UUID
    buyer_id: UUID | None
    """None where nobody is known; of the shop's own comments, whom they would be if they were read as a buyer's."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What a buyer did under other posts of the shop, where a limit may count it: a comment that ordered, or pieces of a variant."""

    at: datetime
    buyer_id: UUID
    id: UUID
    """The claim, or the variant."""
    quantity: int = 0
    """0 for a claim."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What every rehearsal of a simulation begins with."""

    shop: ShopFacts
    now: datetime
    said: Sequence[Said]
    """In platform order."""
    levels: Sequence[Level]
    """Of every variant of the post."""
    elsewhere: Sequence[Elsewhere] = ()
    """In the order of their times."""
    staff: Collection[UUID] = ()
    restricted: Mapping[UUID, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one comment in the end."""

    outcome: ClaimOutcome
    reason: str
    result: bytes
    """The recognition's, as `canonical`."""
    lines: Pieces
    waiting: Pieces


@dataclass(frozen=True, slots=True)
class Figures:
    """What all comments came to. Amounts in minor units of the shop's currency."""

    outcomes: Mapping[ClaimOutcome, int]
    orders: int
    pieces: int
    waiting: int
    """Pieces that somebody waits for."""
    revenue_minor: int
    suggestions: int
    """Comments whose writers were asked to confirm or to choose."""
    questions: int
    """Comments that ask something, beside an order or instead of one."""


class Rehearsal:
    """One run. `say` every event of the scene in order, then ask for `decided` and `figures`."""

    def __init__(self, scene: Scene, reading: Reading) -> None:
        self._reading = reading
        self._batch = Batch(scene.shop, [])
        self._desk = Desk(scene.shop, scene.now, new_id, str)
        self._desk.readings = {reading.facts.id: reading}
        self._desk.levels = {level.variant_id: replace(level) for level in scene.levels}
        self._desk.staff, self._desk.restricted = set(scene.staff), dict(scene.restricted)
        self._elsewhere = deque(scene.elsewhere)
        self._comments: dict[UUID, Comment] = {}
        """By claim."""
        self._turns: dict[UUID, Turn] = {}
        """By claim that waits for pieces."""
        self._places: dict[tuple[UUID, UUID], UUID] = {}
        """Ids of waiting places by (claim, variant): one that is taken again keeps its id."""

    def say(self, said: Said) -> None:
        """Decide one event and give out what it made free."""
        desk, batch = self._desk, self._batch
        item = Item(said.row, said.event, said.channel_id, self._reading.facts.id)
        item.buyer_id = None if of_shop(desk, item) else said.buyer_id
        desk.now, desk.earliest = said.row.received_at, item.at
        while self._elsewhere and self._elsewhere[0].at <= item.at:
            self._hear(self._elsewhere.popleft())
        read_texts(batch, desk, [item])
        decide(batch, desk, item)
        comment = batch.comments.get(item.key)
        claim = desk.claims.get(comment.id) if comment is not None else None
        if comment is not None and claim is not None and claim.buyer_id is not None:
            self._as_read_again(claim.buyer_id)
            self._remember(item, comment, claim, claim.buyer_id)
            self._fill()
        self._forget()

    def _hear(self, what: Elsewhere) -> None:
        if what.quantity:
            self._desk.elsewhere[what.buyer_id, what.id].append((what.at, what.quantity))
        else:
            self._desk.ordered_at[what.buyer_id][what.id] = what.at

    def _remember(self, item: Item, comment: Comment, claim: Claim, buyer_id: UUID) -> None:
        """What later batches would read of this comment."""
        self._comments[claim.id] = comment
        if claim.outcome in ORDERING:
            self._desk.ordered_at[buyer_id][claim.id] = comment.written_at
        else:
            self._desk.ordered_at[buyer_id].pop(claim.id, None)
        if any(w.claim_id == claim.id for w in self._desk.waits.get(buyer_id, ())):
            self._turns[claim.id] = Turn(comment, item.event, self._reading, buyer_id, comment.written_at, self._desk.now)

    def _as_read_again(self, buyer_id: UUID) -> None:
        """Lines and places in the order in which they are read from the tables; places that ended are not read at all."""
        self._desk.lines[buyer_id].sort(key=lambda x: (x.created_at, x.id))
        places = [w for w in self._desk.waits[buyer_id] if w.quantity]
        for place in places:
            place.id = self._places.setdefault((place.claim_id, place.variant_id), place.id)
        self._desk.waits[buyer_id] = sorted(places, key=lambda w: (w.queued_at, w.id))

    def _fill(self) -> None:
        """The waiting list's job, for variants of which pieces came free."""
        levels = self._desk.levels
        free = {v for v in self._desk.freed if levels[v].waiting > 0 and _left(levels[v]) > 0}
        if not free:
            return
        places = sorted((w for mine in self._desk.waits.values() for w in mine if w.variant_id in free), key=self._rank)
        waited = [place.quantity for place in places]
        claims = {w.claim_id: self._desk.claims[self._comments[w.claim_id].id] for w in places}
        give_out(self._desk, places, claims, self._turns)
        for buyer_id in {place.buyer_id for place, n in zip(places, waited, strict=True) if place.quantity != n}:
            self._as_read_again(buyer_id)

    def _rank(self, place: Wait) -> tuple[datetime, int, str, UUID]:
        external_id = self._comments[place.claim_id].external_id
        return place.queued_at, len(external_id), external_id, place.id

    def _forget(self) -> None:
        """What a batch leaves behind once it is written."""
        desk = self._desk
        for told in (desk.movements, desk.events, desk.notices, desk.replies, desk.decisions, desk.closed_orders):
            told.clear()
        desk.freed.clear()
        desk.flagged_orders.clear()
        self._batch.revisions.clear()

    def decided(self) -> Iterator[tuple[tuple[UUID, str], Decided]]:
        """What became of each comment, by (channel, external id), in the order in which they were first heard of."""
        held, waiting = self._pieces()
        for key, comment in self._batch.comments.items():
            claim = self._desk.claims.get(comment.id)
            if claim is not None:
                pieces = (tuple(sorted(part.get(claim.id, {}).items())) for part in (held, waiting))
                yield key, Decided(claim.outcome, claim.reason, canonical(claim.result), *pieces)

    def _pieces(self) -> tuple[dict[UUID, Counter[UUID]], dict[UUID, Counter[UUID]]]:
        """Pieces per claim and variant: held, and waited for."""
        held: dict[UUID, Counter[UUID]] = defaultdict(Counter)
        for line in self._lines():
            if line.claim_id is not None:
                held[line.claim_id][line.variant_id] += line.quantity
        waiting: dict[UUID, Counter[UUID]] = defaultdict(Counter)
        for place in (w for places in self._desk.waits.values() for w in places if w.quantity):
            waiting[place.claim_id][place.variant_id] += place.quantity
        return held, waiting

    def _lines(self) -> Iterator[Line]:
        return (x for lines in self._desk.lines.values() for x in lines if x.quantity and not x.dead)

    def figures(self) -> Figures:
        """The sums."""
        lines, claims = list(self._lines()), self._desk.claims.values()
        outcomes = Counter(claim.outcome for claim in claims)
        return Figures(
            outcomes={outcome: outcomes[outcome] for outcome in ClaimOutcome if outcomes[outcome]},
            orders=len({x.order_id for x in lines}),
            pieces=sum(x.quantity for x in lines),
            waiting=sum(w.quantity for places in self._desk.waits.values() for w in places),
            revenue_minor=sum(x.quantity * x.unit_price_minor for x in lines),
            suggestions=outcomes[ClaimOutcome.SUGGESTED],
            questions=sum(c.intent == Intent.QUESTION or bool(c.result.get("question")) for c in claims),
        )


def canonical(result: Mapping[str, Any]) -> bytes:
    """A recognition result as bytes that are equal for equal results."""
    return orjson.dumps(result, option=orjson.OPT_SORT_KEYS)


def _left(level: Level) -> int:
    return level.on_hand + level.backorder_limit - level.held - level.committed
