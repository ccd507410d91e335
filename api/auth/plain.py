"""The plain JSON routes of sign-in: what they read, and how they refuse.

A refusal is `{"error": {"code", "message"}}`. Bad input is 400, 401, 413 or 429; the database or a provider being away is 503.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from api.auth.strict import Malformed, is_clean, read_object
from api.auth.viewer import Unauthenticated
from domain import db
from domain.errors import Unavailable
from domain.members.errors import (
    AuthenticatorKept,
    InvalidDevice,
    NoSigningKey,
    SecondProofNeeded,
    SignInAgain,
    SignInRefused,
    TooManyGuesses,
    TooManyPasskeys,
)

Handler = Callable[[Request], Awaitable[Response]]
LARGEST_BODY_BYTES: Final = 16 * 1024
RETRY_AFTER_SECONDS: Final = "2"
NO_STORE: Final = {"cache-control": "no-store"}
CONFIRM_FIRST: Final = {SignInAgain: "confirm the sign-in first", SecondProofNeeded: "confirm with the second proof first"}
AWAY: tuple[type[BaseException], ...] = (Unavailable, NoSigningKey, *db.AWAY, *db.CONTENTION)


class BadInput(Exception):
    """The request is not what the route takes; the message says which part, and holds nothing of it."""


class TooLarge(Exception):
    """The body is longer than LARGEST_BODY_BYTES."""


@dataclass(slots=True)
class Fields:
    """The fields of a JSON object, taken one by one; what is left over at the end is unknown and refused."""

    values: dict[str, Any]
    path: str = ""
    _taken: set[str] = field(default_factory=set)

    def text(self, name: str, longest: int) -> str:
        """A text of 1 to `longest` clean characters."""
        value = self._take(name)
        if not isinstance(value, str) or not 1 <= len(value) <= longest or not is_clean(value):
            raise BadInput(f"{self.path}{name} must be a text of 1 to {longest} characters")
        return value

    def optional_text(self, name: str, longest: int) -> str | None:
        """The same, or None when it is missing or null."""
        return None if self.values.get(name) is None and self._take(name) is None else self.text(name, longest)

    def choice(self, name: str, allowed: Mapping[str, Any] | type[Any]) -> Any:
        """One of the names of an enum."""
        value = self.text(name, 40)
        try:
            return allowed(value) if isinstance(allowed, type) else allowed[value]
        except (ValueError, KeyError):
            raise BadInput(f"{self.path}{name} has an unknown value") from None

    def object(self, name: str) -> dict[str, Any]:
        """An object with fields that are somebody else's to know."""
        value = self._take(name)
        if not isinstance(value, dict):
            raise BadInput(f"{self.path}{name} must be an object")
        return value

    def optional_object(self, name: str) -> Fields | None:
        """An object, or None when it is missing or null."""
        value = self._take(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise BadInput(f"{self.path}{name} must be an object")
        return Fields(value, f"{self.path}{name}.")

    def end(self) -> None:
        """Raises BadInput when a field was not asked for."""
        if self.values.keys() - self._taken:
            raise BadInput("there are unknown fields")

    def _take(self, name: str) -> Any:
        self._taken.add(name)
        return self.values.get(name)


async def fields_of(request: Request) -> Fields:
    """The JSON object of the body.

    Raises:
        BadInput: another media type, or not a JSON object.
        TooLarge: too long; no more than the limit is read.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise BadInput("the content type must be application/json")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY_BYTES:
            raise TooLarge
    try:
        return Fields(read_object(body))
    except Malformed:
        raise BadInput("the body must be one JSON object in UTF-8") from None


def refusing(handler: Handler) -> Handler:
    """The handler with its refusals as answers."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except (BadInput, ClientDisconnect) as error:
            return refusal(400, "BAD_REQUEST", str(error))
        except InvalidDevice as error:
            return refusal(400, "BAD_REQUEST", f"device.{error.field} is not valid")
        except TooLarge:
            return refusal(413, "TOO_LARGE", f"the body is longer than {LARGEST_BODY_BYTES} bytes")
        except (SignInRefused, Unauthenticated):
            return refusal(401, "UNAUTHENTICATED", "sign in again", {"www-authenticate": "Bearer"})
        except (SignInAgain, SecondProofNeeded) as error:
            return refusal(403, error.code, CONFIRM_FIRST[type(error)])
        except (TooManyPasskeys, AuthenticatorKept) as error:
            return refusal(409, error.code, "give one up first")
        except TooManyGuesses as error:
            return refusal(429, "TOO_MANY_REQUESTS", "too many attempts", {"retry-after": str(error.retry_after_seconds)})
        except AWAY:
            return refusal(503, "UNAVAILABLE", "try again in a moment", {"retry-after": RETRY_AFTER_SECONDS})

    return answer


def refusal(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """`{"error": {"code", "message"}}`."""
    return JSONResponse({"error": {"code": code, "message": message}}, status, {**NO_STORE, **(headers or {})})
