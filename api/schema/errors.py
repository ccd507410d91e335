"""Refusals as data: `userErrors` of every payload, one enum of codes per family of mutations, words as (zh-TW, en).

A code never changes its meaning. `extras` are facts that help the app to go on; the words are for people.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

import strawberry

from api.schema.pass_slot import PassSlot
from domain.pickup.rules import PickupRefusal
from domain.words import say

FALLBACK: Final = "REFUSED"

COMMON = ("NOT_FOUND", "PERMISSION_DENIED", "INVALID_INPUT", FALLBACK)
"""Codes of every family. REFUSED stands for a refusal that the family does not name."""
KEYS = ("IDEMPOTENCY_KEY_MISSING", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_KEY_UNUSABLE")
SECOND = ("SECOND_PROOF_NEEDED", "SECOND_PROOF_UNSET")
"""Where a fresh sign-in is asked for, so is the second proof of those who have one or work where one is asked for."""

FAMILIES: Final = {
    "OrderErrorCode": (*COMMON, *KEYS, "ALREADY_PAID", "AMOUNT_MISMATCH", "INVALID_TRANSITION", "VERSION_CONFLICT", "PAYMENT_UNAVAILABLE",
        "OVER_LIMIT", "PAYMENT_UNDER_WAY", "SIGN_IN_AGAIN", *SECOND),
    "StockErrorCode": (*COMMON, *KEYS, "INSUFFICIENT_STOCK", "VERSION_CONFLICT", "OVER_LIMIT"),
    "CommentErrorCode": (*COMMON, "NOT_EDITABLE", "ITEM_CLOSED", "INSUFFICIENT_STOCK", "INVALID_TRANSITION"),
    "SuggestionErrorCode": (*COMMON, *KEYS, "NOT_EDITABLE", "ITEM_CLOSED", "INSUFFICIENT_STOCK", "OVER_LIMIT", "BUYER_RESTRICTED"),
    "DisputeErrorCode": (*COMMON, *KEYS, "ALREADY_OPEN", "INVALID_TRANSITION", "OVER_LIMIT"),
    "ClaimErrorCode": (
        *COMMON, *KEYS, "NOT_EDITABLE", "ITEM_CLOSED", "INSUFFICIENT_STOCK", "OVER_LIMIT", "BUYER_RESTRICTED", "HOLD_EXPIRED", "INVALID_TRANSITION",
    ),
    "ActingErrorCode": (
        *COMMON, *KEYS, "ALREADY_PAID", "INVALID_TRANSITION", "VERSION_CONFLICT", "NOT_EDITABLE", "UNDO_OVER", "CROSS_SHOP_MERGE", "HOLD_EXPIRED",
        "APPROVAL_REQUIRED", "PAYMENT_UNDER_WAY", "DELIVERY_DIFFERS", "GIFT_DIFFERS", "SIGN_IN_AGAIN", *SECOND,
    ),
    "PickupErrorCode": (*COMMON, *KEYS, "PICKUP_REFUSED"),
    "ShipmentErrorCode": (
        *COMMON, *KEYS, "INVALID_TRANSITION", "OVER_LIMIT", "INSUFFICIENT_STOCK", "DIFFERENT_BUYERS", "DELIVERY_DIFFERS", "TRACKING_NUMBER_USED",
        "BAD_IMPORT",
    ),
    "MemberErrorCode": (*COMMON, "INVALID_DEVICE"),
    "AnnouncementErrorCode": (*COMMON, *KEYS, "TOO_MANY_ANNOUNCEMENTS"),
    "TransferErrorCode": (*COMMON, *KEYS, "ALREADY_PAID", "AMOUNT_MISMATCH", "INVALID_TRANSITION", "HOLD_EXPIRED"),
    "DeliveryErrorCode": (
        *COMMON, *KEYS, "AMOUNT_MISMATCH", "INVALID_TRANSITION", "VERSION_CONFLICT", "ITEM_CLOSED", "SLOT_FULL", "DUPLICATE_ITEM", "OVER_LIMIT",
        "PAYMENT_UNDER_WAY",
    ),
    "PolicyErrorCode": COMMON,
    "BuyerErrorCode": COMMON,
    "IdentityErrorCode": (
        *COMMON, "SAME_PROVIDER", "LINK_OVER", "LAST_IDENTITY", "SIGN_IN_AGAIN", *SECOND, "STAFF_RIGHTS", "UNDO_OVER", "DELETION_UNDERWAY",
        "SIGN_IN_REFUSED",
    ),
    "AccountErrorCode": (*COMMON, "OPEN_ORDERS", "ONLY_OWNER", "TOO_MANY_EXPORTS", "SIGN_IN_AGAIN", *SECOND),
}  # fmt: skip

MESSAGES: Final = {
    "NOT_FOUND": ("找不到這筆資料。", "There is no such object."),
    "PERMISSION_DENIED": ("您在這個賣場沒有這項權限。", "You do not hold this permission in the shop."),
    "INVALID_INPUT": ("輸入的內容不正確。", "A value is not valid."),
    "REFUSED": ("無法完成這個動作。", "This cannot be done."),
    "IDEMPOTENCY_KEY_MISSING": ("缺少 @idempotent 的 key。", "The key of @idempotent is missing."),
    "IDEMPOTENCY_KEY_REUSED": ("這個 key 已用於另一個請求。", "This key was used for another request."),
    "IDEMPOTENCY_KEY_UNUSABLE": ("這個 key 的格式不正確。", "This is not a usable key."),
    "ALREADY_PAID": ("這張訂單已經付款。", "The order is paid already."),
    "AMOUNT_MISMATCH": ("金額與應付金額不符。", "The amount is not the amount due."),
    "PAYMENT_UNAVAILABLE": ("目前無法以這種方式線上付款。", "It cannot be paid online in this way now."),
    "PAYMENT_UNDER_WAY": ("線上付款進行中，請等付款完成或失效後再試。", "An online payment is under way; wait until it is done or over."),
    "ALREADY_OPEN": ("這張訂單已經有處理中的問題。", "There is an open problem about this order already."),
    "INVALID_TRANSITION": ("目前的狀態無法這樣做。", "The present state does not allow this."),
    "VERSION_CONFLICT": ("資料已被更新，請重新整理後再試。", "It was changed meanwhile; look again."),
    "INSUFFICIENT_STOCK": ("庫存不足。", "There is not enough stock."),
    "OVER_LIMIT": ("數量超過上限。", "This is over the limit."),
    "BUYER_RESTRICTED": ("目前無法在這個賣場下單。", "You cannot order from this shop at present."),
    "NOT_EDITABLE": ("已經處理過，或目前無法這樣更改。", "It was dealt with already, or cannot be changed like this."),
    "ITEM_CLOSED": ("這個品項目前無法訂購。", "This item cannot be ordered now."),
    "HOLD_EXPIRED": ("保留的時間已過。", "The time for this is over."),
    "CROSS_SHOP_MERGE": ("不同賣場的訂單無法合併。", "Orders of several shops cannot be one."),
    "APPROVAL_REQUIRED": ("請填寫退款的參考編號。", "Say what the returned money is found by."),
    "PICKUP_REFUSED": ("這個取貨碼目前無法取貨。", "This code is not good for goods now."),
    "DIFFERENT_BUYERS": ("一個包裹只能寄給一位買家。", "A parcel goes to one buyer."),
    "DELIVERY_DIFFERS": ("這些訂單的交貨方式或地點不同，請指定要用哪一個。", "These orders go different ways; say which one it is to be."),
    "GIFT_DIFFERS": ("其中有送禮的訂單，請指定以哪一份禮物為準。", "One of these orders is a gift; say which gift all of them become."),
    "TRACKING_NUMBER_USED": ("這個物流單號已用於另一個包裹。", "Another parcel has this tracking number."),
    "BAD_IMPORT": ("無法讀取這份表格。", "This table cannot be read."),
    "TOO_MANY_ANNOUNCEMENTS": ("今天的公告次數已達上限，請明天再試。", "No more announcements today; try again tomorrow."),
    "INVALID_DEVICE": ("裝置資料不正確。", "The device is not valid."),
    "SAME_PROVIDER": ("兩個帳號在同一平台各有身分，無法合併。", "Both have an account of the same platform; they cannot be one."),
    "LINK_OVER": ("代碼或連結已失效，請重新取得。", "This code or question is over; get a new one."),
    "LAST_IDENTITY": ("這是唯一的登入方式，無法移除。", "This is the only way to sign in; it cannot be given up."),
    "SIGN_IN_AGAIN": ("請重新登入這個帳號後再試。", "Sign in to this account again, then try once more."),
    "SECOND_PROOF_NEEDED": ("請完成第二重驗證後再試。", "Confirm with your second proof, then try once more."),
    "SECOND_PROOF_UNSET": (
        "賣場要求人員使用第二重驗證，請先設定。",
        "A shop you work in asks its staff for a second proof; set one up first.",
    ),
    "SIGN_IN_REFUSED": ("這個帳號已刪除或併入其他帳號，請重新登入。", "This account is gone, or is part of another one; sign in again."),
    "STAFF_RIGHTS": ("這個帳號是賣場人員，無法併入其他帳號。", "This account works in a shop and cannot become part of another."),
    "UNDO_OVER": ("已超過期限，無法復原。", "It is too late to undo this."),
    "DELETION_UNDERWAY": ("帳號正在刪除中，請先取消刪除。", "An account is about to be deleted; call that off first."),
    "SLOT_FULL": ("這個時段已經額滿。", "This slot is full."),
    "DUPLICATE_ITEM": (
        "您在這個賣場已有一張同樣取貨方式的未付款訂單，請先完成或合併。",
        "You have another unpaid order by this way at the shop; finish or merge it first.",
    ),
    "OPEN_ORDERS": ("還有未完成的訂單，完成後才能刪除帳號。", "There are orders under way; they have to end first."),
    "ONLY_OWNER": ("您是賣場唯一的擁有者，請先移交。", "You are a shop's only owner; hand it over first."),
    "TOO_MANY_EXPORTS": ("今天的下載次數已達上限，請明天再試。", "No more files today; try again tomorrow."),
}
"""Code: (zh-TW, en)."""

REFUSALS: Final = {
    PickupRefusal.INVALID: ("無法辨識的取貨碼。", "This is no valid code."),
    PickupRefusal.EXPIRED: ("取貨碼已過期，請買家更新。", "The code has expired; ask for a new one."),
    PickupRefusal.ALREADY_USED: ("已經取貨。", "These goods were handed over already."),
    PickupRefusal.WRONG_SHOP: ("這是其他賣場的取貨碼。", "This code is another shop's."),
    PickupRefusal.WRONG_SLOT: ("不是這個取貨時段。", "This is not the slot."),
    PickupRefusal.UNPAID: ("尚未付款。", "It is not paid."),
    PickupRefusal.NOT_READY: ("商品尚未備妥。", "The goods are not ready."),
    PickupRefusal.CANCELLED: ("訂單已取消。", "It was cancelled."),
    PickupRefusal.REVOKED: ("取貨碼已更新，請出示新的。", "The code was replaced by a newer one."),
    PickupRefusal.BLOCKED: ("嘗試次數過多，請稍後再試。", "Too many tries; wait a while."),
    PickupRefusal.AMBIGUOUS: ("取貨碼不明確。", "The code is ambiguous."),
    PickupRefusal.RULES: ("不符合取貨規則。", "The rules do not allow this."),
    PickupRefusal.NOT_PERMITTED: ("您不能確認這次取貨。", "You may not confirm this."),
}
"""Refusal of a pickup: (zh-TW, en)."""


def message(code: str, language: str, refusal: str | None = None) -> str:
    """The words of a code, or of the pickup's refusal where there is one."""
    return say(REFUSALS[PickupRefusal(refusal)] if refusal else MESSAGES.get(code, MESSAGES[FALLBACK]), language)


