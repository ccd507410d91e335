"""Whatever the rows and the operation, a buyer's screens are answered from text as graphql-core answers them from rows, to the last byte."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import asyncpg
import pytest
from graphql import GraphQLNamedType, GraphQLObjectType, get_named_type, get_nullable_type, is_leaf_type

from api import graphql_app
from api.execution import screens
from api.execution.kept import Plans
from api.execution.screens import MOST_CHOICES, Answered, Operations
from api.resolvers.notice import _fields
from benchmarks.screens import DOCUMENTS
from domain import db as database
from domain.orders.carriers import Carrier
from domain.orders.shipments import LINE_FIELDS as PARCEL_LINES
from domain.orders.shipments import SHIPMENT_FIELDS
from domain.orders.written import LINE_FIELDS, ORDER_FIELDS
from domain.paging import written
from domain.paging.written import Kind, Leaf
from domain.shipping.rules import ShipmentState
from tests import build
from tests.api.execution.test_screens import nothing
from tests.api.graphql import test_budgets as budgets
from tests.parcels import an_order_to_send, packed, said
from tests.sql_recorder import recorded

TEXTS = [
    "",
    "a",
    "五月團 ☀ 👩‍👩‍👧",
    "q\"'\\\n\t\b\f\r",
    "\x01\x1c\x1d\x1e\x1f\x7f",
    "null",
    "{x}",
    "</script>",
    "\u2028\u00ff\ufeff",
    "+/=",
    "x" * 60,
]
INSTANTS = [
    None, datetime(2026, 11, 21, 8, tzinfo=UTC), datetime(2026, 11, 21, 8, 0, 0, 120_000, tzinfo=UTC), datetime(2026, 2, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(1000, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC),
]  # fmt: skip
DAYS = [None, date(2026, 11, 21), date(1000, 1, 1), date(9999, 12, 30)]
EVENTS = [
    "{}",
    '{"lines": []}',
    '{"lines": 3}',
    '{"lines": [{"title": "五 \\u001f\\"", "label": "", "quantity": 2}, {"title": "", "label": "x", "quantity": 1}]}',
]
AMOUNTS = [0, 1, 9, 10, 99, 100, 123_456, 2**53 + 1, 10**15 - 1]
CURRENCIES = ["TWD", "HKD", "JPY", "USD"]


class Seen:
    """Operations that were written from text, and those that the executor answered."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.executed = 0


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    found, answer = Seen(), Operations.answer

    async def counted(self: Operations, *given: Any) -> Answered | None:
        done = await answer(self, *given)
        found.executed += done is None
        if done is not None:
            found.written.append(done.data)
        return done

    monkeypatch.setattr(Operations, "answer", counted)
    return found


