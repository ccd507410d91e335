"""GraphQL over HTTP: what comes in is read strictly, what goes out has the media type that was asked for.

The specification (graphql.github.io/graphql-over-http, draft of 2025) leaves `application/json` its old statuses: 200 for a refused document;
`application/graphql-response+json` gets 400 without `data`. A request that is no GraphQL request at all is 400 or 415 for both.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from api.execution.errors import RETRY_AFTER_SECONDS, Code, RequestError, extensions

LARGEST_BODY: Final = 100_000
"""Bytes."""
DEEPEST_VARIABLES: Final = 20
MOST_VALUES: Final = 5_000
"""Names and values of all variables together."""
LONGEST_LIST: Final = 250
HASH: Final = re.compile(r"[0-9a-f]{64}")
JSON: Final = "application/json"
GRAPHQL: Final = "application/graphql-response+json"
CONTENT_TYPES: Final = {media_type: f"{media_type}; charset=utf-8".encode() for media_type in (JSON, GRAPHQL)}

HEADS: Final = {
    media_type: b"content-type: %b\r\ncache-control: no-store\r\ncontent-length: %%d\r\n" % line
    for media_type, line in CONTENT_TYPES.items()
}


class HttpError(Exception):
    """The request cannot be answered as GraphQL; `status` says why."""

    def __init__(self, status: int, message: str, code: Code = Code.BAD_REQUEST, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})


@dataclass(slots=True)
class Operation:
    """What is to be run."""

    query: str | None
    variables: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    hash: str | None = None
    """SHA-256 of the document, in place of its text or beside it."""
    is_automatic: bool = False
    """The hash came as `extensions.persistedQuery`: an unknown one makes the app send the text too."""
    _digest: bytes = b""

    @property
    def digest(self) -> bytes:
        """SHA-256 of `query`."""
        if not self._digest:
            self._digest = hashlib.sha256((self.query or "").encode("utf-8", "surrogatepass")).digest()
        return self._digest


def accepted(header: str | None) -> str:
    """The media type to answer with.

    Raises:
        HttpError: 406, neither is accepted.
    """
    return _accepted(header[:500]) if header else JSON


@lru_cache(maxsize=512)
def _accepted(header: str) -> str:
    if not header.strip():
        return JSON
    offered: dict[str, float] = {}
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            offered[name] = float(quality)
        except ValueError:
            continue
    wildcard = max((offered[name] for name in ("*/*", "application/*") if name in offered), default=0.0)
    graphql, plain = offered.get(GRAPHQL, 0.0), offered.get(JSON, wildcard)
    if graphql <= 0 and plain <= 0:
        raise HttpError(406, f"answers are {GRAPHQL} or {JSON}")
    return GRAPHQL if graphql >= plain else JSON


async def read(request: Request) -> Operation:
    """The operation of a GET or POST request.

    Raises:
        HttpError: it is none.
        RequestError: a text in the variables holds NUL.
    """
    if request.method == "GET":
        return _operation(_from_query(request.query_params))
    if request.method != "POST":
        raise HttpError(405, "use POST", headers={"allow": "GET, POST"})
    return read_posted(await _body(request))


def _from_query(parameters: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = dict(parameters)
    for name in ("variables", "extensions"):
        if found.get(name):
            found[name] = _json(found[name].encode("utf-8", "replace"), name)
        else:
            found.pop(name, None)
    return found


async def _body(request: Request) -> bytes:
    media_type, *parameters = (part.strip().lower() for part in request.headers.get("content-type", "").split(";"))
    if media_type != JSON:
        raise HttpError(415, f"the content type must be {JSON}")
    if any(p.startswith("charset=") and p.removeprefix("charset=").strip('"') not in ("utf-8", "utf8") for p in parameters):
        raise HttpError(415, "the charset must be utf-8")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpError(415, "the body must not be compressed")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise HttpError(413, f"the body is larger than {LARGEST_BODY} bytes")
    return bytes(body)


def _json(raw: bytes, what: str) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise HttpError(400, f"{what} must be JSON in UTF-8, not nested too deeply and without lone surrogates") from None


def _operation(given: Any) -> Operation:
    if isinstance(given, list):
        raise HttpError(400, "batches are not answered; send one operation")
    if not isinstance(given, dict):
        raise HttpError(400, "the body must be a JSON object")
    query, name = given.get("query"), given.get("operationName")
    variables, further = given.get("variables"), given.get("extensions")
    digest, is_automatic = _hash(given, further)
    if (digest is None or query is not None) and (not isinstance(query, str) or not query):
        raise HttpError(400, "query must be a text")
    if name is not None and not isinstance(name, str):
        raise HttpError(400, "operationName must be a text")
    if variables is not None and not isinstance(variables, dict):
        raise HttpError(400, "variables must be an object")
    _check_values(variables)
    return Operation(query, variables or {}, name or None, digest, is_automatic)


def _hash(given: dict[str, Any], further: Any) -> tuple[str | None, bool]:
    """The document's hash: `documentId` (sha256:<hex> or the hex alone), or Apollo's `extensions.persistedQuery`, which is True."""
    if further is not None and not isinstance(further, dict):
        raise HttpError(400, "extensions must be an object")
    persisted = (further or {}).get("persistedQuery")
    if persisted is not None:
        if not isinstance(persisted, dict) or persisted.get("version") != 1:
            raise HttpError(400, "extensions.persistedQuery must be an object with version 1")
        return _hexadecimal(persisted.get("sha256Hash"), "extensions.persistedQuery.sha256Hash"), True
    named = given.get("documentId")
    return (None, False) if named is None else (_hexadecimal(named, "documentId"), False)


def _hexadecimal(value: Any, what: str) -> str:
    found = value.removeprefix("sha256:") if isinstance(value, str) else ""
    if not HASH.fullmatch(found):
        raise HttpError(400, f"{what} must be the SHA-256 of the document's text, 64 hexadecimal digits in lower case")
    return str(found)


def _check_values(variables: Any) -> None:
    stack: list[tuple[Any, int]] = [(variables, 0)]
    values = 0
    while stack:
        value, depth = stack.pop()
        values += 1
        if values > MOST_VALUES:
            raise HttpError(400, f"variables hold at most {MOST_VALUES} values")
        if depth > DEEPEST_VARIABLES:
            raise HttpError(400, "variables are nested too deeply")
        if isinstance(value, str) and "\0" in value:
            raise RequestError("a text in the variables holds NUL")
        if isinstance(value, dict):
            stack += [(child, depth + 1) for pair in value.items() for child in pair]
        elif isinstance(value, list):
            if len(value) > LONGEST_LIST:
                raise HttpError(400, f"a list in the variables holds at most {LONGEST_LIST} values")
            stack += [(child, depth + 1) for child in value]


class Written(Response):
    """An answer of 200 whose data is JSON already: the same bytes and headers as `respond` makes, without looking at each of them."""

    def __init__(self, data: bytes, cost: Mapping[str, Any], media_type: str) -> None:
        self.status_code = 200
        self.background = None
        self.body = orjson.dumps({"data": orjson.Fragment(data), "extensions": {"cost": cost}})
        self._media_type = media_type

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:  # type: ignore[override]
        """As pairs."""
        length = (b"content-length", b"%d" % len(self.body))
        return [(b"content-type", CONTENT_TYPES[self._media_type]), (b"cache-control", b"no-store"), length]

    @property
    def head(self) -> bytes:
        """The same as lines."""
        return HEADS[self._media_type] % len(self.body)


def respond(content: Mapping[str, Any], media_type: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The answer as bytes; never stored by a cache on the way."""
    return Response(
        orjson.dumps(content), status, {"content-type": f"{media_type}; charset=utf-8", "cache-control": "no-store", **(headers or {})}
    )


def refuse(
    code: Code, message: str, *, status: int, media_type: str = JSON, request_id: str = "", headers: Mapping[str, str] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Response:  # fmt: skip
    """An answer with one error and no data."""
    retry = {"retry-after": str(RETRY_AFTER_SECONDS)} if code is Code.UNAVAILABLE else {}
    body = {"errors": [{"message": message, "extensions": extensions(code, request_id, facts)}]}
    return respond(body, media_type, status, {**retry, **(headers or {})})


def read_posted(body: bytes) -> Operation:
    """The operation of a POST whose head was looked at.

    Raises:
        HttpError: it is none.
        RequestError: a text in the variables holds NUL.
    """
    return _operation(_json(body, "the body"))


def operation_of(given: Any) -> Operation:
    """The operation of a JSON value that came by another way than HTTP.

    Raises:
        HttpError: it is none.
        RequestError: a text in the variables holds NUL.
    """
    return _operation(given)
