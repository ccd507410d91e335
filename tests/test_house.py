"""The shape of the house: what a newcomer may rely on without reading everything."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from tortoise import Tortoise
from tortoise.migrations.autodetector import MigrationAutodetector

from domain import db as database
from domain.bootstrap import MODEL_MODULES
from domain.errors import DomainError, InvalidField

ROOT = Path(__file__).parent.parent
PACKAGES = ("plusone", "api", "domain", "workers")
LONGEST_FILE = 400
LONGEST_FUNCTION = 60


@cache
def sources() -> dict[str, ast.Module]:
    """Every file of the packages by its path, parsed; generated migrations are not ours to shape."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in paths if "migrations" not in path.parts}


def where(path: str, node: ast.AST) -> str:
    return f"{path}:{getattr(node, 'lineno', 1)}"


def stems(folder: str) -> set[str]:
    return {path.stem for path in (ROOT / folder).glob("*.py")} - {"__init__"}


def test_schema_and_resolvers_have_the_same_stems() -> None:
    assert stems("api/schema") - stems("api/resolvers") == {"descriptions", "errors", "paging", "pass_slot", "quick", "scalars"}
    assert stems("api/resolvers") - stems("api/schema") <= {"base", "lists", "mutation", "node"}


def test_the_import_contracts_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(lint), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def refusals() -> list[type[DomainError]]:
    """Every refusal of every room."""
    for path in sorted((ROOT / "domain").glob("*/errors.py")):
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    found: list[type[DomainError]] = []
    waiting: list[type[DomainError]] = [DomainError]
    while waiting:
        classes = waiting.pop().__subclasses__()
        found += classes
        waiting += classes
    return sorted((one for one in found if one.__module__.startswith("domain.")), key=lambda one: (one.code, one.__qualname__))


SAID_BY_MANY = {"DUPLICATE_ITEM", "NOT_EDITABLE", "ITEM_CLOSED"}
"""Codes that several refusals of a room share: no mutation can meet two of them."""
OUTSIDE_OF_MUTATIONS = {
    "AUTHENTICATOR_KEPT",  # second proofs over HTTP
    "BAD_CODE",  # read from a scan, shown as a pickup's refusal
    "DUPLICATE_ITEM",
    "INVALID_SHOP",  # opening a shop has no mutation yet
    "NO_SIGNING_KEY",
    "SLIP_REFUSED",  # pictures over HTTP
    "TICKET_OVER",
    "TOO_MANY_GUESSES",  # sign-in over HTTP
    "TOO_MANY_PASSKEYS",
    "UNAVAILABLE",
}


def test_every_refusal_has_a_public_code_of_its_own() -> None:
    from api.schema.errors import FAMILIES, MESSAGES

    public = {code for family in FAMILIES.values() for code in family}
    assert public == set(MESSAGES)
    assert [one.__qualname__ for one in refusals() if "code" not in vars(one) and not issubclass(one, InvalidField)] == []
    assert [one.code for one in refusals() if not re.fullmatch(r"[A-Z]+(_[A-Z]+)*", one.code)] == []
    assert sorted({one.code for one in refusals()} - public - OUTSIDE_OF_MUTATIONS) == []
    shared = Counter((one.__module__, one.code) for one in refusals() if one.code not in SAID_BY_MANY)
    assert [which for which, times in shared.items() if times > 1] == []