if TYPE_CHECKING:

    class OrderErrorCode(Enum):
        """FAMILIES["OrderErrorCode"]."""

    class StockErrorCode(Enum):
        """FAMILIES["StockErrorCode"]."""

    class CommentErrorCode(Enum):
        """FAMILIES["CommentErrorCode"]."""

    class SuggestionErrorCode(Enum):
        """FAMILIES["SuggestionErrorCode"]."""

    class DisputeErrorCode(Enum):
        """FAMILIES["DisputeErrorCode"]."""

    class ClaimErrorCode(Enum):
        """FAMILIES["ClaimErrorCode"]."""

    class ActingErrorCode(Enum):
        """FAMILIES["ActingErrorCode"]."""

    class PickupErrorCode(Enum):
        """FAMILIES["PickupErrorCode"]."""

    class ShipmentErrorCode(Enum):
        """FAMILIES["ShipmentErrorCode"]."""

    class MemberErrorCode(Enum):
        """FAMILIES["MemberErrorCode"]."""

    class AnnouncementErrorCode(Enum):
        """FAMILIES["AnnouncementErrorCode"]."""

    class PolicyErrorCode(Enum):
        """FAMILIES["PolicyErrorCode"]."""

    class BuyerErrorCode(Enum):
        """FAMILIES["BuyerErrorCode"]."""

    class IdentityErrorCode(Enum):
        """FAMILIES["IdentityErrorCode"]."""

    class AccountErrorCode(Enum):
        """FAMILIES["AccountErrorCode"]."""

    class TransferErrorCode(Enum):
        """FAMILIES["TransferErrorCode"]."""

    class DeliveryErrorCode(Enum):
        """FAMILIES["DeliveryErrorCode"]."""

