"""One effect per (actor, key): the key's row and the effect stand in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from domain import db
from domain.db import Tx
from domain.errors import DomainError
from domain.idempotency.errors import KeyReused, KeyUnusable
from domain.ids import new_id

LONGEST_KEY: Final = 120

Outcome = Mapping[str, Any]
"""A small JSON object: enough to give the same answer again."""


class Refused(Exception):
    """The stored refusal of an earlier request with this key: its public form, as `describe` made it."""

    def __init__(self, refusal: Outcome) -> None:
        super().__init__("refused before")
        self.refusal = refusal


async def once(
    *,
    actor_id: UUID,
    key: str,
    request: Mapping[str, Any],
    action: Callable[[], Awaitable[Outcome]],
    describe: Callable[[DomainError], Outcome],
    now: datetime,
) -> Outcome:
    """Do the action once for this actor and key, and answer its outcome; the same request again answers the stored one.

    The key's row is written first, so that a twin at the same moment waits at its unique index until this one is decided. The action's own
    `db.transaction()` is a savepoint of this one. A refusal is an answer too: `describe` gives the form in which it is kept. A retryable
    refusal and any other exception leave no trace, so the request may be sent again.

    Raises:
        KeyReused: the key belongs to another request.
        KeyUnusable: not a key of 1 to 120 printable ASCII characters.
        Refused: an earlier request with this key was refused; it is again.
        DomainError: the action's refusal, the first time.
    """
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise KeyUnusable
    digest = hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).hexdigest()
    refusal: DomainError | None = None
    async with db.transaction() as tx:
        if not await _take(tx, actor_id, key, digest, now):
            return await _stored(tx, actor_id, key, digest)
        try:
            outcome = await action()
            answer: Outcome = {"done": dict(outcome)}
        except DomainError as error:
            if error.retryable:
                raise
            refusal, answer = error, {"refused": dict(describe(error))}
        await tx.execute("update idempotency_key set answer = $3::jsonb where actor_id = $1 and key = $2", actor_id, key, db.jsonb(answer))
    if refusal is not None:
        raise refusal
    return outcome


async def _take(tx: Tx, actor_id: UUID, key: str, digest: str, now: datetime) -> bool:
    """True when this request is the first with its key. Waits for a twin that is not decided yet."""
    taken = await tx.fetchval(
        """insert into idempotency_key (id, actor_id, key, request_hash, answer, created_at) values ($1, $2, $3, $4, null, $5)
           on conflict (actor_id, key) do nothing returning true""",
        new_id(),
        actor_id,
        key,
        digest,
        now,
    )
    return taken is True


async def _stored(tx: Tx, actor_id: UUID, key: str, digest: str) -> Outcome:
    row = await tx.fetchrow("select request_hash, answer from idempotency_key where actor_id = $1 and key = $2", actor_id, key)
    if row is None or row["request_hash"] != digest:
        raise KeyReused
    answer = db.from_jsonb(row["answer"])
    if "refused" in answer:
        raise Refused(answer["refused"])
    done: Outcome = answer["done"]
    return done


async def forget(*, before: datetime, limit: int = 1_000) -> int:
    """Delete keys made before this instant, at most `limit`; answers how many. They are kept at least 24 hours."""
    return await db.execute(
        "delete from idempotency_key where id in (select id from idempotency_key where created_at < $1 order by created_at limit $2)",
        before,
        limit,
    )
