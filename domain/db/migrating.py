"""Tortoise's migrations, without what only their undoing and historical models need: a new database was ten seconds of processor time, and is one.

Tortoise copies the whole state of the schema before each operation and builds every model's queries anew after it, which grows with the square of the
operations. Here it is copied for the operations alone that look back, and no queries are built: no migration of ours asks through models
(`tests/domain/db/test_migrating.py`).
"""

from __future__ import annotations

from typing import Any, Final

from tortoise.migrations import executor
from tortoise.migrations.api.migrate import migrate as apply_migrations
from tortoise.migrations.migration import Migration
from tortoise.migrations.operations import AddField, AlterModelOptions, CreateModel, RunSQL
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_generator.state import State
from tortoise.migrations.schema_generator.state_apps import StateApps

FORWARD: Final = (CreateModel, AddField, AlterModelOptions, RunSQL)
"""Operations that never look at the state before them."""


class _Apps(StateApps):
    """The models of a state, whose queries nobody asks for."""

    def _build_initial_querysets(self) -> None:
        for app in self.apps.values():
            for model in app.values():
                if model._meta._inited:
                    model._meta._resolve_index_expressions()


_apply: Final = Migration.apply


async def apply(
    self: Migration, state: State, *, dry_run: bool = False, schema_editor: BaseSchemaEditor | None = None, collect_sql: bool = False
) -> State:
    """Tortoise's `Migration.apply`."""
    if dry_run or schema_editor is None or collect_sql:
        return await _apply(self, state, dry_run=dry_run, schema_editor=schema_editor, collect_sql=collect_sql)
    transactions = schema_editor.client.capabilities.supports_transactions
    for operation in self.operations:
        before = state if isinstance(operation, FORWARD) else state.clone()
        operation.state_forward(self.app_label, state)
        await self._run_database_forward(operation, before, state, schema_editor, transactions)
    state.validate_relations_initialized()
    return state


async def migrate(config: dict[str, Any]) -> None:
    """Apply what is missing. The caller closes the pool."""
    places: tuple[tuple[Any, str, Any], ...] = ((executor, "StateApps", _Apps), (Migration, "apply", apply))
    kept = [getattr(place, name) for place, name, _ in places]
    for place, name, ours in places:
        setattr(place, name, ours)
    try:
        await apply_migrations(config=config)
    finally:
        for (place, name, _), theirs in zip(places, kept, strict=True):
            setattr(place, name, theirs)
