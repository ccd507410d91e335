"""Errors of a whole request or field, with the codes an app can rely on. What a mutation refuses is data, not an error."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import asyncpg
from graphql import GraphQLError

from api.auth.viewer import Unauthenticated
from domain import db
from domain.errors import DomainError, NotFound, PermissionDenied, Unavailable
from domain.members.errors import NoSigningKey, TooManyGuesses

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 2
LONGEST_MESSAGE = 500
AWAY: tuple[type[BaseException], ...] = (Unavailable, NoSigningKey, asyncpg.QueryCanceledError, *db.AWAY, *db.CONTENTION)
"""The same request may be sent again in a moment."""


class Code(StrEnum):
    """`extensions.code` of a top-level error."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    BAD_REQUEST = "BAD_REQUEST"
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX"
    PERSISTED_QUERY_REQUIRED = "PERSISTED_QUERY_REQUIRED"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    THROTTLED = "THROTTLED"
    INTERNAL = "INTERNAL"
    UNAVAILABLE = "UNAVAILABLE"
    RESYNC = "RESYNC"


class RequestError(Exception):
    """Something is wrong with the request itself; the message is for the app's developer and holds no personal data."""

    code = Code.BAD_REQUEST
    facts: Mapping[str, Any] = {}
    """What `extensions` say beside the code."""

    def __init__(self, message: str, code: Code = Code.BAD_REQUEST) -> None:
        super().__init__(message)
        self.code = code


def answer(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """The error as it leaves: code, message, place. Unexpected ones are logged and masked."""
    code, message = classify(error)
    if code is Code.INTERNAL:
        log_unexpected(error.original_error or error, request_id)
    shown: dict[str, Any] = {"message": message[:LONGEST_MESSAGE]}
    if error.locations:
        shown["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path:
        shown["path"] = error.path
    shown["extensions"] = extensions(code, request_id, facts_of(error.original_error))
    return shown


def extensions(code: Code, request_id: str, facts: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """`code`, and with it what helps."""
    found: dict[str, Any] = {"code": code.value, **(facts or {})}
    if code is Code.INTERNAL:
        found["requestId"] = request_id
    if code is Code.UNAVAILABLE:
        found["retryAfterSeconds"] = RETRY_AFTER_SECONDS
    return found


def facts_of(cause: BaseException | None) -> Mapping[str, Any]:
    """What an app may know of an error beside its code."""
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    if isinstance(cause, RequestError):
        return cause.facts
    return {"retryAfterSeconds": cause.retry_after_seconds} if isinstance(cause, TooManyGuesses) else {}


def classify(error: GraphQLError) -> tuple[Code, str]:
    """The public code and message of an error of execution or validation."""
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    match cause:
        case RequestError():
            return cause.code, str(cause)
        case Unauthenticated():
            return Code.UNAUTHENTICATED, "Sign in first."
        case PermissionDenied():
            return Code.FORBIDDEN, "This needs a permission that you do not hold in this shop."
        case TooManyGuesses():
            return Code.THROTTLED, f"Too many attempts; wait {cause.retry_after_seconds} seconds."
        case _ if isinstance(cause, AWAY):
            return Code.UNAVAILABLE, "Try again in a moment."
        case NotFound():
            return Code.BAD_REQUEST, "There is no such object."
        case DomainError():
            return Code.BAD_REQUEST, "The request was refused."
        case _ if error.path is None:  # not of a field: the document or its variables
            return Code.BAD_REQUEST, without_suggestion(error.message)
    return Code.INTERNAL, "Something went wrong on our side."


def without_suggestion(message: str) -> str:
    """The message without names of the schema that the app did not write."""
    return message.partition(" Did you mean")[0]


def log_unexpected(error: BaseException, request_id: str) -> None:
    """Log where it happened and of what type; never the message, which may quote what somebody wrote."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    places = [f"{frame.filename.rsplit('/', 3)[-1]}:{frame.lineno} {frame.name}" for frame in frames]
    log.error("unexpected %s in a request: %s", type(error).__name__, " < ".join(reversed(places)), extra={"request_id": request_id})
