"""Giving back what Apple holds for members who were deleted."""

from __future__ import annotations

import logging

from domain.bootstrap import Services
from domain.members import grants
from domain.providers.apple_tokens import AppleTokens

log = logging.getLogger(__name__)

EVERY_HOUR = "17 * * * *"


async def give_back(apple: AppleTokens | None, services: Services) -> int:
    """Revoke the grants of deleted members at Apple; answers how many are done. Those that Apple does not take now come again hours later."""
    if apple is None:
        return 0
    now = services.clock.now()
    await grants.note_deleted(now)
    done = 0
    for grant in await grants.claim_due("apple", services.vault, now):
        if grant.token is None:
            log.error("a grant of a deleted member does not open: PLUSONE_SECRET_KEY was changed")
        elif await apple.revoke(grant.token, grant.client_id, now):
            await grants.given_back(grant.id)
            done += 1
    return done
