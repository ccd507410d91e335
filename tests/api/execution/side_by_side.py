"""One operation run twice: by graphql-core's executor, and by ours with plans. The answers must be the same to the last comma."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphql import DocumentNode, ExecutionResult, GraphQLSchema, parse
from graphql.execution.executor import Executor

from api.execution.executor import MISSED, Planned
from api.execution.kept import Plans
from api.execution.rows import PlainRows, Rows


class Counting(Planned):
    """Counts what was completed by plans, and what had none or did not fit."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.by_plan = 0
        self.missed = 0

    def _completed(self, *args: Any) -> Any:
        done = super()._completed(*args)
        self.missed += done is MISSED
        self.by_plan += done is not MISSED
        return done


@dataclass(frozen=True, slots=True)
class Ran:
    """Data and errors as they would leave, with the counts of `Counting`."""

    data: Any
    errors: list[dict[str, Any]] | None
    by_plan: int = 0
    missed: int = 0

    @property
    def answer(self) -> str:
        """Everything, the order of keys and the types of values included."""
        return f"{self.data!r} {self.errors!r}"


async def run(
    executor: type[Executor[Any]], schema: GraphQLSchema, document: DocumentNode, root: Any, variables: dict[str, Any], **options: Any
) -> Ran:
    """Run an operation to its end."""
    built = executor.build(schema, document, root, raw_variable_values=variables, **options)
    if isinstance(built, list):
        return Ran(None, [error.formatted for error in built])
    result = built.execute_operation()
    if inspect.isawaitable(result):
        result = await result
    assert isinstance(result, ExecutionResult)
    errors = None if result.errors is None else [dict(error.formatted) for error in result.errors]
    return Ran(result.data, errors, getattr(built, "by_plan", 0), getattr(built, "missed", 0))


def both(
    schema: GraphQLSchema,
    document: str | DocumentNode,
    rows: Callable[[], Any],
    variables: dict[str, Any] | None = None,
    *,
    reading: Rows | None = None,
    plans: Plans | None = None,
    **options: Any,
) -> Ran:
    """The answer by plans, which is the answer by graphql-core; `rows` makes the root value anew for each."""
    read = parse(document) if isinstance(document, str) else document
    kept = Plans(schema, read, reading or PlainRows()) if plans is None else plans

    async def go() -> Ran:
        given = variables or {}
        usual = await run(Executor, schema, read, rows(), given, **options)
        ours = await run(Counting, schema, read, rows(), given, plans=kept, **options)
        again = await run(Counting, schema, read, rows(), given, plans=kept, **options)
        # The executor leaves what nobody waits for any more to the background.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.gather(*others, return_exceptions=True)
        assert ours.answer == usual.answer
        assert again.answer == usual.answer
        return ours

    return asyncio.run(go())
