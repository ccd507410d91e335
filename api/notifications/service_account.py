"""A service account that no Google knows: credentials for an FCM-shaped server of one's own."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

PROJECT = "plusone-local"


def self_made(base_url: str) -> dict[str, str]:
    """The contents of a service account file with a fresh RSA key, whose token endpoint is `{base_url}/token`."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "local",
        "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "client_email": f"fcm@{PROJECT}.iam.gserviceaccount.com",
        "token_uri": f"{base_url.rstrip('/')}/token",
    }
