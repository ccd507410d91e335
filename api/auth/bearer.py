"""Who sent this request: the access token of the Authorization header, and of no other place."""

from __future__ import annotations

from starlette.datastructures import Headers

from api.auth.tokens import verify_access, verify_at_once
from api.auth.viewer import Unauthenticated, Viewer
from domain.bootstrap import Services


async def viewer_of(request_headers: Headers, services: Services) -> Viewer | None:
    """The signed-in member; None when the request has no Authorization header.

    Raises:
        Unauthenticated: there is one, and it does not hold (also: two of them, another scheme).
    """
    given = request_headers.getlist("authorization")
    if len(given) > 1:
        raise Unauthenticated
    return await viewer_of_header(given[0] if given else None, services)


async def viewer_of_header(authorization: str | None, services: Services) -> Viewer | None:
    """The same of the one header there is, if there is one."""
    return None if authorization is None else await viewer_of_token(_token(authorization), services)


def viewer_at_once(authorization: str | None, services: Services) -> Viewer | None:
    """The same where all of it is in memory; None also where something has to be read."""
    if authorization is None:
        return None
    return verify_at_once(_token(authorization), issuer=services.settings.public_url, now=services.clock.now())


def _token(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated
    return token


async def viewer_of_token(token: str, services: Services) -> Viewer:
    """The member behind an access token that came by another way than a header (the first message of a web socket).

    Raises:
        Unauthenticated: it does not hold.
    """
    return await verify_access(token, issuer=services.settings.public_url, now=services.clock.now())
