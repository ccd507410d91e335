"""What has a plan and what has none; plans are kept with their document, bounded, and good for two at once."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from graphql import GraphQLField, GraphQLObjectType, GraphQLScalarType, GraphQLSchema, build_schema, parse
from graphql.execution.executor import Executor
from graphql.execution.middleware import MiddlewareManager
from hypothesis import given
from hypothesis import strategies as st

from api.execution import documents, kept
from api.execution.documents import Documents
from api.execution.kept import MOST_CHOICES, MOST_FIELDS, Plans, Room
from api.execution.leaves import utc_text
from api.execution.rows import PlainRows
from api.schema.scalars import write_instant
from tests.api.execution.schemas import JSON, LOUD, SOON
from tests.api.execution.side_by_side import Counting, Ran, both, run

SHOP = build_schema("""
  directive @stream(initialCount: Int = 0, if: Boolean! = true) on FIELD
  directive @shout on FIELD
  interface Named { name: String }
  type Shop implements Named { name: String  orders: [Order!]!  best: Named  counts: [[Int]]  priced(currency: String): String }
  type Order { number: String!  total: Int  shop: Shop  lines: [Line] }
  type Line { title: String  pieces: Int! }
  type Query { shop: Shop  shops: [Shop!] }
""")
ORDERS = "{ shop { name orders { number total lines { title pieces } } } }"


def shop(**more: Any) -> dict[str, Any]:
    lines = [{"title": "方巾", "pieces": 2}, {"title": None, "pieces": 1}]
    orders = [{"number": "5-0001", "total": 590, "lines": lines}, {"number": "5-0002", "total": None, "lines": None}]
    return {"shop": {"name": "小鹿", "orders": orders, **more}, "shops": [{"name": "a"}, {"name": "b"}]}


def test_a_pure_part_is_one_plan() -> None:
    ran = both(SHOP, ORDERS, shop)
    assert (ran.by_plan, ran.missed, ran.errors) == (1, 0, None)
    assert ran.data["shop"]["orders"][1] == {"number": "5-0002", "total": None, "lines": None}


@pytest.mark.parametrize(
    "selected",
    ["priced", 'priced(currency: "TWD")', "best { name }", "orders @stream { number }", "name @shout"],
    ids=["arguments", "given arguments", "an abstract type", "streamed", "another directive"],
)
def test_a_field_that_is_not_pure_leaves_its_part_to_the_executor_and_no_more(selected: str) -> None:
    both(SHOP, f"{{ shop {{ name {selected} }} }}", lambda: shop(best={"__typename": "Shop", "name": "b"}, priced="1"))
    ran = both(SHOP, f"{{ shop {{ {selected} orders {{ lines {{ title }} }} }} }}", lambda: shop(best={"__typename": "Shop", "name": "b"}))
    assert ran.by_plan >= 1, "its sisters have plans all the same"
    assert ran.missed >= 1


@pytest.mark.parametrize(
    ("orders", "path"),
    [
        ([{"number": None}], ["shop", "orders", 0, "number"]),
        ([{"number": "1", "total": 2**31}], ["shop", "orders", 0, "total"]),
        ([{"number": "1", "total": 1, "lines": [{"title": "a", "pieces": None}]}], ["shop", "orders", 0, "lines", 0, "pieces"]),
        ([{"number": ValueError("no number")}], ["shop", "orders", 0, "number"]),
        ([None], ["shop", "orders", 0]),
        ("text", ["shop", "orders"]),
    ],
)
def test_a_value_that_does_not_fit_is_reported_where_it_stands(orders: Any, path: list[str | int]) -> None:
    ran = both(SHOP, ORDERS, lambda: shop(orders=orders))
    assert [error["path"] for error in ran.errors or ()] == [path]
    assert ran.missed >= 1


def test_what_must_be_awaited_is_awaited_once() -> None:
    calls = []

    async def later() -> int:
        calls.append(1)
        return 590

    ran = both(SHOP, ORDERS, lambda: shop(orders=[{"number": "1", "total": later(), "lines": []}]))
    assert ran.data["shop"]["orders"] == [{"number": "1", "total": 590, "lines": []}]
    assert len(calls) == 3, "three runs, and each awaited its own"


@pytest.mark.parametrize(
    ("scalar", "value", "fits"), [(LOUD, "a", True), (LOUD, "", False), (LOUD, 1, False), (SOON, "a", False), (JSON, {"a": None}, True)]
)
def test_a_scalar_may_refuse_write_null_or_take_its_time(scalar: GraphQLScalarType, value: Any, fits: bool) -> None:
    row = GraphQLObjectType("Row", {"written": GraphQLField(scalar)})
    ran = both(
        GraphQLSchema(GraphQLObjectType("Query", {"row": GraphQLField(row)})), "{ row { written } }", lambda: {"row": {"written": value}}
    )
    assert (ran.by_plan, ran.missed) == (int(fits), int(not fits))


def test_other_rows_than_dicts_are_read_by_the_executor() -> None:
    class Row:
        name = "an object"

    ran = both(SHOP, "{ shop { name } shops { name } }", lambda: {"shop": Row(), "shops": (row for row in [{"name": "a"}])})
    assert ran.data == {"shop": {"name": "an object"}, "shops": [{"name": "a"}]}
    assert ran.by_plan == 1, "the row within the generator"


def test_names_cannot_leave_their_quotes() -> None:
    schema = build_schema("type Query { shop: Shop } type Shop { name: String __import__: String }", assume_valid=True)
    ran = both(
        schema, "{ shop { exec: name __import__ None: name lambda: name v: name b: name misfit: name } }", lambda: {"shop": {"name": "a"}}
    )
    assert ran.data["shop"] == {"exec": "a", "__import__": None, "None": "a", "lambda": "a", "v": "a", "b": "a", "misfit": "a"}
    assert ran.by_plan == 1


def test_row_keys_cannot_leave_their_quotes() -> None:
    reader = PlainRows().reader("v", "'] + __import__('os') + v['")
    found = {"'] + __import__('os') + v['": "only a key"}
    assert eval(reader, {"__builtins__": {}}, {"v": found}) == "only a key"


@pytest.mark.parametrize(
    "options",
    [{"middleware": MiddlewareManager()}, {"field_resolver": lambda *_: None}, {"is_awaitable": lambda _: False}],
    ids=["middleware", "field resolver", "is_awaitable"],
)
def test_an_unusual_executor_uses_no_plans(options: dict[str, Any]) -> None:
    assert both(SHOP, ORDERS, shop, **options).by_plan == 0


def test_plans_serve_their_own_document_and_schema_alone() -> None:
    document, twin = parse(ORDERS), parse(ORDERS)
    plans = Plans(SHOP, document, PlainRows())
    other = build_schema("type Query { shop: Shop } type Shop { name: Int }")
    assert plans.chosen(SHOP, document.definitions[0], {}) is not None
    assert plans.chosen(SHOP, twin.definitions[0], {}) is None
    assert plans.chosen(other, document.definitions[0], {}) is None


# Conditions


def test_conditions_by_variables_choose_a_plan_each() -> None:
    document = parse(
        "query ($a: Boolean!, $b: Boolean = true) { shop { name @include(if: $a) ...F @skip(if: $b) } } fragment F on Shop { more: name }"
    )
    plans = Plans(SHOP, document, PlainRows())
    answers = [
        both(SHOP, document, shop, {"a": a, **b}, plans=plans).data["shop"] for a in (True, False) for b in ({}, {"b": True}, {"b": False})
    ]
    assert [list(answer) for answer in answers] == [["name"], ["name"], ["name", "more"], [], [], ["more"]]
    assert len(plans) == 4


def test_choices_are_bounded_and_the_oldest_makes_room() -> None:
    names = [f"v{n}" for n in range(6)]
    head = ", ".join(f"${name}: Boolean!" for name in names)
    fields = " ".join(f"{name}: name @include(if: ${name})" for name in names)
    document = parse(f"query ({head}) {{ shop {{ {fields} }} }}")
    plans = Plans(SHOP, document, PlainRows())
    for choice in range(2 ** len(names)):
        values = {name: bool(choice >> n & 1) for n, name in enumerate(names)}
        assert list(both(SHOP, document, shop, values, plans=plans).data["shop"]) == [name for name in names if values[name]]
        assert len(plans) <= MOST_CHOICES
    assert len(plans) == MOST_CHOICES


def test_a_condition_that_is_no_truth_value_has_no_plan_and_the_executor_reports_it() -> None:
    document = parse("query ($a: [Int]) { shop { name @include(if: $a) } }")
    ran = both(SHOP, document, shop, {"a": [1]})
    assert ran.by_plan == 0


# Bounds


def test_a_document_has_a_bounded_number_of_compiled_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_FIELDS", 20)
    fields = " ".join(f"n{n}: name" for n in range(8))
    document = parse(
        f"query ($a: Boolean!) {{ one: shop {{ {fields} }} two: shop {{ {fields} }} three: shop {{ {fields} name @skip(if: $a) }} }}"
    )
    plans = Plans(SHOP, document, PlainRows())
    ran = both(SHOP, document, shop, {"a": True}, plans=plans)
    assert (ran.by_plan, ran.missed) == (2, 1)
    both(SHOP, document, shop, {"a": False}, plans=plans)
    assert len(plans) == 1, "a full choice makes room for the next"
    assert MOST_FIELDS == 1_000


def test_a_fragment_that_doubles_itself_is_compiled_once() -> None:
    chain = " ".join(
        f"fragment F{n} on Shop {{ a: orders {{ shop {{ ...F{n + 1} }} }} b: orders {{ shop {{ ...F{n + 1} }} }} }}" for n in range(4)
    )
    document = parse(f"{{ shop {{ ...F0 }} }} {chain} fragment F4 on Shop {{ name }}")
    plans = Plans(SHOP, document, PlainRows())
    both(SHOP, document, shop, plans=plans)
    assert plans.fields < 40, "2**4 paths, and each fragment once"


def test_a_document_that_goes_takes_its_plans_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "KEPT", 1)
    found = Documents(SHOP, introspection=False, rows=PlainRows())
    first = found.get(ORDERS)
    both(SHOP, first.document, shop, plans=first.plans)
    gone = weakref.ref(first.plans._chosen[()])
    del first
    found.get("{ shop { name } }")
    gc.collect()
    assert len(found) == 1
    assert gone() is None


def test_plans_of_all_documents_are_bounded_and_the_oldest_lose_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "KEPT_FIELDS", 40)
    found = Documents(SHOP, introspection=False, rows=PlainRows())
    texts = [f"{{ shop {{ {' '.join(f'd{n}f{k}: name' for k in range(9))} }} }}" for n in range(12)]
    for text in texts:
        prepared = found.get(text)
        assert both(SHOP, prepared.document, shop, plans=prepared.plans).by_plan == 1
        assert sum(one.plans.fields for one in found._kept.values()) == found._room.fields <= 40 + 9
    assert [found.get(text).plans.fields for text in texts[-2:]] == [9, 9]
    assert found.get(texts[0]).plans.fields == 0
    first = found.get(texts[0])
    assert both(SHOP, first.document, shop, plans=first.plans).by_plan == 1, "it is planned again when it comes again"


def test_what_is_forgotten_while_it_runs_counts_no_more() -> None:
    room = Room()
    document = parse("{ shop { name } }")
    plans = Plans(SHOP, document, PlainRows(), room)
    executor = Counting.build(SHOP, document, shop(), plans=plans)
    plans.clear()
    assert isinstance(executor, Counting)
    executor.execute_operation()
    assert (executor.by_plan, room.fields, len(plans)) == (1, 0, 0)


@given(st.datetimes(timezones=st.sampled_from([UTC, UTC, ZoneInfo("UTC"), timezone(timedelta(hours=8)), ZoneInfo("Asia/Taipei")])))
def test_instants_are_written_as_their_scalar_writes_them(instant: datetime) -> None:
    written = utc_text(instant)
    assert written == (write_instant(instant) if instant.tzinfo is UTC else None)


async def test_a_document_that_goes_while_it_runs_is_run_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "KEPT", 1)
    schema = build_schema("type Query { shop: Shop } type Shop { name: String orders: [Order!] } type Order { number: String! }")
    waiting, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_info: Any) -> dict[str, Any]:
        waiting.set()
        await go_on.wait()
        return shop()["shop"]

    found = Documents(schema, introspection=False, rows=PlainRows())
    prepared = found.get("{ shop { name orders { number } } }")
    running = asyncio.create_task(run(Counting, schema, prepared.document, {"shop": slow}, {}, plans=prepared.plans))
    await waiting.wait()
    del prepared
    for n in range(50):
        found.get(f"{{ shop {{ a{n}: name }} }}")
    gc.collect()
    go_on.set()
    ran = await running
    assert (ran.by_plan, ran.data["shop"]["orders"][0]) == (1, {"number": "5-0001"})


def test_the_same_text_is_the_same_plans() -> None:
    found = Documents(SHOP, introspection=False, rows=PlainRows())
    assert found.get(ORDERS).plans is found.get(ORDERS).plans
    assert found.get(ORDERS + " ").plans is not found.get(ORDERS).plans


# At once


async def test_two_tasks_share_a_document(sharing: tuple[GraphQLSchema, Any, Plans]) -> None:
    schema, document, plans = sharing

    async def ask(flag: bool) -> Ran:
        await asyncio.sleep(0)
        return await run(Counting, schema, document, shop(), {"a": flag}, plans=plans)

    rans = await asyncio.gather(*(ask(n % 2 == 0) for n in range(40)))
    assert [list(ran.data["shop"]) for ran in rans] == [["name", "orders"] if n % 2 == 0 else ["orders"] for n in range(40)]
    assert all(ran.by_plan == 1 for ran in rans)


def test_threads_share_a_document(sharing: tuple[GraphQLSchema, Any, Plans]) -> None:
    schema, document, plans = sharing
    start, rans, failed = threading.Barrier(8), list[Ran](), list[BaseException]()

    def work(flag: bool) -> None:
        try:
            start.wait()
            rans.extend(asyncio.run(run(Counting, schema, document, shop(), {"a": flag}, plans=plans)) for _ in range(25))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(n % 2 == 0,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(rans) == 200
    assert all(ran.by_plan == 1 and ran.errors is None for ran in rans)
    assert len(plans) == 2


@pytest.fixture
def sharing() -> tuple[GraphQLSchema, Any, Plans]:
    """A document with a condition, not planned yet."""
    document = parse("query ($a: Boolean!) { shop { name @include(if: $a) orders { number lines { pieces } } } }")
    return SHOP, document, Plans(SHOP, document, PlainRows())


def test_the_executor_without_plans_is_graphql_cores() -> None:
    document = parse(ORDERS)
    usual = asyncio.run(run(Executor, SHOP, document, shop(), {}))
    assert asyncio.run(run(Counting, SHOP, document, shop(), {})).answer == usual.answer
