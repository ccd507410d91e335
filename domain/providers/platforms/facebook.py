"""Facebook Pages: comments of the Page webhook, field `feed` (and what is left of Groups, field `group_feed`), and claim codes in Messenger.

What the page says and what decides here: one POST may hold many entries of several Pages; order is not guaranteed; the signature
covers the raw bytes; `entry.time` is the time of sending. Not documented but seen: `created_time` of a hide or unhide is the time of
that act and its `from` is the Page, so neither author nor comment time is ever read from anything but an add.

Sources: Meta for Developers, "Webhooks from Meta: Getting Started", "Webhooks Reference: Page, feed", "Graph API Reference: Comment"
(`message_tags` count code points), all read 2026-11.
"""

# ruff: noqa: ARG002 -- the port gives every platform the same arguments.
from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Any

from domain.claims.ports import EndpointSecret, EventKind, RawEvent, SocialEvent, SourcePlatform, TimeSource, Unreadable
from domain.providers.platforms.events import (
    MAX_EVENTS_OF_DELIVERY,
    Refusals,
    at_most,
    content_digest,
    digest,
    ident,
    raw_event,
    refuse_unreadable,
    required,
    text_or_empty,
)
from domain.providers.platforms.facebook_plain import plain_add, plain_comment, read_plain
from domain.providers.platforms.meta_messages import said_in_chat
from domain.providers.platforms.signatures import hmac_sha256, same, single_header
from domain.providers.platforms.text import (
    NotJsonError,
    Spans,
    clean,
    code_point_spans,
    display_name,
    label,
    listing,
    mapping,
    moment_of_millis,
    moment_of_seconds,
    read_json,
    url,
)

MAX_CHALLENGE_CHARS = 200
GROUP_FIELD = "group_feed"
FIELDS = ("feed", GROUP_FIELD)
BOXES = ("changes", "messaging", "standby")
VERBS: Mapping[str, EventKind] = {
    "add": EventKind.ADD,
    "edit": EventKind.EDIT,
    "edited": EventKind.EDIT,
    "remove": EventKind.REMOVE,
    "hide": EventKind.HIDE,
    "unhide": EventKind.UNHIDE,
}
_WRITES = frozenset({EventKind.ADD, EventKind.EDIT})


class Facebook:
    """Facebook behind the `Platform` port."""

    name = "facebook"

    def handshake(self, query: Mapping[str, str], secret: EndpointSecret) -> tuple[int, str] | None:
        """Echo the challenge to whoever knows our verify token; 400 for a question that is none, 403 for a stranger."""
        mode, token, challenge = (query.get(f"hub.{part}", "") for part in ("mode", "verify_token", "challenge"))
        if not mode or not token or not challenge or len(challenge) > MAX_CHALLENGE_CHARS:
            return 400, ""
        if mode != "subscribe" or not same(token, secret.verify_token):
            return 403, ""
        return 200, challenge

    def verify(self, headers: Mapping[str, str], body: bytes, secret: EndpointSecret, *, now: datetime) -> bool:
        """`sha256=` and lower-case hex over the raw bytes. The SHA-1 header beside it is never looked at."""
        given = single_header(headers, "x-hub-signature-256")
        if given is None or not secret.secret:
            return False
        return same(given, f"sha256={hmac_sha256(secret.secret, body).hex()}")

    def split(self, body: bytes, *, received_at: datetime) -> list[RawEvent]:
        """One event per change and per message; a strange one costs only itself."""
        plain = read_plain(body)
        if plain is not None and (events := self._plainly(plain, body)) is not None:
            return events
        refusals = Refusals(self.name, body)
        try:
            delivery = read_json(body)
        except NotJsonError as error:
            return [refusals.whole_body(str(error))]
        # Some documented examples wrap the delivery in an array.
        envelopes = delivery if isinstance(delivery, list) else [delivery]
        return at_most(chain.from_iterable(self._entries(envelope, refusals) for envelope in envelopes), refusals)

    def parse(self, payload: Mapping[str, Any]) -> SocialEvent:
        """Read one change.

        Raises:
            Unreadable: a comment without its ids, or with a message that is no text.
        """
        return plain_comment(payload) or self.parse_any(payload)

    def parse_any(self, payload: Mapping[str, Any]) -> SocialEvent:
        """Read one change, whatever is unusual about it."""
        refuse_unreadable(payload)
        if not isinstance(payload.get("object"), str):
            raise Unreadable("object is not a text")
        value = mapping(payload.get("value"))
        kind = _kind(payload, value)
        return _other(payload, value) if kind is EventKind.OTHER else _comment(kind, payload, value)

    def _plainly(self, delivery: Mapping[str, Any], body: bytes) -> list[RawEvent] | None:
        """The events of an ordinary delivery; changes in it that are no added comments are read the long way, each by itself.

        None when one of them cannot be read at all, or when there are more than an honest delivery has.
        """
        events: list[RawEvent] = []
        again: Any = None
        for place, entry in enumerate(delivery["entry"]):
            page, sent_at = entry["id"], entry.get("time")
            for number, change in enumerate(entry["changes"]):
                event = plain_add(page, sent_at, change)
                if event is None:
                    again = again or _read_again(body)
                    if again is None:
                        return None
                    change = again["entry"][place]["changes"][number]
                    event = self._changed({"object": "page", "page": page, "sent_at": sent_at}, change)
                    if event is None:
                        return None
                events.append(event)
        return events if len(events) <= MAX_EVENTS_OF_DELIVERY else None

    def _changed(self, envelope: Mapping[str, Any], change: Any) -> RawEvent | None:
        field, value = (change.get("field"), change.get("value")) if isinstance(change, dict) else (None, None)
        if not isinstance(field, str) or not isinstance(value, dict):
            return None
        payload = {**envelope, "field": label(clean(field)), "value": clean(value)}
        return raw_event(self.parse, payload, key=_key(payload), lane=_lane(payload))

    def _entries(self, envelope: Any, refusals: Refusals) -> Iterator[RawEvent]:
        entries = mapping(envelope).get("entry")
        if not isinstance(entries, list):
            yield refusals.part(envelope, "the delivery has no list of entries")
            return
        for entry in entries:
            if not isinstance(entry, dict):
                yield refusals.part(entry, "the entry is not an object")
                continue
            envelope_of_event = {"object": clean(envelope["object"]) if "object" in envelope else None}
            envelope_of_event |= {"page": ident(entry.get("id")), "sent_at": clean(entry.get("time"))}
            for field, value in _changes(entry):
                event = self._changed(envelope_of_event, {"field": field, "value": value})
                yield event or refusals.part(value, "the change is not an object with a field")


