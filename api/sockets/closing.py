"""Why a connection ends, as the number in its close frame. docs/api/live.md says what an app does then."""

from __future__ import annotations

from enum import IntEnum


class Closing(IntEnum):
    """4400 to 4429 are the protocol's own."""

    RESTART = 1012
    """The server ends: connect again, it will be another one."""
    BAD_MESSAGE = 4400
    NOT_INITIALISED = 4401
    FORBIDDEN = 4403
    """The token does not hold, has run out, or was revoked."""
    WRONG_PROTOCOL = 4406
    INIT_TIMEOUT = 4408
    SAME_ID = 4409
    INIT_TWICE = 4429
    TOO_MANY_CONNECTIONS = 4430
    TOO_MANY_MESSAGES = 4431
    SILENT = 4504
    """No answer to our pings."""
    TOO_SLOW = 4508
    """It does not take what is sent to it."""


class Closed(Exception):
    """This connection ends now."""

    def __init__(self, code: Closing, reason: str = "") -> None:
        super().__init__(reason or code.name)
        self.code = code
        self.reason = reason or code.name.replace("_", " ").capitalize()
