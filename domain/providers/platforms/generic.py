"""The ingest endpoint for comments of places without an API: Facebook groups by a browser extension, OpenChat, imports.

The format is our own: headers `X-PlusOne-Timestamp` and `X-PlusOne-Signature: sha256=hex(HMAC(secret, timestamp + "." + body))`, a body
`{"batch_id", "items": [...]}` of at most 500 items of `plusone.comment/1`. A page that is scanned again sends the same rows again, and a
row may lack an id; the key of such a row counts equal rows within the snapshot, so that two honest "+1" of one person in one minute
are two and a second scan adds none. A name is not an identity: only `profile_key` or `id` makes an author. A delivery that holds all that can
be seen of a post says so: see `generic_snapshots.py`.

Source: this module defines the format, `plusone.comment/1` (2026-11); there is no page of a platform to read.
"""

# ruff: noqa: ARG002 -- the port gives every platform the same arguments.
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from domain.claims.ports import EndpointSecret, EventKind, RawEvent, SocialEvent, SourcePlatform, TimeSource, Unreadable
from domain.providers.platforms.events import (
    UNREADABLE,
    Refusals,
    at_most,
    digest,
    ident,
    raw_event,
    refuse_unreadable,
    required,
    text_or_empty,
)
from domain.providers.platforms.generic_snapshots import lists_of, place_of, read_list
from domain.providers.platforms.signatures import hmac_sha256, same, single_header
from domain.providers.platforms.text import (
    NotJsonError,
    clean,
    display_name,
    label,
    listing,
    mapping,
    moment_of_millis,
    read_json,
    url,
    whole,
)

