"""Random histories: comments, edits and removals on posts that share goods, while staff pay, cancel, count stock and time passes."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import pytest

from domain import db as database
from domain.claims import loading
from domain.claims.commands import ResolveAction, resolve
from domain.claims.rules import OnDelete, RepeatMode, Shortage
from domain.db import Tx
from domain.errors import DomainError, NotFound
from domain.ids import new_id
from domain.inbox.drain import Cursor, drain_one
from domain.members.linking import link_buyers
from domain.orders.commands import cancel
from domain.posts.commands import place_post
from domain.stock.commands import adjust
from domain.stock.rules import AdjustReason
from plusone.invariants import check
from tests.build import NOW, a_member, a_post
from tests.domain.claims.acts import STAFF, expire, fill, pay
from tests.wall import Wall, a_wall
from workers.ingest import handler

TEXTS = (
    "紅+1", "紅+2", "白+1", "白+3", "紅+1 白+1", "取消", "紅取消", "全部取消", "紅-1 白+1", "紅改+2", "-1", "紅x1", "還有嗎？", "好可愛", "紅+1？", "白+9",
)  # fmt: skip
POLICIES: tuple[dict[str, object], ...] = (
    {},
    {"on_delete": OnDelete.RELEASE_IF_UNPAID, "per_buyer_max": 4},
    {"repeat_mode": RepeatMode.REPLACE, "shortage": Shortage.PARTIAL},
    {"repeat_mode": RepeatMode.ONCE, "shortage": Shortage.REJECT_COMMENT, "rate_limit_orders": 4},
)


class History:
    """One shop with three posts (two of them of the same goods), five buyers, and everybody's dice."""

    def __init__(self, wall: Wall, seed: int) -> None:
        self.wall = wall
        self.dice = random.Random(seed)
        self.comments: list[tuple[str, str, int]] = []
        self.second = 0
        self.cursor = Cursor()

    @classmethod
    async def begin(cls, seed: int) -> History:
        wall = await a_wall(variants=("紅", "白"), on_hand=(5, 4), places=2, **POLICIES[seed % len(POLICIES)])
        other = await a_post(wall.shop, products=[wall.product], title="另一團")
        async with database.transaction() as tx:
            await place_post(tx, shop_id=wall.shop.id, post_id=other.id, channel_id=wall.channel_id, external_post_id="other", now=NOW)
        wall.external_posts.append("other")
        return cls(wall, seed)

    async def speak(self) -> None:
        """One event by somebody, sometimes later than those after it."""
        dice, act = self.dice, self.dice.random()
        self.second += 1
        at = NOW + timedelta(seconds=self.second * 7 - dice.choice((0, 0, 0, 12)))
        if act < 0.35 and self.comments:
            author, comment, place = dice.choice(self.comments)
            verb = "remove" if act < 0.1 else "edited"
            await self.wall.says(author, dice.choice(TEXTS), comment=comment, verb=verb, at=at, place=place)
        else:
            author, place = f"buyer{dice.randrange(5)}", dice.randrange(3)
            comment = await self.wall.says(author, dice.choice(TEXTS), comment=f"{len(self.comments)}", at=at, place=place)
            self.comments.append((author, comment, place))

    async def drain(self) -> None:
        """One batch of any size."""
        await drain_one(self.cursor, handler(self.wall.services), now=self.wall.services.clock.now, most=self.dice.choice((1, 2, 7, 200)))

    async def staff(self) -> None:
        """One act of the shop, of time or of a job; a refusal is an answer."""
        wall, dice = self.wall, self.dice
        act = dice.choice((self._pay, self._cancel, self._count, self._fill, self._fill, self._expire, self._resolve, self._link))
        try:
            await act()
        except (DomainError, NotFound):
            assert wall.shop

    async def _any_order(self, state: str) -> object:
        return await database.fetchval(
            f"""select id from "order" where {state} order by md5(id::text || {self.dice.random()}::text) limit 1"""
        )

    async def _pay(self) -> None:
        await pay(self.wall, await self._any_order("state = 'OPEN'") or new_id())  # type: ignore[arg-type]

    async def _cancel(self) -> None:
        order = await self._any_order("state = 'OPEN'") or new_id()
        await cancel(order_id=order, shop_id=self.wall.shop.id, reason="x", actor=STAFF, now=NOW, jobs=self.wall.services.jobs)  # type: ignore[arg-type]

    async def _count(self) -> None:
        variant, delta = self.dice.choice(self.wall.product.variants), self.dice.choice((-2, -1, 1, 2))
        await adjust(
            shop_id=self.wall.shop.id, variant_id=variant.id, delta=delta, reason=AdjustReason.CORRECTION, actor=STAFF, now=NOW,
            jobs=self.wall.services.jobs,
        )  # fmt: skip

    async def _fill(self) -> None:
        await fill(self.wall)

    async def _expire(self) -> None:
        order = await self._any_order("state = 'OPEN' and payment_state = 'UNPAID'")
        await database.execute('update "order" set pay_by = $2, version = version + 1 where id = $1', order, NOW - timedelta(seconds=1))
        await expire(self.wall, at=NOW)

    async def _resolve(self) -> None:
        comment = await database.fetchval("select comment_id from claim where review = 'OPEN' order by decided_at, id limit 1")
        action = self.dice.choice(tuple(ResolveAction))
        await resolve(
            comment_id=comment or new_id(), shop_id=self.wall.shop.id, action=action, lines=[(self.wall.product.variants[0].id, 1)],
            actor=STAFF, by_member_id=new_id(), now=NOW, jobs=self.wall.services.jobs,
        )  # fmt: skip

    async def _link(self) -> None:
        member = await a_member()
        async with database.transaction() as tx:
            await link_buyers(tx, member, "facebook", f"buyer{self.dice.randrange(5)}", NOW)

    async def end(self) -> None:
        """All is decided; then nothing is out of joint, nobody waits beside free pieces, and hearing all of it again changes nothing."""
        await self.wall.drain()
        await fill(self.wall)
        assert await check(NOW + timedelta(seconds=59)) == []
        assert await database.fetch(HUNGRY) == []
        assert await database.fetch(EMPTY) == []
        before = [await database.fetch(f'select * from "{table}" order by 1') for table in TABLES]
        await database.execute("update inbox_event set state = 'PENDING'")
        await self.wall.drain()
        assert [await database.fetch(f'select * from "{table}" order by 1') for table in TABLES] == before


