"""The authenticator app over plain HTTP: setting it up, its codes, giving it up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.auth.plain import NO_STORE, fields_of, refusal, refusing
from api.auth.routes import SignInDesk, again_on_contention, iso
from api.auth.viewer import Viewer
from domain import db
from domain.bootstrap import Services
from domain.errors import NotFound
from domain.members import authenticators, freshness, guesses, passkeys
from domain.members.rules import FRESH_ACT

LONGEST_CODE: Final = 20


def routes(services: Services) -> list[Route]:
    """The routes of the authenticator app."""
    desk = AuthenticatorDesk(SignInDesk(services, {}))
    post = [
        ("/auth/authenticator/begin", desk.begin),
        ("/auth/authenticator", desk.keep),
        ("/auth/authenticator/code", desk.code),
        ("/auth/authenticator/remove", desk.remove),
    ]
    found = [Route(path, refusing(handler), methods=["POST"]) for path, handler in post]
    return [*found, Route("/auth/authenticator", refusing(desk.show), methods=["GET"])]


@dataclass(frozen=True, slots=True)
class AuthenticatorDesk:
    """The handlers, on the desk of all sign-ins."""

    desk: SignInDesk

    async def begin(self, request: Request) -> Response:
        """A fresh secret: `{secret, uri, qrCode}`, the last an SVG. Needs a fresh sign-in, and a second proof where there is one."""
        import segno  # a process that draws none needs none

        viewer = await self.desk.require_viewer(request)
        now = self.desk.now()
        await freshness.require(viewer.session_id, viewer.member_id, now, enrolling=True)
        name = await passkeys.shown_as(viewer.member_id)
        made = await authenticators.begin(member_id=viewer.member_id, shown_as=name, vault=self.desk.services.vault, now=now)
        drawn = segno.make_qr(made.uri, error="m", boost_error=False).svg_inline(scale=6, border=4, light="#fff")
        return JSONResponse({"secret": made.text, "uri": made.uri, "qrCode": drawn}, headers=NO_STORE)

    async def keep(self, request: Request) -> Response:
        """`{code}`, the first one of the secret → 201 `{recoveryCodes}`, shown this once. The session has shown a second proof with it."""
        viewer = await self.desk.require_viewer(request)
        code = await _code(request)
        now = self.desk.now()
        await freshness.require(viewer.session_id, viewer.member_id, now, enrolling=True)

        async def kept() -> list[str]:
            async with db.transaction() as tx:
                codes = await authenticators.keep(tx, viewer.member_id, code, self.desk.services.vault, now, _request_id(request))
                await freshness.second_proof(tx, viewer.session_id, viewer.member_id, now, confirms=False)
            return codes

        async with _one_guess(request, viewer, now):
            codes = await again_on_contention(kept)
        return JSONResponse({"recoveryCodes": codes}, 201, NO_STORE)

    async def code(self, request: Request) -> Response:
        """`{code}`, of the app or a recovery code → `{provenUntil}`: the session has shown a second proof. A sign-in it is not."""
        viewer = await self.desk.require_viewer(request)
        code = await _code(request)
        now = self.desk.now()

        async def used() -> None:
            async with db.transaction() as tx:
                await authenticators.use(tx, viewer.member_id, code, self.desk.services.vault, now, _request_id(request))
                await freshness.second_proof(tx, viewer.session_id, viewer.member_id, now, confirms=False)

        async with _one_guess(request, viewer, now):
            await again_on_contention(used)
        return JSONResponse({"provenUntil": iso(now + FRESH_ACT)}, headers=NO_STORE)

    async def show(self, request: Request) -> Response:
        """`{authenticator}`: since when, and how many recovery codes are left; null for none."""
        viewer = await self.desk.require_viewer(request)
        found = await authenticators.authenticator_of(viewer.member_id)
        told = None if found is None else {"since": iso(found.confirmed_at), "recoveryCodesLeft": found.recovery_codes_left}
        return JSONResponse({"authenticator": told}, headers=NO_STORE)

    async def remove(self, request: Request) -> Response:
        """Give it up. Needs a fresh sign-in with a second proof."""
        viewer = await self.desk.require_viewer(request)
        now = self.desk.now()
        await freshness.require(viewer.session_id, viewer.member_id, now, enrolling=True)
        try:
            await authenticators.remove(member_id=viewer.member_id, now=now, request_id=_request_id(request))
        except NotFound:
            return refusal(404, "NOT_FOUND", "there is no authenticator")
        return Response(status_code=204)


@asynccontextmanager
async def _one_guess(request: Request, viewer: Viewer, now: datetime) -> AsyncIterator[None]:
    """One guess of this person, on whatever session, and of the address; a right one does not count."""
    address = request.client.host if request.client else ""
    limits = [guesses.per_account("second-proof", str(viewer.member_id)), guesses.per_address("second-proof", address)]
    await guesses.count(limits, now)
    yield
    await guesses.give_back(limits)


async def _code(request: Request) -> str:
    fields = await fields_of(request)
    code = fields.text("code", LONGEST_CODE)
    fields.end()
    return code


def _request_id(request: Request) -> str:
    found: str = getattr(request.state, "request_id", "")
    return found
