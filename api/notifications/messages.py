"""The words of a push: title, body and deep link from the facts of a notice. Pure.

Facts (`data` of a notice; each may be missing, and then the phrase that needs it is left out):

    shopName                 the shop as buyers know it            every kind
    orderId                  UUID; the deep link opens the order   every kind about an order
    orderNumber              as printed                            every kind about an order
    lines, waiting           [{title, label, quantity}, ...]       pieces ordered, changed or cancelled; pieces on the waiting list
    totalMinor, currency     what the order costs now              ORDER_PLACED, ORDER_PARTIAL, LINES_CHANGED, WAITLIST_FILLED
    paidMinor, currency      what has been received                PAYMENT_RECEIVED, PAYMENT_TO_RETURN
    dueMinor, currency       what is still owed                    PAYMENT_REMINDER, TRANSFER_REFUSED
    payBy, timeZone          until when (RFC 3339), and whose time  PAYMENT_REMINDER, TRANSFER_REFUSED
    expiresAt, timeZone      until when, and whose time             WAITLIST_OFFERED
    words                    what the shop said to it              TRANSFER_REFUSED
    postTitle                the sales post                        claims
    place                    where the goods are handed over       PICKUP_READY
    reason                   a code of REASONS                     CLAIM_REJECTED, ASK_BUYER, SUGGESTION, ORDER_CANCELLED
    title, body              the shop's own words                  ANNOUNCEMENT
    pickupId                 UUID; the deep link opens the pass    PICKUP_READY, PICKED_UP
    shipmentId               UUID; the deep link opens the parcel  SHIPMENT_*
    state, carrier           codes of PARCELS and CARRIERS         SHIPMENT_*
    carrierName              of a carrier that has no code         SHIPMENT_*
    trackingNumber, note     as they were told                     SHIPMENT_*
    storeName, lastPickupDay where, and until which day (ISO)      SHIPMENT_SENT, SHIPMENT_ARRIVED, SHIPMENT_LAST_DAY
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.ids import public_id, spelled
from domain.money import DIGITS, Money
from domain.notices.rules import NoticeKind
from domain.words import ENGLISH, Pair, language_for, say

TITLE_CHARS: Final = 60
BODY_CHARS: Final = 180
"""iOS shows about 178 characters of a notice."""
LINES_SHOWN: Final = 3


class PushText(NamedTuple):
    """What the phone shows, and where a tap leads."""

    title: str
    body: str
    deep_link: str


@dataclass(frozen=True, slots=True)
class Words:
    """Phrases with `{fact}` places. The title is the first whose facts are all there; the body is all of those, one after the other."""

    titles: tuple[str, ...]
    body: tuple[str, ...]


K = NoticeKind
# Taiwan's words and the English ones, phrase by phrase; the other languages are catalogues of `domain.words`.
ZH: Mapping[NoticeKind, Words] = {
    K.ORDER_PLACED: Words(("{shop}：+1 成功", "+1 成功"), ("{lines}", "訂單 {number}", "目前合計 {total}")),
    K.ORDER_PARTIAL: Words(
        ("{shop}：部分登記成功", "部分登記成功"), ("已登記 {lines}", "候補 {waiting}", "訂單 {number}", "目前合計 {total}")
    ),
    K.WAITLISTED: Words(("{shop}：已排入候補", "已排入候補"), ("候補 {waiting}", "有貨時會通知您")),
    K.WAITLIST_FILLED: Words(("{shop}：候補到了", "候補到了"), ("{lines}", "訂單 {number}", "目前合計 {total}")),
    K.WAITLIST_OFFERED: Words(("{shop}：候補輪到您了", "候補輪到您了"), ("{lines}", "請在 {until} 前確認，逾時會讓給下一位")),
    K.WAITLIST_OFFER_OVER: Words(("{shop}：候補已讓給下一位", "候補已讓給下一位"), ("{lines}", "{post}")),
    K.SUGGESTION: Words(("{shop}：您是要訂這個嗎？", "您是要訂這個嗎？"), ("{lines}", "{reason}", "請開啟 App 確認")),
    K.CLAIM_REJECTED: Words(("{shop}：這則留言沒有成立訂單", "這則留言沒有成立訂單"), ("{reason}", "{post}")),
    K.LINES_CANCELLED: Words(("{shop}：已取消品項", "已取消品項"), ("{lines}", "{reason}", "訂單 {number}", "目前合計 {total}")),
    K.LINES_CHANGED: Words(("{shop}：訂單已更新", "訂單已更新"), ("{lines}", "訂單 {number}", "目前合計 {total}")),
    K.ASK_BUYER: Words(("{shop}：需要您再確認", "需要您再確認"), ("{reason}", "{post}", "請開啟 App 查看")),
    K.ORDER_CANCELLED: Words(("{shop}：訂單已取消", "訂單已取消"), ("訂單 {number}", "{lines}", "{reason}")),
    K.ORDER_EXPIRED: Words(("{shop}：訂單逾期未付款", "訂單逾期未付款"), ("訂單 {number} 已釋出", "{lines}")),
    K.CANCEL_DECLINED: Words(("{shop}：無法取消訂單", "無法取消訂單"), ("訂單 {number}", "請與賣場聯絡")),
    K.PAYMENT_RECEIVED: Words(("{shop}：已收到款項", "已收到款項"), ("訂單 {number}", "{paid}")),
    K.PAYMENT_REMINDER: Words(("{shop}：記得付款", "記得付款"), ("訂單 {number}", "應付 {due}", "請在 {by} 前付款，逾期商品會釋出")),
    K.TRANSFER_REFUSED: Words(
        ("{shop}：還沒收到您的轉帳", "還沒收到您的轉帳"),
        ("訂單 {number}", "{reason}", "{said}", "應付 {due}", "請在 {by} 前再確認或重新回報"),
    ),
    K.PAYMENT_TO_RETURN: Words(("{shop}：有一筆款項需要退還", "有一筆款項需要退還"), ("訂單 {number}", "{paid}", "賣家會與您聯絡退款")),
    K.PICKUP_READY: Words(("{shop}：可以取貨了", "可以取貨了"), ("訂單 {number}", "{place}", "取貨時請出示 App 內的取貨碼")),
    K.PICKED_UP: Words(("{shop}：已完成取貨", "已完成取貨"), ("{lines}", "訂單 {number}")),
    K.DISPUTE_ANSWERED: Words(("{shop}：賣家回覆了您的問題", "賣家回覆了您的問題"), ("訂單 {number}", "請開啟 App 查看")),
    K.DISPUTE_CLOSED: Words(("{shop}：賣家結束了您的問題", "賣家結束了您的問題"), ("訂單 {number}", "還有問題可以再提出")),
    K.SHIPMENT_SENT: Words(("{shop}：商品已寄出", "商品已寄出"), ("{lines}", "{carried}", "{store}", "{note}", "訂單 {number}")),
    K.SHIPMENT_UPDATED: Words(("{shop}：{parcel}", "{parcel}"), ("{lines}", "{carried}", "{note}", "訂單 {number}")),
    K.SHIPMENT_ARRIVED: Words(
        ("{shop}：包裹已到店", "包裹已到店"), ("{store}", "請在 {last_day} 前取件", "{lines}", "{carried}", "{note}", "訂單 {number}")
    ),
    K.SHIPMENT_LAST_DAY: Words(
        ("{shop}：包裹即將退回", "包裹即將退回"), ("最後取件日 {last_day}", "{store}", "{carried}", "訂單 {number}")
    ),
    K.SHIPMENT_DELIVERED: Words(("{shop}：包裹已送達", "包裹已送達"), ("{lines}", "{carried}", "{note}", "訂單 {number}")),
    K.SHIPMENT_RETURNED: Words(("{shop}：包裹已退回賣場", "包裹已退回賣場"), ("{lines}", "{carried}", "{note}", "訂單 {number}")),
    K.ANNOUNCEMENT: Words(("{shop}：{title}", "{title}", "{shop}", "賣場公告"), ("{text}",)),
}
EN: Mapping[NoticeKind, Words] = {
    K.ORDER_PLACED: Words(("{shop}: your +1 is in", "Your +1 is in"), ("{lines}", "Order {number}", "Total so far {total}")),
    K.ORDER_PARTIAL: Words(
        ("{shop}: part of your +1 is in", "Part of your +1 is in"),
        ("Ordered {lines}", "Waiting for {waiting}", "Order {number}", "Total so far {total}"),
    ),
    K.WAITLISTED: Words(
        ("{shop}: you are on the waiting list", "You are on the waiting list"), ("Waiting for {waiting}", "We will tell you when it is in")
    ),
    K.WAITLIST_FILLED: Words(
        ("{shop}: your waiting is over", "Your waiting is over"), ("{lines}", "Order {number}", "Total so far {total}")
    ),
    K.WAITLIST_OFFERED: Words(
        ("{shop}: it is your turn", "It is your turn"), ("{lines}", "Say yes by {until}, or the next in line is asked")
    ),
    K.WAITLIST_OFFER_OVER: Words(("{shop}: the next in line was asked", "The next in line was asked"), ("{lines}", "{post}")),
    K.SUGGESTION: Words(("{shop}: is this what you want?", "Is this what you want?"), ("{lines}", "{reason}", "Open the app to confirm")),
    K.CLAIM_REJECTED: Words(("{shop}: no order from this comment", "No order from this comment"), ("{reason}", "{post}")),
    K.LINES_CANCELLED: Words(
        ("{shop}: items cancelled", "Items cancelled"), ("{lines}", "{reason}", "Order {number}", "Total so far {total}")
    ),
    K.LINES_CHANGED: Words(("{shop}: order updated", "Order updated"), ("{lines}", "Order {number}", "Total so far {total}")),
    K.ASK_BUYER: Words(("{shop}: please have a look", "Please have a look"), ("{reason}", "{post}", "Open the app to answer")),
    K.ORDER_CANCELLED: Words(("{shop}: order cancelled", "Order cancelled"), ("Order {number}", "{lines}", "{reason}")),
    K.ORDER_EXPIRED: Words(("{shop}: order expired unpaid", "Order expired unpaid"), ("Order {number} was not paid in time", "{lines}")),
    K.CANCEL_DECLINED: Words(
        ("{shop}: the order stands", "The order stands"), ("Order {number} was not cancelled", "Please talk to the shop")
    ),
    K.PAYMENT_RECEIVED: Words(("{shop}: payment received", "Payment received"), ("Order {number}", "{paid}")),
    K.PAYMENT_REMINDER: Words(
        ("{shop}: please remember to pay", "Please remember to pay"),
        ("Order {number}", "{due} to pay", "Pay by {by}, or the goods are given to others"),
    ),
    K.TRANSFER_REFUSED: Words(
        ("{shop}: your transfer was not found", "Your transfer was not found"),
        ("Order {number}", "{reason}", "{said}", "{due} to pay", "Look again or report it anew by {by}"),
    ),
    K.PAYMENT_TO_RETURN: Words(
        ("{shop}: money to give back", "Money to give back"), ("Order {number}", "{paid}", "The shop will get in touch to return it")
    ),
    K.PICKUP_READY: Words(
        ("{shop}: ready for pickup", "Ready for pickup"), ("Order {number}", "{place}", "Show the pickup code in the app")
    ),
    K.PICKED_UP: Words(("{shop}: picked up", "Picked up"), ("{lines}", "Order {number}")),
    K.DISPUTE_ANSWERED: Words(
        ("{shop}: an answer to your problem", "An answer to your problem"), ("Order {number}", "Open the app to read it")
    ),
    K.DISPUTE_CLOSED: Words(("{shop}: your problem was closed", "Your problem was closed"), ("Order {number}", "You may raise it again")),
    K.SHIPMENT_SENT: Words(
        ("{shop}: on its way to you", "On its way to you"), ("{lines}", "{carried}", "{store}", "{note}", "Order {number}")
    ),
    K.SHIPMENT_UPDATED: Words(("{shop}: {parcel}", "{parcel}"), ("{lines}", "{carried}", "{note}", "Order {number}")),
    K.SHIPMENT_ARRIVED: Words(
        ("{shop}: your parcel is at the store", "Your parcel is at the store"),
        ("{store}", "Fetch it by {last_day}", "{lines}", "{carried}", "{note}", "Order {number}"),
    ),
    K.SHIPMENT_LAST_DAY: Words(
        ("{shop}: your parcel goes back soon", "Your parcel goes back soon"),
        ("The store keeps it until {last_day}", "{store}", "{carried}", "Order {number}"),
    ),
    K.SHIPMENT_DELIVERED: Words(("{shop}: delivered", "Delivered"), ("{lines}", "{carried}", "{note}", "Order {number}")),
    K.SHIPMENT_RETURNED: Words(
        ("{shop}: your parcel went back to the shop", "Your parcel went back to the shop"),
        ("{lines}", "{carried}", "{note}", "Order {number}"),
    ),
    K.ANNOUNCEMENT: Words(("{shop}: {title}", "{title}", "{shop}", "Notice from the shop"), ("{text}",)),
}
REASONS: Mapping[str, Pair] = {
    "INSUFFICIENT_STOCK": ("庫存不足", "Not enough in stock"),
    "OVER_LIMIT": ("超過每人可購買數量", "Over the limit per buyer"),
    "CLOSED": ("這篇貼文已經結單", "This post is closed"),
    "NOT_OPEN": ("這篇貼文還沒開單", "This post is not open yet"),
    "RATE_LIMITED": ("短時間內留言太多", "Too many comments in a short time"),
    "BUYER_RESTRICTED": ("目前無法在這個賣場下單", "You cannot order from this shop at present"),
    "UNKNOWN_ITEM": ("找不到這個品項", "There is no such item"),
    "NOT_FOR_SALE": ("這個品項目前不販售", "This item is not for sale"),
    "MISSING_QUANTITY": ("沒有看到數量", "The quantity is missing"),
    "WHICH": ("請告訴我們是哪一個品項", "Which of your items do you mean?"),
    "NOTHING_TO_CANCEL": ("您在這篇貼文沒有可以取消的品項", "You have nothing to cancel on this post"),
    "FEWER_HELD": ("您訂的比要取消的少，已全部取消", "You had ordered fewer than that: all of them are cancelled"),
    "NOT_HELD": ("您目前沒有訂這個品項", "You have not ordered this item"),
    "PROXY": ("這是幫別人訂的嗎？可以改由您自己訂", "Is it for somebody else? You can take it on your own name"),
    "EDITED_TO_PROXY": ("這是幫別人訂的嗎？", "Is it for somebody else?"),
    "TRANSFER_NOT_FOUND": ("賣場查不到這筆轉帳", "The shop does not find this transfer"),
    "TRANSFER_NOT_ANSWERED": ("賣場還沒有確認這筆轉帳", "The shop has not confirmed this transfer yet"),
    "REMOVED": ("留言已刪除，訂單要保留嗎？", "The comment was deleted: keep the order?"),
}
"""Codes that a buyer should read as words, zh-TW and English; other codes are left out."""
OPEN: Final[Pair] = ("請開啟 App 查看", "Open the app for more")
MORE: Final[Pair] = ("{lines} 等 {count} 項", "{lines} and more ({count} in all)")


NEWS: Final[Pair] = ("包裹有新消息", "News of your parcel")
PARCELS: Mapping[str, Pair] = {
    "SHIPPED": ("包裹已出貨", "Your parcel was sent"),
    "IN_TRANSIT": ("包裹運送中", "Your parcel is on its way"),
    "ARRIVED_AT_STORE": ("包裹已到店", "Your parcel is at the store"),
    "DELIVERED": ("包裹已送達", "Your parcel was delivered"),
    "RETURNING": ("包裹退回中", "Your parcel is going back"),
    "RETURNED": ("包裹已退回賣場", "Your parcel went back to the shop"),
    "LOST": ("包裹遺失，賣場會與您聯絡", "Your parcel was lost; the shop will be in touch"),
    "CANCELLED": ("這個包裹取消了，訂單不受影響", "This parcel was cancelled; your order stands"),
}
"""Where a parcel is, zh-TW and English."""
CARRIERS: Mapping[str, Pair] = {
    "SEVEN_ELEVEN": ("7-ELEVEN", "7-ELEVEN"),
    "FAMILY_MART": ("全家", "FamilyMart"),
    "HI_LIFE": ("萊爾富", "Hi-Life"),
    "OK_MART": ("OK 超商", "OK mart"),
    "T_CAT": ("黑貓宅急便", "T-Cat"),
    "POST": ("中華郵政", "Chunghwa Post"),
    "HCT": ("新竹物流", "HCT Logistics"),
    "KERRY_TJ": ("嘉里大榮", "Kerry TJ"),
    "SF_EXPRESS": ("順豐速運", "SF Express"),
}
"""Carriers by their codes, zh-TW and English."""


def push_text(kind: str, data: Mapping[str, Any], locale: str) -> PushText:
    """The push of a notice (a NoticeKind) in the device's language, see `language_for`."""
    language = language_for(locale)
    titles, body = _phrases_in(language)[kind]
    title = next(text for phrase in titles if (text := phrase(data)))
    parts = [text for phrase in body if (text := phrase(data))]
    said = " · ".join(parts) if parts else say(OPEN, language)
    return PushText(_short(title, TITLE_CHARS), _short(said, BODY_CHARS), deep_link(kind, data))


