"""docs/api/errors.md: every code of every mutation, from the schema itself. `python -m plusone.error_page` prints the page as it is committed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Final

from api.execution.errors import Code
from api.graphql_app import schema
from api.resolvers.mutation import Refusals
from api.schema.errors import MESSAGES, REFUSALS

ADVICE: Final = {
    "NOT_FOUND": "Read the list again; the object is gone, or was never this viewer's.",
    "PERMISSION_DENIED": "Hide the action: the shop's owner gives permissions.",
    "INVALID_INPUT": "`field` says which value; let the person correct it.",
    "REFUSED": "Show `message`. Also what an app does with a code that it does not know.",
    "IDEMPOTENCY_KEY_MISSING": "Send the mutation with `@idempotent(key:)`: a mistake of the app.",
    "IDEMPOTENCY_KEY_REUSED": "Make a fresh key for each intention: a mistake of the app.",
    "IDEMPOTENCY_KEY_UNUSABLE": "1 to 120 printable ASCII characters: a mistake of the app.",
    "ALREADY_PAID": "Read the order again and show it as paid.",
    "AMOUNT_MISMATCH": "Read the order again; show what is due and ask anew.",
    "PAYMENT_UNAVAILABLE": "Offer another `OnlinePaymentMethod`, or what the shop says of paying by itself.",
    "PAYMENT_UNDER_WAY": "Show `message`; read the order again when its `paymentAttempts` are over.",
    "ALREADY_OPEN": "Show the order's dispute that is not closed; write there.",
    "INVALID_TRANSITION": "Read the object again; offer what its `actions` say.",
    "VERSION_CONFLICT": "Somebody was faster: read again, show what changed, ask anew.",
    "INSUFFICIENT_STOCK": "`availableQuantity` is what is left; offer that many.",
    "OVER_LIMIT": "Offer fewer.",
    "BUYER_RESTRICTED": "Show `message`; the shop decides.",
    "NOT_EDITABLE": "Read the list again; it was dealt with elsewhere.",
    "ITEM_CLOSED": "Read the post again; the item cannot be ordered now.",
    "PICKUP_REFUSED": "`refusal` says why; the table below says what follows.",
    "DIFFERENT_BUYERS": "Take lines of one buyer.",
    "DELIVERY_DIFFERS": "`field` names the input that decides: ask the person which way stays, or send a parcel for each.",
    "GIFT_DIFFERS": "Ask the person which gift all become, and send its order as `giftFrom`; or leave the gift out.",
    "TRACKING_NUMBER_USED": "Look the number up in the shop's parcels; correct the one that is wrong.",
    "BAD_IMPORT": "Check the heading and the size of the table ([shipments](shipments.md)).",
    "TOO_MANY_ANNOUNCEMENTS": "Offer it again tomorrow.",
    "INVALID_DEVICE": "Register again with the token that FCM gives now.",
    "SAME_PROVIDER": "Show `message`; one of the two has to be given up first.",
    "LINK_OVER": "Make a fresh code and let the person try again.",
    "LAST_IDENTITY": "Offer to add another way to sign in, or to delete the account.",
    "SIGN_IN_AGAIN": "Let the person [confirm the sign-in](sign-in.md#a-fresh-sign-in), then send the same, with the same key.",
    "SECOND_PROOF_NEEDED": "Let the person [show it](second-proof.md#confirming), then send the same, with the same key.",
    "SECOND_PROOF_UNSET": "Offer to [make a passkey](second-proof.md#making-one) or to set up an app, then send the same, with the same key.",
    "SIGN_IN_REFUSED": "The account was deleted, or is part of another now: forget its tokens and let the person sign in.",
    "STAFF_RIGHTS": "Merge the other way round, or leave the shop first.",
    "UNDO_OVER": "Read `me.merges` again and offer it no more.",
    "DELETION_UNDERWAY": "Offer `accountDeleteCancel`.",
    "HOLD_EXPIRED": "Read the order again: it runs out now, or has.",
    "SLOT_FULL": "Read `deliveryOptions` again; offer another slot.",
    "DUPLICATE_ITEM": "Show `message`; the other order is among `me.unpaid`.",
    "OPEN_ORDERS": "Show the open orders; ask again when they have ended.",
    "ONLY_OWNER": "Show `message`; the shop needs another owner first.",
    "TOO_MANY_EXPORTS": "Offer it again tomorrow.",
}
"""What an app does with a code."""

TOP_LEVEL: Final = {
    Code.UNAUTHENTICATED: ("401, or 200 at a field", "Refresh the access token; if that is refused, sign in."),
    Code.FORBIDDEN: ("200", "A permission is missing in this shop: hide what needs it."),
    Code.BAD_REQUEST: ("400; 200 for `application/json`", "A mistake of the app: the message says which. Do not send it again."),
    Code.QUERY_TOO_COMPLEX: ("400; 200 for `application/json`", "Ask for smaller pages, or split the document."),
    Code.PERSISTED_QUERY_REQUIRED: ("400; 200 for `application/json`", "Register the document: [operations](operations.md)."),
    Code.PERSISTED_QUERY_NOT_FOUND: ("200", "Send the text beside the hash once; Apollo's clients do it by themselves."),
    Code.THROTTLED: ("429, or 200 at a field", "Wait `extensions.retryAfterSeconds` (also `Retry-After`), then send the same again."),
    Code.RESYNC: ("of a stream", "Read the lists again, then subscribe with the place that they give ([streams](live.md))."),
    Code.UNAVAILABLE: ("503", "Wait `Retry-After` seconds, then send the same again, with the same idempotency key."),
    Code.INTERNAL: ("200 at a field, or 500", "Show an apology; report `extensions.requestId`."),
}
"""Code: HTTP status, and what an app does with it."""

HEAD = """# Errors

