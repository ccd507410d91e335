"""Pushes by Firebase Cloud Messaging, over firebase-admin's own async client.

The client lives on a thread with an event loop of its own: it refreshes its access token by a blocking call, and it belongs to the first
loop that it sees. Trying again is ours alone (the row in push_delivery knows how often and when), so the client's own retries are off:
they do not read Retry-After. There is no variable that points the client elsewhere, hence `_redirect`, which fails loudly if the library
changes.

Sources: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode, .../docs/cloud-messaging/scale-fcm, firebase-admin 7.7.0 as
installed; read 2026-11-22.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import os
import threading
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from api.notifications.service_account import self_made
from domain.ids import new_id
from domain.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

GOOGLE: Final = "https://fcm.googleapis.com"
CHUNK: Final = 100
"""Messages of one call of the client: as many as it has connections, so that none waits for one. It would take 500."""
BATCHES_AT_ONCE: Final = 5
"""Of the worker's lots of 20, so many keep all connections busy; what waits inside the client costs it time per waiting message."""
TIMEOUT_SECONDS: Final = 10
QUOTA_WAIT_SECONDS: Final = 60.0
"""After a 429 without Retry-After: quotas refill by the minute."""
MISCONFIGURED_WAIT_SECONDS: Final = 120.0
AWAY_WAIT_SECONDS: Final = 30.0
MAX_WAIT_SECONDS: Final = 3600.0
COLLAPSE_ID_BYTES: Final = 64
EMULATOR: Final = "FIREBASE_AUTH_EMULATOR_HOST"


class PushMisconfigured(Exception):
    """Pushes cannot be set up; the message says what to change and shows no secret."""


class Outcome(StrEnum):
    """What became of one push."""

    SENT = "SENT"
    DEAD_TARGET = "DEAD_TARGET"
    """This installation is gone, or belongs to another project: forget the target."""
    RETRY = "RETRY"
    """Later, see `retry_after_seconds`."""
    MISCONFIGURED = "MISCONFIGURED"
    """Our key, project or APNs certificate is wrong: keep the targets, tell the operator, try later."""
    REFUSED = "REFUSED"
    """The message itself is wrong: our mistake, which no repetition mends."""


@dataclass(frozen=True, slots=True)
class PushMessage:
    """One notice for one device. `dedupe_id` is the same however often it is sent, so that the phone shows one."""

    target_kind: str
    """`FID` or `TOKEN`."""
    target: str = field(repr=False)
    dedupe_id: str
    title: str = field(repr=False)
    body: str = field(repr=False)
    data: Mapping[str, str] = field(repr=False)
    use_by: datetime
    ttl_seconds: int
    """How long Google may keep it for a phone that is off."""
    channel: str = "orders"


@dataclass(frozen=True, slots=True)
class PushResult:
    """The outcome of one message. `counted` is False when the try says nothing about this message: nobody was reached, or our key is wrong."""

    outcome: Outcome
    provider_id: str = ""
    reason: str = ""
    retry_after_seconds: float | None = None
    counted: bool = True
    throttled: bool = False


CLOSING: Final = PushResult(Outcome.RETRY, reason="closing")
"""Whether FCM has it nobody will hear: it is sent again under the same id, and that is a try."""


class PushGateway(Protocol):
    """Sends pushes; one result per message, in order, whatever happens."""

    async def send(self, messages: Sequence[PushMessage]) -> list[PushResult]: ...


def gateway_of(settings: Settings) -> FcmGateway | None:
    """The gateway that the settings ask for; None when they name neither credentials nor a server.

    Raises:
        PushMisconfigured: see FcmGateway.
    """
    if settings.firebase_credentials is None and settings.fcm_base_url is None:
        return None
    account: Path | Mapping[str, str] = settings.firebase_credentials or self_made(settings.fcm_base_url or "")
    return FcmGateway(account, base_url=settings.fcm_base_url, production=not settings.is_development)