def deep_link(kind: str, data: Mapping[str, Any]) -> str:
    """Where a tap leads: the pass, the parcel, the order, or the inbox."""
    if kind == K.PICKUP_READY and (pickup := _uuid(data.get("pickupId"))) is not None:
        return f"plusone://pickups/{public_id('pickup', pickup)}"
    if kind in PARCEL_KINDS and (parcel := _uuid(data.get("shipmentId"))) is not None:
        return f"plusone://shipments/{public_id('shipment', parcel)}"
    order = _uuid(data.get("orderId"))
    return f"plusone://orders/{public_id('order', order)}" if order is not None else "plusone://notifications"


PARCEL_KINDS: Final = frozenset(kind.value for kind in NoticeKind if kind.value.startswith("SHIPMENT_"))
PLACE = re.compile(r"\{(\w+)\}")
Fact = Callable[[Mapping[str, Any], str], str]
"""From the facts of a notice and a language: a fact as words, or nothing."""
Phrase = Callable[[Mapping[str, Any]], str]
"""From the facts of a notice: a phrase filled in, or nothing when one is missing. What a fact holds is never read as a phrase."""


@cache
def _phrases_in(language: str) -> Mapping[str, tuple[tuple[Phrase, ...], tuple[Phrase, ...]]]:
    """Titles and body of every kind in a language, ready to be filled in."""

    def ready(chinese: tuple[str, ...], english: tuple[str, ...]) -> tuple[Phrase, ...]:
        return tuple(_phrase(say(pair, language), language) for pair in zip(chinese, english, strict=True))

    # By the plain texts: the hash of an enum's member is made in Python at each look.
    return {kind.value: (ready(ZH[kind].titles, EN[kind].titles), ready(ZH[kind].body, EN[kind].body)) for kind in ZH}


