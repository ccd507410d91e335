"""Addresses for people who asked a bot for the way to their member account: token, then address, each outside of any transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from domain.bootstrap import Services
from domain.jobs import ACCOUNT_LINK, JobRunner, NotYet, Payload
from domain.members import account_links
from domain.members.account_links import DueLink
from domain.members.link_addresses import Opens, address
from domain.members.ports import AccountLinker, LinkRefused, LinkUnanswered
from domain.providers.line_bot import LineBot
from domain.words import language_for, say

log = logging.getLogger(__name__)

SWEEP: Final = "* * * * *"
AGAIN: Final = timedelta(seconds=20)
AT_A_TIME: Final = 3
"""Of a sweep: so few are told one after the other within their lease, however slow the platform is."""
SWEEP_SECONDS: Final = 50.0


class AccountLinks:
    """Sends addresses through one linker."""

    def __init__(self, linker: AccountLinker, services: Services) -> None:
        self._linker = linker
        self._services = services

    async def handle(self, payload: Payload) -> None:
        """Send the addresses of a job that are still due.

        Raises:
            NotYet: some are not to be had now.
        """
        ids, now = [UUID(text) for text in payload["links"]], self._services.clock.now
        taken = await account_links.claim_due(vault=self._services.vault, now=now(), ids=ids)
        await self._send(taken)
        left = set(ids) - {link.id for link in taken}
        if left and (due_in := await account_links.due_in(left, now=now())) is not None:
            raise NotYet(due_in)

    async def sweep(self) -> None:
        """Send what jobs have left behind."""
        services, clock = self._services, asyncio.get_running_loop().time
        until = clock() + SWEEP_SECONDS
        while due := await account_links.claim_due(vault=services.vault, now=services.clock.now(), limit=AT_A_TIME):
            await self._send(due)
            if clock() > until:
                return

    async def _send(self, links: Sequence[DueLink]) -> None:
        services = self._services
        for link in links:
            try:
                await self._one(link)
            except LinkRefused as error:
                log.warning("account link %s: refused %s", link.id, error)
                await account_links.give_up(link, now=services.clock.now())
            except LinkUnanswered as error:
                log.info("account link %s: again, %s", link.id, error)
                await account_links.try_again(link, after=AGAIN * link.tries, now=services.clock.now(), jobs=services.jobs)

    async def _one(self, link: DueLink) -> None:
        services, base = self._services, self._services.settings.app_link_url
        if base is None or link.access_token is None:
            raise LinkRefused(
                "no PLUSONE_APP_LINK_URL" if base is None else "the access token does not open: PLUSONE_SECRET_KEY was changed"
            )
        token = await self._linker.link_token(link.person, access_token=link.access_token)
        # Before it is sent, for it may be opened at once.
        await account_links.keep_token(link, token, vault=services.vault, now=services.clock.now())
        text = say(account_links.ADDRESS, language_for(link.locale)).format(link=address(base, Opens.ACCOUNT, link.id, services.vault))
        await self._linker.tell(link.person, text, reply_token=link.reply_token, retry_key=_key(link), access_token=link.access_token)
        await account_links.told(link)


def _key(link: DueLink) -> UUID:
    """One message per try: a later one says the same with a token that lives longer."""
    return UUID(int=link.id.int ^ link.tries)


def register(runner: JobRunner, services: Services, linker: AccountLinker | None = None) -> None:
    """Teach a runner these jobs."""
    links = AccountLinks(linker or LineBot(services.settings.line_api_url), services)
    runner.handle(ACCOUNT_LINK, links.handle)
    runner.every(SWEEP, "sweep-account-links", links.sweep)
