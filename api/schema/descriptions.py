"""Words for every name of the schema that does not bring its own: rules for what is alike everywhere, and a table for the rest.

A description says what the name and type cannot: unit, order, when it is null, what to do with it. `tests/api/graphql/test_descriptions.py` fails
for a name without words, and for words without a name.
"""

from __future__ import annotations

from typing import Any, Final

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    is_introspection_type,
    is_specified_scalar_type,
)

from api.schema.errors import MESSAGES, REFUSALS
from domain.orders.timeline import WORDS, OrderEventKind
from domain.pickup.rules import PickupRefusal

Words = dict[str, str]

OF_CONNECTIONS: Final[Words] = {
    "nodes": "The objects of this page, in the list's order.",
    "edges": "The same objects, each with its cursor.",
    "pageInfo": "What lies before and after this page.",
    "totalCount": "Objects in the whole list; at most 1000 are counted.",
    "totalCountIsExact": "False when there are more than were counted.",
}
OF_ARGUMENTS: Final[Words] = {
    "first": "This many from the beginning, or after `after`: 1 to 100.",
    "after": "Only what follows this cursor.",
    "last": "This many from the end, or before `before`: 1 to 100. Not together with `first`.",
    "before": "Only what precedes this cursor.",
    "filter": "Narrows the list; a cursor is good for the same filter only.",
    "input": "All that the field is given.",
    "id": "As another answer gave it.",
    "ids": "As other answers gave them.",
}
OF_ANY: Final[Words] = {"id": "Opaque: good for asking again, and for nothing else."}
USER_ERRORS: Final = "Why it was refused; empty when it was done."
CODE: Final = "For the app, from a list that may grow: what was refused."

