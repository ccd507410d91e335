"""The GraphQL client and the people of the API's tests."""

from __future__ import annotations

from tests.api.graphql.conftest import http, people, services, signed_in

__all__ = ["http", "people", "services", "signed_in"]
