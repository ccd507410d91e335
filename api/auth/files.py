"""Files over plain HTTP that are fetched with the access token, each by those whose it is."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from api.auth.bearer import viewer_of
from api.auth.plain import Handler, refusal, refusing
from api.auth.viewer import Unauthenticated
from domain.bootstrap import Services
from domain.errors import NotFound
from domain.ids import read_public_id


class Opened(Protocol):
    """Answers a member with a file of theirs, or raises NotFound."""

    async def __call__(self, file_id: UUID, member_id: UUID, *, now: datetime, request_id: str) -> Response: ...


def own_file(services: Services, tag: str, opened: Opened, missing: str) -> Handler:
    """Serves the file that the path's public `id` names. Another's is 404 with the words `missing`, as one that does not exist."""

    async def fetch(request: Request) -> Response:
        viewer = await viewer_of(request.headers, services)
        if viewer is None:
            raise Unauthenticated
        read = read_public_id(request.path_params["id"])
        try:
            if read is None or read[0] != tag:
                raise NotFound
            request_id = getattr(request.state, "request_id", "")
            return await opened(read[1], viewer.member_id, now=services.clock.now(), request_id=request_id)
        except NotFound:
            return refusal(404, "NOT_FOUND", missing)

    return refusing(fetch)