async def by_executor(client: Any, query: str, variables: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The answer's bytes by graphql-core alone."""
    with monkeypatch.context() as patch:
        patch.setattr(Plans, "answer", nothing)
        patch.setattr(Plans, "chosen", lambda *_: None)
        return (await client.ask(query, variables)).response.content


async def same(client: Any, query: str, variables: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Both answers are the same; one of them."""
    answer = await client.ask(query, variables)
    assert answer.response.content == await by_executor(client, query, variables, monkeypatch), query
    return answer


async def odd(chance: Random) -> None:
    """Every row that screens show holds something odd; the guards of the tables look away meanwhile."""
    async with database.transaction() as tx:
        await tx.execute("set local session_replication_role = replica")
        for table, columns in (
            ("shop", {"name": TEXTS, "pickup_place": TEXTS, "currency": CURRENCIES}),
            (
                '"order"',
                {
                    "currency": CURRENCIES, "subtotal_minor": AMOUNTS, "shipping_minor": AMOUNTS, "discount_minor": AMOUNTS, "total_minor": AMOUNTS,
                    "paid_minor": AMOUNTS, "pay_by": INSTANTS, "updated_at": INSTANTS[1:], "version": [1, 7, 2**31 - 1],
                    "fulfilment_state": list(build.FulfilmentState), "payment_state": list(build.PaymentState),
                },
            ),
            (
                "order_line",
                {"title": TEXTS, "variant_label": TEXTS, "beneficiary": TEXTS, "unit_price_minor": AMOUNTS, "quantity": [0, 1, 3], "handed_over": [0, 5]},
            ),
            ("notice", {"read_at": INSTANTS, "kind": ["ORDER_PLACED", "PICKUP_READY", "ANNOUNCEMENT", "SUGGESTION"]}),
            (
                "shipment",
                {
                    "carrier_name": TEXTS, "tracking_number": ["", "A-1"], "store_code": ["", "1"], "store_name": TEXTS, "store_address": TEXTS,
                    "carrier": list(Carrier), "state": ["PREPARING", "CANCELLED"], "state_at": INSTANTS[1:],
                    "last_pickup_day": [None, date(2026, 11, 28), date(1, 1, 1), date(9999, 12, 31)],
                },
            ),
            ("shipment_event", {"note": TEXTS, "at": INSTANTS[1:]}),
            ("pickup", {"not_after": INSTANTS, "state": ["OPEN", "COLLECTED"]}),
            ("payment", {"amount_minor": AMOUNTS[1:], "currency": CURRENCIES}),
            ("order_event", {"kind": ["PAID", "SHIPPED", "UNHEARD"], "actor": ["worker:x", "comment:1", "member:1"], "data": EVENTS}),
        ):  # fmt: skip
            for row in await tx.fetch(f"select id from {table}"):
                values = [chance.choice(list(choices)) for choices in columns.values()]
                sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(columns, 2))
                await _update(tx, f"update {table} set {sets} where id = $1", row["id"], values)


async def _update(tx: Any, sql: str, key: Any, values: Sequence[Any]) -> None:
    try:
        async with tx.raw.transaction():
            await tx.execute(sql, key, *values)
    except asyncpg.CheckViolationError:
        pass  # a pair of values that the table itself refuses


async def furnished(people: Any) -> None:
    """Orders, a pass, parcels and notices; one order with very many lines, one without any."""
    await budgets.furnished(people, 4)
    for n in range(2):
        order = await an_order_to_send(people.shop, buyer=people.buyer, created_at=build.NOW - timedelta(minutes=n))
        await database.execute(
            """insert into payment (id, shop_id, order_id, method, reference, amount_minor, currency, recorded_by, recorded_at)
               values ($1, $2, $3, 'CASH', '', 590, 'TWD', $1, $4)""",
            build.new_id(), people.shop.id, order.id, build.NOW,
        )  # fmt: skip
    variant = await build.a_variant(people.shop, on_hand=500)
    many = await build.an_order(people.shop, [(variant, 1)] * 105, buyer=people.buyer, payment=build.PaymentState.PAID)
    for n in range(4):
        parcel = await packed(many, {2 * n: 1, 2 * n + 1: 1}, now=build.NOW + timedelta(seconds=n))
        for hour, state in enumerate((ShipmentState.SHIPPED, ShipmentState.IN_TRANSIT)[: n % 3]):
            await said(many, parcel, state, at=build.NOW + timedelta(hours=hour), note="說明" * hour)
    await build.an_order(people.shop, [], buyer=people.buyer, payment=build.PaymentState.PAID)
    for n, facts in enumerate(('{"shopName": "小芳\\u001f\\"團"}', "{}", '{"title": "a", "body": "五 \\\\ "}', '{"orderId": "no"}')):
        await database.execute(
            """insert into notice (id, shop_id, buyer_id, member_id, kind, data, dedupe_key, created_at)
               values ($1, $2, $3, $4, 'ANNOUNCEMENT', $5::jsonb, $6, $7)""",
            build.new_id(), people.shop.id, people.buyer.id, people.member, facts, f"n{n}", build.NOW + timedelta(seconds=n, microseconds=n),
        )  # fmt: skip


@pytest.mark.parametrize("screen", DOCUMENTS)
async def test_the_measured_screens_are_written_in_one_statement(people, signed_in, seen, monkeypatch, screen) -> None:
    await furnished(people)
    client = await signed_in(people.member)
    seen.written.clear()
    with recorded() as sql:
        answer = await client.ask(DOCUMENTS[screen])
    assert len(sql) == len(seen.written) == 1
    assert answer.response.content == await by_executor(client, DOCUMENTS[screen], {}, monkeypatch)


@pytest.mark.parametrize("major", [15, 16])
async def test_an_older_server_quotes_texts_alike(people, signed_in, seen, monkeypatch, major) -> None:
    await furnished(people)
    await odd(Random(major))
    client = await signed_in(people.member)
    for document in DOCUMENTS.values():
        here = await client.ask(document)
        with monkeypatch.context() as patch, recorded() as sql:
            patch.setattr(database, "server_major", lambda: major)
            there = await client.ask(document)
        assert here.response.content == there.response.content
        assert all("to_json(" in one and "json_scalar(" not in one for one in sql)
        assert len(sql) == 1
    assert seen.executed == 1, "the clock of the server, asked when signing in"
    assert database.server_major() >= 15


async def test_a_member_with_nothing_sees_empty_lists(people, signed_in, seen, monkeypatch) -> None:
    client = await signed_in(people.stranger)
    for document in DOCUMENTS.values():
        await same(client, document, {}, monkeypatch)
    assert len(seen.written) == len(DOCUMENTS)


PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id } } totalCount totalCountIsExact"
HEAD = "query ($first: Int, $after: String, $last: Int, $before: String)"
PAGED = "first: $first, after: $after, last: $last, before: $before"
PAGES = [
    f"""{HEAD.replace(")", ", $lines: Int = 2)")} {{ me {{ orders({PAGED}) {{ {PAGE}
          totals {{ orderCount total {{ amount }} amountDue {{ currencyCode }} }}
          nodes {{ payments {{ method amount {{ amount }} }} timeline(first: 2) {{ totalCount pageInfo {{ hasNextPage }} nodes {{ kind by lines {{ title }} }} }}
            pickup {{ state orders {{ number }} }} shipments {{ carrier events {{ state }} }} number lines(first: $lines) {{ totalCount totalCountIsExact pageInfo {{ hasNextPage hasPreviousPage }} nodes {{ id title }} }} }} }} }} }}""",
    f"""{HEAD} {{ me {{ unpaid({PAGED}) {{ {PAGE} totals {{ amount }} other: totals {{ currencyCode }} byDeadline {{ payBy amountDue {{ amount }} }}
          lines {{ lineId title total {{ amount }} }}
          byShop {{ payBy orderCount shop {{ handle }} }} }} }} }}""",
    f"{HEAD} {{ me {{ notifications({PAGED}, filter: {{unread: true}}) {{ {PAGE} unreadCount nodes {{ expired }} }} }} }}",
    f"""{HEAD} {{ me {{ pickups({PAGED}, filter: {{state: OPEN}}) {{ {PAGE}
          nodes {{ a: orders {{ number lines {{ nodes {{ id }} }} }} b: orders {{ id }} }} }} }} }}""",
    f"""{HEAD} {{ me {{ shipments({PAGED}, filter: {{active: true}}) {{ {PAGE} nodes {{ state since isActive carrier carrierName trackingNumber
          trackingUrl storeCode storeName storeAddress lastPickupDay version createdAt updatedAt shop {{ name }}
          lines {{ lineId orderId orderNumber title variantLabel quantity }} events {{ state at note recordedAt }} }} }} }} }}""",
]


@pytest.mark.parametrize("query", PAGES, ids=["orders", "unpaid", "notices", "pickups", "shipments"])
async def test_pages_both_ways_answer_the_same(people, signed_in, seen, monkeypatch, query) -> None:
    await furnished(people)
    client = await signed_in(people.member)
    seen.written.clear()
    whole = (await same(client, query, {"first": 8}, monkeypatch)).data["me"].popitem()[1]
    assert whole["edges"]
    middle = whole["edges"][len(whole["edges"]) // 2]["cursor"]
    for given in (
        {"after": middle, "first": 3},
        {"last": 2},
        {"last": 2, "before": middle},
        {"first": 1, "before": middle},
        {"first": 2, "lines": 100},
    ):
        await same(client, query, given, monkeypatch)
    assert len(seen.written) == 6
    for wrong in ({"first": 0}, {"first": 1, "last": 1}, {"after": "no cursor"}, {"first": "x"}):
        await same(client, query, wrong, monkeypatch)
    assert len(seen.written) == 6


async def test_random_rows_and_selections_answer_the_same(people, signed_in, seen, monkeypatch) -> None:
    """Fourteen worlds of odd rows, twelve documents over each, with fragments, aliases and conditions."""
    await furnished(people)
    client = await signed_in(people.member)
    types = graphql_app.schema._schema.type_map
    seen.written.clear()
    for seed in range(168):
        chance = Random(seed)
        if seed % 12 == 0:
            await odd(chance)
        fields = [
            f"{name}(first: {chance.randint(1, 7)}) {{ {selection(chance, _type(types, name), 6)} }}"
            for name in chance.sample(["orders", "unpaid", "notifications", "pickups", "shipments"], chance.choice([1, 1, 2, 3]))
        ]
        body = f"{{ me {{ id __typename @include(if: $yes) {' '.join(fields)} }} }}"
        query = f"query ($yes: Boolean = true{', $some: Int = 3' if '$some' in body else ''}) {body}"
        await same(client, query, chance.choice([{}, {"yes": False}, {"some": 1}]), monkeypatch)
    assert len(seen.written) > 35, "the property is about writers; others were refused for their cost, or have fields without one"


ASKED_AGAIN = """query ($some: Boolean = false, $more: Boolean!) {
  me { ...A orders(first: 5) { nodes { id ...L @include(if: $more) shop @skip(if: $some) { id } shop { name } } } ...A @include(if: $more) }
}
fragment A on Buyer { unpaid(first: 5) { nodes { ...L ...L shop { id } } totals { amount } } }
fragment L on Order { lines(first: 3) { nodes { id } } ... on Order { shop { name } } }"""


async def test_points_are_the_same_however_often_and_under_which_conditions_a_field_is_asked_for(
    people, signed_in, seen, monkeypatch
) -> None:
    """One document, each choice of its conditions in turn: what was written for one choice is not shown for another."""
    await furnished(people)
    client = await signed_in(people.member)
    seen.written.clear()
    told = {}
    for some in (True, False, None):
        for more in (True, False):
            given = {"more": more} | ({} if some is None else {"some": some})
            answer = await same(client, ASKED_AGAIN, given, monkeypatch)
            told[some, more] = answer.body["extensions"]["cost"]["actualQueryCost"]
            assert ("lines" in answer.data["me"]["orders"]["nodes"][0]) is more
    assert len(seen.written) == 6
    assert told[None, True] == told[False, True] > told[True, True] > told[True, False] < told[False, False] == told[None, False]


def _type(types: Any, name: str) -> GraphQLNamedType:
    return get_named_type(types["Buyer"].fields[name].type)


LEFT_OUT = {
    "paymentAttempts",
    "delivery",
    "recipient",
    "isGift",
    "gift",
    "transfer",
    "receipt",
    "buyer",
    "variant",
    "claim",
    "post",
    "loan",
    "resumeFrom",
    "returnDecision",
}
"""Fields without a writer: with them, few operations had one."""


def selection(chance: Random, type_: GraphQLNamedType, depth: int) -> str:
    """A random selection of what has a writer."""
    assert isinstance(type_, GraphQLObjectType)
    made = [f"{chance.choice(['', 'kind: '])}__typename"]
    for name, field in type_.fields.items():
        below = get_named_type(field.type)
        if name in LEFT_OUT or (type_.name == "Shop" and field.args) or chance.random() < 0.4:
            continue
        condition = chance.choice(["", "", " @include(if: $yes)", " @skip(if: $yes)", " @skip(if: false)"])
        if is_leaf_type(get_nullable_type(below)):
            if not (type_.name == "PageInfo" and "Cursor" in name and depth < 5):  # those of lines have no writer
                made.append(f"{chance.choice(['', '', f'{name}_: '])}{name}{condition}")
        elif isinstance(below, GraphQLObjectType) and depth > 0 and not (name == "edges" and depth < 6):
            inner = selection(chance, below, depth - 1)
            arguments = chance.choice(["", "(first: 1)", "(first: $some)"]) if "first" in field.args else ""
            around = chance.choice([inner, f"... on {below.name} {{ {inner} }}", f"... {{ {inner} }}"])
            made.append(f"{chance.choice(['', '', f'{name}_: '])}{name}{arguments}{condition} {{ {around} }}")
    return " ".join(made)


# What does not fit


SPOILT = {
    "a word that the schema does not know": lambda text: text.replace(b"UNPAID", b"UNHEARD"),
    "a piece too few": lambda text: text.replace(b"\x1f", b"", 1),
    "a piece too many": lambda text: text.replace(b"\x1f", b"\x1f\x1f", 1),
    "an instant without end": lambda text: text.replace(b"2026-", b"infinity", 1),
    "a currency that nobody knows": lambda text: text.replace(b"TWD", b"XXX"),
    "an instant of another zone": lambda text: text.replace(b"+00\x1f", b"+08\x1f", 1),
}


@pytest.mark.parametrize("how", SPOILT)
async def test_text_that_does_not_fit_is_read_as_rows(people, signed_in, seen, monkeypatch, caplog, how) -> None:
    await furnished(people)
    client, query = await signed_in(people.member), DOCUMENTS["home"]
    usual, fetch = await by_executor(client, query, {}, monkeypatch), screens.fetch_columns

    async def spoilt(columns: Any, args: Any) -> Any:
        found = [SPOILT[how](text) if isinstance(text, bytes) else text for text in await fetch(columns, args)]
        assert found != list(await fetch(columns, args))
        return found

    monkeypatch.setattr(screens, "fetch_columns", spoilt)
    seen.written.clear()
    assert (await client.ask(query)).response.content == usual
    assert not seen.written
    assert "does not fit" in caplog.text


async def test_a_database_that_is_away_is_asked_once(people, signed_in, monkeypatch) -> None:
    client, asked = await signed_in(people.member), []

    async def away(*_: Any) -> Any:
        asked.append(1)
        raise database.DatabaseAway

    monkeypatch.setattr(screens, "fetch_columns", away)
    with recorded() as sql:
        answer = await client.ask("{ me { orders { nodes { id } } pickups { nodes { id } } } }")
    assert (answer.response.status_code, set(answer.codes), sql, len(asked)) == (503, {"UNAVAILABLE"}, [], 1)


async def test_nobody_sees_nothing(people, signed_in, monkeypatch) -> None:
    answer = await same(await signed_in(None), DOCUMENTS["home"], {}, monkeypatch)
    assert answer.codes == ["UNAUTHENTICATED"]


# What is kept


async def test_what_is_compiled_is_kept_and_bounded(people, signed_in, seen, monkeypatch) -> None:
    await furnished(people)
    client = await signed_in(people.member)
    made: list[int] = []
    make = Operations._made
    monkeypatch.setattr(Operations, "_made", lambda self, *given: made.append(1) or make(self, *given))
    query = "query ($n: Int!, $first: Int) { me { orders(first: $first) { nodes { lines(first: $n) { nodes { id } } } } } }"
    for first in range(1, 6):
        await client.get(query, {"n": 3, "first": first})
    assert len(made) == 1, "a page's own arguments are given at run time"
    for n in range(1, 2 * MOST_CHOICES):
        await same(client, query, {"n": n, "first": 2}, monkeypatch)
    assert len(made) == 2 * MOST_CHOICES - 1
    assert len(seen.written) == 5 + 2 * MOST_CHOICES - 1


@pytest.mark.parametrize("query", ["{ me { displayName orders { nodes { id } } } }", "{ serverTime me { orders { nodes { id } } } }"])
async def test_operations_of_other_fields_are_the_executors(people, signed_in, seen, monkeypatch, query) -> None:
    await furnished(people)
    client = await signed_in(people.member)
    seen.written.clear()
    await client.get(query)
    assert not seen.written


def test_every_screen_is_named() -> None:
    """The names tell which variables a writer need not be made for."""
    fields = graphql_app.schema._schema.type_map["Buyer"].fields  # type: ignore[union-attr]
    assert {name for name, field in fields.items() if graphql_app.ROWS.screen(field)} == graphql_app.SCREENS


async def test_whole_numbers_have_32_bits(db) -> None:
    """What GraphQL calls an Int is written without a look at its size."""
    connection = await database.dedicated()
    try:
        for fields, source in (
            (ORDER_FIELDS, '"order" o'),
            (LINE_FIELDS, "order_line l"),
            (SHIPMENT_FIELDS, "shipment sh"),
            (PARCEL_LINES, "shipment_line x"),
        ):
            sql = [entry.sql for entry in fields.entries.values() if isinstance(entry, Leaf) and entry.kind is Kind.WHOLE]
            prepared = await connection.prepare(f"select {', '.join(sql)} from {source}")
            assert [attribute.type.name for attribute in prepared.get_attributes()] == ["int4"] * len(sql)
            assert sql
    finally:
        await connection.close()


def test_separators_are_what_json_never_holds() -> None:
    used = {piece(depth) for depth in range(written.DEEPEST + 1) for piece in (written.between_pieces, written.between_rows)}
    assert len(used) == 2 * (written.DEEPEST + 1)
    assert all(0 < ord(character) < 32 for character in used)
    assert _fields("en") is _fields("en"), "writers are kept by the fields' identity"
