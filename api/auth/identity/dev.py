"""Development only: say who you are.

The "token" `dev:<provider>:<subject>` means "I am this identity", so that the demo and tests can sign in as any commenter. The adapter
does not exist unless the settings say development (`api/auth/identity/registry.py`).
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from typing import Final

from api.auth.identity.base import ProvenIdentity
from api.auth.strict import is_clean
from domain.members.errors import SignInRefused

PROVIDER: Final = "dev"
TOKEN: Final = re.compile(r"dev:(facebook|line|telegram|generic|member):(.{1,120})")
LIFE = timedelta(minutes=10)


class DevIdentity:
    """Believes everything."""

    async def verify(self, id_token: str, nonce: str, now: datetime) -> ProvenIdentity:
        """Raises SignInRefused for a text of another shape."""
        found = TOKEN.fullmatch(id_token)
        if found is None or not is_clean(id_token) or not nonce:
            raise SignInRefused
        # The text is always the same: what may be used once is the text with its nonce.
        proof_hash = hashlib.sha256(f"{id_token}\n{nonce}".encode()).hexdigest()
        return ProvenIdentity(found[1], found[2], "", now + LIFE, proof_hash)
