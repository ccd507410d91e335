"""Lists of the signed-in buyer and of a shop's desk: the page's arguments, whose list it is and who may see it, told once.

A list is written as a method that reads one page:

    @desk_list(DisputeConnection, Permission.ANSWER_BUYERS, "Buyers' problems with orders.")
    async def disputes(self, listed: Listed, filter: DisputeFilter | None = None) -> Slice:
        narrowed = None if filter is None else filter.state
        return await screens.disputes_of_shop(listed.owner_id, **listed.page(narrowed), state=narrowed)

`first`, `after`, `last` and `before` come to its arguments in the schema, before `filter`; what it answers becomes the connection, and the
slice's `summary` its further fields.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, TypedDict
from uuid import UUID

from api.execution.rows import Show
from api.resolvers.base import Asked, Info, asked, connection, counts, desk, field, selected
from domain.paging import Page, Row, Slice, Wanted
from domain.shops.rules import Permission

PAGE: Final[dict[str, type]] = {"first": int, "after": str, "last": int, "before": str}
"""The arguments that every list has; all may be absent."""


class PageOf(TypedDict):
    """What a function that reads a page of a list takes by these names."""

    page: Page
    wanted: Wanted
    count: bool


@dataclass(slots=True)
class Listed:
    """The list that is asked for."""

    info: Info
    owner_id: UUID
    """The member's, or the shop's."""
    wanted: Wanted
    """Selected of the connection."""
    _name: str
    _arguments: dict[str, Any]
    _asked: Asked | None = None

    def page(self, narrowed: object = None) -> PageOf:
        """The page of the list narrowed by this (its repr is part of what a cursor is good for).

        Raises:
            RequestError: see `asked`.
        """
        self._asked = asked(self.info, self._name, narrowed, **self._arguments)
        return {"page": self._asked.page, "wanted": self.wanted["nodes"], "count": counts(self.wanted)}

    def connection(self, part: Slice) -> Row:
        """The finished connection of the page that was read."""
        assert self._asked is not None, "a list is read by its page"
        return connection(self.info, self._asked, part, self.wanted, **part.summary)


Read = Callable[..., Awaitable[Slice]]
Owner = Callable[[Info, Any], Awaitable[UUID]]


def member_list(graphql_type: Any, description: str, *, screen: Show | None = None) -> Callable[[Read], Any]:
    """A list of the signed-in buyer, see above; `screen` as in `field`."""

    async def viewer(info: Info, _: Any) -> UUID:
        return info.context.require_viewer().member_id

    return _list(field(graphql_type, description, screen=screen), viewer, "me.{}")


def desk_list(graphql_type: Any, permission: Permission, description: str, *, also: Permission | None = None) -> Callable[[Read], Any]:
    """A list of a shop's desk, see above; null, with the reason among the errors, for who lacks the permission.

    `also`: another permission that it takes, because of what can be reached from its rows.
    """

    async def shop(info: Info, root: Any) -> UUID:
        if also is not None:
            await desk(info, root, also)
        return await desk(info, root, permission)

    return _list(field(graphql_type | None, description), shop, "{} of {}")


def _list(as_field: Callable[[Callable[..., Any]], Any], owner: Owner, scope: str) -> Callable[[Read], Any]:
    """`scope`: the list's name in its cursors, from that of the method and the owner's id. A member's needs none: the viewer is in every one."""

    def decorate(read: Read) -> Any:
        @wraps(read)
        async def resolve(self: Any, info: Info, **arguments: Any) -> Row:
            owner_id = await owner(info, self)
            page = {name: arguments.pop(name, None) for name in PAGE}
            listed = Listed(info, owner_id, selected(info), scope.format(read.__name__, owner_id), page)
            return listed.connection(await read(self, listed, **arguments))

        resolve.__signature__ = _with_page(read)  # type: ignore[attr-defined]
        return as_field(resolve)

    return decorate


def _with_page(read: Read) -> inspect.Signature:
    """The parameters of a list's method as a resolver has them: with those of the page, before its `filter`."""
    root, listed, *own = inspect.signature(read).parameters.values()
    page = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=kind | None)
        for name, kind in PAGE.items()
    ]
    first = [each for each in own if each.name != "filter"]
    return inspect.Signature([root, listed.replace(name="info", annotation=Info), *first, *page, *own[len(first) :]])
