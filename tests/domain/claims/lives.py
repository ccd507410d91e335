"""Walls with a life behind them, and what the simulator makes of it, for tests of the simulator."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import orjson

from domain import db as database
from domain.claims import scenery, simulation
from domain.claims.rehearsal import Rehearsal
from domain.claims.rules import CancelUntil, ClaimPolicy, NearMiss, OnDelete, OnEdit, Proxy, Reading, RepeatMode, Shortage
from domain.claims.simulation import Simulation, StockFrom, simulate
from tests.build import NOW
from tests.domain.claims.acts import fill
from tests.wall import PAGE, Wall, a_wall

TEXTS = (
    "紅+1", "紅+1", "紅+2", "白+1", "白+1", "白+2", "白+3", "紅+1 白+1", "取消", "全部取消", "紅取消", "白取消", "紅+1 白+1", "取消", "紅取消", "全部取消", "紅-1 白+1", "紅改+2", "-1", "紅x1", "紅一件", "還有嗎？", "好可愛", "紅+1？",
    "白+9", "+2", "紅+1，運費多少", "黑+1", "我要白", "幫小美紅+1",
)  # fmt: skip
POLICIES: tuple[dict[str, Any], ...] = (
    {},
    {"on_delete": OnDelete.RELEASE_IF_UNPAID, "per_buyer_max": 4, "reading": Reading.LENIENT},
    {"repeat_mode": RepeatMode.REPLACE, "shortage": Shortage.PARTIAL, "on_edit": OnEdit.FLAG},
    {"repeat_mode": RepeatMode.ONCE, "shortage": Shortage.REJECT_COMMENT, "rate_limit_orders": 2, "rate_limit_hours": 1},
    {"reading": Reading.LENIENT, "on_delete": OnDelete.RELEASE_IF_UNPAID, "rate_limit_orders": 3, "rate_limit_hours": 1},
    {"reading": Reading.STRICT, "shortage": Shortage.REJECT_LINE, "on_near_miss": NearMiss.SILENT, "on_edit": OnEdit.IGNORE},
    {"ignore_authors": frozenset(), "cancel_until": CancelUntil.PAYMENT, "proxy": Proxy.ALLOW},
    {"cancel_until": CancelUntil.NEVER, "proxy": Proxy.ALLOW, "on_delete": OnDelete.RELEASE_IF_UNPAID, "trigger_words": ("要",)},
)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Event:
    """One event as the platform tells it."""

    author: str
    text: str
    comment: str
    verb: str
    at: Any
    received_at: Any


def told(seed: int, size: int = 50) -> list[Event]:
    """Comments, edits and removals of six people in platform order, some within one second, some delivered late, some after the post closed."""
    dice = random.Random(seed)
    events: list[Event] = []
    comments: list[tuple[str, str]] = []
    at = NOW
    for _ in range(size):
        at += timedelta(seconds=dice.choice((0, 1, 60, 240)))
        received = at + dice.choice((timedelta(), timedelta(), timedelta(seconds=40), 5 * MINUTE))
        act = dice.random()
        if act < 0.35 and comments:
            author, comment = dice.choice(comments)
            events.append(Event(author, dice.choice(TEXTS), comment, "remove" if act < 0.1 else "edited", at, received))
        else:
            author, comment = f"buyer{dice.randrange(6)}", f"c{len(comments)}"
            comments.append((author, comment))
            events.append(Event(author if dice.random() < 0.9 else PAGE, dice.choice(TEXTS), comment, "add", at, received))
    # Within one instant by the inbox's key: first texts before what happens to comments, then by comment.
    return sorted(events, key=lambda e: (e.at, e.verb != "add", len(e.comment), e.comment))


async def tell(wall: Wall, event: Event) -> None:
    await wall.says(
        event.author, event.text, comment=event.comment, verb=event.verb, at=event.at, received_at=event.received_at
    )  # fmt: skip


async def lived(events: list[Event], policy: dict[str, Any]) -> Wall:
    """A wall on which all of it happened, the worker taking every event at once."""
    wall = await a_wall(variants=("紅", "白"), on_hand=(5, 4), closes_at=NOW + 90 * MINUTE, **policy)
    for event in events:
        await tell(wall, event)
        await wall.drain()
        await fill(wall)
    return wall


async def stored(wall: Wall) -> dict[str, list[Any]]:
    """What the worker stored of each comment, variants by their labels: outcome, reason, the bytes of the result, lines, waiting places."""
    names = {str(v.id): v.label for v in wall.product.variants}
    rows = await database.fetch(
        """select c.external_id, k.outcome, k.reason, k.result,
                  (select coalesce(jsonb_object_agg(variant_id, n), '{}') from (
                     select variant_id, sum(quantity) n from order_line l where l.claim_id = k.id and quantity > 0 group by 1) x) as lines,
                  (select coalesce(jsonb_object_agg(variant_id, quantity), '{}') from waitlist_entry w
                   where w.claim_id = k.id and state = 'WAITING') as waiting
           from claim k join social_comment c on c.id = k.comment_id where k.post_id = $1 order by c.written_at, c.id""",
        wall.post_id,
    )
    return {
        row["external_id"]: [
            row["outcome"], row["reason"], _bytes(orjson.loads(row["result"]), names),
            {names[k]: n for k, n in orjson.loads(row["lines"]).items()}, {names[k]: n for k, n in orjson.loads(row["waiting"]).items()},
        ]
        for row in rows
    }  # fmt: skip


def _bytes(result: object, names: dict[str, str]) -> bytes:
    text = orjson.dumps(result, option=orjson.OPT_SORT_KEYS).decode()
    for key, name in names.items():
        text = text.replace(key, name)
    return text.encode()


async def rehearsed(wall: Wall, **changes: Any) -> dict[str, list[Any]]:
    """What the simulator makes of the same comments, in the form of `stored`."""
    async with database.transaction() as tx:
        stage = await scenery.stage_of(tx, wall.shop.id, wall.post_id)
        policy = replace(stage.policy, **changes)
        cast = await scenery.written(tx, stage, simulation.Slices(120).pause)
        scene = await scenery.scene_of(tx, stage, cast, [policy], stored=True, unlimited=False, now=NOW)
    rehearsal = Rehearsal(scene, stage.reading(policy))
    for said in scene.said:
        rehearsal.say(said)
    names = {v.id: v.label for v in wall.product.variants}
    return {
        external_id: [
            d.outcome.value, d.reason, _bytes(orjson.loads(d.result), {str(k): name for k, name in names.items()}),
            {names[k]: n for k, n in d.lines}, {names[k]: n for k, n in d.waiting},
        ]
        for (_, external_id), d in rehearsal.decided()
    }  # fmt: skip


async def tried(wall: Wall, *, pasted: str | None = None, stock: StockFrom = StockFrom.LEVEL, **changes: Any) -> Simulation:
    """The simulation of these changes of the policy in force."""
    return await simulate(
        shop_id=wall.shop.id, post_id=wall.post_id, candidate=lambda base: replace(base, **changes), pasted=pasted, stock=stock, now=NOW,
        seconds=120,
    )  # fmt: skip


def whole(changes: dict[str, Any]) -> dict[str, Any]:
    """A policy as a change of any other one."""
    policy = ClaimPolicy(**changes)
    return {name: getattr(policy, name) for name in ClaimPolicy.__dataclass_fields__}
