"""The receipt of a claim: dear, so never in the row of a screen, and never asked for one by one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

import strawberry

from api.execution.errors import RequestError
from api.resolvers import base
from api.resolvers.base import GraphQLContext, Info, attach, key_of
from api.schema.claim import Claim
from api.schema.receipt import SignedReceipt
from domain.claims.receipts import receipts_of
from domain.paging import Row

MOST_AT_ONCE = 100
"""Receipts that one list of an answer may ask for."""

Answered = asyncio.Future[Row | None]


@dataclass(slots=True)
class _Batch:
    """What one request has asked for since its last wait: rows of a list are walked in one go, so one statement answers for all of them."""

    context: GraphQLContext
    wanted: dict[UUID, Answered] = field(default_factory=dict)

    def ask(self, claim_id: UUID) -> Answered:
        found = self.wanted.get(claim_id)
        if found is None:
            found = self.wanted[claim_id] = asyncio.get_running_loop().create_future()
            # Whoever asked may be gone by then: an error that nobody hears of is no event.
            found.add_done_callback(lambda done: done.cancelled() or done.exception())
        return found

    async def answer(self) -> None:
        del _open[id(self.context)]
        try:
            found = await self._read()
        except Exception as error:
            for future in self.wanted.values():
                if not future.done():
                    future.set_exception(error)
            return
        for claim_id, future in self.wanted.items():
            if not future.done():
                future.set_result(found.get(claim_id))

    async def _read(self) -> dict[UUID, Row]:
        if len(self.wanted) > MOST_AT_ONCE:
            raise RequestError(f"at most {MOST_AT_ONCE} receipts at once; ask for smaller pages")
        found = await receipts_of(self.wanted, self.context.require_viewer().member_id, now=self.context.now())
        return {
            claim_id: {
                "document": receipt.document,
                "signature": receipt.signature,
                "kid": receipt.kid,
                "algorithm": receipt.algorithm,
                "issued_at": receipt.issued_at,
            }
            for claim_id, receipt in found.items()
        }


_open: dict[int, _Batch] = {}
"""Batches that are still being filled, by their request; the batch holds its request, so the number is nobody else's meanwhile."""
_running: set[asyncio.Task[None]] = set()


def _batch_of(context: GraphQLContext) -> _Batch:
    batch = _open.get(id(context))
    if batch is None:
        batch = _open[id(context)] = _Batch(context)
        task = asyncio.ensure_future(batch.answer())
        _running.add(task)
        task.add_done_callback(_running.discard)
    return batch


@strawberry.type
class ClaimReceipt:
    """Fields of a claim."""

    @base.field(
        SignedReceipt | None,
        description="Why there are lines of this claim, signed. For its buyer and for staff who may view comments and orders; null for "
        f"others, and for a claim that never made a line. At most {MOST_AT_ONCE} in one list.",
    )
    def receipt(self, root: strawberry.Parent[Row], info: Info) -> Answered:
        return _batch_of(info.context).ask(key_of(root["id"], "claim"))


attach(Claim, ClaimReceipt)