class FcmGateway:
    """`PushGateway` over firebase-admin; `aclose` ends its thread.

    Raises:
        PushMisconfigured: the credentials cannot be read; or, in production, the environment makes firebase-admin accept unsigned sign-ins.
    """

    def __init__(
        self,
        account: Path | Mapping[str, str],
        *,
        base_url: str | None = None,
        production: bool = True,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        if production and os.environ.get(EMULATOR):
            raise PushMisconfigured(f"{EMULATOR} is set: with it firebase-admin accepts unsigned ID tokens. Unset it in production.")
        self._app = _app(account, timeout_seconds)
        self._service = _service(self._app)
        if base_url is not None:
            _redirect(self._service, base_url)
        self._loop = asyncio.new_event_loop()
        self._timeout = timeout_seconds
        self._fresh = asyncio.Lock()
        self._turns = asyncio.Semaphore(BATCHES_AT_ONCE)
        self._sending: set[asyncio.Task[list[PushResult]]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="fcm", daemon=True)
        self._thread.start()

    async def send(self, messages: Sequence[PushMessage]) -> list[PushResult]:
        """Send in chunks; never raises for what a server or the network does."""
        results: list[PushResult] = []
        for start in range(0, len(messages), CHUNK):
            chunk = messages[start : start + CHUNK]
            if self._closing is None:
                results += await self._there(self._sent(chunk))
            else:
                results += [CLOSING] * len(chunk)
        return results

    async def aclose(self) -> None:
        """Close connections, thread and app. What is on its way is cut off and comes back as to be sent later; every call waits for the end."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="fcm closes")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        import firebase_admin

        try:
            await self._there(self._cut())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            await asyncio.to_thread(self._thread.join)
            self._loop.close()
            # On a thread without a loop, since the client's close() runs one.
            await asyncio.to_thread(firebase_admin.delete_app, self._app)

    async def _cut(self) -> None:
        """On the gateway's own loop: end what is sent there, and the connections."""
        for sending in list(self._sending):
            sending.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        await self._service._async_client.aclose()

    async def _sent(self, messages: Sequence[PushMessage]) -> list[PushResult]:
        """On the gateway's own loop: send, unless it is being closed."""
        if self._closing is not None:
            return [CLOSING] * len(messages)
        sending = asyncio.create_task(self._send(messages))
        self._sending.add(sending)
        try:
            await asyncio.wait({sending})
        finally:
            self._sending.discard(sending)
            sending.cancel()
        return [CLOSING] * len(messages) if sending.cancelled() else sending.result()

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _send(self, messages: Sequence[PushMessage]) -> list[PushResult]:
        from firebase_admin import messaging

        trouble = await self._sign_in()
        if trouble is not None:
            return [trouble] * len(messages)
        results = [PushResult(Outcome.DEAD_TARGET, reason="empty target") for _ in messages]
        wanted = [i for i, message in enumerate(messages) if message.target]
        if not wanted:
            return results
        try:
            async with self._turns:
                batch = await messaging.send_each_async([_encoded(messages[i]) for i in wanted], app=self._app)
        except Exception as error:
            found = _of_failure(error)
            log.warning("push batch of %d failed: %s", len(wanted), found.reason)
            return [found] * len(messages)
        for i, answer in zip(wanted, batch.responses, strict=True):
            results[i] = PushResult(Outcome.SENT, answer.message_id) if answer.success else _of_error(answer.exception)
        return results

    async def _sign_in(self) -> PushResult | None:
        """Have a fresh access token; what stands in the way otherwise. By ourselves, because the client would do it once per message."""
        from google.auth.credentials import TokenState
        from google.auth.transport.requests import Request

        credential = self._service._credential
        async with self._fresh:
            if credential.token_state is TokenState.FRESH:
                return None
            request = functools.partial(Request(), timeout=self._timeout)
            try:
                await asyncio.to_thread(credential.refresh, request)
            except Exception as error:
                found = _of_failure(error)
                log.error("no access token for FCM: %s", found.reason)
                return found
        return None


def _app(account: Path | Mapping[str, str], timeout_seconds: float) -> Any:
    import firebase_admin
    from firebase_admin import credentials

    try:
        certificate = credentials.Certificate(dict(account) if isinstance(account, Mapping) else str(account))
    except (OSError, ValueError) as error:
        where = "the given service account" if isinstance(account, Mapping) else str(account)
        raise PushMisconfigured(
            f"PLUSONE_FIREBASE_CREDENTIALS: {where} is not a readable service account file ({type(error).__name__})"
        ) from None
    return firebase_admin.initialize_app(certificate, {"httpTimeout": timeout_seconds}, name=f"plusone-{new_id()}")


def _service(app: Any) -> Any:
    """The client's messaging service with its own retries off. These names are private: an update that moves them must fail here."""
    from firebase_admin import messaging
    from firebase_admin._retry import HttpxRetry, HttpxRetryTransport

    service = messaging._get_messaging_service(app)
    transports = list(service._async_client._mounts.values())
    assert len(transports) == 2, "firebase-admin has other transports now"
    for transport in transports:
        assert isinstance(transport, HttpxRetryTransport), "firebase-admin has other transports now"
        assert isinstance(transport._retry, HttpxRetry), "firebase-admin retries in another way now"
        transport._retry = HttpxRetry(max_retries=0)
    return service


def _redirect(service: Any, base_url: str) -> None:
    """Point the client at another server than Google's."""
    for name in ("_fcm_url", "_fcm_topic_url"):
        url = getattr(service, name, "")
        assert url.startswith(GOOGLE), f"firebase-admin has no address in {name} any more"
        setattr(service, name, base_url.rstrip("/") + url.removeprefix(GOOGLE))


def _encoded(message: PushMessage) -> Any:
    from firebase_admin import messaging

    collapse = message.dedupe_id
    assert len(collapse.encode()) <= COLLAPSE_ID_BYTES, "apns-collapse-id has at most 64 bytes"
    encoded = messaging.Message(
        notification=messaging.Notification(title=message.title, body=message.body),
        data={**message.data, "dedupe": message.dedupe_id},
        android=messaging.AndroidConfig(
            priority="high",
            ttl=message.ttl_seconds,
            collapse_key=collapse,
            notification=messaging.AndroidNotification(channel_id=message.channel, tag=collapse),
        ),
        apns=messaging.APNSConfig(
            headers={
                "apns-priority": "10",
                "apns-push-type": "alert",
                "apns-collapse-id": collapse,
                "apns-expiration": str(int(message.use_by.timestamp())),
            },
            payload=messaging.APNSPayload(aps=messaging.Aps(sound="default", thread_id=message.channel)),
        ),
    )
    # As attributes: `token` as an argument warns of its age, although phones with older apps still have nothing else.
    if message.target_kind == "FID":
        encoded.fid = message.target
    else:
        encoded.token = message.target
    return encoded


def _of_error(error: Any) -> PushResult:
    """The outcome of one message that FCM did not take."""
    from firebase_admin import exceptions, messaging

    response = getattr(error, "http_response", None)
    if response is None:
        return _of_failure(error)
    status, code = response.status_code, _fcm_code(response)
    reason = f"{status} {code or getattr(error, 'code', '')}".strip()
    if isinstance(error, messaging.UnregisteredError | messaging.SenderIdMismatchError):
        return PushResult(Outcome.DEAD_TARGET, reason=reason)
    if isinstance(error, exceptions.InvalidArgumentError):
        return PushResult(Outcome.DEAD_TARGET if _is_about_target(response) else Outcome.REFUSED, reason=reason)
    if status == 429:
        return PushResult(Outcome.RETRY, reason=reason, retry_after_seconds=_retry_after(response) or QUOTA_WAIT_SECONDS, throttled=True)
    if status >= 500 or status in (408, 409):
        return PushResult(Outcome.RETRY, reason=reason, retry_after_seconds=_retry_after(response))
    if status in (401, 403, 404):
        return PushResult(Outcome.MISCONFIGURED, reason=reason, retry_after_seconds=MISCONFIGURED_WAIT_SECONDS, counted=False)
    return PushResult(Outcome.REFUSED, reason=reason)


def _of_failure(error: BaseException) -> PushResult:
    """The outcome of messages on which no server has spoken. One that did not answer in time may have taken them, so that counts."""
    import httpx
    from google.auth import exceptions

    cause = getattr(error, "cause", None) or error
    if isinstance(cause, exceptions.RefreshError) and not cause.retryable:
        return PushResult(
            Outcome.MISCONFIGURED, reason="access token refused", retry_after_seconds=MISCONFIGURED_WAIT_SECONDS, counted=False
        )
    unreached = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, exceptions.GoogleAuthError)
    if isinstance(cause, unreached):
        return PushResult(Outcome.RETRY, reason=type(cause).__name__, retry_after_seconds=AWAY_WAIT_SECONDS, counted=False)
    return PushResult(Outcome.RETRY, reason=type(cause).__name__)


def _details(response: Any) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(response.content)["error"]["details"]
    except (ValueError, LookupError, TypeError):
        return []
    return [detail for detail in found if isinstance(detail, Mapping)] if isinstance(found, list) else []


def _fcm_code(response: Any) -> str:
    return next((str(detail["errorCode"]) for detail in _details(response) if "errorCode" in detail), "")


def _is_about_target(response: Any) -> bool:
    """Whether a 400 speaks of the target, by its field or its words, and not of the rest of the message."""
    fields = [str(part.get("field", "")) for detail in _details(response) for part in detail.get("fieldViolations", ())]
    if fields:
        return all(name in ("message.token", "message.fid") for name in fields)
    return b"registration token" in response.content.lower()


def _retry_after(response: Any) -> float | None:
    """Seconds of the Retry-After header, in either of its forms, an hour at most; None without a readable one."""
    from email.utils import parsedate_to_datetime

    text = str(response.headers.get("Retry-After", "")).strip()
    try:
        seconds = float(text) if text.isdigit() else (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), MAX_WAIT_SECONDS)
