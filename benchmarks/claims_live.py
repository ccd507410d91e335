"""Live sales for benchmarks: shops with posts, a crowd that comments, and their pages' signed deliveries of it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from benchmarks import house, load
from domain import db
from domain.audit.commands import Actor
from domain.catalog.commands import VariantDraft, create_product
from domain.claims.rules import ClaimPolicy, PublicReply
from domain.members.commands import sign_in
from domain.members.ports import ProvenIdentity
from domain.posts.commands import ItemDraft, create_post, place_post, set_policy
from domain.providers.platforms.wire import facebook_wire, sign_facebook
from domain.shops.commands import add_channel, add_endpoint, create_shop
from domain.shops.rules import SourcePlatform
from domain.stock.commands import receive_first
from domain.vault import Vault

PAGE: Final = "104561234567890"
"""Of the first shop; the others' follow by number."""
SECRET: Final = "a page's app secret, of a benchmark"
PATH: Final = "/webhooks/facebook/bench"
COLOURS: Final = ("紅色", "白色", "黑色", "藍色", "綠色", "米色", "灰色", "粉色")
"""The first one is what everybody wants."""
ORDERS: Final = ("{c}+1", "{c}+1", "{c} +1", "{c}＋1 謝謝", "我要{c}+1", "{c}+2", "{c}+1 麻煩了", "{c}加1", "+1 {c}")
CHAT: Final = (
    "主播好漂亮",
    "哈哈哈哈",
    "{c}還有嗎",
    "可以寄超商嗎？",
    "推推",
    "{c}多少錢?",
    "到了到了",
    "晚安大家",
    "這件好看",
    "請問材質",
)
SELLING: Final = 0.8
"""Part of the comments that order; the rest chats and asks, as the crowd of a live does in its busiest minutes."""
HOT: Final = 0.6
"""Part of the orders that want the first variant."""
ACTOR: Final = Actor("bench")


@dataclass(frozen=True, slots=True)
class Live:
    """The first shop, and where all posts stand."""

    shop_id: UUID
    posts: tuple[str, ...]
    """External ids."""
    variants: tuple[tuple[UUID, ...], ...]
    """Per post, the hot one first."""


@dataclass(slots=True)
class Crowd:
    """Comments as they are written: one random choice after another, the same for the same seed."""

    live: Live
    buyers: int
    begins: datetime
    per_second: float
    seed: int = 1
    written: int = 0

    def changes(self, count: int, post: str | None = None) -> list[dict[str, Any]]:
        """The next comments as changes of the page's feed; all under one post, as platforms batch them."""
        choose = random.Random(self.seed * 1_000_003 + self.written)
        at_post = post or choose.choice(self.live.posts)
        return [self._change(choose, at_post) for _ in range(count)]

    def _change(self, choose: random.Random, post: str) -> dict[str, Any]:
        self.written += 1
        at = self.begins + timedelta(seconds=self.written / self.per_second)
        words = choose.choice(ORDERS if choose.random() < SELLING else CHAT)
        colour = COLOURS[0] if choose.random() < HOT else choose.choice(COLOURS[1:])
        video = post.partition("_")[2]
        return {
            "field": "feed",
            "value": {
                "from": {"id": str(7_000_000_000 + choose.randrange(self.buyers)), "name": "林小姐"},
                "post": {
                    "status_type": "added_video", "is_published": True, "updated_time": "2026-11-21T12:00:00+0000", "id": post,
                    "permalink_url": f"https://www.facebook.com/bench/videos/{video}/", "promotion_status": "inactive",
                },
                "message": words.format(c=colour), "post_id": post, "comment_id": f"{video}_{self.seed}{self.written:09}",
                "created_time": int(at.timestamp()), "item": "comment", "parent_id": post, "verb": "add",
            },
        }  # fmt: skip


def delivery(changes: Sequence[dict[str, Any]]) -> bytes:
    """One signed POST as it goes over the wire, of changes of one page."""
    at, page = changes[-1]["value"]["created_time"], page_of(changes)
    body = facebook_wire({"object": "page", "entry": [{"id": page, "time": at, "changes": list(changes)}]})
    return load.post(PATH, body, sign_facebook(body, SECRET))


def page_of(changes: Sequence[dict[str, Any]]) -> str:
    """Whose feed they are of."""
    page: str = changes[0]["value"]["post_id"].partition("_")[0]
    return page


def deliveries(crowd: Crowd, comments: int, sizes: tuple[int, int]) -> Iterator[bytes]:
    """Deliveries of sizes in between, until so many comments are in them."""
    choose = random.Random(crowd.seed)
    left = comments
    while left > 0:
        size = min(left, choose.randint(*sizes))
        left -= size
        yield delivery(crowd.changes(size))


