"""The model of the evening: its queues against the formulas and against customers drawn one by one; the same seed, the same day."""

from __future__ import annotations

import heapq
import math
import random
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import scaling
from benchmarks.scaling import Station, answer, erlang_c, lane_step, mean_wait, poisson_top, servers_for, simulate
from benchmarks.scaling_figures import Costs, Habits, Prices
from benchmarks.scaling_picture import picture

SMALL = Habits(members=50_000, lives=30)


def test_erlang_c_is_what_the_books_say() -> None:
    assert erlang_c(1, 0.5) == pytest.approx(0.5)
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)
    assert erlang_c(3, 2.0) == pytest.approx(4 / 9)
    assert erlang_c(10, 8.0) == pytest.approx(0.40918, abs=1e-5)
    assert erlang_c(500, 400.0) < 1e-5
    assert (erlang_c(2, 0.0), erlang_c(2, 2.0)) == (0.0, 1.0)


@pytest.mark.parametrize("load", [0.1, 0.5, 0.9])
def test_one_server_waits_as_m_m_1(load: float) -> None:
    assert mean_wait(1, load, 2.0) == pytest.approx(load / (1 - load) * 2.0)
    assert mean_wait(1, 1.0, 2.0) == math.inf


def drawn(servers: int, rate: float, service: float, customers: int) -> float:
    """The mean wait of customers who really come and go, by exponential times from a seed."""
    chance, now, waited = random.Random(11), 0.0, 0.0
    free = [0.0] * servers
    for _ in range(customers):
        now += chance.expovariate(rate)
        start = max(now, heapq.heappop(free))
        waited += start - now
        heapq.heappush(free, start + chance.expovariate(1 / service))
    return waited / customers


@pytest.mark.parametrize(("servers", "load"), [(1, 0.6), (3, 0.7), (8, 0.8)])
def test_the_station_waits_as_long_as_customers_drawn_one_by_one(servers: int, load: float) -> None:
    station, rate = Station(servers, 0.5), servers * load / 0.5
    modelled = [station.step(rate * 60, 60.0) for _ in range(5)]
    assert modelled == [modelled[0]] * 5
    assert modelled[0] == pytest.approx(drawn(servers, rate, 0.5, 200_000), rel=0.08)


def test_an_overloaded_station_keeps_what_it_cannot_do_and_catches_up() -> None:
    station = Station(2, 1.0)
    assert station.step(180, 60.0) == pytest.approx(30.0)
    assert station.backlog == 60
    assert station.step(60, 60.0) == 0.0 or station.backlog == 0.0
    assert station.step(0, 60.0) == 0.0


def test_a_lane_batches_when_comments_come_fast_and_waits_only_beyond_its_limit() -> None:
    costs = Costs()
    limit = 1 / scaling.lane_seconds(costs, costs.batch_most)
    calm, busy = lane_step(costs, 0.0, 60, 60.0), lane_step(costs, 0.0, limit * 0.9 * 60, 60.0)
    assert (calm[0], busy[0]) == (0.0, 0.0)
    assert 0 < calm[1] < busy[1] < 2.0
    left, wait = lane_step(costs, 0.0, limit * 2 * 60, 60.0)
    assert left == pytest.approx(limit * 60)
    assert wait == pytest.approx(60.0)
    assert lane_step(costs, left, 0, 60.0)[0] == pytest.approx(0.0, abs=1e-6)
    batches = [scaling.batch_in_balance(costs, rate) for rate in (0.1, 10, 100, 1_000, 1e6)]
    assert batches == sorted(batches)
    assert (batches[0], batches[-1]) == (1.0, costs.batch_most)


def test_servers_are_busy_for_the_load_and_no_more() -> None:
    assert [servers_for(cores) for cores in (0.0, 0.1, 0.6, 0.61, 6.0)] == [1, 1, 1, 2, 10]


def test_a_poisson_count_stays_below_its_top() -> None:
    assert [poisson_top(0.0), poisson_top(1.0, 0.7), poisson_top(1.0, 0.95)] == [0, 1, 3]
    assert poisson_top(100.0) == 132


def test_the_same_seed_gives_the_same_day_and_another_another() -> None:
    assert simulate(SMALL, Costs(), 1) == simulate(SMALL, Costs(), 1)
    assert simulate(SMALL, Costs(), 1) != simulate(SMALL, Costs(), 2)


def test_everything_that_people_write_comes_in_within_the_day() -> None:
    habits = replace(SMALL, posts_share=0.0)
    wrote = sum(live.comments for live in scaling.evening(habits, 1))
    assert wrote == pytest.approx(habits.lives * habits.comments_per_live)
    assert sum(m.comments for m in simulate(habits, Costs())) == pytest.approx(wrote, rel=0.05)
    screens = habits.members * habits.active_share * habits.screens_each
    assert sum(m.screens for m in simulate(habits, Costs())) == pytest.approx(screens)


def test_dearer_screens_take_more_cores_and_more_money() -> None:
    dear = replace(Costs(), screen_web=Costs().screen_web * 100, screen_postgres=Costs().screen_postgres * 100)
    day, dear_day = simulate(SMALL, Costs()), simulate(SMALL, dear)
    assert max(m.web_cores for m in dear_day) > 5 * max(m.web_cores for m in day)
    assert [m.comments for m in day] == [m.comments for m in dear_day]
    few, many = (answer(d, SMALL, c, Prices()) for d, c in ((day, Costs()), (dear_day, dear)))
    assert many.dollars_per_month > few.dollars_per_month
    assert many.web_processes > few.web_processes


def test_a_post_that_everybody_writes_under_waits_and_is_told_of() -> None:
    calm = answer(simulate(SMALL, Costs()), SMALL, Costs(), Prices())
    flood = replace(SMALL, comments_per_live=400_000.0)
    full = answer(simulate(flood, Costs()), flood, Costs(), Prices())
    assert calm.most_waiting == 0
    assert calm.lives_may_grow > 1 > full.lives_may_grow
    assert full.most_waiting > 1_000
    assert full.longest_wait_seconds > 2


def test_the_picture_is_an_image_of_four_lines() -> None:
    day = [(m.comments / 60, m.screens / 60, m.wait_seconds, m.postgres_cores) for m in simulate(SMALL, Costs())]
    root = ElementTree.fromstring(picture(day))
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert [len(line.attrib["points"].split()) for line in lines] == [480] * 4
    assert picture(day) == picture(day)


def test_the_page_tells_the_figures_of_the_model() -> None:
    habits, costs = Habits(), Costs()
    day = simulate(habits, costs)
    found = answer(day, habits, costs, Prices())
    page = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()
    for text in (
        f"| {found.comments_at_peak:.0f} a second |", f"| {found.screens_at_peak:.0f} a second |", f"| {max(m.pushes for m in day) / 60:.0f} a second |",
        f"| {found.longest_wait_seconds * 1000:.0f} ms |", f"| {found.lane_limit:,.0f} comments a second |", f"| {found.lives_may_grow:.1f} |",
        f"| {found.web_processes}, {found.worker_processes} |", f"| {found.postgres_cores} |", f"| {found.connections}; {found.connections_busy} |",
        f"| {found.gib_per_year:,.0f} GiB |", f"| {found.dollars_per_month:,.0f} USD |",
    ):  # fmt: skip
        assert text in page, text
    drawn_day = [(m.comments / 60, m.screens / 60, m.wait_seconds, m.postgres_cores) for m in day]
    assert scaling.PICTURE.read_text() == picture(drawn_day)
