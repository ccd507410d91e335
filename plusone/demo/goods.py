"""What the three shops sell of this evening, and by which rule each post reads its comments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from domain.claims.rules import ClaimPolicy, Proxy, PublicReply, Reading, Shortage
from domain.posts.rules import DeliveryMethod
from domain.stock.rules import SellBeyond
from plusone.demo.places import EVENING


@dataclass(frozen=True, slots=True)
class Goods:
    """One variant. `key` is its name in the script, unique in its shop; `beyond` pieces may be sold that are not there yet."""

    key: str
    price_minor: int
    on_hand: int
    label: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    sell_beyond: SellBeyond = SellBeyond.DENY
    beyond: int = 0

    @property
    def supply(self) -> int:
        """Pieces that can be sold."""
        return self.on_hand + self.beyond


@dataclass(frozen=True, slots=True)
class Offer:
    """A product with the words that name it under a post."""

    title: str
    goods: tuple[Goods, ...]
    codes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    options: tuple[Mapping[str, Any], ...] = ()
    on_sale: bool = True


@dataclass(frozen=True, slots=True)
class Post:
    """A sales post and the places of the script where it stands."""

    title: str
    places: tuple[str, ...]
    offers: tuple[Offer, ...]
    policy: ClaimPolicy
    method: DeliveryMethod = DeliveryMethod.PICKUP
    closes_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ShopOfDemo:
    """A shop, its people by role, and its posts."""

    handle: str
    name: str
    currency: str
    time_zone: str
    locale: str
    pickup_place: str
    owner: str
    staff: Mapping[str, str]
    posts: tuple[Post, ...]

    def goods(self) -> dict[str, Goods]:
        """All variants by their name in the script."""
        return {goods.key: goods for post in self.posts for offer in post.offers for goods in offer.goods}


RED, WHITE, BLACK, KHAKI = ("紅色", "red"), ("白色", "white"), ("黑色", "black"), ("卡其色", "khaki")


def _option(name: str, *values: tuple[str, str]) -> Mapping[str, Any]:
    return {"name": name, "values": [{"key": key, "label": label, "aliases": []} for label, key in values]}


def _sized(key: str, colour: tuple[str, str], size: str, price_minor: int, on_hand: int) -> Goods:
    return Goods(f"{key}{size}", price_minor, on_hand, f"{colour[0]} {size}", {"顏色": colour[1], "尺寸": size.lower()})


_SIZES = {size: (size, size.lower()) for size in "SML"}
_TOP = tuple(
    _sized(key, colour, size, 590, on_hand)
    for key, colour, pieces in (("紅", RED, (2, 2, 2)), ("白", WHITE, (2, 3, 2)), ("黑", BLACK, (2, 1, 2)))
    for size, on_hand in zip("SML", pieces, strict=True)
)
_SKIRT = tuple(_sized(key, colour, size, 880, 3) for key, colour in (("卡", KHAKI), ("裙", BLACK)) for size in "ML")
_SCARF = tuple(
    Goods(key, 490, on_hand, colour[0], {"顏色": colour[1]})
    for key, colour, on_hand in (("紅", RED, 12), ("白", WHITE, 12), ("黑", BLACK, 3))
)


def _to_come(key: str, price_minor: int, pieces: int) -> Goods:
    return Goods(key, price_minor, 0, sell_beyond=SellBeyond.PREORDER, beyond=pieces)


AMEI: Final = ShopOfDemo(
    "amei", "阿美團購", "TWD", "Asia/Taipei", "zh-TW", "捷運中山站 2 號出口", "amei-owner",
    {"amei-helper": "HELPER", "amei-scanner": "SCANNER"},
    (
        Post(
            "愛文芒果・手工水餃・老薑黑糖", ("amei_page",),
            (
                Offer("愛文芒果禮盒", (Goods("A", 680, 60),), ("A",), ("芒果", "芒果禮盒")),
                Offer("手工水餃", (Goods("B", 220, 80),), ("B",), ("水餃",)),
                Offer("老薑黑糖", (Goods("C", 150, 5),), ("C",), ("黑糖",)),
                Offer("鳳梨酥", (Goods("D", 300, 20),), ("D",), on_sale=False),
            ),
            ClaimPolicy(proxy=Proxy.ALLOW, reading=Reading.CONFIRM, shortage=Shortage.PARTIAL_WAITLIST),
            closes_at=EVENING + timedelta(minutes=30),
        ),
        Post(
            "杏仁瓦片", ("amei_line",), (Offer("杏仁瓦片", (Goods("T", 180, 30),), aliases=("瓦片",)),),
            ClaimPolicy(proxy=Proxy.ALLOW, reading=Reading.LENIENT, per_buyer_max=6),
        ),
    ),
)  # fmt: skip
ISLAND: Final = ShopOfDemo(
    "island", "小島衣舖", "TWD", "Asia/Taipei", "zh-TW", "", "island-owner",
    {"island-manager": "MANAGER", "island-scanner": "SCANNER"},
    (
        Post(
            "週六直播", ("island_live",),
            (
                Offer("針織上衣", _TOP, ("A01",), ("上衣",), (_option("顏色", RED, WHITE, BLACK), _option("尺寸", *_SIZES.values()))),
                Offer("百褶長裙", _SKIRT, ("B02",), ("長裙",), (_option("顏色", KHAKI, BLACK), _option("尺寸", _SIZES["M"], _SIZES["L"]))),
                Offer("帆布包", (Goods("包", 350, 10),), ("C03",)),
            ),
            ClaimPolicy(proxy=Proxy.ALLOW, reading=Reading.STRICT, shortage=Shortage.REJECT_LINE, max_per_line=5),
            DeliveryMethod.SHIP,
        ),
        Post(
            "羊毛圍巾", ("island_telegram",), (Offer("羊毛圍巾", _SCARF, aliases=("圍巾",), options=(_option("顏色", RED, WHITE, BLACK),)),),
            ClaimPolicy(proxy=Proxy.ALLOW, reading=Reading.CONFIRM, per_buyer_max=3, public_reply=PublicReply.EACH), DeliveryMethod.SHIP,
        ),
    ),
)  # fmt: skip
GANGDO: Final = ShopOfDemo(
    "gangdo", "港島代購", "HKD", "Asia/Hong_Kong", "zh-HK", "銅鑼灣站 E 出口", "gangdo-owner",
    {"gangdo-helper": "HELPER"},
    (
        Post(
            "日本手信預購", ("gangdo_telegram",),
            (
                Offer("白色戀人", (_to_come("K1", 9800, 20),), ("K1",)),
                Offer("薯條三兄弟", (_to_come("K2", 10850, 20),), ("K2",)),
                Offer("生朱古力", (_to_come("K3", 8850, 4),), ("K3",), ("朱古力",)),
            ),
            ClaimPolicy(proxy=Proxy.ALLOW, reading=Reading.CONFIRM, shortage=Shortage.REJECT_LINE, per_buyer_max=4),
        ),
        Post(
            "韓國面膜", ("gangdo_group", "gangdo_openchat"),
            (
                Offer("保濕面膜", (Goods("M1", 12500, 40),), ("M1",), ("面膜",)),
                Offer("眼膜", (Goods("M2", 7990, 6, sell_beyond=SellBeyond.OVERSELL, beyond=2),), ("M2",)),
            ),
            ClaimPolicy(proxy=Proxy.ALLOW, reading=Reading.LENIENT, trigger_words=("mine",), per_buyer_max=2),
        ),
    ),
)  # fmt: skip
SHOPS: Final = (AMEI, ISLAND, GANGDO)
"""團媽, women's wear with colours and sizes, and orders from abroad in another currency."""