async def open_live(*, posts: int, on_hand: int, members: int, buyers: int, shops: int = 1) -> Live:
    """Shops with a page each and their lives, dealt out in turn. `members`: so many of the crowd have the app, so that their notices reach an inbox."""
    now = datetime.now(UTC)
    async with db.transaction() as tx:
        owner = await sign_in(tx, ProvenIdentity("generic", "owner"), now)
    endpoint = await add_endpoint(
        source="facebook", slug="bench", secret=SECRET, verify_token="verify-bench", vault=Vault(house.SECRET_KEY), now=now
    )
    opened = [await _shop(owner, endpoint, number, now) for number in range(shops)]
    names, variants = [], []
    for number in range(posts):
        shop_id, channel, page = opened[number % shops]
        names.append(f"{page}_{9000 + number}")
        async with db.transaction() as tx:
            variants.append(await _post(tx, shop_id, channel, names[-1], on_hand, now))
    await db.execute(
        """with new as (insert into member (id, ver, display_name, locale, created_at)
             select gen_random_uuid(), 1, '', 'zh-TW', $1 from generate_series(1, $2::int) returning id),
           numbered as (select id, row_number() over () as n from new)
           insert into identity (id, member_id, provider, subject, created_at, last_seen_at)
           select gen_random_uuid(), id, 'facebook', (7000000000 + (n * $3 / $2))::bigint::text, $1, $1 from numbered""",
        now, members, buyers,
    )  # fmt: skip
    await db.execute("analyze")
    return Live(opened[0][0], tuple(names), tuple(variants))


async def _shop(owner: UUID, endpoint: UUID, number: int, now: datetime) -> tuple[UUID, UUID, str]:
    """Shop, channel, page."""
    page = str(int(PAGE) + number)
    shop_id = await create_shop(
        handle=f"bench-shop-{number}", name="Bench", currency="TWD", time_zone="Asia/Taipei", locale="zh-TW", owner_id=owner, now=now
    )
    channel = await add_channel(
        shop_id=shop_id, endpoint_id=endpoint, platform=SourcePlatform.FACEBOOK_PAGE, external_id=page, name="bench", now=now
    )
    async with db.transaction() as tx:
        await set_policy(tx, shop_id=shop_id, post_id=None, policy=ClaimPolicy(public_reply=PublicReply.ONCE_PER_BUYER).stored(), now=now)
    return shop_id, channel, page


async def _post(tx: db.Tx, shop_id: UUID, channel: UUID, place: str, on_hand: int, now: datetime) -> tuple[UUID, ...]:
    drafts = [VariantDraft(colour, 59_000, {"顏色": str(p)}) for p, colour in enumerate(COLOURS)]
    options = [{"name": "顏色", "values": [{"key": str(p), "label": c, "aliases": [c[:1]]} for p, c in enumerate(COLOURS)]}]
    product, ids = await create_product(tx, shop_id=shop_id, title="針織外套", variants=drafts, options=options, now=now)
    for variant in ids:
        await receive_first(tx, shop_id=shop_id, variant_id=variant, on_hand=on_hand, actor=ACTOR, now=now)
    post, _ = await create_post(tx, shop_id=shop_id, title="直播", items=[ItemDraft(product)], now=now)
    await place_post(tx, shop_id=shop_id, post_id=post, channel_id=channel, external_post_id=place, now=now)
    return tuple(ids)


async def decided() -> int:
    """Comments that have their outcome, by the server's statistics: up to a second old, and free of charge."""
    return int(await db.fetchval("select n_tup_ins from pg_stat_user_tables where relname = 'claim'"))


async def undecided() -> int:
    """Events that wait."""
    return int(await db.fetchval("select coalesce(sum(size), 0) from inbox_undecided"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the events of a load, by the times that the API and the worker wrote beside them."""

    decided: int
    in_time: int
    """Decided while the load lasted."""
    seconds: float
    """Until the last one."""
    latencies_ms: tuple[float, float]
    """Median and 99th percentile from receipt to decision."""


async def outcome(since: datetime, seconds: float) -> Outcome:
    """Of the events received since then, which came for so many seconds."""
    row = await db.fetchrow(
        """select count(decided_at) as decided, count(*) filter (where decided_at <= $1::timestamptz + $2::float8 * interval '1 second') as in_time,
                  extract(epoch from max(decided_at) - $1::timestamptz)::float8 as seconds,
                  percentile_cont(array[0.5, 0.99]) within group (order by extract(epoch from decided_at - received_at) * 1000) as p
           from inbox_event, generate_series(1, size) where received_at >= $1::timestamptz""",
        since,
        seconds,
    )
    assert row is not None
    found: list[float] = row["p"] or [float("nan"), float("nan")]
    return Outcome(row["decided"], row["in_time"], row["seconds"] or float("nan"), (found[0], found[1]))
