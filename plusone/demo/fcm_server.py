"""A server in the shape of Google's for pushes: token endpoint and `messages:send`, on 127.0.0.1, with answers that can be told.

    async with FakeFcm() as fcm:
        gateway = FcmGateway(service_account(fcm.url), base_url=fcm.url, production=False)
        fcm.answers["dead-"] = UNREGISTERED            # for targets that begin so, until changed
        fcm.answers["slow-"] = Answer(503, "UNAVAILABLE", times=2)

It takes only what Google would take: a bearer token of its own, one target, texts as data, 4096 bytes, collapse ids of 64 bytes.

Sources: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages and .../ErrorCode, read 2026-11-22.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import jwt
import orjson
import uvicorn
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.notifications.service_account import self_made as service_account

__all__ = [
    "APNS_KEY_WRONG",
    "INTERNAL",
    "NO_PROJECT",
    "QUOTA",
    "UNAVAILABLE",
    "UNREGISTERED",
    "WRONG_SENDER",
    "Answer",
    "FakeFcm",
    "service_account",
]

BACKLOG: Final = 1024
"""A chunk of 500 messages opens up to 100 connections at a time, and several gateways may do so."""
PAYLOAD_BYTES: Final = 4096
FCM_ERROR: Final = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
STATUS: Final[Mapping[int, str]] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


@dataclass(slots=True)
class Answer:
    """What to answer instead of 200. `times` counts down to the normal answer; None stays."""

    status: int = 200
    error_code: str = ""
    """FCM's own code in the details; empty for an error that is not FCM's."""
    retry_after_seconds: int | None = None
    delay_seconds: float = 0.0
    message: str = "as told"
    take: bool = False
    """The message counts although its sender hears of a failure."""
    times: int | None = None


UNREGISTERED: Final = Answer(404, "UNREGISTERED")
WRONG_SENDER: Final = Answer(403, "SENDER_ID_MISMATCH")
QUOTA: Final = Answer(429, "QUOTA_EXCEEDED", retry_after_seconds=7)
UNAVAILABLE: Final = Answer(503, "UNAVAILABLE")
INTERNAL: Final = Answer(500, "INTERNAL")
APNS_KEY_WRONG: Final = Answer(401, "THIRD_PARTY_AUTH_ERROR")
NO_PROJECT: Final = Answer(404)


class _QuietServer(uvicorn.Server):
    """Leaves signals to the process that it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class FakeFcm:
    """The server. Give `trusted` a service account, and tokens for any other are refused."""

    def __init__(self, trusted: Mapping[str, str] | None = None) -> None:
        self.trusted = trusted
        self.url = ""
        self.messages: list[dict[str, Any]] = []
        """What was taken, in order of arrival: the `message` of each request."""
        self.attempts: list[tuple[str, int]] = []
        """Target and status of every request with a readable message."""
        self.answers: dict[str, Answer] = {}
        """By beginning of the target; the longest that fits counts."""
        self.tokens = 0
        """Access tokens given out."""
        self._valid: set[str] = set()

    async def __aenter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        routes = [
            Route("/token", self._token, methods=["POST"]),
            Route("/v1/projects/{project}/messages:send", self._send, methods=["POST"]),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes),
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            backlog=BACKLOG,
            timeout_graceful_shutdown=1,
        )
        self._server = _QuietServer(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._task.done():
                self._task.result()
            await asyncio.sleep(0.005)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.should_exit = True
        await asyncio.wait_for(self._task, 5.0)
        self._socket.close()

    def revoke_tokens(self) -> None:
        """Access tokens given out so far are worth nothing any more."""
        self._valid.clear()

    async def _token(self, request: Request) -> Response:
        form = {
            name: value for name, _, value in (part.partition("=") for part in (await request.body()).decode("ascii", "replace").split("&"))
        }
        try:
            self._check(form.get("assertion", ""))
        except jwt.InvalidTokenError:
            return JSONResponse({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, status_code=400)
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self._valid.add(token)
        self.tokens += 1
        return JSONResponse({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def _check(self, assertion: str) -> None:
        """The assertion is a JWT; signed by the trusted account if there is one. Its audience names Google whoever asks, so it is not checked."""
        if self.trusted is None:
            jwt.get_unverified_header(assertion)
            return
        key = load_pem_private_key(self.trusted["private_key"].encode(), None).public_key()
        jwt.decode(assertion, key, algorithms=["RS256"], options={"verify_aud": False})  # type: ignore[arg-type]

    async def _send(self, request: Request) -> Response:
        body = await request.body()
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self._valid:
            return _error(Answer(401, message="Request had invalid authentication credentials."))
        try:
            call = orjson.loads(body)
            message = call["message"]
            problem = _problem(message)
        except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
            return _error(Answer(400, "INVALID_ARGUMENT", message="Invalid JSON payload received."))
        target = str(message.get("token") or message.get("fid") or "")
        answer = Answer(400, "INVALID_ARGUMENT", message=problem) if problem else self._answer(target)
        self.attempts.append((target, answer.status))
        if answer.delay_seconds:
            await asyncio.sleep(answer.delay_seconds)
        if (answer.status == 200 or answer.take) and not call.get("validate_only"):
            self.messages.append(message)
        if answer.status != 200:
            return _error(answer)
        return JSONResponse({"name": f"projects/{request.path_params['project']}/messages/0:{len(self.messages)}%{secrets.token_hex(8)}"})

    def _answer(self, target: str) -> Answer:
        fitting = [prefix for prefix in self.answers if target.startswith(prefix)]
        if not fitting:
            return Answer()
        answer = self.answers[max(fitting, key=len)]
        if answer.times is not None:
            if answer.times <= 0:
                return Answer()
            answer.times -= 1
        return answer


def _problem(message: Mapping[str, Any]) -> str:
    """What Google would not take about a message; empty when it is right."""
    if sum(1 for name in ("token", "fid", "topic", "condition") if message.get(name)) != 1:
        return "Exactly one of token, fid, topic or condition is required."
    data = message.get("data", {})
    if not all(isinstance(value, str) for value in data.values()):
        return "Invalid value at 'message.data'."
    if any(name in ("from", "message_type") or name.startswith(("google", "gcm")) for name in data):
        return "Invalid data payload key."
    if len(orjson.dumps({"notification": message.get("notification"), "data": data})) > PAYLOAD_BYTES:
        return "Message too big."
    headers = message.get("apns", {}).get("headers", {})
    if len(headers.get("apns-collapse-id", "").encode()) > 64:
        return "Invalid apns-collapse-id."
    return ""


def _error(answer: Answer) -> Response:
    details = [{"@type": FCM_ERROR, "errorCode": answer.error_code}] if answer.error_code else []
    error = {"code": answer.status, "message": answer.message, "status": STATUS.get(answer.status, "UNKNOWN"), "details": details}
    headers = {} if answer.retry_after_seconds is None else {"Retry-After": str(answer.retry_after_seconds)}
    return JSONResponse({"error": error}, status_code=answer.status, headers=headers)
