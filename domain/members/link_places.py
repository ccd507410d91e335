"""Addresses that carry a claim code into the chats of a shop's channels: for a phone that has the platform's app, one tap in place of typing.

Sources: Meta for Developers, "m.me links", "ig.me links"; Telegram, "Deep linking" (read 2026-11): `ref` and `start` take letters, digits, `-`
and `_`, which is all that a code has. LINE knows no address that fills in a message for an account without its own name, so it has none here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote
from uuid import UUID

from domain import db
from domain.errors import NotFound
from domain.paging import Row

URLS: Final[Mapping[str, Callable[[str, str, str], str]]] = {
    "FACEBOOK_PAGE": lambda page, _, code: f"https://m.me/{quote(page, safe='')}?ref={code}",
    "INSTAGRAM": lambda _, account, code: account and f"https://ig.me/m/{quote(account, safe='')}?ref={code}",
    "TELEGRAM": lambda _, bot, code: bot and f"https://t.me/{quote(bot, safe='')}?start={code}",
}
"""By platform: from the channel's id, its contact and the code; empty where a contact is needed and there is none."""
MOST: Final = 50


async def addresses(shop_id: UUID, code: str) -> list[Row]:
    """One address per chat of the shop, the channel that was bound first in front.

    Raises:
        NotFound: no such shop.
    """
    rows = await db.fetch(
        """select s.id, c.platform, c.external_id, c.contact, c.name, e.source from shop s
           left join channel c on c.shop_id = s.id and c.platform = any($2::text[])
           left join webhook_endpoint e on e.id = c.endpoint_id
           where s.id = $1 order by c.created_at, c.id limit $3""",
        shop_id,
        sorted(URLS),
        MOST,
    )
    if not rows:
        raise NotFound
    found: dict[str, Row] = {}
    for row in rows:
        url = URLS[row["platform"]](row["external_id"], row["contact"], code) if row["platform"] is not None else ""
        if url:
            found.setdefault(url, {"provider": row["source"], "channel_name": row["name"], "url": url})
    return list(found.values())
