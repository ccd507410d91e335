"""A GraphQL client over real ASGI, signed in as whom a test likes, and a shop with people and things in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from api.auth.tokens import issue_access
from api.graphql_app import graphql_app
from domain import db as database
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.clock import FixedClock
from domain.ids import new_id, public_id
from domain.members import keys
from domain.members.standing import forget
from domain.settings import load
from tests import build

SECRET_KEY = "a root secret that is used by tests only, 48 chars"


@pytest.fixture
async def services(db: str, clock: FixedClock) -> Services:
    """Production services whose signing keys are in the database; nothing is cached from the test before."""
    keys.forget()
    forget()
    found = services_for(load(secret_key=SECRET_KEY, environment="production", public_url="https://plusone.test"), clock=clock)
    await keys.ensure_keys(found.vault, clock.now())
    return found


@dataclass(slots=True)
class Answer:
    """One answer: `data`, `errors` with their codes, and the HTTP response behind."""

    response: httpx.Response
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def data(self) -> Any:
        assert "errors" not in self.body, self.body["errors"]
        return self.body["data"]

    @property
    def codes(self) -> list[str]:
        """`extensions.code` of each error."""
        return [error["extensions"]["code"] for error in self.body.get("errors", ())]


class Client:
    """Asks the endpoint as one member, or as nobody."""

    def __init__(self, http: httpx.AsyncClient, token: str | None = None) -> None:
        self.http = http
        self.headers = {"authorization": f"Bearer {token}"} if token else {}

    async def ask(self, query: str, variables: dict[str, Any] | None = None, **headers: str) -> Answer:
        """POST the document; answers of any status."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.http.post("/graphql", json={"query": query, "variables": variables or {}}, headers={**self.headers, **named})
        return Answer(response, response.json())

    async def get(self, query: str, variables: dict[str, Any] | None = None) -> Any:
        """The data of an answer without errors."""
        return (await self.ask(query, variables)).data


As = Callable[[UUID | None], Awaitable[Client]]


@pytest.fixture
async def http(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """The endpoint behind ASGI."""
    transport = httpx.ASGITransport(app=graphql_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="https://plusone.test") as client:
        yield client


@pytest.fixture
def signed_in(services: Services, http: httpx.AsyncClient, clock: FixedClock) -> As:
    """Signs a member in; None is nobody."""

    async def go(member_id: UUID | None) -> Client:
        if member_id is None:
            return Client(http)
        session_id, now = new_id(), clock.now()
        await database.execute(
            """insert into session (id, member_id, installation_id, created_at, last_used_at, idle_until, ends_at, ended_reason)
               values ($1, $2, 'test', $3, $3, $4, $4, '')""",
            session_id,
            member_id,
            now,
            now + timedelta(days=30),
        )
        token = await issue_access(member_id, session_id, 1, issuer=services.settings.public_url, now=now)
        client = Client(http, token.text)
        await client.ask("{ serverTime }")  # reads the session once: what follows is the screen alone
        return client

    return go


@dataclass(slots=True)
class People:
    """A shop, its staff by role, a buyer of it, and strangers; all with their ids."""

    shop: build.AShop
    other_shop: build.AShop
    owner: UUID
    manager: UUID
    helper: UUID
    scanner: UUID
    other_owner: UUID
    member: UUID
    stranger: UUID
    buyer: build.ABuyer


@pytest.fixture
async def people(services: Services) -> People:
    """See People."""
    shop, other = await build.a_shop(), await build.a_shop(name="別家")
    staff = {role: await build.a_membership(shop, role=build.Role(role)) for role in ("OWNER", "MANAGER", "HELPER", "SCANNER")}
    other_owner = await build.a_membership(other, role=build.Role.OWNER)
    member, stranger = await build.a_member(display_name="陳小美"), await build.a_member()
    buyer = await build.a_buyer(shop, member_id=member)
    return People(shop, other, staff["OWNER"], staff["MANAGER"], staff["HELPER"], staff["SCANNER"], other_owner, member, stranger, buyer)


def pid(tag: str, key: UUID) -> str:
    """A public id."""
    return public_id(tag, key)
