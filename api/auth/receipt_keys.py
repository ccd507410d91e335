"""The public keys that claim receipts are checked with, for anybody."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.auth.plain import refusing
from api.auth.routes import JWKS_MAX_AGE_SECONDS
from api.auth.tokens import jwks
from domain.bootstrap import Services
from domain.members import keys
from domain.members.rules import KeyUse

PATH: Final = "/.well-known/plusone-receipt-keys.json"


def routes(services: Services) -> list[Route]:
    """The key set: old keys too, and the next one ahead; a revoked key is not in it any more."""
    keys.sign_with(services.vault)

    async def receipt_keys(_: Request) -> Response:
        public = await keys.public_keys(KeyUse.RECEIPT, services.clock.now())
        return JSONResponse(jwks(public), headers={"cache-control": f"public, max-age={JWKS_MAX_AGE_SECONDS}"})

    return [Route(PATH, refusing(receipt_keys), methods=["GET"])]
