"""Who sent this request: the access token of the Authorization header, and of no other place."""

from __future__ import annotations

from starlette.datastructures import Headers

from api.auth.tokens import verify_access
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
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated
    return await viewer_of_token(token, services)


async def viewer_of_token(token: str, services: Services) -> Viewer:
    """The member behind an access token that came by another way than a header (the first message of a web socket).

    Raises:
        Unauthenticated: it does not hold.
    """
    return await verify_access(token, issuer=services.settings.public_url, now=services.clock.now())
