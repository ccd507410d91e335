"""The way out: pushes to phones and replies to platforms.

Take, do, mark: rows are leased in one short transaction, the network is asked outside of any, and the outcome is marked in another. A job
only says which rows; whatever becomes of it, the sweepers find rows that are left over. So a job that runs twice sends nothing twice, and a
process that dies between sending and marking sends once more, under the same dedupe id.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from api.notifications.fcm import FcmGateway, Outcome, PushGateway, PushMessage, PushResult, gateway_of
from api.notifications.messages import push_text
from domain import db
from domain.bootstrap import Services
from domain.claims import replies
from domain.claims.ports import ReplyDelayed, ReplyRefused, ReplySender
from domain.claims.replies import Reply
from domain.ids import public_id
from domain.jobs import PUSH, REPLY, JobRunner, NotYet, Payload
from domain.members import inbox_ids
from domain.notices import deliveries
from domain.notices.deciding import admit
from domain.notices.deliveries import Push
from domain.providers.platforms.fake import HttpReplySender
from workers.alerts import send_due
from workers.digests import send_digests
from workers.private_links import CannotCarry, carrying, without_address

log = logging.getLogger(__name__)

SWEEP: Final = "* * * * *"
SWEEP_SECONDS: Final = 50.0
SWEEP_LIMIT: Final = 100
REPLIES_AT_A_TIME: Final = 5
THROTTLED_DEVICES: Final = 3
"""So many devices in a row answered 429: the project is meant, not a device."""
NO_CREDENTIALS: Final = "no push credentials"
MARK_AGAIN_SECONDS: Final = (0.2, 1.0, 3.0)
ANSWERED: Final = frozenset({Outcome.SENT, Outcome.DEAD_TARGET, Outcome.REFUSED})


async def surely(mark: Callable[[], Awaitable[None]]) -> None:
    """Write down what became of a send, also when the database is busy or away for a moment: what is known is not to be asked or sent again."""
    for seconds in MARK_AGAIN_SECONDS:
        try:
            return await mark()
        except (*db.AWAY, *db.CONTENTION) as error:
            log.warning("an outcome is written down again: %s", type(error).__name__)
            await asyncio.sleep(seconds)
    return await mark()


class Pushes:
    """Sends pushes through one gateway; knows when that asked for a pause."""

    def __init__(self, gateway: PushGateway | None, services: Services) -> None:
        self._gateway = gateway
        self._services = services
        self._throttled: set[UUID] = set()
        self._not_before: datetime | None = None

    async def handle(self, payload: Payload) -> None:
        """Send the pushes of a PUSH job that are still due.

        Raises:
            NotYet: some are not to be had now.
        """
        ids, now = [UUID(text) for text in payload["deliveries"]], self._services.clock.now
        if self._gateway is None:
            return  # the sweeper drops them when their time is over; until then a configured worker may come
        taken = await deliveries.claim_due(now=now(), ids=ids)
        if taken:
            await self._send(self._gateway, taken)
        left = set(ids) - {push.id for push in taken}
        if left and (due_in := await deliveries.due_in(left, now=now())) is not None:
            raise NotYet(due_in)

    async def sweep(self) -> None:
        """Send what jobs have left behind, and close what is too late."""
        if self._gateway is None:
            await deliveries.drop_late(NO_CREDENTIALS, now=self._services.clock.now())
            return
        deadline = asyncio.get_running_loop().time() + SWEEP_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            pushes = await deliveries.claim_due(now=self._services.clock.now(), limit=SWEEP_LIMIT)
            if not pushes or not await self._send(self._gateway, pushes):
                return

    async def _send(self, gateway: PushGateway, pushes: Sequence[Push]) -> int:
        """Decide on leased pushes, send those that go and mark them; answers how many were answered for good, or are not to be sent now."""
        now = self._services.clock.now()
        if self._not_before is not None and now < self._not_before:
            await self._put_off(pushes, self._not_before)
            return 0
        leased = len(pushes)
        pushes = await admit(pushes, now=now, jobs=self._services.jobs)
        if not pushes:
            return leased
        results = await gateway.send([message_of(push, now=now) for push in pushes])
        outcomes = list(zip(pushes, results, strict=True))
        self._heed(outcomes)
        await surely(lambda: self._mark(outcomes))
        return leased - len(pushes) + sum(result.outcome in ANSWERED for result in results)

    async def _put_off(self, pushes: Sequence[Push], until: datetime) -> None:
        async with db.transaction() as tx:
            await deliveries.retry_at(tx, pushes, until, "paused by 429", jobs=self._services.jobs, counted=False)

    def _heed(self, outcomes: Sequence[tuple[Push, PushResult]]) -> None:
        """Pause when one device after the other is answered 429. A single one may just have had too many pushes of its own."""
        for push, result in outcomes:
            if result.throttled:
                self._throttled.add(push.device_id)
            elif result.outcome is Outcome.SENT:
                self._throttled.clear()
        waits = [result.retry_after_seconds or 0.0 for _, result in outcomes if result.throttled]
        if waits and len(self._throttled) >= THROTTLED_DEVICES:
            until = self._services.clock.now() + timedelta(seconds=max(waits))
            # Lots are on their way side by side: one that was asked for a short pause does not end the long one of another.
            self._not_before = until if self._not_before is None else max(self._not_before, until)
            self._throttled.clear()
            log.warning("FCM asked for a pause of %.0f s", max(waits))

    async def _mark(self, outcomes: Sequence[tuple[Push, PushResult]]) -> None:
        now, jobs = self._services.clock.now(), self._services.jobs
        sent: dict[UUID, str] = {}
        dead, parked, again = defaultdict(list), defaultdict(list), defaultdict(list)
        for push, result in outcomes:
            if result.outcome is Outcome.SENT:
                sent[push.id] = result.provider_id
            elif result.outcome is Outcome.DEAD_TARGET:
                dead[result.reason].append(push)
            elif result.outcome is Outcome.REFUSED or (result.counted and push.tries >= deliveries.MAX_TRIES):
                parked[result.reason].append(push)
            else:
                again[wait_seconds(push, result), result.reason, result.counted].append(push)
        if any(result.outcome is Outcome.MISCONFIGURED for _, result in outcomes):
            log.error("FCM refuses us: check credentials, project and APNs key; pushes wait, devices are kept")
        async with db.transaction() as tx:
            if sent:
                await deliveries.mark_sent(tx, sent, now=now)
            for reason, pushes in dead.items():
                await deliveries.mark_dropped(tx, pushes, reason, now=now)
            for reason, pushes in parked.items():
                await deliveries.park(tx, pushes, reason)
            for (seconds, reason, counted), pushes in again.items():
                await deliveries.retry_at(tx, pushes, now + timedelta(seconds=seconds), reason, jobs=jobs, counted=counted)
        if parked:
            log.error("pushes parked: %d", sum(map(len, parked.values())))


def wait_seconds(push: Push, result: PushResult) -> float:
    """Seconds before the next try: what the server asked for, and at least our own delay for a counted failure that is no throttling."""
    told = result.retry_after_seconds
    if told is not None and (result.throttled or not result.counted):
        return told
    return max(told or 0.0, float(deliveries.DELAYS[min(push.tries, len(deliveries.DELAYS)) - 1]))


def message_of(push: Push, *, now: datetime) -> PushMessage:
    """The message of a push in the device's language. The notice's public id is the dedupe id."""
    text = push_text(push.kind, push.data, push.locale)
    notice = public_id("notice", push.notice_id)
    return PushMessage(
        target_kind=push.target_kind,
        target=push.target,
        dedupe_id=notice,
        title=text.title,
        body=text.body,
        data={"kind": push.kind.value, "notice_id": notice, "shop_id": public_id("shop", push.shop_id), "deep_link": text.deep_link},
        use_by=push.use_by,
        ttl_seconds=max(int((push.use_by - now).total_seconds()), 0),
    )


class Replies:
    """Sends replies through one sender.

    `keyed` says that the receiver knows a reply again by its id, so that one whose outcome is unknown may be sent once more. Without that it
    is parked: a buyer must not be answered twice.
    """

    def __init__(self, sender: ReplySender | None, services: Services, *, keyed: bool = True) -> None:
        self._sender = sender
        self._services = services
        self._keyed = keyed

    async def handle(self, payload: Payload) -> None:
        """Send the replies of a REPLY job that are still due.

        Raises:
            NotYet: some are not to be had now.
        """
        ids, now = [UUID(text) for text in payload["replies"]], self._services.clock.now
        if self._sender is None:
            await replies.drop_all(replies.NO_SENDER, ids=ids)
            return
        taken = await replies.claim_due(now=now(), ids=ids)
        await self._send(self._sender, taken)
        left = set(ids) - {reply.id for reply in taken}
        if left and (due_in := await replies.due_in(left, now=now())) is not None:
            raise NotYet(due_in)

    async def sweep(self) -> None:
        """Send what jobs have left behind."""
        if self._sender is None:
            await replies.drop_all(replies.NO_SENDER)
            return
        deadline = asyncio.get_running_loop().time() + SWEEP_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            # So few that all are tried within their lease.
            due = await replies.claim_due(now=self._services.clock.now(), limit=4 * REPLIES_AT_A_TIME)
            if not due or not await self._send(self._sender, due):
                return

    async def _send(self, sender: ReplySender, due: Sequence[Reply]) -> int:
        places = asyncio.Semaphore(REPLIES_AT_A_TIME)

        async def one(reply: Reply) -> bool:
            async with places:
                return await self._one(sender, reply)

        done = await asyncio.gather(*(one(reply) for reply in due), return_exceptions=True)
        errors = [result for result in done if isinstance(result, BaseException)]
        if errors:
            raise errors[0]
        return sum(result is True for result in done)

    async def _one(self, sender: ReplySender, reply: Reply) -> bool:
        """Send one reply and mark it; answers whether it is closed, without a platform that is away."""
        if reply.outcome_unknown and not self._keyed:
            await replies.park(reply, replies.IN_FLIGHT)
            return True
        try:
            outgoing = carrying(reply.outgoing, reply.id, self._services)
        except CannotCarry as error:
            await replies.refuse(reply, str(error))
            return True
        try:
            sent = await sender.send(outgoing)
        except ReplyRefused as error:
            reason = without_address(str(error), outgoing)
            await surely(lambda: replies.refuse(reply, reason))
            return True
        except ReplyDelayed as error:
            await self._later(reply, without_address(str(error), outgoing), error.retry_after_seconds)
        except Exception as error:
            log.warning("reply %s: %s", reply.id, type(error).__name__)
            if self._keyed:
                await self._later(reply, type(error).__name__, 0.0)
            else:
                await replies.park(reply, f"{replies.IN_FLIGHT}: {type(error).__name__}")
        else:
            await surely(lambda: replies.mark_sent(reply, sent.external_id, now=self._services.clock.now()))
            if sent.recipient_id:
                await inbox_ids.learn(reply.id, sent.recipient_id, self._services.clock.now())
            return True
        return False

    async def _later(self, reply: Reply, reason: str, told_seconds: float) -> None:
        if reply.tries >= replies.MAX_TRIES:
            log.error("reply %s parked", reply.id)
            await replies.park(reply, reason)
            return
        seconds = max(told_seconds, float(replies.DELAYS[min(reply.tries, len(replies.DELAYS)) - 1]))
        await replies.retry_at(reply, self._services.clock.now() + timedelta(seconds=seconds), reason, jobs=self._services.jobs)


async def lot_by_lot(send: Callable[[], Awaitable[int]]) -> None:
    """Send what is due, as long as any of a lot is done: thousands of digests fall due at one time."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + SWEEP_SECONDS
    while await send() and clock() < deadline:
        pass


