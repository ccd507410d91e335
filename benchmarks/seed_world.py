"""The world that orders happen in: shops of very different size, their goods, posts and channels, and the members of the app."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from itertools import accumulate
from typing import Final

from benchmarks.seed_rows import DAY_MS, NULL, Chance, Rows, at, dashed, json, ms_of
from domain.inbox.rules import lane_number

ZIPF: Final = 0.9
"""The n-th largest shop has 1 / n^ZIPF of the largest one's orders."""
NOUNS = (
    "方巾",
    "麻糬",
    "帆布袋",
    "保溫杯",
    "蜂蜜蛋糕",
    "針織衫",
    "香氛蠟燭",
    "手工皂",
    "鳳梨酥",
    "童襪",
    "雨傘",
    "髮夾",
    "茶葉",
    "果乾",
    "圍裙",
    "馬克杯",
)
KINDS = ("法式", "手工", "經典", "輕量", "日系", "有機", "限量", "加厚", "雙層", "秋季")
OPTIONS = (("",), ("紅色", "白色"), ("S", "M", "L"), ("黑色", "白色", "米色", "藍色"))
SURNAMES = "陳林黃張李王吳劉蔡楊許鄭謝洪郭邱曾廖賴徐"
GIVEN = ("小美", "怡君", "志明", "雅婷", "俊傑", "淑芬", "家豪", "佩珊", "宗翰", "欣怡", "建宏", "惠雯")
PLACES = ("捷運中山站 2 號出口", "市場口便利商店前", "社區管理室", "店面取貨")
PLATFORMS = (
    ("facebook", "FACEBOOK_PAGE"),
    ("line", "LINE_GROUP"),
    ("telegram", "TELEGRAM"),
    ("facebook", "FACEBOOK_LIVE"),
    ("generic", "FACEBOOK_GROUP"),
)
REGIONS = (("TWD", "Asia/Taipei", "zh-TW"),) * 8 + (("HKD", "Asia/Hong_Kong", "zh-HK"), ("MYR", "Asia/Kuala_Lumpur", "en"))
POLICY = {"reading": "CONFIRM", "shortage": "PARTIAL_WAITLIST", "repeat_mode": "ADD", "on_near_miss": "SUGGEST"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for. The same plan gives the same rows."""

    orders: int
    members: int
    shops: int
    until: datetime
    """The present of the data: the newest order is just before."""
    seed: int = 1
    days: int = 540
    """How long the oldest order lies back."""


@dataclass(slots=True)
class Variant:
    """A variant with the figures that its orders leave."""

    id: str
    shop_id: str
    title: str
    label: str
    code: str
    price_minor: int
    preorder: bool
    held: int = 0
    committed: int = 0
    left: int = 0
    """Pieces that have left the shelf."""
    moves: int = 0
    waiting: int = 0
    """Pieces that people wait for."""


@dataclass(frozen=True, slots=True)
class Channel:
    id: str
    endpoint_id: str
    source: str
    platform: str
    external_id: str
    lane: int


@dataclass(frozen=True, slots=True)
class Post:
    id: str
    title: str
    external_id: str
    variants: list[Variant]


@dataclass(slots=True)
class Shop:
    """A shop as the generator knows it."""

    id: str
    name: str
    currency: str
    place: str
    policy_id: str
    owner: str
    channels: list[Channel]
    posts: list[Post]
    per_post: float
    """Orders before the next post takes over."""
    seen: int = 0
    buyers: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    """By member: id, name and provider of the buyer."""


@dataclass(slots=True)
class World:
    """Everything that orders refer to."""

    plan: Plan
    shops: list[Shop]
    edges: list[float]
    """Where each shop's share of all orders ends, 0 to 1."""
    members: list[str]
    names: list[str]
    devices: list[str]
    """One per member, empty for those without."""
    variants: list[Variant]
    levels: dict[str, Variant] = field(default_factory=dict)

    def shop_at(self, share: float) -> Shop:
        """The shop that a number from 0 to 1 falls on."""
        return self.shops[min(bisect_left(self.edges, share), len(self.shops) - 1)]


def build(plan: Plan, chance: Chance, rows: Rows) -> World:
    """Write everything but orders, and answer it."""
    start = ms_of(plan.until) - plan.days * DAY_MS
    weights = [1 / (n + 1) ** ZIPF for n in range(plan.shops)]
    whole = sum(weights)
    variants: list[Variant] = []
    shops = [_shop(n, plan.orders * weight / whole, start, plan, chance, rows, variants) for n, weight in enumerate(weights)]
    members, names, devices = _members(plan, start, chance, rows)
    return World(plan, shops, list(accumulate(weight / whole for weight in weights)), members, names, devices, variants)


def _shop(n: int, orders: float, start: int, plan: Plan, chance: Chance, rows: Rows, variants: list[Variant]) -> Shop:
    at_start, w = at(start), rows.waiting
    currency, zone, locale = REGIONS[n % len(REGIONS)]
    shop_id, name, place = chance.id(start), f"{SURNAMES[n % len(SURNAMES)]}家團購 {n + 1}", PLACES[n % len(PLACES)]
    handle = f"seed-{plan.seed}-{n + 1}"
    w["shop"].append(f"{shop_id}\t{1001 + n}\t{handle}\t{name}\t{currency}\t{zone}\t{locale}\t4320\t{place}\t{at_start}")
    policy = chance.id(start)
    w["claim_policy_version"].append(f"{policy}\t{shop_id}\t{NULL}\t1\t{json(POLICY)}\t{at_start}")
    owner = _staff(shop_id, 1 + chance.below(3), start, chance, rows)
    channels = [_channel(shop_id, f"{handle}-{k}", PLATFORMS[(n + k) % len(PLATFORMS)], start, chance, rows) for k in range(1 + n % 3)]
    goods = [_product(shop_id, k, start, currency, chance, rows) for k in range(max(3, min(300, int(orders / 60))))]
    for product in goods:
        variants += product[1]
    count = max(2, int(orders / 40))
    posts = [_post(shop_id, k, count, goods, channels[k % len(channels)], start, plan, chance, rows) for k in range(count)]
    return Shop(shop_id, name, currency, place, policy, owner, channels, posts, max(1.0, orders / count))


def _staff(shop_id: str, helpers: int, start: int, chance: Chance, rows: Rows) -> str:
    """The owner and some helpers; answers the owner."""
    ids = [chance.id(start) for _ in range(1 + helpers)]
    for one, role in zip(ids, ("OWNER", "MANAGER", "HELPER", "SCANNER"), strict=False):
        rows.waiting["member"].append(f"{one}\t1\t{_name(chance)}\tzh-TW\t{at(start)}")
        rows.waiting["membership"].append(f"{chance.id(start)}\t{shop_id}\t{one}\t{role}\t[]\t{at(start)}")
    return ids[0]


def _name(chance: Chance) -> str:
    return SURNAMES[chance.below(len(SURNAMES))] + GIVEN[chance.below(len(GIVEN))]


def _channel(shop_id: str, slug: str, kind: tuple[str, str], start: int, chance: Chance, rows: Rows) -> Channel:
    source, platform = kind
    one = Channel(chance.id(start), chance.id(start), source, platform, f"{source}-{slug}", lane_number(f"{source}:{slug}"))
    rows.waiting["webhook_endpoint"].append(f"{one.endpoint_id}\t{source}\t{slug}\t\t\t\t{at(start)}")
    rows.waiting["channel"].append(f"{one.id}\t{shop_id}\t{one.endpoint_id}\t{platform}\t{one.external_id}\t{slug}\t{at(start)}")
    return one


def _product(shop_id: str, k: int, start: int, currency: str, chance: Chance, rows: Rows) -> tuple[str, list[Variant]]:
    product_id = chance.id(start)
    title = f"{KINDS[chance.below(len(KINDS))]}{NOUNS[chance.below(len(NOUNS))]} {k + 1}"
    labels = OPTIONS[chance.below(len(OPTIONS))]
    options = [{"name": "款式", "values": [{"key": v, "label": v, "aliases": []} for v in labels]}] if len(labels) > 1 else []
    rows.waiting["product"].append(f"{product_id}\t{shop_id}\t{title}\t{json(options)}\t{at(start)}")
    price = (90 + 10 * chance.below(150)) * (1 if currency == "TWD" else 100)
    preorder, made = chance.below(20) == 0, []
    for position, label in enumerate(labels):
        one = Variant(chance.id(start), shop_id, title, label, f"A{k + 1}{'' if len(labels) == 1 else position + 1}", price, preorder)
        values = json({"款式": label} if options else {})
        rows.waiting["variant"].append(f"{one.id}\t{shop_id}\t{product_id}\t{label}\t{values}\t{one.code}\t{price}\t{position}")
        made.append(one)
    return product_id, made


def _post(
    shop_id: str,
    k: int,
    count: int,
    goods: Sequence[tuple[str, list[Variant]]],
    channel: Channel,
    start: int,
    plan: Plan,
    chance: Chance,
    rows: Rows,
) -> Post:
    """The k-th of a shop's posts; they follow each other, and the last two are open."""
    opened = start + int(plan.days * DAY_MS * (k / count) ** 0.7)
    post_id, title, is_open = chance.id(opened), f"第 {k + 1} 團", k >= count - 2
    method = "SHIP" if k % 7 == 3 else "PICKUP"
    closes = NULL if is_open else at(opened + 14 * DAY_MS)
    w = rows.waiting
    w["sales_post"].append(
        f"{post_id}\t{shop_id}\t{title}\t{'OPEN' if is_open else 'CLOSED'}\t{method}\t{at(opened)}\t{closes}\t1\t{at(opened)}"
    )
    external = f"{channel.external_id}_{100_000 + k}"
    w["post_placement"].append(f"{chance.id(opened)}\t{shop_id}\t{post_id}\t{channel.id}\t{external}\t{at(opened)}")
    chosen = {chance.below(len(goods)) for _ in range(1 + chance.below(6))}
    offered: list[Variant] = []
    for position, place in enumerate(sorted(chosen)):
        product_id, variants = goods[place]
        codes = json([f"A{place + 1}"])
        w["post_item"].append(f"{chance.id(opened)}\t{shop_id}\t{post_id}\t{product_id}\t{codes}\t[]\tt\t{position}")
        offered += variants
    return Post(post_id, title, external, offered)


def _members(plan: Plan, start: int, chance: Chance, rows: Rows) -> tuple[list[str], list[str], list[str]]:
    """People who signed in: their ids, names and a device each (one in ten has none)."""
    w, now = rows.waiting, ms_of(plan.until)
    ids, names, devices = [], [], []
    for n in range(plan.members):
        joined = start + chance.below(plan.days * DAY_MS // 2)
        one, name, phone = chance.id(joined), _name(chance), f"seed-{plan.seed}-phone-{n}"
        w["member"].append(f"{one}\t1\t{name}\t{'en' if n % 10 == 9 else 'zh-TW'}\t{at(joined)}")
        w["identity"].append(f"{chance.id(joined)}\t{one}\tline\tseed-{plan.seed}-subject-{n}\t{at(joined)}\t{at(now)}")
        session = chance.id(joined)
        ends = f"{at(now - DAY_MS)}\t{at(now + 30 * DAY_MS)}\t{at(now + 90 * DAY_MS)}"
        w["session"].append(f"{session}\t{one}\t{phone}\t{at(joined)}\t{ends}\t")
        w["refresh_token"].append(f"{sha256(dashed(session).encode()).hexdigest()}\t{session}\t{at(now - DAY_MS)}")
        device = "" if n % 10 == 7 else chance.id(joined)
        if device:
            kind = "IOS" if n % 2 else "ANDROID"
            w["device"].append(f"{device}\t{one}\t{phone}\t{kind}\tTOKEN\tpush-{phone}\tzh-TW\t{at(joined)}\t{at(now)}")
        ids.append(one)
        names.append(name)
        devices.append(device)
    return ids, names, devices


def write_levels(world: World, chance: Chance, rows: Rows) -> None:
    """Stock levels that fit all orders, each with the receipt of the goods that it took."""
    start = ms_of(world.plan.until) - world.plan.days * DAY_MS
    for number, one in enumerate(world.variants, 1):
        spare = 0 if one.waiting else chance.below(40)
        on_hand = 0 if one.preorder else one.held + one.committed + spare
        beyond, limit = ("PREORDER", one.held + one.committed + spare) if one.preorder else ("DENY", 0)
        rows.waiting["stock_level"].append(
            f"{one.id}\t{one.shop_id}\t{on_hand}\t{one.held}\t{one.committed}\t{beyond}\t{limit}\t{one.waiting}\t{2 + one.moves}"
        )
        rows.waiting["stock_movement"].append(
            f"{number}\t{one.shop_id}\t{one.id}\tRECEIVED\t{on_hand + one.left}\t0\t0\t{NULL}\tworker:seed\tRECEIPT\t{at(start)}"
        )