TABLE: Final[dict[str, Words]] = {
    "Query": {"": "What may be read.", "gift(token)": "From `giftLinkCreate`.", "shop(handle)": "Instead of the id: the name in the shop's address."},
    "Mutation": {"": "What may be done."},
    "Subscription": {
        "": "What may be watched, over web sockets.", "myOrders(since)": "A place: of `me.liveCursor`, or `resumeFrom` of an earlier message.",
        "myNotifications(since)": "A place: of `me.liveCursor`, or `resumeFrom` of an earlier message.",
    },
    "idempotent": {"(key)": "1 to 120 printable ASCII characters, such as a UUID."},
    "Announcement": {"title": "As buyers read it.", "body": "As buyers read it.", "createdAt": "When it was made."},
    "AnnouncementCreateInput": {"shopId": "Whose buyers are told."},
    "AnnouncementCreatePayload": {"announcement": "It is told from now on, to some hundred buyers at a time."},
    "KindPreference": {"kind": "Which kind."},
    "KindPreferenceInput": {"kind": "Which kind."},
    "NotificationPreferencesUpdatePayload": {"preferences": "As they are now."},
    "NotificationTopic": {
        "ORDER": "What was ordered, and what became of it.", "PAYMENT": "Money.", "SHIPMENT": "Parcels.", "PICKUP": "Goods that are collected.",
        "ANNOUNCEMENT": "What the shop tells.",
    },
    "ShopMuteInput": {"shopId": "Any shop."},
    "ShopMutePayload": {"preferences": "As they are now."},
    "ShopPreferences": {"shop": "Which shop."},
    "AdjustReason": {
        "RECEIPT": "Goods came in.", "COUNT": "They were counted.", "DAMAGE": "Broken or spoilt.", "LOSS": "Lost or stolen.", "GIFT": "Given away.",
        "RETURN": "A buyer brought them back.", "TRANSFER": "Moved to or from another place.", "CORRECTION": "An earlier entry was wrong.",
    },
    "Buyer": {"displayName": "As the member calls themself.", "locale": "Language of notices and messages, such as zh-TW."},
    "Carrier": {
        "SEVEN_ELEVEN": "7-ELEVEN, to a store.", "FAMILY_MART": "FamilyMart, to a store.", "HI_LIFE": "Hi-Life, to a store.", "OK_MART": "OK mart, to a store.",
        "T_CAT": "T-Cat, to the door.", "POST": "Chunghwa Post.", "HCT": "HCT Logistics, to the door.", "KERRY_TJ": "Kerry TJ, to the door.",
        "SF_EXPRESS": "SF Express.", "OTHER": "Another one; `carrierName` says which.",
    },
    "Claim": {
        "outcome": "What became of it.", "reason": "Why, where the outcome alone does not say it: a code such as CLOSED or UNKNOWN_ITEM. New ones may come.",
        "review": "Whether a person of the shop must look.", "decidedAt": "When it was decided last.", "comment": "What was written; null for staff who may not view comments.",
        "rule": "The claim policy that applied.", "order": "The order that it made or changed; null where there is none, or the viewer may not see it.",
    },
    "ClaimOutcome": {
        "": "What became of a comment. Treat unknown values as NEEDS_REVIEW.", "ORDERED": "All of it is ordered.", "PARTIAL": "A part is ordered.",
        "WAITLISTED": "All of it waits for more pieces.", "SUGGESTED": "Its buyer was asked to confirm.", "CANCELLED": "It took back what was ordered.",
        "DUPLICATE": "It said again what was ordered before.", "REJECTED": "Nothing of it could be ordered.",
        "NEEDS_REVIEW": "A person of the shop must look.", "IGNORED": "It asks for nothing.",
    },
    "ClaimRuleVersion": {"sentence": "How to order, in words for buyers.", "effectiveAt": "Since when; null for the default rule."},
    "CommentFilter": {
        "outcome": "Only these.", "review": "Only those that stand so.", "platform": "Only those of this platform.", "postId": "Only those below this post.",
    },
    "CommentLineInput": {"": "Pieces that a comment meant.", "variantId": "Of the comment's post.", "quantity": "Pieces, at least 1."},
    "CommentResolveInput": {"commentId": "One whose review is open.", "action": "What it meant."},
    "CommentResolvePayload": {"comment": "As it stands now."},
    "CommentRevision": {"text": "As it was then.", "at": "When the platform says it was so."},
    "CommentUserError": {"availableQuantity": "Pieces that are left, where there are too few."},
    "CurrencyCode": {
        "BND": "Brunei dollar.", "CNY": "Renminbi.", "EUR": "Euro.", "GBP": "Pound sterling.", "HKD": "Hong Kong dollar.", "IDR": "Indonesian rupiah.",
        "JPY": "Yen; no decimals.", "KRW": "Won; no decimals.", "MOP": "Macanese pataca.", "MYR": "Malaysian ringgit.", "PHP": "Philippine peso.",
        "SGD": "Singapore dollar.", "THB": "Thai baht.", "TWD": "New Taiwan dollar; whole amounts in practice.", "USD": "US dollar.",
        "VND": "Vietnamese dong; no decimals.",
    },
    "DeliveryKind": {
        "FACE_TO_FACE": "At a place and time of the shop.", "CONVENIENCE_STORE": "Kept at a store until it is fetched.", "HOME": "To an address.",
    },
    "StoreChain": {
        "SEVEN_ELEVEN": "7-ELEVEN.", "FAMILY_MART": "FamilyMart.", "HI_LIFE": "Hi-Life.", "OK_MART": "OK mart.",
    },
    "DeliveryMethod": {"PICKUP": "Face to face, with a pass.", "SHIP": "Sent."},
    "Device": {"platform": "What it runs on."},
    "DevicePlatform": {"": "What an installation of the app runs on.", "IOS": "iPhone and iPad.", "ANDROID": "Phones and tablets with Android.", "WEB": "A browser."},
    "DeviceRegisterInput": {
        "installationId": "The installation's own id, as at sign-in; 1 to 120 printable ASCII characters.", "platform": "What it runs on.",
        "targetKind": "What `target` is.", "locale": "Language of pushes, such as zh-TW: the phone's, or the one that the member chose.",
    },
    "DeviceRegisterPayload": {"device": "The installation."},
    "FulfilmentState": {
        "UNFULFILLED": "Nothing was done yet.", "WAITING_STOCK": "Waits for goods.", "READY": "Packed.", "PARTIAL": "A part has left.",
        "LABELLED": "Its label is printed.", "SHIPPED": "On its way.", "ARRIVED_AT_STORE": "Waits at the convenience store.",
        "READY_FOR_PICKUP": "May be collected face to face.", "HANDED_OVER": "Collected face to face.", "DELIVERED": "The carrier delivered it.",
        "RETURNED": "It came back.",
    },
    "HandOver": {
        "pickupId": "What was collected.", "pickupState": "How the pickup stands now.", "lines": "What left with this hand-over.", "at": "When.",
    },
    "HandedOverLine": {"lineId": "The order's line.", "quantity": "Pieces that left."},
    "MemberUserError": {},
    "Money": {"amount": "Exact, with the currency's own decimals.", "currencyCode": "Of the amount."},
    "MoneyInput": {"amount": "Exact; a text such as \"590\".", "currencyCode": "Of the amount; it must be the shop's."},
    "Node": {"id": "Opaque: good for `node`, and never reused."},
    "Notification": {
        "kind": "What happened.", "topic": "What it is about.", "title": "As the push said it, in the language of the request.", "body": "As the push said it.",
        "deepLink": "Where a tap leads inside the app.", "shop": "Whose news it is.", "createdAt": "When it came to be.", "readAt": "Null while it is unread.",
    },
    "NotificationFilter": {"unread": "True: only those not read; false: only those read."},
    "NotificationKind": {
        "ORDER_PLACED": "A comment became an order.", "ORDER_PARTIAL": "A part of a comment became an order.",
        "WAITLISTED": "Pieces of a comment wait.", "WAITLIST_FILLED": "Pieces that waited are ordered.", "SUGGESTION": "A comment needs a yes.",
        "WAITLIST_OFFERED": "Pieces are kept for me until I say yes.", "WAITLIST_OFFER_OVER": "I let an offer pass.",
        "CANCEL_DECLINED": "The shop did not cancel an order.",
        "CLAIM_REJECTED": "A comment could not be ordered.", "LINES_CANCELLED": "Lines were taken back.", "LINES_CHANGED": "Lines were changed.",
        "ASK_BUYER": "The shop needs an answer.", "ORDER_CANCELLED": "An order was cancelled.", "ORDER_EXPIRED": "An order was not paid in time.",
        "TRANSFER_REFUSED": "A reported transfer was not found, or nobody looked for it.",
        "PAYMENT_RECEIVED": "The shop has the money.", "PAYMENT_REMINDER": "An order is to be paid soon.",
        "PAYMENT_TO_RETURN": "Money came that is not the order's; the shop gives it back.", "PICKUP_READY": "Goods may be collected.",
        "PICKED_UP": "Goods were handed over.", "ANNOUNCEMENT": "The shop tells something.", "SHIPMENT_SENT": "A parcel is on its way.",
        "SHIPMENT_ARRIVED": "A parcel lies in the store.", "SHIPMENT_LAST_DAY": "A store keeps a parcel until today or tomorrow.",
        "SHIPMENT_DELIVERED": "A parcel is with the buyer.", "SHIPMENT_RETURNED": "A parcel went back to the shop.",
        "SHIPMENT_UPDATED": "A parcel is somewhere else, or was cancelled.",
        "DISPUTE_ANSWERED": "The shop wrote about a problem with an order.", "DISPUTE_CLOSED": "The shop takes a problem for solved.",
    },
    "NotificationsMarkReadInput": {"": "Notifications that were seen."},
    "NotificationsMarkReadPayload": {"notifications": "Those of them that are mine, as they stand now.", "unreadCount": "Unread ones of the whole inbox."},
    "Order": {
        "number": "The shop's own number, for people.", "version": "Rises with every change; send it as `expectedVersion`.", "shop": "Where it was placed.",
        "buyer": "Who placed it, as the shop knows them.", "createdAt": "When it was placed.", "updatedAt": "When it was changed last.",
        "state": "What the shop intends.", "paymentState": "Where the money is.", "fulfilmentState": "Where the goods are.",
        "list": "The seller's list that it is in.", "deliveryMethod": "How the goods reach the buyer.", "subtotal": "Its lines together.",
        "shippingFee": "On top of the subtotal.", "discount": "Taken off.", "total": "subtotal + shippingFee - discount.",
        "paid": "Received so far.", "amountDue": "Still owed; 0 when nothing is.", "payBy": "The deadline; null when nothing is due, or there is none.",
        "actions": "Never work these out from the states.",
    },
    "OrderAction": {
        "PAY": "Pay it.", "CANCEL": "Cancel it.", "SHOW_CODE": "Show its pickup code.", "MARK_PAID": "Record a payment by other means.",
        "HAND_OVER": "Hand its goods over.", "SHIP": "Pack goods of it into a parcel.", "TRACK": "See where its parcels are.",
        "UNDO": "Take its newest line back, until `undoUntil`.", "REDUCE": "Make lines smaller, or drop them.", "REQUEST_CANCEL": "Ask the shop to cancel it.",
        "MERGE": "Make it one with another of my orders.", "SHIP_LATER": "Let the parcel wait for others.", "SHIP_NOW": "The parcel need not wait any more.",
        "ANSWER_CANCEL": "Answer its buyer, who asks to cancel it.", "REPORT_TRANSFER": "Say that money was sent.", "CHOOSE_DELIVERY": "Choose how it is delivered.",
        "MAKE_GIFT": "Hand a link on that shows no price.", "ANSWER_TRANSFER": "Confirm or refuse the reported transfer.",
    },
    "OrderCancelInput": {"orderId": "An open, unpaid order."},
    "OrderCancelPayload": {"order": "As it stands now; null also for staff who may act on it and not view orders."},
    "OrderFilter": {
        "shopIds": "Only those of these shops.", "state": "Only those that stand so.", "paymentState": "Only those whose money stands so.",
        "fulfilmentState": "Only those whose goods are there.",
    },
    "OrderEvent": {
        "kind": "What happened.", "title": "What happened, in a few words of the reader's language.", "by": "Who did it.",
        "lines": "What it was about; empty where it was the whole order. At most 100.",
    },
    "OrderEventBy": {
        "BUYER": "The buyer: in the app, or by a comment.", "SHOP": "Somebody of the shop.", "SYSTEM": "Nobody: it fell due, or goods came in.",
    },
    "OrderEventLine": {"title": "The product's name.", "variantLabel": "The variant's name; empty where there is only one."},
    "OrderPayment": {"method": "How it came.", "amount": "How much came."},
    "OrderTotals": {"total": "What these orders cost.", "paid": "What was received for them."},
    "OrderLine": {
        "title": "The product's name when it was ordered.", "variantLabel": "The variant's name then; empty where there is only one.",
        "variant": "The variant as it is now.", "handedOver": "Pieces that were collected; those that are sent stand in the order's `shipments`.",
        "unitPrice": "Of one piece, when it was ordered.",
        "total": "quantity x unitPrice.", "claim": "The comment that it came from; null without one.", "source": "Where it came from.",
    },
    "OrderList": {
        "TO_PAY": "Waits for money.", "TO_SHIP": "Waits to be sent.", "TO_PICK_UP": "Waits to be collected.", "TO_RECEIVE": "On its way.",
        "REVIEW": "A person must look.", "DONE": "Nothing is left to do.",
    },
    "OrderMarkPaidInput": {"orderId": "An unpaid order.", "method": "How the money came."},
    "OrderMarkPaidPayload": {"order": "As it stands now; null also for staff who may act on it and not view orders."},
    "OrderSource": {"platform": "Where the order was written.", "post": "Below which post; null without one."},
    "OrderState": {
        "OPEN": "It may change.", "LOCKED": "The shop works on it.", "COMPLETED": "The goods are with the buyer.", "CANCELLED": "It is no more.",
    },
    "OrderUserError": {"conflictingVersion": "The version it has now, with VERSION_CONFLICT."},
    "PageInfo": {
        "hasNextPage": "More follows.", "hasPreviousPage": "Something precedes.", "startCursor": "Of the first object; null on an empty page.",
        "endCursor": "Of the last object, for `after`; null on an empty page.",
    },
    "PaymentMethod": {
        "": "How a shop took money by itself.", "CASH": "Notes and coins.", "BANK_TRANSFER": "A transfer to the shop's account.",
        "CARD_TERMINAL": "The shop's own card terminal.", "OTHER": "Something else; the reference says what.",
        "ONLINE": "Through a payment provider; only the provider's own word brings it, `orderMarkPaid` refuses it.",
    },
    "PaymentState": {
        "NONE_DUE": "There is nothing to pay.", "UNPAID": "Nothing has come.", "REPORTED": "The buyer says it was sent.", "PENDING": "The provider works on it.",
        "FAILED": "A payment failed; it may be tried again.", "EXPIRED": "Not paid in time.", "PARTIALLY_PAID": "A part has come.", "PAID": "All of it has come.",
        "PARTIALLY_REFUNDED": "A part went back.", "REFUNDED": "All of it went back.", "COLLECT_ON_DELIVERY": "It is paid when the goods arrive.",
    },
    "OrderChange": {"kind": "Whether it is still mine.", "orderId": "The order's id."},
    "OrderChangeKind": {"CHANGED": "`order` is how it stands.", "GONE": "It is no longer mine."},
    "Pickup": {"state": "Whether there is something left.", "shop": "Where.", "orders": "What is collected with it.", "createdAt": "When it came to be."},
    "PickupConfirmInput": {
        "shopId": "The shop of the counter.", "scanId": "From `pickupScan`.", "deviceId": "The scanner's own name for itself; at most 120 characters.",
    },
    "PickupConfirmPayload": {"handOver": "What left."},
    "PickupFilter": {"state": "Only those that stand so."},
    "PickupLine": {
        "lineId": "For `pickupConfirm`.", "orderNumber": "Of the line's order.", "title": "The product's name.",
        "variantLabel": "The variant's name; empty where there is only one.",
    },
    "PickupLineInput": {"": "Pieces that leave now.", "lineId": "From the preview.", "quantity": "Pieces, 1 to what is left."},
    "PickupLoan": {"lentAt": "When it was made.", "usedAt": "When goods left by it; null until then."},
    "PickupPass": {"expiresAt": "From then on a new one is needed.", "coversOrders": "What it is good for."},
    "PickupPassDelegateInput": {"pickupId": "One of mine that is open."},
    "PickupPassDelegatePayload": {"pickupPass": "Good at once; send it to whoever comes."},
    "PickupPassIssueInput": {"pickupId": "One of mine that is open."},
    "PickupPassIssuePayload": {"pickupPass": "Good at once; keep it off the screen until it is needed."},
    "PickupPassRevokeInput": {"pickupId": "One of mine."},
    "PickupPassRevokePayload": {"pickup": "As it stands now."},
    "PickupPreview": {
        "scanId": "For `pickupConfirm`.", "pickupId": "What would be collected.", "lines": "What may leave now.", "confirmBy": "From then on it must be scanned again.",
    },
    "PickupRefusal": {"": "Why a code is not good for goods now."},
    "PickupResult": {"pickup": "The pass."},
    "PickupScanInput": {"shopId": "The shop of the counter."},
    "PickupScanPayload": {"preview": "What may leave."},
    "PickupState": {
        "": "How a pickup stands.", "OPEN": "Something is left to collect.", "COLLECTED": "All of it was handed over.", "CANCELLED": "Nothing is left to collect.",
    },
    "PickupUserError": {"refusal": "Why, with PICKUP_REFUSED."},
    "PostItem": {
        "codes": "What buyers may write for it.", "onSale": "False: it cannot be ordered now.", "maxQuantity": "Pieces per comment; null for the policy's own limit.",
        "product": "What is offered.", "variants": "In the shop's order.",
    },
    "PostState": {
        "": "Whether a post sells.", "DRAFT": "Not yet.", "OPEN": "Its comments order.", "CLOSED": "Not any more.",
    },
    "Product": {"title": "For people."},
    "ProductVariant": {
        "label": "Empty where the product has only one.", "code": "The shop's own; empty without one.", "price": "Of one piece, now.", "product": "What it is a kind of.",
    },
    "PushTarget": {"TOKEN": "A registration token of FCM.", "FID": "A Firebase installation id."},
    "ResolveAction": {"MAKE_ORDER": "It meant these pieces.", "DISMISS": "Seen; nothing follows."},
    "ReviewState": {"NONE": "Nobody needs to look.", "OPEN": "It waits for a person.", "RESOLVED": "A person has looked."},
    "SalesPost": {
        "title": "For people.", "state": "Whether it sells.", "deliveryMethod": "How its goods reach buyers.", "opensAt": "Comments before it do not order; null: at once.",
        "closesAt": "Comments after it do not order; null: until it is closed.", "shop": "Whose it is.", "rule": "How to order here.", "items": "What it sells, in its order.",
    },
    "SalesPostLive": {"post": "What it sells and how much of it is left."},
    "SellBeyond": {
        "DENY": "No.", "PREORDER": "Yes, up to `backorderLimit`, as pre-orders.", "OVERSELL": "Yes, up to `backorderLimit`.",
    },
    "ReturnDecision": {
        "RESTOCK": "Back on the shelf, for everybody.", "SHIP_AGAIN": "Back on the shelf, for the same orders: they are to be sent again.",
        "WRITE_OFF": "They are lost or spoilt; nothing comes back into the stock.",
    },
    "ShipmentImportOutcome": {
        "CREATED": "Its order was packed.", "UPDATED": "Its parcel was changed, or something was kept.", "UNCHANGED": "It says nothing new.",
        "REFUSED": "It changed nothing; `code` says why.",
    },
    "ShipmentState": {
        "PREPARING": "Packed; the carrier does not have it yet.", "SHIPPED": "The carrier has it.", "IN_TRANSIT": "On its way.",
        "ARRIVED_AT_STORE": "It waits at the store, or the depot.", "DELIVERED": "The buyer has it.", "RETURNING": "On its way back to the shop.",
        "RETURNED": "The shop has it again.", "LOST": "The carrier lost it.", "CANCELLED": "It never left.",
    },
    "Shop": {
        "handle": "Its name in addresses.", "name": "For people.", "currency": "Of all its amounts.", "locale": "Its own language, such as zh-TW.",
        "pickupPlace": "Where goods are handed over; empty without a place.", "orders(list)": "Only those in this list.",
    },
    "ShopBuyer": {"name": "As the platform shows it.", "provider": "Where they wrote, such as facebook."},
    "SocialComment": {
        "platform": "Where it was written.", "writtenAt": "When, by the platform.", "receivedAt": "When it came here.", "removedAt": "Null while it stands.",
        "permalink": "Its address on the platform; null where there is none.", "author": "Who wrote it.", "post": "What it stands below; null for an unknown post.",
        "claim": "What became of it; null while it is not decided.", "revisions": "Its texts, oldest first.",
    },
    "SocialIdentity": {"name": "Empty where the platform gives none."},
    "SourcePlatform": {
        "FACEBOOK_PAGE": "A post of a page.", "FACEBOOK_GROUP": "A group.", "FACEBOOK_LIVE": "A live stream of a page.", "INSTAGRAM": "A post.",
        "INSTAGRAM_LIVE": "A live stream.", "LINE_GROUP": "A group chat.", "LINE_OPENCHAT": "An open chat.", "LINE_OA": "A chat with an official account.",
        "TELEGRAM": "A group.", "WEB": "The shop's front end.", "APP": "The member app.", "STAFF": "A person of the shop.", "IMPORT": "A file, or pasted text.",
    },
    "StockAdjustInput": {"variantId": "Of the shop.", "reason": "Kept in the ledger."},
    "StockAdjustPayload": {"stockLevel": "As it stands now."},
    "StockFilter": {"productId": "Only variants of this product.", "soldOut": "True: only those with nothing available; false: only the others."},
    "StockLevel": {
        "variant": "Whose figures they are.", "onHand": "Pieces in the shop.", "available": "Pieces that may still be ordered.",
        "backorderLimit": "Pieces that may be sold beyond those on hand.", "sellBeyond": "Whether they may.", "version": "Rises with every change.",
    },
    "StockSetInput": {"variantId": "Of the shop.", "reason": "Kept in the ledger."},
    "StockSetPayload": {"stockLevel": "As it stands now."},
    "StockUserError": {"availableQuantity": "Pieces that are left, where there are too few."},
    "SuggestionUserError": {"availableQuantity": "Pieces that are left, where there are too few."},
    "TransferState": {
        "OPEN": "The shop has yet to look.", "CONFIRMED": "The money came; the order is paid by it.", "REFUSED": "The shop did not find the money.",
        "LAPSED": "Nobody answered in time.", "REPLACED": "The buyer said it anew.", "OVER": "The order was paid in another way, or is no more.",
    },
    "UnpaidByDeadline": {"amountDue": "All that is owed by then in this currency.", "orderCount": "Orders that are to be paid by then."},
    "UnpaidFilter": {"shopIds": "Only what is owed to these shops.", "currency": "Only what is owed in this currency."},
    "UnpaidLine": {
        "orderNumber": "The shop's own number of that order.", "title": "The product's name when it was ordered.",
        "variantLabel": "The variant's name then; empty where there is only one.", "quantity": "Pieces.", "total": "quantity x the price of one.",
        "payBy": "Until when its order is to be paid; null where there is no deadline.", "shop": "Whom it is owed to.",
    },
    "UnpaidConnection": {"byShop": "The same by shop, the nearest deadline first."},
    "UnpaidOfShop": {"shop": "Whom it is owed to.", "amountDue": "All of it, in the shop's currency.", "orderCount": "Orders with something due."},
}  # fmt: skip


