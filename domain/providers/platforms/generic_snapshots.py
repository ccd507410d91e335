"""A collector's delivery as a list of what it saw: per post one event that names the comments, after the comments themselves.

Beside `batch_id` and `items` the body says `snapshot_id` and `complete`. A list is whole only if every row of it can be read and has an id: a row
without one may be any of the comments that are missing. A post with more comments than a delivery takes is sent as `part` 1 to `parts` of one
snapshot. An empty list, and one in parts, name their post beside `snapshot_id` (`source`, `channel_id`, `post_id`); others are of the posts
of their rows. `taken_at_ms` is when the look at the page began; without it the earliest `observed_at_ms` of the rows counts.

Source: this module defines the format, as `generic.py` does the rows'.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from domain.claims.ports import EventKind, Snapshot, SocialEvent, SourcePlatform, TimeSource, Unreadable
from domain.providers.platforms.events import digest, ident, required
from domain.providers.platforms.text import label, listing, moment_of_millis, whole

MOST_PARTS: Final = 40
"""20,000 comments."""
Place = tuple[str, str, str]
"""source, channel_id, post_id"""
_TIMES: Final = ("created_at_ms", "observed_at_ms")


def place_of(row: Mapping[str, Any]) -> Place:
    """Where a row, or a whole delivery, says that it stands."""
    return label(row.get("source")), ident(row.get("channel_id")), ident(row.get("post_id"))


def lists_of(batch: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], *, readable: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Key and payload of each post's list; none when the delivery is no snapshot. `readable`: all that was sent is among the rows."""
    snapshot_id = ident(batch.get("snapshot_id"))
    if not snapshot_id:
        return
    named = _named(batch, rows)
    part, parts = _part(batch, named)
    whole_list = batch.get("complete") is True and readable and 1 <= part <= parts <= MOST_PARTS
    by_place: dict[Place, list[Mapping[str, Any]]] = {named: []} if named else {}
    for row in rows:
        if not named or place_of(row) == named:
            by_place.setdefault(place_of(row), []).append(row)
    for place, own in by_place.items():
        if not place[1] or not place[2]:
            continue  # a chat has no end: nothing is ever all of it
        complete = whole_list and all(ident(row.get("comment_id")) for row in own)
        payload = {
            "snapshot_id": snapshot_id, "complete": complete, "part": part, "parts": parts,
            "source": place[0], "channel_id": place[1], "post_id": place[2],
            "taken_at_ms": _earliest(batch, own), "until_ms": _latest(batch, own),
            "seen": [ident(row.get("comment_id")) for row in own if ident(row.get("comment_id")) and row.get("event", "add") != "remove"],
        }  # fmt: skip
        yield f"snapshot:{digest(chr(0).join(place))}:{digest(snapshot_id)}:{part}/{parts}:{'all' if complete else 'some'}", payload


def read_list(stored: Mapping[str, Any], source: SourcePlatform) -> SocialEvent:
    """One post's list.

    Raises:
        Unreadable: it names no channel or post, or does not say when it was taken.
    """
    taken_at = moment_of_millis(stored.get("taken_at_ms"))
    if taken_at is None:
        raise Unreadable("a snapshot must say when it was taken")
    seen = frozenset(ident(each) for each in listing(stored.get("seen")))
    snapshot = Snapshot(
        required(stored.get("snapshot_id"), "snapshot_id"), stored.get("complete") is True, whole(stored.get("part")) or 1,
        whole(stored.get("parts")) or 1, taken_at, seen,
    )  # fmt: skip
    return SocialEvent(
        EventKind.SNAPSHOT, source, channel_id=required(stored.get("channel_id"), "channel_id"), comment_id="",
        post_id=required(stored.get("post_id"), "post_id"), occurred_at=moment_of_millis(stored.get("until_ms")),
        time_source=TimeSource.OBSERVER, snapshot=snapshot,
    )  # fmt: skip


def _named(batch: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Place | None:
    source, channel_id, post_id = place_of(batch)
    if not channel_id or not post_id:
        return None
    return source or next((place_of(row)[0] for row in rows), ""), channel_id, post_id


def _part(batch: Mapping[str, Any], named: Place | None) -> tuple[int, int]:
    """(part, parts); (0, 0) is none that could ever be whole."""
    if "part" not in batch and "parts" not in batch:
        return 1, 1
    part, parts = whole(batch.get("part")), whole(batch.get("parts"))
    return (part, parts) if part is not None and parts is not None and (named or parts == 1) else (0, 0)


def _earliest(batch: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> int | None:
    times = (_millis(batch.get("taken_at_ms")), *(_millis(row.get("observed_at_ms")) for row in rows))
    return min((at for at in times if at is not None), default=None)


def _latest(batch: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> int | None:
    """The time that puts the list behind its rows in their lane; None, the receipt's, where one of them has that."""
    times = [_millis(batch.get("taken_at_ms"))]
    for row in rows:
        own = [at for name in _TIMES if (at := _millis(row.get(name))) is not None]
        if not own:
            return None
        times += own
    return max((at for at in times if at is not None), default=None)


def _millis(value: Any) -> int | None:
    found: datetime | None = moment_of_millis(value)
    return None if found is None else round(found.timestamp() * 1000)
