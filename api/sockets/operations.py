"""One subscription: read and checked as any other document, then one execution per event."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from inspect import isawaitable
from typing import Any, cast

from graphql import ExecutionResult, GraphQLError, GraphQLSchema, GraphQLSyntaxError, OperationType, create_source_event_stream
from strawberry.execution import optimized_is_awaitable

from api.execution.budget import Budgets
from api.execution.documents import Documents, Prepared
from api.execution.errors import RequestError, answer
from api.execution.executor import SchemaExecutor
from api.execution.http import Operation
from api.resolvers.live import LiveContext

IS_AWAITABLE: Any = optimized_is_awaitable


class Refused(Exception):
    """The operation does not begin, or goes no further: `errors` as they leave."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__("refused")
        self.errors = errors


class Subscriptions:
    """Runs subscriptions of one schema. `prepare` finds a document and says whether it may be run at all. Beginning one is paid for like a query;
    its events are not: they come as seldom as the client takes them."""

    def __init__(
        self,
        schema: GraphQLSchema,
        documents: Documents,
        prepare: Callable[[Operation], Awaitable[Prepared]],
        budgets: Budgets,
        *,
        development: bool,
    ) -> None:
        self._schema = schema
        self._documents = documents
        self._prepare = prepare
        self._budgets = budgets
        self._development = development

    async def run(self, operation: Operation, context: LiveContext) -> AsyncGenerator[dict[str, Any], None]:
        """The payloads of `next`, one per event, each read as it is taken.

        Raises:
            Refused: the document is refused, or the stream ended with an error.
        """
        try:
            prepared = await self._paid(operation, context)
            async with aclosing(await self._events(operation, prepared, context)) as events:
                async for event in events:
                    yield await self._answered(operation, prepared, context, event)
        except GraphQLSyntaxError as error:
            raise Refused([answer(error, context.request_id)]) from None
        except Refused:
            raise
        except Exception as error:
            # A path says that it is a field's: what is unexpected is then masked and logged, not shown as the document's fault.
            located = GraphQLError(str(error), path=None if isinstance(error, RequestError) else ["subscription"], original_error=error)
            raise Refused([_without_path(answer(located, context.request_id))]) from None

    async def _paid(self, operation: Operation, context: LiveContext) -> Prepared:
        """The document, paid for; reading one in vain is paid for too."""
        bill = self._budgets.bill(context.viewer, context.client_address)
        try:
            prepared, points = await self._read(operation, context)
        except (RequestError, GraphQLSyntaxError, Refused):
            bill.refused()
            raise
        bill.open(points)
        context.selections = prepared.selections
        return prepared

    async def _read(self, operation: Operation, context: LiveContext) -> tuple[Prepared, int]:
        prepared = await self._prepare(operation)
        if prepared.errors:
            raise Refused([answer(error, context.request_id) for error in prepared.errors])
        definition = prepared.operation(operation.name)
        if definition.operation is not OperationType.SUBSCRIPTION:
            raise RequestError("only subscriptions are answered here; send queries and mutations by POST")
        return prepared, self._documents.check_cost(prepared, definition, operation.variables)

    def _options(self, operation: Operation, context: LiveContext) -> dict[str, Any]:
        return {
            "raw_variable_values": operation.variables, "operation_name": operation.name, "context_value": context,
            "is_awaitable": IS_AWAITABLE, "max_coercion_errors": 5, "hide_suggestions": not self._development,
        }  # fmt: skip

    async def _events(self, operation: Operation, prepared: Prepared, context: LiveContext) -> AsyncGenerator[Any, None]:
        built = SchemaExecutor.build(self._schema, prepared.document, **self._options(operation, context))
        if isinstance(built, list):
            raise Refused([answer(error, context.request_id) for error in built])
        found: Any = create_source_event_stream(built)
        if isawaitable(found):
            found = await found
        if isinstance(found, ExecutionResult):
            raise Refused([answer(error, context.request_id) for error in found.errors or ()])
        return cast("AsyncGenerator[Any, None]", found)

    async def _answered(self, operation: Operation, prepared: Prepared, context: LiveContext, event: Any) -> dict[str, Any]:
        result: Any = SchemaExecutor.run(
            self._schema, prepared.document, root_value=event, plans=prepared.plans, **self._options(operation, context)
        )
        if isawaitable(result):
            result = await result
        errors = [answer(error, context.request_id) for error in result.errors or ()]
        return {"errors": errors, "data": result.data} if errors else {"data": result.data}


def _without_path(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name != "path"}
