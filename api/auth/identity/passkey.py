"""Passkeys (WebAuthn): what a device is asked for, and whether what it signed holds.

The challenge of both ceremonies is a nonce of ours (`domain/members/attempts.py`), which says by itself what it was made for and when it
ends. Attestation is not asked for: which make a device is decides nothing here. User verification (finger, face, PIN) always is, so that a
passkey is two proofs in one.

Source: https://www.w3.org/TR/webauthn-3/, sections 7.1 and 7.2; read 2026-11-22
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from api.auth.strict import Malformed, read_object
from domain.members.errors import SignInRefused
from domain.members.passkeys import KeptPasskey, NewPasskey
from domain.settings import MissingSetting, Settings

if TYPE_CHECKING:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

LIBRARY: Final = "webauthn"
NAME: Final = "plusone"
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
ANDROID: Final = "android:apk-key-hash:"
LONGEST_ID: Final = 1023
TIMEOUT_MS: Final = 5 * 60 * 1000
FORMATS: Final = frozenset({"none", "packed"})
"""What devices answer when no attestation is asked for; other formats bring certificates that nobody here looks at."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature of a passkey, as it came: nothing of it is proven."""

    credential_id: bytes
    user: UUID | None
    """Whose passkey the device says it is; None when it says nothing."""
    credential: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Whom passkeys are made for: a domain, and the addresses and apps that may ask for them."""

    id: str
    origins: tuple[str, ...]

    def creation_options(self, member_id: UUID, shown: str, challenge: str, known: Sequence[bytes]) -> dict[str, Any]:
        """PublicKeyCredentialCreationOptions as JSON. `shown`: what the device's list calls the account; `known`: passkeys not to be made twice."""
        from webauthn import generate_registration_options
        from webauthn.helpers.structs import AuthenticatorSelectionCriteria, ResidentKeyRequirement, UserVerificationRequirement

        return _json(
            generate_registration_options(
                rp_id=self.id,
                rp_name=NAME,
                user_id=member_id.bytes,
                user_name=shown or NAME,
                challenge=decoded(challenge),
                timeout=TIMEOUT_MS,
                authenticator_selection=AuthenticatorSelectionCriteria(
                    resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
                ),
                exclude_credentials=_descriptors(known),
            )
        )

    def request_options(self, challenge: str, known: Sequence[bytes] = ()) -> dict[str, Any]:
        """PublicKeyCredentialRequestOptions as JSON; without `known` any passkey of this domain will do, and says whose it is."""
        from webauthn import generate_authentication_options
        from webauthn.helpers.structs import UserVerificationRequirement

        return _json(
            generate_authentication_options(
                rp_id=self.id,
                challenge=decoded(challenge),
                timeout=TIMEOUT_MS,
                allow_credentials=_descriptors(known),
                user_verification=UserVerificationRequirement.REQUIRED,
            )
        )

    def created(self, credential: dict[str, Any], challenge: str) -> NewPasskey:
        """The passkey that a device made for this challenge.

        Raises:
            SignInRefused: it does not hold, whatever the cause.
        """
        from webauthn import verify_registration_response
        from webauthn.helpers import (
            decode_credential_public_key,
            decoded_public_key_to_cryptography,
            parse_attestation_object,
            parse_registration_credential_json,
        )

        try:
            read = parse_registration_credential_json(credential)
            if _crosses(read.response.client_data_json) or parse_attestation_object(read.response.attestation_object).fmt not in FORMATS:
                raise SignInRefused
            made = verify_registration_response(
                credential=read,
                expected_challenge=decoded(challenge),
                expected_rp_id=self.id,
                expected_origin=list(self.origins),
                require_user_verification=True,
            )
            # A key that nothing can be checked with would lock its person out.
            decoded_public_key_to_cryptography(decode_credential_public_key(made.credential_public_key))
        except SignInRefused:
            raise
        except Exception:  # the library's parsers answer odd bytes with many kinds of errors, all of which mean no
            raise SignInRefused from None
        if not 1 <= len(made.credential_id) <= LONGEST_ID:
            raise SignInRefused
        return NewPasskey(made.credential_id, made.credential_public_key, made.sign_count)

    def signed(self, credential: dict[str, Any], challenge: str, passkey: KeptPasskey) -> int:
        """The count that came with a signature of this passkey over this challenge. Whether it rose is for the tables to say.

        Raises:
            SignInRefused: it does not hold, whatever the cause.
        """
        from webauthn import verify_authentication_response
        from webauthn.helpers import parse_authentication_credential_json

        try:
            read = parse_authentication_credential_json(credential)
            if _crosses(read.response.client_data_json):
                raise SignInRefused
            return verify_authentication_response(
                credential=read,
                expected_challenge=decoded(challenge),
                expected_rp_id=self.id,
                expected_origin=list(self.origins),
                credential_public_key=passkey.public_key,
                # The library compares counts before it looks at the signature: anybody could then pass for a copy.
                credential_current_sign_count=-1,
                require_user_verification=True,
            ).new_sign_count
        except SignInRefused:
            raise
        except Exception:  # as above
            raise SignInRefused from None


