"""`node` and `nodes`: any object by its id, for whoever may see it. Another's object is null, exactly as a missing one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import strawberry

from api.execution.errors import RequestError
from api.resolvers.base import Info, field, selected
from api.resolvers.notice import with_words
from api.schema.paging import Node
from domain.claims.screens import visible_claim, visible_comment
from domain.ids import read_public_id
from domain.members.screens import member as member_row
from domain.notices.screens import notices_by_id
from domain.orders.queries import visible_line, visible_order
from domain.paging import MAX_SIZE, Row, Wanted
from domain.pickup.screens import visible_pickup
from domain.posts.screens import sales_post, variant
from domain.shops.screens import shop_by_id

Find = Callable[[Info, UUID, Wanted], Awaitable[Row | None]]


async def _shop(_: Info, key: UUID, __: Wanted) -> Row | None:
    return await shop_by_id(key)


async def _post(info: Info, key: UUID, wanted: Wanted) -> Row | None:
    return await sales_post(key, wanted=wanted, language=info.context.language)


async def _variant(_: Info, key: UUID, wanted: Wanted) -> Row | None:
    return await variant(key, wanted=wanted)


async def _notice(info: Info, key: UUID, wanted: Wanted) -> Row | None:
    found = await notices_by_id(info.context.require_viewer().member_id, [key], wanted=wanted)
    return with_words(found[0], info.context.language) if found else None


async def _member(info: Info, key: UUID, _: Wanted) -> Row | None:
    return await member_row(key) if key == info.context.require_viewer().member_id else None


def _own(find: Callable[..., Awaitable[Row | None]]) -> Find:
    """An object that is somebody's: its query is given the viewer."""

    async def own(info: Info, key: UUID, wanted: Wanted) -> Row | None:
        viewer = info.context.require_viewer()
        return await find(key, viewer.member_id, wanted=wanted, language=info.context.language)

    return own


KINDS: Final[dict[str, tuple[str, Find]]] = {
    "claim": ("Claim", _own(visible_claim)),
    "comment": ("SocialComment", _own(visible_comment)),
    "line": ("OrderLine", _own(visible_line)),
    "member": ("Buyer", _member),
    "notice": ("Notification", _notice),
    "order": ("Order", _own(visible_order)),
    "pickup": ("Pickup", _own(visible_pickup)),
    "post": ("SalesPost", _post),
    "shop": ("Shop", _shop),
    "variant": ("ProductVariant", _variant),
}
"""Tag of an id: its type, and how it is found."""


def type_of(row: Row) -> str:
    """The type of a node by the tag of its id."""
    return KINDS[row["id"].partition("_")[0]][0]


async def _find(info: Info, id: str) -> Row | None:
    read = read_public_id(id)
    if read is None or read[0] not in KINDS:
        return None
    name, find = KINDS[read[0]]
    return await find(info, read[1], selected(info, on=name))


@strawberry.type
class NodeQuery:
    @field(Node | None, description="Any object by its id; null when there is none for this viewer.")
    async def node(self, info: Info, id: strawberry.ID) -> Any:
        return await _find(info, id)

    @field(list[Node | None], description="Objects by their ids, in the same order; at most 100.")
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> Any:
        if len(ids) > MAX_SIZE:
            raise RequestError(f"at most {MAX_SIZE} ids at once")
        found = {each: await _find(info, each) for each in dict.fromkeys(ids)}
        return [found[each] for each in ids]

    @field(datetime, description="The server's clock.")
    def server_time(self, info: Info) -> datetime:
        return info.context.now()