def test_no_file_is_longer_than_a_head() -> None:
    long = {path: count for path in sources() if (count := len((ROOT / path).read_text().splitlines())) > LONGEST_FILE}
    assert long == {}


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def test_no_function_is_longer_than_a_glance() -> None:
    lengths = {f"{where(path, node)} {node.name}": (node.end_lineno or 0) - node.lineno + 1 for path, node in functions()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


@cache
def silent_lines(path: str) -> frozenset[int]:
    """Lines of texts that stand alone: docstrings of modules, classes, functions and attributes."""
    alone = (node.value for node in ast.walk(sources()[path]) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    return frozenset(line for node in alone for line in range(node.lineno, (node.end_lineno or node.lineno) + 1))


OF_ONE_PLACE = re.compile(r"\bTWD\b|\+08:?00|^Asia/Taipei$")
TABLES_OF_THE_WORLD = {"domain/money.py", "domain/payments/ecpay.py", "api/notifications/messages.py", "api/schema/descriptions.py"}
"""Digits, signs and words per currency."""


def test_nothing_assumes_one_currency_or_one_time_zone() -> None:
    found = [
        where(path, node)
        for path, tree in sources().items()
        if path not in TABLES_OF_THE_WORLD and not path.startswith("plusone/demo/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and OF_ONE_PLACE.search(node.value)
        if node.lineno not in silent_lines(path)
    ]
    assert found == []


def is_money(node: ast.AST) -> bool:
    """Whether an expression names an amount in minor units."""
    names = [part.id if isinstance(part, ast.Name) else part.attr for part in ast.walk(node) if isinstance(part, ast.Name | ast.Attribute)]
    names += [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return any(name.endswith(("_minor", "Minor")) or name == "minor" for name in names)


def test_money_is_never_a_float() -> None:
    found = []
    for path, tree in sources().items():
        for node in ast.walk(tree):
            divides = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and (is_money(node.left) or is_money(node.right))
            floats = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float" and is_money(node)
            typed = isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None and "float" in ast.unparse(node.annotation)
            named = node.arg if isinstance(node, ast.arg) else ast.unparse(node.target) if isinstance(node, ast.AnnAssign) else ""
            if divides or floats or (typed and named.endswith("minor")):
                found.append(where(path, node))
    assert found == []


def test_every_table_is_registered() -> None:
    files = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "domain").glob("*/models.py")}
    assert sorted(MODEL_MODULES) == sorted(files)


OF_OTHERS = {
    "tortoise_migrations", "legal_move", "inbox_undecided", "pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics",
}  # fmt: skip
GENERATED = {("order", "list")}
TYPES = {
    "BIGINT": "bigint", "INT": "integer", "SMALLINT": "smallint", "BOOL": "boolean", "BOOLEAN": "boolean", "UUID": "uuid", "TEXT": "text",
    "TIMESTAMPTZ": "timestamp with time zone", "DATE": "date", "JSONB": "jsonb", "BYTEA": "bytea",
}  # fmt: skip


def postgresql_type(declared: str) -> str:
    """A column type of the ORM as PostgreSQL's catalog spells it."""
    varchar = re.fullmatch(r"VARCHAR\((\d+)\)", declared)
    return f"character varying({varchar[1]})" if varchar else TYPES[declared]


READ_WHOLE = (("claim", "result"), ("notice", "data"), ("order_event", "data"), ("audit_entry", "detail"))
"""JSON that is kept as text (`live_tables.sql`), for which Tortoise has no type."""


async def test_migrated_tables_equal_the_models(db: str) -> None:
    rows = await database.fetch(
        """select c.relname as "table", a.attname as "column", format_type(a.atttypid, a.atttypmod) as "type", a.attnotnull as required
           from pg_attribute a join pg_class c on c.oid = a.attrelid
           where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped"""
    )
    migrated = {
        (row["table"], row["column"]): (row["type"], row["required"])
        for row in rows
        if row["table"] not in OF_OTHERS and (row["table"], row["column"]) not in GENERATED
    }
    declared = {}
    for model in Tortoise.apps[database.APP].values():
        for field in model._meta.fields_map.values():
            if field.has_db_field:
                column = field.source_field or field.model_field_name
                declared[(model._meta.db_table, column)] = (postgresql_type(field.get_for_dialect("postgres", "SQL_TYPE")), not field.null)
    assert len({table for table, _ in declared}) > 25
    assert migrated == declared | dict.fromkeys(READ_WHOLE, ("json", True))


async def test_what_is_declared_unique_is_unique_in_the_tables(db: str) -> None:
    rows = await database.fetch(
        """select c.relname as "table", array_agg(a.attname::text order by a.attname) as columns
           from pg_index i join pg_class c on c.oid = i.indrelid join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey)
           where i.indisunique and c.relnamespace = 'public'::regnamespace and i.indpred is null group by i.indexrelid, c.relname"""
    )
    migrated = {(row["table"], tuple(row["columns"])) for row in rows}
    declared = set()
    for model in Tortoise.apps[database.APP].values():
        meta = model._meta
        declared |= {(meta.db_table, tuple(sorted(columns))) for columns in meta.unique_together}
        declared |= {(meta.db_table, (field.model_field_name,)) for field in meta.fields_map.values() if field.unique}
    assert len(declared) > 30
    assert declared - migrated == set()


async def test_the_models_need_no_further_migration(db: str) -> None:
    config = database.orm_config(db, MODEL_MODULES)
    changes = await MigrationAutodetector(Tortoise.apps, config["apps"]).changes()
    assert [operation for writer in changes for operation in writer.operations] == []


def test_the_committed_schema_is_the_schema() -> None:
    from api.graphql_app import schema

    assert (ROOT / "api" / "schema" / "schema.graphql").read_text().strip() == schema.as_str().strip()


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "docs/architecture.md", "Makefile", "Dockerfile", "compose.yaml", ".ci/run"])
def test_what_a_newcomer_looks_for_is_there(name: str) -> None:
    assert (ROOT / name).stat().st_size > 0
