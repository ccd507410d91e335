"""Forged access tokens, made from a genuine one: what an attacker without our key can send, and what our key must never have signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Sign = Callable[[bytes], bytes]


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def dumps(value: object) -> bytes:
    """JSON as it is written; lone surrogates as escapes."""
    return json.dumps(value).encode()


def joined(header: bytes, claims: bytes, sign: Sign) -> str:
    signed = f"{b64(header)}.{b64(claims)}"
    return f"{signed}.{b64(sign(signed.encode()))}"


@dataclass(frozen=True)
class Genuine:
    """A token that holds, our private key (so that odd claims can be rightly signed), and other things an attacker may know."""

    token: str
    private: Ed25519PrivateKey
    other_use: Ed25519PrivateKey
    other_use_kid: str
    other_member: UUID
    other_session: UUID
    refresh_token: str
    listener: str

    @property
    def header(self) -> dict[str, Any]:
        return json.loads(unb64(self.token.split(".")[0]))

    @property
    def claims(self) -> dict[str, Any]:
        return json.loads(unb64(self.token.split(".")[1]))

    def rightly_signed(self, header: dict[str, Any] | bytes | None = None, claims: dict[str, Any] | bytes | None = None) -> str:
        """With our own key: only the checks behind the signature can refuse it."""
        header = self.header if header is None else header
        claims = self.claims if claims is None else claims
        return joined(
            header if isinstance(header, bytes) else dumps(header),
            claims if isinstance(claims, bytes) else dumps(claims),
            self.private.sign,
        )

    def with_header(self, **changes: Any) -> str:
        return self.rightly_signed(header=self.header | changes)

    def with_claims(self, **changes: Any) -> str:
        return self.rightly_signed(claims=self.claims | changes)


def forgeries(g: Genuine) -> dict[str, str]:
    """By name."""
    found: dict[str, str] = {}
    for part in (_no_algorithm, _public_key_as_secret, _other_keys, _key_ids, _headers, _claims, _times, _versions, _structure, _texts):
        for name, token in part(g):
            assert name not in found
            found[name] = token
    return found


def _no_algorithm(g: Genuine) -> Iterator[tuple[str, str]]:
    claims = g.token.split(".")[1]
    signature = g.token.split(".")[2]
    for alg in ("none", "None", "NONE", "nOnE", "", None, " none"):
        header = b64(dumps(g.header | {"alg": alg}))
        yield f"alg {alg!r}, no signature", f"{header}.{claims}."
        yield f"alg {alg!r}, signature kept", f"{header}.{claims}.{signature}"
        yield f"alg {alg!r}, rightly signed", g.with_header(alg=alg)
    without = {k: v for k, v in g.header.items() if k != "alg"}
    yield "no alg", g.rightly_signed(header=without)


def _public_key_as_secret(g: Genuine) -> Iterator[tuple[str, str]]:
    public = g.private.public_key()
    raw = public.public_bytes_raw()
    secrets = {
        "raw": raw,
        "PEM": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "OpenSSH": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "JWK": dumps({"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}),
        "x": b64(raw).encode(),
        "empty": b"",
    }
    for alg, digest in (("HS256", hashlib.sha256), ("HS384", hashlib.sha384), ("HS512", hashlib.sha512)):
        for kind, secret in secrets.items():
            header = dumps(g.header | {"alg": alg})
            yield (
                f"{alg} keyed with the public key as {kind}",
                joined(header, dumps(g.claims), lambda m, s=secret, d=digest: hmac.new(s, m, d).digest()),
            )


def _other_keys(g: Genuine) -> Iterator[tuple[str, str]]:
    mine = Ed25519PrivateKey.generate()
    x = b64(mine.public_key().public_bytes_raw())
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": g.header["kid"]}
    kid = b64(hashlib.sha256(mine.public_key().public_bytes_raw()).digest())
    yield "another key, our kid", joined(dumps(g.header), dumps(g.claims), mine.sign)
    yield "another key, its own kid", joined(dumps(g.header | {"kid": kid}), dumps(g.claims), mine.sign)
    yield "another key in the header", joined(dumps(g.header | {"jwk": jwk}), dumps(g.claims), mine.sign)
    yield "another key, jku", joined(dumps(g.header | {"jku": g.listener}), dumps(g.claims), mine.sign)
    yield "our key of another use, its kid", joined(dumps(g.header | {"kid": g.other_use_kid}), dumps(g.claims), g.other_use.sign)
    yield "our key of another use, the right kid", joined(dumps(g.header), dumps(g.claims), g.other_use.sign)


def _key_ids(g: Genuine) -> Iterator[tuple[str, str]]:
    odd: dict[str, Any] = {
        "path": "../../../../dev/null",
        "absolute path": "/proc/sys/kernel/randomize_va_space",
        "SQL": "' union select 'AAAA' --",
        "URL": g.listener,
        "50 KB": "k" * 50_000,
        "1 KB": "k" * 1_000,
        "NUL": g.header["kid"] + "\0",
        "surrogate": "\ud800",
        "line break": g.header["kid"] + "\r\n",
        "number": 0,
        "list": [g.header["kid"]],
        "object": {"kid": g.header["kid"]},
        "true": True,
        "null": None,
        "empty": "",
        "other case": g.header["kid"].swapcase(),
        "prefix": g.header["kid"][:-1],
    }
    for name, kid in odd.items():
        yield f"kid: {name}", g.with_header(kid=kid)
    yield "no kid", g.rightly_signed(header={k: v for k, v in g.header.items() if k != "kid"})
    empty_hmac = g.header | {"kid": "/dev/null", "alg": "HS256"}
    yield (
        "kid /dev/null keyed with nothing",
        joined(dumps(empty_hmac), dumps(g.claims), lambda m: hmac.new(b"", m, hashlib.sha256).digest()),
    )


def _headers(g: Genuine) -> Iterator[tuple[str, str]]:
    raw = g.private.public_key().public_bytes_raw()
    added: dict[str, dict[str, Any]] = {
        "jku": {"jku": g.listener},
        "x5u": {"x5u": g.listener},
        "x5c": {"x5c": [b64(raw)]},
        "jwk": {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}},
        "crit exp": {"crit": ["exp"], "exp": 1},
        "crit empty": {"crit": []},
        "b64 false": {"b64": False, "crit": ["b64"]},
        "b64 false without crit": {"b64": False},
        "b64 true": {"b64": True},
        "zip": {"zip": "DEF"},
        "cty": {"cty": "JWT"},
        "typ JWT": {"typ": "JWT"},
        "typ in capitals": {"typ": "AT+JWT"},
        "typ with prefix": {"typ": "application/at+jwt"},
        "typ list": {"typ": ["at+jwt"]},
        "alg in capitals": {"alg": "EDDSA"},
        "alg Ed25519": {"alg": "Ed25519"},
        "alg ES256": {"alg": "ES256"},
        "alg RS256": {"alg": "RS256"},
        "alg list": {"alg": ["EdDSA"]},
    }
    for name, changes in added.items():
        yield f"header: {name}", g.with_header(**changes)
    yield "header: no typ", g.rightly_signed(header={k: v for k, v in g.header.items() if k != "typ"})


def _claims(g: Genuine) -> Iterator[tuple[str, str]]:
    header, _, signature = g.token.split(".")
    changed = b64(dumps(g.claims | {"sub": str(g.other_member)}))
    yield "another's sub under the old signature", f"{header}.{changed}.{signature}"
    yield "a later exp under the old signature", f"{header}.{b64(dumps(g.claims | {'exp': g.claims['exp'] + 600}))}.{signature}"
    for name in g.claims:
        yield f"no {name}", g.rightly_signed(claims={k: v for k, v in g.claims.items() if k != name})
        yield f"{name} null", g.with_claims(**{name: None})
        yield f"{name} list", g.with_claims(**{name: [g.claims[name]]})
        yield f"{name} object", g.with_claims(**{name: {"": g.claims[name]}})
    yield "an extra claim", g.with_claims(role="OWNER")
    yield "nbf", g.with_claims(nbf=g.claims["iat"])
    yield "iss of another", g.with_claims(iss="https://plusone.test.evil")
    yield "iss with a slash", g.with_claims(iss=g.claims["iss"] + "/")
    yield "aud of another", g.with_claims(aud="another-app")
    yield "sub of another", g.with_claims(sub=str(g.other_member))
    yield "sid of another", g.with_claims(sid=str(g.other_session))
    yield "sid unknown", g.with_claims(sid=str(uuid4()))
    for name, value in {
        "in capitals": g.claims["sub"].upper() if g.claims["sub"].upper() != g.claims["sub"] else "X",
        "without hyphens": g.claims["sub"].replace("-", ""),
        "as URN": "urn:uuid:" + g.claims["sub"],
        "with a surrogate": g.claims["sub"][:-1] + "\ud800",
        "with NUL": g.claims["sub"] + "\0",
        "as a number": UUID(g.claims["sub"]).int,
        "empty": "",
        "SQL": "' or 1=1 --",
    }.items():
        yield f"sub {name}", g.with_claims(sub=value)
        yield f"sid {name}", g.with_claims(sid=value)


def _times(g: Genuine) -> Iterator[tuple[str, str]]:
    iat, exp = g.claims["iat"], g.claims["exp"]
    for name, value in {
        "text": str(exp),
        "float": exp + 0.5,
        "true": True,
        "10^4000": 10**4000,
        "10^3000 below": -(10**3000),
        "the past": iat - 1,
        "this second": iat,
        "too far": exp + 1,
        "for ever": 2**63,
    }.items():
        yield f"exp {name}", g.with_claims(exp=value)
    for name, value in {
        "text": str(iat),
        "float": iat + 0.5,
        "true": True,
        "ahead": iat + 61,
        "10^4000": 10**4000,
        "long ago": iat - 100_000,
    }.items():
        yield f"iat {name}", g.with_claims(iat=value)
    yield "iat and exp ahead", g.with_claims(iat=iat + 3600, exp=exp + 3600)
    yield "iat and exp over", g.with_claims(iat=iat - 3600, exp=exp - 3600)
    for name, number in {
        "1e999": b"1e999",
        "NaN": b"NaN",
        "Infinity": b"Infinity",
        "5,000 digits": b"9" * 5_000,
        "2,500 digits": b"9" * 2_500,
    }.items():
        yield f"exp {name}", g.rightly_signed(claims=dumps(g.claims).replace(str(exp).encode(), number))


def _versions(g: Genuine) -> Iterator[tuple[str, str]]:
    for name, value in {"above": 2, "below": 0, "text": "1", "float": 1.0, "true": True, "10^4000": 10**4000}.items():
        yield f"ver {name}", g.with_claims(ver=value)
    yield "jti a number", g.with_claims(jti=1)


def _structure(g: Genuine) -> Iterator[tuple[str, str]]:
    header, claims, signature = g.token.split(".")
    yield "nothing", ""
    yield "two dots", ".."
    yield "one part", header
    yield "two parts", f"{header}.{claims}"
    yield "empty signature", f"{header}.{claims}."
    yield "no header", f".{claims}.{signature}"
    yield "no claims", f"{header}..{signature}"
    yield "four parts", f"{g.token}.{signature}"
    yield "five parts", f"{header}.{header}.{claims}.{claims}.{signature}"
    yield "header twice", f"{header}.{header}.{signature}"
    yield "claims as header", f"{claims}.{header}.{signature}"
    yield "signature cut", g.token[:-4]
    yield "signature longer", g.token + "AAAA"
    yield "signature of zeros", f"{header}.{claims}.{b64(bytes(64))}"
    for at in (0, 31, 63):
        raw = bytearray(unb64(signature))
        raw[at] ^= 1
        yield f"signature bit {at * 8} flipped", f"{header}.{claims}.{b64(bytes(raw))}"
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    yield "signature's spare bits set", g.token[:-1] + last[last.index(g.token[-1]) ^ 1]
    yield "padding", g.token + "=="
    yield "refresh token", g.refresh_token
    yield "JSON serialisation", json.dumps({"protected": header, "payload": claims, "signature": signature})
    yield "duplicate claim", g.rightly_signed(claims=b'{"sub":"x",' + dumps(g.claims)[1:])
    yield "duplicate claim, the same twice", g.rightly_signed(claims=dumps(g.claims)[:-1] + b',"ver":1}')
    yield "duplicate header", g.rightly_signed(header=b'{"alg":"none",' + dumps(g.header)[1:])
    yield "deep claims", g.rightly_signed(claims=b"[" * 1_300 + b"]" * 1_300)
    yield "deep claim", g.rightly_signed(claims=dumps(g.claims)[:-1] + b',"x":' + b"[" * 40 + b"]" * 40 + b"}")
    yield "deep header", g.rightly_signed(header=b'{"a":' * 250 + b"1" + b"}" * 250)
    yield "100,000 deep", g.rightly_signed(claims=b"[" * 100_000)
    for name, raw_claims in {
        "array": b"[]",
        "text": b'"x"',
        "number": b"1",
        "null": b"null",
        "nothing": b" ",
        "cut": dumps(g.claims)[:-1],
    }.items():
        yield f"claims: {name}", g.rightly_signed(claims=raw_claims)
        yield f"header: {name}", g.rightly_signed(header=raw_claims)


def _texts(g: Genuine) -> Iterator[tuple[str, str]]:
    text = dumps(g.claims).decode()
    yield "claims in UTF-16", g.rightly_signed(claims=text.encode("utf-16"))
    yield "claims in UTF-32", g.rightly_signed(claims=text.encode("utf-32"))
    yield "claims with BOM", g.rightly_signed(claims=text.encode("utf-8-sig"))
    yield "claims not UTF-8", g.rightly_signed(claims=dumps(g.claims)[:-1] + b',"\xff":1}')
    yield "header in UTF-16", g.rightly_signed(header=dumps(g.header).decode().encode("utf-16"))
    yield "a space before", " " + g.token
    yield "a space behind", g.token + " "
    yield "a line break behind", g.token + "\n"
    yield "NUL behind", g.token + "\0"
    yield "a surrogate", g.token[:-1] + "\ud800"
    yield "a full-width letter", g.token[:-1] + "Ａ"
    yield "other base64 letters", g.token[:10] + "+/" + g.token[12:]
    yield "5,000 characters", g.rightly_signed(claims=g.claims | {"jti": "x" * 4_000})
    yield "a million characters", "e" * 1_000_000
