"""LINE: messages that a bot sees in groups, rooms and in its one-to-one chat.

What decides here: `webhookEventId` names an event in all its copies; `userId` can be missing; an edited message keeps its id and may
arrive out of order (its `timestamp` tells); an unsent message leaves nothing but its id; in stand-by another system is in charge.
Places in a text count UTF-16 units, as everywhere in LINE's clients; the reference does not say it.

Sources: LINE Developers, "Messaging API reference: Webhook event objects", "Verify webhook signature", "Receive messages (webhook)"
(read 2026-11).
"""

# ruff: noqa: ARG002 -- the port gives every platform the same arguments.
from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from domain.claims.ports import EndpointSecret, EventKind, RawEvent, SocialEvent, SourcePlatform, Unreadable
from domain.providers.platforms.events import (
    Refusals,
    at_most,
    content_digest,
    ident,
    raw_event,
    refuse_unreadable,
    required,
    text_or_empty,
)
from domain.providers.platforms.signatures import hmac_sha256, same, single_header
from domain.providers.platforms.text import (
    NotJsonError,
    Spans,
    clean,
    label,
    listing,
    mapping,
    moment_of_millis,
    read_json,
    utf16_spans_to_code_points,
)

MAX_REPLY_TOKEN_CHARS = 120
KINDS: Mapping[str, EventKind] = {"message": EventKind.ADD, "messageEdited": EventKind.EDIT, "unsend": EventKind.REMOVE}
RESULTS: Mapping[str, EventKind] = {"ok": EventKind.ACCOUNT_LINKED, "failed": EventKind.ACCOUNT_NOT_LINKED}
ACCOUNT = frozenset({EventKind.FOLLOWED, *RESULTS.values()})
_ID_OF_SOURCE: Mapping[str, str] = {"group": "groupId", "room": "roomId", "user": "userId"}
_VARIES_BETWEEN_COPIES = frozenset({"deliveryContext", "replyToken"})


class Line:
    """LINE behind the `Platform` port."""

    name = "line"

    def handshake(self, query: Mapping[str, str], secret: EndpointSecret) -> tuple[int, str] | None:
        """LINE has none: its console sends a signed delivery without events."""
        return None

    def verify(self, headers: Mapping[str, str], body: bytes, secret: EndpointSecret, *, now: datetime) -> bool:
        """Base64 of the HMAC over the raw bytes, and the delivery must be for the account that this endpoint belongs to."""
        given = single_header(headers, "x-line-signature")
        if given is None or not secret.secret:
            return False
        if not same(given, base64.b64encode(hmac_sha256(secret.secret, body)).decode("ascii")):
            return False
        return not secret.destination or _destination(body) == secret.destination

    def split(self, body: bytes, *, received_at: datetime) -> list[RawEvent]:
        """One event per element of `events`; none for the console's check."""
        refusals = Refusals(self.name, body)
        try:
            delivery = read_json(body)
        except NotJsonError as error:
            return [refusals.whole_body(str(error))]
        events = mapping(delivery).get("events")
        if not isinstance(events, list):
            return [refusals.part(delivery, "the delivery has no list of events")]
        return at_most((self._raw(event, refusals) for event in events), refusals)

    def parse(self, payload: Mapping[str, Any]) -> SocialEvent:
        """Read one event.

        Raises:
            Unreadable: no source that we know, a message without id, or with a text that is none.
        """
        refuse_unreadable(payload)
        event = mapping(payload.get("event"))
        source_type = label(mapping(event.get("source")).get("type"))
        kind = _kind(event)
        if kind is not EventKind.OTHER and source_type not in _ID_OF_SOURCE:
            raise Unreadable("source is no group, room or user")
        if kind is EventKind.REMOVE:
            comment_id = required(mapping(event.get("unsend")).get("messageId"), "unsend.messageId")
            return _event(kind, event, comment_id, {})
        if kind in ACCOUNT:
            return replace(_event(kind, event, "", {}), text=label(mapping(event.get("link")).get("nonce")))
        message = mapping(event.get("message"))
        if kind is EventKind.OTHER:
            return _event(kind, event, ident(message.get("id")), {})
        return _event(kind, event, required(message.get("id"), "message.id"), message)

    def _raw(self, event: Any, refusals: Refusals) -> RawEvent:
        if not isinstance(event, dict):
            return refusals.part(event, "the event is not an object")
        cleaned = clean(event)
        if not label(cleaned.get("type")):
            return refusals.part(event, "the event has no type")
        return raw_event(self.parse, {"event": cleaned}, key=_key(cleaned), lane=f"line:{_channel_id(cleaned)}")


def _kind(event: Mapping[str, Any]) -> EventKind:
    kind = label(event.get("type"))
    if event.get("mode", "active") != "active":
        return EventKind.OTHER
    if kind not in ("follow", "accountLink"):
        return KINDS.get(kind, EventKind.OTHER)
    source, link = mapping(event.get("source")), mapping(event.get("link"))
    if source.get("type") != "user" or not ident(source.get("userId")):
        return EventKind.OTHER
    if kind == "follow":
        return EventKind.FOLLOWED
    return RESULTS.get(label(link.get("result")), EventKind.OTHER) if label(link.get("nonce")) else EventKind.OTHER


def _destination(body: bytes) -> str:
    try:
        return ident(mapping(read_json(body)).get("destination"))
    except NotJsonError:
        return ""


def _key(event: Mapping[str, Any]) -> str:
    own = ident(event.get("webhookEventId"))
    return own or content_digest({key: value for key, value in event.items() if key not in _VARIES_BETWEEN_COPIES})


def _channel_id(event: Mapping[str, Any]) -> str:
    """The conversation: group, room, or the person in a one-to-one chat."""
    source = mapping(event.get("source"))
    return ident(source.get(_ID_OF_SOURCE.get(label(source.get("type")), "")))


def _event(kind: EventKind, event: Mapping[str, Any], comment_id: str, message: Mapping[str, Any]) -> SocialEvent:
    source = mapping(event.get("source"))
    # The words on a message sticker stay with the sticker, where the seller sees them: nobody orders by a picture.
    text = text_or_empty(message.get("text"), "message.text") if message.get("type") == "text" else ""
    reply_token = event.get("replyToken")
    return SocialEvent(
        kind=kind,
        source=SourcePlatform.LINE_GROUP if source.get("type") in ("group", "room") else SourcePlatform.LINE_OA,
        # Events about the account itself happen in no conversation.
        channel_id=_channel_id(event) if kind is EventKind.OTHER else required(_channel_id(event), "id of the source"),
        comment_id=comment_id,
        quoted_comment_id=ident(message.get("quotedMessageId")),
        author_id=ident(source.get("userId")),
        text=text,
        mentions=_mentions(text, message),
        attachments=_attachments(message),
        occurred_at=moment_of_millis(event.get("timestamp")),
        reply_token=reply_token if isinstance(reply_token, str) and len(reply_token) <= MAX_REPLY_TOKEN_CHARS else "",
    )


def _mentions(text: str, message: Mapping[str, Any]) -> Spans | None:
    mentionees = map(mapping, listing(mapping(message.get("mention")).get("mentionees")))
    return utf16_spans_to_code_points(text, ((person.get("index"), person.get("length")) for person in mentionees))


def _attachments(message: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    kind = label(message.get("type"))
    if kind in ("", "text"):
        return ()
    if kind != "sticker":
        return ({"type": kind},)
    sticker = {"type": kind, "package_id": ident(message.get("packageId")), "sticker_id": ident(message.get("stickerId"))}
    words = label(message.get("text"))
    return ({**sticker, "text": words} if words else sticker,)