This page is printed by `python -m plusone.error_page`; a test holds it against the schema.

There are two kinds. What a person may not do now is **data**: the payload's `userErrors`, below per mutation. What is wrong with the **request** is
in `errors`, with `extensions.code`. New codes may come in both; treat those that you do not know as `REFUSED` and `BAD_REQUEST`. A code never
changes its meaning. `userErrors` have `message` for people in the language of `Accept-Language`, `field` (the path of the value to blame), and
`retryable`: the same request may be sent again.

## Of the request: `errors[].extensions.code`

| Code | HTTP status | What to do |
| --- | --- | --- |
"""

CODES = """
## Of a mutation: `userErrors[].code`

| Code | Means | What to do |
| --- | --- | --- |
"""


def page() -> str:
    """The whole page."""
    top = [f"| `{code}` | {status} | {advice} |" for code, (status, advice) in TOP_LEVEL.items()]
    codes = [f"| `{code}` | {words[1]} | {ADVICE.get(code, 'Show `message`.')} |" for code, words in MESSAGES.items()]
    refusals = [f"| `{refusal.value}` | {words[1]} |" for refusal, words in REFUSALS.items()]
    parts = [HEAD + "\n".join(top), CODES + "\n".join(codes), *_mutations()]
    parts.append("## `refusal` of `PICKUP_REFUSED`\n\n| Refusal | Means |\n| --- | --- |\n" + "\n".join(refusals))
    return "\n".join(f"{part.rstrip()}\n" for part in parts)


def codes_of(name: str) -> list[str]:
    """The codes that a mutation may answer, in the enum's order."""
    return list(_refusals(name).own)


def takes_key(name: str) -> bool:
    """Whether a mutation needs `@idempotent(key:)`."""
    return _refusals(name).idempotent


def _refusals(name: str) -> Refusals:
    assert schema._schema.mutation_type is not None
    definition: Any = schema._schema.mutation_type.fields[name].extensions["strawberry-definition"]
    return next(each for each in definition.extensions if isinstance(each, Refusals))


def _mutations() -> Iterator[str]:
    assert schema._schema.mutation_type is not None
    yield "## Per mutation\n\nA key: it needs `@idempotent(key:)`, and the same request with the same key is answered the same."
    yield "Codes are all that the mutation has a cause for. Its payload's enum may hold more: mutations of one family share it.\n"
    names = sorted(schema._schema.mutation_type.fields)
    rows = [f"| `{name}` | {'yes' if takes_key(name) else ''} | {', '.join(f'`{code}`' for code in codes_of(name))} |" for name in names]
    yield "\n".join(["| Mutation | Key | Codes |", "| --- | --- | --- |", *rows])


if __name__ == "__main__":
    sys.stdout.write(page())
