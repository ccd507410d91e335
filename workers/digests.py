"""Digests of the day: a look every minute at those that are due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from api.notifications.digest import digest_text
from api.notifications.fcm import Outcome, PushGateway, PushMessage
from domain.bootstrap import Services
from domain.ids import public_id
from domain.notices import digests
from domain.notices.digests import DueDigest


async def send_digests(gateway: PushGateway | None, services: Services) -> int:
    """Send what is due; answers how many digests need no further try.

    A digest whose notices were all read meanwhile is not sent. One that was put off is sent again, under the same id, after its lease.
    Without a gateway nothing is taken: a configured worker may come before it is too late.
    """
    if gateway is None:
        return 0
    now = services.clock.now()
    due = await digests.claim_due(now)
    told = [digest for digest in due if digest.count and digest.targets]
    results = iter(await gateway.send([message for digest in told for message in _messages(digest, now)]))
    sent, empty = [], [digest for digest in due if not (digest.count and digest.targets)]
    for digest in told:
        outcomes = {next(results).outcome for _ in digest.targets}
        if Outcome.SENT in outcomes:
            sent.append(digest)
        elif not {Outcome.RETRY, Outcome.MISCONFIGURED} & outcomes:
            empty.append(digest)
    await digests.close(sent, empty, now=services.clock.now())
    return len(sent) + len(empty)


def _messages(digest: DueDigest, now: datetime) -> Iterator[PushMessage]:
    dedupe = public_id("digest", digest.id)
    for target in digest.targets:
        text = digest_text(digest.count, digest.shops, target.locale)
        yield PushMessage(
            target_kind=target.target_kind,
            target=target.target,
            dedupe_id=dedupe,
            title=text.title,
            body=text.body,
            data={"kind": "DIGEST", "digest_id": dedupe, "deep_link": text.deep_link},
            use_by=digest.use_by,
            ttl_seconds=max(int((digest.use_by - now).total_seconds()), 0),
        )