else:

    def _enum(name):
        return strawberry.enum(Enum(name, {code: code for code in FAMILIES[name]}), description="Treat unknown values as REFUSED.")

    OrderErrorCode = _enum("OrderErrorCode")
    StockErrorCode = _enum("StockErrorCode")
    CommentErrorCode = _enum("CommentErrorCode")
    SuggestionErrorCode = _enum("SuggestionErrorCode")
    DisputeErrorCode = _enum("DisputeErrorCode")
    ClaimErrorCode = _enum("ClaimErrorCode")
    ActingErrorCode = _enum("ActingErrorCode")
    PickupErrorCode = _enum("PickupErrorCode")
    ShipmentErrorCode = _enum("ShipmentErrorCode")
    MemberErrorCode = _enum("MemberErrorCode")
    AnnouncementErrorCode = _enum("AnnouncementErrorCode")
    PolicyErrorCode = _enum("PolicyErrorCode")
    BuyerErrorCode = _enum("BuyerErrorCode")
    IdentityErrorCode = _enum("IdentityErrorCode")
    AccountErrorCode = _enum("AccountErrorCode")
    TransferErrorCode = _enum("TransferErrorCode")
    DeliveryErrorCode = _enum("DeliveryErrorCode")


@strawberry.interface(description="Why a mutation was refused.")
class UserError:
    field: list[str] | None = strawberry.field(description="Path of the input field, where one is to blame.")
    message: str = strawberry.field(description="For people, in their language.")
    retryable: bool = strawberry.field(description="The same request may be sent again.")


