"""Opens the three shops of the evening through the domain's own commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor
from domain.bootstrap import Services
from domain.catalog.commands import VariantDraft, create_product
from domain.db import Tx
from domain.members.commands import link_identity, register_device, sign_in
from domain.members.keys import ensure_keys
from domain.members.ports import ProvenIdentity
from domain.members.rules import PushTarget
from domain.posts.commands import ItemDraft, create_post, place_post, set_policy
from domain.shops.commands import add_channel, add_endpoint, add_membership, create_shop
from domain.shops.rules import Role, SourcePlatform
from domain.stock.commands import receive_first
from plusone.demo.goods import SHOPS, Offer, Post, ShopOfDemo
from plusone.demo.people import MEMBERS, STAFF, Member, proven
from plusone.demo.places import ENDPOINTS, EVENING, GANGDO_BOT, GANGDO_CHANNEL, GANGDO_CHANNEL_POST, PLACES

OPENED: Final = EVENING - timedelta(days=1)
"""The shops were opened the day before."""
STAFF_PROVIDER: Final = "member"


@dataclass(frozen=True, slots=True)
class Seeded:
    """The ids that the evening is told by."""

    shops: Mapping[str, UUID]
    variants: Mapping[tuple[str, str], UUID]
    """By shop and the variant's name in the script."""
    members: Mapping[str, UUID]
    """Buyers with the app, by name."""
    staff: Mapping[str, UUID]
    """By subject."""


async def seed(services: Services, *, now: datetime = OPENED) -> Seeded:
    """Fill empty tables: signing keys, people, shops, channels, goods, posts."""
    await ensure_keys(services.vault, now)
    staff = {subject: await _sign_up(ProvenIdentity(STAFF_PROVIDER, subject, name), now) for subject, name in STAFF.items()}
    endpoints = {
        endpoint.path: await add_endpoint(
            source=endpoint.source,
            slug=endpoint.slug,
            secret=endpoint.secret,
            verify_token=endpoint.verify_token,
            destination=endpoint.destination,
            vault=services.vault,
            now=now,
        )
        for endpoint in ENDPOINTS
    }
    shops: dict[str, UUID] = {}
    variants: dict[tuple[str, str], UUID] = {}
    for shop in SHOPS:
        shops[shop.handle] = await _open(shop, staff, now)
        channels = await _channels(shop, shops[shop.handle], endpoints, now)
        for post in shop.posts:
            async with db.transaction() as tx:
                found = await _post(tx, shops[shop.handle], post, channels, Actor(f"member:{staff[shop.owner]}", Role.OWNER.value), now)
            variants |= {(shop.handle, key): variant_id for key, variant_id in found.items()}
    members = {member.name: await _member(member, now) for member in MEMBERS}
    return Seeded(shops, variants, members, staff)


async def _sign_up(identity: ProvenIdentity, now: datetime) -> UUID:
    async with db.transaction() as tx:
        return await sign_in(tx, identity, now)


async def _member(member: Member, now: datetime) -> UUID:
    """Signs in at one place, links the others, and registers the phones."""
    first, *others = member.places
    member_id = await _sign_up(proven(member.name, first), now)
    for place in others:
        async with db.transaction() as tx:
            await link_identity(tx, member_id, proven(member.name, place), now)
    for number, device in enumerate(member.devices):
        await register_device(
            member_id=member_id,
            installation_id=f"{device.target}-app-{number}",
            platform=device.platform,
            target_kind=PushTarget.TOKEN,
            target=device.target,
            locale=device.locale,
            now=now,
        )
    return member_id


async def _open(shop: ShopOfDemo, staff: Mapping[str, UUID], now: datetime) -> UUID:
    shop_id = await create_shop(
        handle=shop.handle,
        name=shop.name,
        currency=shop.currency,
        time_zone=shop.time_zone,
        locale=shop.locale,
        owner_id=staff[shop.owner],
        pickup_place=shop.pickup_place,
        now=now,
    )
    for subject, role in shop.staff.items():
        await add_membership(shop_id=shop_id, member_id=staff[subject], role=Role(role), invited_by=staff[shop.owner], now=now)
    return shop_id


async def _channels(shop: ShopOfDemo, shop_id: UUID, endpoints: Mapping[str, UUID], now: datetime) -> dict[str, UUID]:
    """Binds the shop's pages, groups and chats; answers their ids by external id."""
    wanted: dict[str, tuple[str, SourcePlatform, str]] = {}
    for place in PLACES.values():
        if place.shop == shop.handle:
            # A live is a post of its page.
            platform = SourcePlatform.FACEBOOK_PAGE if place.platform is SourcePlatform.FACEBOOK_LIVE else place.platform
            wanted[place.channel] = (place.endpoint.path, platform, place.channel_name)
    if any("gangdo_telegram" in post.places for post in shop.posts):
        wanted[GANGDO_CHANNEL] = (GANGDO_BOT.path, SourcePlatform.TELEGRAM, "港島代購")
    return {
        external_id: await add_channel(
            shop_id=shop_id, endpoint_id=endpoints[path], platform=platform, external_id=external_id, name=name, now=now
        )
        for external_id, (path, platform, name) in wanted.items()
    }


async def _post(tx: Tx, shop_id: UUID, post: Post, channels: Mapping[str, UUID], actor: Actor, now: datetime) -> dict[str, UUID]:
    """Goods, post, rule and places of one post; answers the variants by their name in the script."""
    variants: dict[str, UUID] = {}
    items = []
    for offer in post.offers:
        product_id, ids = await _goods(tx, shop_id, offer, actor, now)
        variants |= dict(zip((goods.key for goods in offer.goods), ids, strict=True))
        items.append(ItemDraft(product_id, offer.codes, offer.aliases, offer.on_sale))
    post_id, _ = await create_post(
        tx, shop_id=shop_id, title=post.title, items=items, closes_at=post.closes_at, delivery_method=post.method, now=now
    )
    await set_policy(tx, shop_id=shop_id, post_id=post_id, policy=post.policy.stored(), now=now)
    for key in post.places:
        place = PLACES[key]
        # A discussion is found by Telegram's copy of the channel's post, which is still to come.
        channel, external = (GANGDO_CHANNEL, str(GANGDO_CHANNEL_POST)) if key == "gangdo_telegram" else (place.channel, place.post)
        await place_post(tx, shop_id=shop_id, post_id=post_id, channel_id=channels[channel], external_post_id=external, now=now)
    return variants


async def _goods(tx: Tx, shop_id: UUID, offer: Offer, actor: Actor, now: datetime) -> tuple[UUID, list[UUID]]:
    drafts = [VariantDraft(goods.label, goods.price_minor, goods.values) for goods in offer.goods]
    product_id, ids = await create_product(tx, shop_id=shop_id, title=offer.title, variants=drafts, options=offer.options, now=now)
    for goods, variant_id in zip(offer.goods, ids, strict=True):
        await receive_first(
            tx,
            shop_id=shop_id,
            variant_id=variant_id,
            on_hand=goods.on_hand,
            sell_beyond=goods.sell_beyond,
            backorder_limit=goods.beyond,
            actor=actor,
            now=now,
        )
    return product_id, ids
