"""Money's doors over HTTP: every recorded notice, forged ones, the page that leads to the provider, and a whole payment."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from domain import db as database
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.clock import FixedClock
from domain.orders.commands import cancel
from domain.payments.attempts import page_path
from domain.payments.rules import OnlinePaymentMethod
from domain.settings import MissingSetting, load
from plusone.invariants import check
from tests.build import NOW
from tests.domain.payments.online import JOBS, OWNER, VAULT, Till, a_till, attempt_of, begun, grow, no_money_is_lost, order_of
from tests.ecpay_server import EcpayServer, mac, notice
from tests.serving import SECRET_KEY, running

RECORDED = json.loads((Path(__file__).parents[1] / "fixtures/ecpay/callbacks.json").read_text())
NOTICES = {c["id"]: c for c in RECORDED["callbacks"] if c["kind"].startswith("payment.")}
AMOUNTS = RECORDED["shop_order_amounts_for_these_samples"]
SEQUENCES = [s for s in RECORDED["sequences"] if s["name"] in (
    "atm_normal", "atm_paid_twice", "atm_number_after_paid", "card_resend_with_other_text", "two_at_once", "simulated_then_real", "tampered",
    "paid_after_cancel")]  # fmt: skip
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def provider() -> AsyncIterator[tuple[EcpayServer, str]]:
    server = EcpayServer()
    async with running(server.app()) as base:
        yield server, base


@pytest.fixture
def services(db: str, clock: FixedClock, provider: tuple[EcpayServer, str]) -> Services:
    settings = load(secret_key=SECRET_KEY, environment="development", public_url="https://plusone.test", ecpay_url=provider[1])
    return services_for(settings, clock=clock)


@pytest.fixture
async def http(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    async with running(create_app(services)) as base, httpx.AsyncClient(base_url=base) as client:
        yield client


async def deliver(http: httpx.AsyncClient, till: Till, body: str | bytes) -> httpx.Response:
    return await http.post(f"/payments/ecpay/{till.account.slug}", content=body, headers=FORM)


async def known_as(till: Till, name: str) -> str:
    """Give the one attempt the number and amount of a recorded notice."""
    number = NOTICES[name]["fields"]["MerchantTradeNo"]
    await begun(till)
    await grow(till, AMOUNTS[number])
    await database.execute("update payment_attempt set trade_no = $1, amount_minor = $2", number, AMOUNTS[number])
    return str(number)


@pytest.mark.parametrize("sequence", SEQUENCES, ids=[s["name"] for s in SEQUENCES])
async def test_recorded_sequences_end_as_they_must(http, sequence) -> None:
    till = await a_till()
    names = sequence.get("deliver") or sequence["deliver_concurrently"]
    number = await known_as(till, names[0])
    if sequence.get("order_before") == "cancelled":
        await cancel(order_id=till.order.id, shop_id=till.shop.id, reason="", actor=OWNER, now=NOW, jobs=JOBS)
    bodies = [NOTICES[name]["body"] for name in names]
    if "deliver" in sequence:
        answers = [await deliver(http, till, body) for body in bodies]
    else:
        answers = await asyncio.gather(*(deliver(http, till, body) for body in bodies))
    for name, answer in zip(names, answers, strict=True):
        wanted = NOTICES[name]["expect"]["answer"]
        assert (answer.text == "1|OK") is (wanted == "1|OK")
        assert answer.headers["content-type"].startswith("text/plain")
    state, received, surplus, _ = await attempt_of(number)
    assert (state == "PAID") is (sequence["final"] == "paid")
    assert (received > 0) is bool(sequence["paid_events"])
    assert await database.fetchval("select count(*) from payment") == (1 if received and not surplus else 0)
    await no_money_is_lost()
    assert await check(NOW) == []


async def test_another_amount_is_kept_for_a_person(http) -> None:
    till = await a_till()
    number = await known_as(till, "pay_wrong_amount")
    assert (await deliver(http, till, NOTICES["pay_wrong_amount"]["body"])).text == "1|OK"
    assert (await attempt_of(number))[3] == "OTHER_AMOUNT"
    assert (await order_of(till))[1] == "UNPAID"


async def test_another_shops_keys_open_nothing_here(http) -> None:
    till = await a_till()
    await known_as(till, "pay_wrong_merchant")
    answer = await deliver(http, till, NOTICES["pay_wrong_merchant"]["body"])
    assert (answer.status_code, answer.text.startswith("0|")) == (400, True)
    assert (await order_of(till))[1] == "UNPAID"


async def test_every_flipped_letter_of_a_notice_is_refused(http) -> None:
    till = await a_till()
    number = await begun(till)
    body = notice(number, "1180", "2611000000001").decode()
    refused = 0
    for place in range(0, len(body), 7):
        other = "9" if body[place] != "9" else "8"
        answer = await deliver(http, till, body[:place] + other + body[place + 1 :])
        refused += answer.text != "1|OK"
    assert refused == len(range(0, len(body), 7))
    assert await attempt_of(number) == ("PENDING", 0, 0, None)


@pytest.mark.parametrize(
    ("slug", "body", "headers", "status"),
    [
        ("none", b"a=1", FORM, 404),
        (None, b"a=1", {"content-type": "application/json"}, 415),
        (None, b"a=1&a=2", FORM, 400),
        (None, b"\xff", FORM, 400),
        (None, b"", FORM, 400),
        (None, b"a=" + b"1" * 40_000, FORM, 413),
    ],
    ids=["address", "type", "twice", "bytes", "empty", "long"],
)
async def test_what_is_no_notice(http, slug, body, headers, status: int) -> None:
    till = await a_till()
    answer = await http.post(f"/payments/ecpay/{slug or till.account.slug}", content=body, headers=headers)
    assert (answer.status_code, answer.text.startswith("0|")) == (status, True)


async def test_a_notice_about_an_unknown_number_is_not_acknowledged(http) -> None:
    till = await a_till()
    answer = await deliver(http, till, notice("PNONE", "1180", "26"))
    assert (answer.status_code, answer.text) == (404, "0|unknown number")


async def test_a_whole_payment_from_the_page_to_the_notice(http, provider) -> None:
    server, base = provider
    till = await a_till()
    number = await begun(till)
    path = page_path(await database.fetchval("select id from payment_attempt"), VAULT)
    page = await http.get(path, headers={"accept-language": "zh-TW"})
    assert page.status_code == 200
    assert "前往付款" in page.text
    policy = page.headers["content-security-policy"]
    assert f"form-action {base};" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)
    assert nonce is not None
    assert f'<script nonce="{nonce[1]}">' in page.text
    assert (page.headers["cache-control"], page.headers["x-frame-options"]) == ("no-store", "DENY")
    action = re.search(r'action="([^"]+)"', page.text)
    fields = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text))
    assert action is not None
    assert fields["CheckMacValue"] == mac(fields)
    assert fields["ReturnURL"] == f"https://plusone.test/payments/ecpay/{till.account.slug}"
    async with httpx.AsyncClient() as browser:
        assert (await browser.post(action[1], data=fields)).text == "pay here"
    waiting = await http.get(f"{path}/back", headers={"accept-language": "en"})
    assert "Waiting for the result" in waiting.text
    assert (await deliver(http, till, server.paid(number))).text == "1|OK"
    for where in (path, f"{path}/back"):
        shown = await http.get(where, headers={"accept-language": "en"})
        assert "Payment received" in shown.text
        assert "<form" not in shown.text
    assert await order_of(till) == ("OPEN", "PAID", 1180)


async def test_no_page_without_its_token(http) -> None:
    for path in ("/pay/x", "/pay/" + "A" * 43, "/pay/x/back"):
        answer = await http.get(path)
        assert (answer.status_code, "<form" in answer.text) == (404, False)


async def test_what_the_shop_is_called_cannot_write_the_page(http) -> None:
    till = await a_till()
    await database.execute("update shop set name = $1", '"><script>alert(1)</script>')
    await begun(till, OnlinePaymentMethod.STORE_CODE)
    page = await http.get(page_path(await database.fetchval("select id from payment_attempt"), VAULT))
    assert page.status_code == 200
    assert "<script>alert" not in page.text


def test_no_stand_in_for_money_in_production() -> None:
    with pytest.raises(MissingSetting, match="ECPAY_URL"):
        load(secret_key=SECRET_KEY, environment="production", ecpay_url="http://127.0.0.1:1")
