"""Builders of rows for tests: each takes only what the test is about and leaves figures that agree with each other.

An order holds (or commits) its pieces in `stock_level` with the ledger rows beside it, so that the invariants hold after any builder.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain import db
from domain.claims.rules import ClaimOutcome
from domain.ids import new_id
from domain.orders.rules import SETTLED_STATES, FulfilmentState, OrderState, PaymentState
from domain.posts.rules import DeliveryMethod, PostState
from domain.shops.rules import Role, SourcePlatform
from domain.stock.rules import SellBeyond

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
"""The instant of `tests/conftest.py`'s clock."""

_serial = itertools.count(1)


@dataclass(frozen=True, slots=True)
class AShop:
    id: UUID
    number: int
    handle: str
    currency: str


@dataclass(frozen=True, slots=True)
class AVariant:
    id: UUID
    shop_id: UUID
    product_id: UUID
    price_minor: int
    label: str


@dataclass(frozen=True, slots=True)
class AProduct:
    id: UUID
    shop_id: UUID
    title: str
    variants: list[AVariant]


@dataclass(frozen=True, slots=True)
class AChannel:
    id: UUID
    shop_id: UUID
    endpoint_id: UUID
    platform: SourcePlatform


@dataclass(frozen=True, slots=True)
class APost:
    id: UUID
    shop_id: UUID
    items: list[UUID] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ABuyer:
    id: UUID
    shop_id: UUID
    member_id: UUID | None


@dataclass(frozen=True, slots=True)
class AnOrder:
    id: UUID
    shop_id: UUID
    buyer_id: UUID
    number: str
    total_minor: int
    lines: list[UUID]
    """Line ids in the order of the variants asked for."""


async def a_shop(
    *,
    name: str = "小鹿團購",
    handle: str | None = None,
    currency: str = "TWD",
    time_zone: str = "Asia/Taipei",
    locale: str = "zh-TW",
    pay_within_minutes: int = 4320,
    pickup_place: str = "捷運中山站 2 號出口",
    now: datetime = NOW,
) -> AShop:
    """A shop; its number comes from the table's sequence."""
    shop_id, given = new_id(), handle or f"shop-{next(_serial)}"
    number = await db.fetchval(
        """insert into shop (id, handle, name, currency, time_zone, locale, pay_within_minutes, pickup_place, created_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning number""",
        shop_id, given, name, currency, time_zone, locale, pay_within_minutes, pickup_place, now,
    )  # fmt: skip
    return AShop(shop_id, number, given, currency)


async def a_member(*, display_name: str = "", locale: str = "zh-TW", now: datetime = NOW) -> UUID:
    """A signed-up member's id."""
    member_id = new_id()
    await db.execute(
        "insert into member (id, ver, display_name, locale, created_at) values ($1, 1, $2, $3, $4)", member_id, display_name, locale, now
    )
    return member_id


async def a_membership(
    shop: AShop, member_id: UUID | None = None, *, role: Role = Role.OWNER, denied: Sequence[str] = (), now: datetime = NOW
) -> UUID:
    """A member of the shop's staff; answers the member's id."""
    who = member_id or await a_member(now=now)
    await db.execute(
        "insert into membership (id, shop_id, member_id, role, denied, created_at) values ($1, $2, $3, $4, $5::jsonb, $6)",
        new_id(), shop.id, who, role.value, db.jsonb(list(denied)), now,
    )  # fmt: skip
    return who


async def a_device(member_id: UUID, *, target: str | None = None, now: datetime = NOW) -> UUID:
    """A phone of the member that takes pushes."""
    device_id, serial = new_id(), next(_serial)
    await db.execute(
        """insert into device (id, member_id, installation_id, platform, target_kind, target, locale, created_at, last_seen_at)
           values ($1, $2, $3, 'ANDROID', 'TOKEN', $4, 'zh-TW', $5, $5)""",
        device_id, member_id, f"installation-{serial}", target or f"push-token-{serial}", now,
    )  # fmt: skip
    return device_id


