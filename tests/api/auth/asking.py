"""What the tests of sign-in ask over HTTP, and what they look at afterwards."""

from __future__ import annotations

from typing import Any

import httpx

from domain import db as database


async def nonce_for(http: httpx.AsyncClient, provider: str = "dev") -> str:
    response = await http.post("/auth/nonce", json={"provider": provider})
    assert response.status_code == 200
    return response.json()["nonce"]


async def exchange(http: httpx.AsyncClient, token: str = "dev:line:U1", **changes: Any) -> httpx.Response:
    body: dict[str, Any] = {"provider": "dev", "idToken": token, "installationId": "phone-1"} | changes
    if "nonce" not in body:
        body["nonce"] = await nonce_for(http, body["provider"])
    return await http.post("/auth/exchange", json=body)


async def signed_in(http: httpx.AsyncClient, token: str = "dev:line:U1", **changes: Any) -> dict[str, Any]:
    response = await exchange(http, token, **changes)
    assert response.status_code == 200, response.text
    return response.json()


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens['accessToken']}"}


async def refresh(http: httpx.AsyncClient, token: str, installation: str = "phone-1") -> httpx.Response:
    return await http.post("/auth/refresh", json={"refreshToken": token, "installationId": installation})


def assert_refused(response: httpx.Response, status: int, code: str) -> None:
    assert (response.status_code, response.json()["error"]["code"]) == (status, code), response.text
    assert set(response.json()) == {"error"}
    assert set(response.json()["error"]) == {"code", "message"}
    assert response.headers["cache-control"] == "no-store"


async def counts() -> dict[str, int]:
    tables = ("member", "identity", "session", "refresh_token", "device", "login_attempt", "seen_token")
    return {table: await database.fetchval(f"select count(*) from {table}") for table in tables}


NOTHING = dict.fromkeys(("member", "identity", "session", "refresh_token", "device", "login_attempt", "seen_token"), 0)
