"""What a phone does with passkeys over HTTP, and what is kept of it."""

from __future__ import annotations

from typing import Any

import httpx

from domain import db as database
from tests.api.auth.asking import bearer
from tests.api.auth.device import Device

Tokens = dict[str, Any]


async def options(http: httpx.AsyncClient, act: str, tokens: Tokens | None = None) -> dict[str, Any]:
    response = await http.post(f"/auth/passkeys/{act}-options", headers=bearer(tokens) if tokens else {})
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    assert set(response.json()) == {"publicKey", "expiresAt"}
    return response.json()["publicKey"]


async def keep(http: httpx.AsyncClient, tokens: Tokens, credential: Any, name: str = "My phone") -> httpx.Response:
    return await http.post("/auth/passkeys", json={"name": name, "credential": credential}, headers=bearer(tokens))


async def made(http: httpx.AsyncClient, tokens: Tokens, device: Device | None = None, name: str = "My phone") -> Device:
    device = device or Device()
    response = await keep(http, tokens, device.create(await options(http, "creation", tokens)), name)
    assert response.status_code == 201, response.text
    return device


async def enter(http: httpx.AsyncClient, credential: Any, **more: Any) -> httpx.Response:
    return await http.post("/auth/passkeys/sign-in", json={"credential": credential, "installationId": "phone-9"} | more)


async def confirm(http: httpx.AsyncClient, tokens: Tokens, credential: Any) -> httpx.Response:
    return await http.post("/auth/passkeys/confirm", json={"credential": credential}, headers=bearer(tokens))


async def kept() -> list[tuple[int, Any]]:
    return [tuple(row) for row in await database.fetch("select sign_count, last_used_at from passkey order by id")]


async def book() -> list[str]:
    return [row["action"] for row in await database.fetch("select action from member_event order by id")]
