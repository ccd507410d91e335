"""A Friday evening of 2.5 million members, minute by minute: what comes in, what waits, and how many processes, connections and coins that takes.

    plusone bench scaling
    plusone bench scaling --set members=500000

A queueing model, not a load test: arrivals per minute from a curve and from lives that begin when sellers begin them, work per arrival from the
measured costs (`Costs`), and per station the waiting work as a fluid with the waiting time of M/M/c on top. Inbox lanes are stations of their own:
one post is decided by one worker at a time, so a hot post waits however many workers there are. The same seed gives the same evening.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

from benchmarks.frame import Bench, Run
from benchmarks.scaling_figures import Costs, Habits, Prices
from benchmarks.scaling_picture import picture

MINUTES: Final = 24 * 60
TARGET_LOAD: Final = 0.6
"""Of a core at the worst minute; the rest is for bursts within the minute."""
PICTURE: Final = Path(__file__).parent.parent / "docs" / "friday-evening.svg"

CURVE: Final = (
    0.35, 0.18, 0.09, 0.05, 0.04, 0.05, 0.12, 0.30, 0.50, 0.60, 0.70, 0.85, 1.00, 0.85, 0.75, 0.75, 0.80, 0.95, 1.30, 2.10, 3.00, 3.20, 2.40, 1.10,
)  # fmt: skip
"""How busy each hour of a Friday is, 1 for noon; local time. The shape of social commerce: lives from 19 to 23 o'clock."""


@dataclass(frozen=True, slots=True)
class Live:
    """One live: its lane, when it begins and ends (minutes), and its comments per minute."""

    start: float
    end: float
    comments: float


@dataclass(slots=True)
class Minute:
    """What comes in one minute, and what becomes of it."""

    comments: float = 0.0
    screens: float = 0.0
    pushes: float = 0.0
    replies: float = 0.0
    batches: float = 0.0
    """Batches that the lanes take: one per comment under quiet posts, fewer the faster comments come."""
    hottest: float = 0.0
    """Comments of the busiest single lane."""
    waiting: float = 0.0
    """Comments stored and not decided at the end of it, over all lanes."""
    wait_seconds: float = 0.0
    """Until a comment of the busiest lane is decided."""
    worker_cores: float = 0.0
    web_cores: float = 0.0
    postgres_cores: float = 0.0
    connections: float = 0.0
    """Database connections in use at once, on average."""


def erlang_c(servers: int, offered: float) -> float:
    """The share of arrivals that find all servers busy: M/M/c with `offered` = arrival rate x service time, below `servers`.

    Source: A. K. Erlang 1917; computed by the recursion of Erlang B, which never overflows.
    """
    if offered <= 0:
        return 0.0
    if offered >= servers:
        return 1.0
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = offered * blocked / (n + offered * blocked)
    return blocked / (1 - offered / servers * (1 - blocked))


def mean_wait(servers: int, offered: float, service: float) -> float:
    """Mean seconds in the queue of M/M/c; infinite when the servers cannot keep up."""
    if offered >= servers:
        return math.inf
    return erlang_c(servers, offered) * service / (servers - offered)


def servers_for(offered: float, load: float = TARGET_LOAD) -> int:
    """Servers that are busy for at most this share of their time."""
    return max(1, math.ceil(offered / load))


@dataclass(slots=True)
class Station:
    """A queue with `servers`: work that it cannot do in a step stays, as a fluid; below that, M/M/c says how long one waits."""

    servers: int
    service: float
    backlog: float = 0.0
    """Arrivals that wait."""

    def step(self, arrivals: float, seconds: float) -> float:
        """Take these in; answers the mean wait in seconds of one that comes at the end of the step."""
        room = self.servers * seconds / self.service
        self.backlog = max(0.0, self.backlog + arrivals - room)
        if self.backlog > 0:
            return self.backlog * self.service / self.servers
        return mean_wait(self.servers, arrivals / seconds * self.service, self.service)


def lane_seconds(costs: Costs, batch: float) -> float:
    """Seconds that one lane takes per comment, in batches of so many: what is fixed is shared by the batch."""
    fixed = costs.batch_worker + costs.batch_postgres
    return fixed / max(1.0, min(batch, costs.batch_most)) + costs.decide_worker + costs.decide_postgres


def lane_step(costs: Costs, backlog: float, arrivals: float, seconds: float) -> tuple[float, float]:
    """A lane's backlog after a step, and the seconds until a comment that comes then is decided.

    A lane takes all that waits, up to its largest batch; when it keeps up, the batch is what comes in while one batch is worked on.
    """
    fastest = lane_seconds(costs, costs.batch_most)
    rate = arrivals / seconds
    left = backlog + arrivals - seconds / fastest
    if left > 0:
        return left, left * fastest
    own, fixed = costs.decide_worker + costs.decide_postgres, costs.batch_worker + costs.batch_postgres
    # A comment waits for half of the batch that is running, and then for its own.
    return 0.0, 1.5 * (fixed + batch_in_balance(costs, rate) * own) if rate else 0.0


