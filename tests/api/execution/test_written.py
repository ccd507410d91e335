"""Whatever the rows and the operation, a buyer's screens are answered from text as graphql-core answers them from rows, to the last byte."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from uuid import UUID

import pytest

from api import graphql_app
from api.execution import limits
from api.execution.screens import MOST_CHOICES, Operations
from api.resolvers.notice import _fields
from benchmarks.screens import DOCUMENTS
from domain import db as database
from domain.orders.attached_written import SLOT_FIELDS
from domain.orders.lines_written import VARIANT
from domain.orders.shipments import LINE_FIELDS as PARCEL_LINES
from domain.orders.shipments import SHIPMENT_FIELDS
from domain.orders.written import LINE_FIELDS, ORDER_FIELDS
from domain.paging import written
from domain.paging.written import Kind, Leaf
from tests import build
from tests.api.execution.odd_rows import TEXTS, furnished, odd
from tests.api.execution.written import by_executor, same
from tests.api.graphql.conftest import pid
from tests.sql_recorder import recorded


@pytest.mark.parametrize("screen", DOCUMENTS)
async def test_the_measured_screens_are_written_in_one_statement(people, signed_in, seen, monkeypatch, screen) -> None:
    await furnished(people)
    client = await signed_in(people.member)
    seen.written.clear()
    with recorded() as sql:
        answer = await client.ask(DOCUMENTS[screen])
    assert len(sql) == len(seen.written) == 1
    assert answer.response.content == await by_executor(client, DOCUMENTS[screen], {}, monkeypatch)


SHOP = "shop { id handle name currency timeZone locale pickupPlace }"
MONEY = "{ amount currencyCode }"
PASS = f"id state codeExpiresAt createdAt {SHOP} loan {{ to lentAt usedAt isActive }} slot {{ id startsAt endsAt place }}"
PARCEL = f"""id state since isActive carrier carrierName trackingNumber trackingUrl storeCode storeName storeAddress lastPickupDay returnDecision
  version createdAt updatedAt {SHOP} lines {{ lineId orderId orderNumber title variantLabel quantity }} events {{ state at note recordedAt }}"""
ORDER = f"""id number version {SHOP} buyer {{ id name provider }} createdAt updatedAt state paymentState fulfilmentState list deliveryMethod
  subtotal {MONEY} shippingFee {MONEY} discount {MONEY} total {MONEY} paid {MONEY} amountDue {MONEY} payBy actions undoUntil shipLaterUntil
  cancelRequestedAt cancelReason paysOnline isGift payments {{ method amount {MONEY} paidAt }}
  paymentAttempts {{ id method state amount {MONEY} createdAt instructions {{ bank number until }} surplus {{ amount {MONEY} reason returnedAt }} }}
  shipments {{ {PARCEL} }} pickup {{ {PASS} orders {{ id }} }}
  lines(first: 3) {{ totalCount totalCountIsExact pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} edges {{ cursor node {{ id }} }}
    nodes {{ id title variantLabel quantity handedOver unitPrice {MONEY} total {MONEY} beneficiary
      variant {{ id label code price {MONEY} product {{ id title }} availability }}
      source {{ platform post {{ id title state deliveryMethod opensAt closesAt {SHOP} }} }}
      claim {{ id outcome reason review decidedAt
        comment {{ id platform text writtenAt receivedAt removedAt permalink author {{ name }} post {{ id }} }} }} }} }}
  timeline(first: 2) {{ totalCount pageInfo {{ hasNextPage startCursor endCursor }} edges {{ cursor }} nodes {{ kind at by lines {{ title quantity }} }} }}
  delivery {{ offer {{ id kind name place chain fee {MONEY} }} slot {{ id startsAt endsAt capacity left isClosed }} storeCode storeName chosenAt }}
  recipient {{ name phone postalCode address }}
  gift {{ sender message hasLink expiresAt createdAt }}
  transfer {{ id state lastFiveDigits paidAt amount {MONEY} isAmountDue slipPath reason reportedAt answerBy answeredAt }}"""
INFO = "totalCount totalCountIsExact pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
WHOLE = {
    "orders": f"{{ me {{ orders(first: 2) {{ {INFO} totals {{ orderCount total {MONEY} paid {MONEY} amountDue {MONEY} }} nodes {{ {ORDER} }} }} }} }}",
    "unpaid": f"""{{ me {{ unpaid(first: 2) {{ {INFO} totals {MONEY} byShop {{ {SHOP} amountDue {MONEY} orderCount payBy }}
      byDeadline {{ payBy amountDue {MONEY} orderCount }} lines {{ lineId orderId orderNumber title variantLabel quantity total {MONEY} payBy {SHOP} }}
      nodes {{ {ORDER} }} }} }} }}""",
    "shipments": f"{{ me {{ shipments(first: 20) {{ {INFO} nodes {{ {PARCEL} }} }} }} }}",
    "inbox": f"""{{ me {{ notifications(first: 20) {{ {INFO} unreadCount
      nodes {{ id kind topic title body deepLink {SHOP} createdAt readAt resumeFrom expired }} }} }} }}""",
    "passes": f"{{ me {{ pickups(first: 2) {{ {INFO} nodes {{ {PASS} orders {{ id number lines {{ nodes {{ title quantity }} }} }} }} }} }} }}",
}
"""The screens with every field that an app of buyers may want."""


@pytest.mark.parametrize("screen", WHOLE)
async def test_a_screen_with_every_field_is_one_statement_and_no_resolver(people, signed_in, seen, monkeypatch, screen) -> None:
    monkeypatch.setattr(limits, "MAX_COST", 100_000)
    await furnished(people)
    client = await signed_in(people.member)
    for seed in (None, 1, 2):
        if seed is not None:
            await odd(Random(seed))
        seen.written.clear()
        with recorded() as sql:
            answer = await client.ask(WHOLE[screen])
        assert len(sql) == len(seen.written) == 1
        assert "errors" not in answer.body
        assert answer.response.content == await by_executor(client, WHOLE[screen], {}, monkeypatch)


async def test_the_viewers_own_name_is_in_the_same_statement(people, signed_in, seen, monkeypatch) -> None:
    await furnished(people)
    client = await signed_in(people.member)
    query = "query ($yes: Boolean!) { me { a: displayName locale @include(if: $yes) orders(first: 2) { nodes { number } } displayName } }"
    for name in TEXTS:
        await database.execute("update member set display_name = $2 where id = $1", people.member, name)
        seen.written.clear()
        with recorded() as sql:
            answer = await client.ask(query, {"yes": True})
        assert len(sql) == len(seen.written) == 1
        assert answer.data["me"]["a"] == answer.data["me"]["displayName"] == name
        assert answer.response.content == await by_executor(client, query, {"yes": True}, monkeypatch)
        await same(client, query, {"yes": False}, monkeypatch)


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


BACK = f"""query ($l: Int, $t: Int) {{ me {{ unpaid(first: 5) {{ nodes {{
  lines(last: $l) {{ {PAGE} nodes {{ title claim {{ id }} }} }} timeline(last: $t) {{ {PAGE.replace(" node { id }", "")} nodes {{ kind at by }} }} }} }} }} }}"""
ENDS = ("hasNextPage", "hasPreviousPage")


async def test_the_last_of_an_orders_lines_and_events_are_written_with_it(people, signed_in, seen, monkeypatch) -> None:
    await furnished(people)
    client = await signed_in(people.member)
    seen.written.clear()
    whole = (await same(client, BACK, {"l": 20, "t": 20}, monkeypatch)).data["me"]["unpaid"]["nodes"]
    assert max(len(order["lines"]["edges"]) for order in whole) >= 2
    assert not any(order[name]["pageInfo"]["hasPreviousPage"] for order in whole for name in ("lines", "timeline"))
    for size in (1, 2, 3):
        with recorded() as sql:
            await client.get(BACK, {"l": size, "t": size})
        assert len(sql) == 1
        found = (await same(client, BACK, {"l": size, "t": size}, monkeypatch)).data["me"]["unpaid"]["nodes"]
        for name in ("lines", "timeline"):
            for all_of_it, page in zip((order[name] for order in whole), (order[name] for order in found), strict=True):
                assert page["edges"] == all_of_it["edges"][-size:]
                assert [page["pageInfo"][end] for end in ENDS] == [False, len(all_of_it["edges"]) > size]
    unsaid = (await same(client, BACK, {}, monkeypatch)).data["me"]["unpaid"]["nodes"]
    assert [order["lines"]["edges"] for order in unsaid] == [order["lines"]["edges"][:10] for order in whole]
    assert len(seen.written) == 8
    for wrong in ({"l": 0}, {"t": 101}):
        assert (await same(client, BACK, wrong, monkeypatch)).codes == ["BAD_REQUEST"]
    assert len(seen.written) == 8


async def test_the_last_of_more_than_came_along_are_read_by_themselves(people, signed_in, seen, monkeypatch, caplog) -> None:
    variant = await build.a_variant(people.shop, on_hand=500)
    many = await build.an_order(people.shop, [(variant, 1)] * 101, buyer=people.buyer, payment=build.PaymentState.PAID)
    client = await signed_in(people.member)
    query = f"query ($n: Int) {{ me {{ orders(first: 1) {{ nodes {{ lines(last: $n) {{ {PAGE} }} }} }} }} }}"
    seen.written.clear()
    for size in (3, 100):
        (found,) = (await same(client, query, {"n": size}, monkeypatch)).data["me"]["orders"]["nodes"]
        ids = [edge["node"]["id"] for edge in found["lines"]["edges"]]
        assert ids == [pid("line", line) for line in await lines_of(many.id)][-size:]
        assert [found["lines"]["pageInfo"][end] for end in ENDS] == [False, True]
    assert not seen.written
    later = build.NOW + timedelta(minutes=1)
    await build.an_order(people.shop, [(variant, 1)] * 100, buyer=people.buyer, payment=build.PaymentState.PAID, created_at=later)
    (found,) = (await same(client, query, {"n": 100}, monkeypatch)).data["me"]["orders"]["nodes"]
    assert [found["lines"]["pageInfo"][end] for end in ENDS] == [False, False]
    assert len(found["lines"]["edges"]) == 100
    assert len(seen.written) == 1, "there is a writer still"
    assert "does not fit" not in caplog.text


async def lines_of(order_id: UUID) -> list[UUID]:
    rows = await database.fetch("select id from order_line where order_id = $1 order by created_at, id", order_id)
    return [row["id"] for row in rows]


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


@pytest.mark.parametrize("query", ["{ me { liveCursor orders { nodes { id } } } }", "{ serverTime me { orders { nodes { id } } } }"])
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
            (SLOT_FIELDS, "pickup_slot k"),
            (VARIANT.fields, "variant v"),
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
