"""Sign-in over plain HTTP: nonce, exchange, refresh, sign-out, and our public keys."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.auth.bearer import viewer_of
from api.auth.identity.base import IdentityProvider, Providers
from api.auth.identity.registry import providers_for
from api.auth.plain import NO_STORE, BadInput, Fields, fields_of, refusal, refusing
from api.auth.tokens import issue_access, jwks
from api.auth.viewer import Unauthenticated, Viewer
from domain import db
from domain.bootstrap import Services
from domain.errors import Unavailable
from domain.ids import public_id, read_public_id
from domain.members import alerts, attempts, freshness, grants, guesses, keys, sessions
from domain.members.commands import register_device, sign_in
from domain.members.ports import GrantKeeper, ProvenIdentity, StandingAsker
from domain.members.rules import FRESH_ACT, DevicePlatform, KeyUse, PushTarget
from domain.members.sessions import Grant
from domain.words import TAIWAN, negotiate

log = logging.getLogger(__name__)

JWKS_MAX_AGE_SECONDS: Final = 300
LONGEST_ID: Final = 120
LONGEST_TOKEN: Final = 8192
LONGEST_CODE: Final = 1024
TRIES: Final = 3
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DeviceInput:
    """What an app says of its installation."""

    platform: DevicePlatform
    target_kind: PushTarget
    target: str
    locale: str


def routes(services: Services, providers: Providers | None = None) -> list[Route]:
    """The routes of sign-in; `providers` are those of the settings unless given.

    Raises:
        MissingSetting: a provider's setting cannot be.
    """
    keys.sign_with(services.vault)
    desk = SignInDesk(services, providers_for(services.settings) if providers is None else providers)
    post = [
        ("/auth/nonce", desk.nonce),
        ("/auth/exchange", desk.exchange),
        ("/auth/refresh", desk.refresh),
        ("/auth/confirm", desk.confirm),
        ("/auth/sign-out", desk.sign_out),
        ("/auth/sign-out-everywhere", desk.sign_out_everywhere),
        ("/auth/sessions/end", desk.end_session),
    ]
    found = [Route(path, refusing(handler), methods=["POST"]) for path, handler in post]
    get = [("/auth/sessions", desk.sessions), ("/.well-known/jwks.json", desk.jwks)]
    return [*found, *(Route(path, refusing(handler), methods=["GET"]) for path, handler in get)]


@dataclass(frozen=True, slots=True)
class SignInDesk:
    """The handlers, on one set of services."""

    services: Services
    providers: Providers

    async def nonce(self, request: Request) -> Response:
        """`{provider}` → `{nonce, expiresAt}`, good for one sign-in with this provider within 10 minutes."""
        fields = await fields_of(request)
        provider = fields.text("provider", 16)
        fields.end()
        if all(provider != known for known, _ in self.providers):
            raise BadInput("provider has an unknown value")
        nonce = attempts.new_nonce(provider, self.services.vault, self.now())
        return JSONResponse({"nonce": nonce.text, "expiresAt": iso(nonce.expires_at)}, headers=NO_STORE)

    async def exchange(self, request: Request) -> Response:
        """A provider's ID token for ours: `{provider, channel?, idToken, authorizationCode?, nonce, installationId, device?}`."""
        fields = await fields_of(request)
        provider, channel = fields.text("provider", 16), fields.optional_text("channel", 16)
        id_token, nonce = fields.text("idToken", LONGEST_TOKEN), fields.text("nonce", 255)
        asked = negotiate(request.headers.get("accept-language", "")) or TAIWAN
        installation_id, device = fields.text("installationId", LONGEST_ID), device_of(fields, asked)
        code = fields.optional_text("authorizationCode", LONGEST_CODE)
        fields.end()
        adapter = self._adapter(provider, channel)
        now = self.now()
        async with self.one_guess(request, installation_id, now):
            nonce_ends = attempts.check_nonce(nonce, provider, self.services.vault, now)
            proven = await _proven(adapter, id_token, nonce, now)
            locale = device.locale if device else asked
            grant = await again_on_contention(lambda: _admit(proven, provider, nonce, nonce_ends, installation_id, device, locale, now))
        if code is not None:
            await self._keep_grant(adapter, code, proven, id_token, grant.member_id, now)
        return await self.tokens(grant, now)

    async def refresh(self, request: Request) -> Response:
        """`{refreshToken, installationId}` → new tokens; the same answer again when the first one was lost on its way."""
        fields = await fields_of(request)
        token, installation_id = fields.text("refreshToken", 64), fields.text("installationId", LONGEST_ID)
        fields.end()
        now = self.now()
        async with self.one_guess(request, installation_id, now):
            grant = await again_on_contention(lambda: sessions.refresh(token, installation_id, self.services.vault, now))
        return await self.tokens(grant, now)

    async def confirm(self, request: Request) -> Response:
        """The person of this session proves again who they are: `{provider, channel?, idToken, nonce}` → `{freshUntil}`.

        Any identity of the member will do. Somebody else's is refused like a token that does not hold.
        """
        viewer = await self.require_viewer(request)
        fields = await fields_of(request)
        provider, channel = fields.text("provider", 16), fields.optional_text("channel", 16)
        id_token, nonce = fields.text("idToken", LONGEST_TOKEN), fields.text("nonce", 255)
        fields.end()
        adapter = self._adapter(provider, channel)
        now = self.now()
        async with self.one_guess(request, str(viewer.session_id), now):
            nonce_ends = attempts.check_nonce(nonce, provider, self.services.vault, now)
            proven = await _proven(adapter, id_token, nonce, now)
            await again_on_contention(lambda: _confirmed(viewer, proven, provider, nonce, nonce_ends, now))
        return JSONResponse({"freshUntil": iso(now + FRESH_ACT)}, headers=NO_STORE)

    async def sign_out(self, request: Request) -> Response:
        """End this session; its installation gets no more pushes."""
        viewer = await self.require_viewer(request)
        await sessions.end(viewer.session_id, self.now())
        return Response(status_code=204)

    async def sign_out_everywhere(self, request: Request) -> Response:
        """End all sessions of the member and every access token."""
        viewer = await self.require_viewer(request)
        await sessions.end_all(viewer.member_id, self.now())
        return Response(status_code=204)

    async def sessions(self, request: Request) -> Response:
        """Where the member is signed in, and what they were told about it."""
        viewer = await self.require_viewer(request)
        running = await sessions.running_of(viewer.member_id, self.now())
        told = await alerts.alerts_of(viewer.member_id)
        body = {
            "sessions": [
                {
                    "id": public_id("session", one.id),
                    "current": one.id == viewer.session_id,
                    "platform": one.platform,
                    "createdAt": iso(one.created_at),
                    "lastUsedAt": iso(one.last_used_at),
                }
                for one in running
            ],
            "alerts": [
                {"id": public_id("alert", one.id), "sessionId": public_id("session", one.session_id), "kind": one.kind, "at": iso(one.at)}
                for one in told
            ],
        }
        return JSONResponse(body, headers=NO_STORE)

    async def end_session(self, request: Request) -> Response:
        """`{sessionId}`: sign one of the member's own devices out. The answer is the same for an id of somebody else or of nobody."""
        viewer = await self.require_viewer(request)
        fields = await fields_of(request)
        read = read_public_id(fields.text("sessionId", LONGEST_ID))
        fields.end()
        if read is None or read[0] != "session" or not await sessions.end_of(viewer.member_id, read[1], self.now()):
            return refusal(404, "NOT_FOUND", "there is no such session")
        return Response(status_code=204)

    async def jwks(self, _: Request) -> Response:
        """The public halves of the access token keys, also of the next one."""
        public = await keys.public_keys(KeyUse.ACCESS, self.now())
        return JSONResponse(jwks(public), headers={"cache-control": f"public, max-age={JWKS_MAX_AGE_SECONDS}"})

    def now(self) -> datetime:
        return self.services.clock.now()

    def _adapter(self, provider: str, channel: str | None) -> IdentityProvider:
        """The provider's adapter for this channel; without one, its first."""
        for (known, kind), adapter in self.providers.items():
            if known == provider and channel in (None, kind):
                return adapter
        raise BadInput("provider or channel has an unknown value")

    async def _keep_grant(
        self, adapter: IdentityProvider, code: str, proven: ProvenIdentity, id_token: str, member_id: UUID, now: datetime
    ) -> None:
        """Trade the code of a sign-in that stands already: whatever becomes of it, the member is in."""
        kept = await adapter.trade(code, proven, id_token, now) if isinstance(adapter, GrantKeeper) else None
        if kept is None:
            return
        try:
            await grants.keep(member_id, proven, kept, self.services.vault, now)
        except (*db.AWAY, *db.CONTENTION):
            log.warning("a grant of a provider could not be kept")

    async def require_viewer(self, request: Request) -> Viewer:
        viewer = await viewer_of(request.headers, self.services)
        if viewer is None:
            raise Unauthenticated
        return viewer

    @asynccontextmanager
    async def one_guess(self, request: Request, installation_id: str, now: datetime) -> AsyncIterator[None]:
        """What happens inside is one guess of this installation and of its address; a right one does not count."""
        address = request.client.host if request.client else ""
        limits = [guesses.per_account("sign-in", installation_id), guesses.per_address("sign-in", address)]
        await guesses.count(limits, now)
        try:
            yield
        except Unavailable:
            await guesses.give_back(limits)
            raise
        await guesses.give_back(limits)

    async def tokens(self, grant: Grant, now: datetime) -> Response:
        access = await issue_access(grant.member_id, grant.session_id, grant.ver, issuer=self.services.settings.public_url, now=now)
        body = {
            "accessToken": access.text,
            "expiresAt": iso(access.expires_at),
            "refreshToken": grant.refresh_token,
            "member": {"id": public_id("member", grant.member_id)},
        }
        return JSONResponse(body, headers=NO_STORE)


