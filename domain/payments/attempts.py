"""Attempts to pay an order online: begun by the buyer, led to the provider by a page of ours, and never holding stock for long."""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor
from domain.db import Tx
from domain.errors import NotFound
from domain.ids import new_id
from domain.orders.commands import LockedOrder, add_events, lock_order
from domain.payments import ecpay
from domain.payments.accounts import Account, account_of_shop, opened
from domain.payments.commands import check_payable
from domain.payments.errors import NotOnline, TooManyAttempts
from domain.payments.rules import OnlinePaymentMethod
from domain.vault import Vault

PAGE_LIFE: Final = timedelta(minutes=30)
LEAST_LEFT: Final = timedelta(minutes=10)
"""With less time than this before the deadline no attempt is begun: the money would come too late."""
GRACE: Final = timedelta(minutes=30)
"""So long after the deadline of its order, or the end of its number, a pending attempt keeps the order from expiring: the provider is asked first."""
FIRST_QUESTION: Final = timedelta(minutes=10)
"""The provider's answers are not to be trusted sooner."""
MOST_PER_HOUR: Final = 10
LARGEST_MINOR: Final = 200_000
LARGEST_CODE_MINOR: Final = 20_000
"""What a card or an account number takes at most, and a store's code."""
SMALLEST_CODE_MINOR: Final = 31
OPEN: Final = "update payment_attempt set opened_at = coalesce(opened_at, $2) where id = $1 and state = 'PENDING'"
_SYMBOLS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt and the address of the page that leads to the provider."""

    attempt_id: UUID
    path: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """What the page posts to `url` on the buyer's behalf; None when the attempt is over, and then `state` says how it ended."""

    url: str
    fields: dict[str, str]
    state: str
    shop_name: str
    order_number: str


async def begin(*, order_id: UUID, member_id: UUID, method: OnlinePaymentMethod, vault: Vault, now: datetime, actor: Actor) -> Begun:
    """Begin to pay what is due on an order of this member.

    Raises:
        NotFound: no such order of this member.
        AlreadyPaid: nothing is owed.
        InvalidTransition: the order is past OPEN, or its payment is in a state from which it cannot be paid.
        NotOnline: the shop has no contract, or the amount, the currency or the time left do not fit the method.
        TooManyAttempts: ten within the hour.
    """
    async with db.transaction() as tx:
        order, pay_by = await _own_order(tx, order_id, member_id)
        check_payable(order)
        account = await account_of_shop(tx, order.shop_id, vault)
        if account is None or method not in methods_for(order.due_minor, order.currency, pay_by, now):
            raise NotOnline(order.id)
        recent = await tx.fetchval(
            "select count(*) from payment_attempt where order_id = $1 and created_at > $2", order.id, now - timedelta(hours=1)
        )
        if recent >= MOST_PER_HOUR:
            raise TooManyAttempts(order.id)
        attempt_id = await _write(tx, order, account, method, member_id, pay_by, now)
        await add_events(
            tx, "PAYMENT_BEGUN", [order], {order.id: {"method": method.value, "amountMinor": order.due_minor}}, actor=actor, now=now
        )
    return Begun(attempt_id, page_path(attempt_id, vault), now + PAGE_LIFE)


def methods_for(due_minor: int, currency: str, pay_by: datetime | None, now: datetime) -> list[OnlinePaymentMethod]:
    """Ways in which this much may be paid online with this much time left. Pure."""
    if currency != ecpay.CURRENCY or not 0 < due_minor <= LARGEST_MINOR or (pay_by is not None and pay_by - now < LEAST_LEFT):
        return []
    found = [OnlinePaymentMethod.CARD]
    if ecpay.atm_days(pay_by, now) >= 1:
        found.append(OnlinePaymentMethod.ATM)
    if SMALLEST_CODE_MINOR <= due_minor <= LARGEST_CODE_MINOR:
        found.append(OnlinePaymentMethod.STORE_CODE)
    return found