async def loaded() -> None:
    """Load the library where nothing waits for it: that takes half a second, and a process that meets no passkey needs none of it."""
    if LIBRARY not in sys.modules:
        await asyncio.to_thread(import_module, LIBRARY)


def relying_party(settings: Settings) -> RelyingParty:
    """Of these settings; by default the host of `public_url`, and on this machine `localhost`, the one name that browsers take without HTTPS.

    Raises:
        MissingSetting: an origin is not `https://` (or this machine's `http://` in development), or is of another domain.
    """
    public = urlsplit(settings.public_url)
    host = public.hostname or "localhost"
    own = "localhost" if host in LOOPBACK else host
    rp_id = settings.passkey_rp_id or own
    given = settings.passkey_origins
    if given is None:
        port = f":{public.port}" if public.port is not None else ""
        return RelyingParty(rp_id, (f"{public.scheme}://{own}{port}",))
    origins = tuple(part.strip() for part in given.split(","))
    for origin in origins:
        _check_origin(origin, rp_id, loopback=settings.is_development)
    return RelyingParty(rp_id, origins)


def read_signed(credential: dict[str, Any]) -> Signed:
    """Which passkey a signature says it is of.

    Raises:
        SignInRefused: it does not say so.
    """
    response = credential.get("response")
    handle = response.get("userHandle") if isinstance(response, dict) else None
    try:
        return Signed(decoded(credential.get("id")), None if handle is None else UUID(bytes=decoded(handle)), credential)
    except ValueError:
        raise SignInRefused from None


def challenge_of(credential: dict[str, Any]) -> str:
    """The nonce that a device says it signed.

    Raises:
        SignInRefused: it says none.
    """
    response = credential.get("response")
    try:
        said = read_object(decoded(response.get("clientDataJSON") if isinstance(response, dict) else None)).get("challenge")
    except ValueError:
        raise SignInRefused from None
    if not isinstance(said, str) or not said.isascii():
        raise SignInRefused
    return said


def proof_hash(credential_id: bytes, challenge: str) -> str:
    """What this use of a passkey is recognised by."""
    return hashlib.sha256(b"passkey\0" + credential_id + challenge.encode()).hexdigest()


def decoded(text: object) -> bytes:
    """The bytes of strict base64url without padding.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(text, str):
        raise Malformed("not a text")
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise Malformed("not base64url") from None


def _check_origin(origin: str, rp_id: str, *, loopback: bool) -> None:
    if origin.startswith(ANDROID):
        return
    parts = urlsplit(origin)
    plain = loopback and parts.scheme == "http" and parts.hostname in LOOPBACK
    if parts.scheme != "https" and not plain:
        raise MissingSetting("PLUSONE_PASSKEY_ORIGINS: each must begin with https:// or android:apk-key-hash:")
    if origin != f"{parts.scheme}://{parts.netloc}" or parts.username is not None:
        raise MissingSetting("PLUSONE_PASSKEY_ORIGINS: each is a scheme and a host, with no path")
    if parts.hostname != rp_id and not (parts.hostname or "").endswith(f".{rp_id}"):
        raise MissingSetting("PLUSONE_PASSKEY_ORIGINS: each must be of the domain PLUSONE_PASSKEY_RP_ID")


def _crosses(client_data: bytes) -> bool:
    """Whether it was signed in a frame of somebody else's page, where a person may not see for whom."""
    return read_object(client_data).get("crossOrigin") not in (None, False)


def _descriptors(known: Sequence[bytes]) -> list[PublicKeyCredentialDescriptor]:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    return [PublicKeyCredentialDescriptor(id=credential_id) for credential_id in known]


def _json(options: Any) -> dict[str, Any]:
    from webauthn.helpers import options_to_json_dict

    return options_to_json_dict(options)
