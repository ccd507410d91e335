"""The address in a private reply: put in when it is sent, so that neither the table nor a log holds it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from uuid import UUID

from domain.bootstrap import Services
from domain.claims.ports import OutgoingReply, ReplyKind
from domain.members.link_addresses import Opens, address

PLACE: Final = "{link}"
NO_ADDRESS: Final = "PLUSONE_APP_LINK_URL is not set"
NOT_IN_PUBLIC: Final = "a public reply carries no link"


class CannotCarry(Exception):
    """This reply cannot be sent as it is; the text says why."""


def carrying(reply: OutgoingReply, reply_id: UUID, services: Services) -> OutgoingReply:
    """The reply with its address, the same at every try; one without a place for it as it is.

    Raises:
        CannotCarry: a public reply with a place for an address, or no address is configured.
    """
    if PLACE not in reply.text:
        return reply
    if reply.kind is not ReplyKind.PRIVATE:
        raise CannotCarry(NOT_IN_PUBLIC)
    base = services.settings.app_link_url
    if base is None:
        raise CannotCarry(NO_ADDRESS)
    return replace(reply, text=reply.text.replace(PLACE, address(base, Opens.COMMENT, reply_id, services.vault)))


def without_address(reason: str, reply: OutgoingReply) -> str:
    """What a platform said of a reply, without an address that it may have quoted."""
    return reason if "#" not in reply.text else reason.replace(reply.text.rpartition("#")[2], "…")