async def again_on_contention(action: Callable[[], Awaitable[T]]) -> T:
    """The action, tried again when a lock could not be had: its transaction left nothing behind."""
    for _ in range(TRIES - 1):
        try:
            return await action()
        except db.CONTENTION:
            continue
    return await action()


async def _proven(adapter: IdentityProvider, id_token: str, nonce: str, now: datetime) -> ProvenIdentity:
    """The person of a token. Of staff the provider is also asked, where it can be, whether their account there stands still; of buyers never.

    Raises:
        SignInRefused: the token does not hold, or not any more.
        Unavailable: the provider cannot be reached.
    """
    proven = await adapter.verify(id_token, nonce, now)
    if isinstance(adapter, StandingAsker) and await sessions.is_staff(proven.provider, proven.subject):
        await adapter.ask_standing(proven, id_token)
    return proven


async def _admit(
    proven: ProvenIdentity, provider: str, nonce: str, nonce_ends: datetime, installation_id: str, device: DeviceInput | None, locale: str,
    now: datetime,
) -> Grant:  # fmt: skip
    """Member (a new one with this locale), session and device in one transaction with the use of nonce and token: a failure uses nothing up."""
    async with db.transaction() as tx:
        await attempts.use_up(tx, nonce, nonce_ends, provider, proven, now)
        member_id: UUID = await sign_in(tx, proven, now, locale)
        return await begin_session(tx, member_id, installation_id, device, now)


