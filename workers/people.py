"""Schedules about people: names that a delivery wrote beside a merge, and accounts that are to be forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from domain.bootstrap import Services
from domain.jobs import JobRunner
from domain.members import account_links, claim_codes, deletion, export, merging

FOLLOW_MISSED: Final = "*/5 * * * *"
DELETE_DUE: Final = "47 * * * *"
KEPT: Final = timedelta(days=30)
"""Old codes, links and exports stay so long, for whoever asks what happened."""


def register(runner: JobRunner, services: Services) -> None:
    """Teach a runner these schedules."""

    async def missed() -> None:
        await merging.follow_missed(services.clock.now())

    async def due() -> None:
        now = services.clock.now()
        await deletion.run_due(now, services.jobs)
        await deletion.erase_again(now)
        await claim_codes.forget_codes(now - KEPT)
        await account_links.forget_links(now - KEPT)
        await export.forget_exports(now - KEPT)

    runner.every(FOLLOW_MISSED, "follow-missed-names", missed)
    runner.every(DELETE_DUE, "delete-due-accounts", due)