def register(
    runner: JobRunner,
    services: Services,
    *,
    gateway: PushGateway | None = None,
    sender: ReplySender | None = None,
    keyed: bool = True,
) -> Callable[[], Awaitable[None]]:
    """Handle PUSH and REPLY jobs, and sweep up what they leave behind every minute; answers what closes it all at the end.

    Without a gateway or sender the settings say which; they may say none.
    """
    opened: list[FcmGateway | HttpReplySender] = []
    if gateway is None and (own_gateway := gateway_of(services.settings)) is not None:
        gateway = own_gateway
        opened.append(own_gateway)
    if sender is None and services.settings.reply_base_url is not None:
        sender = own_sender = HttpReplySender(services.settings.reply_base_url)
        opened.append(own_sender)
    pushes, answers = Pushes(gateway, services), Replies(sender, services, keyed=keyed)
    runner.handle(PUSH, pushes.handle)
    runner.handle(REPLY, answers.handle)
    runner.every(SWEEP, "sweep-pushes", pushes.sweep)
    runner.every(SWEEP, "sweep-replies", answers.sweep)

    async def alerts() -> None:
        await lot_by_lot(lambda: send_due(gateway, services))

    async def told_together() -> None:
        await lot_by_lot(lambda: send_digests(gateway, services))

    runner.every(SWEEP, "sweep-sign-in-alerts", alerts)
    runner.every(SWEEP, "sweep-digests", told_together)

    async def close() -> None:
        for each in opened:
            await each.aclose()

    return close
