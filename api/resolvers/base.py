"""What every resolver of the API uses: the request, what it selected, ids and pages read from its arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import lru_cache
from typing import Any
from uuid import UUID

import strawberry
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    InlineFragmentNode,
    SelectionSetNode,
    get_named_type,
)
from strawberry.types.field import StrawberryField

from api.auth.permissions import Rights
from api.auth.viewer import Viewer
from api.context import Context
from api.execution.budget import Bill, FreeBill
from api.execution.errors import RequestError
from api.execution.rows import FROM_ROW, ROOT, SCREEN, Show
from domain.audit.commands import Actor
from domain.errors import NotFound, PermissionDenied
from domain.ids import read_public_id
from domain.paging import DEFAULT_SIZE, MAX_SIZE, Page, Position, Row, Slice, Wanted, cursor
from domain.shops.rules import Permission, Role
from domain.vault import Vault
from domain.words import language_for, negotiate


@dataclass(slots=True)
class GraphQLContext(Context):
    """One GraphQL request. `selections`: the document's, see `selected`."""

    accept_language: str = ""
    selections: Selections = dataclass_field(default_factory=dict)
    away: Exception | None = None
    """The database was away when it was asked for this request's screens: who asks for them again is told at once."""
    bill: Bill | FreeBill | None = None

    async def require(self, permission: Permission, shop_id: UUID) -> Actor:
        """See Context. What is done for a shop is paid from its bucket too, or from that of the scanner who does it."""
        actor = await Context.require(self, permission, shop_id)
        if self.bill is not None:
            self.bill.also(shop_id, self.require_viewer().session_id if actor.role == Role.SCANNER else None)
        return actor

    @property
    def language(self) -> str:
        """One of `domain.words`: by the request's Accept-Language, else the member's own, else zh-TW."""
        return negotiate(self.accept_language) or language_for(self.viewer.locale if self.viewer else "")

    def know(self, shop_id: UUID, rights: Rights) -> None:
        """Keep rights that came with another read."""
        self._rights[shop_id] = rights


Info = strawberry.Info[GraphQLContext, None]


def field(
    graphql_type: Any, description: str, *, from_row: bool = False, screen: Show | None = None, root: bool = False
) -> Callable[[Callable[..., Any]], Any]:
    """A field with a resolver that answers finished rows of this type. `from_row`: it needs its row and arguments alone, see FROM_ROW.

    `screen` and `root`: it may be read as text, or such fields below it, see SCREEN and ROOT.
    """
    metadata = {**({FROM_ROW: True} if from_row else {}), **({SCREEN: screen} if screen else {}), **({ROOT: True} if root else {})} or None
    decorate: Callable[[Callable[..., Any]], Any] = strawberry.field(graphql_type=graphql_type, description=description, metadata=metadata)
    return decorate


def attach(target: type, source: type) -> None:
    """Join the fields of `source` (written beside their resolvers) to the type `target` of the schema folder."""
    fields: list[StrawberryField] = source.__strawberry_definition__.fields  # type: ignore[attr-defined]
    target.__strawberry_definition__.fields.extend(fields)  # type: ignore[attr-defined]


# Ids


def key_of(value: str, tag: str) -> UUID:
    """The UUID inside a public id of this kind.

    Raises:
        NotFound: another kind, or no id at all: the same as an unknown object.
    """
    read = read_public_id(value)
    if read is None or read[0] != tag:
        raise NotFound
    return read[1]


def keys_of(values: Sequence[str], tag: str) -> list[UUID]:
    """The UUIDs of those that are ids of this kind; others stand for nothing."""
    found = (read_public_id(value) for value in values)
    return [read[1] for read in found if read is not None and read[0] == tag]


# What was selected

Selections = dict[Any, Wanted]
"""What is selected below the fields of one document, by the ids of its nodes; it lives as long as they do."""
MOST_SELECTIONS = 500

_Tree = dict[str, Any]


