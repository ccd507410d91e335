"""What lies on the table while a batch of comments is decided: plain values, read before and written after.

The planning (`planning.py`) changes these values and nothing else; `loading.py` fills them and `writing.py` stores what changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from domain.claims.ports import SocialEvent, SourcePlatform
from domain.claims.recognition import Context, Result
from domain.claims.replies import ReplyDraft
from domain.claims.rules import ClaimOutcome, ClaimPolicy, Reminder, ReviewState, WaitState
from domain.notices.commands import NoticeDraft
from domain.posts.queries import PostFacts, VariantFacts
from domain.posts.rules import DeliveryMethod
from domain.stock.rules import MovementKind
from domain.values import value

Heard = tuple[str, tuple[tuple[int, int], ...] | None, bool, bool]
"""(text, mentions, written by the shop, written after the close): all that a result depends on beside the post."""

UNCOUNTED = 1 << 40
"""Pieces of an order that nobody counted: it cannot become empty."""
NO_TEXT = datetime(1970, 1, 1, tzinfo=UTC)
"""`text_at` of a comment whose removal came before its text."""


@dataclass(frozen=True, slots=True)
class ShopFacts:
    id: UUID
    number: int
    name: str
    currency: str
    locale: str
    time_zone: str
    pay_within_minutes: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A post ready to be read: facts, policy, compiled words, variants by id."""

    facts: PostFacts
    policy: ClaimPolicy
    context: Context
    variants: Mapping[UUID, VariantFacts]
    heard: dict[Heard, Result] = field(default_factory=dict)
    """What these words meant before: in a live thousands of people write the same few."""
    item_windows: bool = True
    """Whether any item may have a window of its own."""


@dataclass(slots=True)
class Level:
    """A locked stock level. `waiting`: pieces that others already wait for; newcomers stand behind them."""

    variant_id: UUID
    on_hand: int
    backorder_limit: int
    held: int
    committed: int
    waiting: int = 0
    held_before: int = 0
    waiting_before: int = 0
    """`held` and `waiting` as they were read; the difference is what is written."""

    @property
    def free(self) -> int:
        """Pieces a newcomer may have now."""
        return max(self.on_hand + self.backorder_limit - self.held - self.committed - self.waiting, 0)


@dataclass(slots=True)
class Line:
    """An order line of a buyer in this batch."""

    id: UUID
    order_id: UUID
    variant_id: UUID
    claim_id: UUID | None
    post_id: UUID | None
    quantity: int
    unit_price_minor: int
    title: str
    label: str
    platform: SourcePlatform
    policy_version_id: UUID | None
    created_at: datetime
    beneficiary: str = ""
    """Whom the comment named it for; empty for its writer."""
    open: bool = True
    """In an OPEN, UNPAID order: may still be changed by a comment."""
    dead: bool = False
    """In a CANCELLED order: holds nothing, whatever its quantity says."""
    is_new: bool = False
    changed: bool = False


@dataclass(slots=True)
class OpenOrder:
    """The one open, unpaid order of a buyer that claims stack on."""

    id: UUID
    number: str
    buyer_id: UUID
    method: DeliveryMethod
    subtotal_minor: int
    opened_at: datetime
    pay_by: datetime | None
    """None: no deadline at all. See `holding.hold`."""
    pieces: int = 0
    """Over all its lines, of other posts too; UNCOUNTED where nothing of this batch can take any away."""
    closed: bool = False
    """All its pieces were taken back: it is cancelled when the batch is written."""
    reminders: frozenset[Reminder] | None = None
    """Of the deadline that was set in this batch; None while the deadline stands as it was read."""
    is_new: bool = False
    changed: bool = False


@dataclass(slots=True)
class Wait:
    """A buyer's place in a variant's waiting list."""

    id: UUID
    variant_id: UUID
    claim_id: UUID
    buyer_id: UUID
    quantity: int
    queued_at: datetime
    post_id: UUID | None
    state: WaitState = WaitState.WAITING
    is_new: bool = False
    changed: bool = False


@dataclass(slots=True)
class Comment:
    """A comment as stored, or to be stored."""

    id: UUID
    external_id: str
    post_id: UUID | None
    buyer_id: UUID | None
    text: str
    written_at: datetime
    text_at: datetime
    """NO_TEXT while only its removal is known."""
    removed_at: datetime | None
    source: SocialEvent | None = None
    """The first event of a comment that is new."""
    received_at: datetime | None = None
    mentions: Sequence[tuple[int, int]] | None = None
    """Tagged people in the text as stored; known only while nobody knows its author, for then it may be read once more."""
    erased: bool = False
    """Taken back where the platform wants nothing of it kept: no text of it stays."""
    is_new: bool = False
    changed: bool = False


@dataclass(slots=True)
class Claim:
    """A claim as stored, or to be stored."""

    id: UUID
    comment_id: UUID
    post_id: UUID | None
    buyer_id: UUID | None
    outcome: ClaimOutcome
    reason: str
    intent: str
    result: Mapping[str, Any]
    text_hash: str
    policy_version_id: UUID | None
    order_id: UUID | None
    review: ReviewState
    decided_at: datetime
    beneficiary: str = ""
    """Whom its lines are for, where the shop takes orders for others; kept on the lines, not on the claim."""
    is_new: bool = False
    changed: bool = False


