"""What a bot asks of LINE for linking accounts: a link token for a person, and a message to them.

Source: LINE Developers, "Messaging API reference: Issue link token, Send reply message, Send push message, Retrying a request" (read 2026-11):
a reply token holds about a minute and for one use; `X-Line-Retry-Key` makes a push that is sent again be the same one, and LINE answers 409
to it. From memory: the answer's `linkToken` lives 10 minutes.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

import orjson

from domain.members.ports import LinkRefused, LinkUnanswered
from domain.providers.asking import trusted

TIMEOUT_SECONDS: Final = 5.0
LARGEST_BYTES: Final = 64 * 1024
LONGEST_TOKEN: Final = 255
LATER: Final = frozenset({408, 425, 429})
"""The 4xx that say "not now"."""
SAME_AGAIN: Final = 409


class LineBot:
    """The Messaging API behind the `AccountLinker` port, for all accounts: each call is told whose it is."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")

    async def link_token(self, person: str, *, access_token: str) -> str:
        """A token for one linking of this person.

        Raises:
            LinkUnanswered: away, slow or throttled.
            LinkRefused: no such person, or the access token does not hold.
        """
        status, body = await self._post(f"/v2/bot/user/{quote(person, safe='')}/linkToken", access_token)
        _check(status)
        try:
            found: Any = orjson.loads(body)
        except ValueError:
            found = None
        made = found.get("linkToken") if isinstance(found, dict) else None
        if not isinstance(made, str) or not 0 < len(made) <= LONGEST_TOKEN or not made.isascii():
            raise LinkUnanswered("an answer without linkToken")
        return made

    async def tell(self, person: str, text: str, *, reply_token: str, retry_key: UUID, access_token: str) -> None:
        """Write to this person, by the reply token if it still holds: that is free.

        Raises:
            LinkUnanswered: away, slow or throttled.
            LinkRefused: LINE does not take it.
        """
        messages = [{"type": "text", "text": text}]
        if reply_token:
            status, _ = await self._post("/v2/bot/message/reply", access_token, {"replyToken": reply_token, "messages": messages})
            if status == 200:
                return
            if status != 400:  # 400: the token is over; what was answered otherwise will be answered to a push as well
                _check(status)
        push = {"to": person, "messages": messages}
        status, _ = await self._post("/v2/bot/message/push", access_token, push, {"X-Line-Retry-Key": str(retry_key)})
        if status != SAME_AGAIN:
            _check(status)

    async def _post(
        self, path: str, access_token: str, content: object | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        import httpx  # late, for the start of a process

        body = b"" if content is None else orjson.dumps(content)
        sent = {"Authorization": f"Bearer {access_token}", "Content-Type": "application/json", **(headers or {})}
        try:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                httpx.AsyncClient(verify=trusted(), timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False) as client,
                client.stream("POST", self._base_url + path, content=body, headers=sent) as response,
            ):
                found = b""
                async for chunk in response.aiter_bytes():
                    found += chunk
                    if len(found) > LARGEST_BYTES:
                        raise LinkUnanswered("an answer without end")
                return response.status_code, found
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise LinkUnanswered(type(error).__name__) from None


def _check(status: int) -> None:
    """Raises what a status means; its body is not looked at, for it may quote what was sent."""
    if status == 200:
        return
    if 400 <= status < 500 and status not in LATER:
        raise LinkRefused(str(status))
    raise LinkUnanswered(str(status))
