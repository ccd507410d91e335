"""Lanes are taken up again at once when it is calm, and later under load."""

from __future__ import annotations

import pytest

from domain.inbox.gathering import BATCHES, CALM_SECONDS, FULL_RATE, LONGEST_SECONDS, WINDOW_SECONDS, Gathering

LANE, OTHER = 7, 8


def under_load(rate: float, *, seconds: float = 2.0, step: float = 0.05, took: float = 0.0) -> tuple[Gathering, float]:
    """After a while of so many events a second in one lane, and when its last batch began."""
    gathering, now = Gathering(), 100.0
    for _ in range(round(seconds / step)):
        now += step
        gathering.decided(LANE, round(rate * step), full=False, began=now, ended=now + took)
    return gathering, now


def test_a_lone_comment_is_never_waited_after() -> None:
    gathering = Gathering()
    for at in (100.0, 110.0, 110.001):
        assert gathering.ripe(LANE, at)
        gathering.decided(LANE, 1, full=False, began=at, ended=at)
        assert gathering.ripe(LANE, at)
        assert gathering.rest(at) == 0.0


def test_under_full_load_a_lane_waits_for_the_whole_window_and_others_do_not() -> None:
    gathering, began = under_load(2 * FULL_RATE)
    assert not gathering.ripe(LANE, began + WINDOW_SECONDS - 0.01)
    assert gathering.ripe(LANE, began + WINDOW_SECONDS)
    assert gathering.ripe(OTHER, began)
    assert abs(gathering.rest(began) - WINDOW_SECONDS) < 1e-9


@pytest.mark.parametrize(("took", "window"), [(0.0, WINDOW_SECONDS), (0.05, BATCHES * 0.05), (3.0, LONGEST_SECONDS)])
def test_where_batches_take_long_it_waits_longer(took: float, window: float) -> None:
    gathering, began = under_load(2 * FULL_RATE, took=took)
    assert not gathering.ripe(LANE, began + window - 0.01)
    assert gathering.ripe(LANE, began + window + 0.01)


def test_below_it_the_window_is_shorter_in_proportion() -> None:
    gathering, began = under_load(FULL_RATE / 2)
    assert not gathering.ripe(LANE, began + WINDOW_SECONDS * 0.4)
    assert gathering.ripe(LANE, began + WINDOW_SECONDS * 0.6)


def test_many_quiet_lanes_are_a_load_together() -> None:
    gathering, now = Gathering(), 100.0
    for n in range(2_000):
        now += 1 / (2 * FULL_RATE)
        gathering.decided(n % 100, 1, full=False, began=now, ended=now)
    assert not gathering.ripe(1_999 % 100, now + WINDOW_SECONDS - 0.01)


def test_a_full_batch_shows_that_more_waits() -> None:
    gathering, began = under_load(2 * FULL_RATE)
    gathering.decided(LANE, 400, full=True, began=began, ended=began)
    assert gathering.ripe(LANE, began)


def test_after_a_calm_nothing_is_waited_for() -> None:
    gathering, began = under_load(2 * FULL_RATE)
    later = began + CALM_SECONDS + 0.1
    gathering.decided(LANE, 3, full=False, began=later, ended=later)
    assert gathering.ripe(LANE, later)
    assert gathering.rest(later) == 0.0


def test_an_empty_batch_says_nothing() -> None:
    gathering, began = under_load(2 * FULL_RATE)
    gathering.decided(OTHER, 0, full=False, began=began + 10, ended=began + 10)
    assert gathering.ripe(OTHER, began + 10)
    gathering.decided(OTHER, 1, full=False, began=began, ended=began)
    assert not gathering.ripe(OTHER, began)


def test_lanes_that_are_ripe_are_forgotten() -> None:
    gathering, now = Gathering(), 100.0
    for n in range(5_000):
        now += 0.001
        gathering.decided(n, 1, full=False, began=now, ended=now)
    assert len(gathering._ripe_at) < 500