def selected(info: Info, *path: str, on: str | None = None) -> Wanted:
    """The branches selected below this field (or below `path` of it), by their Python names; `edges.node` and `nodes` are one.

    `on`: the object type meant where the field's type is an interface. A branch under @include or @skip counts as selected.
    """
    raw: Any = info._raw_info
    nodes, known = raw.field_nodes, raw.context.selections
    key = (on or raw.return_type, id(nodes[0]) if len(nodes) == 1 else tuple(map(id, nodes)))
    found: Wanted | None = known.get(key)
    if found is None:
        if len(known) >= MOST_SELECTIONS:
            known.clear()
        type_: Any = raw.schema.type_map[on] if on else get_named_type(raw.return_type)
        found = known[key] = _wanted(nodes, type_, raw.fragments)
    for name in path:
        found = found[name]
    return found


def _wanted(nodes: Sequence[FieldNode], type_: GraphQLObjectType, fragments: dict[str, FragmentDefinitionNode]) -> Wanted:
    tree: _Tree = {}
    collector = _Collector(fragments)
    for node in nodes:
        if node.selection_set is not None:
            collector.collect(node.selection_set, type_, tree)
    return _frozen(tree)


@dataclass(slots=True)
class _Collector:
    """Gathers names; each fragment is walked once per place, however often it is spread there."""

    fragments: dict[str, FragmentDefinitionNode]
    walked: set[tuple[int, str]] = dataclass_field(default_factory=set)

    def collect(self, selections: SelectionSetNode, type_: GraphQLObjectType, into: _Tree) -> None:
        mine = {type_.name, *(interface.name for interface in type_.interfaces)}
        for selection in selections.selections:
            match selection:
                case FieldNode() if selection.name.value in type_.fields:
                    definition = type_.fields[selection.name.value]
                    below = into.setdefault(definition.extensions["strawberry-definition"].python_name, {})
                    named = get_named_type(definition.type)
                    if selection.selection_set is not None and isinstance(named, GraphQLObjectType):
                        self.collect(selection.selection_set, named, below)
                case InlineFragmentNode():
                    if selection.type_condition is None or selection.type_condition.name.value in mine:
                        self.collect(selection.selection_set, type_, into)
                case FragmentSpreadNode():
                    fragment, place = self.fragments[selection.name.value], (id(into), selection.name.value)
                    if fragment.type_condition.name.value in mine and place not in self.walked:
                        self.walked.add(place)
                        self.collect(fragment.selection_set, type_, into)


def _frozen(tree: _Tree) -> Wanted:
    node = tree.get("edges", {}).get("node")
    if node is not None:
        _merge(tree.setdefault("nodes", {}), node)
    return Wanted({name: _frozen(below) for name, below in tree.items()})


def _merge(into: _Tree, other: _Tree) -> None:
    for name, below in other.items():
        _merge(into.setdefault(name, {}), below)


# Pages


@dataclass(slots=True)
class Asked:
    """The page arguments of a list, and what its cursors are bound to: the list, how it is narrowed, and the viewer."""

    page: Page
    vault: Vault
    name: str
    of: object
    narrowed: object
    viewer: Viewer | None
    shown: str = ""
    """`narrowed` as text, once it is needed."""

    @property
    def scope(self) -> str:
        """What a cursor of this list is good for."""
        self.shown = self.shown or repr(self.narrowed)
        return f"{self.name}{self.of}|{self.viewer.member_id if self.viewer else ''}|{self.shown}"

    def by(self, viewer: Viewer) -> Asked:
        """The same asked by another."""
        self.shown = self.shown or repr(self.narrowed)
        return Asked(self.page, self.vault, self.name, self.of, self.narrowed, viewer, self.shown)

    def cursor(self, position: Position) -> str:
        """The cursor of a position in this list."""
        return cursor.write(self.vault, self.scope, position)

    def within(self, name: str, of: UUID) -> Asked:
        """The same for the beginning of a list in an object that was found."""
        return Asked(self.page, self.vault, name, of, None, self.viewer)


