"""What lets commenters at a channel become members: how people write to it, links in its private replies, the bot's access token."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.errors import NotFound
from domain.shops.errors import InvalidShop
from domain.vault import SealBroken, Vault

CONTACT: Final = re.compile(r"[A-Za-z0-9._]{0,64}")
"""A user name, without `@`; empty for none."""
LONGEST_ACCESS_TOKEN: Final = 500


async def set_channel_linking(
    *, shop_id: UUID, channel_id: UUID, contact: str, private_links: bool, now: datetime, actor: Actor
) -> tuple[str, ...]:
    """Say how people write to the account behind a channel, and whether its private replies carry links; answers what changed.

    Raises:
        InvalidShop: the contact cannot be.
        NotFound: this shop has no such channel.
    """
    if CONTACT.fullmatch(contact) is None:
        raise InvalidShop("contact")
    async with db.transaction() as tx:
        row = await tx.fetchrow("select contact, private_links from channel where shop_id = $1 and id = $2 for update", shop_id, channel_id)
        if row is None:
            raise NotFound
        wanted = {"contact": contact, "private_links": private_links}
        changed = tuple(name for name, value in wanted.items() if row[name] != value)
        if changed:
            await tx.execute("update channel set contact = $2, private_links = $3 where id = $1", channel_id, contact, private_links)
            await record(tx, actor, [Entry(shop_id, "CHANNEL_LINKING_CHANGED", "channel", channel_id, {"changed": list(changed)})], now=now)
    return changed


async def set_access_token(*, endpoint_id: UUID, token: str, vault: Vault, now: datetime, actor: Actor) -> bool:
    """Give an endpoint the access token of its bot, or take it away (empty); answers whether it was another one. Nothing is sealed twice.

    Raises:
        InvalidShop: it cannot be a token.
        NotFound: no such endpoint.
    """
    if len(token) > LONGEST_ACCESS_TOKEN or not token.isascii() or any(c <= " " for c in token):
        raise InvalidShop("access_token")
    async with db.transaction() as tx:
        sealed = await tx.fetchval("select access_token_encrypted from webhook_endpoint where id = $1 for update", endpoint_id)
        if sealed is None:
            raise NotFound
        if _opened(sealed, vault) == token:
            return False
        await tx.execute(
            "update webhook_endpoint set access_token_encrypted = $2 where id = $1", endpoint_id, vault.seal(token) if token else ""
        )
        shops = await tx.fetch("select distinct shop_id from channel where endpoint_id = $1 order by shop_id", endpoint_id)
        entries = [Entry(shop["shop_id"], "ENDPOINT_CHANGED", "endpoint", endpoint_id, {"changed": ["access_token"]}) for shop in shops]
        await record(tx, actor, entries, now=now)
    return True


def _opened(sealed: str, vault: Vault) -> str | None:
    """None when it does not open any more: it is sealed anew."""
    try:
        return vault.open(sealed).decode() if sealed else ""
    except SealBroken:
        return None