def batch_in_balance(costs: Costs, rate: float) -> float:
    """Comments in a batch of a lane that keeps up with `rate` a second: as many as come while one batch is worked on, at least one."""
    own, fixed = costs.decide_worker + costs.decide_postgres, costs.batch_worker + costs.batch_postgres
    return min(float(costs.batch_most), max(1.0, rate * fixed / max(1e-9, 1 - rate * own)))


def evening(habits: Habits, seed: int) -> list[Live]:
    """The day's lives: sizes by Zipf, beginnings where the curve is high."""
    chance = random.Random(seed)
    weights = [1 / (n + 1) ** 0.8 for n in range(habits.lives)]
    whole = sum(weights)
    hours = list(range(24))
    found = []
    for weight in weights:
        begin = chance.choices(hours, [value**3 for value in CURVE])[0] * 60 + chance.random() * 60
        length = habits.live_minutes * (0.6 + 0.8 * chance.random())
        found.append(Live(begin, min(begin + length, MINUTES), habits.comments_per_live * habits.lives * weight / whole))
    return found


def simulate(habits: Habits, costs: Costs, seed: int = 1) -> list[Minute]:
    """The day, minute by minute."""
    day = [Minute() for _ in range(MINUTES)]
    lives = evening(habits, seed)
    backlog = [0.0] * len(lives)
    curve = [_curve(minute) for minute in range(MINUTES)]
    whole = sum(curve)
    of_posts = habits.posts_share * sum(live.comments for live in lives)
    for minute, now in enumerate(day):
        share = curve[minute] / whole
        now.comments = now.batches = of_posts * share
        now.screens = habits.members * habits.active_share * habits.screens_each * share
        for n in [n for n, live in enumerate(lives) if backlog[n] or live.start < minute + 1 <= live.end + 1]:
            came = _of_live(lives[n], minute)
            now.comments += came
            now.batches += came / batch_in_balance(costs, came / 60.0)
            # A hot moment within the minute: so many of its comments come HOT_FACTOR times as fast.
            left, wait = lane_step(costs, backlog[n], came, 60.0)
            if came:
                peak = came / 60.0 * habits.hot_factor
                burst, hot_wait = lane_step(costs, left, peak * habits.hot_seconds, habits.hot_seconds)
                wait = max(wait, hot_wait)
                now.waiting = max(now.waiting, burst)
            backlog[n] = left
            if came > now.hottest:
                now.hottest = came
            now.wait_seconds = max(now.wait_seconds, wait)
        now.waiting += sum(backlog)
        _load(now, habits, costs)
    return day


def _curve(minute: int) -> float:
    """The curve between its hours, without steps."""
    hour, part = divmod(minute, 60)
    return CURVE[hour] + (CURVE[(hour + 1) % 24] - CURVE[hour]) * part / 60


def _of_live(live: Live, minute: int) -> float:
    """Comments of a live in one minute: more at its end, when what is left is called."""
    overlap = min(live.end, minute + 1) - max(live.start, minute)
    if overlap <= 0:
        return 0.0
    through = (minute - live.start) / max(1.0, live.end - live.start)
    return live.comments / max(1.0, live.end - live.start) * overlap * (0.7 + 0.6 * min(1.0, max(0.0, through)))


def _load(now: Minute, habits: Habits, costs: Costs) -> None:
    """Cores and connections that this minute's work keeps busy."""
    now.pushes = now.comments * habits.order_share * habits.push_share
    now.replies = now.comments * habits.reply_share
    deciding = costs.decide_worker + costs.batch_worker * now.batches / max(now.comments, 1e-9)
    postgres = costs.decide_postgres + costs.batch_postgres * now.batches / max(now.comments, 1e-9)
    now.worker_cores = (now.comments * deciding + now.pushes * costs.push_worker + now.replies * costs.reply_worker) / 60
    now.web_cores = (now.comments * costs.store_web + now.screens * costs.screen_web) / 60
    now.postgres_cores = (
        now.comments * (postgres + costs.store_postgres)
        + now.screens * costs.screen_postgres
        + now.pushes * costs.push_postgres
        + now.replies * costs.reply_postgres
    ) / 60
    # A connection is held while PostgreSQL works and, in transactions of the drain, while Python does.
    now.connections = now.postgres_cores + now.comments * deciding / 60


@dataclass(frozen=True, slots=True)
class Answer:
    """What the evening takes."""

    comments_at_peak: float
    screens_at_peak: float
    longest_wait_seconds: float
    most_waiting: float
    web_processes: int
    worker_processes: int
    postgres_cores: int
    connections: int
    """Pools of all processes and their listeners: what the server must allow."""
    connections_busy: int
    """Of these in use at once, but for one moment in a thousand of the worst minute."""
    screen_waits_ms: float
    """On average, for a process, at the worst minute."""
    push_waits_ms: float
    lane_limit: float
    """Comments a second that one post can have decided."""
    lives_may_grow: float
    """So many times as many comments per live, and the busiest post waits two seconds."""
    gib_per_year: float
    dollars_per_month: float


