"""A counter for tests: one shop, one buyer, one clerk; what it asks of the pickup room, and what a refusal leaves behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain import db as database
from domain.audit.commands import Actor
from domain.payments.commands import mark_paid
from domain.payments.rules import PaymentMethod
from domain.pickup import commands
from domain.pickup.commands import IssuedPass, PickupSigner, ScanPreview
from domain.pickup.errors import PickupRefused
from domain.pickup.hand_over import HandOverResult
from domain.pickup.rules import LineQuantity, PickupRefusal
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from domain.vault import Vault
from tests.books import everything
from tests.build import NOW, ABuyer, AnOrder, AShop, AVariant, a_buyer, a_member, a_product, a_shop, an_order

JOBS = PgQueuerJobs()
VAULT = Vault("a secret of at least thirty-two characters")
SIGNER = PickupSigner(0, Ed25519PrivateKey.from_private_bytes(bytes(32)))
KEYS = {0: SIGNER.private_key.public_key()}
CLERK_ID = UUID(int=7)
CLERK = Actor(f"member:{CLERK_ID}", "SCANNER")
R = PickupRefusal


async def paid(shop: AShop, lines: Sequence[tuple[AVariant, int]], buyer: ABuyer, at: datetime = NOW) -> AnOrder:
    """An order that was paid at this instant."""
    order = await an_order(shop, lines, buyer=buyer)
    await pay(order, at=at)
    return order


async def pay(order: AnOrder, at: datetime = NOW) -> None:
    await mark_paid(
        order_id=order.id, shop_id=order.shop_id, method=PaymentMethod.CASH, reference="櫃台", amount_minor=None, expected_version=None,
        actor=CLERK, by_member_id=CLERK_ID, now=at, jobs=JOBS,
    )  # fmt: skip


class Counter:
    """A shop with one buyer who may collect 2 red and 1 white."""

    shop: AShop
    buyer: ABuyer
    member: UUID
    red: AVariant
    white: AVariant
    order: AnOrder

    @classmethod
    async def open(cls) -> Counter:
        self = cls()
        self.shop, self.member = await a_shop(), await a_member()
        self.buyer = await a_buyer(self.shop, member_id=self.member, name="陳小美")
        self.red, self.white = (await a_product(self.shop, variants=["紅", "白"], on_hand=[3, 4])).variants
        self.order = await paid(self.shop, [(self.red, 2), (self.white, 1)], self.buyer)
        return self

    async def issue(self, now: datetime = NOW) -> IssuedPass:
        return await commands.issue(member_id=self.member, pickup_id=None, shop_id=self.shop.id, signer=SIGNER, now=now)

    async def scan(
        self, token: str, *, now: datetime = NOW, shop: AShop | None = None, scanner: UUID = CLERK_ID, slot: UUID | None = None
    ) -> ScanPreview:
        return await commands.scan(
            shop_id=(shop or self.shop).id,
            token=token,
            scanner_id=scanner,
            device="櫃台 1",
            public_keys=KEYS,
            vault=VAULT,
            now=now,
            slot_id=slot,
        )

    async def confirm(
        self,
        scan_id: str,
        lines: Sequence[LineQuantity] | None = None,
        *,
        now: datetime = NOW,
        collected: int = 0,
        shop: AShop | None = None,
        by: UUID = CLERK_ID,
    ) -> HandOverResult:
        return await commands.confirm(
            shop_id=(shop or self.shop).id, scan_id=scan_id, lines=lines, collected_minor=collected, actor=CLERK, by_member_id=by, device="櫃台 1",
            vault=VAULT, now=now, jobs=JOBS,
        )  # fmt: skip

    async def state(self) -> tuple[str, str, str]:
        row = await database.fetchrow(
            """select o.state, o.fulfilment_state, p.state as pickup from "order" o join pickup_order using (shop_id) join pickup p on p.id = pickup_id
               where o.id = $1 and order_id = $1""",
            self.order.id,
        )
        assert row is not None
        return tuple(row)  # type: ignore[return-value]


async def refused(awaitable: Any, refusal: R, *, changed: Sequence[str] = ("audit_entry",)) -> Mapping[str, Any]:
    """The facts of this refusal, after which nothing but an audit entry was written."""
    before = await everything(but=changed)
    with pytest.raises(PickupRefused) as caught:
        await awaitable
    assert caught.value.refusal is refusal
    assert await everything(but=changed) == before
    if "audit_entry" in changed:
        entry = await database.fetchrow("select action, detail from audit_entry order by id desc limit 1")
        assert entry is not None
        assert (entry["action"], database.from_jsonb(entry["detail"])) == ("pickup.refused", {"refusal": refusal.value, "device": "櫃台 1"})
    return caught.value.facts