def _phrase(text: str, language: str) -> Phrase:
    names = PLACE.findall(text)
    if len(names) != 1:
        facts, template = [FACTS[name] for name in names], PLACE.sub("%s", text.replace("%", "%%"))

        def filled(data: Mapping[str, Any]) -> str:
            said = tuple([fact(data, language) for fact in facts])
            return template % said if all(said) else ""

        return filled
    head, tail = PLACE.split(text)[::2]
    fact = FACTS[names[0]]

    def around(data: Mapping[str, Any]) -> str:
        said = fact(data, language)
        return f"{head}{said}{tail}" if said else ""

    return around


FACTS: Final[Mapping[str, Fact]] = {
    "shop": lambda data, _: _short(_text(data.get("shopName")), 24),
    "number": lambda data, _: _text(data.get("orderNumber")),
    "lines": lambda data, language: _lines(data.get("lines"), language),
    "waiting": lambda data, language: _lines(data.get("waiting"), language),
    "total": lambda data, _: _amount(data.get("totalMinor"), data.get("currency")),
    "paid": lambda data, _: _amount(data.get("paidMinor"), data.get("currency")),
    "due": lambda data, _: _amount(data.get("dueMinor"), data.get("currency")),
    "by": lambda data, _: _clock(data.get("payBy"), data.get("timeZone")),
    "until": lambda data, _: _clock(data.get("expiresAt"), data.get("timeZone")),
    "post": lambda data, _: _text(data.get("postTitle")),
    "place": lambda data, _: _text(data.get("place")),
    "reason": lambda data, language: say(REASONS.get(_text(data.get("reason")), ("", "")), language),
    "parcel": lambda data, language: say(PARCELS.get(_text(data.get("state")), NEWS), language),
    "carried": lambda data, language: _carried(data, language),
    "store": lambda data, _: _text(data.get("storeName")),
    "last_day": lambda data, _: _day(data.get("lastPickupDay")),
    "note": lambda data, _: _text(data.get("note")),
    "said": lambda data, _: _short(_text(data.get("words")), 80),
    "title": lambda data, _: _text(data.get("title")),
    "text": lambda data, _: _text(data.get("body")),
}