def answer(day: Sequence[Minute], habits: Habits, costs: Costs, prices: Prices, pool: int = 10) -> Answer:
    """Processes at TARGET_LOAD of the worst minute, and what they cost."""
    web, worker, postgres = (servers_for(max(getattr(m, name) for m in day)) for name in ("web_cores", "worker_cores", "postgres_cores"))
    comments = sum(m.comments for m in day)
    # A Friday is twice an average day.
    year = comments * 365 / 2
    orders = year * habits.order_share / habits.lines_per_order
    events = year * costs.event_days / 365
    gib = (year * costs.comment_bytes + events * costs.event_bytes + orders * costs.order_bytes) / 2**30
    traffic = sum(m.screens for m in day) * 30 / 2 * prices.screen_kib / 2**20
    dollars = (
        (web + worker) * prices.core_month
        + postgres * prices.database_core_month
        + gib * prices.storage_gib_month
        + traffic * prices.traffic_gib
    )
    return Answer(
        max(m.comments for m in day) / 60, max(m.screens for m in day) / 60, max(m.wait_seconds for m in day), max(m.waiting for m in day),
        web, worker, postgres, (web + worker) * (pool + 1), poisson_top(max(m.connections for m in day)),
        _waits([(m.screens, m.web_cores) for m in day], web), _waits([(m.pushes, m.worker_cores) for m in day], worker),
        1 / lane_seconds(costs, costs.batch_most), room_to_grow(day, habits, costs), gib, dollars,
    )  # fmt: skip


def _waits(loads: Sequence[tuple[float, float]], servers: int) -> float:
    """Milliseconds, in the worst minute, for one of these servers; what is done in them shares them with everything else there."""
    worst, station = 0.0, Station(servers, 1.0)
    for arrivals, cores in loads:
        station.service = max(cores, 1e-9) * 60 / max(arrivals, 1e-9)
        worst = max(worst, station.step(arrivals, 60.0))
    return worst * 1000


def poisson_top(mean: float, share: float = 0.999) -> int:
    """The smallest number that a Poisson count of this mean stays at or below, this share of the time."""
    term = below = math.exp(-mean)
    count = 0
    while below < share:
        count += 1
        term *= mean / count
        below += term
    return count


def room_to_grow(day: Sequence[Minute], habits: Habits, costs: Costs, patience: float = 2.0) -> float:
    """How many times as fast the busiest lane's comments may come until one waits `patience` seconds in a hot moment."""
    rate = max(m.hottest for m in day) / 60 * habits.hot_factor

    def wait(times: float) -> float:
        return lane_step(costs, 0.0, rate * times * habits.hot_seconds, habits.hot_seconds)[1]

    low, high = 1e-3, 1e4
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if wait(middle) < patience else (low, middle)
    return low


UNITS: Final = ("1/s", "1/s", "s", "comments", "", "", "", "", "", "ms", "ms", "1/s", "x", "GiB", "USD")


async def measure(run: Run, *, members: int, lives: int, seed: int, draw: int) -> None:
    """`draw`: 1 writes the picture of docs/scaling.md anew."""
    habits = replace(Habits(), members=members, lives=lives)
    costs, prices = Costs(), Prices()
    with run.step("an evening"):
        day = simulate(habits, costs, seed)
    found = answer(day, habits, costs, prices)
    columns = (
        "hour",
        "comments/s",
        "screens/s",
        "pushes/s",
        "lanes' wait s",
        "waiting",
        "web cores",
        "worker cores",
        "PG cores",
        "connections",
    )
    grid = run.grid("the busiest minute of each hour", *columns)
    for hour in range(24):
        worst = max(day[hour * 60 : hour * 60 + 60], key=lambda m: m.comments)
        grid.add(
            f"{hour:02}", worst.comments / 60, worst.screens / 60, worst.pushes / 60, worst.wait_seconds, worst.waiting, worst.web_cores,
            worst.worker_cores, worst.postgres_cores, worst.connections,
        )  # fmt: skip
    units = dict(zip((one.name for one in fields(Answer)), UNITS, strict=True))
    for name, unit in units.items():
        run.figure(name.replace("_", " "), getattr(found, name), unit, at_most=2.0 if name == "longest_wait_seconds" else None)
    run.note(
        f"A model fed with measured costs; processes are for {TARGET_LOAD:.0%} of a core at the worst minute. docs/scaling.md says what to edit."
    )
    if draw:
        PICTURE.write_text(picture([(m.comments / 60, m.screens / 60, m.wait_seconds, m.postgres_cores) for m in day]), encoding="utf-8")


BENCH = Bench(
    "scaling",
    "a Friday evening of 2.5 million members: queues, pools, processes and cost, by a model",
    measure,
    full={"members": 2_500_000, "lives": 900, "seed": 1, "draw": 0},
    quick={"members": 2_500_000, "lives": 900, "seed": 1, "draw": 0},
    smallest={"members": 100_000, "lives": 40, "seed": 1, "draw": 0},
)
