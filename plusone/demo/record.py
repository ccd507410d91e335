"""The recording: the script as the deliveries that the platforms would have sent, in their very bytes, signed.

One JSON object a line: `at` (instant of delivery), `source`, `slug`, `shop`, `headers`, `body` (base64), `status` (the answer that is due),
`events` (the acts in it, by name), `stored` (rows that it must leave in the inbox), `parked` (of them, rows for a person) and `note`.
The recording follows from the script alone: `python -m plusone.demo.record` writes it anew.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final

from domain.providers.platforms.wire import (
    facebook_wire,
    generic_wire,
    line_wire,
    sign_facebook,
    sign_generic,
    sign_line,
    sign_telegram,
    telegram_wire,
)
from plusone.demo import payloads
from plusone.demo.odd import ODD
from plusone.demo.places import EVENING, GANGDO_BOT, EndpointOfDemo
from plusone.demo.script import Line, script

RECORDING: Final = Path(__file__).parent / "evening.jsonl.gz"
FORGER: Final = "somebody-elses-secret"
SCAN_SECONDS: Final = 5
"""How long after its newest row a collector sends."""
COPY_SECONDS: Final = (4, 9)
"""How long after a delivery its copies come."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST to a webhook address."""

    at: datetime
    source: str
    slug: str
    shop: str
    headers: Mapping[str, str]
    body: bytes
    status: int = 200
    events: tuple[str, ...] = ()
    stored: int = 0
    parked: int = 0
    note: str = ""

    @property
    def path(self) -> str:
        """Where it goes."""
        return f"/webhooks/{self.source}/{self.slug}"

    def as_json(self) -> str:
        """Its line in the recording."""
        shown = {
            "at": self.at.isoformat(timespec="milliseconds"),
            "source": self.source,
            "slug": self.slug,
            "shop": self.shop,
            "headers": dict(self.headers),
            "body": base64.b64encode(self.body).decode(),
            "status": self.status,
            "events": list(self.events),
            "stored": self.stored,
            "parked": self.parked,
            "note": self.note,
        }
        return json.dumps(shown, ensure_ascii=False)

    @classmethod
    def of_json(cls, text: str) -> Delivery:
        """A line of the recording."""
        found = json.loads(text)
        body, at = base64.b64decode(found.pop("body")), datetime.fromisoformat(found.pop("at"))
        return cls(at=at, body=body, events=tuple(found.pop("events")), **found)


def sign(endpoint: EndpointOfDemo, body: bytes, at: datetime, secret: str = "") -> dict[str, str]:
    """The headers of a delivery to this endpoint."""
    key = secret or endpoint.secret
    if endpoint.source == "generic":
        return sign_generic(body, key, payloads.seconds(at))
    return {"facebook": sign_facebook, "line": sign_line, "telegram": sign_telegram}[endpoint.source](body, key)


def record() -> list[Delivery]:
    """The whole evening, in the order of delivery."""
    found = [*_alone(), *_together(), *_scans(), _thread(), *_odd()]
    return sorted(found, key=lambda d: (d.at, d.slug, d.events, d.note))


@cache
def recorded() -> tuple[Delivery, ...]:
    """The evening as it is kept in the file."""
    with gzip.open(RECORDING, "rt", encoding="utf-8") as lines:
        return tuple(Delivery.of_json(line) for line in lines)


def as_text(deliveries: Iterable[Delivery]) -> bytes:
    """The recording's text, before it is packed."""
    return "".join(delivery.as_json() + "\n" for delivery in deliveries).encode()


def _delivery(lines: Sequence[Line], at: datetime, body: bytes, note: str = "") -> Delivery:
    place = lines[0].place
    names = tuple(line.event for line in lines)
    headers = sign(place.endpoint, body, at)
    return Delivery(at, place.endpoint.source, place.endpoint.slug, place.shop, headers, body, events=names, stored=len(lines), note=note)


def _alone() -> Iterable[Delivery]:
    """Acts that are delivered by themselves, with their copies."""
    updates: dict[str, Iterator[int]] = defaultdict(lambda: count(815_230_001))
    for line in script():
        source = line.place.endpoint.source
        update = next(updates[line.place.endpoint.slug]) if source == "telegram" else 0
        if "batch" in line.options or source == "generic":
            continue
        at = line.delivered_at
        first = _delivery([line], at, _body([line], at, update))
        yield first
        yield from _copies(first, [line])


