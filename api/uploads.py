"""Pictures of bank transfers over plain HTTP: sent to a signed address, fetched by those who may see them.

What is sent is read as pixels and drawn anew, whatever it claims to be. What is served is a file to be saved: never shown by a browser as a
page of ours, never run, never kept by what lies between.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from api.auth.files import own_file
from api.auth.plain import NO_STORE, refusal, refusing
from domain.bootstrap import Services
from domain.errors import NotFound
from domain.ids import public_id
from domain.orders.errors import InvalidTransition
from domain.payments import slips
from domain.payments.errors import AlreadyPaid
from domain.payments.transfer_errors import SlipRefused, SlipTicketOver
from domain.payments.transfer_rules import UPLOAD_BYTES, UPLOAD_SECONDS

UPLOADS: Final = "/uploads/slips/"
HEADERS: Final = {
    **NO_STORE,
    "content-disposition": 'attachment; filename="slip.jpg"',
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
}
REFUSALS: Final = {
    "TYPE": (415, "UNSUPPORTED_MEDIA_TYPE", "send a JPEG, PNG or WebP picture"),
    "SIZE": (413, "TOO_LARGE", f"a picture has at most {UPLOAD_BYTES} bytes"),
    "PIXELS": (422, "TOO_MANY_PIXELS", "the picture has too many pixels"),
    "BROKEN": (422, "BROKEN_PICTURE", "the picture cannot be read whole"),
}


def roomier(services: Services, scope: Scope) -> tuple[int, float] | None:
    """Bytes and seconds of a body that is sent to a good ticket; None for every other request, whose limits are the usual ones."""
    path: str = scope["path"]
    if scope["method"] != "POST" or not path.startswith(UPLOADS):
        return None
    try:
        slips.read_ticket(services.vault, path.removeprefix(UPLOADS), services.clock.now())
    except SlipTicketOver:
        return None
    return UPLOAD_BYTES, UPLOAD_SECONDS


def routes(services: Services) -> list[Route]:
    """`POST /uploads/slips/{ticket}` and `GET /slips/{id}`; another's picture is 404, as one that does not exist."""

    async def send(request: Request) -> Response:
        now = services.clock.now()
        try:
            ticket = slips.read_ticket(services.vault, request.path_params["ticket"], now)
            slip_id = await slips.keep(ticket, await request.body(), now=now)
        except SlipRefused as refused:
            return refusal(*REFUSALS[refused.reason])
        except (SlipTicketOver, NotFound):
            return refusal(404, "NOT_FOUND", "there is no such address; get a new one")
        except (AlreadyPaid, InvalidTransition):
            return refusal(409, "CONFLICT", "no transfer can be reported for this order now")
        return JSONResponse({"id": public_id("slip", slip_id)}, 201, NO_STORE)

    async def opened(file_id: UUID, member_id: UUID, *, now: datetime, request_id: str) -> Response:
        content = await slips.slip_for(file_id, member_id, now=now, request_id=request_id)
        return Response(content, media_type="image/jpeg", headers=HEADERS)

    return [
        Route("/uploads/slips/{ticket}", refusing(send), methods=["POST"]),
        Route("/slips/{id}", own_file(services, "slip", opened, "there is no such picture"), methods=["GET"]),
    ]
