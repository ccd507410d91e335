"""Instagram's professional accounts: comments under posts, reels and lives, and words in the account's chat.

The frame of a delivery, its signature and its handshake are those of a Page. What differs: `from.id` of a comment and `sender.id` of a
message are one id of the person at this account; a comment tells no time of its own, so it is dated by its delivery; nothing is told of
deleted or hidden comments. Documented examples put field and value into the entry itself, and call the id `comment_id`: all are read.
A comment on an advertisement of a post is one on the post.

Sources: Meta for Developers, "Instagram Platform: Webhooks", "Webhooks Reference: Instagram, comments, live_comments" (read 2026-11).
"""

# ruff: noqa: ARG002 -- the port gives every platform the same arguments.
from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import chain
from typing import Any, Final

from domain.claims.ports import EventKind, RawEvent, SocialEvent, SourcePlatform, TimeSource, Unreadable
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
from domain.providers.platforms.facebook import Facebook, sent_at
from domain.providers.platforms.meta_messages import said_in_chat
from domain.providers.platforms.text import NotJsonError, clean, display_name, label, mapping, moment_of_millis, read_json

FIELDS: Final[Mapping[str, SourcePlatform]] = {"comments": SourcePlatform.INSTAGRAM, "live_comments": SourcePlatform.INSTAGRAM_LIVE}


class Instagram(Facebook):
    """Instagram behind the `Platform` port."""

    name = "instagram"

    def split(self, body: bytes, *, received_at: datetime) -> list[RawEvent]:
        """One event per change and per message; a strange one costs only itself."""
        refusals = Refusals(self.name, body)
        try:
            delivery = read_json(body)
        except NotJsonError as error:
            return [refusals.whole_body(str(error))]
        envelopes = delivery if isinstance(delivery, list) else [delivery]
        return at_most(chain.from_iterable(self._entries(envelope, refusals) for envelope in envelopes), refusals)

    def parse(self, payload: Mapping[str, Any]) -> SocialEvent:
        """Read one change.

        Raises:
            Unreadable: a comment without its ids, or with a text that is none.
        """
        return self.parse_any(payload)

    def parse_any(self, payload: Mapping[str, Any]) -> SocialEvent:
        """Read one change or message."""
        refuse_unreadable(payload)
        if not isinstance(payload.get("object"), str):
            raise Unreadable("object is not a text")
        value = mapping(payload.get("value"))
        source = FIELDS.get(label(payload.get("field"))) if payload.get("object") == self.name else None
        return _beside(payload, value) if source is None else _comment(source, payload, value)

    def _changed(self, envelope: Mapping[str, Any], change: Any) -> RawEvent | None:
        field, value = (change.get("field"), change.get("value")) if isinstance(change, dict) else (None, None)
        if not isinstance(field, str) or not isinstance(value, dict):
            return None
        payload = {**envelope, "field": label(clean(field)), "value": clean(value)}
        return raw_event(self.parse, payload, key=_key(payload), lane=f"instagram:{payload['page']}:{_media_id(payload['value'])}")


def _key(payload: Mapping[str, Any]) -> str:
    account, value = payload["page"], payload["value"]
    comment_id = _comment_id(value)
    if payload["field"] in FIELDS and payload["object"] == Instagram.name and comment_id:
        return f"{account}:{comment_id}"
    message = mapping(value.get("message"))
    mid = ident(message.get("mid"))
    return f"{account}:{mid}" if mid and not message.get("is_deleted") else f"{account}:{payload['field']}:{content_digest(value)}"


def _comment_id(value: Mapping[str, Any]) -> str:
    return ident(value.get("id")) or ident(value.get("comment_id"))


def _media_id(value: Mapping[str, Any]) -> str:
    media = mapping(value.get("media"))
    return ident(media.get("original_media_id")) or ident(media.get("id"))


def _comment(source: SourcePlatform, payload: Mapping[str, Any], value: Mapping[str, Any]) -> SocialEvent:
    author, account = mapping(value.get("from")), required(payload.get("page"), "entry.id")
    author_id, text = ident(author.get("id")), text_or_empty(value.get("text"), "text")
    return SocialEvent(
        kind=EventKind.ADD,
        source=source,
        channel_id=account,
        comment_id=required(_comment_id(value), "id"),
        post_id=required(_media_id(value), "media.id"),
        parent_comment_id=ident(value.get("parent_id")),
        author_id=author_id,
        author_name=display_name(author.get("username")),
        text=text,
        attachments=() if text else ({"type": "unknown"},),
        occurred_at=sent_at(payload),
        time_source=TimeSource.DELIVERY,
        # The account's own comments carry its id, or beside it the id under which it meets itself.
        is_owner=bool(author_id) and author_id in (account, ident(author.get("self_ig_scoped_id"))),
    )


def _beside(payload: Mapping[str, Any], value: Mapping[str, Any]) -> SocialEvent:
    """A message, or something that is only kept."""
    said = said_in_chat(payload, value) if payload.get("object") == Instagram.name else None
    spoken_at = moment_of_millis(value.get("timestamp"))
    return SocialEvent(
        kind=EventKind.OTHER if said is None else EventKind.MESSAGE,
        source=SourcePlatform.INSTAGRAM,
        channel_id=required(payload.get("page"), "entry.id"),
        comment_id="",
        author_id="" if said is None else said[0],
        text="" if said is None else said[1],
        occurred_at=spoken_at or sent_at(payload),
        time_source=TimeSource.PLATFORM if spoken_at else TimeSource.DELIVERY,
    )
