"""The GraphQL API: its table of contents, and the endpoint.

`python -m api.graphql_app` prints the schema as it is committed in `api/schema/schema.graphql`.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from inspect import isawaitable
from typing import Any, Final, NamedTuple

import strawberry
from graphql import GraphQLError, GraphQLInterfaceType, GraphQLObjectType, GraphQLSyntaxError, OperationDefinitionNode, OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send
from strawberry.execution import optimized_is_awaitable
from strawberry.extensions import SchemaExtension
from strawberry.http.ides import get_graphql_ide_html
from strawberry.schema.config import StrawberryConfig

from api.auth.bearer import viewer_of, viewer_of_header
from api.auth.viewer import Unauthenticated, Viewer
from api.execution.budget import Bill, Budgets, FreeBill
from api.execution.documents import Documents, Prepared
from api.execution.errors import AWAY, Code, RequestError, answer, log_unexpected
from api.execution.executor import SchemaExecutor
from api.execution.http import GRAPHQL, JSON, HttpError, Operation, Written, accepted, read, read_posted, refuse, respond
from api.execution.in_time import InTime
from api.execution.leaves import utc_text
from api.execution.rows import SchemaRows, value_of
from api.execution.trusted import Trusted
from api.resolvers import receipt as _receipt  # noqa: F401 -- joins its field to Claim
from api.resolvers.account import AccountMutations
from api.resolvers.acting import ActingMutations
from api.resolvers.announcement import AnnouncementMutations
from api.resolvers.base import GraphQLContext
from api.resolvers.buyer import BuyerMutations
from api.resolvers.claim import CommentMutations
from api.resolvers.delivery import DeliveryMutations
from api.resolvers.dispute import DisputeMutations
from api.resolvers.gift import GiftMutations, GiftQuery
from api.resolvers.identity import IdentityMutations
from api.resolvers.live import LiveSubscription
from api.resolvers.member import MemberMutations, MemberQuery
from api.resolvers.mutation import idempotent
from api.resolvers.node import NodeQuery, type_of
from api.resolvers.notice import NoticeMutations
from api.resolvers.order import OrderMutations
from api.resolvers.payment import PaymentMutations
from api.resolvers.pickup import PickupMutations
from api.resolvers.policy import PolicyMutations
from api.resolvers.post import PostQuery
from api.resolvers.preferences import PreferenceMutations
from api.resolvers.shipment import ShipmentMutations
from api.resolvers.shop import ShopQuery
from api.resolvers.simulation import SimulationQuery
from api.resolvers.stock import StockMutations
from api.resolvers.suggestion import SuggestionMutations
from api.resolvers.transfer import TransferMutations
from api.resolvers.waitlist import WaitlistMutations
from api.schema.claim import Claim, SocialComment
from api.schema.descriptions import describe
from api.schema.notice import Notification
from api.schema.order import Order, OrderLine
from api.schema.pickup import Pickup
from api.schema.post import ProductVariant, SalesPost
from api.schema.scalars import SCALARS
from api.schema.shipment import Shipment
from api.sockets.door import Door
from api.sockets.limits import SocketLimits
from api.sockets.operations import Subscriptions
from domain.bootstrap import Services
from domain.clock import asked as asked_now
from domain.ids import new_id, public_id
from domain.members.screens import MEMBER_FIELDS, written_member

IS_AWAITABLE: Any = optimized_is_awaitable
REQUEST_SECONDS: Final = 10.0
"""A request that takes longer is cut off; its transaction rolls back."""


@strawberry.type
class Query(NodeQuery, MemberQuery, ShopQuery, PostQuery, SimulationQuery, GiftQuery):
    """What may be read."""


@strawberry.type
class Mutation(
    OrderMutations, PaymentMutations, DisputeMutations, StockMutations, CommentMutations, SuggestionMutations, PolicyMutations, BuyerMutations, PickupMutations,
    ShipmentMutations, NoticeMutations, PreferenceMutations, AnnouncementMutations, MemberMutations, IdentityMutations, AccountMutations,
    WaitlistMutations, ActingMutations, TransferMutations, DeliveryMutations, GiftMutations,
):  # fmt: skip
    """What may be done."""


@strawberry.type
class Subscription(LiveSubscription):
    """What may be watched, over web sockets."""


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
        self.described = describe(self._schema)

    def get_extensions(self, sync: bool = False) -> list[SchemaExtension]:  # noqa: ARG002
        """None: strawberry's own directive extension would wrap every field."""
        return []

    def _warn_for_federation_directives(self) -> None:
        """Nothing: there is no federation, and the search goes through every field."""

    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        """Nothing here: the endpoint logs what is unexpected, without what people wrote."""


