"""Telling members about their sign-in: a look every minute at alerts that are due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from api.notifications.alerts import alert_text
from api.notifications.fcm import Outcome, PushGateway, PushMessage
from domain.bootstrap import Services
from domain.ids import public_id
from domain.members import alerts
from domain.members.alerts import DueAlert


async def send_due(gateway: PushGateway | None, services: Services) -> int:
    """Send what is due; answers how many alerts need no further try.

    An alert is done when every device has it or never will; one that was put off is sent again, under the same id, after its lease.
    Without a gateway nothing is taken: a configured worker may come before it is too late.
    """
    if gateway is None:
        return 0
    now = services.clock.now()
    due = await alerts.claim_due(now)
    results = iter(await gateway.send([message for alert in due for message in _messages(alert, now)]))
    done = []
    for alert in due:
        outcomes = [next(results).outcome for _ in alert.targets]
        if not {Outcome.RETRY, Outcome.MISCONFIGURED} & set(outcomes):
            done.append(alert.id)
    await alerts.mark_sent(done, services.clock.now())
    return len(done)


def _messages(alert: DueAlert, now: datetime) -> Iterator[PushMessage]:
    dedupe = public_id("alert", alert.id)
    for target in alert.targets:
        text = alert_text(alert.kind, target.locale)
        yield PushMessage(
            target_kind=target.target_kind,
            target=target.target,
            dedupe_id=dedupe,
            title=text.title,
            body=text.body,
            data={"kind": f"SIGN_IN_{alert.kind.value}", "alert_id": dedupe, "deep_link": text.deep_link},
            use_by=alert.use_by,
            ttl_seconds=max(int((alert.use_by - now).total_seconds()), 0),
            channel="security",
        )
