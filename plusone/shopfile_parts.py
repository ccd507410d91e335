"""The tables of a shop file: what stands in it, with the form of every value.

Keys (`key = "mango"`) live in the file alone: they say which product an item means and which channel a post stands in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from domain.money import DIGITS
from domain.payments.accounts import MERCHANT
from domain.posts.policy import (
    LONGEST_WORD,
    MOST_SYMBOLS,
    MOST_WORDS,
    RANGES,
    CancelUntil,
    IgnoredAuthor,
    NearMiss,
    OnDelete,
    OnEdit,
    Proxy,
    PublicReply,
    Reading,
    Reminder,
    RepeatMode,
    Shortage,
    is_symbol,
)
from domain.posts.rules import DeliveryMethod
from domain.shops.commands import HANDLE, LOCALE, LONGEST_PAY_WITHIN_MINUTES
from domain.shops.linking import CONTACT
from domain.shops.queries import SLUG
from domain.shops.rules import Role, SourcePlatform
from domain.stock.commands import MAX_PIECES
from domain.stock.rules import SellBeyond

Source = Literal["facebook", "instagram", "line", "telegram", "generic"]
SOURCE_OF: Final[Mapping[SourcePlatform, Source]] = {
    SourcePlatform.FACEBOOK_PAGE: "facebook",
    SourcePlatform.INSTAGRAM: "instagram",
    SourcePlatform.LINE_GROUP: "line",
    SourcePlatform.TELEGRAM: "telegram",
    SourcePlatform.FACEBOOK_GROUP: "generic",
    SourcePlatform.LINE_OPENCHAT: "generic",
    SourcePlatform.IMPORT: "generic",
}
"""Platforms that a channel may be of, with the kind of endpoint that brings their comments."""
MINUTES: Final = {"m": 1, "h": 60, "d": 24 * 60}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, and what to do. Never a value of the file: it may be a secret that slipped in."""

    path: str
    told: str

    def __str__(self) -> str:
        return f"{self.path}: {self.told}" if self.path else self.told


class FileRefused(Exception):
    """The file cannot be applied as it is; nothing was changed."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


# --- kinds of values -----------------------------------------------------------------------------------------------------------


def _must(holds: Callable[[str], object], told: str) -> AfterValidator:
    """A validator that says what to do."""

    def check(text: str) -> str:
        if not holds(text):
            raise ValueError(told)
        return text

    return AfterValidator(check)


def _one_line(text: str) -> bool:
    return text == text.strip() and not any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) <= 0xDFFF for c in text)


ONE_LINE: Final = _must(_one_line, "one line of text without blanks around it")
Key = Annotated[StrictStr, _must(re.compile(r"[a-z0-9][a-z0-9_-]{0,39}").fullmatch, "a short name: small letters, digits, - and _")]
Variable = Annotated[
    StrictStr,
    _must(
        re.compile(r"[A-Z][A-Z0-9_]{1,63}").fullmatch,
        "the name of an environment variable (capital letters, digits, _) that holds the secret, never the secret itself",
    ),
]
Word = Annotated[StrictStr, ONE_LINE, Field(min_length=1, max_length=LONGEST_WORD)]
Words = Annotated[list[Word], Field(max_length=50)]
ExternalId = Annotated[StrictStr, ONE_LINE, Field(max_length=120)]


def _minutes(value: object) -> int:
    found = re.fullmatch(r"([0-9]{1,6})([mhd])", value) if isinstance(value, str) else None
    minutes = int(found[1]) * MINUTES[found[2]] if found else 0
    if not 0 < minutes <= LONGEST_PAY_WITHIN_MINUTES:
        raise ValueError('a number with its unit, such as "90m", "48h" or "3d", at most 366 days')
    return minutes


def _instant(value: object) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("a date and time with its offset and without quotes, such as 2026-11-27T14:00:00Z")
    return value


Minutes = Annotated[int, BeforeValidator(_minutes)]
Instant = Annotated[datetime, BeforeValidator(_instant)]


def _named_by_label(value: object) -> object:
    """`"red"` stands for `{ label = "red" }`, and a value without key is known by its label."""
    if isinstance(value, str):
        return {"label": value, "key": value}
    return {"key": value["label"], **value} if isinstance(value, dict) and "label" in value else value


# --- the file ------------------------------------------------------------------------------------------------------------------


class Part(BaseModel):
    """A table of the file; keys that it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ShopPart(Part):
    """`[shop]`"""

    handle: Annotated[StrictStr, _must(HANDLE.fullmatch, "small letters, digits and - between them, at most 40")]
    name: Annotated[StrictStr, ONE_LINE, Field(min_length=1, max_length=120)]
    currency: Annotated[StrictStr, _must(DIGITS.__contains__, f"one of {', '.join(DIGITS)}")]
    time_zone: Annotated[StrictStr, _must(lambda zone: zone in available_timezones(), "a name of the IANA list, such as America/New_York")]
    locale: Annotated[StrictStr, Field(max_length=16), _must(LOCALE.fullmatch, "a language tag such as en or zh-Hant")]
    pickup_place: Annotated[StrictStr, ONE_LINE, Field(max_length=200)] = ""
    pay_within: Minutes = 3 * 24 * 60
    staff_second_proof: Literal["OPTIONAL", "REQUIRED"] | None = None