async def begin_session(tx: db.Tx, member_id: UUID, installation_id: str, device: DeviceInput | None, now: datetime) -> Grant:
    """The session of a sign-in, and the device that came with it.

    Raises:
        SignInRefused: the member is deleted.
        InvalidDevice: the device cannot be.
    """
    grant = await sessions.start(tx, member_id, installation_id, now)
    if device is not None:
        await register_device(
            member_id=member_id,
            installation_id=installation_id,
            platform=device.platform,
            target_kind=device.target_kind,
            target=device.target,
            locale=device.locale,
            now=now,
        )
    return grant


async def _confirmed(viewer: Viewer, proven: ProvenIdentity, provider: str, nonce: str, nonce_ends: datetime, now: datetime) -> None:
    """The session is fresh, in one transaction with the use of nonce and token."""
    async with db.transaction() as tx:
        await attempts.use_up(tx, nonce, nonce_ends, provider, proven, now)
        await freshness.confirm(tx, viewer.session_id, viewer.member_id, proven, now)


def device_of(fields: Fields, locale: str) -> DeviceInput | None:
    """The device that signs in; `locale`: of one that names none."""
    device = fields.optional_object("device")
    if device is None:
        return None
    platform: DevicePlatform = device.choice("platform", DevicePlatform)
    kind: PushTarget = device.choice("targetKind", PushTarget)
    found = DeviceInput(platform, kind, device.text("target", 512), device.optional_text("locale", 16) or locale)
    device.end()
    return found


def iso(at: datetime) -> str:
    """2026-11-21T08:00:00Z"""
    return at.isoformat().replace("+00:00", "Z")
