"""Settings for tests, read once: reading them takes 4 ms, and most tests want the same. They are frozen, so nobody notices."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from domain.settings import Settings, load


def settings(**given: Any) -> Settings:
    """`load` with these; whoever changes the environment gets others."""
    environment = frozenset((name, value) for name, value in os.environ.items() if name.upper().startswith(("PLUSONE_", "DATABASE_URL")))
    return _read(frozenset(given.items()), environment)


@cache
def _read(given: frozenset[tuple[str, Any]], _: frozenset[tuple[str, str]]) -> Settings:
    return load(**dict(given))
