"""Who asks: the only proof of identity that is passed on."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID


class Unauthenticated(Exception):
    """No valid access token; GraphQL answers `UNAUTHENTICATED`, plain routes answer 401."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """A member who proved who they are, on one session."""

    member_id: UUID
    session_id: UUID
    locale: str = field(default="", compare=False)
    """The member's language, as the session's standing has it."""
