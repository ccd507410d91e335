"""`@mutation(XUserError)`: a refusal of the domain becomes `userErrors` of the payload, here and nowhere else.

A resolver answers its payload as a dict without `user_errors`. With `idempotent=True` it needs `@idempotent(key:)` on its field and does
its work through `effect`: once per member and key, and the same request with the same key gives the same answer again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from enum import Enum
from typing import Any, TypeVar
from uuid import UUID

import strawberry
from graphql import StringValueNode, VariableNode
from strawberry.directive import DirectiveValue
from strawberry.extensions import FieldExtension
from strawberry.schema_directive import Location as _Location  # noqa: F401
from strawberry.types.field import StrawberryField

from api.resolvers.base import GraphQLContext, Info, language_of
from api.schema.errors import CHINESE, FALLBACK, FAMILIES, message
from domain import db
from domain.errors import DomainError, Unavailable
from domain.idempotency.commands import Refused, once
from domain.idempotency.errors import KeyMissing
from domain.members.errors import NoSigningKey
from domain.paging import Row

TRIES = 3
"""A transaction that lost a lock or a deadlock is tried again this often."""

Outcome = Mapping[str, Any]
T = TypeVar("T")


@dataclasses.dataclass
class InvalidInput(DomainError):
    """A value of the input is not one that can be; `field` names it as the app wrote it."""

    code = "INVALID_INPUT"
    field: str
