"""What is known of a seeded order while it is being written, and what every part of it writes: timeline, audit, notices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from benchmarks.seed_rows import NULL, Chance, Rows, at, dashed, json
from benchmarks.seed_stories import Story
from benchmarks.seed_world import Post, Shop, Variant, World
from domain.posts.rules import DeliveryMethod

HOUR_MS: Final = 3_600_000
PUSH_DAYS: Final = 14
"""How long deliveries and pushes are kept."""


@dataclass(slots=True)
class Line:
    """A line being written."""

    id: str
    variant: Variant
    claim: str
    comment: str
    pieces: int
    handed: int = 0
    packed: int = 0
    shipped: int = 0


@dataclass(slots=True)
class Sale:
    """One order being written. Instants are milliseconds since 1970."""

    id: str
    number: str
    shop: Shop
    post: Post
    buyer: str
    member: str
    """NULL for a stranger."""
    device: str
    name: str
    provider: str
    at: int
    story: Story
    lines: list[Line]
    subtotal: int
    is_old: bool
    sent: int = 0
    """When its parcel left, or was packed."""

    @property
    def owner(self) -> str:
        """Who of the shop does things, as the actor of the audit."""
        return f"member:{dashed(self.shop.owner)}"


@dataclass(slots=True)
class Book:
    """What outlives one order: numbers, open passes, who already has an unpaid order."""

    world: World
    chance: Chance
    rows: Rows
    now: int
    stories: dict[tuple[DeliveryMethod, bool], list[Story]] = field(default_factory=dict)
    stacked: set[tuple[str, DeliveryMethod]] = field(default_factory=set)
    passes: dict[str, str] = field(default_factory=dict)
    shown: int = 0
    comments: int = 0
    movements: int = 0


def event(book: Book, sale: Sale, kind: str, data: str, actor: str, at_ms: int) -> None:
    """In the order's timeline."""
    book.rows.waiting["order_event"].append(f"{sale.shop.id}\t{sale.id}\t{kind}\t{data}\t{actor}\t{at(at_ms)}")


def audit(book: Book, shop: Shop, at_ms: int, actor: str, role: str, action: str, kind: str, object_id: str, detail: str) -> None:
    """In the shop's audit."""
    book.rows.waiting["audit_entry"].append(f"{shop.id}\t{at(at_ms)}\t{actor}\t{role}\t{action}\t{kind}\t{object_id}\t{detail}\t")


def notify(book: Book, sale: Sale, kind: str, at_ms: int, facts: dict[str, object]) -> None:
    """In the inbox, read by most after a while; for some weeks with the push that was sent."""
    w, chance = book.rows.waiting, book.chance
    notice = chance.id(at_ms)
    base = {"shopName": sale.shop.name, "postTitle": sale.post.title, "currency": sale.shop.currency}
    data = json({**base, "orderId": dashed(sale.id), "orderNumber": sale.number, **facts})
    read = at(min(at_ms + HOUR_MS, book.now)) if chance.random.random() < (0.9 if sale.is_old else 0.4) else NULL
    w["notice"].append(f"{notice}\t{sale.shop.id}\t{sale.buyer}\t{sale.member}\t{kind}\t{data}\tseed:{kind}:{sale.id}\t{read}\t{at(at_ms)}")
    if sale.device and not sale.is_old:
        until = at(at_ms + 2 * HOUR_MS)
        w["push_delivery"].append(f"{chance.id(at_ms)}\t{notice}\t{sale.device}\tSENT\t1\t{at(at_ms)}\t{until}\tseed\t\t{at(at_ms + 900)}")


def facts_of(sale: Sale) -> list[dict[str, object]]:
    """Its lines as notices tell them."""
    return [{"title": line.variant.title, "label": line.variant.label, "quantity": line.pieces} for line in sale.lines]
