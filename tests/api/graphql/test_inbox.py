"""The inbox by filters, read one by one, in lots and up to an instant; preferences, mutes and announcements as the app sees them."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain import db as database
from domain.ids import new_id
from domain.notices.pushing import TOPICS
from domain.notices.rules import NoticeKind
from tests import build
from tests.api.graphql.conftest import pid
from tests.sql_recorder import recorded

INBOX = """query ($f: NotificationFilter) { me { notifications(first: 100, filter: $f) { totalCount unreadCount nodes { id kind topic readAt createdAt } } } }"""
READ = "mutation ($input: NotificationsMarkReadInput!) { notificationsMarkRead(input: $input) { unreadCount userErrors { code } } }"
KINDS = [kind for kind in NoticeKind if kind is not NoticeKind.SUGGESTION]


async def an_inbox(people: Any) -> list[dict[str, Any]]:
    """A notice of each kind, at two shops in turn, an hour apart, a third of them read; newest first."""
    there = await build.a_buyer(people.other_shop, member_id=people.member)
    rows = []
    for n, kind in enumerate(KINDS):
        shop, buyer = (people.shop, people.buyer) if n % 2 else (people.other_shop, there)
        at = build.NOW - timedelta(hours=n)
        row = {"id": new_id(), "kind": kind, "shop": shop.id, "at": at, "read": n % 3 == 0}
        await database.execute(
            """insert into notice (id, shop_id, buyer_id, member_id, kind, data, dedupe_key, read_at, created_at)
               values ($1, $2, $3, $4, $5, '{}', $6, $7, $8)""",
            row["id"], shop.id, buyer.id, people.member, kind.value, f"n{n}", build.NOW if row["read"] else None, at,
        )  # fmt: skip
        rows.append(row)
    return rows


async def test_every_combination_of_filters_shows_exactly_those_in_one_statement(people, signed_in) -> None:
    inbox = await an_inbox(people)
    client = await signed_in(people.member)
    since = build.NOW - timedelta(hours=12)
    ways: dict[str, tuple[Any, Any]] = {
        "unread": (True, lambda n: not n["read"]),
        "kinds": (["PAYMENT_REMINDER", "ORDER_PLACED", "SHIPMENT_SENT"], lambda n: n["kind"].value in ("PAYMENT_REMINDER", "ORDER_PLACED", "SHIPMENT_SENT")),
        "topics": (["PAYMENT", "SHIPMENT"], lambda n: TOPICS[n["kind"]].value in ("PAYMENT", "SHIPMENT")),
        "shopIds": ([pid("shop", people.shop.id)], lambda n: n["shop"] == people.shop.id),
        "since": ("2026-11-20T20:00:00Z", lambda n: n["at"] >= since),
    }  # fmt: skip
    unread = sum(not n["read"] for n in inbox)
    for size in range(len(ways) + 1):
        for chosen in itertools.combinations(ways, size):
            expected = [n for n in inbox if all(ways[name][1](n) for name in chosen)]
            with recorded() as sql:
                found = (await client.get(INBOX, {"f": {name: ways[name][0] for name in chosen}}))["me"]["notifications"]
            assert len(sql) == 1
            assert [node["id"] for node in found["nodes"]] == [pid("notice", n["id"]) for n in expected], chosen
            assert [node["topic"] for node in found["nodes"]] == [TOPICS[n["kind"]].value for n in expected]
            assert (found["totalCount"], found["unreadCount"]) == (len(expected), unread)


async def test_notices_are_read_by_id_and_up_to_an_instant_and_only_ones_own(people, signed_in) -> None:
    inbox = await an_inbox(people)
    await (await signed_in(people.stranger)).get(
        READ, {"input": {"allBefore": "2030-01-01T00:00:00Z", "ids": [pid("notice", inbox[1]["id"])]}}
    )
    client = await signed_in(people.member)
    unread = [n for n in inbox if not n["read"]]
    newest, rest = unread[0], unread[1:]
    middle = rest[len(rest) // 2]
    said = (await client.get(READ, {"input": {"ids": [pid("notice", newest["id"])]}}))["notificationsMarkRead"]
    assert said == {"unreadCount": len(rest), "userErrors": []}
    seen = middle["at"].isoformat().replace("+00:00", "Z")
    left = sum(n["at"] > middle["at"] for n in rest)
    assert (await client.get(READ, {"input": {"allBefore": seen}}))["notificationsMarkRead"]["unreadCount"] == left
    assert (await client.get(READ, {"input": {"allBefore": "2026-11-21T08:00:00Z"}}))["notificationsMarkRead"]["unreadCount"] == 0
    assert (await client.get(READ, {"input": {}}))["notificationsMarkRead"] == {"unreadCount": 0, "userErrors": []}


PREFERENCES = """notificationPreferences { timeZone quietFrom quietUntil dailyPushes digestAt kinds { kind push }
  shops { shop { id } muted mutedUntil kinds { kind push } } }"""
UPDATE = f"""mutation ($input: NotificationPreferencesUpdateInput!) {{ notificationPreferencesUpdate(input: $input) {{
  preferences: preferences {{ {PREFERENCES.partition("{")[2].rpartition("}")[0]} }} userErrors {{ code field }} }} }}"""
MUTE = "mutation ($input: ShopMuteInput!) { shopMute(input: $input) { preferences { shops { shop { id } muted mutedUntil } } userErrors { code field } } }"


async def test_preferences_are_what_holds_without_a_word_and_change_one_by_one(people, signed_in) -> None:
    client = await signed_in(people.member)
    with recorded() as sql:
        mine = (await client.get(f"{{ me {{ {PREFERENCES} }} }}"))["me"]["notificationPreferences"]
    assert len(sql) == 1
    assert mine | {"kinds": []} == {
        "timeZone": None, "quietFrom": None, "quietUntil": None, "dailyPushes": 20, "digestAt": "20:00", "kinds": [], "shops": [],
    }  # fmt: skip
    assert {kind["kind"]: kind["push"] for kind in mine["kinds"]} == {kind.value: True for kind in NoticeKind}

    async def change(**given: Any) -> Any:
        answer = (await client.get(UPDATE, {"input": given}))["notificationPreferencesUpdate"]
        assert answer["userErrors"] == []
        return answer["preferences"]

    await change(timeZone="Asia/Taipei", quietHours={"from": "22:30", "until": "07:00"})
    await change(dailyPushes=5, digestAt="19:05")
    found = await change(kinds=[{"kind": "ANNOUNCEMENT", "push": False}, {"kind": "PICKED_UP", "push": False}])
    assert (found["timeZone"], found["quietFrom"], found["quietUntil"], found["dailyPushes"], found["digestAt"]) == (
        "Asia/Taipei",
        "22:30",
        "07:00",
        5,
        "19:05",
    )
    assert [kind["kind"] for kind in found["kinds"] if not kind["push"]] == ["PICKED_UP", "ANNOUNCEMENT"]
    found = await change(endQuietHours=True, kinds=[{"kind": "PICKED_UP", "push": True}])
    assert (found["quietFrom"], found["quietUntil"], [kind["kind"] for kind in found["kinds"] if not kind["push"]]) == (
        None,
        None,
        ["ANNOUNCEMENT"],
    )
    found = await change(shopId=pid("shop", people.shop.id), kinds=[{"kind": "ORDER_PLACED", "push": False}])
    (there,) = found["shops"]
    assert (there["shop"]["id"], there["muted"]) == (pid("shop", people.shop.id), False)
    assert [kind["kind"] for kind in there["kinds"] if not kind["push"]] == ["ORDER_PLACED"]
    assert (await (await signed_in(people.stranger)).get(f"{{ me {{ {PREFERENCES} }} }}"))["me"]["notificationPreferences"]["shops"] == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"timeZone": "Mars/Base"}, ["input", "timeZone"]),
        ({"timeZone": "../../etc/passwd"}, ["input", "timeZone"]),
        ({"timeZone": ""}, ["input", "timeZone"]),
        ({"dailyPushes": 101}, ["input", "dailyPushes"]),
        ({"dailyPushes": -1}, ["input", "dailyPushes"]),
        ({"digestAt": "24:00"}, ["input", "digestAt"]),
        ({"quietHours": {"from": "7:00", "until": "08:00"}}, ["input", "quietHours", "from"]),
        ({"quietHours": {"from": "07:00", "until": "٠٨:00"}}, ["input", "quietHours", "until"]),
        ({"quietHours": {"from": "07:00", "until": "08:00"}, "endQuietHours": True}, ["input", "endQuietHours"]),
    ],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(people, signed_in, given, field) -> None:
    client = await signed_in(people.member)
    answer = (await client.get(UPDATE, {"input": given}))["notificationPreferencesUpdate"]
    assert answer == {"preferences": None, "userErrors": [{"code": "INVALID_INPUT", "field": field}]}
    assert await database.fetchval("select count(*) from notice_settings") == 0


async def test_a_shop_is_muted_until_an_instant_or_for_good_and_heard_again(people, signed_in, clock) -> None:
    client, shop = await signed_in(people.member), pid("shop", people.shop.id)

    async def mute(**given: Any) -> Any:
        return (await client.get(MUTE, {"input": {"shopId": shop} | given}))["shopMute"]

    assert (await mute())["preferences"]["shops"] == [{"shop": {"id": shop}, "muted": True, "mutedUntil": None}]
    assert (await mute(until="2026-11-22T00:00:00Z"))["preferences"]["shops"][0]["mutedUntil"] == "2026-11-22T00:00:00Z"
    clock.at = datetime(2026, 11, 22, tzinfo=clock.at.tzinfo)
    client = await signed_in(people.member)
    mine = (await client.get(f"{{ me {{ {PREFERENCES} }} }}"))["me"]["notificationPreferences"]
    assert (mine["shops"][0]["muted"], mine["shops"][0]["mutedUntil"]) == (False, None)
    assert (await mute(muted=False))["preferences"]["shops"] == [{"shop": {"id": shop}, "muted": False, "mutedUntil": None}]
    for wrong in ({"until": "2026-11-21T00:00:00Z"}, {"muted": False, "until": "2027-01-01T00:00:00Z"}):
        assert (await mute(**wrong))["userErrors"] == [{"code": "INVALID_INPUT", "field": ["input", "until"]}]
    assert (await mute(shopId=pid("shop", new_id())))["userErrors"] == [{"code": "NOT_FOUND", "field": None}]


ANNOUNCE = """mutation ($input: AnnouncementCreateInput!, $key: String!) { announcementCreate(input: $input) @idempotent(key: $key) {
  announcement { id title body postId told doneAt createdAt } userErrors { code field } } }"""


async def test_staff_announce_once_per_key_and_three_times_a_day(people, signed_in) -> None:
    client, key = await signed_in(people.manager), str(new_id())
    asked = {"input": {"shopId": pid("shop", people.shop.id), "title": " 週五開團 ", "body": "晚上八點"}, "key": key}
    first = (await client.get(ANNOUNCE, asked))["announcementCreate"]
    assert first["userErrors"] == []
    assert first["announcement"] | {"id": ""} == {
        "id": "", "title": "週五開團", "body": "晚上八點", "postId": None, "told": 0, "doneAt": None, "createdAt": "2026-11-21T08:00:00Z",
    }  # fmt: skip
    assert (await client.get(ANNOUNCE, asked))["announcementCreate"] == first
    codes = [(await client.get(ANNOUNCE, asked | {"key": str(new_id())}))["announcementCreate"]["userErrors"] for _ in range(3)]
    assert codes == [[], [], [{"code": "TOO_MANY_ANNOUNCEMENTS", "field": None}]]
    for wrong, field in (({"title": " "}, "title"), ({"title": "x" * 61}, "title"), ({"body": "x" * 501}, "body")):
        given = {"input": asked["input"] | wrong, "key": str(new_id())}
        assert (await client.get(ANNOUNCE, given))["announcementCreate"]["userErrors"] == [
            {"code": "INVALID_INPUT", "field": ["input", field]}
        ]
