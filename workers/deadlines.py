"""What falls due by itself: unpaid orders whose time is over, reminders before that, and audit entries to be sealed."""

from __future__ import annotations

from domain.audit.seal import seal
from domain.bootstrap import Services
from domain.orders.commands import expire_due
from domain.orders.reminders import remind_due
from domain.shipping.reminders import remind_last_days

ORDERS_AT_ONCE = 5_000
REMINDERS_AT_ONCE = 5_000
ENTRIES_AT_ONCE = 5_000


async def sweep(services: Services) -> None:
    """Expire every order that is due, remind of those that soon are, and seal what can be sealed. Run it every few seconds, in as many processes as there are."""
    now = services.clock.now()
    while await expire_due(now=now, limit=ORDERS_AT_ONCE, jobs=services.jobs) == ORDERS_AT_ONCE:
        pass
    while await remind_due(now=now, limit=REMINDERS_AT_ONCE, jobs=services.jobs) == REMINDERS_AT_ONCE:
        pass
    while await remind_last_days(now=now, limit=REMINDERS_AT_ONCE, jobs=services.jobs) == REMINDERS_AT_ONCE:
        pass
    while await seal(now=now, limit=ENTRIES_AT_ONCE) == ENTRIES_AT_ONCE:
        pass