def describe(schema: GraphQLSchema) -> list[str]:
    """Give words to whatever has none; answers the entries of TABLE that were used, as `Type.name`."""
    used: list[str] = []
    mutations = {} if schema.mutation_type is None else schema.mutation_type.fields
    titles = {name[0].upper() + name[1:]: name for name in mutations}
    for type_ in schema.type_map.values():
        if not is_introspection_type(type_) and not is_specified_scalar_type(type_):
            words = _Words(type_.name, used)
            type_.description = type_.description or words.of("") or _of_type(type_.name, titles)
            _describe_members(type_, words)
    for directive in schema.directives:
        for name, argument in directive.args.items():
            argument.description = argument.description or _Words(directive.name, used).of(f"({name})")
    return used


class _Words:
    """TABLE's words for one type, noted when they are used."""

    def __init__(self, name: str, used: list[str]) -> None:
        self._name, self._table, self._used = name, TABLE.get(name, {}), used

    def of(self, member: str) -> str | None:
        """The words; None for none."""
        if member in self._table:
            self._used.append(f"{self._name}.{member}")
        return self._table.get(member)


def _describe_members(type_: Any, words: _Words) -> None:
    if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
        for name, field in type_.fields.items():
            field.description = field.description or words.of(name) or _of_field(type_.name, name)
            for argument_name, argument in field.args.items():
                argument.description = argument.description or words.of(f"{name}({argument_name})") or OF_ARGUMENTS.get(argument_name)
    elif isinstance(type_, GraphQLInputObjectType):
        for name, input_field in type_.fields.items():
            input_field.description = input_field.description or words.of(name)
    elif isinstance(type_, GraphQLEnumType):
        for name, value in type_.values.items():
            value.description = value.description or words.of(name) or _of_value(type_.name, name)


def _of_type(name: str, mutations: Words) -> str | None:
    for ending, sentence in (("Input", "What `{}` is given."), ("Payload", "What became of `{}`.")):
        if name.endswith(ending) and name.removesuffix(ending) in mutations:
            return sentence.format(mutations[name.removesuffix(ending)])
    return "Why it was refused." if name.endswith("UserError") else None


def _of_field(type_name: str, name: str) -> str | None:
    if type_name.endswith("Connection") and name in OF_CONNECTIONS:
        return OF_CONNECTIONS[name]
    if type_name.endswith("Edge") and name == "node":
        return "The object."
    if name == "userErrors":
        return USER_ERRORS
    return CODE if type_name.endswith("UserError") and name == "code" else OF_ANY.get(name)


def _of_value(type_name: str, name: str) -> str | None:
    if type_name.endswith("ErrorCode") and name in MESSAGES:
        return MESSAGES[name][1]
    if type_name == "PickupRefusal":
        return REFUSALS[PickupRefusal(name)][1]
    if type_name == "OrderEventKind":
        return f"{WORDS[OrderEventKind(name)][1]}."
    return None
