"""Which statements ran: `with recorded() as sql: …; assert len(sql) == 1`.

asyncpg's own connection methods are wrapped, so nothing that reaches the database is missed; BEGIN, COMMIT and savepoints count too. A COPY is noted as `copy <table>`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asyncpg.connection import Connection

from domain.db.lending import Pool

METHODS = ("fetch", "fetchrow", "fetchval", "execute", "executemany")


@contextmanager
def recorded() -> Iterator[list[str]]:
    """The texts of the statements that run in this block, in order, over all connections of the process."""
    found: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name in METHODS:
            patch.setattr(Connection, name, _noting(getattr(Connection, name), found))
        patch.setattr(Pool, "known", lambda *_: None)  # a screen's statement takes asyncpg's method as well
        patch.setattr(Connection, "copy_records_to_table", _noting(Connection.copy_records_to_table, found, "copy {}"))
        yield found


def _noting(method: Callable[..., Any], into: list[str], words: str = "{}") -> Callable[..., Any]:
    async def noting(self: Any, query: str, *args: Any, **kwargs: Any) -> Any:
        into.append(words.replace("{}", query))
        return await method(self, query, *args, **kwargs)

    return noting