SCHEMA = "plusone.comment/1"
MAX_ITEMS_OF_BATCH = 500
MAX_SKEW_SECONDS = 300
KINDS: Mapping[str, EventKind] = {
    "add": EventKind.ADD,
    "edit": EventKind.EDIT,
    "remove": EventKind.REMOVE,
    "hide": EventKind.HIDE,
    "unhide": EventKind.UNHIDE,
}
MILLIS_OF_PRECISION: Mapping[str, int] = {"exact": 60_000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
"""How far a fallback key looks into the time of a row: "an hour ago" gives another minute at every scan."""
MAX_ATTACHMENTS = 20
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


class Generic:
    """The ingest endpoint behind the `Platform` port."""

    name = "generic"

    def handshake(self, query: Mapping[str, str], secret: EndpointSecret) -> tuple[int, str] | None:
        """A collector needs none."""
        return None

    def verify(self, headers: Mapping[str, str], body: bytes, secret: EndpointSecret, *, now: datetime) -> bool:
        """The signature covers time and body; a time off by more than five minutes is a replay or a broken clock."""
        timestamp = single_header(headers, "x-plusone-timestamp")
        if timestamp is None or not _TIMESTAMP.fullmatch(timestamp) or not secret.secret:
            return False
        expected = f"sha256={hmac_sha256(secret.secret, timestamp.encode('ascii') + b'.' + body).hex()}"
        if not same(single_header(headers, "x-plusone-signature"), expected):
            return False
        return abs(now.timestamp() - int(timestamp)) <= MAX_SKEW_SECONDS

    def split(self, body: bytes, *, received_at: datetime) -> list[RawEvent]:
        """One event per item, then one per post of a snapshot; items beyond the limit become events that are refused, so that nothing is lost unseen."""
        refusals = Refusals(self.name, body)
        try:
            batch = read_json(body)
        except NotJsonError as error:
            return [refusals.whole_body(str(error))]
        items = mapping(batch).get("items")
        if not isinstance(items, list):
            return [refusals.part(batch, "the batch has no list of items")]
        batch_id, equal_rows = ident(batch.get("batch_id")), Counter[str]()
        taken = [self._raw(item, batch_id, equal_rows, refusals) for item in items[:MAX_ITEMS_OF_BATCH]]
        refused = (refusals.part(item, f"more than {MAX_ITEMS_OF_BATCH} items") for item in items[MAX_ITEMS_OF_BATCH:])
        return at_most(chain(taken, refused, self._lists(batch, batch_id, taken, len(items))), refusals)

    def parse(self, payload: Mapping[str, Any]) -> SocialEvent:
        """Read one item, or one post's list.

        Raises:
            Unreadable: another schema, an unknown event, no channel or post, an edit of a nameless comment, or a text that is none.
        """
        refuse_unreadable(payload)
        if "snapshot" in payload:
            stored = mapping(payload["snapshot"])
            return read_list(stored, _source(stored))
        item = mapping(payload.get("item"))
        if item.get("schema", SCHEMA) != SCHEMA:
            raise Unreadable(f"schema is not {SCHEMA}")
        kind = KINDS.get(label(item.get("event", "add")))
        if kind is None:
            raise Unreadable("event is none of " + ", ".join(KINDS))
        comment_id = ident(item.get("comment_id"))
        if not comment_id and kind is EventKind.EDIT:
            raise Unreadable("an edit must name its comment_id")
        return _event(kind, item, comment_id or required(payload.get("row"), "comment_id"))

    def _raw(self, item: Any, batch_id: str, equal_rows: Counter[str], refusals: Refusals) -> RawEvent:
        if not isinstance(item, dict):
            return refusals.part(item, "the item is not an object")
        cleaned = clean(item)
        row = _named_row(cleaned) if ident(cleaned.get("comment_id")) else _counted_row(cleaned, equal_rows)
        event = label(cleaned.get("event", "add"))
        text = cleaned.get("text")
        key = row if event == "add" else f"{row}:{event}:{digest(text if isinstance(text, str) else '')}"
        return raw_event(self.parse, {"batch_id": batch_id, "row": row, "item": cleaned}, key=key, lane=_lane(cleaned))

    def _lists(self, batch: Mapping[str, Any], batch_id: str, taken: Sequence[RawEvent], sent: int) -> Iterator[RawEvent]:
        """Behind its comments in their lane: of the same time at the earliest, and with a longer key."""
        if "snapshot_id" not in batch:
            return
        head = clean({name: value for name, value in batch.items() if name != "items"})
        rows = [event.payload["item"] for event in taken if not event.external_key.startswith(f"{UNREADABLE}:")]
        for key, stored in lists_of(head, rows, readable=len(rows) == sent):
            yield raw_event(self.parse, {"batch_id": batch_id, "snapshot": stored}, key=key, lane=_lane(stored))


def _lane(row: Mapping[str, Any]) -> str:
    return f"generic:{ident(row.get('channel_id'))}:{ident(row.get('post_id'))}"


def _row_digest(*parts: str) -> str:
    # A bar inside of a part must not pass for the bar between two.
    return digest("|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in parts))


def _named_row(item: Mapping[str, Any]) -> str:
    return _row_digest(*place_of(item), ident(item.get("comment_id")))


def _counted_row(item: Mapping[str, Any], equal_rows: Counter[str]) -> str:
    """Key of a row without id: where, who by name, what, when, and the how-manieth of its like in this snapshot."""
    text, created_at_ms = item.get("text"), whole(item.get("created_at_ms"))
    author = display_name(mapping(item.get("author")).get("name"))
    millis = MILLIS_OF_PRECISION.get(label(item.get("created_at_precision")), 60_000)
    minute = "" if created_at_ms is None else str(created_at_ms // millis * millis // 60_000)
    parts = (*place_of(item), author, text if isinstance(text, str) else "", minute)
    counted_as = _row_digest(*parts, label(item.get("event", "add")))
    ordinal = equal_rows[counted_as]
    equal_rows[counted_as] += 1
    return _row_digest(*parts, str(ordinal))


def _source(item: Mapping[str, Any]) -> SourcePlatform:
    source = label(item.get("source"))
    if source == "fb_group_ext":
        return SourcePlatform.FACEBOOK_GROUP
    return SourcePlatform.LINE_OPENCHAT if source.startswith("line_openchat") else SourcePlatform.IMPORT


def _when(kind: EventKind, item: Mapping[str, Any]) -> tuple[datetime | None, TimeSource]:
    """`created_at_ms` is the comment's; anything that befell it later is dated by who saw it."""
    created_at = moment_of_millis(item.get("created_at_ms")) if kind is EventKind.ADD else None
    if created_at is None:
        return moment_of_millis(item.get("observed_at_ms")), TimeSource.OBSERVER
    return created_at, TimeSource.PLATFORM if item.get("created_at_precision") == "exact" else TimeSource.OBSERVER


def _event(kind: EventKind, item: Mapping[str, Any], comment_id: str) -> SocialEvent:
    source, post_id, author = _source(item), ident(item.get("post_id")), mapping(item.get("author"))
    # A chat knows no posts; in a Facebook group an order without its post could only be guessed.
    if source is SourcePlatform.FACEBOOK_GROUP:
        required(post_id, "post_id")
    occurred_at, time_source = _when(kind, item)
    return SocialEvent(
        kind=kind,
        source=source,
        channel_id=required(item.get("channel_id"), "channel_id"),
        comment_id=comment_id,
        post_id=post_id,
        parent_comment_id=ident(item.get("parent_comment_id")),
        author_id=ident(author.get("profile_key")) or ident(author.get("id")),
        author_name=display_name(author.get("name")),
        text=text_or_empty(item.get("text"), "text"),
        attachments=tuple(part for part in listing(item.get("attachments"))[:MAX_ATTACHMENTS] if isinstance(part, dict)),
        occurred_at=occurred_at,
        time_source=time_source,
        permalink=url(item.get("post_url")),
    )
