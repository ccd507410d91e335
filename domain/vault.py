"""Keys derived from the one secret of the settings, and secrets at rest.

Every purpose has its own key (HKDF-SHA256 over the root with the purpose as info), so a cursor key can never open a stored secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class SealBroken(ValueError):
    """The text was not sealed with this secret key, or it was altered."""


class Vault:
    """Seals secrets for the database and makes MACs; its repr shows nothing."""

    __slots__ = ("_fernet", "_root")

    def __init__(self, root_secret: str) -> None:
        self._root = root_secret.encode()
        self._fernet = Fernet(base64.urlsafe_b64encode(self.key("seal")))

    def __repr__(self) -> str:
        return "Vault(…)"

    def key(self, purpose: str) -> bytes:
        """32 bytes for one purpose, always the same for one root."""
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"plusone/" + purpose.encode()).derive(self._root)

    def seal(self, secret: str | bytes) -> str:
        """Encrypted and authenticated text (Fernet) for a column."""
        return self._fernet.encrypt(secret.encode() if isinstance(secret, str) else secret).decode()

    def open(self, sealed: str) -> bytes:
        """The secret again.

        Raises:
            SealBroken: another root key, or altered text.
        """
        try:
            return self._fernet.decrypt(sealed.encode())
        except InvalidToken as error:
            raise SealBroken("a stored secret does not open with this PLUSONE_SECRET_KEY") from error

    def mac(self, purpose: str, message: bytes) -> bytes:
        """HMAC-SHA256 of the message under the purpose's key, 32 bytes."""
        return hmac.new(self.key(purpose), message, hashlib.sha256).digest()
