"""Lists: Relay connections with `edges` and, shorter, `nodes`."""

from __future__ import annotations

from typing import Generic, TypeVar

import strawberry

T = TypeVar("T")


@strawberry.interface(description="Anything with an id of its own; the id is opaque and never reused.")
class Node:
    id: strawberry.ID


@strawberry.type(description="What lies before and after a page.")
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type(description="An object of a list with its place in it.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="Opaque; good for this list, this filter and this viewer only.")
    node: T


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    nodes: list[T]
    edges: list[Edge[T]]
    page_info: PageInfo
    total_count: int | None = strawberry.field(description="Objects in the whole list; at most 1000 are counted.")
    total_count_is_exact: bool | None
