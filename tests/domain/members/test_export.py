"""One file with all that is the member's, over all shops, and nothing of anybody else's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain import db as database
from domain.errors import NotFound
from domain.ids import new_id
from domain.members import export, passkeys
from domain.members.alerts import raise_alert
from domain.members.errors import TooManyExports, TooManyGuesses
from domain.members.passkeys import NewPasskey
from domain.members.rules import AlertKind
from domain.orders.carriers import Carrier
from domain.orders.rules import OrderState
from domain.shipping.chosen import Label
from domain.shipping.rules import ShipmentState, Store
from tests.build import NOW, a_buyer, a_device, a_member, a_shop, a_variant, an_order
from tests.domain.members.test_authenticators import an_authenticator
from tests.domain.members.test_linking import a_notice
from tests.domain.members.test_merging import a_merge, paid, two_people
from tests.domain.members.test_names import an_identity, link
from tests.parcels import packed, said
from tests.wall import a_wall

LATER = NOW + timedelta(minutes=5)


async def file_of(member: UUID, now=LATER) -> tuple[dict[str, Any], list[bytes]]:
    export_id, _ = await export.request(member_id=member, now=now)
    pieces = [piece async for piece in await export.open_export(export_id=export_id, member_id=member, now=now)]
    return orjson.loads(b"".join(pieces)), pieces


async def test_everything_of_the_member_is_in_it_and_of_others_nothing(db: str) -> None:
    wall, member, other = await a_wall(on_hand=2), await a_member(display_name="小美"), await a_member(display_name="別人的名字")
    await link(member, [wall.shop])
    await link(other, [wall.shop], "someone-else")
    await an_identity(member, "google", "g1")
    await a_device(member)
    for author, text in (("mei", "+3"), ("someone-else", "別人的留言 +1"), ("mei", "請問幾點")):
        await wall.says(author, text)
    await wall.drain()
    second = await a_shop(name="第二家", currency="HKD")
    elsewhere = await a_buyer(second, provider="facebook", external_id="mei2", member_id=member)
    order = await an_order(second, {await a_variant(second, price_minor=1230): 2}, buyer=elsewhere)
    await paid(order, second)
    await database.execute("update buyer set restricted_reason = '店家的話'")
    notice = await a_notice(elsewhere)
    await database.execute("update notice set member_id = $2 where id = $1", notice, member)
    async with database.transaction() as tx:
        for who in (member, other):
            await raise_alert(tx, AlertKind.REUSED, member_id=who, session_id=new_id(), installation_id="phone-1", now=NOW)
            await passkeys.add(tx, who, NewPasskey(who.bytes, b"key", 0), f"phone of {who == member}", NOW)
    await an_authenticator(member)
    parcel = await packed(order, label=Label(Carrier.HI_LIFE, "", "HL-1", Store("2001", "中山店")))
    await said(order, parcel, ShipmentState.SHIPPED, note="已交寄")
    found, _ = await file_of(member)
    (sent,) = found["shipments"]
    assert (sent["shop"], sent["carrier"], sent["trackingNumber"], sent["storeName"]) == ("第二家", "HI_LIFE", "HL-1", "中山店")
    assert [(line["order"], line["quantity"]) for line in sent["lines"]] == [(order.number, 2)]
    assert [(event["state"], event["note"]) for event in sent["events"]] == [("SHIPPED", "已交寄")]
    assert (found["format"], found["madeAt"], found["member"]["displayName"]) == ("plusone-export/1", "2026-11-21T08:05:00+00:00", "小美")
    assert [i["provider"] for i in found["identities"]] == ["google"]
    assert [(n["provider"], n["externalId"]) for n in found["names"]] == [("facebook", "mei"), ("facebook", "mei2")]
    assert {o["shop"] for o in found["orders"]} == {"小鹿團購", "第二家"}
    (hong_kong,) = [o for o in found["orders"] if o["currency"] == "HKD"]
    assert (hong_kong["total"], hong_kong["paid"], hong_kong["lines"][0]["unitPrice"]) == ("24.60", "24.60", "12.30")
    assert [(p["method"], p["amount"]) for p in hong_kong["payments"]] == [("CASH", "24.60")]
    assert [c["text"] for c in found["comments"]] == ["+3", "請問幾點"]
    assert [(w["quantity"], w["state"]) for w in found["waiting"]] == [(1, "WAITING")]
    assert [[r["kind"] for r in c["revisions"]] for c in found["comments"]] == [["ADD"], ["ADD"]]
    assert [[e["kind"] for e in o["events"]][:1] for o in found["orders"]] == [["OPENED"], ["OPENED"]]
    assert [(a["kind"], a["sentAt"]) for a in found["alerts"]] == [("REUSED", None)]
    assert len(found["devices"]) == 1
    assert found["authenticators"] == [{"confirmedAt": "2026-11-21T08:00:00+00:00"}]
    assert [(p["name"], p["lastUsedAt"], set(p)) for p in found["passkeys"]] == [
        ("phone of True", None, {"name", "createdAt", "lastUsedAt"})
    ]
    assert any(n["kind"] == "ORDER_PLACED" for n in found["notices"])
    everything = orjson.dumps(found).decode()
    for foreign in ("someone-else", "別人的", "店家的話", "member:staff", str(member)):
        assert foreign not in everything


async def test_the_sums_are_the_shops_own(db: str) -> None:
    keeper, *_ = await two_people()
    found, _ = await file_of(keeper)
    rows = await database.fetch('select number, total_minor, paid_minor from "order" where member_id = $1 order by id', keeper)
    assert [(o["number"], o["total"], o["paid"]) for o in found["orders"]] == [
        (r["number"], str(r["total_minor"]), str(r["paid_minor"])) for r in rows
    ]


async def test_a_merged_account_is_in_the_keepers_file(db: str) -> None:
    keeper, other, *_ = await two_people()
    await a_merge(keeper, other)
    found, _ = await file_of(keeper)
    assert len(found["orders"]) == 4
    assert len(found["merges"]) == 1


async def test_an_empty_life_is_a_whole_file_too(db: str) -> None:
    found, _ = await file_of(await a_member())
    assert {part: value for part, value in found.items() if isinstance(value, list) and value} == {}
    assert set(found) == {"format", "madeAt", "member", *(part.name for part in export.PARTS)}


async def test_it_is_written_a_page_at_a_time(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PAGE", 3)
    shop, member = await a_shop(), await a_member()
    buyer, variant = await a_buyer(shop, member_id=member), await a_variant(shop, on_hand=50)
    for n in range(7):
        await an_order(shop, {variant: 1}, buyer=buyer, state=OrderState.CANCELLED if n else OrderState.OPEN)
    found, pieces = await file_of(member)
    assert len(found["orders"]) == 7
    assert len({o["number"] for o in found["orders"]}) == 7
    assert sum(b'"lines"' in piece for piece in pieces) == 3


async def test_it_is_the_members_own_for_an_hour_and_five_a_day(db: str) -> None:
    member = await a_member()
    export_id, until = await export.request(member_id=member, now=NOW)
    assert until == NOW + timedelta(hours=1)
    for who, now in ((await a_member(), NOW), (member, until)):
        with pytest.raises(NotFound):
            await export.open_export(export_id=export_id, member_id=who, now=now)
    for _ in range(4):
        await export.request(member_id=member, now=NOW)
    with pytest.raises(TooManyExports):
        await export.request(member_id=member, now=NOW)
    await export.request(member_id=member, now=NOW + timedelta(days=1, seconds=1))
    assert await database.fetchval("select count(*) from member_event where action = 'EXPORT_FETCHED'") == 0


async def test_it_is_not_fetched_without_end(db: str) -> None:
    member = await a_member()
    export_id, _ = await export.request(member_id=member, now=NOW)
    for _ in range(10):
        await export.open_export(export_id=export_id, member_id=member, now=NOW)
    with pytest.raises(TooManyGuesses):
        await export.open_export(export_id=export_id, member_id=member, now=NOW)
    await export.open_export(export_id=export_id, member_id=member, now=NOW + timedelta(minutes=11))
