"""ECPay's seal, form, notices and answers, by the recorded vectors and by signing code of the tests' own."""

from __future__ import annotations

import json
import re
import urllib.parse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.payments import ecpay
from domain.payments.ecpay import (
    Keys,
    NotAForm,
    Word,
    atm_days,
    code_minutes,
    form,
    genuine,
    plain,
    read_answer,
    read_form,
    read_notice,
    seal,
)
from domain.payments.rules import OnlinePaymentMethod
from tests import ecpay_server

FIXTURES = Path(__file__).parents[2] / "fixtures/ecpay"
VECTORS = [v for v in json.loads((FIXTURES / "checkmac.json").read_text())["vectors"] if v["algorithm"] == "sha256"]
RECORDED = json.loads((FIXTURES / "callbacks.json").read_text())
NOTICES = {c["id"]: c for c in RECORDED["callbacks"] if c["kind"].startswith("payment.")}
KEYS = Keys(ecpay_server.KEY, ecpay_server.IV)
NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
SEEN = {
    "pay_credit_paid": (Word.PAID, 680), "pay_credit_paid_again": (Word.PAID, 680), "pay_atm_number": (Word.NUMBER, 1250),
    "pay_atm_paid": (Word.PAID, 1250), "pay_cvs_code": (Word.NUMBER, 450), "pay_barcode": (Word.NUMBER, 450),
    "pay_credit_failed": (Word.FAILED, 680), "pay_simulated": (Word.SIMULATED, 680), "pay_late_after_cancel": (Word.PAID, 990),
}  # fmt: skip


@pytest.mark.parametrize("vector", VECTORS, ids=[v["name"] for v in VECTORS])
def test_the_seal_is_the_recorded_one_and_no_typical_mistake_passes(vector) -> None:
    keys = Keys(vector["hash_key"], vector["hash_iv"])
    assert seal(vector["params"], keys) == vector["expected"]
    assert genuine({**vector["params"], "CheckMacValue": vector["expected"].lower()}, keys)
    for wrong in vector.get("typical_mistakes", {}).values():
        assert not genuine({**vector["params"], "CheckMacValue": wrong}, keys)


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=8))
def test_two_hands_write_the_same_seal(fields) -> None:
    clean = {k: v for k, v in fields.items() if _writable(k + v)}
    names = {name.casefold() for name in clean} | {name.lower() for name in clean}
    if len({name.lower() for name in clean}) == len({name.casefold() for name in clean}) == len(clean) and names == {
        n.lower() for n in clean
    }:
        assert seal(clean, KEYS) == ecpay_server.mac(clean)


def _writable(text: str) -> bool:
    return not any(0xD800 <= ord(c) <= 0xDFFF for c in text)


@pytest.mark.parametrize("name", NOTICES)
def test_recorded_notices_are_read(name: str) -> None:
    recorded = NOTICES[name]
    fields = read_form(recorded["body"].encode())
    assert fields == recorded["fields"]
    keys = Keys(recorded["hash_key"], recorded["hash_iv"])
    assert genuine(fields, keys) is (name != "pay_tampered_amount")
    told = read_notice(fields)
    if name in SEEN:
        assert (told.word, told.amount_minor) == SEEN[name]


def test_a_number_tells_where_and_until_when() -> None:
    account = read_notice(NOTICES["pay_atm_number"]["fields"])
    assert (account.bank, account.number) == ("822", "9103522175887271")
    assert account.until == datetime(2026, 1, 5, 16, 0, tzinfo=UTC)  # the day is over at midnight in Taiwan
    code = read_notice(NOTICES["pay_cvs_code"]["fields"])
    assert (code.bank, code.number, code.until) == ("", "LLL26002912345", datetime(2026, 1, 9, 2, 0, 6, tzinfo=UTC))


@pytest.mark.parametrize("body", ["a=1&a=2", "novalue", "a=%ff", "a=%00", "&".join(f"f{n}=" for n in range(121))])
def test_what_is_no_form(body: str) -> None:
    with pytest.raises(NotAForm):
        read_form(body.encode())