def _read_again(body: bytes) -> Any:
    try:
        return read_json(body)
    except NotJsonError:
        return None


def _changes(entry: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Field and value of everything in an entry; a field of None stands for what is no change."""
    is_flat = "field" in entry and "value" in entry
    boxes = [box for box in BOXES if box in entry]
    if is_flat:
        yield entry["field"], entry["value"]
    if not is_flat and not boxes:
        yield None, entry
    for box in boxes:
        if not isinstance(entry[box], list):
            yield None, entry[box]
        for item in listing(entry[box]):
            if not isinstance(item, dict):
                yield None, item
            elif box == "changes":
                yield item.get("field"), item.get("value")
            else:
                yield item.get("field", box), item


def _kind(payload: Mapping[str, Any], value: Mapping[str, Any]) -> EventKind:
    if value.get("item") != "comment" or payload.get("object") != "page" or payload.get("field") not in FIELDS:
        return EventKind.OTHER
    return VERBS.get(label(value.get("verb")), EventKind.OTHER)


def _key(payload: Mapping[str, Any]) -> str:
    page, value = payload["page"], payload["value"]
    comment_id, kind = ident(value.get("comment_id")), _kind(payload, value)
    # The field `mention` tells of comments too: it must not take the key of the comment itself.
    if kind is EventKind.OTHER or not comment_id:
        mid = ident(mapping(value.get("message")).get("mid"))
        # An unsent message comes again under its mid, so only the plain message is known by it.
        plain = mid and not mapping(value["message"]).get("is_deleted")
        return f"{page}:{mid}" if plain else f"{page}:{payload['field']}:{content_digest(value)}"
    if kind is EventKind.ADD:
        return f"{page}:{comment_id}"
    text = value.get("message")
    return f"{page}:{comment_id}:{value['verb']}:{value.get('created_time')}:{digest(text if isinstance(text, str) else '')}"


def _lane(payload: Mapping[str, Any]) -> str:
    return f"facebook:{payload['page']}:{_post_id(payload['value'])}"


def _post_id(value: Mapping[str, Any]) -> str:
    return ident(value.get("post_id")) or ident(mapping(value.get("post")).get("id"))


def _source(payload: Mapping[str, Any], post: Mapping[str, Any], permalink: str) -> SourcePlatform:
    if payload.get("field") == GROUP_FIELD:
        return SourcePlatform.FACEBOOK_GROUP
    live = post.get("status_type") == "added_video" or "/videos/" in permalink
    return SourcePlatform.FACEBOOK_LIVE if live else SourcePlatform.FACEBOOK_PAGE


def _channel_id(payload: Mapping[str, Any], value: Mapping[str, Any]) -> str:
    group = ident(value.get("group_id")) if payload.get("field") == GROUP_FIELD else ""
    return group or required(payload.get("page"), "entry.id")


def sent_at(payload: Mapping[str, Any]) -> datetime | None:
    """Time of sending: seconds beside `changes`, milliseconds beside `messaging`; no second of this era looks like a millisecond."""
    sent_at = payload.get("sent_at")
    return moment_of_seconds(sent_at) or moment_of_millis(sent_at)


def _when(kind: EventKind, payload: Mapping[str, Any], value: Mapping[str, Any]) -> tuple[datetime | None, TimeSource]:
    """An edit keeps the comment's own `created_time`, so it is dated by its delivery; everything else by `created_time`."""
    created_at = None if kind is EventKind.EDIT else moment_of_seconds(value.get("created_time"))
    return (created_at, TimeSource.PLATFORM) if created_at else (sent_at(payload), TimeSource.DELIVERY)


def _other(payload: Mapping[str, Any], value: Mapping[str, Any]) -> SocialEvent:
    occurred_at, time_source = _when(EventKind.OTHER, payload, value)
    post = mapping(value.get("post"))
    said = said_in_chat(payload, value) if payload.get("object") == "page" else None
    if said is not None:
        return _message(payload, value, *said)
    return SocialEvent(
        kind=EventKind.OTHER,
        source=_source(payload, post, url(post.get("permalink_url"))),
        channel_id=_channel_id(payload, value),
        comment_id=ident(value.get("comment_id")),
        post_id=_post_id(value),
        occurred_at=occurred_at,
        time_source=time_source,
    )


def _message(payload: Mapping[str, Any], value: Mapping[str, Any], person: str, words: str) -> SocialEvent:
    spoken_at = moment_of_millis(value.get("timestamp"))
    return SocialEvent(
        kind=EventKind.MESSAGE,
        source=SourcePlatform.FACEBOOK_PAGE,
        channel_id=required(payload.get("page"), "entry.id"),
        comment_id="",
        author_id=person,
        text=words,
        occurred_at=spoken_at or sent_at(payload),
        time_source=TimeSource.PLATFORM if spoken_at else TimeSource.DELIVERY,
    )


def _comment(kind: EventKind, payload: Mapping[str, Any], value: Mapping[str, Any]) -> SocialEvent:
    post_id, writes = _post_id(value), kind in _WRITES
    # Without its post an order could only be guessed; a removal finds its comment by the comment's id.
    if writes and not post_id:
        required(post_id, "post_id")
    author, post = mapping(value.get("from")), mapping(value.get("post"))
    author_id, parent_id = ident(author.get("id")), ident(value.get("parent_id"))
    text = text_or_empty(value.get("message"), "message")
    occurred_at, time_source = _when(kind, payload, value)
    permalink, is_add = url(post.get("permalink_url")), kind is EventKind.ADD
    return SocialEvent(  # by place: names cost more than all the rest of it
        kind,
        _source(payload, post, permalink),
        _channel_id(payload, value),
        required(value.get("comment_id"), "comment_id"),
        post_id,
        "" if parent_id == post_id else parent_id,
        "",  # quoted_comment_id
        author_id if is_add else "",
        display_name(author.get("name")) if is_add else "",
        text,
        _mentions(text, value["message_tags"]) if "message_tags" in value else None,
        _attachments(text, value) if writes else (),
        occurred_at,
        time_source,
        permalink,
        # Hiding is an act of the Page upon another's comment; writing makes it the Page's own.
        writes and bool(author_id) and author_id == payload.get("page"),
    )


def _mentions(text: str, tags: Any) -> Spans | None:
    """Spans of `message_tags`: a list, or in older versions an object of lists."""
    lists = tags.values() if isinstance(tags, dict) else [tags]
    found = (mapping(tag) for tags_of_offset in lists for tag in listing(tags_of_offset))
    return code_point_spans(text, ((tag.get("offset"), tag.get("length")) for tag in found))


def _attachments(text: str, value: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Media of the comment; a comment with neither text nor media is a sticker or a GIF that the event does not show."""
    if "photo" in value or "video" in value:
        seen = tuple({"type": kind, "url": url(value[kind])} for kind in ("photo", "video") if url(value.get(kind)))
        if seen:
            return seen
    return () if text else ({"type": "unknown"},)
