"""ECPay's all-in-one payment (AioCheckOut V5): the form a browser posts, what its notices and answers say, and the seal on both. Pure.

The seal, `CheckMacValue`, covers every field there is, unknown and empty ones too; vectors stand in tests/fixtures/ecpay. Times are Taiwan's
(UTC+8, no summer time), amounts whole TWD.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Final
from urllib.parse import quote_plus, unquote_plus

from domain.payments.rules import OnlinePaymentMethod

TAIPEI: Final = timezone(timedelta(hours=8))
CURRENCY: Final = "TWD"
"""It takes no other."""
LIVE: Final = "https://payment.ecpay.com.tw"
STAGE: Final = "https://payment-stage.ecpay.com.tw"
CHECK_OUT: Final = "/Cashier/AioCheckOut/V5"
QUERY: Final = "/Cashier/QueryTradeInfo/V5"
PUBLIC_TEST_SHOPS: Final = frozenset({"3002607", "2000132", "2000933"})
"""Their keys are printed in ECPay's documentation."""
OK: Final = "1|OK"
MOST_FIELDS: Final = 120
NAMES: Final[Mapping[OnlinePaymentMethod, str]] = {
    OnlinePaymentMethod.CARD: "Credit",
    OnlinePaymentMethod.ATM: "ATM",
    OnlinePaymentMethod.STORE_CODE: "CVS",
}
LONGEST_ATM_DAYS: Final = 60
LONGEST_CODE_MINUTES: Final = 43_200
_BACK: Final = {"%2d": "-", "%5f": "_", "%2e": ".", "%21": "!", "%2a": "*", "%28": "(", "%29": ")"}


@dataclass(frozen=True, slots=True)
class Keys:
    """A merchant's secrets; its repr shows none."""

    hash_key: str
    hash_iv: str

    def __repr__(self) -> str:
        return "Keys(…)"


class NotAForm(ValueError):
    """The text is no form as ECPay sends it."""


class Word(StrEnum):
    """What a notice or an answer says of an attempt."""

    PAID = "PAID"
    NUMBER = "NUMBER"
    """A number to pay by was made."""
    FAILED = "FAILED"
    UNPAID = "UNPAID"
    """Not paid so far."""
    SIMULATED = "SIMULATED"
    """A test from ECPay's back office: no money moved."""


@dataclass(frozen=True, slots=True)
class Told:
    """A sealed message about one attempt. `code` is ECPay's RtnCode or TradeStatus; `bank`, `account` or `number` and `until` tell how to pay."""

    word: Word
    merchant_id: str
    trade_no: str
    provider_no: str
    amount_minor: int | None
    code: str
    bank: str = ""
    number: str = ""
    until: datetime | None = None


def seal(fields: Mapping[str, str], keys: Keys) -> str:
    """CheckMacValue (SHA-256) of fields; one of that name among them is left out."""
    pairs = sorted(((name, value) for name, value in fields.items() if name != "CheckMacValue"), key=lambda pair: pair[0].lower())
    text = f"HashKey={keys.hash_key}" + "".join(f"&{name}={value}" for name, value in pairs) + f"&HashIV={keys.hash_iv}"
    text = quote_plus(text, safe="").replace("~", "%7E").lower()
    for escaped, plain in _BACK.items():
        text = text.replace(escaped, plain)
    return hashlib.sha256(text.encode()).hexdigest().upper()


def genuine(fields: Mapping[str, str], keys: Keys) -> bool:
    """True when the fields bear the seal of these keys; compared in constant time."""
    return hmac.compare_digest(seal(fields, keys).encode(), fields.get("CheckMacValue", "").upper().encode("utf-8", "replace"))


def read_form(body: bytes, *, encoded: bool = True) -> dict[str, str]:
    """Fields of a form, empty ones too. `encoded=False`: values stand as they are, as in answers to a query.

    Raises:
        NotAForm: not UTF-8, a field twice or without `=`, a NUL, or more than 120 fields.
    """
    fields: dict[str, str] = {}
    try:
        parts = [part for part in body.decode().split("&") if part]
        for part in parts[: MOST_FIELDS + 1]:
            name, equals, value = part.partition("=")
            if encoded:
                name, value = unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")
            if not equals or name in fields or "\0" in name + value:
                raise NotAForm
            fields[name] = value
    except UnicodeDecodeError:
        raise NotAForm from None
    if len(parts) > MOST_FIELDS:
        raise NotAForm
    return fields