async def a_buyer(
    shop: AShop,
    *,
    member_id: UUID | None = None,
    name: str = "陳小美",
    provider: str = "facebook",
    external_id: str | None = None,
    now: datetime = NOW,
) -> ABuyer:
    """A commenter as this shop knows them; with `member_id` the person has linked the identity in the app."""
    buyer_id = new_id()
    await db.execute(
        "insert into buyer (id, shop_id, provider, external_id, name, member_id, created_at) values ($1, $2, $3, $4, $5, $6, $7)",
        buyer_id, shop.id, provider, external_id or f"author-{next(_serial)}", name, member_id, now,
    )  # fmt: skip
    return ABuyer(buyer_id, shop.id, member_id)


async def a_product(
    shop: AShop,
    *,
    title: str = "法式方巾",
    variants: Sequence[str] = ("",),
    on_hand: int | Sequence[int] = 10,
    price_minor: int = 590,
    sell_beyond: SellBeyond = SellBeyond.DENY,
    backorder_limit: int = 0,
    now: datetime = NOW,
) -> AProduct:
    """A product with one variant per label; more than one label makes the option 款式 with the labels as keys. `on_hand` for all, or per variant."""
    product_id = new_id()
    options = [{"name": "款式", "values": [{"key": v, "label": v, "aliases": []} for v in variants]}] if len(variants) > 1 else []
    await db.execute(
        "insert into product (id, shop_id, title, options, created_at) values ($1, $2, $3, $4::jsonb, $5)",
        product_id, shop.id, title, db.jsonb(options), now,
    )  # fmt: skip
    pieces = [on_hand] * len(variants) if isinstance(on_hand, int) else list(on_hand)
    made = []
    for position, (label, count) in enumerate(zip(variants, pieces, strict=True)):
        variant_id = new_id()
        await db.execute(
            """insert into variant (id, shop_id, product_id, label, option_values, code, price_minor, position)
               values ($1, $2, $3, $4, $5::jsonb, '', $6, $7)""",
            variant_id, shop.id, product_id, label, db.jsonb({"款式": label} if options else {}), price_minor, position,
        )  # fmt: skip
        await db.execute(
            """insert into stock_level (variant_id, shop_id, on_hand, held, committed, sell_beyond, backorder_limit, version)
               values ($1, $2, $3, 0, 0, $4, $5, 1)""",
            variant_id, shop.id, count, sell_beyond.value, backorder_limit,
        )  # fmt: skip
        await db.execute(
            """insert into stock_movement (shop_id, variant_id, kind, on_hand_delta, held_delta, committed_delta, actor, reason, at)
               values ($1, $2, 'RECEIVED', $3, 0, 0, 'worker:build', 'RECEIPT', $4)""",
            shop.id, variant_id, count, now,
        )  # fmt: skip
        made.append(AVariant(variant_id, shop.id, product_id, price_minor, label))
    return AProduct(product_id, shop.id, title, made)


async def a_variant(
    shop: AShop | None = None,
    *,
    on_hand: int = 3,
    price_minor: int = 590,
    sell_beyond: SellBeyond = SellBeyond.DENY,
    backorder_limit: int = 0,
    title: str = "法式方巾",
) -> AVariant:
    """The only variant of a product of its own, in a shop of its own unless one is given."""
    product = await a_product(
        shop or await a_shop(),
        title=title,
        on_hand=on_hand,
        price_minor=price_minor,
        sell_beyond=sell_beyond,
        backorder_limit=backorder_limit,
    )
    return product.variants[0]


async def an_endpoint(
    *,
    source: str = "facebook",
    slug: str | None = None,
    secret_encrypted: str = "",
    verify_token_encrypted: str = "",
    destination: str = "",
) -> UUID:
    """A webhook address; pass secrets as the vault sealed them."""
    endpoint_id = new_id()
    await db.execute(
        """insert into webhook_endpoint (id, source, slug, secret_encrypted, verify_token_encrypted, destination, created_at)
           values ($1, $2, $3, $4, $5, $6, $7)""",
        endpoint_id, source, slug or f"endpoint-{next(_serial)}", secret_encrypted, verify_token_encrypted, destination, NOW,
    )  # fmt: skip
    return endpoint_id


