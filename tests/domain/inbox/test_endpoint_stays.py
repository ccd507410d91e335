"""An endpoint by which something has come stays; one that was never used may go."""

from __future__ import annotations

import asyncio
from uuid import UUID

import asyncpg
import pytest

from domain import db as database
from domain.ids import new_id
from tests.build import NOW

EVENT = """
insert into inbox_event (endpoint_id, source, external_key, lane, occurred_at, payload, state, outcome, tries, received_at, parked_reason)
values ($1, 'line', '1', 1, $2, '{}', 'DECIDED', '', 0, $2, '')"""


async def waits_for_another() -> None:
    """Until a statement of this database waits for another transaction."""
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    while not await database.fetchval_apart(waiting):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def an_unused_endpoint() -> UUID:
    """One that no channel belongs to."""
    endpoint = new_id()
    await database.execute(
        """insert into webhook_endpoint (id, source, slug, secret_encrypted, verify_token_encrypted, destination, created_at)
           values ($1, 'line', $1::uuid::text, '', '', '', $2)""",
        endpoint,
        NOW,
    )
    return endpoint


async def test_an_endpoint_goes_only_while_nothing_has_come_by_it(db: str) -> None:
    endpoint = await an_unused_endpoint()
    await database.execute(EVENT, endpoint, NOW)
    for act, name in (("delete from", "inbox_event_endpoint_id"), ("update", "never_gone")):
        change = " set id = gen_random_uuid()" if act == "update" else ""
        with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
            await database.execute(f"{act} webhook_endpoint{change} where id = $1", endpoint)
        assert refused.value.constraint_name == name
    await database.execute("delete from inbox_event where endpoint_id = $1", endpoint)
    assert await database.execute("delete from webhook_endpoint where id = $1", endpoint) == 1


async def test_what_is_just_coming_by_an_endpoint_keeps_it(db: str) -> None:
    endpoint = await an_unused_endpoint()
    async with database.transaction() as tx:
        await tx.execute(EVENT, endpoint, NOW)
        deleting = asyncio.create_task(
            database.fetchval_apart(
                "with gone as (delete from webhook_endpoint where id = $1 returning 1) select count(*) from gone", endpoint
            )
        )
        await waits_for_another()
    with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
        await deleting
    assert refused.value.constraint_name == "inbox_event_endpoint_id"