HUNGRY = """select w.id from waitlist_entry w join stock_level s using (variant_id)
            where w.state = 'WAITING' and s.held + s.committed < s.on_hand + s.backorder_limit"""
EMPTY = """select o.id from "order" o where o.state = 'OPEN' and not exists (select 1 from order_line l where l.order_id = o.id and l.quantity > 0)"""
TABLES = ("order", "order_line", "stock_level", "waitlist_entry", "stock_movement", "notice", "platform_reply")


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_happens_in_turn_the_books_agree(db: str, seed: int) -> None:
    history = await History.begin(seed)
    for _ in range(45):
        await history.speak()
        if history.dice.random() < 0.5:
            await history.drain()
        if history.dice.random() < 0.4:
            await history.staff()
    await history.end()


@pytest.mark.parametrize("seed", range(100, 104))
async def test_whatever_happens_at_once_the_books_agree(db: str, seed: int) -> None:
    history = await History.begin(seed)
    for _ in range(6):
        for _ in range(9):
            await history.speak()
        acts = [history.drain() for _ in range(4)] + [history.staff() for _ in range(4)]
        history.dice.shuffle(acts)
        await asyncio.gather(*acts)
    await history.end()


async def test_twin_that_locks_no_level_does_not_agree(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same histories without the levels' lock: figures read by two lanes at once no longer are what the orders hold."""
    monkeypatch.setattr(loading, "LOCK_LEVELS", loading.LOCK_LEVELS.replace("for no key update", ""))
    read = loading._levels
    barrier = asyncio.Barrier(2)

    async def both_read(tx: Tx, *args: object) -> None:
        await read(tx, *args)  # type: ignore[arg-type]
        await barrier.wait()

    monkeypatch.setattr(loading, "_levels", both_read)
    wall = await a_wall(on_hand=1, places=2)
    for place in range(2):
        await wall.says(f"buyer{place}", "+1", place=place)
    done = await asyncio.gather(
        *(drain_one(Cursor(), handler(wall.services), now=wall.services.clock.now) for _ in range(2)), return_exceptions=True
    )
    assert sorted(type(d).__name__ for d in done) == ["CheckViolationError", "Drained"]
