"""An ECPay-shaped server for tests, with signing code of its own, so that a mistake of the product's cannot hide in it.

It knows what was posted to its payment page, is told by the test what the payer does, makes the notices that follow and answers questions.
"""

from __future__ import annotations

import hashlib
import urllib.parse
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

KEY, IV, MERCHANT = "pwFHCqoQZGmho4w6", "EkRm7iFT261dpevs", "3002607"
UNRESERVED = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!*()")


def dotnet_encode(text: str) -> str:
    """As HttpUtility.UrlEncode of .NET writes it, in small letters."""
    return "".join(chr(b) if chr(b) in UNRESERVED else "+" if b == 32 else f"%{b:02x}" for b in text.encode()).lower()


def mac(fields: dict[str, str], key: str = KEY, iv: str = IV) -> str:
    """CheckMacValue, by the letter of ECPay's description."""
    names = sorted((name for name in fields if name != "CheckMacValue"), key=str.casefold)
    joined = "&".join([f"HashKey={key}", *(f"{name}={fields[name]}" for name in names), f"HashIV={iv}"])
    return hashlib.sha256(dotnet_encode(joined).encode()).hexdigest().upper()


def sealed(fields: dict[str, str]) -> dict[str, str]:
    return {**fields, "CheckMacValue": mac(fields)}


@dataclass
class Trade:
    """One order at the provider."""

    fields: dict[str, str]
    number: str
    paid: bool = False


@dataclass
class EcpayServer:
    """Its state, steered by the test."""

    trades: dict[str, Trade] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)
    refuse: bool = False
    broken: bool = False
    encoded: bool = False

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/Cashier/AioCheckOut/V5", self._check_out, methods=["POST"]),
                Route("/Cashier/QueryTradeInfo/V5", self._query, methods=["POST"]),
            ]
        )

    async def _check_out(self, request: Request) -> Response:
        fields = _form(await request.body())
        number = fields.get("MerchantTradeNo", "")
        if fields.get("CheckMacValue") != mac(fields):
            return PlainTextResponse("10200073 CheckMacValue Error", 400)
        if number in self.trades or not number.isalnum() or len(number) > 20 or not fields["TotalAmount"].isdigit():
            return PlainTextResponse("10200047", 400)
        self.trades[number] = Trade(fields, f"2611{len(self.trades):012d}")
        return PlainTextResponse("pay here")

    async def _query(self, request: Request) -> Response:
        fields = _form(await request.body())
        number = fields["MerchantTradeNo"]
        self.questions.append(number)
        if self.refuse:
            return PlainTextResponse("Forbidden", 403)
        if fields["CheckMacValue"] != mac(fields):
            return PlainTextResponse("", 400)
        trade = self.trades.get(number)
        status = "10200047" if trade is None else "1" if trade.paid else "0"
        answer = {
            "MerchantID": MERCHANT, "MerchantTradeNo": number, "TradeStatus": status, "StoreID": "", "ItemName": "a + b",
            "TradeNo": trade.number if trade else "", "TradeAmt": trade.fields["TotalAmount"] if trade else "0", "PaymentDate": "",
        }  # fmt: skip
        answer = sealed(answer)
        if self.broken:
            answer["TradeAmt"] = "1"
        if self.encoded:
            return PlainTextResponse(urllib.parse.urlencode(answer))
        return PlainTextResponse("&".join(f"{name}={value}" for name, value in answer.items()))

    def paid(self, number: str, *, amount: str | None = None, code: str = "1", message: str = "交易成功", **more: str) -> bytes:
        """The payer pays (`code` 1) or fails; the notice's body."""
        trade = self.trades[number]
        trade.paid = trade.paid or code == "1"
        return notice(number, amount or trade.fields["TotalAmount"], trade.number, code=code, message=message, **more)


def notice(number: str, amount: str, provider_no: str, *, code: str = "1", message: str = "交易成功", **more: str) -> bytes:
    """A sealed ReturnURL body, empty fields and all."""
    fields = {
        "MerchantID": MERCHANT, "MerchantTradeNo": number, "StoreID": "", "TradeAmt": amount, "TradeDate": "2026/11/21 16:00:05",
        "PaymentTypeChargeFee": "10", "SimulatePaid": "0", "CustomField1": "", "CustomField2": "", "CustomField3": "", "CustomField4": "",
        "RtnCode": code, "RtnMsg": message, "TradeNo": provider_no, "PaymentDate": "2026/11/21 16:01:30", "PaymentType": "Credit_CreditCard",
    }  # fmt: skip
    return urllib.parse.urlencode(sealed(fields | more)).encode()


def account_number(number: str, amount: str, provider_no: str, *, until: str = "2026/11/23") -> bytes:
    """A sealed PaymentInfoURL body of an ATM number."""
    fields = {
        "MerchantID": MERCHANT, "MerchantTradeNo": number, "StoreID": "", "RtnCode": "2", "RtnMsg": "Get VirtualAccount Succeeded",
        "TradeNo": provider_no, "TradeAmt": amount, "PaymentType": "ATM_CHINATRUST", "TradeDate": "2026/11/21 16:00:05", "CustomField1": "",
        "BankCode": "822", "vAccount": "9103522175887271", "ExpireDate": until,
    }  # fmt: skip
    return urllib.parse.urlencode(sealed(fields)).encode()


def _form(body: bytes) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