async def a_channel(
    shop: AShop,
    *,
    endpoint_id: UUID | None = None,
    platform: SourcePlatform = SourcePlatform.FACEBOOK_PAGE,
    external_id: str | None = None,
    name: str = "",
) -> AChannel:
    """A page, group or chat of this shop."""
    channel_id, endpoint = new_id(), endpoint_id or await an_endpoint()
    await db.execute(
        "insert into channel (id, shop_id, endpoint_id, platform, external_id, name, created_at) values ($1, $2, $3, $4, $5, $6, $7)",
        channel_id, shop.id, endpoint, platform.value, external_id or f"channel-{next(_serial)}", name, NOW,
    )  # fmt: skip
    return AChannel(channel_id, shop.id, endpoint, platform)


async def a_post(
    shop: AShop,
    *,
    products: Sequence[AProduct] = (),
    codes: Sequence[Sequence[str]] = (),
    title: str = "週五團",
    state: PostState = PostState.OPEN,
    delivery_method: DeliveryMethod = DeliveryMethod.PICKUP,
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
    channel: AChannel | None = None,
    external_post_id: str | None = None,
    now: datetime = NOW,
) -> APost:
    """A sales post with one item per product (`codes[i]` are the words that name the i-th), placed on `channel` when one is given."""
    post_id = new_id()
    await db.execute(
        """insert into sales_post (id, shop_id, title, state, delivery_method, opens_at, closes_at, version, created_at)
           values ($1, $2, $3, $4, $5, $6, $7, 1, $8)""",
        post_id, shop.id, title, state.value, delivery_method.value, opens_at, closes_at, now,
    )  # fmt: skip
    items = []
    for position, product in enumerate(products):
        items.append(new_id())
        await db.execute(
            """insert into post_item (id, shop_id, post_id, product_id, codes, aliases, on_sale, position)
               values ($1, $2, $3, $4, $5::jsonb, '[]'::jsonb, true, $6)""",
            items[-1], shop.id, post_id, product.id, db.jsonb(list(codes[position]) if position < len(codes) else []), position,
        )  # fmt: skip
    if channel is not None:
        await db.execute(
            "insert into post_placement (id, shop_id, post_id, channel_id, external_post_id, created_at) values ($1, $2, $3, $4, $5, $6)",
            new_id(), shop.id, post_id, channel.id, f"post-{next(_serial)}" if external_post_id is None else external_post_id, now,
        )  # fmt: skip
    return APost(post_id, shop.id, items)


async def a_claim(
    shop: AShop,
    *,
    channel: AChannel | None = None,
    buyer: ABuyer | None = None,
    text: str = "+1",
    outcome: ClaimOutcome = ClaimOutcome.ORDERED,
) -> UUID:
    """A decided claim with its comment; answers the claim's id."""
    where = channel or await a_channel(shop)
    comment_id, claim_id = new_id(), new_id()
    await db.execute(
        """insert into social_comment (id, shop_id, channel_id, external_id, parent_external_id, platform, buyer_id, author_name, text,
             written_at, text_at, received_at, is_owner, permalink, reply_token)
           values ($1, $2, $3, $4, '', $5, $6, '', $7, $8, $8, $8, false, '', '')""",
        comment_id, shop.id, where.id, f"comment-{next(_serial)}", where.platform.value, buyer.id if buyer else None, text, NOW,
    )  # fmt: skip
    await db.execute(
        """insert into claim (id, shop_id, comment_id, buyer_id, outcome, reason, intent, result, text_hash, rules_version, review,
             resolution, decided_at)
           values ($1, $2, $3, $4, $5, '', 'ORDER', '{}'::jsonb, '', 'test', 'NONE', '', $6)""",
        claim_id, shop.id, comment_id, buyer.id if buyer else None, outcome.value, NOW,
    )  # fmt: skip
    return claim_id


