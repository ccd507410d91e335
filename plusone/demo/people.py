"""The people of the evening, and how each platform knows them. All of them are made up."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.members.ports import ProvenIdentity
from domain.members.rules import DevicePlatform

STRANGER: Final = "?"
"""Somebody whom the platform does not name."""
SHOP: Final = "@shop"
"""The page itself, or an anonymous admin."""


@dataclass(frozen=True, slots=True)
class Device:
    """A phone in somebody's pocket. `target` is what FCM knows it by."""

    target: str
    platform: DevicePlatform
    locale: str


@dataclass(frozen=True, slots=True)
class Member:
    """A buyer with the member app: the places where they proved who they are, and their phones."""

    name: str
    places: tuple[str, ...]
    """Identities by `identity_of`'s place: facebook, line, telegram, fbgroup."""
    devices: tuple[Device, ...]


def _phone(name: str, platform: DevicePlatform = DevicePlatform.ANDROID, locale: str = "zh-TW") -> Device:
    return Device(f"{name}-{digits(f'phone/{name}', 12)}", platform, locale)


DEAD_TARGET: Final = "dead-phone"
"""Beginning of the push target of a phone that was thrown away."""
IOS, ANDROID = DevicePlatform.IOS, DevicePlatform.ANDROID


def digits(seed: str, length: int) -> str:
    """So many decimal digits that follow from the seed; the first is not 0."""
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big")
    return str(10 ** (length - 1) + number % (9 * 10 ** (length - 1)))


def hexadecimal(seed: str, length: int) -> str:
    """So many hexadecimal digits that follow from the seed."""
    return hashlib.sha256(seed.encode()).hexdigest()[:length]


MEMBERS: Final = (
    Member("林小美", ("facebook", "line"), (_phone("mei-phone", IOS), _phone("mei-tablet"))),
    Member("陳大明", ("facebook", "line", "telegram"), (_phone("daming"),)),
    Member("王怡君", ("facebook",), (_phone("yijun", IOS),)),
    Member("張雅婷", ("facebook", "line"), (_phone("yating"),)),
    Member("李佳玲", ("facebook",), (_phone("jialing", IOS),)),
    Member("黃淑芬", ("line", "facebook"), (_phone("shufen"),)),
    Member("吳美惠", ("facebook", "line"), (_phone("meihui"),)),
    Member("蔡宜蓁", ("facebook", "telegram"), (_phone("yizhen", IOS),)),
    Member("楊佩珊", ("facebook", "telegram"), (_phone("peishan"),)),
    Member("謝欣怡", ("facebook",), (_phone("xinyi", IOS),)),
    Member("簡秀英", ("line",), (_phone("xiuying"),)),
    Member("鄭雅文", ("facebook",), (_phone(DEAD_TARGET),)),
    Member("陳詠詩", ("telegram", "fbgroup"), (_phone("wingsze", IOS, "zh-HK"),)),
    Member("黃子晴", ("telegram",), (_phone("tszching", ANDROID, "zh-HK"),)),
    Member("梁凱琳", ("fbgroup", "telegram"), (_phone("hoilam", ANDROID, "en"),)),
)
STAFF: Final[Mapping[str, str]] = {
    "amei-owner": "阿美",
    "amei-helper": "小幫手阿珠",
    "amei-scanner": "取貨櫃台",
    "island-owner": "小島老闆",
    "island-manager": "小島店長",
    "island-scanner": "小島櫃台",
    "gangdo-owner": "港島 Ivy",
    "gangdo-helper": "港島幫手",
}
"""Names by the subject of their sign-in (`dev:member:<subject>`)."""

_PROVIDER: Final = {"facebook": "facebook", "line": "line", "telegram": "telegram", "fbgroup": "generic", "openchat": "generic"}


def subject_of(name: str, place: str) -> str:
    """The id by which a place knows a person; the same person has another one at each."""
    if place == "facebook":
        return digits(f"facebook/{name}", 16)
    if place == "line":
        return "U" + hexadecimal(f"line/{name}", 32)
    if place == "telegram":
        return digits(f"telegram/{name}", 9)
    if place == "fbgroup":
        return f"user/{digits(f'fbgroup/{name}', 15)}"
    return f"openchat/{hexadecimal(f'openchat/{name}', 12)}"


def identity_of(name: str, place: str) -> tuple[str, str]:
    """Provider and subject, as in `buyer.provider` and `buyer.external_id`."""
    return _PROVIDER[place], subject_of(name, place)


def proven(name: str, place: str) -> ProvenIdentity:
    """What a sign-in at this place proves."""
    provider, subject = identity_of(name, place)
    return ProvenIdentity(provider, subject, name)


def telegram_name(name: str) -> dict[str, str]:
    """First and last name: of a Chinese name the family's comes first, of another last."""
    if " " in name:
        first, last = name.split(" ", 1)
    else:
        first, last = name[1:], name[0]
    return {"first_name": first, "last_name": last}
