"""The access matrix: who may see and do what, one row for each way to ask, one column for each kind of person."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from domain import db as database
from domain.claims.offering import suggestion_id, version_of_text
from domain.claims.planning import text_hash
from domain.claims.rules import ClaimOutcome
from domain.ids import new_id, public_id
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.shipping.rules import ShipmentState
from tests import build
from tests.api.graphql import test_mutations as mutations
from tests.api.graphql.conftest import As, Client, People, pid
from tests.parcels import an_order_to_send, packed
from tests.parcels import said as tell
from tests.sql_recorder import recorded

EVERYBODY = ("member", "stranger", "owner", "manager", "helper", "scanner", "ended", "other_owner", None)

YES, NULL, NOT_FOUND, DENIED, FORBIDDEN, SIGN_IN = "yes", "null", "NOT_FOUND", "PERMISSION_DENIED", "FORBIDDEN", "UNAUTHENTICATED"
NONE = "none"
"""An empty list: these are the viewer's own, and there are none."""

Things = dict[str, str]
"""Public ids of one of each, by kind."""
Ask = Callable[[Things], tuple[str, dict[str, Any]]]
Again = Callable[[], tuple[str, dict[str, Any]]]
"""A request with its things; each time with a fresh key."""


def nowhere(things: Things) -> Things:
    """Ids of the same kinds that nothing has."""
    tags = {"returned": "shipment", "sendable": "line"}
    ids = {name: public_id(tags.get(name, name), new_id()) for name in things if name != "suggestion"}
    return {**ids, "suggestion": suggestion_id(new_id(), version_of_text("隨便"))}


def node(tag: str) -> Ask:
    return lambda t: ("query ($id: ID!) { found: node(id: $id) { id } }", {"id": t[tag]})


def desk(field: str) -> Ask:
    return lambda t: (f"query ($id: ID!) {{ shop(id: $id) {{ {field} {{ found: totalCount }} }} }}", {"id": t["shop"]})


def act(query: str, **given: Any) -> Ask:
    def ask(t: Things) -> tuple[str, dict[str, Any]]:
        filled = {name: value(t) if callable(value) else value for name, value in given.items()}
        return query, {"input": filled, "key": str(new_id())} if "$key" in query else {"input": filled}

    return ask


def own(field: str) -> Ask:
    return lambda _: (f"{{ me {{ found: {field} {{ totalCount }} }} }}", {})


KEYED = {"suggestionAccept", "announcementCreate"}


def mutation(name: str, **given: Any) -> Ask:
    title = name[0].upper() + name[1:]
    key = "@idempotent(key: $key)" if name in KEYED or name.startswith("shipment") else ""
    query = (
        f"mutation ($input: {title}Input!{', $key: String!' if key else ''}) {{ {name}(input: $input) {key} {{ userErrors {{ code }} }} }}"
    )
    return act(query, **given)


LEND = "mutation ($input: PickupPassDelegateInput!) { pickupPassDelegate(input: $input) { pickupPass { token delegatedTo } userErrors { code } } }"
REVOKE = "mutation ($input: PickupPassRevokeInput!) { pickupPassRevoke(input: $input) { pickup { state } userErrors { code } } }"

SIMULATE = "query ($input: ClaimPolicySimulateInput!) { found: claimPolicySimulate(input: $input) { comments } }"

