"""A screen's statement is kept for all who ask for the same: it answers each with what is theirs, at their time and in their language."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.execution import screens
from api.execution.screens import MOST_STATEMENTS
from benchmarks.screens import DOCUMENTS
from domain.paging import Args
from tests.api.execution.test_written import by_executor, furnished

PAGED = "query P($first: Int, $after: String) { me { id displayName orders(first: $first, after: $after) { nodes { id } pageInfo { endCursor } } } }"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each statement that was put together, whether it is kept."""
    found: list[bool] = []
    state = screens.Operation._stated

    def noted(self, context, variables):
        kept = state(self, context, variables)
        found.append(kept.is_kept)
        return kept

    monkeypatch.setattr(screens.Operation, "_stated", noted)
    return found


@pytest.mark.parametrize("screen", DOCUMENTS)
async def test_members_in_turn_see_their_own(people, signed_in, made, monkeypatch, clock, screen) -> None:
    await furnished(people)
    clients, document = [await signed_in(people.member), await signed_in(people.stranger)], DOCUMENTS[screen]
    for number in range(3):
        clock.at += timedelta(seconds=number)
        answers = [(await client.ask(document)).response.content for client in clients]
        assert answers[0] != answers[1]
        for client, answer in zip(clients, answers, strict=True):
            assert answer == await by_executor(client, document, {}, monkeypatch)
    assert all(made)


async def test_only_pages_without_cursors_are_kept_and_not_without_end(people, signed_in, made, monkeypatch) -> None:
    await furnished(people)
    client, wanted = await signed_in(people.member), list(range(1, MOST_STATEMENTS + 3))
    for first in [*wanted, *wanted]:
        answer = await client.ask(PAGED, {"first": first})
        assert answer.response.content == await by_executor(client, PAGED, {"first": first}, monkeypatch)
    assert made.count(False) == 0
    after = (await client.ask(PAGED, {"first": 1})).data["me"]["orders"]["pageInfo"]["endCursor"]
    made.clear()
    for _ in range(2):
        answer = await client.ask(PAGED, {"first": 1, "after": after})
        assert answer.response.content == await by_executor(client, PAGED, {"first": 1, "after": after}, monkeypatch)
    assert made == [False, False]


def test_the_values_of_another_request() -> None:
    args = Args("first")
    assert [args.member("me"), args(20), args.now("then"), args.member("me")] == ["$2", "$3", "$4", "$5"]
    assert args.again("you", lambda: "now") == ["first", "you", 20, "now", "you"]
    assert args.values == ["first", "me", 20, "then", "me"]
