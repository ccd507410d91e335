"""Subscriptions over web sockets, by the protocol graphql-transport-ws."""

from __future__ import annotations

from typing import Final

ABORT: Final = "abort"
"""In the scope's state: what drops the line at once, where the server offers it."""
