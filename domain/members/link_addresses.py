"""Addresses that a person opens in the member app to become who they are on a platform: what stands behind the `#`.

The text is `kind 1 | id 16 | MAC 16`, base64url: it names a row and shows that we made it, so that nothing of it has to be kept, and whoever
reads the table has no address. It follows a `#`, which no browser sends on: neither servers nor their logs see it, and a messenger that looks
at the page behind an address opens nothing. Each is for one use, ends, and is a guess that counts.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from enum import Enum
from typing import Final
from uuid import UUID

from domain.members.errors import LinkOver
from domain.vault import Vault

PURPOSE: Final = "link-address"
MAC_BYTES: Final = 16
LENGTH: Final = 1 + 16 + MAC_BYTES


class Opens(Enum):
    """What an address leads to."""

    COMMENT = b"C"
    """The private reply that carries it: its reader wrote the comment."""
    ACCOUNT = b"A"
    """An account link that a bot sent."""


def token(opens: Opens, key: UUID, vault: Vault) -> str:
    """The text behind the `#`, 44 characters; always the same for one row."""
    body = opens.value + key.bytes
    return base64.urlsafe_b64encode(body + _mac(body, vault)).decode()


def address(base: str, opens: Opens, key: UUID, vault: Vault) -> str:
    """The whole address; `base` is the setting `app_link_url`."""
    return f"{base}#{token(opens, key, vault)}"


def read(text: str, vault: Vault) -> tuple[Opens, UUID]:
    """What a text leads to.

    Raises:
        LinkOver: we did not make it.
    """
    try:
        raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise LinkOver from None
    body, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
    if len(raw) != LENGTH or not hmac.compare_digest(mac, _mac(body, vault)):
        raise LinkOver
    return Opens(body[:1]), UUID(bytes=body[1:])


def _mac(body: bytes, vault: Vault) -> bytes:
    return vault.mac(PURPOSE, body)[:MAC_BYTES]