def asked(
    info: Info, name: str, narrowed: object, *, first: int | None, after: str | None, last: int | None = None, before: str | None = None,
    of: object = "",
) -> Asked:  # fmt: skip
    """The page that the arguments name. `name` with what it is `of`, `narrowed` (its repr) and the viewer are what a cursor is good for.

    Raises:
        RequestError: a size that is not 1 to 100, both ways at once, or a cursor that is not of this list.
        Exception: the database was away already.
    """
    if info.context.away is not None:
        raise info.context.away
    return question(info.context, name, narrowed, first=first, after=after, last=last, before=before, of=of)


def question(
    context: GraphQLContext, name: str, narrowed: object, *, first: int | None = None, after: str | None = None, last: int | None = None,
    before: str | None = None, of: object = "",
) -> Asked:  # fmt: skip
    """The same for a screen, see `asked`."""
    if first is not None and last is not None:
        raise RequestError("first and last cannot be used together")
    size = last if last is not None else first if first is not None else DEFAULT_SIZE
    if not 1 <= size <= MAX_SIZE:
        raise RequestError(f"{'last' if last is not None else 'first'} must be 1 to {MAX_SIZE}")
    found = Asked(_end_page(size, last is not None), context.services.vault, name, of, narrowed, context.viewer)
    if after is not None or before is not None:
        try:
            positions = [None if text is None else cursor.read(found.vault, found.scope, text) for text in (after, before)]
        except cursor.BadCursor:
            raise RequestError("the cursor is not one of this list with this filter") from None
        found.page = Page(size, positions[0], positions[1], backwards=last is not None)
    return found


@lru_cache(maxsize=2 * MAX_SIZE)
def _end_page(size: int, backwards: bool) -> Page:
    return Page(size, backwards=backwards)


def connection(info: Info, question: Asked, part: Slice, wanted: Wanted, **more: Any) -> Row:  # noqa: ARG001
    """The finished connection; cursors and edges are made only where they were asked for."""
    found: Row = {"nodes": part.rows, "total_count": part.total, "total_count_is_exact": part.total_is_exact, **more}
    page_info, ends, edges, signed = _around(wanted)
    scope = question.scope if ends or signed else ""
    if page_info:
        positions = part.positions if ends else ()
        found["page_info"] = {
            "has_next_page": part.has_next,
            "has_previous_page": part.has_previous,
            "start_cursor": cursor.write(question.vault, scope, positions[0]) if positions else None,
            "end_cursor": cursor.write(question.vault, scope, positions[-1]) if positions else None,
        }
    if edges:
        found["edges"] = [
            {"node": row, "cursor": cursor.write(question.vault, scope, position) if signed else ""}
            for row, position in zip(part.rows, part.positions, strict=True)
        ]
    return found


@lru_cache(maxsize=512)
def _around(wanted: Wanted) -> tuple[bool, bool, bool, bool]:
    """Whether the page's info, its cursors, edges and their cursors were asked for."""
    ends = wanted["page_info"].any_of("start_cursor", "end_cursor")
    return "page_info" in wanted, ends, "edges" in wanted, "cursor" in wanted["edges"]


def counts(wanted: Wanted) -> bool:
    """True when the list's total was asked for."""
    return wanted.any_of("total_count", "total_count_is_exact")


# Rights


async def desk(info: Info, shop: Row, permission: Permission) -> UUID:
    """The shop whose list is asked for, once the viewer may see it.

    Raises:
        PermissionDenied: no membership in this shop, or one without this permission. The shop itself is no secret here.
    """
    shop_id: UUID = shop["key"]
    try:
        await info.context.require(permission, shop_id)
    except NotFound:
        raise PermissionDenied from None
    return shop_id


async def granted(context: Context, shop_id: UUID, permissions: Sequence[Permission]) -> frozenset[Permission]:
    """Which of these permissions the viewer holds in this shop; read once per request."""
    found = []
    for permission in permissions:
        try:
            await context.require(permission, shop_id)
        except PermissionDenied:
            continue
        found.append(permission)
    return frozenset(found)
