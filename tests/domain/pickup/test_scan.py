"""The counter looks a code up: what may leave, or the one reason why not. Nothing moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain import db as database
from domain.pickup.code import decode, encode
from domain.pickup.scans import read_scan
from tests.books import everything
from tests.build import NOW, a_shop
from tests.counter import CLERK_ID, KEYS, SIGNER, VAULT, Counter, R, paid, refused


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


async def test_our_own_signature_does_not_bring_another_shops_pass_in(counter: Counter) -> None:
    """Even a code that names this shop finds only this shop's passes."""
    elsewhere = await Counter.open()
    facts = decode((await elsewhere.issue()).token, KEYS)
    odd = encode(replace(facts, shop_number=counter.shop.number), SIGNER.private_key)
    assert await refused(counter.scan(odd), R.INVALID) == {"reason": "unknown"}


async def test_an_open_pass_comes_before_a_collected_one_of_the_same_short_code(counter: Counter) -> None:
    issued = await counter.issue()
    await database.execute(
        """insert into pickup (id, shop_id, buyer_id, code_id, state, issue_number, short_code, not_after, version, created_at)
           select gen_random_uuid(), shop_id, buyer_id, 1, 'COLLECTED', 1, short_code, not_after, 1, created_at + interval '1 day' from pickup"""
    )
    assert (await counter.scan(issued.short_code)).pickup_id == issued.pickup_id
