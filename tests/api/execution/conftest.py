"""The GraphQL client and the people of the API's tests."""

from __future__ import annotations

import pytest

from tests.api.execution.written import Seen, watched
from tests.api.graphql.conftest import http, people, services, signed_in

__all__ = ["http", "people", "seen", "services", "signed_in"]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Which operations are written from text."""
    return watched(monkeypatch)
