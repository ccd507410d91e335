"""The GraphQL API: its table of contents, and the endpoint.

`python -m api.graphql_app` prints the schema as it is committed in `api/schema/schema.graphql`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import strawberry
from graphql import GraphQLError, GraphQLInterfaceType, GraphQLObjectType
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig

from api.resolvers.claim import CommentMutations
from api.resolvers.member import MemberMutations, MemberQuery
from api.resolvers.mutation import idempotent
from api.resolvers.node import KINDS, NodeQuery, type_of
from api.resolvers.notice import NoticeMutations
from api.resolvers.order import OrderMutations
from api.resolvers.pickup import PickupMutations
from api.resolvers.post import PostQuery
from api.resolvers.shop import ShopQuery
from api.resolvers.stock import StockMutations
from api.schema.claim import Claim, SocialComment
from api.schema.notice import Notification
from api.schema.order import Order, OrderLine
from api.schema.pickup import Pickup
from api.schema.post import ProductVariant, SalesPost
from api.schema.scalars import SCALARS


@strawberry.type
class Query(NodeQuery, MemberQuery, ShopQuery, PostQuery):
    """What may be read."""


@strawberry.type
class Mutation(OrderMutations, StockMutations, CommentMutations, PickupMutations, NoticeMutations, MemberMutations):
    """What may be done."""


def value_of(source: Mapping[str, Any], name: str) -> Any:
    """A field of a finished row."""
    return source[name]


class PlainSchema(strawberry.Schema):
    """A schema whose objects are plain dicts, whose directives cost nothing per field, and which logs no document."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for type_ in self._schema.type_map.values():
            if isinstance(type_, GraphQLObjectType):
                type_.is_type_of = None
        node = self._schema.type_map["Node"]
        assert isinstance(node, GraphQLInterfaceType)
        node.resolve_type = lambda row, _info, _type: type_of(row)

    def get_extensions(self, sync: bool = False) -> list[SchemaExtension]:  # noqa: ARG002
        """None: strawberry's own directive extension would wrap every field."""
        return []

    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        """Nothing here: the endpoint logs what is unexpected, without what people wrote."""


schema = PlainSchema(
    query=Query,
    mutation=Mutation,
    directives=[idempotent],
    types=[Claim, Notification, Order, OrderLine, Pickup, ProductVariant, SalesPost, SocialComment],
    config=StrawberryConfig(default_resolver=value_of, disable_field_suggestions=True, scalar_map=SCALARS),
)


if __name__ == "__main__":
    sys.stdout.write(schema.as_str() + "\n")
