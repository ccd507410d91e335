"""The screens that the read benchmarks ask for: one GraphQL document each, and answers of any kind brought to one form to be compared.

The documents are those of the member app (docs/api/guide.md), with what its home screen shows at once: the orders, and the passes that wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from domain.ids import read_public_id
from domain.money import DIGITS

HOME: Final = """query Home {
  me {
    orders(first: 20) {
      nodes {
        id number createdAt state paymentState fulfilmentState deliveryMethod payBy
        shop { id name currency pickupPlace }
        total { amount currencyCode }
        amountDue { amount currencyCode }
        lines(first: 5) { totalCount nodes { id title variantLabel quantity handedOver unitPrice { amount currencyCode } } }
        shipments { id state carrier trackingNumber lastPickupDay }
        pickup { id state codeExpiresAt }
      }
      pageInfo { hasNextPage hasPreviousPage endCursor }
    }
    pickups(first: 10, filter: {state: OPEN}) { nodes { id state codeExpiresAt shop { id name pickupPlace } } }
  }
}"""
UNPAID: Final = """query Unpaid {
  me {
    unpaid(first: 20) {
      totals { amount currencyCode }
      byShop { shop { id name } amountDue { amount currencyCode } orderCount payBy }
      nodes { id number payBy amountDue { amount currencyCode } shop { id name } }
      pageInfo { hasNextPage hasPreviousPage endCursor }
    }
  }
}"""
NOTICES: Final = """query Inbox {
  me {
    notifications(first: 20) {
      unreadCount
      nodes { id kind title body deepLink createdAt readAt shop { id name } }
      pageInfo { hasNextPage hasPreviousPage endCursor }
    }
  }
}"""
PARCELS: Final = """query Parcels {
  me {
    shipments(first: 20, filter: {active: true}) {
      nodes { id state carrier trackingNumber storeName lastPickupDay createdAt shop { id name } lines { orderNumber title quantity } events { state at note } }
      pageInfo { hasNextPage hasPreviousPage endCursor }
    }
  }
}"""
HOME_WHOLE: Final = HOME.replace("payBy\n", "payBy actions undoUntil isGift\n", 1)
"""With what the order's buyer may do just now, which no statement written by hand for these screens works out."""
FOUND: Final = HOME.replace("orders(first: 20)", 'orders(first: 20, filter: {text: "0"})')
OWED: Final = UNPAID.replace(
    "nodes {",
    "byDeadline { payBy amountDue { amount currencyCode } orderCount } lines { lineId orderNumber title quantity payBy shop { id } }\n      nodes {",
)
DESK: Final[Mapping[str, str]] = {
    "desk: orders": """query Desk($shop: ID!) { shop(id: $shop) { orders(list: TO_PICK_UP, first: 20) { totalCount
      nodes { id number createdAt actions buyer { name } total { amount currencyCode } lines(first: 5) { nodes { title quantity } } } } } }""",
    "desk: all orders": """query All($shop: ID!) { shop(id: $shop) { orders(first: 20) {
      nodes { id number createdAt state paymentState fulfilmentState buyer { name } total { amount currencyCode } } } } }""",
    "desk: stock": """query Stock($shop: ID!) { shop(id: $shop) { stock(first: 50) {
      nodes { onHand held committed available variant { label product { title } } } } } }""",
    "desk: comments": """query Comments($shop: ID!) { shop(id: $shop) { comments(first: 20) {
      nodes { text author { name } claim { outcome reason order { number } } } } } }""",
}
"""The lists of a shop's staff."""
DOCUMENTS: Final[Mapping[str, str]] = {"home": HOME, "unpaid": UNPAID, "notices": NOTICES}
MORE: Final[Mapping[str, str]] = {"home, whole": HOME_WHOLE, "orders with a text": FOUND, "what is owed": OWED, "parcels": PARCELS}
"""Further screens of the member app. A text is looked for in all of a member's own orders until the page is full."""
WORDS: Final = frozenset({"title", "body", "deepLink", "facts"})
"""Of a notice: made from its facts in Python, so that an answer made by PostgreSQL alone has the facts instead."""


@dataclass(frozen=True, slots=True)
class Same:
    """Brings an answer to the form in which all are compared; `words` False leaves the words of notices out."""

    words: bool = True

    def of(self, value: Any) -> Any:
        """Amounts as minor units, instants as such, ids as UUIDs, cursors as whether there is one."""
        match value:
            case {"amount": amount, "currencyCode": str(currency)}:
                return (self._minor(amount, currency), currency)
            case dict():
                kept = {key: inner for key, inner in value.items() if self.words or "kind" not in value or key not in WORDS}
                return {key: self._field(key, inner) for key, inner in kept.items()}
            case list():
                return [self.of(inner) for inner in value]
            case _:
                return value

    def _field(self, key: str, value: Any) -> Any:
        if key == "endCursor":
            return value is not None
        if key == "id":
            read = read_public_id(value)
            return str(read[1]) if read else value
        if isinstance(value, str) and (key.endswith("At") or key == "payBy"):
            return datetime.fromisoformat(value).astimezone(UTC)
        return self.of(value)

    @staticmethod
    def _minor(amount: Any, currency: str) -> int:
        """An amount in minor units: it comes as a decimal text, or already as a whole number of them."""
        return amount if isinstance(amount, int) else int(Decimal(str(amount)).scaleb(DIGITS[currency]))