class StaffPart(Part):
    """`[[staff]]`: a person by the identity that a sign-in will prove."""

    identity: Annotated[
        StrictStr,
        Field(max_length=130),
        _must(
            re.compile(r"line:U[0-9a-f]{32}|(?:facebook|telegram|generic|member):[\x21-\x7e]{1,120}").fullmatch,
            'a provider and its id of the person: "line:U" and 32 hexadecimal digits (not the @name); '
            "facebook:…, telegram:… and member:… serve development",
        ),
    ]
    role: Role

    @property
    def known_as(self) -> tuple[str, str]:
        """Provider and subject."""
        provider, _, subject = self.identity.partition(":")
        return provider, subject


class EndpointPart(Part):
    """`[[endpoints]]`: one webhook address; a Facebook app may serve many shops."""

    source: Source
    slug: Annotated[StrictStr, _must(SLUG.fullmatch, "letters, digits, - and _, at most 64")]
    secret_env: Variable
    verify_token_env: Variable | None = None
    destination: Annotated[
        StrictStr, _must(re.compile(r"(?:U[0-9a-f]{32})?").fullmatch, "the bot's own user id: U and 32 hexadecimal digits")
    ] = ""
    access_token_env: Variable | None = None
    """LINE: the channel access token, for linking accounts."""

    @property
    def path(self) -> str:
        """`/webhooks/{source}/{slug}`"""
        return f"/webhooks/{self.source}/{self.slug}"


class ChannelPart(Part):
    """`[[channels]]`: a page, group or chat, bound to the shop."""

    key: Key
    endpoint: StrictStr
    platform: SourcePlatform
    external_id: Annotated[ExternalId, Field(min_length=1)]
    name: Annotated[StrictStr, ONE_LINE, Field(max_length=120)] = ""
    contact: Annotated[StrictStr, _must(CONTACT.fullmatch, "a user name without @: letters, digits, . and _, at most 64")] = ""
    """Instagram: the account's name; Telegram: the bot's."""
    private_links: StrictBool = False


class PaymentsPart(Part):
    """`[payments]`: the shop's contract with ECPay; without it nobody pays online."""

    provider: Literal["ECPAY"] = "ECPAY"
    merchant_id: Annotated[StrictStr, _must(MERCHANT.fullmatch, "ECPay's number of the merchant, digits only")]
    hash_key_env: Variable
    hash_iv_env: Variable
    site: Literal["stage", "live"]


Symbol = Annotated[StrictStr, _must(is_symbol, "one punctuation mark that means nothing else in a comment, such as +")]


def _whole(name: str) -> Any:
    """A number of the policy, in its range."""
    least, most = RANGES[name]
    return Field(default=None, ge=least, le=most)