def _lines(found: object, language: str) -> str:
    if type(found) is not list and (not isinstance(found, Sequence) or isinstance(found, str)):
        return ""
    lines = [(title, line) for line in found if isinstance(line, Mapping) and (title := _text(line.get("title")))]
    shown = []
    for title, line in lines[:LINES_SHOWN]:
        label = _text(line.get("label"))
        name = f"{title} {label}" if label else title
        quantity = line.get("quantity")
        shown.append(f"{_short(name, 40)} ×{quantity}" if isinstance(quantity, int) else _short(name, 40))
    text = (", " if language == ENGLISH else "、").join(shown)
    return text if len(lines) <= LINES_SHOWN else say(MORE, language).format(lines=text, count=len(lines))


def _amount(minor: object, currency: object) -> str:
    if not isinstance(minor, int) or isinstance(minor, bool) or not isinstance(currency, str) or currency not in DIGITS:
        return ""
    amount = f"{Money(minor, currency).amount:,}" if DIGITS[currency] else f"{minor:,}"
    return f"NT${amount}" if currency == "TWD" else f"{currency} {amount}"


def _clock(at: object, zone: object) -> str:
    """Month, day and minute by the shop's clocks, such as 11/24 16:00; nothing without a place that says which clocks."""
    try:
        return f"{datetime.fromisoformat(_text(at)).astimezone(ZoneInfo(_text(zone))):%m/%d %H:%M}"
    except (ValueError, OSError, OverflowError, ZoneInfoNotFoundError):
        return ""


def _carried(data: Mapping[str, Any], language: str) -> str:
    """The carrier, with the number where there is one."""
    carrier = _text(data.get("carrierName")) or say(CARRIERS.get(_text(data.get("carrier")), ("", "")), language)
    return " ".join(part for part in (carrier, _text(data.get("trackingNumber"))) if part)


def _day(day: object) -> str:
    """Month and day, such as 11/28."""
    try:
        return f"{date.fromisoformat(_text(day)):%m/%d}"
    except ValueError:
        return ""


def _text(value: object) -> str:
    if type(value) is str:
        return " ".join(value.split())
    return " ".join(str(value).split()) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def _short(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: chars - 1].rstrip() + "…"


def _uuid(value: object) -> UUID | None:
    try:
        return spelled(value) if isinstance(value, str) else None
    except ValueError:
        return None
