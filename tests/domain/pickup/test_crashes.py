"""A command that dies before any of its statements leaves nothing; done again it does the whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.audit.commands import Actor
from domain.db import Tx
from domain.orders.commands import cancel, expire_due
from domain.payments.commands import mark_paid
from domain.payments.rules import PaymentMethod
from domain.pickup import commands
from domain.pickup.commands import PickupSigner
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from domain.stock.commands import adjust, set_quantity
from domain.stock.rules import AdjustReason, SellBeyond
from domain.vault import Vault
from tests.books import books_agree, everything
from tests.build import NOW, AnOrder, a_buyer, a_device, a_member, a_shop, a_variant, an_order

JOBS = PgQueuerJobs()
VAULT = Vault("a secret of at least thirty-two characters")
SIGNER = PickupSigner(0, Ed25519PrivateKey.from_private_bytes(bytes(32)))
KEYS = {0: SIGNER.private_key.public_key()}
CLERK_ID = UUID(int=7)
CLERK = Actor(f"member:{CLERK_ID}", "OWNER")
Act = Callable[[], Awaitable[Any]]


class PowerCutError(Exception):
    pass


async def _paid(order: AnOrder) -> None:
    await mark_paid(
        order_id=order.id, shop_id=order.shop_id, method=PaymentMethod.CASH, reference="櫃台", amount_minor=None, expected_version=None,
        actor=CLERK, by_member_id=CLERK_ID, now=NOW, jobs=JOBS,
    )  # fmt: skip


async def prepared(act: str) -> Act:
    """A shop in which this act can be done, and the act."""
    shop, member = await a_shop(), await a_member()
    await a_device(member)
    variant = await a_variant(shop, on_hand=0 if act == "goods arrive" else 5, sell_beyond=SellBeyond.OVERSELL, backorder_limit=9)
    order = await an_order(shop, [(variant, 2)], buyer=await a_buyer(shop, member_id=member))
    at: dict[str, Any] = {"actor": CLERK, "now": NOW, "jobs": JOBS}
    stock: dict[str, Any] = {"shop_id": shop.id, "variant_id": variant.id, "reason": AdjustReason.RECEIPT, **at}
    if act == "cancel":
        return lambda: cancel(order_id=order.id, shop_id=shop.id, reason="", **at)
    if act == "expire":
        return lambda: expire_due(now=NOW + timedelta(days=9), limit=10, jobs=JOBS)
    if act == "adjust":
        return lambda: adjust(delta=3, **stock)
    if act == "count":
        return lambda: set_quantity(quantity=9, change_from_quantity=5, **stock)
    if act == "pay":
        return lambda: _paid(order)
    await _paid(order)
    if act == "goods arrive":
        await adjust(delta=5, **stock)
        return lambda: commands.ready_waiting_orders(shop_id=shop.id, variant_ids=[variant.id], now=NOW, jobs=JOBS)
    if act == "issue":
        return lambda: commands.issue(member_id=member, pickup_id=None, shop_id=shop.id, signer=SIGNER, now=NOW)
    issued = await commands.issue(member_id=member, pickup_id=None, shop_id=shop.id, signer=SIGNER, now=NOW)
    preview = await commands.scan(
        shop_id=shop.id, token=issued.token, scanner_id=CLERK_ID, device="", public_keys=KEYS, vault=VAULT, now=NOW
    )
    return lambda: commands.confirm(
        shop_id=shop.id, scan_id=preview.scan_id, lines=None, collected_minor=0, by_member_id=CLERK_ID, device="", vault=VAULT, **at
    )


class Fuse:
    """Counts the statements of transactions and cuts the power before the n-th."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = -1
        self.seen = 0
        for name in ("fetch", "fetchrow", "fetchval", "execute"):
            monkeypatch.setattr(Tx, name, self._wired(getattr(Tx, name)))

    def _wired(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def statement(tx: Tx, sql: str, *args: object) -> Any:
            self.seen += 1
            if self.left == 0:
                raise PowerCutError
            self.left -= 1
            return await method(tx, sql, *args)

        return statement


@pytest.mark.parametrize("act", ["cancel", "expire", "adjust", "count", "pay", "goods arrive", "issue", "confirm"])
async def test_a_crash_between_any_two_statements_leaves_nothing_half_done(db: str, monkeypatch: pytest.MonkeyPatch, act: str) -> None:
    do = await prepared(act)
    before = await everything()
    fuse = Fuse(monkeypatch)
    cuts = 0
    while True:
        fuse.left = cuts
        try:
            await do()
            break
        except PowerCutError:
            fuse.left = -1
            assert await everything() == before
            cuts += 1
    assert cuts >= 3
    assert await everything() != before
    await books_agree()
