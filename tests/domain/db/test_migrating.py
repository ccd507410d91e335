"""Migrations are applied with less work than Tortoise's own way, and write the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path

import pytest
from tortoise import fields
from tortoise.connection import get_connection
from tortoise.exceptions import ConfigurationError
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration
from tortoise.migrations.schema_editor import AsyncpgSchemaEditor
from tortoise.migrations.schema_generator.state import State
from tortoise.migrations.schema_generator.state_apps import StateApps

import domain.migrations
from domain.db import APP, migrating

FOLDER = Path(domain.migrations.__file__ or "").parent


class Changes(Migration):
    """Of every kind that ours have, and of others."""

    operations = [
        ops.CreateModel("Hat", [("id", fields.IntField(primary_key=True)), ("size", fields.IntField(null=True)), ("old", fields.TextField())],
                        options={"table": "hat", "app": APP, "pk_attr": "id", "table_description": "What is worn."}),
        ops.CreateModel("Head", [("id", fields.UUIDField(primary_key=True)), ("hat", fields.ForeignKeyField(f"{APP}.Hat", source_field="hat_id", related_name="heads"))],
                        options={"table": "head", "app": APP, "pk_attr": "id", "indexes": [Index(fields=["hat_id"])]}),
        ops.AddField("Hat", "colour", fields.CharField(max_length=9, default="")),
        ops.AlterField("Hat", "size", fields.IntField(default=5)),
        ops.RunSQL("create index hat_colour on hat (colour)"),
        ops.RemoveField("Hat", "old"),
        ops.RenameField("Hat", "colour", "color"),
        ops.AddIndex("Hat", Index(fields=["color"], name="hat_color")),
        ops.DeleteModel("Head"),
        ops.RenameModel("Hat", "Cap"),
    ]  # fmt: skip


async def written(how: Callable[..., Awaitable[State]], apps: type[StateApps]) -> tuple[list[str], list[tuple[str, str]]]:
    """The statements of the changes, none of which runs, and the models that there are then."""
    editor = AsyncpgSchemaEditor(get_connection("default"), atomic=False, collect_sql=True)
    state = State(models={}, apps=apps(default_connections={APP: "default"}))
    done = await how(Changes("0001_changes", APP), state, schema_editor=editor)
    return list(editor.collected_sql), sorted(done.models)


async def test_the_same_statements_are_written(db: str) -> None:
    ours = await written(migrating.apply, migrating._Apps)
    assert ours == await written(migrating._apply, StateApps)
    assert len(ours[0]) >= len(Changes.operations)
    assert ours[1] == [(APP, "Cap")]


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("[0-9]*.py")))
def test_no_migration_asks_through_models(name: str) -> None:
    operations = import_module(f"domain.migrations.{name}").Migration.operations
    assert [one for one in operations if not isinstance(one, (*migrating.FORWARD, ops.AlterField, ops.RemoveField, ops.AddIndex))] == []


async def test_tortoise_s_own_way_is_back_afterwards() -> None:
    before = Migration.apply, migrating.executor.StateApps
    with pytest.raises(ConfigurationError):
        await migrating.migrate({})
    assert (Migration.apply, migrating.executor.StateApps) == before == (migrating._apply, StateApps)
