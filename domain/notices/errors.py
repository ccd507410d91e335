"""Refusals of the notices room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.errors import DomainError


@dataclass
class TooManyAnnouncements(DomainError):
    """The shop has told its buyers enough for a day."""

    code: ClassVar[str] = "TOO_MANY_ANNOUNCEMENTS"
