"""An executor of graphql-core that completes objects and lists of rows by the document's plans, and all else as it always did."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from graphql import DocumentNode, ExecutionResult, GraphQLList, GraphQLObjectType, GraphQLOutputType, GraphQLResolveInfo, GraphQLSchema
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.execute import assume_not_awaitable
from graphql.execution.executor import Executor, default_field_resolver
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path, is_awaitable
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from api.execution.kept import Chosen, Plans
from api.execution.plans import LISTS
from api.execution.rows import Ask

MISSED: Final = object()
"""No plan, or the value does not fit it."""
KNOWN_CHECKS: Final = (is_awaitable, assume_not_awaitable, optimized_is_awaitable)
"""Answers to "must it be awaited?" that are no for everything that a plan takes."""

CONSTANTS: Final = frozenset({str, int, float, bool, type(None)})
"""Types of arguments that are good for every request when a document spells them out."""


class Planned(Executor[Any]):
    """Completes by plans. `plans` are the document's; without them it is the executor below."""

    def __init__(self, *args: Any, plans: Plans | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self._chosen: Chosen | None = None
        usual = self.middleware_manager is None and self.field_resolver is default_field_resolver and self.is_awaitable in KNOWN_CHECKS
        if plans is not None and usual:
            self._chosen = plans.chosen(self.schema, self.operation, self.variable_values.coerced)

    def complete_object_value(
        self, return_type: GraphQLObjectType, field_details_list: list[FieldDetails], info: GraphQLResolveInfo[Any], path: Path, result: Any,
        position_context: Any,
    ) -> Any:  # fmt: skip
        """See Executor."""
        if type(result) is dict and position_context is None:
            done = self._completed(return_type, field_details_list, path, result)
            if done is not MISSED:
                return done
        return super().complete_object_value(return_type, field_details_list, info, path, result, position_context)

    def complete_list_value(
        self, return_type: GraphQLList[Any], field_details_list: list[FieldDetails], info: GraphQLResolveInfo[Any], path: Path, result: Any,
        position_context: Any,
    ) -> Any:  # fmt: skip
        """See Executor."""
        if type(result) in LISTS and position_context is None:
            done = self._completed(return_type, field_details_list, path, result)
            if done is not MISSED:
                return done
        return super().complete_list_value(return_type, field_details_list, info, path, result, position_context)

    def _completed(self, type_: GraphQLOutputType, group: list[FieldDetails], path: Path, value: Any) -> Any:
        chosen = self._chosen
        plan = None if chosen is None else chosen.plan(self, type_, group)
        if plan is None or chosen is None:
            return MISSED
        try:
            return plan.run(value, self._bound(chosen, plan.asked, path) if plan.asked else None)
        except Exception:  # the executor completes the value again, and reports what is wrong with it
            return MISSED

    def _bound(self, chosen: Chosen, numbers: Iterable[int], path: Path) -> dict[int, Ask]:
        return {number: self._bind(chosen, number, path) for number in numbers}

    def _bind(self, chosen: Chosen, number: int, path: Path) -> Ask:
        asking = chosen.asks[number]
        field, node = asking.field, asking.group[0].node
        info = self.build_resolve_info(field, [details.node for details in asking.group], asking.parent, path)
        named = chosen.constants.get(number)
        if named is None:
            arguments = get_argument_values(field, node, self.variable_values, None, self.hide_suggestions)
            named = chosen.rows.named(field, info, arguments)
            if asking.is_constant and all(type(value) in CONSTANTS for value in named.values()):
                chosen.constants[number] = named
        return chosen.rows.ask(field, info, named)


class SchemaExecutor(Planned, StrawberryGraphQLCoreExecutionContext):
    """The same for strawberry's schema."""

    @classmethod
    def run(cls, schema: GraphQLSchema, document: DocumentNode, **options: Any) -> Any:
        """What `graphql.execute` does, without its layer for incremental delivery: a result, or an awaitable of one."""
        built = cls.build(schema, document, **options)
        return ExecutionResult(None, built) if isinstance(built, list) else built.execute_operation()
