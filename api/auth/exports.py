"""The file of a member's data: fetched with the access token, written while it is read."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from api.auth.bearer import viewer_of
from api.auth.plain import NO_STORE, refusal, refusing
from api.auth.viewer import Unauthenticated
from domain.bootstrap import Services
from domain.errors import NotFound
from domain.ids import read_public_id
from domain.members.export import open_export

HEADERS: Final = {**NO_STORE, "content-disposition": 'attachment; filename="plusone-export.json"'}


def routes(services: Services) -> list[Route]:
    """`GET /exports/{id}`; another's file is 404, as one that does not exist."""

    async def fetch(request: Request) -> Response:
        viewer = await viewer_of(request.headers, services)
        if viewer is None:
            raise Unauthenticated
        read = read_public_id(request.path_params["id"])
        try:
            if read is None or read[0] != "export":
                raise NotFound
            request_id = getattr(request.state, "request_id", "")
            pieces = await open_export(export_id=read[1], member_id=viewer.member_id, now=services.clock.now(), request_id=request_id)
        except NotFound:
            return refusal(404, "NOT_FOUND", "there is no such file")
        return StreamingResponse(pieces, media_type="application/json", headers=HEADERS)

    return [Route("/exports/{id}", refusing(fetch), methods=["GET"])]
