"""A shop that takes money online, and what tests do to its orders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain import db as database
from domain.audit.commands import Actor
from domain.payments import attempts
from domain.payments.accounts import Account, account_of_shop, set_account
from domain.payments.ecpay import read_form, read_notice
from domain.payments.results import take
from domain.payments.rules import OnlinePaymentMethod
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from domain.vault import Vault
from tests.build import NOW, AnOrder, AProduct, AShop, a_buyer, a_member, a_product, a_shop, an_order
from tests.ecpay_server import IV, KEY, MERCHANT, notice
from tests.serving import SECRET_KEY

JOBS = PgQueuerJobs()
VAULT = Vault(SECRET_KEY)
SETUP = Actor("worker:setup")
OWNER = Actor("member:1", "OWNER")


@dataclass(frozen=True, slots=True)
class Till:
    """A shop with its contract, one product, and a member's unpaid order of two pieces (1,180 TWD)."""

    shop: AShop
    product: AProduct
    account: Account
    member: UUID
    order: AnOrder


async def an_account(shop: AShop, vault: Vault = VAULT) -> Account:
    await set_account(
        shop_id=shop.id, merchant_id=MERCHANT, hash_key=KEY, hash_iv=IV, live=False, production=False, vault=vault, now=NOW, actor=SETUP
    )
    async with database.transaction() as tx:
        found = await account_of_shop(tx, shop.id, vault)
    assert found is not None
    return found


async def a_till(*, vault: Vault = VAULT, days: int | None = 3) -> Till:
    shop = await a_shop()
    product = await a_product(shop, variants=["紅"], on_hand=[9])
    member = await a_member()
    order = await an_order(shop, [(product.variants[0], 2)], buyer=await a_buyer(shop, member_id=member))
    await database.execute(
        'update "order" set pay_by = $2, version = version + 1 where id = $1',
        order.id,
        None if days is None else NOW + timedelta(days=days),
    )
    return Till(shop, product, await an_account(shop, vault), member, order)


async def begun(till: Till, method: OnlinePaymentMethod = OnlinePaymentMethod.CARD, at: datetime = NOW) -> str:
    """Begin to pay; answers the attempt's number at the provider."""
    found = await attempts.begin(
        order_id=till.order.id, member_id=till.member, method=method, vault=VAULT, now=at, actor=Actor(f"member:{till.member}")
    )
    number: str = await database.fetchval("select trade_no from payment_attempt where id = $1", found.attempt_id)
    return number


async def told(till: Till, body: bytes, at: datetime = NOW, source: str = "NOTICE") -> bool:
    return await take(account_id=till.account.id, told=read_notice(read_form(body)), source=source, now=at, jobs=JOBS)


async def paid(till: Till, number: str, amount: int = 1180, at: datetime = NOW) -> bool:
    return await told(till, notice(number, str(amount), f"26{number[1:15]}"), at)


async def attempt_of(number: str) -> tuple[str, int, int, str | None]:
    """(state, received, surplus, reason)"""
    row = await database.fetchrow(
        "select state, received_minor, surplus_minor, surplus_reason from payment_attempt where trade_no = $1", number
    )
    assert row is not None
    return tuple(row)  # type: ignore[return-value]


async def order_of(till: Till) -> tuple[str, str, int]:
    row = await database.fetchrow('select state, payment_state, paid_minor from "order" where id = $1', till.order.id)
    assert row is not None
    return tuple(row)  # type: ignore[return-value]


MONEY = """select (select coalesce(sum(received_minor), 0) from payment_attempt)
  = (select coalesce(sum(surplus_minor), 0) from payment_attempt) + (select coalesce(sum(amount_minor), 0) from payment where method = 'ONLINE')"""


async def no_money_is_lost() -> None:
    """All that came is either an order's payment or somebody's to give back."""
    assert await database.fetchval(MONEY)


async def grow(till: Till, total: int) -> None:
    """Another price than when the attempt was begun."""
    await database.execute("update order_line set unit_price_minor = $2 / quantity where order_id = $1", till.order.id, total)
    await database.execute(
        'update "order" set subtotal_minor = $2, total_minor = $2, version = version + 1 where id = $1', till.order.id, total
    )
