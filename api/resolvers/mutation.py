"""`@mutation(XUserError, XPayload, "CODE CODE")`: a refusal of the domain becomes `userErrors` of the payload, here and nowhere else.

The codes are all that this mutation may answer, but for those of keys: docs/api/errors.md tells apps, and tests hold them against the source.

A resolver answers its payload as a dict without `user_errors`. With `idempotent=True` it needs `@idempotent(key:)` on its field and does
its work through `effect`: once per member and key, and the same request with the same key gives the same answer again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from enum import Enum
from typing import Any, Final
from uuid import UUID

import orjson
import strawberry
from graphql import ConstValueNode, StringValueNode, VariableNode
from strawberry.directive import DirectiveLocation, DirectiveValue
from strawberry.extensions import FieldExtension

from api.resolvers.base import Info
from api.schema.errors import FALLBACK, FAMILIES, KEYS, message
from domain import db
from domain.audit.commands import Actor
from domain.errors import DomainError, InvalidField
from domain.idempotency.commands import Refused, once
from domain.idempotency.errors import KeyMissing
from domain.members import freshness
from domain.paging import Row
from domain.shops.rules import Permission
from domain.shops.screens import shop_owning

log = logging.getLogger(__name__)

TRIES: Final = 3
"""A transaction that lost a lock or a deadlock is tried again this often."""
NOWHERE: Final = UUID(int=0)
EXTRAS: Final = {
    "available": "available_quantity",
    "current_version": "conflicting_version",
    "current_quantity": "conflicting_quantity",
    "refusal": "refusal",
    "right_slot": "right_slot",
}
"""Facts of a refusal that the app gets beside the code."""

Outcome = Mapping[str, Any]


class InvalidInput(InvalidField):
    """A value of the input cannot be; `field` is its name as the app wrote it."""


@strawberry.directive(
    locations=[DirectiveLocation.FIELD],
    name="idempotent",
    description="Makes a mutation safe to send again: one effect and one answer per key. Use a fresh random key for each new intention.",
)
def idempotent(value: DirectiveValue[Any], key: str) -> Any:  # noqa: ARG001
    """Declared for the schema; `effect` reads the key from the document."""
    return value


class Refusals(FieldExtension):
    """Runs the resolver and turns its refusal into the payload's `userErrors`."""

    def __init__(self, error: type, codes: Collection[str], *, idempotent: bool) -> None:
        self.idempotent = idempotent
        definition = error.__strawberry_definition__  # type: ignore[attr-defined]
        self._fields = [field.python_name for field in definition.fields]
        code = next(field for field in definition.fields if field.python_name == "code")
        family = FAMILIES[code.type.name]
        self._codes = frozenset(family)
        own = {*codes, *(KEYS if idempotent else ())}
        if wrong := own - self._codes:
            raise ValueError(f"{code.type.name} has no {sorted(wrong)}")
        self.own = tuple(each for each in family if each in own)
        """What this mutation may answer, in the enum's order."""

    async def resolve_async(self, next_: Callable[..., Awaitable[Any]], source: Any, info: Info, **kwargs: Any) -> Row:
        info.context.require_viewer()
        payload: Row = {field.python_name: None for field in info.return_type.__strawberry_definition__.fields}  # type: ignore[union-attr]
        try:
            if self.idempotent and key_of_field(info) is None:
                raise KeyMissing
            payload |= await _tried_again(next_, source, info, kwargs)
            payload["user_errors"] = []
        except Refused as earlier:
            payload["user_errors"] = [self._user_error(info, earlier.refusal)]
        except DomainError as error:
            if error.retryable:
                raise
            payload["user_errors"] = [self._user_error(info, describe(error))]
        return payload

    def _user_error(self, info: Info, refusal: Outcome) -> Row:
        code = refusal["code"] if refusal["code"] in self._codes else FALLBACK
        if code not in self.own:  # apps are not told to expect it; they show its words all the same
            log.error("%s answered %s, which it does not name", info.field_name, code)
        known = {**refusal, "code": code, "message": message(code, info.context.language, refusal.get("refusal"))}
        return {name: known.get(name) for name in self._fields}


