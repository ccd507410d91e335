"""Why a comment became what it became: the words that were read, and the signed receipt."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry


@strawberry.enum(description="What a stretch of a comment was read as. Treat unknown values as IGNORED.")
class MatchedKind(Enum):
    ITEM = strawberry.enum_value("ITEM", description="What is sold: a product, an option, or all of them.")
    QTY = strawberry.enum_value("QTY", description="How many, with the shop's symbol where it was written.")
    OP = strawberry.enum_value("OP", description="A sign or word that takes back or sets a quantity.")
    CUE = strawberry.enum_value("CUE", description="Words that change the meaning: a question, a condition, a wish.")
    UNKNOWN = strawberry.enum_value("UNKNOWN", description="Words that name nothing of the post.")
    IGNORED = strawberry.enum_value("IGNORED", description="Words without effect, such as a price or a mention.")


@strawberry.type(description="A stretch of a comment's text and what it was read as.")
class MatchedToken:
    kind: MatchedKind = strawberry.field(description="What it was read as.")
    text: str = strawberry.field(description="The stretch as it was written.")
    start: int = strawberry.field(description="Its first character, counted from 0 in code points of the text as it was when it was read.")
    end: int = strawberry.field(description="The character after its last one.")
    value: str = strawberry.field(description="What it stands for, such as the item's code, the option, or the number.")


@strawberry.type(
    description="A claim's receipt: comment, reading, rule, lines and every change since, as they stand when it is asked for. "
    "`plusone verify-receipt` checks it; docs/rules/receipts.md says what it proves."
)
class SignedReceipt:
    document: str = strawberry.field(description="JSON, exactly as it was signed: keep the text as it is.")
    signature: str = strawberry.field(description="Over `plusone receipt v1`, a line feed, and the document; base64url without padding.")
    kid: str = strawberry.field(description="Names the public key, published at /.well-known/plusone-receipt-keys.json.")
    algorithm: str = strawberry.field(description="EdDSA, with Ed25519.")
    issued_at: datetime = strawberry.field(description="When it was signed; the document says the same.")
