"""Shops' contracts with a payment provider."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Record, Tx
from domain.ids import new_id
from domain.payments.ecpay import CURRENCY, PUBLIC_TEST_SHOPS, Keys
from domain.payments.errors import InvalidAccount
from domain.vault import SealBroken, Vault

ECPAY: Final = "ECPAY"
MERCHANT: Final = re.compile(r"[0-9]{1,10}")
SECRET: Final = re.compile(r"[A-Za-z0-9]{16}")
_COLUMNS: Final = "a.id, a.shop_id, a.slug, a.merchant_id, a.hash_key_encrypted, a.hash_iv_encrypted, a.live"


@dataclass(frozen=True, slots=True)
class Account:
    """A contract with its keys opened."""

    id: UUID
    shop_id: UUID
    slug: str
    merchant_id: str
    keys: Keys = field(repr=False)
    live: bool = False


async def set_account(
    *, shop_id: UUID, merchant_id: str, hash_key: str, hash_iv: str, live: bool, production: bool, vault: Vault, now: datetime, actor: Actor
) -> tuple[UUID, bool]:
    """Give a shop its contract with ECPay; answers its id and whether anything changed.

    Another merchant or another site is another contract: the former one ends, and notices about its attempts are still taken. New keys of
    the same merchant take the place of the old ones.

    Raises:
        InvalidAccount: the named field cannot be (`currency`: the shop's), or a public test merchant on the live site, or one of the test site in production.
    """
    _check(merchant_id, hash_key, hash_iv, live=live, production=production)
    async with db.transaction() as tx:
        if await tx.fetchval("select currency from shop where id = $1", shop_id) != CURRENCY:
            raise InvalidAccount("currency")
        row = await tx.fetchrow(
            f"select {_COLUMNS} from payment_account a where a.shop_id = $1 and a.provider = $2 and a.ended_at is null for update",
            shop_id,
            ECPAY,
        )
        if row is not None and (row["merchant_id"], row["live"]) == (merchant_id, live):
            return row["id"], await _reseal(tx, row, Keys(hash_key, hash_iv), vault=vault, now=now, actor=actor)
        if row is not None:
            await tx.execute("update payment_account set ended_at = $2 where id = $1", row["id"], now)
        account_id = new_id()
        await tx.execute(
            """insert into payment_account (id, shop_id, provider, slug, merchant_id, hash_key_encrypted, hash_iv_encrypted, live, created_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
            account_id,
            shop_id,
            ECPAY,
            secrets.token_urlsafe(24),
            merchant_id,
            vault.seal(hash_key),
            vault.seal(hash_iv),
            live,
            now,
        )
        await record(tx, actor, [Entry(shop_id, "payment_account.set", "payment_account", account_id, {"live": live})], now=now)
        return account_id, True


async def account_by_slug(slug: str, vault: Vault) -> Account | None:
    """The contract whose notices come by this address, ended ones too: money may be late."""
    row = await db.fetchrow(f"select {_COLUMNS} from payment_account a where a.slug = $1", slug)
    return None if row is None else opened(row, vault)


async def account_of_shop(tx: Tx, shop_id: UUID, vault: Vault) -> Account | None:
    """The shop's standing contract."""
    row = await tx.fetchrow(f"select {_COLUMNS} from payment_account a where a.shop_id = $1 and a.ended_at is null", shop_id)
    return None if row is None else opened(row, vault)


def opened(row: Record, vault: Vault) -> Account:
    """A row of payment_account with its keys opened; raises SealBroken."""
    keys = Keys(vault.open(row["hash_key_encrypted"]).decode(), vault.open(row["hash_iv_encrypted"]).decode())
    return Account(row["id"], row["shop_id"], row["slug"], row["merchant_id"], keys, row["live"])


def _check(merchant_id: str, hash_key: str, hash_iv: str, *, live: bool, production: bool) -> None:
    if MERCHANT.fullmatch(merchant_id) is None or (live and merchant_id in PUBLIC_TEST_SHOPS):
        raise InvalidAccount("merchant_id")
    if production and not live:
        raise InvalidAccount("live")
    for name, value in (("hash_key", hash_key), ("hash_iv", hash_iv)):
        if SECRET.fullmatch(value) is None:
            raise InvalidAccount(name)


async def _reseal(tx: Tx, row: Record, keys: Keys, *, vault: Vault, now: datetime, actor: Actor) -> bool:
    try:
        same = opened(row, vault).keys == keys
    except SealBroken:
        same = False
    if not same:
        await tx.execute(
            "update payment_account set hash_key_encrypted = $2, hash_iv_encrypted = $3 where id = $1",
            row["id"],
            vault.seal(keys.hash_key),
            vault.seal(keys.hash_iv),
        )
        await record(tx, actor, [Entry(row["shop_id"], "payment_account.keys", "payment_account", row["id"], {})], now=now)
    return not same
