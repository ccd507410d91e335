"""A shop that offers every way of delivery, and buyers who choose, for tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain import db as database
from domain.audit.commands import Actor
from domain.delivery import choosing, offers
from domain.delivery.choosing import Choice, Recipient
from domain.delivery.offers import Offer
from domain.delivery.rules import DeliveryKind, StoreChain
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from tests.build import NOW, AnOrder, AShop, a_shop

JOBS = PgQueuerJobs()
OWNER_ID = UUID(int=1)
OWNER = Actor(f"member:{OWNER_ID}", "OWNER")
TOMORROW = NOW + timedelta(days=1)
MOTHER = Recipient("王媽媽", "0912345678")
HOME = Recipient("王媽媽", "+886 2 2345-6789", "104", "臺北市中山區南京東路一段 1 號")


@dataclass(frozen=True, slots=True)
class Ways:
    """Offers of a shop by kind, and a slot."""

    shop: AShop
    meet: UUID
    slot: UUID
    store: UUID
    home: UUID

    def at_slot(self, slot: UUID | None = None) -> Choice:
        return Choice(self.meet, slot or self.slot)

    def at_store(self, code: str = "131386") -> Choice:
        return Choice(self.store, None, code, "鑫台北門市", MOTHER)

    def to_home(self, who: Recipient = HOME) -> Choice:
        return Choice(self.home, recipient=who)


async def a_slot(shop: AShop, offer: UUID, capacity: int = 2, *, starts_at: datetime = TOMORROW, hours: int = 2) -> UUID:
    return await offers.add_slot(
        shop_id=shop.id,
        offer_id=offer,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=hours),
        capacity=capacity,
        actor=OWNER,
        now=NOW,
    )


async def a_shop_with_ways(capacity: int = 2, shop: AShop | None = None) -> Ways:
    shop = shop or await a_shop()
    made = [
        await offers.add_offer(shop_id=shop.id, offer=offer, actor=OWNER, now=NOW)
        for offer in (
            Offer(DeliveryKind.FACE_TO_FACE, "捷運面交", 0, "中山站 2 號出口"),
            Offer(DeliveryKind.CONVENIENCE_STORE, "7-11 店到店", 60, "", StoreChain.SEVEN_ELEVEN),
            Offer(DeliveryKind.HOME, "宅配到府", 120),
        )
    ]
    return Ways(shop, made[0], await a_slot(shop, made[0], capacity), made[1], made[2])


async def chosen(member: UUID, order: AnOrder, choice: Choice, *, version: int | None = None, now: datetime = NOW) -> None:
    await choosing.choose(order_id=order.id, member_id=member, choice=choice, expected_version=version, now=now)


async def money_of(order: AnOrder) -> tuple[str, int, int]:
    """(method, shipping, total) of an order."""
    row = await database.fetchrow('select delivery_method, shipping_minor, total_minor from "order" where id = $1', order.id)
    assert row is not None
    return row["delivery_method"], row["shipping_minor"], row["total_minor"]


async def taken(slot: UUID) -> int:
    found: int = await database.fetchval("select taken from pickup_slot where id = $1", slot)
    return found
