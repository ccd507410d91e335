"""A house with webhook doors, for tests: endpoints, one delivery, and what is stored."""

from __future__ import annotations

from uuid import UUID

from prometheus_client import REGISTRY

from domain import db as database
from domain.bootstrap import Services
from domain.providers.platforms.wire import facebook_wire
from domain.shops import queries as shops
from tests.build import an_endpoint

SECRET = "sesame-opens-the-door"
TOKEN = "a-verify-token"
COMMENT = {
    "object": "page",
    "entry": [
        {
            "id": "111",
            "time": 1_795_248_000,
            "changes": [
                {
                    "field": "feed",
                    "value": {
                        "item": "comment", "verb": "add", "comment_id": "9_1", "post_id": "111_9", "from": {"id": "5", "name": "小美"},
                        "message": "A1 +1", "created_time": 1_795_248_000,
                    },
                }
            ],
        }
    ],
}  # fmt: skip
BODY = facebook_wire(COMMENT)


async def a_door(house: Services, source: str = "facebook", slug: str = "app") -> UUID:
    """An endpoint whose secrets the door can open."""
    shops.forget()
    return await an_endpoint(
        source=source,
        slug=slug,
        secret_encrypted=house.vault.seal(SECRET),
        verify_token_encrypted=house.vault.seal(TOKEN),
    )


async def rows() -> list[tuple[str, str, str]]:
    found = await database.fetch("select source, external_key, state from inbox_event order by id")
    return [tuple(row) for row in found]


def failures(source: str) -> float:
    return REGISTRY.get_sample_value("plusone_webhook_signature_failures_total", {"source": source}) or 0.0