def mutation(error: type, payload: type, codes: str, *, idempotent: bool = False) -> Callable[[Callable[..., Awaitable[Row]]], Any]:
    """A mutation whose payload has `user_errors` of type `error`, with these codes of its family, blanks between, and no others.

    Raises:
        ValueError: the family has no such code.
    """

    def decorate(resolver: Callable[..., Awaitable[Row]]) -> Any:
        what = (resolver.__doc__ or "").strip()
        return strawberry.mutation(
            resolver=resolver, graphql_type=payload, extensions=[Refusals(error, codes.split(), idempotent=idempotent)], description=what
        )

    return decorate


def describe(error: DomainError) -> Outcome:
    """A refusal in its public form, without words: what is stored under an idempotency key."""
    facts = vars(error)
    extras = {public: _plain(facts[name]) for name, public in EXTRAS.items() if name in facts}
    field = facts.get("field")
    return {
        "code": error.code,
        "field": ["input", *field.split(".")] if isinstance(field, str) else None,
        "retryable": error.retryable,
        **extras,
    }


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


async def effect(info: Info, input: Any, action: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Do the action once for this member and the field's key; the outcome is a small JSON object."""
    viewer, key = info.context.require_viewer(), key_of_field(info)
    if key is None:
        raise KeyMissing
    request = {"mutation": info.field_name, "input": orjson.loads(orjson.dumps(input, default=str))}
    return await once(actor_id=viewer.member_id, key=key, request=request, action=action, describe=describe, now=info.context.now())


def key_of_field(info: Info) -> str | None:
    """The key of `@idempotent(key:)` on the running field."""
    node = info._raw_info.field_nodes[0]
    for directive in node.directives or ():
        if directive.name.value == "idempotent":
            for argument in directive.arguments or ():
                return _text(argument.value, info.variable_values) if argument.name.value == "key" else None
    return None


def _text(node: ConstValueNode | Any, variables: Mapping[str, Any]) -> str | None:
    if isinstance(node, StringValueNode):
        return node.value
    return variables.get(node.name.value) if isinstance(node, VariableNode) else None


async def staff_of(info: Info, kind: str, object_id: UUID, permission: Permission) -> tuple[UUID, Actor]:
    """The shop that owns an object and the viewer as its staff. A missing object takes the same steps as another shop's.

    Raises:
        NotFound: no such object, or no membership in its shop.
        PermissionDenied: a membership without this permission.
    """
    shop_id = await shop_owning(kind, object_id) or NOWHERE
    return shop_id, await info.context.require(permission, shop_id)


async def freshly_signed_in(info: Info) -> None:
    """Go on when the viewer signed in, or confirmed it, a moment ago. Asked before `effect`, so that the same key works after the sign-in.

    Raises:
        SignInAgain: longer ago.
        SecondProofNeeded, SecondProofUnset: not with the second proof that is asked for.
    """
    viewer = info.context.require_viewer()
    await freshness.require(viewer.session_id, viewer.member_id, info.context.now())


def text(value: str, name: str, longest: int, *, shortest: int = 0) -> str:
    """A text of the input without blanks around it.

    Raises:
        InvalidInput: too short or too long.
    """
    found = value.strip()
    if not shortest <= len(found) <= longest:
        raise InvalidInput(name)
    return found


async def _tried_again(next_: Callable[..., Awaitable[Any]], source: Any, info: Info, kwargs: Mapping[str, Any]) -> Row:
    for left in reversed(range(TRIES)):
        try:
            found: Row = await next_(source, info, **kwargs)
        except db.CONTENTION:
            if left == 0:
                raise
        else:
            return found
    raise AssertionError("unreachable")
