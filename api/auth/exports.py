"""The file of a member's data: fetched with the access token, written while it is read."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from api.auth.files import own_file
from api.auth.plain import NO_STORE
from domain.bootstrap import Services
from domain.members.export import open_export

HEADERS: Final = {**NO_STORE, "content-disposition": 'attachment; filename="plusone-export.json"'}


def routes(services: Services) -> list[Route]:
    """`GET /exports/{id}`; another's file is 404, as one that does not exist."""

    async def opened(file_id: UUID, member_id: UUID, *, now: datetime, request_id: str) -> Response:
        pieces = await open_export(export_id=file_id, member_id=member_id, now=now, request_id=request_id)
        return StreamingResponse(pieces, media_type="application/json", headers=HEADERS)

    return [Route("/exports/{id}", own_file(services, "export", opened, "there is no such file"), methods=["GET"])]