ASK: dict[str, Ask] = {
    **{
        f"node {tag}": node(tag)
        for tag in ("order", "line", "comment", "claim", "notice", "pickup", "member", "post", "variant", "shop", "shipment")
    },
    "shop": lambda t: ("query ($id: ID!) { found: shop(id: $id) { name } }", {"id": t["shop"]}),
    "shop orders": desk("orders"),
    "shop stock": desk("stock"),
    "shop comments": desk("comments"),
    "shop shipments": desk("shipments"),
    "sales post": lambda t: ("query ($id: ID!) { found: salesPost(id: $id) { title } }", {"id": t["post"]}),
    "me": lambda _: ("{ found: me { id } }", {}),
    "mark paid": act(mutations.MARK_PAID, orderId=lambda t: t["order"], method="CASH", reference="r"),
    "cancel": act(mutations.CANCEL, orderId=lambda t: t["order"]),
    "adjust": act(mutations.ADJUST, variantId=lambda t: t["variant"], delta=1, reason="RECEIPT"),
    "set": act(mutations.SET, variantId=lambda t: t["variant"], quantity=5, changeFromQuantity=5),
    "resolve": act(mutations.RESOLVE, commentId=lambda t: t["comment"], action="DISMISS"),
    "issue pass": act(mutations.ISSUE, pickupId=lambda t: t["pickup"]),
    "lend pass": act(LEND, pickupId=lambda t: t["pickup"], to="媽媽"),
    "revoke pass": act(REVOKE, pickupId=lambda t: t["pickup"]),
    "scan": act(mutations.SCAN, shopId=lambda t: t["shop"], token="ABCD2345"),
    "confirm": act(mutations.CONFIRM, shopId=lambda t: t["shop"], scanId="nonsense"),
    "my orders": own("orders"),
    "my unpaid": own("unpaid"),
    "my notifications": own("notifications"),
    "my pickups": own("pickups"),
    "my suggestions": own("suggestions"),
    "my shipments": own("shipments"),
    "order timeline": lambda t: (
        "query ($id: ID!) { found: node(id: $id) { ... on Order { timeline { totalCount } } } }",
        {"id": t["order"]},
    ),
    "wishes": mutation("notificationPreferencesUpdate", dailyPushes=3),
    "speak": mutation("memberUpdate", locale="zh-HK", timeZone="Asia/Hong_Kong"),
    "mute": mutation("shopMute", shopId=lambda t: t["shop"]),
    "announce": mutation("announcementCreate", shopId=lambda t: t["shop"], title="週五開團"),
    "pack": mutation("shipmentCreate", lines=lambda t: [{"lineId": t["sendable"], "quantity": 1}], carrier="POST"),
    "tell parcel": mutation("shipmentUpdate", shipmentId=lambda t: t["shipment"], state="SHIPPED"),
    "cancel parcel": mutation("shipmentCancel", shipmentId=lambda t: t["shipment"]),
    "settle parcel": mutation("shipmentReturnSettle", shipmentId=lambda t: t["returned"], decision="RESTOCK"),
    "import parcels": mutation("shipmentsImport", shopId=lambda t: t["shop"], csv="order_number,carrier,tracking_number\n1,POST,2\n"),
    "my waitlist": own("waitlist"),
    "order lines": lambda t: ("query ($id: ID!) { found: node(id: $id) { ... on Order { lines { totalCount } } } }", {"id": t["order"]}),
    "nodes": lambda t: ("query ($id: ID!) { nodes(ids: [$id]) { id } }", {"id": t["order"]}),
    "server time": lambda _: ("{ serverTime }", {}),
    "simulate": lambda t: (SIMULATE, {"input": {"postId": t["post"], "policy": {}}}),
    "accept": mutation("suggestionAccept", suggestionId=lambda t: t["suggestion"]),
    "dismiss": mutation("suggestionDismiss", suggestionId=lambda t: t["suggestion"]),
    "policy": mutation("claimPolicyUpdate", shopId=lambda t: t["shop"], policy={"maxPerLine": 7}),
    "restrict": mutation("buyerRestrict", buyerId=lambda t: t["buyer"], until="2026-12-01T00:00:00Z"),
    "restore": mutation("buyerRestore", buyerId=lambda t: t["buyer"]),
    "read notices": mutation("notificationsMarkRead", ids=lambda t: [t["notice"]]),
    "device": mutation("deviceRegister", installationId="i", platform="WEB", target="t"),
}

