"""What writers put together: objects of an answer within an f-string, and the types below them."""

from __future__ import annotations

import re
from typing import Final

from graphql import GraphQLField, GraphQLList, GraphQLObjectType, GraphQLOutputType, get_nullable_type

from api.execution.plans import Unplannable

SAFE: Final = re.compile(r"[\w :,.{}\[\]\"()+\-=<>]*", re.ASCII)
"""What literal parts of an answer and our expressions hold; never a quote or a backslash that would end them."""


def braced(items: list[str]) -> str:
    """An object's JSON within an f-string."""
    return "{{" + ",".join(items) + "}}"


def checked(body: str) -> str:
    """The body of an f-string; Unplannable when it holds what it must not."""
    if not SAFE.fullmatch(body):
        raise Unplannable
    return body


def object_type(type_: GraphQLOutputType) -> GraphQLObjectType:
    """The object that values of this type are; Unplannable for others."""
    named = get_nullable_type(type_)
    if not isinstance(named, GraphQLObjectType):
        raise Unplannable
    return named


def item_type(field_: GraphQLField) -> GraphQLObjectType:
    """The object that the items of this list are; Unplannable for others."""
    found = get_nullable_type(field_.type)
    if not isinstance(found, GraphQLList):
        raise Unplannable
    return object_type(found.of_type)