class PolicyPart(Part):
    """`[policy]` of the shop, or what a post has of its own: the fields of `domain.posts.policy.ClaimPolicy`."""

    reading: Reading | None = None
    trigger_symbols: tuple[Symbol, ...] | None = Field(default=None, min_length=1, max_length=MOST_SYMBOLS)
    trigger_words: tuple[Word, ...] | None = Field(default=None, max_length=MOST_WORDS["trigger_words"])
    fillers: tuple[Word, ...] | None = Field(default=None, max_length=MOST_WORDS["fillers"])
    on_near_miss: NearMiss | None = None
    repeat_mode: RepeatMode | None = None
    shortage: Shortage | None = None
    on_edit: OnEdit | None = None
    on_delete: OnDelete | None = None
    cancel_until: CancelUntil | None = None
    max_per_line: StrictInt | None = _whole("max_per_line")
    per_buyer_max: StrictInt | None = _whole("per_buyer_max")
    per_buyer_window_hours: StrictInt | None = _whole("per_buyer_window_hours")
    rate_limit_orders: StrictInt | None = _whole("rate_limit_orders")
    rate_limit_hours: StrictInt | None = _whole("rate_limit_hours")
    grace_seconds: StrictInt | None = _whole("grace_seconds")
    hold_minutes: StrictInt | None = _whole("hold_minutes")
    reminders: frozenset[Reminder] | None = None
    ignore_authors: frozenset[IgnoredAuthor] | None = None
    public_reply: PublicReply | None = None
    proxy: Proxy | None = None


class ValuePart(Part):
    """One value of an option."""

    key: Word
    label: Word
    aliases: Words = []


class OptionPart(Part):
    """An option of a product, such as colour."""

    name: Word
    values: Annotated[list[Annotated[ValuePart, BeforeValidator(_named_by_label)]], Field(min_length=1, max_length=100)]


class VariantPart(Part):
    """What is really sold: one combination of values, or the product itself."""

    label: Annotated[StrictStr, ONE_LINE, Field(max_length=120)] = ""
    values: dict[StrictStr, StrictStr] = {}
    price: StrictStr
    stock: Annotated[StrictInt, Field(ge=0, le=MAX_PIECES)] = 0
    sell_beyond: SellBeyond = SellBeyond.DENY
    beyond: Annotated[StrictInt, Field(ge=0, le=MAX_PIECES)] = 0
    code: Annotated[StrictStr, ONE_LINE, Field(max_length=40)] = ""


class ProductPart(Part):
    """`[[products]]`"""

    key: Key
    title: Annotated[StrictStr, ONE_LINE, Field(min_length=1, max_length=200)]
    options: Annotated[list[OptionPart], Field(max_length=5)] = []
    variants: Annotated[list[VariantPart], Field(min_length=1, max_length=500)]

    def label_of(self, variant: VariantPart) -> str:
        """The variant's label: as given, or its values in the order of the options."""
        words = {(option.name, value.key): value.label for option in self.options for value in option.values}
        named = (words.get((option.name, variant.values.get(option.name, "")), "") for option in self.options)
        return variant.label or " ".join(word for word in named if word)


class ItemPart(Part):
    """`[[posts.items]]`: an offer of a post."""

    product: StrictStr
    codes: Words = []
    aliases: Words = []
    max_qty: Annotated[StrictInt, Field(ge=1, le=9_999)] | None = None
    on_sale: StrictBool = True
    opens: Instant | None = None
    closes: Instant | None = None


class PlacementPart(Part):
    """`[[posts.placements]]`: where the post stands; without `external_post_id` the whole chat takes orders for it."""

    channel: StrictStr
    external_post_id: ExternalId = ""


class PostPart(Part):
    """`[[posts]]`"""

    title: Annotated[StrictStr, ONE_LINE, Field(min_length=1, max_length=200)]
    delivery: DeliveryMethod = DeliveryMethod.PICKUP
    opens: Instant | None = None
    closes: Instant | None = None
    items: Annotated[list[ItemPart], Field(min_length=1, max_length=200)]
    policy: PolicyPart = PolicyPart()
    placements: list[PlacementPart] = []


class ShopFile(Part):
    """The whole file."""

    shop: ShopPart
    staff: Annotated[list[StaffPart], Field(min_length=1)]
    endpoints: list[EndpointPart] = []
    channels: list[ChannelPart] = []
    payments: PaymentsPart | None = None
    policy: PolicyPart | None = None
    products: list[ProductPart] = []
    posts: list[PostPart] = []