#                      member     stranger   owner      manager    helper     scanner    ended      other      nobody
TABLE: dict[str, tuple[str, ...]] = {
    "node order":       (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "node line":        (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "node comment":     (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "node claim":       (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "node notice":      (YES,       NULL,      NULL,      NULL,      NULL,      NULL,      NULL,      NULL,      SIGN_IN),
    "node pickup":      (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "node shipment":    (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "node member":      (YES,       NULL,      NULL,      NULL,      NULL,      NULL,      NULL,      NULL,      SIGN_IN),
    "node post":        (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES),
    "node variant":     (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES),
    "node shop":        (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES),
    "sales post":       (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES),
    "me":               (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       SIGN_IN),
    "shop":             (NULL,      NULL,      YES,       YES,       YES,       YES,       NULL,      NULL,      SIGN_IN),
    "shop orders":      (NULL,      NULL,      YES,       YES,       YES,       FORBIDDEN, NULL,      NULL,      SIGN_IN),
    "shop stock":       (NULL,      NULL,      YES,       YES,       YES,       FORBIDDEN, NULL,      NULL,      SIGN_IN),
    "shop comments":    (NULL,      NULL,      YES,       YES,       YES,       FORBIDDEN, NULL,      NULL,      SIGN_IN),
    "shop shipments":   (NULL,      NULL,      YES,       YES,       YES,       FORBIDDEN, NULL,      NULL,      SIGN_IN),
    "mark paid":        (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "cancel":           (NOT_FOUND, NOT_FOUND, YES,       YES,       YES,       DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "adjust":           (NOT_FOUND, NOT_FOUND, YES,       YES,       YES,       DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "set":              (NOT_FOUND, NOT_FOUND, YES,       YES,       YES,       DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "resolve":          (NOT_FOUND, NOT_FOUND, YES,       YES,       YES,       DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "issue pass":       (YES,       NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, SIGN_IN),
    "lend pass":        (YES,       NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, SIGN_IN),
    "revoke pass":      (YES,       NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, SIGN_IN),
    "scan":             (NOT_FOUND, NOT_FOUND, "PICKUP_REFUSED", "PICKUP_REFUSED", "PICKUP_REFUSED", "PICKUP_REFUSED", NOT_FOUND, NOT_FOUND, SIGN_IN),
    "confirm":          (NOT_FOUND, NOT_FOUND, "PICKUP_REFUSED", "PICKUP_REFUSED", "PICKUP_REFUSED", "PICKUP_REFUSED", NOT_FOUND, NOT_FOUND, SIGN_IN),
    "my orders":        (YES,       NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      SIGN_IN),
    "my unpaid":        (YES,       NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      SIGN_IN),
    "my notifications": (YES,       NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      SIGN_IN),
    "my pickups":       (YES,       NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      SIGN_IN),
    "my shipments":     (YES,       NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      SIGN_IN),
    "my suggestions":   (YES,       NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      SIGN_IN),
    "order timeline":   (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "wishes":           (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       SIGN_IN),
    "speak":            (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       SIGN_IN),
    "mute":             (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       SIGN_IN),
    "announce":         (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "my waitlist":      (YES,       NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      SIGN_IN),
    "order lines":      (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "nodes":            (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "server time":      (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES),
    "simulate":         (NULL,      NULL,      YES,       YES,       FORBIDDEN, FORBIDDEN, NULL,      NULL,      SIGN_IN),
    "accept":           (YES,       NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, SIGN_IN),
    "dismiss":          (YES,       NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, SIGN_IN),
    "policy":           (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "restrict":         (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "restore":          (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "pack":             (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "tell parcel":      (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "cancel parcel":    (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "settle parcel":    (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "import parcels":   (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "read notices":     (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       SIGN_IN),
    "device":           (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       SIGN_IN),
}  # fmt: skip
READS = [
    what
    for what in TABLE
    if what.startswith(("node", "shop", "my ")) or what in ("sales post", "me", "order lines", "order timeline", "server time", "simulate")
]
OWN = {"read notices", "device", "wishes", "speak", "mute"}
"""Everybody may, for themselves alone: `test_marking_anothers_notice_changes_nothing` and tests/domain/members hold what they change."""


async def one_of_each(people: People, services: Any) -> Things:
    channel = await build.a_channel(people.shop)
    scarf = await build.a_product(people.shop, on_hand=5)
    post = await build.a_post(people.shop, products=[scarf], channel=channel)
    order = await build.an_order(people.shop, {scarf.variants[0]: 1}, buyer=people.buyer, post=post)
    ready = {"payment": build.PaymentState.PAID, "fulfilment": build.FulfilmentState.READY_FOR_PICKUP}
    paid = await build.an_order(people.shop, {scarf.variants[0]: 1}, buyer=people.buyer, **ready)
    claim = await build.a_claim(people.shop, channel=channel, buyer=people.buyer)
    comment = await database.fetchval("select comment_id from claim where id = $1", claim)
    async with database.transaction() as tx:
        draft = NoticeDraft(people.buyer.id, NoticeKind.ANNOUNCEMENT, "k", {"title": "t", "body": "b"})
        await enqueue(tx, people.shop.id, [draft], now=build.NOW, jobs=services.jobs)
    notice = await database.fetchval("select id from notice where kind = 'ANNOUNCEMENT'")
    pickup = new_id()
    await database.execute(
        """insert into pickup (id, shop_id, buyer_id, member_id, code_id, state, issue_number, short_code, version, created_at)
           values ($1, $2, $3, $4, 77, 'OPEN', 0, '', 1, $5)""",
        pickup, people.shop.id, people.buyer.id, people.member, build.NOW,
    )  # fmt: skip
    await database.execute("insert into pickup_order (order_id, shop_id, pickup_id) values ($1, $2, $3)", paid.id, people.shop.id, pickup)
    goods = await build.a_variant(people.shop, on_hand=3)
    sent, came_back, waits = [await an_order_to_send(people.shop, [(goods, 1)], buyer=people.buyer) for _ in range(3)]
    parcel, returned = await packed(sent), await packed(came_back)
    await tell(came_back, returned, ShipmentState.RETURNED)
    return {
        "shipment": pid("shipment", parcel), "returned": pid("shipment", returned), "sendable": pid("line", waits.lines[0]),
        "order": pid("order", order.id), "line": pid("line", order.lines[0]), "variant": pid("variant", scarf.variants[0].id),
        "post": pid("post", post.id), "comment": pid("comment", comment), "claim": pid("claim", claim), "notice": pid("notice", notice),
        "pickup": pid("pickup", pickup), "shop": pid("shop", people.shop.id), "member": pid("member", people.member),
        "suggestion": await a_suggestion(people, post.id, scarf.variants[0].id), "buyer": pid("buyer", people.buyer.id),
    }  # fmt: skip


async def a_suggestion(people: People, post: UUID, variant: UUID) -> str:
    """The public id of a suggestion to the member, with its comment."""
    claim = await build.a_claim(people.shop, buyer=people.buyer, text="隨便", outcome=ClaimOutcome.SUGGESTED)
    result = {"reason": "MISSING_OPTION", "lines": [], "candidates": [str(variant)], "trail": []}
    await database.execute(
        "update claim set post_id = $2, reason = 'MISSING_OPTION', intent = 'AMBIGUOUS', result = $3::jsonb, text_hash = $4 where id = $1",
        claim, post, database.jsonb(result), text_hash("隨便"),
    )  # fmt: skip
    await database.execute(
        """insert into waitlist_entry (id, shop_id, variant_id, claim_id, buyer_id, quantity, state, queued_at)
           values ($1, $2, $3, $4, $5, 1, 'WAITING', $6)""",
        new_id(), people.shop.id, variant, claim, people.buyer.id, build.NOW,
    )  # fmt: skip
    return suggestion_id(claim, version_of_text("隨便"))


async def person(people: People, who: str | None) -> Any:
    if who == "ended":
        member = await build.a_membership(people.shop, role=build.Role.OWNER)
        await database.execute("update membership set ended_at = $2 where member_id = $1", member, build.NOW)
        return member
    return getattr(people, who) if who else None


def said(body: dict[str, Any]) -> str:
    """The kind of an answer; a list of mine with nothing in it is NONE, one id of `nodes` stands for all."""
    if "errors" in body:
        return str(body["errors"][0]["extensions"]["code"])
    (value,) = body["data"].values()
    if isinstance(value, list):
        return NULL if value == [None] else YES
    if isinstance(value, dict) and "userErrors" in value:
        return str(value["userErrors"][0]["code"]) if value["userErrors"] else YES
    if isinstance(value, dict) and isinstance(value.get("found"), dict):
        return YES if value["found"]["totalCount"] else NONE
    return NULL if value is None else YES


def who_may(table: Mapping[str, Sequence[str]]) -> list[tuple[str, str | None]]:
    """What and who, of every cell of a matrix that says yes."""
    return [(what, who) for what, row in table.items() for who, cell in zip(EVERYBODY, row, strict=True) if cell == YES]


async def everybody_is_answered(row: Sequence[str], people: People, signed_in: As, asked: Again, missing: Again, *, but: str = "") -> None:
    """Everybody whose cell is not `but` gets the answer of the row; who finds nothing gets the very answer of a thing that is not there."""
    for who, expected in zip(EVERYBODY, row, strict=True):
        if expected == but:
            continue
        client = await signed_in(await person(people, who))
        answer = await client.ask(*asked())
        assert said(answer.body) == expected, who
        if expected in (NULL, NOT_FOUND):
            missed = await client.ask(*missing())
            assert (missed.response.status_code, missed.body) == (answer.response.status_code, answer.body), who


async def takes_the_same_statements(client: Client, asked: Again, missing: Again) -> None:
    """Neither the answer nor what the database is asked tells a denied thing from a missing one."""
    found = []
    for each in (asked, missing):
        with recorded() as sql:
            await client.ask(*each())
        found.append([re.sub(r"savepoint_\w+", "savepoint", statement) for statement in sql])
    assert found[0] == found[1]
