"""What one connection and one person may have open, and how long things may take. A test may bring its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """Counts are of this process; times in seconds."""

    connections: int = 20_000
    per_member: int = 10
    per_address: int = 500
    """Connections of nobody in particular. Phones of one carrier share addresses."""
    unknown: int = 1_000
    """Connections that have not said who they are."""
    operations: int = 20
    """Of one connection at once."""
    messages: int = 100
    """Of one connection in `messages_in`."""
    messages_in: float = 10.0
    message_bytes: int = 100_000
    init: float = 10.0
    """Until `connection_init`."""
    ping: float = 25.0
    """Between our pings; who says nothing for two of them is gone."""
    send: float = 15.0
    """A client that takes nothing for so long is cut off."""
    sweep: float = 20.0
    """Between looks whether the members behind all connections may still listen; a bell makes the look at once."""