async def an_order(
    shop: AShop,
    lines: Mapping[AVariant, int] | Sequence[tuple[AVariant, int]],
    *,
    buyer: ABuyer | None = None,
    state: OrderState = OrderState.OPEN,
    payment: PaymentState = PaymentState.UNPAID,
    fulfilment: FulfilmentState = FulfilmentState.UNFULFILLED,
    method: DeliveryMethod = DeliveryMethod.PICKUP,
    pay_by: datetime | None = NOW + timedelta(days=3),
    paid_minor: int | None = None,
    shipping_minor: int = 0,
    flagged: bool = False,
    post: APost | None = None,
    platform: SourcePlatform = SourcePlatform.FACEBOOK_PAGE,
    created_at: datetime = NOW,
) -> AnOrder:
    """An order as it stands; while OPEN its pieces are held (unpaid) or committed (paid) in the levels and the ledger.

    `paid_minor` is the whole total for settled orders and 0 for others unless it is given. No payment row and no pickup is written: for
    these call the commands.
    """
    wanted = list(lines.items()) if isinstance(lines, Mapping) else list(lines)
    whose = buyer or await a_buyer(shop)
    order_id, number = new_id(), f"{shop.number}-{next(_serial):06d}"
    subtotal = sum(variant.price_minor * count for variant, count in wanted)
    total = subtotal + shipping_minor
    paid = paid_minor if paid_minor is not None else (total if payment in SETTLED_STATES else 0)
    await db.execute(
        """insert into "order" (id, shop_id, number, buyer_id, member_id, state, payment_state, fulfilment_state, delivery_method, currency,
             subtotal_minor, shipping_minor, discount_minor, total_minor, paid_minor, pay_by, flagged, version, created_at, updated_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13, $14, $15, $16, 1, $17, $17)""",
        order_id, shop.id, number, whose.id, whose.member_id, state.value, payment.value, fulfilment.value, method.value, shop.currency,
        subtotal, shipping_minor, total, paid, pay_by, flagged, created_at,
    )  # fmt: skip
    made = [await _a_line(shop.id, order_id, variant, count, post, platform, created_at) for variant, count in wanted]
    if state is OrderState.OPEN and (payment is PaymentState.PAID or payment not in SETTLED_STATES):
        for line_id, (variant, count) in zip(made, wanted, strict=True):
            await _take(shop.id, variant.id, line_id, count, settled=payment is PaymentState.PAID, at=created_at)
    return AnOrder(order_id, shop.id, whose.id, number, total, made)


async def _a_line(
    shop_id: UUID, order_id: UUID, variant: AVariant, count: int, post: APost | None, platform: SourcePlatform, at: datetime
) -> UUID:
    line_id = new_id()
    await db.execute(
        """insert into order_line (id, shop_id, order_id, variant_id, post_id, platform, title, variant_label, unit_price_minor, quantity,
             handed_over, created_at)
           values ($1, $2, $3, $4, $5, $6, '法式方巾', $7, $8, $9, 0, $10)""",
        line_id, shop_id, order_id, variant.id, post.id if post else None, platform.value, variant.label, variant.price_minor, count, at,
    )  # fmt: skip
    return line_id


async def _take(shop_id: UUID, variant_id: UUID, line_id: UUID, count: int, *, settled: bool, at: datetime) -> None:
    """Hold the pieces; of a paid order also commit them."""
    await db.execute("update stock_level set held = held + $2, version = version + 1 where variant_id = $1", variant_id, count)
    await _ledger(shop_id, variant_id, line_id, "HELD", count, 0, at)
    if settled:
        await db.execute(
            "update stock_level set held = held - $2, committed = committed + $2, version = version + 1 where variant_id = $1",
            variant_id, count,
        )  # fmt: skip
        await _ledger(shop_id, variant_id, line_id, "COMMITTED", -count, count, at)


async def _ledger(shop_id: UUID, variant_id: UUID, line_id: UUID, kind: str, held: int, committed: int, at: datetime) -> None:
    await db.execute(
        """insert into stock_movement (shop_id, variant_id, kind, on_hand_delta, held_delta, committed_delta, order_line_id, actor, reason, at)
           values ($1, $2, $3, 0, $4, $5, $6, 'worker:build', '', $7)""",
        shop_id, variant_id, kind, held, committed, line_id, at,
    )  # fmt: skip
