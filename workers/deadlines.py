"""What falls due by itself: unpaid orders whose time is over, reminders before that, and audit entries to be sealed."""

from __future__ import annotations

from domain.audit.seal import seal
from domain.bootstrap import Services
from domain.claims.passing import pass_on_due
from domain.orders.commands import expire_due
from domain.orders.reminders import remind_due
from domain.payments.transfers import lapse_due
from domain.shipping.commands import remind_last_days

ORDERS_AT_ONCE = 5_000
REMINDERS_AT_ONCE = 5_000
OFFERS_AT_ONCE = 5_000
REPORTS_AT_ONCE = 1_000
ENTRIES_AT_ONCE = 5_000


async def sweep(services: Services) -> None:
    """End reports of transfers that nobody answered, expire orders that are due, remind of those that soon are, pass on offers, seal what can be.

    Run it every few seconds, in as many processes as there are.
    """
    now = services.clock.now()
    while await lapse_due(now=now, limit=REPORTS_AT_ONCE, jobs=services.jobs) == REPORTS_AT_ONCE:
        pass
    while await expire_due(now=now, limit=ORDERS_AT_ONCE, jobs=services.jobs) == ORDERS_AT_ONCE:
        pass
    while await remind_due(now=now, limit=REMINDERS_AT_ONCE, jobs=services.jobs) == REMINDERS_AT_ONCE:
        pass
    while await remind_last_days(now=now, limit=REMINDERS_AT_ONCE, jobs=services.jobs) == REMINDERS_AT_ONCE:
        pass
    while await pass_on_due(now=now, limit=OFFERS_AT_ONCE, jobs=services.jobs) == OFFERS_AT_ONCE:
        pass
    while await seal(now=now, limit=ENTRIES_AT_ONCE) == ENTRIES_AT_ONCE:
        pass
