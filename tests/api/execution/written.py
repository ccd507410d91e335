"""What tests of written screens share: whether an operation was written, and the same answer by graphql-core alone."""

from __future__ import annotations

from typing import Any

import pytest

from api.execution.kept import Plans
from api.execution.screens import Answered, Operations
from tests.api.execution.test_screens import nothing


class Seen:
    """Operations that were written from text, and those that the executor answered."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.executed = 0


def watched(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """What is answered from here on."""
    found, answer = Seen(), Operations.answer

    async def counted(self: Operations, *given: Any) -> Answered | None:
        done = await answer(self, *given)
        found.executed += done is None
        if done is not None:
            found.written.append(done.data)
        return done

    monkeypatch.setattr(Operations, "answer", counted)
    return found


async def by_executor(client: Any, query: str, variables: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The answer's bytes by graphql-core alone."""
    with monkeypatch.context() as patch:
        patch.setattr(Plans, "answer", nothing)
        patch.setattr(Plans, "chosen", lambda *_: None)
        return (await client.ask(query, variables)).response.content


async def same(client: Any, query: str, variables: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Both answers are the same; one of them."""
    answer = await client.ask(query, variables)
    assert answer.response.content == await by_executor(client, query, variables, monkeypatch), query
    return answer
