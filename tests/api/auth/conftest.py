"""Services in development, signed-in members, and the sign-in routes behind a real HTTP server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from api.auth.authenticators import routes as authenticator_routes
from api.auth.passkeys import routes as passkey_routes
from api.auth.routes import routes
from api.auth.tokens import issue_access
from domain import db as database
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.clock import FixedClock
from domain.members import keys, sessions
from domain.members.commands import sign_in
from domain.members.ports import ProvenIdentity
from domain.members.sessions import Grant
from domain.members.standing import forget
from domain.settings import load

SECRET_KEY = "a root secret that is used by tests only, 48 chars"


@pytest.fixture
async def services(db: str, clock: FixedClock) -> Services:
    """Services whose signing keys are in the database; nothing is cached from the test before."""
    keys.forget()
    forget()
    found = services_for(load(secret_key=SECRET_KEY, environment="development", public_url="https://plusone.test"), clock=clock)
    await keys.ensure_keys(found.vault, clock.now())
    return found


SignIn = Callable[..., Awaitable[Grant]]


@pytest.fixture
def signed_in(services: Services) -> SignIn:
    """Signs a person in, by subject, on an installation."""

    async def go(subject: str = "U1", installation: str = "phone-1", provider: str = "line") -> Grant:
        async with database.transaction() as tx:
            member_id = await sign_in(tx, ProvenIdentity(provider, subject), services.clock.now())
            return await sessions.start(tx, member_id, installation, services.clock.now())

    return go


@pytest.fixture
def access_of(services: Services) -> Callable[[Grant], Awaitable[str]]:
    """The access token of a session."""

    async def go(grant: Grant) -> str:
        issued = await issue_access(
            grant.member_id, grant.session_id, grant.ver, issuer=services.settings.public_url, now=services.clock.now()
        )
        return issued.text

    return go


@asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """A client of this app behind uvicorn on a free port of this machine."""
    # A connection that is kept must not end just when it is used again, however long a busy machine stands still.
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off", ws="none", timeout_keep_alive=600)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  uvicorn offers no event
        await asyncio.sleep(0.005)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        await running


@pytest.fixture
async def http(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """The routes of sign-in, passkeys and authenticators over HTTP."""
    every = [*routes(services), *passkey_routes(services), *authenticator_routes(services)]
    async with served(Starlette(routes=every)) as client:
        yield client


async def session_row(session_id: UUID) -> database.Record:
    row = await database.fetchrow("select * from session where id = $1", session_id)
    assert row is not None
    return row
