"""The two calls of LINE that link an account, on 127.0.0.1: link tokens and messages. `app()` goes behind `tests.serving.running`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


@dataclass
class FakeLine:
    """What arrived, and what is answered instead of 200."""

    access_token: str = "channel-access-token"
    said: list[tuple[str, str]] = field(default_factory=list)
    """(reply or push, text), in order, each push once per retry key."""
    to: list[str] = field(default_factory=list)
    """Whom the pushes were to."""
    tokens: list[str] = field(default_factory=list)
    """Link tokens given out, of persons in order."""
    calls: list[str] = field(default_factory=list)
    fail: dict[str, list[int]] = field(default_factory=dict)
    """By linkToken, reply, push: statuses of the next calls."""
    keys: set[str] = field(default_factory=set)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v2/bot/user/{person}/linkToken", self._token, methods=["POST"]),
                Route("/v2/bot/message/reply", self._reply, methods=["POST"]),
                Route("/v2/bot/message/push", self._push, methods=["POST"]),
            ]
        )

    def _refused(self, request: Request, what: str) -> Response | None:
        self.calls.append(what)
        if request.headers.get("authorization") != f"Bearer {self.access_token}":
            return JSONResponse({"message": "Authentication failed"}, status_code=401)
        waiting = self.fail.get(what) or []
        return JSONResponse({"message": "as told"}, status_code=waiting.pop(0)) if waiting else None

    async def _token(self, request: Request) -> Response:
        refused = self._refused(request, "linkToken")
        if refused is not None:
            return refused
        self.tokens.append(f"link-token-{len(self.tokens) + 1}-{request.path_params['person'][:4]}")
        return JSONResponse({"linkToken": self.tokens[-1]})

    async def _reply(self, request: Request) -> Response:
        refused = self._refused(request, "reply")
        if refused is None:
            body: Any = orjson.loads(await request.body())
            assert body["replyToken"]
            self.said.append(("reply", body["messages"][0]["text"]))
        return refused or JSONResponse({"sentMessages": [{"id": "1"}]})

    async def _push(self, request: Request) -> Response:
        refused = self._refused(request, "push")
        if refused is not None:
            return refused
        key, body = request.headers["x-line-retry-key"], orjson.loads(await request.body())
        if key in self.keys:
            return JSONResponse({"message": "The retry key is already accepted"}, status_code=409)
        self.keys.add(key)
        self.to.append(body["to"])
        self.said.append(("push", body["messages"][0]["text"]))
        return JSONResponse({"sentMessages": [{"id": "1"}]})