@value
class Movement:
    variant_id: UUID
    kind: MovementKind
    held_delta: int
    order_line_id: UUID
    actor: str


@value
class Decision:
    """What the audit keeps of one decided event."""

    claim_id: UUID
    outcome: ClaimOutcome
    reason: str
    detail: Mapping[str, Any]


@value
class Turn:
    """One comment's turn: what it said, on which post, whose it is, when by the platform and when it reached us."""

    comment: Comment
    event: SocialEvent
    reading: Reading
    buyer_id: UUID
    at: datetime
    received_at: datetime
    actor: str = field(init=False, compare=False)
    """The name that movements and events carry."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "actor", f"comment:{self.comment.id}")


@dataclass(slots=True)
class Desk:
    """One shop's batch."""

    shop: ShopFacts
    now: datetime
    new_id: Callable[[], UUID]
    new_number: Callable[[], str]
    readings: dict[UUID, Reading] = field(default_factory=dict)
    """By post, with the newest version of its policy."""
    earlier: dict[UUID, list[Reading]] = field(default_factory=dict)
    """By post, where an event is older than the newest version: the versions before it that it may need, the newest first."""
    levels: dict[UUID, Level] = field(default_factory=dict)
    orders: dict[tuple[UUID, DeliveryMethod], OpenOrder] = field(default_factory=dict)
    lines: dict[UUID, list[Line]] = field(default_factory=lambda: defaultdict(list))
    """By buyer: lines on the posts of this batch, and lines of claims that it speaks of again."""
    closed_orders: list[OpenOrder] = field(default_factory=list)
    flagged_orders: set[UUID] = field(default_factory=set)
    waits: dict[UUID, list[Wait]] = field(default_factory=lambda: defaultdict(list))
    """By buyer: places in waiting lists of the posts of this batch."""
    claims: dict[UUID, Claim] = field(default_factory=dict)
    """By comment."""
    earliest: datetime | None = None
    """Platform time of the batch's first event; None when no comment is decided."""
    staff: set[UUID] = field(default_factory=set)
    """Buyers of this batch who work in the shop."""
    members: dict[UUID, UUID | None] = field(default_factory=dict)
    """Whose the buyers are that this batch holds."""
    private_links: frozenset[str] = frozenset()
    """Pages, by their ids, whose strangers get a private reply with a link that makes them a member's."""
    restricted: dict[UUID, datetime] = field(default_factory=dict)
    """Buyers of this batch whom the shop restricted, until when."""
    elsewhere: dict[tuple[UUID, UUID], list[tuple[datetime, int]]] = field(default_factory=lambda: defaultdict(list))
    """By (buyer, variant): pieces of posts that are not of this batch, with the times of their comments, where a limit counts them."""
    ordered_at: dict[UUID, dict[UUID, datetime]] = field(default_factory=lambda: defaultdict(dict))
    """By buyer: ordering claims with the times their comments were written, as far back as the rate rule looks."""
    movements: list[Movement] = field(default_factory=list)
    began: int = 0
    """How many there were before the event that is being decided."""
    events: list[tuple[UUID, str, Mapping[str, Any], str]] = field(default_factory=list)
    """(order, kind, data, actor) for the timelines."""
    notices: list[NoticeDraft] = field(default_factory=list)
    replies: list[ReplyDraft] = field(default_factory=list)
    answers: bool = True
    """Whether anybody sends replies; if not, none is drafted."""
    decisions: list[Decision] = field(default_factory=list)
    freed: set[UUID] = field(default_factory=set)
    """Variants of which pieces became free."""

    def is_stranger(self, buyer_id: UUID | None) -> bool:
        """Whether it is known that no member has this buyer."""
        return buyer_id in self.members and self.members[buyer_id] is None

    def reading(self, post_id: UUID | None, at: datetime) -> Reading | None:
        """The post by the policy that was in force at an instant; what happened before the first version is read by the first."""
        newest = self.readings.get(post_id) if post_id is not None else None
        if newest is None or newest.facts.policy_since is None or newest.facts.policy_since <= at:
            return newest
        older = self.earlier.get(newest.facts.id, [])
        return next((r for r in older if r.facts.policy_since is not None and r.facts.policy_since <= at), older[-1] if older else newest)

    def policies(self) -> Iterator[ClaimPolicy]:
        """Every version that decides something of this batch."""
        return (r.policy for r in (*self.readings.values(), *(r for older in self.earlier.values() for r in older)))

    def lines_on_post(self, buyer_id: UUID, post_id: UUID) -> list[Line]:
        """The buyer's living lines with pieces left on this post, oldest first."""
        lines = self.lines.get(buyer_id)
        return [x for x in lines if x.post_id == post_id and x.quantity > 0 and not x.dead] if lines else []

    def waits_on(self, buyer_id: UUID, post_id: UUID, variant_id: UUID) -> list[Wait]:
        """The buyer's places for this variant on this post, oldest first."""
        places = self.waits.get(buyer_id)
        return [x for x in places if x.post_id == post_id and x.variant_id == variant_id and x.quantity > 0] if places else []