@strawberry.type
class OrderUserError(UserError):
    code: OrderErrorCode
    conflicting_version: int | None


@strawberry.type
class StockUserError(UserError):
    code: StockErrorCode
    available_quantity: int | None
    conflicting_quantity: int | None = strawberry.field(description="Pieces on hand now, when they were changed meanwhile.")


@strawberry.type
class CommentUserError(UserError):
    code: CommentErrorCode
    available_quantity: int | None


@strawberry.type
class SuggestionUserError(UserError):
    code: SuggestionErrorCode
    available_quantity: int | None


@strawberry.type(description="Why a wish, a place in a waiting list or an offer was refused.")
class ClaimUserError(UserError):
    code: ClaimErrorCode = strawberry.field(description="For the app.")
    available_quantity: int | None = strawberry.field(description="Pieces that are left, where there are too few.")


@strawberry.type(description="Why an act on an order that stands was refused.")
class ActingUserError(UserError):
    code: ActingErrorCode = strawberry.field(description="For the app.")
    conflicting_version: int | None = strawberry.field(description="The order's version now, when it was changed meanwhile.")


@strawberry.type
class DisputeUserError(UserError):
    code: DisputeErrorCode


@strawberry.type
class PickupUserError(UserError):
    code: PickupErrorCode
    refusal: PickupRefusal | None
    right_slot: PassSlot | None = strawberry.field(description="The slot of the code, with WRONG_SLOT.")


@strawberry.type(description="Why an act on a parcel was refused.")
class ShipmentUserError(UserError):
    code: ShipmentErrorCode
    available_quantity: int | None = strawberry.field(
        description="Pieces that are left to be sent, or that are there, where there are too few."
    )


@strawberry.type
class MemberUserError(UserError):
    code: MemberErrorCode


@strawberry.type
class AnnouncementUserError(UserError):
    code: AnnouncementErrorCode


@strawberry.type
class PolicyUserError(UserError):
    code: PolicyErrorCode


@strawberry.type
class BuyerUserError(UserError):
    code: BuyerErrorCode


@strawberry.type(description="Why an act on identities and names was refused.")
class IdentityUserError(UserError):
    code: IdentityErrorCode = strawberry.field(description="For the app.")


@strawberry.type(description="Why an act on the account was refused.")
class AccountUserError(UserError):
    code: AccountErrorCode = strawberry.field(description="For the app.")


@strawberry.type(description="Why an act on a reported transfer was refused.")
class TransferUserError(UserError):
    code: TransferErrorCode = strawberry.field(description="For the app.")


@strawberry.type(description="Why an act on delivery or a gift was refused.")
class DeliveryUserError(UserError):
    code: DeliveryErrorCode = strawberry.field(description="For the app.")
    conflicting_version: int | None = strawberry.field(description="The version the order has now, with VERSION_CONFLICT.")
