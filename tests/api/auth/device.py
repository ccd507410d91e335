"""A device that makes passkeys and signs with them, byte for byte as WebAuthn says, and lies where a test likes."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

RP_ID = "plusone.test"
ORIGIN = "https://plusone.test"
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40
Key = EllipticCurvePrivateKey | Ed25519PrivateKey


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def flipped(text: str, place: int) -> str:
    """base64url whose byte at this place has another lowest bit."""
    changed = bytearray(raw(text))
    changed[place] ^= 1
    return b64(bytes(changed))


@dataclass(slots=True)
class Lie:
    """What a device says that is not so, or does not do."""

    origin: str = ORIGIN
    rp_id: str = RP_ID
    flags: int = PRESENT | VERIFIED
    kind: str = ""
    more: dict[str, Any] = field(default_factory=dict)
    """Of the client data, such as a challenge."""
    user: bytes | None = None
    fmt: str = "none"


HONEST = Lie()


@dataclass(slots=True)
class Device:
    """One passkey on one device."""

    key: Key = field(default_factory=lambda: generate_private_key(SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    user: bytes = b""
    count: int = 0
    counts: bool = True

    def create(self, options: dict[str, Any], lie: Lie = HONEST) -> dict[str, Any]:
        """`navigator.credentials.create()`"""
        self.user = raw(options["user"]["id"])
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + self._public()
        said = self._said(lie, ATTESTED, attested)
        response = {
            "clientDataJSON": _client_data("webauthn.create", options["challenge"], lie),
            "attestationObject": b64(cbor2.dumps({"fmt": lie.fmt, "attStmt": {}, "authData": said})),
            "transports": ["internal"],
        }
        return self._credential(response)

    def sign(self, options: dict[str, Any], lie: Lie = HONEST) -> dict[str, Any]:
        """`navigator.credentials.get()`"""
        self.count += self.counts
        said = self._said(lie)
        client = _client_data("webauthn.get", options["challenge"], lie)
        message = said + hashlib.sha256(raw(client)).digest()
        signature = self.key.sign(message) if isinstance(self.key, Ed25519PrivateKey) else self.key.sign(message, ECDSA(SHA256()))
        user = self.user if lie.user is None else lie.user
        response = {"clientDataJSON": client, "authenticatorData": b64(said), "signature": b64(signature)}
        return self._credential(response | ({"userHandle": b64(user)} if user else {}))

    def copy(self) -> Device:
        """Somebody else has the same key, and goes on counting from here."""
        return Device(self.key, self.credential_id, self.user, self.count, self.counts)

    def _said(self, lie: Lie, more_flags: int = 0, attested: bytes = b"") -> bytes:
        return hashlib.sha256(lie.rp_id.encode()).digest() + bytes([lie.flags | more_flags]) + self.count.to_bytes(4, "big") + attested

    def _public(self) -> bytes:
        if isinstance(self.key, Ed25519PrivateKey):
            return cbor2.dumps({1: 1, 3: -8, -1: 6, -2: self.key.public_key().public_bytes_raw()})
        numbers = self.key.public_key().public_numbers()
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        name = b64(self.credential_id)
        return {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}


def _client_data(kind: str, challenge: str, lie: Lie) -> str:
    said = {"type": lie.kind or kind, "challenge": challenge, "origin": lie.origin, "crossOrigin": False} | lie.more
    return b64(json.dumps(said).encode())
