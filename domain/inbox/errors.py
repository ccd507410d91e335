"""What the inbox says no to. None of it reaches an app: the webhook door turns it into a status."""

from __future__ import annotations


class Unstorable(Exception):
    """PostgreSQL refuses these very rows (their text, their size, an endpoint that is gone); sending them again would change nothing."""
