"""The parts put together: the list of tables, and settings turned into services."""

from __future__ import annotations

MODEL_MODULES = [
    f"domain.{room}.models"
    for room in ("shops", "catalog", "stock", "members", "posts", "orders", "claims", "payments", "pickup", "notices", "inbox", "idempotency", "audit")
]
