"""graphql-core's own tests of execution, run through our executor: each document gets plans, as at our endpoint."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from graphql import DocumentNode, GraphQLSchema
from graphql.execution import execute
from graphql.execution.incremental import IncrementalExecutor

from api.execution.kept import Plans
from api.execution.rows import PlainRows
from tests.api.execution.described import described, load, modules
from tests.api.execution.side_by_side import Counting

EXECUTE = inspect.getmodule(execute)


class Every(Counting, IncrementalExecutor):
    """graphql-core's usual executor with plans for every document."""

    by_plans = 0
    ran = 0

    @classmethod
    def build(cls, schema: GraphQLSchema, document: DocumentNode, *args: Any, **more: Any) -> Any:
        return super().build(schema, document, *args, plans=Plans(schema, document, PlainRows()), **more)

    def _completed(self, *args: Any) -> Any:
        before = self.by_plan
        done = super()._completed(*args)
        Every.by_plans += self.by_plan - before
        return done


def _cases() -> Iterator[Any]:
    for name in modules():
        for title, test in described(load(name)):
            marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
            for arguments in _products(marks):
                shown = "-".join(str(value) for value in arguments.values())
                yield pytest.param(test, arguments, id=f"{name}:{title}{f'[{shown}]' if shown else ''}")


def _products(marks: list[Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{}]
    for mark in marks:
        name, values = mark.args[:2]
        found = [{**before, name: value} for before in found for value in values]
    return found


CASES = list(_cases())


@pytest.fixture
def every(monkeypatch: pytest.MonkeyPatch) -> None:
    """graphql-core executes by our executor."""
    monkeypatch.setattr(EXECUTE, "IncrementalExecutor", Every)


@pytest.mark.usefixtures("every")
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(("test", "arguments"), CASES)
async def test_graphql_core(test: Callable[..., Any], arguments: dict[str, Any], request: pytest.FixtureRequest) -> None:
    fixtures = {name: request.getfixturevalue(name) for name in inspect.signature(test).parameters if name not in arguments}
    found = test(**arguments, **fixtures)
    if inspect.isawaitable(found):
        await found
    Every.ran += 1


def test_they_are_all_here_and_used_plans() -> None:
    """Without plans they would say nothing about ours."""
    assert len(CASES) > 300
    if Every.ran < len(CASES):
        pytest.skip("counts after all of them")
    assert Every.by_plans > 40
