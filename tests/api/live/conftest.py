"""A house with its web sockets open, on a real port, and people with tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest

from api.app import create_app
from api.auth.tokens import issue_access
from api.sockets.limits import SocketLimits
from domain import db as database
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.clock import FixedClock
from domain.ids import new_id
from domain.members import keys
from domain.members.standing import forget
from domain.settings import load
from tests import build
from tests.serving import SECRET_KEY, running

PUBLIC = "https://plusone.test"


@pytest.fixture
async def services(db: str, clock: FixedClock) -> Services:
    """Production services with signing keys."""
    keys.forget()
    forget()
    found = services_for(load(secret_key=SECRET_KEY, environment="production", public_url=PUBLIC, _env_file=None), clock=clock)
    await keys.ensure_keys(found.vault, clock.now())
    return found


House = Callable[..., AbstractAsyncContextManager[str]]


@pytest.fixture
def house(services: Services) -> House:
    """Serves with these limits; answers the address."""

    @asynccontextmanager
    async def serve(**limits: float) -> AsyncIterator[str]:
        async with running(create_app(services, SocketLimits(**limits))) as base:  # type: ignore[arg-type]
            yield base

    return serve


@pytest.fixture
async def base(house: House) -> AsyncIterator[str]:
    """The address of a house with its usual limits."""
    async with house() as found:
        yield found


@dataclass(frozen=True, slots=True)
class Session:
    """A member who is signed in."""

    member: UUID
    id: UUID
    token: str


SignIn = Callable[[UUID], Awaitable[Session]]


@pytest.fixture
def sign_in(services: Services, clock: FixedClock) -> SignIn:
    """Signs a member in once more."""

    async def go(member_id: UUID) -> Session:
        session_id, now = new_id(), clock.now()
        await database.execute(
            """insert into session (id, member_id, installation_id, created_at, last_used_at, idle_until, ends_at, ended_reason)
               values ($1, $2, 'test', $3, $3, $4, $4, '')""",
            session_id, member_id, now, now + timedelta(days=30),
        )  # fmt: skip
        ver = await database.fetchval("select ver from member where id = $1", member_id)
        token = await issue_access(member_id, session_id, ver, issuer=services.settings.public_url, now=now)
        return Session(member_id, session_id, token.text)

    return go


@dataclass(frozen=True, slots=True)
class Place:
    """A shop with a buyer who is signed in."""

    shop: build.AShop
    buyer: build.ABuyer
    variant: build.AVariant
    session: Session

    @property
    def token(self) -> str:
        return self.session.token


@pytest.fixture
async def place(services: Services, sign_in: SignIn) -> Place:
    """See Place."""
    shop, member = await build.a_shop(), await build.a_member()
    return Place(shop, await build.a_buyer(shop, member_id=member), await build.a_variant(shop, on_hand=1000), await sign_in(member))
