"""Passkeys over plain HTTP: making one, signing in with one, confirming with one, listing and giving up.

Each act has two steps: we give options with a challenge, the device signs. A challenge is good for one act, of one session where there is
one, within 5 minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.auth.identity.passkey import RelyingParty, challenge_of, loaded, proof_hash, read_signed, relying_party
from api.auth.plain import NO_STORE, fields_of, refusal, refusing
from api.auth.routes import LONGEST_ID, DeviceInput, SignInDesk, again_on_contention, begin_session, device_of, iso
from api.auth.viewer import Viewer
from domain import db
from domain.bootstrap import Services
from domain.db import Tx
from domain.errors import NotFound
from domain.ids import public_id, read_public_id
from domain.members import attempts, freshness, passkeys
from domain.members.attempts import Nonce
from domain.members.errors import SignInRefused
from domain.members.passkeys import KeptPasskey, NewPasskey, Passkey
from domain.members.ports import ProvenIdentity
from domain.members.rules import CHALLENGE_LIFE, FRESH_ACT
from domain.members.sessions import Grant
from domain.words import TAIWAN, negotiate

PROVIDER: Final = "passkey"
"""Under which challenges that were used are kept, and what one for a sign-in is made for."""
LONGEST_NAME: Final = 60


def routes(services: Services) -> list[Route]:
    """The routes of passkeys.

    Raises:
        MissingSetting: an origin of the settings cannot be.
    """
    desk = PasskeyDesk(SignInDesk(services, {}), relying_party(services.settings))
    post = [
        ("/auth/passkeys/creation-options", desk.creation_options),
        ("/auth/passkeys", desk.create),
        ("/auth/passkeys/remove", desk.remove),
        ("/auth/passkeys/sign-in-options", desk.sign_in_options),
        ("/auth/passkeys/sign-in", desk.sign_in),
        ("/auth/passkeys/confirm-options", desk.confirm_options),
        ("/auth/passkeys/confirm", desk.confirm),
    ]
    found = [Route(path, refusing(handler), methods=["POST"]) for path, handler in post]
    return [*found, Route("/auth/passkeys", refusing(desk.list), methods=["GET"])]


@dataclass(frozen=True, slots=True)
class Use:
    """A signature of a passkey that holds: the passkey, its count, and the challenge that it used."""

    passkey: KeptPasskey
    sign_count: int
    challenge: str
    ends: datetime
    proof_hash: str

    async def take(self, tx: Tx, now: datetime, request_id: str) -> bool:
        """Use challenge and signature up; False when a copy made it, which has to be committed.

        Raises:
            SignInRefused: the challenge was used, or the passkey or its account is no more.
        """
        await attempts.use_up(tx, self.challenge, self.ends, PROVIDER, ProvenIdentity(PROVIDER, "", proof_hash=self.proof_hash), now)
        return await passkeys.use(tx, self.passkey, self.sign_count, now, request_id)


@dataclass(frozen=True, slots=True)
class PasskeyDesk:
    """The handlers, on the desk of all sign-ins."""

    desk: SignInDesk
    party: RelyingParty

    async def creation_options(self, request: Request) -> Response:
        """What `navigator.credentials.create()` takes: `{publicKey, expiresAt}`. Needs a fresh sign-in, and a second proof where there is one."""
        viewer = await self.desk.require_viewer(request)
        now = self.desk.now()
        await freshness.require(viewer.session_id, viewer.member_id, now, enrolling=True)
        challenge = self._challenge(_making(viewer), now)
        await loaded()
        known = await passkeys.credentials_of(viewer.member_id)
        options = self.party.creation_options(viewer.member_id, await passkeys.shown_as(viewer.member_id), challenge.text, known)
        return _options(options, challenge)

    async def create(self, request: Request) -> Response:
        """`{name, credential}` → 201 `{passkey}`. The session has shown a second proof with it."""
        viewer = await self.desk.require_viewer(request)
        fields = await fields_of(request)
        name, credential = fields.text("name", LONGEST_NAME), fields.object("credential")
        fields.end()
        now = self.desk.now()
        # It was fresh when the challenge was made, which is this session's own.
        await freshness.require(viewer.session_id, viewer.member_id, now, within=FRESH_ACT + CHALLENGE_LIFE, enrolling=True)
        await loaded()
        async with self.desk.one_guess(request, str(viewer.session_id), now):
            challenge = challenge_of(credential)
            ends = attempts.check_nonce(challenge, _making(viewer), self.desk.services.vault, now)
            new = self.party.created(credential, challenge)
            made = await again_on_contention(lambda: _made(viewer, new, name, challenge, ends, now, _request_id(request)))
        return JSONResponse({"passkey": _shown(made)}, 201, NO_STORE)

    async def list(self, request: Request) -> Response:
        """`{passkeys}` of the member, the oldest first."""
        viewer = await self.desk.require_viewer(request)
        return JSONResponse({"passkeys": [_shown(one) for one in await passkeys.passkeys_of(viewer.member_id)]}, headers=NO_STORE)

    async def remove(self, request: Request) -> Response:
        """`{passkeyId}`: give one up. Needs a fresh sign-in with a second proof. Another's is 404, as one that does not exist."""
        viewer = await self.desk.require_viewer(request)
        fields = await fields_of(request)
        read = read_public_id(fields.text("passkeyId", LONGEST_ID))
        fields.end()
        now = self.desk.now()
        await freshness.require(viewer.session_id, viewer.member_id, now, enrolling=True)
        try:
            if read is None or read[0] != "passkey":
                raise NotFound
            await passkeys.remove(member_id=viewer.member_id, passkey_id=read[1], now=now, request_id=_request_id(request))
        except NotFound:
            return refusal(404, "NOT_FOUND", "there is no such passkey")
        return Response(status_code=204)

    async def sign_in_options(self, _: Request) -> Response:
        """What `navigator.credentials.get()` takes for a sign-in, whoever it will be: `{publicKey, expiresAt}`."""
        await loaded()
        challenge = self._challenge(PROVIDER, self.desk.now())
        return _options(self.party.request_options(challenge.text), challenge)

    async def sign_in(self, request: Request) -> Response:
        """`{credential, installationId, device?}` → tokens, as the exchange of a provider's token gives them."""
        fields = await fields_of(request)
        credential, installation_id = fields.object("credential"), fields.text("installationId", LONGEST_ID)
        device = device_of(fields, negotiate(request.headers.get("accept-language", "")) or TAIWAN)
        fields.end()
        now = self.desk.now()
        async with self.desk.one_guess(request, installation_id, now):
            use = await self._use(credential, PROVIDER, now)
            grant = await again_on_contention(lambda: _admit(use, installation_id, device, now, _request_id(request)))
            if grant is None:
                raise SignInRefused
        return await self.desk.tokens(grant, now)

    async def confirm_options(self, request: Request) -> Response:
        """What `navigator.credentials.get()` takes to confirm this session: `{publicKey, expiresAt}`."""
        viewer = await self.desk.require_viewer(request)
        await loaded()
        challenge = self._challenge(_confirming(viewer), self.desk.now())
        return _options(self.party.request_options(challenge.text, await passkeys.credentials_of(viewer.member_id)), challenge)

    async def confirm(self, request: Request) -> Response:
        """`{credential}` → `{freshUntil}`: the session is fresh and has shown a second proof. Somebody else's passkey is refused."""
        viewer = await self.desk.require_viewer(request)
        fields = await fields_of(request)
        credential = fields.object("credential")
        fields.end()
        now = self.desk.now()
        async with self.desk.one_guess(request, str(viewer.session_id), now):
            use = await self._use(credential, _confirming(viewer), now)
            if use.passkey.member_id != viewer.member_id:
                raise SignInRefused
            if not await again_on_contention(lambda: _confirmed(use, viewer, now, _request_id(request))):
                raise SignInRefused
        return JSONResponse({"freshUntil": iso(now + FRESH_ACT)}, headers=NO_STORE)

    def _challenge(self, purpose: str, now: datetime) -> Nonce:
        return attempts.new_nonce(purpose, self.desk.services.vault, now, CHALLENGE_LIFE)

    async def _use(self, credential: dict[str, Any], purpose: str, now: datetime) -> Use:
        """A signature over a challenge of ours that was made for this purpose.

        Raises:
            SignInRefused: it does not hold, whatever the cause.
        """
        challenge, signed = challenge_of(credential), read_signed(credential)
        ends = attempts.check_nonce(challenge, purpose, self.desk.services.vault, now)
        passkey = await passkeys.kept(signed.credential_id)
        # For a sign-in the device has to say whose it is; where the session says so it may.
        if passkey is None or (signed.user is None and purpose == PROVIDER) or signed.user not in (None, passkey.member_id):
            raise SignInRefused
        await loaded()
        count = self.party.signed(signed.credential, challenge, passkey)
        return Use(passkey, count, challenge, ends, proof_hash(signed.credential_id, challenge))


