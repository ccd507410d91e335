"""Figures of the way in, for Prometheus. Counters of one process; what waits in the database is read when it is asked for."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Histogram

signature_failures: Final = Counter(
    "plusone_webhook_signature_failures_total", "Deliveries refused because their signature or handshake was wrong.", ["source"]
)
events: Final = Counter("plusone_webhook_events_total", "Events of verified deliveries; `new` is false for copies.", ["new"])
refused_deliveries: Final = Counter(
    "plusone_webhook_unavailable_total", "Deliveries answered 503 because the database was away or the inbox full.", ["source"]
)
store_seconds: Final = Histogram(
    "plusone_webhook_store_seconds", "From a delivery's arrival at the inbox to its COMMIT, of the first one of each commit.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0),
)  # fmt: skip
decision_seconds: Final = Histogram(
    "plusone_decision_seconds", "From receipt to decision, of the event of each batch that waited longest.",
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0),
)  # fmt: skip
decisions: Final = Counter("plusone_decisions_total", "Events that a worker decided, by outcome.", ["outcome"])
