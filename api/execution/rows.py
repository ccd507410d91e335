"""How fields read finished rows: by a key of the row, or by a resolver that says that it needs nothing else.

The plans (`api/execution/plans.py`) know a schema through `Rows` alone: `SchemaRows` is ours, `PlainRows` that of graphql-core's own
default resolver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol

import strawberry
from graphql import GraphQLField, GraphQLResolveInfo
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from domain.paging import Args
from domain.paging.written import Fields, Screen

FROM_ROW: Final = "plusone-from-row"
"""Metadata of a field whose resolver takes the row as its first parameter, and beside it reads only the arguments, the context and what is
selected: not the path, and nothing that it changes. It answers at once, or an awaitable where one row needs more than it holds. Such a
resolver may be called again for the same row."""

SCREEN: Final = "plusone-screen"
"""Metadata of a field that may be read as text: the function that says what it shows (`Show`)."""
ROOT: Final = "plusone-root"
"""Metadata of a field that answers nothing but the viewer: its `id` is the viewer's, and the screens below it need nothing of it."""

Show = Callable[..., tuple[Any, Screen]]
"""`show(context, args, **arguments)`: the page that was asked for and the screen that shows it; raises what the field's resolver would."""

Own = tuple[Fields, Callable[[Any, Args], str]]
"""What a viewer's own row may be asked for beside the screens, and its `from` part for a request."""

Ask = Callable[[Any], Any]
"""A field's resolver with the request and the arguments bound: row in, value out."""


Writers = Mapping[str, tuple[type, Callable[[Any], Any]]]
"""By a scalar's name: an exact Python type, and a quicker function that writes values of it just as the scalar does, or answers None."""


class Rows(Protocol):
    """What a schema's fields read."""

    @property
    def writers(self) -> Writers:
        """Quicker ways to write scalars."""

    def key(self, field: GraphQLField, name: str) -> str | None:
        """The key under which a row (a dict) holds this field of this GraphQL name; None when it is not simply taken from there."""

    def reader(self, row: str, key: str) -> str:
        """The Python expression of that value; `row` is the row's name."""

    def asks(self, field: GraphQLField) -> bool:
        """True when the field's resolver is one FROM_ROW."""

    def named(self, field: GraphQLField, info: GraphQLResolveInfo[Any], arguments: dict[str, Any]) -> Mapping[str, Any]:
        """The coerced arguments as such a resolver takes them."""

    def ask(self, field: GraphQLField, info: GraphQLResolveInfo[Any], named: Mapping[str, Any]) -> Ask:
        """The resolver of such a field for one request; `info` is true but for its path."""


class ScreenRows(Rows, Protocol):
    """What is known of fields that are screens."""

    @property
    def screens(self) -> frozenset[str]:
        """The GraphQL names of all of them."""

    @property
    def own(self) -> Own | None:
        """Fields of the viewer's own row."""

    def is_root(self, field: GraphQLField) -> bool:
        """True for a field that is a ROOT."""

    def screen(self, field: GraphQLField) -> Show | None:
        """What a SCREEN shows; None for other fields."""

    def viewer(self, context: Any) -> str:
        """The viewer's public id.

        Raises:
            Unauthenticated: nobody is signed in.
        """


def value_of(source: Mapping[str, Any], name: str) -> Any:
    """A field of a finished row."""
    return source[name]


class SchemaRows:
    """A strawberry schema whose default resolver is `value_of`."""

    def __init__(
        self,
        writers: Writers | None = None,
        screens: frozenset[str] = frozenset(),
        viewer: Callable[[Any], str] | None = None,
        own: Own | None = None,
    ) -> None:
        self.writers: Writers = writers or {}
        self.screens = screens
        self.own = own
        self._viewer = viewer

    def is_root(self, field: GraphQLField) -> bool:
        definition = _definition(field)
        return definition is not None and ROOT in definition.metadata and self._viewer is not None

    def screen(self, field: GraphQLField) -> Show | None:
        definition = _definition(field)
        return None if definition is None else definition.metadata.get(SCREEN)

    def viewer(self, context: Any) -> str:
        assert self._viewer is not None
        return self._viewer(context)

    def key(self, field: GraphQLField, name: str) -> str | None:  # noqa: ARG002
        definition = _definition(field)
        if definition is None or not definition.is_basic_field or not getattr(field.resolve, "_is_default", False):
            return None
        return definition.python_name if definition.default_resolver is value_of and not field.args else None

    def reader(self, row: str, key: str) -> str:
        return f"{row}[{key!r}]"

    def asks(self, field: GraphQLField) -> bool:
        definition = _definition(field)
        if definition is None or not definition.metadata.get(FROM_ROW) or definition.extensions:
            return False
        resolver = definition.base_resolver
        return resolver is not None and not resolver.is_async and resolver.self_parameter is not None

    def named(self, field: GraphQLField, info: GraphQLResolveInfo[Any], arguments: dict[str, Any]) -> Mapping[str, Any]:
        definition, schema = _definition(field), _schema_of(info)
        assert definition is not None
        registry = schema.schema_converter.scalar_registry
        return convert_arguments(arguments, definition.arguments, registry, schema.config, schema.config.info_class(info, definition))

    def ask(self, field: GraphQLField, info: GraphQLResolveInfo[Any], named: Mapping[str, Any]) -> Ask:
        definition = _definition(field)
        assert definition is not None
        assert definition.base_resolver is not None
        base = definition.base_resolver
        resolver: Callable[..., Any] = base.wrapped_func  # type: ignore[assignment]
        if base.info_parameter is not None:
            named = {**named, base.info_parameter.name: _schema_of(info).config.info_class(info, definition)}
        return partial(resolver, **named)


class PlainRows:
    """A schema without resolvers: graphql-core's default resolver on dicts. What is not a dict, or is callable, never fits a plan."""

    writers: Writers = {}

    def key(self, field: GraphQLField, name: str) -> str | None:
        return name if field.resolve is None and not field.args else None

    def reader(self, row: str, key: str) -> str:
        return f"{row}.get({key!r})"

    def asks(self, field: GraphQLField) -> bool:  # noqa: ARG002
        return False

    def named(self, field: GraphQLField, info: GraphQLResolveInfo[Any], arguments: dict[str, Any]) -> Mapping[str, Any]:
        raise NotImplementedError

    def ask(self, field: GraphQLField, info: GraphQLResolveInfo[Any], named: Mapping[str, Any]) -> Ask:
        raise NotImplementedError


def _definition(field: GraphQLField) -> StrawberryField | None:
    found: StrawberryField | None = field.extensions.get("strawberry-definition")
    return found


def _schema_of(info: GraphQLResolveInfo[Any]) -> strawberry.Schema:
    found: strawberry.Schema = info.schema._strawberry_schema  # type: ignore[attr-defined]
    return found
