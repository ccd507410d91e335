"""`node` and `nodes`: any object by its id, for whoever may see it. Another's object is null, exactly as a missing one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import strawberry

from api.execution.errors import RequestError
from api.resolvers.base import Info, field, selected
from api.resolvers.notice import with_words
from api.schema.paging import Node
from domain.claims.screens import visible_claims, visible_comments
from domain.disputes.screens import visible_disputes
from domain.ids import read_public_id
from domain.members.screens import member
from domain.notices.screens import notices_by_id
from domain.orders.queries import visible_lines, visible_orders
from domain.paging import MAX_SIZE, Row, Wanted
from domain.pickup.screens import visible_pickups
from domain.posts.screens import sales_posts, variants
from domain.shipping.screens import visible_shipments
from domain.shops.screens import shops_by_id

Find = Callable[[Info, Sequence[UUID], Wanted], Awaitable[Mapping[UUID, Row]]]


async def _shops(_: Info, keys: Sequence[UUID], __: Wanted) -> Mapping[UUID, Row]:
    return await shops_by_id(keys)


async def _posts(info: Info, keys: Sequence[UUID], wanted: Wanted) -> Mapping[UUID, Row]:
    return await sales_posts(keys, wanted=wanted, language=info.context.language)


async def _variants(_: Info, keys: Sequence[UUID], wanted: Wanted) -> Mapping[UUID, Row]:
    return await variants(keys, wanted=wanted)


async def _notices(info: Info, keys: Sequence[UUID], wanted: Wanted) -> Mapping[UUID, Row]:
    found = await notices_by_id(info.context.require_viewer().member_id, keys, wanted=wanted, now=info.context.now())
    return {key: with_words(row, info.context.language) for key, row in found.items()}


async def _members(info: Info, keys: Sequence[UUID], _: Wanted) -> Mapping[UUID, Row]:
    own = info.context.require_viewer().member_id
    row = await member(own) if own in keys else None
    return {} if row is None else {own: row}


def _visible(find: Callable[..., Awaitable[Mapping[UUID, Row]]]) -> Find:
    """Objects that are somebody's: their query is given the viewer."""

    async def visible(info: Info, keys: Sequence[UUID], wanted: Wanted) -> Mapping[UUID, Row]:
        viewer = info.context.require_viewer()
        return await find(keys, viewer.member_id, wanted=wanted, language=info.context.language)

    return visible


KINDS: Final[dict[str, tuple[str, Find]]] = {
    "claim": ("Claim", _visible(visible_claims)),
    "comment": ("SocialComment", _visible(visible_comments)),
    "dispute": ("Dispute", _visible(visible_disputes)),
    "line": ("OrderLine", _visible(visible_lines)),
    "member": ("Buyer", _members),
    "notice": ("Notification", _notices),
    "order": ("Order", _visible(visible_orders)),
    "pickup": ("Pickup", _visible(visible_pickups)),
    "post": ("SalesPost", _posts),
    "shipment": ("Shipment", _visible(visible_shipments)),
    "shop": ("Shop", _shops),
    "variant": ("ProductVariant", _variants),
}
"""Tag of an id: its type, and how objects of it are found."""


def type_of(row: Row) -> str:
    """The type of a node by the tag of its id."""
    return KINDS[row["id"].partition("_")[0]][0]


async def _find(info: Info, ids: Sequence[str]) -> list[Row | None]:
    """Objects in the order of their ids; one statement per kind."""
    read = [read_public_id(each) for each in ids]
    wanted: dict[str, list[UUID]] = {}
    for each in read:
        if each is not None and each[0] in KINDS:
            wanted.setdefault(each[0], []).append(each[1])
    found: dict[tuple[str, UUID], Row] = {}
    for tag, keys in wanted.items():
        name, find = KINDS[tag]
        rows = await find(info, list(dict.fromkeys(keys)), selected(info, on=name))
        found |= {(tag, key): row for key, row in rows.items()}
    return [None if each is None else found.get(each) for each in read]


@strawberry.type
class NodeQuery:
    @field(Node | None, description="Any object by its id; null when there is none for this viewer.")
    async def node(self, info: Info, id: strawberry.ID) -> Any:
        return (await _find(info, [id]))[0]

    @field(list[Node | None], description="Objects by their ids, in the same order; at most 100.")
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> Any:
        if len(ids) > MAX_SIZE:
            raise RequestError(f"at most {MAX_SIZE} ids at once")
        return await _find(info, ids)

    @field(datetime, description="The server's clock.")
    def server_time(self, info: Info) -> datetime:
        return info.context.now()