def _copies(first: Delivery, lines: Sequence[Line]) -> Iterable[Delivery]:
    """The same once more: LINE marks a copy, the others send the same bytes."""
    most = max(int(line.options.get("copies", 0)) for line in lines)
    for wait in COPY_SECONDS[:most]:
        at = first.at + timedelta(seconds=wait)
        copy = replace(first, at=at, stored=0, note="copy")
        if first.source == "line":
            body = line_wire(payloads.line_delivery([payloads.line_event(line, again=True) for line in lines]))
            copy = replace(copy, body=body, headers=sign(lines[0].place.endpoint, body, at))
        yield copy


def _body(lines: Sequence[Line], at: datetime, update: int) -> bytes:
    source = lines[0].place.endpoint.source
    if source == "telegram":
        return telegram_wire(payloads.telegram_update(lines[0], update))
    if source == "line":
        return line_wire(payloads.line_delivery([payloads.line_event(line) for line in lines]))
    pages = list(dict.fromkeys(line.place.channel for line in lines))
    entries = []
    for page in pages:
        of_page = [line for line in lines if line.place.channel == page]
        entries.append((page, _sent_at(of_page, at), [payloads.facebook_change(line) for line in of_page]))
    return facebook_wire(payloads.facebook_delivery(entries))


def _sent_at(lines: Sequence[Line], at: datetime) -> int:
    """`entry.time` of a page; it dates the edits in it."""
    edits = [line.at for line in lines if line.act == "edit"]
    return payloads.seconds(max(edits, default=at))


def _together() -> Iterable[Delivery]:
    """Acts that share a delivery: of one place, or of two pages of the same app."""
    batches: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in script():
        if "batch" in line.options:
            batches[line.place.endpoint.slug, line.options["batch"]].append(line)
    for lines in batches.values():
        at = max(line.delivered_at for line in lines)
        in_order = lines[::-1] if any("reversed" in line.options for line in lines) else lines
        pages = {line.place.channel for line in lines}
        note = "two pages" if len(pages) > 1 else "out of order" if in_order is not lines else "together"
        first = _delivery(in_order, at, _body(in_order, at, 0), note)
        yield first
        yield from _copies(first, in_order)


def _scans() -> Iterable[Delivery]:
    """What a collector sends: all that it saw since the last time, and sometimes what it had seen before."""
    scans: dict[tuple[str, int], list[Line]] = defaultdict(list)
    for line in script():
        if line.place.endpoint.source == "generic":
            scans[line.place.key, int(line.options["scan"])].append(line)
    for (place, number), lines in scans.items():
        again = [old for line in lines if "again" in line.options for old in scans[place, int(line.options["again"])]]
        at = max(line.at for line in lines) + timedelta(seconds=SCAN_SECONDS)
        items = [payloads.collected_item(line) for line in [*again, *lines]]
        body = generic_wire({"batch_id": f"{place}-{number}", "items": items})
        yield _delivery(lines, at, body, "what was seen before, and new" if again else "together")


def _thread() -> Delivery:
    """Telegram copies the channel's post into the discussion group; the comments hang on the copy."""
    at = EVENING + timedelta(seconds=3)
    body = telegram_wire({"update_id": 730_000_002, "message": payloads.auto_forward()})
    headers = sign(GANGDO_BOT, body, at)
    return Delivery(at, GANGDO_BOT.source, GANGDO_BOT.slug, "gangdo", headers, body, stored=1, note="the post's copy")


def _odd() -> Iterable[Delivery]:
    for odd in ODD:
        at = EVENING + timedelta(seconds=odd.after_s)
        headers = sign(odd.endpoint, odd.body, at, FORGER if odd.forged else "")
        status = 401 if odd.forged else 200
        yield Delivery(
            at,
            odd.endpoint.source,
            odd.endpoint.slug,
            odd.shop,
            headers,
            odd.body,
            status,
            stored=odd.events,
            parked=odd.parked,
            note=odd.name,
        )


def write(path: Path = RECORDING) -> int:
    """Write the recording anew; answers how many deliveries it has."""
    deliveries = record()
    packed = io.BytesIO()
    # No name and no time in the file: the same script gives the same bytes.
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=9, mtime=0) as file:
        file.write(as_text(deliveries))
    path.write_bytes(packed.getvalue())
    return len(deliveries)


if __name__ == "__main__":
    write()