schema = PlainSchema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    directives=[idempotent],
    types=[Claim, Notification, Order, OrderLine, Pickup, ProductVariant, SalesPost, Shipment, SocialComment],
    config=StrawberryConfig(default_resolver=value_of, disable_field_suggestions=True, scalar_map=SCALARS),
)


SCREENS = frozenset({"orders", "unpaid", "notifications", "pickups", "shipments"})
ROWS = SchemaRows(
    {"DateTime": (datetime, utc_text)}, SCREENS, lambda context: public_id("member", context.require_viewer().member_id),
    (MEMBER_FIELDS, lambda context, args: written_member(context.require_viewer().member_id, args)),
)  # fmt: skip


class Invalid(Exception):
    """The document is not valid for the schema."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__("invalid")
        self.errors = errors


class Question(NamedTuple):
    """A request for an operation. `headers`: by their names in lower case."""

    request_id: str
    client: str
    headers: Mapping[str, str]
    reading: bool = False


Who = Callable[[], Awaitable[Viewer | None]]
What = Callable[[], Awaitable[Operation]]


class Endpoint:
    """The ASGI application of `/graphql`."""

    def __init__(self, services: Services, limits: SocketLimits | None = None) -> None:
        self._services = services
        self._development = services.settings.is_development
        self._documents = Documents(schema._schema, introspection=self._development, rows=ROWS)
        self._trusted = Trusted(services.clock, is_open=self._development or services.settings.open_operations)
        self._in_time_of = InTime()
        self.budgets = Budgets(services.clock, services.settings.points_per_second)
        watching = Subscriptions(schema._schema, self._documents, self._prepared, self.budgets, development=self._development)
        self._door = Door(services, watching, limits)

    def start(self) -> None:
        """Settle what requests spend, until `stop`."""
        self.budgets.start()

    async def stop(self) -> None:
        """End what streams, and settle the last of what was spent; requests in hand are the server's."""
        await self._door.stop()
        await self.budgets.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._door(scope, receive, send)
            return
        request = Request(scope, receive)
        request_id = getattr(request.state, "request_id", "") or str(new_id())
        if self._development and _wants_editor(request):
            await HTMLResponse(get_graphql_ide_html(graphql_ide="graphiql"))(scope, receive, send)
            return
        client = request.client.host if request.client else ""
        asked = Question(request_id, client, request.headers, reading=request.method == "GET")
        try:
            response = await self._in_time(asked, partial(viewer_of, request.headers, self._services), partial(read, request))
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def posted(self, body: bytes, headers: Mapping[str, str], client: str, request_id: str) -> Response:
        """The answer to a POST of JSON whose headers were there once each."""

        async def operation() -> Operation:
            return read_posted(body)

        viewer = partial(viewer_of_header, headers.get("authorization"), self._services)
        return await self._in_time(Question(request_id, client, headers), viewer, operation)

    async def _in_time(self, asked: Question, viewer: Who, operation: What) -> Response:
        try:
            return await self._in_time_of.within(REQUEST_SECONDS, self._answer(asked, viewer, operation))
        except TimeoutError:
            return refuse(Code.UNAVAILABLE, "This took too long; try again.", status=503)

    async def _answer(self, asked: Question, viewer_of: Who, operation_of: What) -> Response:
        media_type, request_id = JSON, asked.request_id
        try:
            media_type = accepted(asked.headers.get("accept"))
            operation = await operation_of()
            viewer = await viewer_of()
            bill = self.budgets.bill(viewer, asked.client)
            language = asked.headers.get("accept-language", "")
            context = GraphQLContext(self._services, viewer, request_id, asked.client, accept_language=language, bill=bill)
            asked_now(context.now())
            return await self._run(operation, context, bill, media_type, reading=asked.reading)
        except HttpError as error:
            return refuse(error.code, str(error), status=error.status, media_type=media_type, headers=error.headers)
        except RequestError as error:
            status = _status_of(error.code, media_type)
            return refuse(error.code, str(error), status=status, media_type=media_type, headers=_retry(error.facts), facts=error.facts)
        except GraphQLSyntaxError as error:
            return _refused([answer(error, request_id)], media_type)
        except Unauthenticated:
            headers = {"www-authenticate": "Bearer"}
            return refuse(Code.UNAUTHENTICATED, "The access token does not hold.", status=401, media_type=media_type, headers=headers)
        except AWAY:
            return refuse(Code.UNAVAILABLE, "Try again in a moment.", status=503, media_type=media_type)
        except ClientDisconnect:
            raise
        except Exception as error:
            log_unexpected(error, request_id)
            return refuse(Code.INTERNAL, "Something went wrong on our side.", status=500, media_type=media_type, request_id=request_id)

    async def _prepared(self, operation: Operation) -> Prepared:
        """The document of a request or a subscription, when it may be answered here."""
        return self._documents.get(await self._trusted.text(operation))

    async def _read(self, operation: Operation, bill: Bill | FreeBill) -> tuple[Prepared, OperationDefinitionNode, int]:
        """The document, what of it is to be run (unless the document has errors), and what that may cost; reading one in vain is paid for."""
        try:
            prepared = await self._prepared(operation)
            if prepared.errors:
                raise Invalid(prepared.errors)
            definition = prepared.operation(operation.name)
            return prepared, definition, self._documents.check_cost(prepared, definition, operation.variables)
        except (RequestError, GraphQLSyntaxError, Invalid):
            bill.refused()
            raise

    async def _run(
        self, operation: Operation, context: GraphQLContext, bill: Bill | FreeBill, media_type: str, *, reading: bool
    ) -> Response:
        try:
            prepared, definition, points = await self._read(operation, bill)
        except Invalid as invalid:
            return _refused([answer(error, context.request_id) for error in invalid.errors], media_type)
        if reading and definition.operation is not OperationType.QUERY:
            raise HttpError(405, "only queries are answered to GET", headers={"allow": "POST"})
        if definition.operation is OperationType.SUBSCRIPTION:
            raise RequestError("subscriptions are answered over a web socket, by graphql-transport-ws")
        bill.open(points)
        context.selections = prepared.selections
        try:
            written = await prepared.plans.answer(definition, operation.variables, context)
            if written is not None:
                return Written(written.data, bill.close(written.points), media_type)
            result: Any = SchemaExecutor.run(
                schema._schema, prepared.document, raw_variable_values=operation.variables, operation_name=operation.name, context_value=context,
                is_awaitable=IS_AWAITABLE, max_coercion_errors=5, hide_suggestions=not self._development, plans=prepared.plans,
            )  # fmt: skip
            if isawaitable(result):
                result = await result
        except Exception:
            bill.close(0)  # nothing was answered; one that is cut for its time pays for what it took
            raise
        cost = bill.close(prepared.actual_cost(schema._schema, definition, result.data, operation.variables))
        errors = [answer(error, context.request_id) for error in result.errors or ()]
        if errors and result.data is None and all("path" not in error for error in errors):
            return _refused(errors, media_type)
        content: dict[str, Any] = {"errors": errors} if errors else {}
        content |= {"data": result.data, "extensions": {"cost": cost}}
        if not errors:
            return respond(content, media_type)
        away = any(error["extensions"]["code"] == Code.UNAVAILABLE for error in errors)
        return respond(content, media_type, 503 if away else 200, _retry(*(error["extensions"] for error in errors)))


def _wants_editor(request: Request) -> bool:
    return request.method == "GET" and "query" not in request.query_params and "text/html" in request.headers.get("accept", "")


def _status_of(code: Code, media_type: str) -> int:
    """The status of a request that was refused as a whole."""
    if code is Code.THROTTLED:
        return 429
    return 400 if media_type == GRAPHQL and code is not Code.PERSISTED_QUERY_NOT_FOUND else 200


def _retry(*facts: Mapping[str, Any]) -> dict[str, str] | None:
    """The header that says when to come again, where there is such a time."""
    seconds = max(fact.get("retryAfterSeconds", 0) for fact in facts)
    return {"retry-after": str(seconds)} if seconds else None


def _refused(errors: list[dict[str, Any]], media_type: str) -> Response:
    """A document or its variables were refused: no data."""
    return respond({"errors": errors}, media_type, _status_of(Code.BAD_REQUEST, media_type))


def graphql_app(services: Services, sockets: SocketLimits | None = None) -> Endpoint:
    """The endpoint with these services; the database pool is the process's."""
    return Endpoint(services, sockets)


if __name__ == "__main__":
    sys.stdout.write(schema.as_str() + "\n")
