"""Asks the payment providers about attempts of which nothing was heard, one after the other; what they answer is taken like a notice."""

from __future__ import annotations

import logging
from typing import Final

from domain import db
from domain.bootstrap import Services
from domain.jobs import JobRunner
from domain.payments import ecpay
from domain.payments.accounts import opened
from domain.payments.attempts import site
from domain.payments.results import still_open, take, unanswered
from domain.providers.ecpay import TooFast, ask

log = logging.getLogger(__name__)

ASK_OPEN: Final = "*/2 * * * *"
AT_ONCE: Final = 50
OPEN_ATTEMPTS: Final = """
select t.id as attempt_id, t.trade_no, a.id, a.shop_id, a.slug, a.merchant_id, a.hash_key_encrypted, a.hash_iv_encrypted, a.live
from payment_attempt t join payment_account a on a.id = t.account_id where t.ask_at <= $1 order by t.ask_at, t.id limit $2"""


def register(runner: JobRunner, services: Services) -> None:
    """Teach a runner this schedule."""

    async def due() -> None:
        await ask_due(services)

    runner.every(ASK_OPEN, "ask-open-payments", due)


async def ask_due(services: Services) -> int:
    """Ask about every attempt whose time for it has come, at most AT_ONCE; answers how many were asked about."""
    now = services.clock.now()
    rows = await db.fetch(OPEN_ATTEMPTS, now, AT_ONCE)
    for asked, row in enumerate(rows):
        account = opened(row, services.vault)
        try:
            told = await ask(
                site(account, services.settings.ecpay_url), account.merchant_id, account.keys, row["trade_no"], services.clock.now()
            )
        except TooFast:
            log.warning("the payment provider refuses questions for a while", extra={"shop": str(account.shop_id)})
            return asked
        if told is None:
            await unanswered(attempt_id=row["attempt_id"], now=services.clock.now())
        elif told.word is ecpay.Word.UNPAID:
            await still_open(attempt_id=row["attempt_id"], now=services.clock.now())
        else:
            await take(account_id=account.id, told=told, source="QUERY", now=services.clock.now(), jobs=services.jobs)
    return len(rows)
