"""The example's shop, what was done with it, and signed deliveries for its four endpoints."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import tomllib
from collections import Counter
from io import StringIO
from typing import Any

import httpx
from rich.console import Console

from api.app import create_app
from domain import db as database
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.clock import FixedClock
from domain.settings import load
from plusone.shopfile import read
from plusone.shopfile_apply import apply
from plusone.shopfile_checks import secrets_for
from plusone.shopfile_parts import ShopFile
from plusone.shopfile_show import show
from plusone.shopfile_work import Mark, Row
from tests.conftest import NOW
from tests.serving import ROOT, SECRET_KEY
from workers.ingest import drain_all

EXAMPLE = ROOT / "docs" / "examples" / "shop.toml"
FIXTURES = ROOT / "tests" / "fixtures"
SECRETS = {
    "FB_APP_SECRET": "f8b0e5c1d2a34796815e0b9c7d6a5f43",
    "FB_VERIFY_TOKEN": "a-word-of-ours",
    "LINE_CHANNEL_SECRET": "3f1c9a7be2d84605b1c7e0f9a2d34b58",
    "TG_SECRET_TOKEN": "k7PzQ_2f-9sWnX4",
    "COLLECTOR_SECRET": "collector-secret",
}
Json = dict[str, Any]


def an_operator(clock: FixedClock) -> Services:
    """The services of a real shop's operator."""
    return services_for(load(secret_key=SECRET_KEY, public_url="https://plusone.example.com"), clock=clock)


def example() -> Json:
    """The example's tables, to be changed."""
    return tomllib.loads(EXAMPLE.read_text())


async def applied(given: Json | ShopFile, services: Services, *, secrets: dict[str, str] | None = None, dry_run: bool = False) -> list[Row]:
    file = given if isinstance(given, ShopFile) else read(given)
    return await apply(file, secrets_for(file, secrets or SECRETS), services, dry_run=dry_run)


def marks(rows: list[Row]) -> dict[str, int]:
    return dict(Counter(row.mark.value for row in rows))


def beyond_same(rows: list[Row]) -> list[tuple[str, str, str]]:
    return [(row.mark.value, row.what, row.name) for row in rows if row.mark is not Mark.SAME]


async def dump() -> dict[str, list[str]]:
    """Every row of every table with the transaction that wrote it: equal dumps mean that nothing was written between them."""
    names = await database.fetch("select tablename from pg_tables where schemaname = 'public' and tablename not like 'pgqueuer%'")
    return {
        name: [row[0] for row in await database.fetch(f'select t.xmin::text || t::text from "{name}" t order by 1')] for (name,) in names
    }


def fixture(path: str) -> Json:
    return json.loads((FIXTURES / path).read_text())


def facebook(text: str) -> tuple[str, bytes, dict[str, str]]:
    body = fixture("facebook/feed_comment_add.json")
    body["entry"][0]["changes"][0]["value"]["message"] = text
    raw = json.dumps(body).encode()
    return "facebook/amei-app", raw, {"x-hub-signature-256": "sha256=" + signed("FB_APP_SECRET", raw).hex()}


def line(text: str, group: str | None = None) -> tuple[str, bytes, dict[str, str]]:
    body = fixture("line/group_text.json")
    body["events"][0]["message"]["text"] = text
    if group is not None:
        body["events"][0]["source"]["groupId"] = group
    raw = json.dumps(body, ensure_ascii=False).encode()
    return "line/amei-bot", raw, {"x-line-signature": base64.b64encode(signed("LINE_CHANNEL_SECRET", raw)).decode()}


def telegram(text: str) -> tuple[str, bytes, dict[str, str]]:
    body = fixture("telegram/supergroup_text.json")
    body["message"]["text"] = text
    return "telegram/amei-bot", json.dumps(body).encode(), {"x-telegram-bot-api-secret-token": SECRETS["TG_SECRET_TOKEN"]}


def collected(text: str) -> tuple[str, bytes, dict[str, str]]:
    item = fixture("generic/ingest_comment.json") | {"text": text, "created_at_ms": int(NOW.timestamp() * 1000)}
    raw = json.dumps({"batch_id": "1", "items": [item]}).encode()
    stamp = str(int(NOW.timestamp()))
    signature = signed("COLLECTOR_SECRET", f"{stamp}.".encode() + raw).hex()
    return "generic/amei-collector", raw, {"x-plusone-timestamp": stamp, "x-plusone-signature": f"sha256={signature}"}


def signed(secret: str, raw: bytes) -> bytes:
    return hmac.new(SECRETS[secret].encode(), raw, hashlib.sha256).digest()


async def deliver(services: Services, *deliveries: tuple[str, bytes, dict[str, str]]) -> list[int]:
    """POST them to the real application, then decide what came in; answers the HTTP statuses."""
    app = create_app(services)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://x") as http:
        answers = [await http.post(f"/webhooks/{path}", content=raw, headers=headers) for path, raw, headers in deliveries]
    await drain_all(services)
    return [answer.status_code for answer in answers]


async def orders() -> list[tuple[Any, ...]]:
    rows = await database.fetch(
        """select b.provider, o.delivery_method, l.title, l.variant_label, l.quantity, o.total_minor from "order" o
           join order_line l on l.order_id = o.id join buyer b on b.id = o.buyer_id order by b.provider, l.title, l.quantity"""
    )
    return [tuple(row) for row in rows]


async def shown(services: Services, handle: str = "amei") -> str:
    out = Console(file=StringIO(), width=200)
    assert await show(handle, services, out)
    return out.file.getvalue()  # type: ignore[attr-defined]