async def page(*, token: str, base_url: str, ecpay_url: str | None, vault: Vault, now: datetime) -> Page | None:
    """What the page of this address does; None when there is no such page."""
    attempt_id = read_token(token, vault)
    if attempt_id is None:
        return None
    row = await db.fetchrow(
        """select t.trade_no, t.amount_minor, t.method, t.state, t.page_until, t.created_at, o.pay_by, o.number, o.state as order_state,
                  t.opened_at, s.name as shop_name, a.id, a.shop_id, a.slug, a.merchant_id, a.hash_key_encrypted, a.hash_iv_encrypted, a.live
           from payment_attempt t join payment_account a on a.id = t.account_id join "order" o on o.id = t.order_id
           join shop s on s.id = t.shop_id where t.id = $1""",
        attempt_id,
    )
    if row is None:
        return None
    usable = row["state"] == "PENDING" and row["order_state"] == "OPEN" and now < row["page_until"]
    if usable and row["opened_at"] is None:
        # From here on the provider may know of it. Who ends it does that by the same row, so one of the two comes first.
        usable = await db.execute(OPEN, attempt_id, now) == 1
    state = row["state"] if row["state"] != "PENDING" or usable else "EXPIRED"
    account = opened(row, vault)
    fields = (
        ecpay.form(
            merchant_id=account.merchant_id,
            keys=account.keys,
            trade_no=row["trade_no"],
            amount_minor=row["amount_minor"],
            method=OnlinePaymentMethod(row["method"]),
            shop=row["shop_name"],
            item=f"{row['shop_name']} {row['number']}",
            notify_url=f"{base_url}/payments/ecpay/{account.slug}",
            back_url=f"{base_url}/pay/{token}/back",
            pay_by=row["pay_by"],
            now=row["created_at"],
        )
        if usable
        else {}
    )
    return Page(site(account, ecpay_url) + ecpay.CHECK_OUT, fields, state, row["shop_name"], row["number"])


def site(account: Account, ecpay_url: str | None) -> str:
    """The provider's site of this contract; `ecpay_url` stands in its place where it is set."""
    return (ecpay_url or (ecpay.LIVE if account.live else ecpay.STAGE)).rstrip("/")


def page_path(attempt_id: UUID, vault: Vault) -> str:
    """`/pay/{token}`; nobody guesses it, and it tells nothing but the attempt."""
    raw = attempt_id.bytes + vault.mac("pay-page", attempt_id.bytes)[:16]
    return "/pay/" + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_token(token: str, vault: Vault) -> UUID | None:
    """The attempt that a page's token names; None when it was not made here."""
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    if len(raw) != 32:
        return None
    attempt_id = UUID(bytes=raw[:16])
    return attempt_id if hmac.compare_digest(page_path(attempt_id, vault), f"/pay/{token}") else None


async def _own_order(tx: Tx, order_id: UUID, member_id: UUID) -> tuple[LockedOrder, datetime | None]:
    row = await tx.fetchrow('select shop_id from "order" where id = $1 and member_id = $2', order_id, member_id)
    if row is None:
        raise NotFound
    order = await lock_order(tx, order_id, row["shop_id"])
    held = await tx.fetchrow('select member_id, pay_by from "order" where id = $1', order_id)
    if held is None or held["member_id"] != member_id:
        raise NotFound
    return order, held["pay_by"]


async def _write(
    tx: Tx, order: LockedOrder, account: Account, method: OnlinePaymentMethod, member_id: UUID, pay_by: datetime | None, now: datetime
) -> UUID:
    attempt_id = new_id()
    await tx.execute(
        """insert into payment_attempt (id, shop_id, order_id, account_id, member_id, trade_no, method, amount_minor, currency, state,
                                        provider_no, code, bank, number, received_minor, surplus_minor, return_note, asked,
                                        created_at, page_until, hold_until, ask_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'PENDING', '', '', '', '', 0, 0, '', 0, $10, $11, $12, $13)""",
        attempt_id,
        order.shop_id,
        order.id,
        account.id,
        member_id,
        "P" + "".join(secrets.choice(_SYMBOLS) for _ in range(19)),
        method.value,
        order.due_minor,
        order.currency,
        now,
        now + PAGE_LIFE,
        None if pay_by is None else pay_by + GRACE,
        now + FIRST_QUESTION,
    )
    return attempt_id
