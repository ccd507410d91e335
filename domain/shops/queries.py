"""Reads about shops, their staff and their webhook endpoints."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from uuid import UUID

from domain import db
from domain.db import Tx
from domain.vault import Vault

CACHE_SECONDS = 30.0
SLUG = re.compile(r"[A-Za-z0-9_-]{1,64}")
SOURCE = re.compile(r"[a-z][a-z0-9_]{0,15}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One webhook address with its secrets in the clear; the repr hides them."""

    id: UUID
    source: str
    secret: str = field(repr=False)
    verify_token: str = field(repr=False)
    destination: str


@dataclass(frozen=True, slots=True)
class OpenShop:
    """A shop's own row."""

    id: UUID
    number: int
    handle: str
    name: str
    currency: str
    time_zone: str
    locale: str
    pickup_place: str
    pay_within_minutes: int


_endpoints: dict[tuple[str, str], tuple[float, Endpoint]] = {}


def forget() -> None:
    """Drop the cached endpoints of this process."""
    _endpoints.clear()


async def shop_by_handle(tx: Tx, handle: str) -> OpenShop | None:
    """The shop of this handle, for its operator: no membership is asked for."""
    row = await tx.fetchrow(
        "select id, number, handle, name, currency, time_zone, locale, pickup_place, pay_within_minutes from shop where handle = $1", handle
    )
    return None if row is None else OpenShop(*row.values())


async def endpoint_by_slug(source: str, slug: str, vault: Vault) -> Endpoint | None:
    """The endpoint behind `/webhooks/{source}/{slug}`, at most 30 s old; None for any other text, whatever it holds.

    Raises:
        SealBroken: its secrets were sealed with another PLUSONE_SECRET_KEY.
    """
    if SOURCE.fullmatch(source) is None or SLUG.fullmatch(slug) is None:
        return None
    cached = _endpoints.get((source, slug))
    if cached is not None and time.monotonic() - cached[0] < CACHE_SECONDS:
        return cached[1]
    row = await db.fetchrow(
        """select id, source, secret_encrypted, verify_token_encrypted, destination
           from webhook_endpoint where source = $1 and slug = $2""",
        source,
        slug,
    )
    if row is None:
        _endpoints.pop((source, slug), None)
        return None
    token = row["verify_token_encrypted"]
    endpoint = Endpoint(
        row["id"],
        row["source"],
        vault.open(row["secret_encrypted"]).decode(),
        vault.open(token).decode() if token else "",
        row["destination"],
    )
    _endpoints[(source, slug)] = (time.monotonic(), endpoint)
    return endpoint