@pytest.mark.parametrize("left_out", ["MerchantID", "MerchantTradeNo", "RtnCode", "TradeAmt"])
def test_a_notice_without_what_every_notice_has(left_out: str) -> None:
    fields = dict(NOTICES["pay_credit_paid"]["fields"])
    for broken in ({**fields, left_out: ""}, {k: v for k, v in fields.items() if k != left_out}):
        with pytest.raises(NotAForm):
            read_notice(broken)


@pytest.mark.parametrize("amount", ["-1", "1.5", "１２", "9" * 13, "1e3", " 1"])
def test_amounts_are_whole(amount: str) -> None:
    with pytest.raises(NotAForm):
        read_notice({**NOTICES["pay_credit_paid"]["fields"], "TradeAmt": amount})


def test_recorded_answers_are_read_raw_and_encoded() -> None:
    paid, unpaid = (next(r for r in RECORDED["replies"] if r["id"] == f"query_trade_{word}") for word in ("paid", "unpaid"))
    assert read_answer(paid["body"].encode(), KEYS).word is Word.PAID
    assert read_answer(unpaid["body"].encode(), KEYS).word is Word.UNPAID
    told = ecpay_server.sealed({"MerchantID": "1", "MerchantTradeNo": "A", "TradeStatus": "1", "ItemName": "a + b", "TradeAmt": "5"})
    assert read_answer(urllib.parse.urlencode(told).encode(), KEYS).amount_minor == 5
    with pytest.raises(NotAForm):
        read_answer(paid["body"].replace("TradeAmt=680", "TradeAmt=1").encode(), KEYS)


def test_the_form_bears_the_seal_and_what_the_provider_asks_for() -> None:
    fields = form(
        merchant_id="3002607", keys=KEYS, trade_no="PABC", amount_minor=1250, method=OnlinePaymentMethod.ATM, shop="阿美's 團購 <b>", item="阿美 A-1",
        notify_url="https://x.example/payments/ecpay/s", back_url="https://x.example/pay/t/back", pay_by=NOW + timedelta(days=3), now=NOW,
    )  # fmt: skip
    assert fields["CheckMacValue"] == ecpay_server.mac(fields)
    assert (fields["TotalAmount"], fields["ChoosePayment"], fields["ExpireDate"], fields["MerchantTradeDate"]) == (
        "1250", "ATM", "2", "2026/11/21 16:00:00",
    )  # fmt: skip
    assert (fields["TradeDesc"], fields["ItemName"]) == ("阿美 s 團購 b", "阿美 A 1")


@pytest.mark.parametrize(("hours", "days"), [(None, 3), (72, 2), (48, 1), (31, 0), (24, 0), (5, -1), (24 * 90, 60)], ids=str)
def test_an_account_number_dies_before_its_pieces_are_given_away(hours: int | None, days: int) -> None:
    pay_by = None if hours is None else NOW + timedelta(hours=hours)
    assert atm_days(pay_by, NOW) == days
    if pay_by is not None and days >= 1:
        dies = (NOW.astimezone(ecpay.TAIPEI) + timedelta(days=days + 1)).replace(hour=0, minute=0)
        assert dies <= pay_by


def test_a_store_code_lives_as_long_as_the_deadline() -> None:
    assert code_minutes(NOW + timedelta(minutes=90), NOW) == 90
    assert code_minutes(None, NOW) == 7_200
    assert code_minutes(NOW + timedelta(days=90), NOW) == 43_200


@given(st.text(max_size=300))
def test_names_hold_nothing_that_a_firewall_bites_at(text: str) -> None:
    found = plain(text, 100)
    assert len(found) <= 100
    assert not re.search(r"[#&%<>'\"=+;|\n\t\\]", found)
    assert plain(found, 100) == found


def test_secrets_are_not_shown() -> None:
    assert KEYS.hash_key not in repr(KEYS)
