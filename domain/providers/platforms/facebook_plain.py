"""The ordinary delivery of a live: added comments of the shape that Facebook sends by the thousand, without looking at anything twice.

What is recognised here gives exactly the event that `facebook.Facebook` makes of it the long way (a property test compares them); whatever
is unusual about a delivery or a change gives None and goes that way. Body read by orjson: see `text` for where it differs from `json`;
none of that can be in a change that is plain, for it holds nothing but texts, `true`, `false`, `null` and one number within its bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from domain.claims.ports import EventKind, RawEvent, SocialEvent, SourcePlatform, TimeSource
from domain.providers.platforms.text import MAX_BODY_BYTES, MAX_KEY_CHARS, MAX_TEXT_CHARS, display_name, is_plain, moment_of_seconds, url

_NUL: Final = b"\\u0000"
_ENTRY: Final = frozenset({"id", "time", "changes"})
_CHANGE: Final = frozenset({"field", "value"})
_STORED: Final = frozenset({"object", "page", "sent_at", "field", "value"})
_VALUE: Final = frozenset({"from", "post", "message", "post_id", "comment_id", "created_time", "item", "parent_id", "verb"})
_FROM: Final = frozenset({"id", "name"})
_POST: Final = frozenset({"status_type", "is_published", "updated_time", "permalink_url", "promotion_status", "id"})
_TEXTS: Final[frozenset[type]] = frozenset({str, type(None)})
_LEAVES: Final[frozenset[type]] = frozenset({str, bool, type(None)})
_LARGEST: Final = 2**63
_moment = lru_cache(maxsize=1_024)(moment_of_seconds)
"""Comments of one delivery, and of one live, share their seconds."""


def read_plain(body: bytes) -> Mapping[str, Any] | None:
    """The delivery when its frame is the ordinary one: a page's entries, each with an id and a list of changes."""
    if len(body) > MAX_BODY_BYTES or _NUL in body:
        return None
    try:
        delivery = orjson.loads(body)
    except ValueError:
        return None
    if type(delivery) is not dict or delivery.get("object") != "page" or type(entries := delivery.get("entry")) is not list:
        return None
    return delivery if all(map(_is_plain_entry, entries)) else None


def _is_plain_entry(entry: Any) -> bool:
    if type(entry) is not dict or not entry.keys() <= _ENTRY or type(entry.get("changes")) is not list:
        return False
    page, sent_at = entry.get("id"), entry.get("time")
    return type(page) is str and page != "" and is_plain(page) and (sent_at is None or (type(sent_at) is int and sent_at < _LARGEST))


def plain_add(page: str, sent_at: int | None, change: Any) -> RawEvent | None:
    """The event of an added comment, if this is one and nothing about it needs a second look."""
    if type(change) is not dict or change.keys() != _CHANGE or change["field"] != "feed":
        return None
    value = change["value"]
    if type(value) is not dict or not value.keys() <= _VALUE or value.get("item") != "comment" or value.get("verb") != "add":
        return None
    comment_id, post_id = value.get("comment_id"), value.get("post_id")
    if not _is_id(comment_id) or not _is_id(post_id) or type(seconds := value.get("created_time")) is not int:
        return None
    if type(value.get("message")) not in _TEXTS or type(value.get("parent_id")) not in _TEXTS:
        return None
    if not _is_flat(value.get("from"), _FROM, _TEXTS) or not _is_flat(value.get("post"), _POST, _LEAVES):
        return None
    occurred_at = _moment(seconds)
    key, lane = f"{page}:{comment_id}", f"facebook:{page}:{post_id}"
    if occurred_at is None or len(key) > MAX_KEY_CHARS or len(lane) > MAX_KEY_CHARS:
        return None
    payload = {"object": "page", "page": page, "sent_at": sent_at, "field": "feed", "value": value}
    written = orjson.dumps(payload)
    if len(written) > MAX_TEXT_CHARS:  # so no text of it is longer, either
        return None
    return RawEvent(key, lane, occurred_at, payload, written.decode(), True)


def plain_comment(payload: Mapping[str, Any]) -> SocialEvent | None:
    """What a stored comment says, if it is an added one with a text and nothing beside it that needs a second look."""
    if payload.keys() != _STORED or payload["object"] != "page" or payload["field"] != "feed":
        return None
    value, page = payload["value"], payload["page"]
    if type(value) is not dict or not value.keys() <= _VALUE or value.get("item") != "comment" or value.get("verb") != "add":
        return None
    said: Mapping[str, Any] = value
    text, comment_id, post_id, parent_id = (
        said.get("message", ""),
        said.get("comment_id", ""),
        said.get("post_id", ""),
        said.get("parent_id", ""),
    )
    author, post, seconds = said.get("from"), said.get("post"), said.get("created_time")
    if not text or type(text) is not str or type(author) is not dict or type(post) is not dict or type(seconds) is not int:
        return None
    author_id, status, link = author.get("id", ""), post.get("status_type"), post.get("permalink_url")
    ids = (page, comment_id, post_id, parent_id, author_id)
    if not all(ids) or set(map(type, ids)) != {str} or not is_plain("".join(ids)) or not _TEXTS.issuperset((type(status), type(link))):
        return None
    occurred_at, (source, permalink) = _moment(seconds), _shown(status, link)
    if occurred_at is None:
        return None
    return SocialEvent(
        EventKind.ADD, source, page, comment_id, post_id, "" if parent_id == post_id else parent_id, "", author_id, display_name(author.get("name")),
        text, None, (), occurred_at, TimeSource.PLATFORM, permalink, author_id == page,
    )  # fmt: skip


@lru_cache(maxsize=1_024)
def _shown(status: str | None, link: str | None) -> tuple[SourcePlatform, str]:
    """Where a post is shown, and its address: thousands of comments name the same one."""
    permalink = url(link)
    live = status == "added_video" or "/videos/" in permalink
    return SourcePlatform.FACEBOOK_LIVE if live else SourcePlatform.FACEBOOK_PAGE, permalink


def _is_id(value: Any) -> bool:
    return type(value) is str and value != "" and is_plain(value)


def _is_flat(value: Any, keys: frozenset[str], kinds: frozenset[type]) -> bool:
    """Absent, or an object of these keys alone with nothing but leaves of these kinds."""
    return value is None or (type(value) is dict and value.keys() <= keys and kinds.issuperset(map(type, value.values())))
