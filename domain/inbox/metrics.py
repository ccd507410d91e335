"""Figures of the way in, for Prometheus. Counters of one process; what waits in the database is read when it is asked for."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

signature_failures: Final = Counter(
    "plusone_webhook_signature_failures_total", "Deliveries refused because their signature or handshake was wrong.", ["source"]
)
events: Final = Counter("plusone_webhook_events_total", "Events of verified deliveries; `new` is false for copies.", ["new"])
refused_deliveries: Final = Counter(
    "plusone_webhook_unavailable_total", "Deliveries answered 503 because the database was away or the inbox full.", ["source"]
)
decisions: Final = Counter("plusone_decisions_total", "Events that a worker decided, by outcome.", ["outcome"])
