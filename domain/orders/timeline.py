"""Kinds of events in an order's timeline as buyers see them, and the words for each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from domain.words import Pair, say


class OrderEventKind(StrEnum):
    """What happened to an order. Nothing else is written; what an older program wrote under a name that is not here is shown as OTHER."""

    LINES_ADDED = "LINES_ADDED"
    LINES_CANCELLED = "LINES_CANCELLED"
    MERGED = "MERGED"
    DELIVERY_CHOSEN = "DELIVERY_CHOSEN"
    GIFT_LINK_MADE = "GIFT_LINK_MADE"
    GIFT_LINK_REVOKED = "GIFT_LINK_REVOKED"
    PAYMENT_REMINDED = "PAYMENT_REMINDED"
    PAYMENT_BEGUN = "PAYMENT_BEGUN"
    PAYMENT_NUMBER = "PAYMENT_NUMBER"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    PAYMENT_EXPIRED = "PAYMENT_EXPIRED"
    TRANSFER_REPORTED = "TRANSFER_REPORTED"
    TRANSFER_REFUSED = "TRANSFER_REFUSED"
    TRANSFER_LAPSED = "TRANSFER_LAPSED"
    PARTLY_PAID = "PARTLY_PAID"
    PAID = "PAID"
    REFUNDED = "REFUNDED"
    SHIP_LATER = "SHIP_LATER"
    SHIP_NOW = "SHIP_NOW"
    READY_FOR_PICKUP = "READY_FOR_PICKUP"
    HANDED_OVER = "HANDED_OVER"
    SHIPPED = "SHIPPED"
    SHIPMENT_MOVED = "SHIPMENT_MOVED"
    SHIPMENT_CREATED = "SHIPMENT_CREATED"
    SHIPMENT_CHANGED = "SHIPMENT_CHANGED"
    SHIPMENT_CANCELLED = "SHIPMENT_CANCELLED"
    SHIPMENT_SETTLED = "SHIPMENT_SETTLED"
    DISPUTE_OPENED = "DISPUTE_OPENED"
    DISPUTE_CLOSED = "DISPUTE_CLOSED"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    CANCEL_DECLINED = "CANCEL_DECLINED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    MEMBER_LINKED = "MEMBER_LINKED"
    MEMBER_UNLINKED = "MEMBER_UNLINKED"
    OTHER = "OTHER"


class OrderEventBy(StrEnum):
    """Who did it."""

    BUYER = "BUYER"
    SHOP = "SHOP"
    SYSTEM = "SYSTEM"


KINDS: Final = tuple(kind.value for kind in OrderEventKind if kind is not OrderEventKind.OTHER)

K = OrderEventKind
WORDS: Final[Mapping[OrderEventKind, Pair]] = MappingProxyType(
    {
        K.LINES_ADDED: ("已加入品項", "Items were added"),
        K.LINES_CANCELLED: ("已減少或取消品項", "Items were taken back"),
        K.MERGED: ("訂單已合併", "Orders were made one"),
        K.DELIVERY_CHOSEN: ("已選擇交貨方式", "The delivery was chosen"),
        K.GIFT_LINK_MADE: ("已建立送禮連結", "A gift link was made"),
        K.GIFT_LINK_REVOKED: ("已收回送禮連結", "The gift link was taken back"),
        K.PAYMENT_REMINDED: ("已提醒付款", "A reminder to pay was sent"),
        K.PAYMENT_BEGUN: ("已開始線上付款", "An online payment was begun"),
        K.PAYMENT_NUMBER: ("已取得繳費帳號或代碼", "A number to pay with was given"),
        K.PAYMENT_FAILED: ("線上付款沒有成功", "The online payment failed"),
        K.PAYMENT_EXPIRED: ("線上付款已失效", "The online payment ran out"),
        K.TRANSFER_REPORTED: ("已回報轉帳", "A transfer was reported"),
        K.TRANSFER_REFUSED: ("賣場查無這筆轉帳", "The shop did not find the transfer"),
        K.TRANSFER_LAPSED: ("賣場未回覆轉帳回報", "The shop did not answer about the transfer"),
        K.PARTLY_PAID: ("已收到部分款項", "A part of the money was received"),
        K.PAID: ("已收到款項", "The money was received"),
        K.REFUNDED: ("已退款", "The money was returned"),
        K.SHIP_LATER: ("買家希望晚點出貨", "The buyer wants it sent later"),
        K.SHIP_NOW: ("買家希望馬上出貨", "The buyer wants it sent now"),
        K.READY_FOR_PICKUP: ("可以取貨", "It can be collected"),
        K.HANDED_OVER: ("已面交", "It was handed over"),
        K.SHIPPED: ("已出貨", "It was sent"),
        K.SHIPMENT_MOVED: ("包裹狀態已更新", "There is news of the parcel"),
        K.SHIPMENT_CREATED: ("已打包", "It was packed"),
        K.SHIPMENT_CHANGED: ("包裹資料已更改", "The parcel's label was changed"),
        K.SHIPMENT_CANCELLED: ("包裹已取消", "The parcel was unpacked"),
        K.SHIPMENT_SETTLED: ("退回的商品已處理", "The returned goods were dealt with"),
        K.DISPUTE_OPENED: ("買家回報問題", "A problem was reported"),
        K.DISPUTE_CLOSED: ("問題已結案", "The problem was closed"),
        K.CANCEL_REQUESTED: ("買家申請取消", "The buyer asked to cancel"),
        K.CANCEL_DECLINED: ("賣場未同意取消", "The shop did not agree to cancel"),
        K.CANCELLED: ("訂單已取消", "The order was cancelled"),
        K.EXPIRED: ("逾期未付款，訂單已取消", "It was not paid in time"),
        K.MEMBER_LINKED: ("已連結會員帳號", "It was linked to a member's account"),
        K.MEMBER_UNLINKED: ("已解除會員帳號連結", "It was taken off a member's account"),
        K.OTHER: ("訂單有更新", "Something else happened"),
    }
)
"""Kind: what a timeline says of it, for the buyer and the shop alike."""


def words_of(kind: str, language: str) -> str:
    """What a timeline says of an event of this kind."""
    return say(WORDS[OrderEventKind(kind)], language)