def form(
    *,
    merchant_id: str,
    keys: Keys,
    trade_no: str,
    amount_minor: int,
    method: OnlinePaymentMethod,
    shop: str,
    item: str,
    notify_url: str,
    back_url: str,
    pay_by: datetime | None,
    now: datetime,
) -> dict[str, str]:
    """What the buyer's browser posts to CHECK_OUT, sealed. `pay_by` bounds the life of a number that is made there."""
    fields = {
        "MerchantID": merchant_id,
        "MerchantTradeNo": trade_no,
        "MerchantTradeDate": now.astimezone(TAIPEI).strftime("%Y/%m/%d %H:%M:%S"),
        "PaymentType": "aio",
        "TotalAmount": str(amount_minor),
        "TradeDesc": plain(shop, 100) or "plusone",
        "ItemName": plain(item, 100) or trade_no,
        "ReturnURL": notify_url,
        "ChoosePayment": NAMES[method],
        "EncryptType": "1",
        "ClientBackURL": back_url,
        "NeedExtraPaidInfo": "N",
    }
    if method is not OnlinePaymentMethod.CARD:
        fields["PaymentInfoURL"] = notify_url
    if method is OnlinePaymentMethod.ATM:
        fields["ExpireDate"] = str(atm_days(pay_by, now))
    if method is OnlinePaymentMethod.STORE_CODE:
        fields["StoreExpireDate"] = str(code_minutes(pay_by, now))
    return fields | {"CheckMacValue": seal(fields, keys)}


def atm_days(pay_by: datetime | None, now: datetime) -> int:
    """Whole days an account number may live so that it is dead before the pieces are given away; below 1 there is no time for one."""
    if pay_by is None:
        return 3
    return min((pay_by.astimezone(TAIPEI).date() - now.astimezone(TAIPEI).date()).days - 1, LONGEST_ATM_DAYS)


def code_minutes(pay_by: datetime | None, now: datetime) -> int:
    """Minutes that a store's code may live, in the same way."""
    return LONGEST_CODE_MINUTES // 6 if pay_by is None else min(int((pay_by - now).total_seconds()) // 60, LONGEST_CODE_MINUTES)


def plain(text: str, longest: int) -> str:
    """A name as ECPay's firewall takes it: letters, digits and blanks of any language, nothing that looks like a command or a mark-up."""
    kept = "".join(c if unicodedata.category(c)[0] in "LN" else " " for c in unicodedata.normalize("NFC", text))
    words = [word for word in kept.split() if not _COMMAND.fullmatch(word)]
    return " ".join(words)[:longest].strip()


_COMMAND: Final = re.compile(
    r"(?i)curl|wget|bash|sh|cmd|powershell|python|perl|nc|telnet|echo|eval|exec|select|insert|update|delete|drop|union|script"
)


def read_notice(fields: Mapping[str, str]) -> Told:
    """What a genuine notice says (ReturnURL or PaymentInfoURL).

    Raises:
        NotAForm: a field that every notice has is missing or no number.
    """
    code = _field(fields, "RtnCode")
    if "PaymentDate" not in fields and code in ("2", "10100073"):
        word = Word.NUMBER
    elif fields.get("SimulatePaid", "0") != "0":
        word = Word.SIMULATED
    else:
        word = Word.PAID if code == "1" else Word.FAILED
    return Told(
        word,
        _field(fields, "MerchantID"),
        _field(fields, "MerchantTradeNo"),
        fields.get("TradeNo", ""),
        _amount(_field(fields, "TradeAmt")),
        code[:20],
        bank=fields.get("BankCode", "")[:20],
        number=(fields.get("vAccount") or fields.get("PaymentNo") or "")[:40] if word is Word.NUMBER else "",
        until=_until(fields.get("ExpireDate", "")) if word is Word.NUMBER else None,
    )


def query(merchant_id: str, keys: Keys, trade_no: str, now: datetime) -> dict[str, str]:
    """The sealed form that asks for one attempt; good for three minutes."""
    fields = {"MerchantID": merchant_id, "MerchantTradeNo": trade_no, "TimeStamp": str(int(now.timestamp()))}
    return fields | {"CheckMacValue": seal(fields, keys)}


def read_answer(body: bytes, keys: Keys) -> Told:
    """What the answer to a query says. Its values come as they are, or encoded like a notice's; whichever bears the seal is read.

    Raises:
        NotAForm: neither does, or a field is missing.
    """
    for encoded in (False, True):
        fields = read_form(body, encoded=encoded)
        if genuine(fields, keys):
            status = _field(fields, "TradeStatus")
            word = Word.PAID if status == "1" else Word.FAILED if status in ("10200095", "10200163") else Word.UNPAID
            amount = _amount(fields.get("TradeAmt") or "0")
            return Told(
                word, _field(fields, "MerchantID"), _field(fields, "MerchantTradeNo"), fields.get("TradeNo", ""), amount, status[:20]
            )
    raise NotAForm


def _field(fields: Mapping[str, str], name: str) -> str:
    if not fields.get(name):
        raise NotAForm
    return fields[name]


def _amount(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise NotAForm
    return int(text)


def _until(text: str) -> datetime | None:
    """A day is over at its end; a time is what it says."""
    try:
        if len(text) == len("2026/01/05"):
            return datetime.strptime(text, "%Y/%m/%d").replace(tzinfo=TAIPEI) + timedelta(days=1)
        return datetime.strptime(text, "%Y/%m/%d %H:%M:%S").replace(tzinfo=TAIPEI)
    except (ValueError, OverflowError):
        return None
