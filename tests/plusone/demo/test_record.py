"""The recording follows from the script, and holds what real platforms do to their receivers."""

from __future__ import annotations

import gzip
import json
from collections import Counter

from domain.claims.ports import EndpointSecret, Unreadable
from domain.providers.platforms import PLATFORMS
from plusone.demo.places import ENDPOINTS
from plusone.demo.record import RECORDING, Delivery, as_text, record, recorded, write
from plusone.demo.script import script


def test_recording_again_gives_the_same_bytes(tmp_path):
    assert gzip.decompress(RECORDING.read_bytes()) == as_text(record()), "the script changed: python -m plusone.demo.record"
    again = tmp_path / "again.jsonl.gz"
    write(again)
    first = again.read_bytes()
    write(again)
    assert again.read_bytes() == first


def test_every_act_is_delivered_first_once():
    named = Counter(event for delivery in recorded() if delivery.stored for event in delivery.events)
    assert named == Counter(line.event for line in script())


def test_signatures_hold_but_for_two():
    secrets = {endpoint.path: EndpointSecret(endpoint.secret, endpoint.verify_token, endpoint.destination) for endpoint in ENDPOINTS}
    refused = [d for d in recorded() if not PLATFORMS[d.source].verify(d.headers, d.body, secrets[d.path], now=d.at)]
    assert [(d.status, d.source) for d in refused] == [(401, "line"), (401, "facebook")]
    assert {d.status for d in recorded() if d not in refused} == {200}


def test_rows_are_stored_and_parked_as_written():
    keys: set[tuple[str, str]] = set()
    for delivery in recorded():
        if delivery.status != 200:
            continue
        events = PLATFORMS[delivery.source].split(delivery.body, received_at=delivery.at)
        new = [event for event in events if (delivery.path, event.external_key) not in keys]
        assert len(new) == delivery.stored, delivery.note
        keys |= {(delivery.path, event.external_key) for event in events}
        assert sum(_is_unreadable(delivery, event.payload) for event in new) == delivery.parked, delivery.note


def _is_unreadable(delivery: Delivery, payload) -> bool:
    try:
        PLATFORMS[delivery.source].parse(payload)
    except Unreadable:
        return True
    return False


def test_what_real_platforms_do_is_in_it():
    notes = Counter(delivery.note for delivery in recorded())
    assert notes["copy"] >= 20
    assert notes["two pages"] == 2
    assert notes["out of order"] >= 4
    assert notes["what was seen before, and new"] == 2
    assert {"not JSON", "NUL in a text", "a lone surrogate", "unknown fields", "an event of tomorrow", "a reaction"} <= set(notes)
    late = [line for line in script() if int(line.options.get("late", 1)) > 10]
    assert len(late) >= 4
    marked = [
        json.loads(d.body)["events"][0]["deliveryContext"]["isRedelivery"] for d in recorded() if d.source == "line" and d.note == "copy"
    ]
    assert marked
    assert all(marked)
