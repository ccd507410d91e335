"""The buyer shows a code, the counter scans it, goods leave once. Every refusal has its reason and moves nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain import db as database
from domain.audit.commands import Actor
from domain.errors import NotFound
from domain.orders.rules import PaymentState
from domain.payments.commands import mark_paid
from domain.payments.rules import PaymentMethod
from domain.pickup import commands
from domain.pickup.code import CodeFacts, decode, encode
from domain.pickup.commands import IssuedPass, PickupSigner, ScanPreview
from domain.pickup.errors import PickupRefused
from domain.pickup.hand_over import HandOverResult
from domain.pickup.queries import pickup_of_member, pickups_of_member
from domain.pickup.rules import LineQuantity, PickupRefusal, PickupState
from domain.pickup.scans import read_scan, sign_scan
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from domain.stock.commands import adjust
from domain.stock.rules import AdjustReason, SellBeyond
from domain.vault import Vault
from tests.build import (
    NOW,
    ABuyer,
    AnOrder,
    AShop,
    AVariant,
    a_buyer,
    a_member,
    a_product,
    a_shop,
    a_variant,
    an_order,
    books_agree,
    everything,
    figures,
)

JOBS = PgQueuerJobs()
VAULT = Vault("a secret of at least thirty-two characters")
SIGNER = PickupSigner(0, Ed25519PrivateKey.from_private_bytes(bytes(32)))
KEYS = {0: SIGNER.private_key.public_key()}
CLERK_ID = UUID(int=7)
CLERK = Actor(f"member:{CLERK_ID}", "SCANNER")
R = PickupRefusal


async def paid(shop: AShop, lines: Sequence[tuple[AVariant, int]], buyer: ABuyer, at: datetime = NOW) -> AnOrder:
    order = await an_order(shop, lines, buyer=buyer)
    await mark_paid(
        order_id=order.id, shop_id=shop.id, method=PaymentMethod.CASH, reference="櫃台", amount_minor=None, expected_version=None,
        actor=CLERK, by_member_id=CLERK_ID, now=at, jobs=JOBS,
    )  # fmt: skip
    return order


class Counter:
    """A shop with one buyer who may collect 2 red and 1 white."""

    shop: AShop
    buyer: ABuyer
    member: UUID
    red: AVariant
    white: AVariant
    order: AnOrder

    @classmethod
    async def open(cls) -> Counter:
        self = cls()
        self.shop, self.member = await a_shop(), await a_member()
        self.buyer = await a_buyer(self.shop, member_id=self.member, name="陳小美")
        self.red, self.white = (await a_product(self.shop, variants=["紅", "白"], on_hand=[3, 4])).variants
        self.order = await paid(self.shop, [(self.red, 2), (self.white, 1)], self.buyer)
        return self

    async def issue(self, now: datetime = NOW) -> IssuedPass:
        return await commands.issue(member_id=self.member, pickup_id=None, shop_id=self.shop.id, signer=SIGNER, now=now)

    async def scan(self, token: str, *, now: datetime = NOW, shop: AShop | None = None, scanner: UUID = CLERK_ID) -> ScanPreview:
        return await commands.scan(
            shop_id=(shop or self.shop).id, token=token, scanner_id=scanner, device="櫃台 1", public_keys=KEYS, vault=VAULT, now=now
        )

    async def confirm(
        self,
        scan_id: str,
        lines: Sequence[LineQuantity] | None = None,
        *,
        now: datetime = NOW,
        collected: int = 0,
        shop: AShop | None = None,
        by: UUID = CLERK_ID,
    ) -> HandOverResult:
        return await commands.confirm(
            shop_id=(shop or self.shop).id, scan_id=scan_id, lines=lines, collected_minor=collected, actor=CLERK, by_member_id=by, device="櫃台 1",
            vault=VAULT, now=now, jobs=JOBS,
        )  # fmt: skip

    async def state(self) -> tuple[str, str, str]:
        row = await database.fetchrow(
            """select o.state, o.fulfilment_state, p.state as pickup from "order" o join pickup_order using (shop_id) join pickup p on p.id = pickup_id
               where o.id = $1 and order_id = $1""",
            self.order.id,
        )
        assert row is not None
        return tuple(row)  # type: ignore[return-value]


@pytest.fixture
async def counter(db: str) -> Counter:
    return await Counter.open()


async def refused(awaitable: Any, refusal: R, *, changed: Sequence[str] = ("audit_entry",)) -> Mapping[str, Any]:
    """The facts of this refusal, after which nothing but an audit entry was written."""
    before = await everything(but=changed)
    with pytest.raises(PickupRefused) as caught:
        await awaitable
    assert caught.value.refusal is refusal
    assert await everything(but=changed) == before
    if "audit_entry" in changed:
        entry = await database.fetchrow("select action, detail from audit_entry order by id desc limit 1")
        assert entry is not None
        assert (entry["action"], database.from_jsonb(entry["detail"])) == ("pickup.refused", {"refusal": refusal.value, "device": "櫃台 1"})
    return caught.value.facts


# issue


async def test_a_pass_is_issued_with_a_code_that_says_it(counter: Counter) -> None:
    issued = await counter.issue()
    row = await database.fetchrow("select id, code_id, issue_number, short_code, not_after, version from pickup")
    assert row is not None
    assert (row["id"], row["issue_number"], row["short_code"], row["not_after"]) == (
        issued.pickup_id, 1, issued.short_code, NOW + timedelta(days=3),
    )  # fmt: skip
    facts = decode(issued.token, KEYS)
    code_id = row["code_id"].to_bytes(8, "big", signed=True)
    assert facts == CodeFacts(0, counter.shop.number, code_id, 1, NOW + timedelta(days=3))
    assert (issued.order_ids, issued.expires_at, len(issued.short_code)) == ((counter.order.id,), NOW + timedelta(days=3), 8)
    assert issued.token not in repr(issued)
    entry = await database.fetchrow("select actor, action, object_id, detail::text from audit_entry order by id desc limit 1")
    assert entry is not None
    assert tuple(entry) == (f"member:{counter.member}", "pickup.issue", issued.pickup_id, '{"issue_number": 1}')


async def test_each_issue_kills_the_one_before(counter: Counter) -> None:
    first, second = await counter.issue(), await counter.issue(NOW + timedelta(hours=1))
    assert (first.issue_number, second.issue_number) == (1, 2)
    assert second.expires_at == NOW + timedelta(days=3, hours=1)
    await refused(counter.scan(first.token), R.REVOKED)
    await refused(counter.scan(first.short_code), R.INVALID)
    assert (await counter.scan(second.token)).pickup_id == first.pickup_id
    assert (await counter.scan(second.short_code)).pickup_id == first.pickup_id


async def test_only_the_buyer_gets_the_pass(counter: Counter) -> None:
    pickup_id = (await counter.issue()).pickup_id
    stranger = await a_member()
    before = await everything()
    for member, by_id, shop in (
        (stranger, pickup_id, None), (stranger, None, counter.shop.id), (counter.member, uuid4(), None),
        (counter.member, None, (await a_shop()).id), (counter.member, pickup_id, uuid4()), (counter.member, None, None),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await commands.issue(member_id=member, pickup_id=by_id, shop_id=shop, signer=SIGNER, now=NOW)
    assert await everything() == before
    again = await commands.issue(member_id=counter.member, pickup_id=pickup_id, shop_id=None, signer=SIGNER, now=NOW)
    assert (again.pickup_id, again.issue_number) == (pickup_id, 2)


async def test_a_member_who_linked_the_buyer_later_gets_the_pass(db: str) -> None:
    shop = await a_shop()
    buyer = await a_buyer(shop)
    await paid(shop, [(await a_variant(shop), 1)], buyer)
    member = await a_member()
    await database.execute("update buyer set member_id = $2 where id = $1", buyer.id, member)
    issued = await commands.issue(member_id=member, pickup_id=None, shop_id=shop.id, signer=SIGNER, now=NOW)
    assert await database.fetchval("select member_id from pickup where id = $1", issued.pickup_id) == member


async def test_a_pass_that_nothing_leaves_for_is_not_issued(counter: Counter) -> None:
    issued = await counter.issue()
    await database.execute("update \"order\" set payment_state = 'REFUNDED', version = version + 1")
    facts = await refused(counter.issue(), R.UNPAID, changed=())
    assert facts == {"due_minor": 0, "currency": "TWD"}
    await database.execute("update pickup set state = 'CANCELLED'")
    by_id = commands.issue(member_id=counter.member, pickup_id=issued.pickup_id, shop_id=None, signer=SIGNER, now=NOW)
    await refused(by_id, R.CANCELLED, changed=())


async def test_the_issue_number_has_an_end(counter: Counter) -> None:
    await database.execute("update pickup set issue_number = 65534")
    issued = await counter.issue()
    assert (issued.issue_number, decode(issued.token, KEYS).issue_number) == (65535, 65535)
    await refused(counter.issue(), R.RULES, changed=())


# scan


async def test_a_scan_shows_what_may_leave_and_changes_nothing(counter: Counter) -> None:
    issued = await counter.issue()
    before = await everything()
    preview = await counter.scan(f"  {issued.token}\n", now=NOW + timedelta(minutes=1))
    assert await everything() == before
    assert [(x.order_line_id, x.order_number, x.variant_label, x.quantity, x.left) for x in preview.lines] == [
        (counter.order.lines[0], counter.order.number, "紅", 2, 2),
        (counter.order.lines[1], counter.order.number, "白", 1, 1),
    ]
    assert (preview.buyer_name, preview.due_minor, preview.order_ids) == ("陳○美", 0, (counter.order.id,))
    assert preview.confirm_by == NOW + timedelta(minutes=11)
    seen = read_scan(preview.scan_id, counter.shop.id, VAULT)
    assert seen is not None
    assert (seen.pickup_id, seen.scanner_id, seen.issue_number, seen.at) == (issued.pickup_id, CLERK_ID, 1, NOW + timedelta(minutes=1))
    assert (await counter.scan(issued.token)).scan_id != preview.scan_id


async def test_only_the_ready_orders_of_a_pass_are_shown(counter: Counter) -> None:
    other = await paid(counter.shop, [(counter.red, 1)], counter.buyer)
    await database.execute("update \"order\" set payment_state = 'REFUNDED', paid_minor = 0, version = version + 1 where id = $1", other.id)
    preview = await counter.scan((await counter.issue()).token)
    assert preview.order_ids == (counter.order.id,)
    assert (preview.due_minor, preview.currency) == (590, "TWD")


@pytest.mark.parametrize("token", ["", "P1:", "hello", "P1:" + "0" * 126, "x" * 10_000, "\ud800", "ABCD-1234", "00000000"])
async def test_what_is_no_code_is_invalid(counter: Counter, token: str) -> None:
    await counter.issue()
    await refused(counter.scan(token), R.INVALID)


async def test_a_forged_code_is_invalid(counter: Counter) -> None:
    facts = decode((await counter.issue()).token, KEYS)
    forger = Ed25519PrivateKey.generate()
    assert await refused(counter.scan(encode(facts, forger)), R.INVALID) == {"reason": "signature"}
    assert await refused(counter.scan(encode(replace(facts, key_number=9), SIGNER.private_key)), R.INVALID) == {"reason": "key"}
    unknown = encode(replace(facts, code_id=bytes(8)), SIGNER.private_key)
    assert await refused(counter.scan(unknown), R.INVALID) == {"reason": "unknown"}
    newer = encode(replace(facts, issue_number=2), SIGNER.private_key)
    await refused(counter.scan(newer), R.INVALID)


async def test_another_shops_code_is_told_apart(counter: Counter) -> None:
    issued, other = await counter.issue(), await a_shop()
    assert await refused(counter.scan(issued.token, shop=other), R.WRONG_SHOP) == {}
    await refused(counter.scan(issued.short_code, shop=other), R.INVALID)


async def test_a_code_is_good_for_three_days(counter: Counter) -> None:
    issued = await counter.issue()
    last = NOW + timedelta(days=3)
    assert (await counter.scan(issued.token, now=last)).pickup_id == (await counter.scan(issued.short_code, now=last)).pickup_id
    for token in (issued.token, issued.short_code):
        assert await refused(counter.scan(token, now=last + timedelta(seconds=1)), R.EXPIRED) == {"expired_at": last}


async def test_a_collected_pass_says_when_and_by_whom(counter: Counter) -> None:
    issued = await counter.issue()
    await counter.confirm((await counter.scan(issued.token)).scan_id, now=NOW + timedelta(minutes=2))
    for token in (issued.token, issued.short_code):
        facts = await refused(counter.scan(token, now=NOW + timedelta(hours=1)), R.ALREADY_USED)
        assert facts == {"collected_at": NOW + timedelta(minutes=2), "by_member_id": CLERK_ID, "device": "櫃台 1"}


@pytest.mark.parametrize(
    ("change", "refusal", "facts"),
    [
        ("update pickup set state = 'CANCELLED'", R.CANCELLED, {}),
        (
            "update \"order\" set payment_state = 'REFUNDED', paid_minor = 0, version = version + 1",
            R.UNPAID,
            {"due_minor": 1770, "currency": "TWD"},
        ),
        ("update \"order\" set fulfilment_state = 'UNFULFILLED', version = version + 1", R.NOT_READY, {}),
        ("update \"order\" set state = 'LOCKED', version = version + 1", R.NOT_READY, {}),
        ("update \"order\" set state = 'CANCELLED', version = version + 1", R.CANCELLED, {}),
        ("update \"order\" set state = 'COMPLETED', version = version + 1", R.ALREADY_USED, {}),
    ],
)
async def test_what_may_not_leave_is_refused_at_the_scan_and_at_the_confirmation(
    counter: Counter, change: str, refusal: R, facts: dict[str, Any]
) -> None:
    issued = await counter.issue()
    preview = await counter.scan(issued.token)
    await database.execute(change)
    assert await refused(counter.scan(issued.token), refusal) == facts
    assert await refused(counter.scan(issued.short_code), refusal, changed=("audit_entry", "guess_count")) == facts
    assert await refused(counter.confirm(preview.scan_id), refusal) == facts


async def test_ten_short_codes_a_minute(counter: Counter) -> None:
    issued, colleague = await counter.issue(), UUID(int=8)
    for _ in range(10):
        await refused(counter.scan("00000000"), R.INVALID)
    await refused(counter.scan(issued.short_code), R.BLOCKED)
    await refused(counter.scan("nonsense", now=NOW + timedelta(seconds=59)), R.BLOCKED)
    assert (await counter.scan(issued.short_code, scanner=colleague)).pickup_id == issued.pickup_id
    assert (await counter.scan(issued.token)).pickup_id == issued.pickup_id
    later = NOW + timedelta(seconds=60)
    assert (await counter.scan(issued.short_code, now=later)).pickup_id == issued.pickup_id
    other = await a_shop()
    await refused(counter.scan(issued.short_code, shop=other), R.INVALID)


async def test_a_clock_that_was_set_back_does_not_block_for_hours(counter: Counter) -> None:
    issued = await counter.issue()
    for _ in range(11):
        await refused(counter.scan("00000000", now=NOW + timedelta(hours=2)), R.BLOCKED if _ == 10 else R.INVALID)
    assert (await counter.scan(issued.short_code)).pickup_id == issued.pickup_id


# confirm


async def test_goods_leave_and_everything_says_so(counter: Counter) -> None:
    issued = await counter.issue()
    preview = await counter.scan(issued.token)
    at = NOW + timedelta(minutes=3)
    result = await counter.confirm(preview.scan_id, now=at)
    seen = read_scan(preview.scan_id, counter.shop.id, VAULT)
    assert seen is not None
    assert result == HandOverResult(
        hand_over_id=seen.hand_over_id,
        pickup_id=issued.pickup_id,
        lines=(LineQuantity(counter.order.lines[0], 2), LineQuantity(counter.order.lines[1], 1)),
        order_ids=(counter.order.id,),
        collected_minor=0,
        at=at,
        left=0,
        pickup_state=PickupState.COLLECTED,
    )
    assert await counter.state() == ("COMPLETED", "HANDED_OVER", "COLLECTED")
    assert (await figures(counter.red), await figures(counter.white)) == ((1, 0, 0), (3, 0, 0))
    moved = await database.fetch(
        "select on_hand_delta, held_delta, committed_delta, order_line_id from stock_movement where kind = 'HANDED_OVER'"
    )
    assert sorted(tuple(m) for m in moved) == sorted([(-2, 0, -2, counter.order.lines[0]), (-1, 0, -1, counter.order.lines[1])])
    over = await database.fetchrow(
        "select id, shop_id, pickup_id, issue_number, by_member_id, device, collected_minor, conflict, at from hand_over"
    )
    assert over is not None
    assert tuple(over) == (seen.hand_over_id, counter.shop.id, issued.pickup_id, 1, CLERK_ID, "櫃台 1", 0, False, at)
    assert await database.fetchval("select array_agg(kind order by id) from order_event") == ["PAID", "READY_FOR_PICKUP", "HANDED_OVER"]
    actions = await database.fetch("select action, object_id, actor from audit_entry order by id desc limit 2")
    assert {tuple(a) for a in actions} == {
        ("pickup.hand_over", issued.pickup_id, CLERK.name), ("order.hand_over", counter.order.id, CLERK.name),
    }  # fmt: skip
    notice = await database.fetchrow("select member_id, data from notice where kind = 'PICKED_UP'")
    assert notice is not None
    assert notice["member_id"] == counter.member
    assert [line["quantity"] for line in database.from_jsonb(notice["data"])["lines"]] == [2, 1]
    assert await database.fetchval('select list from "order"') == "DONE"
    await books_agree()


async def test_the_same_scan_confirmed_again_is_the_same_hand_over(counter: Counter) -> None:
    preview = await counter.scan((await counter.issue()).token)
    result = await counter.confirm(preview.scan_id)
    before = await everything()
    for later in (timedelta(0), timedelta(minutes=9), timedelta(days=30)):
        assert await counter.confirm(preview.scan_id, [LineQuantity(counter.order.lines[0], 1)], now=NOW + later, collected=5) == result
    assert await everything() == before


async def test_in_parts_the_code_stays_good_for_the_rest(counter: Counter) -> None:
    issued = await counter.issue()
    red, white = counter.order.lines
    first = await counter.confirm((await counter.scan(issued.token)).scan_id, [LineQuantity(red, 1)])
    assert (first.left, first.pickup_state) == (2, PickupState.OPEN)
    assert await counter.state() == ("OPEN", "PARTIAL", "OPEN")
    assert await database.fetchval('select list from "order"') == "TO_PICK_UP"
    await books_agree()
    preview = await counter.scan(issued.token)
    assert [(x.order_line_id, x.quantity, x.left) for x in preview.lines] == [(red, 2, 1), (white, 1, 1)]
    await refused(counter.confirm(preview.scan_id, [LineQuantity(red, 2)]), R.RULES)
    second = await counter.confirm(preview.scan_id, [LineQuantity(white, 1)])
    assert (second.left, await counter.state()) == (1, ("OPEN", "PARTIAL", "OPEN"))
    third = await counter.confirm((await counter.scan(issued.token)).scan_id)
    assert (third.lines, third.left) == ((LineQuantity(red, 1),), 0)
    assert await counter.state() == ("COMPLETED", "HANDED_OVER", "COLLECTED")
    assert await database.fetchval("select count(*) from notice where kind = 'PICKED_UP'") == 3
    await books_agree()


async def test_one_pass_hands_over_several_orders(counter: Counter) -> None:
    other = await paid(counter.shop, [(counter.white, 2)], counter.buyer)
    issued = await counter.issue()
    assert set(issued.order_ids) == {counter.order.id, other.id}
    part = await counter.confirm((await counter.scan(issued.token)).scan_id, [LineQuantity(other.lines[0], 2)])
    assert (part.order_ids, part.left) == ((other.id,), 3)
    assert await database.fetchval('select state from "order" where id = $1', other.id) == "COMPLETED"
    assert await counter.state() == ("OPEN", "READY_FOR_PICKUP", "OPEN")
    rest = await counter.confirm((await counter.scan(issued.token)).scan_id)
    assert (rest.order_ids, rest.left, rest.pickup_state) == ((counter.order.id,), 0, PickupState.COLLECTED)
    await books_agree()


async def test_after_all_was_collected_the_next_order_has_a_pass_of_its_own(counter: Counter) -> None:
    issued = await counter.issue()
    await counter.confirm((await counter.scan(issued.token)).scan_id)
    await paid(counter.shop, [(counter.white, 1)], counter.buyer, at=NOW + timedelta(hours=1))
    fresh = await counter.issue()
    assert (fresh.pickup_id != issued.pickup_id, fresh.issue_number) == (True, 1)
    await refused(counter.scan(issued.token), R.ALREADY_USED)
    assert (await counter.scan(fresh.token)).pickup_id == fresh.pickup_id


async def test_a_scan_is_confirmed_within_ten_minutes(counter: Counter) -> None:
    preview = await counter.scan((await counter.issue()).token)
    assert (await refused(counter.confirm(preview.scan_id, now=NOW + timedelta(minutes=10, seconds=1)), R.EXPIRED))["reason"] == "scan"
    await refused(counter.confirm(preview.scan_id, now=NOW - timedelta(minutes=2)), R.EXPIRED)
    assert (await counter.confirm(preview.scan_id, now=NOW + timedelta(minutes=10))).left == 0


async def test_a_renewed_code_kills_the_scans_of_the_old_one(counter: Counter) -> None:
    preview = await counter.scan((await counter.issue()).token)
    await counter.issue()
    await refused(counter.confirm(preview.scan_id), R.REVOKED)


async def test_a_scan_is_its_scanners_and_its_shops(counter: Counter) -> None:
    scan_id = (await counter.scan((await counter.issue()).token)).scan_id
    await refused(counter.confirm(scan_id, by=UUID(int=8)), R.NOT_PERMITTED)
    await refused(counter.confirm(scan_id, shop=await a_shop()), R.INVALID)


async def test_an_altered_scan_is_refused(counter: Counter) -> None:
    scan_id = (await counter.scan((await counter.issue()).token)).scan_id
    for place in range(0, len(scan_id), 7):
        altered = scan_id[:place] + ("A" if scan_id[place] != "A" else "B") + scan_id[place + 1 :]
        await refused(counter.confirm(altered), R.INVALID)
    for odd in ("", "A", scan_id[:-2], scan_id + "AAAA", "é" * 94, "\ud800", "=" * 94, "A" * 94, "A" * 100_000):
        await refused(counter.confirm(odd), R.INVALID)
    seen = read_scan(scan_id, counter.shop.id, VAULT)
    assert seen is not None
    other_root = Vault("another secret of at least thirty-two chars")
    await refused(counter.confirm(sign_scan(seen, counter.shop.id, other_root)), R.INVALID)
    gone = sign_scan(replace(seen, pickup_id=uuid4()), counter.shop.id, VAULT)
    await refused(counter.confirm(gone), R.INVALID)


async def test_money_that_nobody_owes_is_not_collected(counter: Counter) -> None:
    preview = await counter.scan((await counter.issue()).token)
    assert await refused(counter.confirm(preview.scan_id, collected=590), R.RULES) == {"due_minor": 0, "collected_minor": 590}


async def test_lines_of_another_order_do_not_leave(counter: Counter) -> None:
    stranger = await paid(counter.shop, [(counter.white, 1)], await a_buyer(counter.shop))
    preview = await counter.scan((await counter.issue()).token)
    facts = await refused(counter.confirm(preview.scan_id, [LineQuantity(stranger.lines[0], 1)]), R.RULES)
    assert facts == {"order_line_id": stranger.lines[0], "due": 0, "asked": 1}
    await refused(counter.confirm(preview.scan_id, []), R.RULES)


async def test_goods_that_are_not_there_do_not_leave(db: str) -> None:
    """Sold beyond, then lost: the order was ready, the shelf is empty."""
    shop, member = await a_shop(), await a_member()
    buyer = await a_buyer(shop, member_id=member)
    variant = await a_variant(shop, on_hand=2, sell_beyond=SellBeyond.OVERSELL, backorder_limit=5)
    order = await paid(shop, [(variant, 2)], buyer)
    await adjust(shop_id=shop.id, variant_id=variant.id, delta=-1, reason=AdjustReason.LOSS, actor=CLERK, now=NOW, jobs=JOBS)
    counter = Counter()
    counter.shop, counter.member, counter.order = shop, member, order
    preview = await counter.scan((await counter.issue()).token)
    facts = await refused(counter.confirm(preview.scan_id), R.NOT_READY)
    assert facts == {"variant_id": variant.id, "on_hand": 1, "wanted": 2}
    assert (await counter.confirm(preview.scan_id, [LineQuantity(order.lines[0], 1)])).left == 1
    await books_agree()


# goods that arrive


async def waiting_shop() -> tuple[AShop, AVariant, AVariant, list[AnOrder]]:
    """Two variants sold beyond; paid one after another: 2 a · 1 a + 1 b · 3 a · 1 b; 1 a on hand."""
    shop = await a_shop()
    a = await a_variant(shop, on_hand=1, sell_beyond=SellBeyond.PREORDER, backorder_limit=20)
    b = await a_variant(shop, on_hand=0, sell_beyond=SellBeyond.PREORDER, backorder_limit=20)
    orders = [
        await paid(shop, lines, await a_buyer(shop, member_id=await a_member()), at=NOW + timedelta(minutes=n))
        for n, lines in enumerate([[(a, 2)], [(a, 1), (b, 1)], [(a, 3)], [(b, 1)]])
    ]
    return shop, a, b, orders


async def arrived(shop: AShop, variant: AVariant, count: int) -> int:
    await adjust(shop_id=shop.id, variant_id=variant.id, delta=count, reason=AdjustReason.RECEIPT, actor=CLERK, now=NOW, jobs=JOBS)
    return await commands.ready_waiting_orders(shop_id=shop.id, variant_ids=[variant.id], now=NOW + timedelta(hours=1), jobs=JOBS)


async def fulfilment(orders: Sequence[AnOrder]) -> list[str]:
    return [await database.fetchval('select fulfilment_state from "order" where id = $1', order.id) for order in orders]


async def test_arrived_goods_go_to_those_who_paid_first(db: str) -> None:
    shop, a, b, orders = await waiting_shop()
    w, r = "WAITING_STOCK", "READY_FOR_PICKUP"
    assert await fulfilment(orders) == [w, w, w, w]
    assert (await arrived(shop, a, 1), await fulfilment(orders)) == (1, [r, w, w, w])
    assert (await arrived(shop, a, 3), await fulfilment(orders)) == (0, [r, w, w, w])
    assert (await arrived(shop, b, 1), await fulfilment(orders)) == (1, [r, r, w, w])
    assert (await arrived(shop, a, 1), await fulfilment(orders)) == (1, [r, r, r, w])
    assert (await arrived(shop, b, 1), await fulfilment(orders)) == (1, [r, r, r, r])
    assert await database.fetchval("select count(*) from pickup where state = 'OPEN'") == 4
    assert await database.fetchval("select count(*) from notice where kind = 'PICKUP_READY'") == 4
    assert await database.fetchval("select count(*) from audit_entry where action = 'order.ready' and actor = 'worker:restocked'") == 4
    await books_agree()


async def test_readying_again_changes_nothing(db: str) -> None:
    shop, a, _, _ = await waiting_shop()
    assert await arrived(shop, a, 1) == 1
    before = await everything()
    assert await commands.ready_waiting_orders(shop_id=shop.id, variant_ids=[a.id], now=NOW, jobs=JOBS) == 0
    assert await commands.ready_waiting_orders(shop_id=shop.id, variant_ids=[], now=NOW, jobs=JOBS) == 0
    assert await commands.ready_waiting_orders(shop_id=(await a_shop()).id, variant_ids=[a.id], now=NOW, jobs=JOBS) == 0
    assert await everything() == before


async def test_unpaid_orders_never_become_ready(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=0, sell_beyond=SellBeyond.PREORDER, backorder_limit=9)
    order = await an_order(shop, [(variant, 1)], payment=PaymentState.UNPAID)
    assert (await arrived(shop, variant, 5), await fulfilment([order])) == (0, ["UNFULFILLED"])


# the member's list


async def test_a_member_sees_their_passes_in_all_shops_newest_first(db: str) -> None:
    member = await a_member()
    mine = []
    for hours in range(4):
        shop = await a_shop(name=f"店{hours}", pickup_place="公園")
        order = await paid(
            shop, [(await a_variant(shop), 2)], await a_buyer(shop, member_id=member, now=NOW), at=NOW + timedelta(hours=hours)
        )
        mine.append(order)
    await Counter.open()
    rows = await pickups_of_member(member)
    assert [(row.shop_name, row.order_ids, row.order_numbers, row.left, row.place) for row in rows] == [
        (f"店{n}", (mine[n].id,), (mine[n].number,), 2, "公園") for n in (3, 2, 1, 0)
    ]
    assert await pickups_of_member(member, limit=2) == rows[:2]
    assert await pickups_of_member(member, after=(rows[1].created_at, rows[1].id)) == rows[2:]
    assert await pickups_of_member(member, before=(rows[3].created_at, rows[3].id), limit=2, backwards=True) == rows[1:3]
    await database.execute("update pickup set state = 'COLLECTED' where id = $1", rows[0].id)
    assert await pickups_of_member(member, open_only=True) == rows[1:]
    assert await pickup_of_member(member, rows[1].id) == rows[1]
    with pytest.raises(NotFound):
        await pickup_of_member(await a_member(), rows[1].id)
