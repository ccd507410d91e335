"""Reading the public keys that a provider publishes: JSON Web Key Sets, and Google's map of X.509 certificates.

Each key comes with the one algorithm that it is for, decided by its kind here and never by a token. Keys of other kinds are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from api.auth.strict import Malformed, read_object

ES256: Final = "ES256"
RS256: Final = "RS256"
SMALLEST_RSA_BITS: Final = 2048
KINDS: Final[Mapping[str, tuple[str, str | None]]] = {ES256: ("EC", "P-256"), RS256: ("RSA", None)}
"""What a JSON Web Key says of itself (`kty`, `crv`) when it is for this algorithm."""


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """A public key and what it verifies."""

    algorithm: str
    key: EllipticCurvePublicKey | RSAPublicKey


Reader = Callable[[bytes], dict[str, ProviderKey] | None]
"""The keys of a published body by `kid`; None when it holds none."""


def jwks(*algorithms: str) -> Reader:
    """Reads a JSON Web Key Set and takes keys for these algorithms."""
    return partial(_read_jwks, algorithms)


def _read_jwks(algorithms: tuple[str, ...], body: bytes) -> dict[str, ProviderKey] | None:
    try:
        listed = read_object(body).get("keys")
    except Malformed:
        return None
    found = {}
    for item in listed if isinstance(listed, list) else []:
        key = _of_jwk(item, algorithms)
        if key is not None:
            found[item["kid"]] = key
    return found or None


def _of_jwk(item: Any, algorithms: tuple[str, ...]) -> ProviderKey | None:
    if not isinstance(item, dict) or not isinstance(item.get("kid"), str):
        return None
    algorithm = next((name for name in algorithms if (item.get("kty"), item.get("crv")) == KINDS[name]), None)
    if algorithm is None or item.get("alg", algorithm) != algorithm or item.get("use", "sig") != "sig" or "d" in item:
        return None
    try:
        return _checked(algorithm, jwt.PyJWK(item, algorithm=algorithm).key)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None


def x509_map(body: bytes) -> dict[str, ProviderKey] | None:
    """Reads `{"<kid>": "<certificate in PEM>"}`; RSA keys only."""
    try:
        listed = read_object(body)
    except Malformed:
        return None
    found = {}
    for kid, text in listed.items():
        try:
            key = _checked(RS256, x509.load_pem_x509_certificate(text.encode()).public_key()) if isinstance(text, str) else None
        except ValueError:
            continue
        if key is not None:
            found[kid] = key
    return found or None


def _checked(algorithm: str, key: object) -> ProviderKey | None:
    if algorithm == ES256 and isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return ProviderKey(algorithm, key)
    if algorithm == RS256 and isinstance(key, RSAPublicKey) and key.key_size >= SMALLEST_RSA_BITS:
        return ProviderKey(algorithm, key)
    return None