def _making(viewer: Viewer) -> str:
    return f"passkey-made:{viewer.session_id}"


def _confirming(viewer: Viewer) -> str:
    return f"passkey-confirm:{viewer.session_id}"


async def _made(viewer: Viewer, new: NewPasskey, name: str, challenge: str, ends: datetime, now: datetime, request_id: str) -> Passkey:
    proof = ProvenIdentity(PROVIDER, "", proof_hash=proof_hash(new.credential_id, challenge))
    async with db.transaction() as tx:
        await attempts.use_up(tx, challenge, ends, PROVIDER, proof, now)
        made = await passkeys.add(tx, viewer.member_id, new, name, now, request_id)
        await freshness.second_proof(tx, viewer.session_id, viewer.member_id, now, confirms=False)
    return made


async def _admit(use: Use, installation_id: str, device: DeviceInput | None, now: datetime, request_id: str) -> Grant | None:
    """The session, in one transaction with the use of challenge and passkey; None when a copy signed."""
    async with db.transaction() as tx:
        if not await use.take(tx, now, request_id):
            return None
        grant = await begin_session(tx, use.passkey.member_id, installation_id, device, now)
        await freshness.second_proof(tx, grant.session_id, grant.member_id, now, confirms=False)
    return grant


async def _confirmed(use: Use, viewer: Viewer, now: datetime, request_id: str) -> bool:
    async with db.transaction() as tx:
        if not await use.take(tx, now, request_id):
            return False
        await freshness.second_proof(tx, viewer.session_id, viewer.member_id, now, confirms=True)
    return True


def _shown(passkey: Passkey) -> dict[str, Any]:
    used = passkey.last_used_at
    return {
        "id": public_id("passkey", passkey.id),
        "name": passkey.name,
        "createdAt": iso(passkey.created_at),
        "lastUsedAt": None if used is None else iso(used),
    }


def _options(options: dict[str, Any], challenge: Nonce) -> Response:
    return JSONResponse({"publicKey": options, "expiresAt": iso(challenge.expires_at)}, headers=NO_STORE)


def _request_id(request: Request) -> str:
    found: str = getattr(request.state, "request_id", "")
    return found
