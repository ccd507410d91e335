"""Writers: the part of an operation below a list, compiled into functions that write the answer's JSON from rows of text.

A writer is made of what is selected and of the `Fields` of the list's rows (`domain/paging/written.py`): it says which pieces each row must
bring, and places them. It writes what the executor and the plans would have made of the same rows, or raises; then the rows are read and
completed the usual way. What has no writer (a field that is not in `Fields`, a directive of another kind, `@defer`) is Unplannable.

Compiled source holds names of the schema, response keys (GraphQL names, so plain words) and names of ours; nothing else of a document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    get_nullable_type,
)
from graphql.execution.executor import Executor
from graphql.execution.values import get_argument_values

from api.execution.actual import Prices
from api.execution.leaves import enum_names
from api.execution.parts import braced, checked, item_type, object_type
from api.execution.placing import ENVIRONMENT, Level, Lists, Tally, Written
from api.execution.plans import Group, Unplannable, is_static
from api.execution.rows import Rows as Reading
from domain.paging import MAX_SIZE
from domain.paging.written import (
    CARRIED,
    DEEPEST,
    Amount,
    Entry,
    Fields,
    Kind,
    Leaf,
    Maybe,
    Paged,
    Part,
    Rows,
    Screen,
    Within,
    between_rows,
    list_text,
)

SCALARS: Final[Mapping[Kind, Any]] = {Kind.ID: GraphQLID, Kind.TEXT: GraphQLString, Kind.WHOLE: GraphQLInt, Kind.FLAG: GraphQLBoolean}


class Writer:
    """Makes the writers of one operation under one choice of its conditions. `fields`: how many were compiled."""

    def __init__(self, executor: Executor[Any], reading: Reading, most_fields: int, tally: Tally) -> None:
        self.fields = 0
        self._executor = executor
        self._reading = reading
        self._most_fields = most_fields
        self._environment: dict[str, Any] = {**ENVIRONMENT, "spend": tally.spend}
        self._prices: dict[int, tuple[Group, Prices]] = {}
        self._known: dict[Any, str] = {}
        self._sources: list[str] = []
        self._names = 0

    def price(self, group: Group, prices: Prices) -> None:
        """What the objects at this place cost."""
        self._prices[id(group)] = group, prices

    def connection(self, type_: GraphQLOutputType, group: Group, screen: Screen) -> Written:
        """The writer of a list with its pages.

        Raises:
            Unplannable: it has none.
        """
        rows, items, count = Level(0), [], False
        whole: list[tuple[str, str | None]] = []
        for key, name, field_, below in self._fields(object_type(type_), group):
            match name:
                case "__typename":
                    items.append(f'"{key}":"{object_type(type_).name}"')
                    continue
                case "nodes":
                    call = self._row(item_type(field_), below, screen.fields, rows)
                    text = f"[{{COMMA.join([{call} for t in {self._counted('rows', below)}])}}]"
                case "edges":
                    call = self._edge(item_type(field_), below, screen, rows)
                    text = f"[{{COMMA.join([{call} for t in {self._counted('rows', below)}])}}]"
                case "page_info":
                    text = self._page_info(field_, below, screen, rows)
                case "total_count":
                    count, text = True, "{total if total < 1000 else 1000}"
                case "total_count_is_exact":
                    count, text = True, "{TRUE if total <= 1000 else FALSE}"
                case _:
                    text, row = self._of_whole(field_, below, screen.whole.get(name), f"w{len(whole)}")
                    whole.append((name, row))
            items.append(f'"{key}":{text}')
        if not rows.written:
            rows.piece("1")
        return self._finished(screen, rows, whole, count, braced(items))

    def _finished(self, screen: Screen, rows: Level, whole: list[tuple[str, str | None]], count: bool, body: str) -> Written:
        given = "".join(
            f" w{number} = c[n + {1 + count + number}]{'' if row is None else f'.decode({CARRIED!r})'}\n"
            for number, (_, row) in enumerate(whole)
        )
        name = self._name("page")
        self._sources.append(rows.source())
        self._sources.append(
            f"def {name}(c, n, q):\n rows = c[n].decode({CARRIED!r}).split({between_rows(0)!r}) if c[n] else []\n page = q.page\n more = len(rows) > page.size\n"
            f" if more: del rows[page.size:]\n after, before = page.after is not None, page.before is not None\n"
            f" if page.backwards:\n  rows.reverse()\n  after, before = more, before\n else: after, before = after, more\n"
            f"{' total = c[n + 1]' if count else ''}\n{given} return f'{checked(body)}'"
        )
        source = "\n".join(self._sources)
        self._sources.clear()
        exec(compile(source, "<writer>", "exec"), self._environment)  # noqa: S102  see the module's docstring
        return Written(screen.fields, ", ".join(rows.pieces), screen.place, count, tuple(whole), self._environment[name])

    def _of_whole(self, field_: GraphQLField, group: Group, entry: Leaf | Rows | None, column: str) -> tuple[str, str | None]:
        match entry:
            case Leaf(kind=Kind.WHOLE) if get_nullable_type(field_.type) is GraphQLInt:
                return f"{{{column}:d}}", None
            case Rows():
                level = Level(0)
                text = self._rows(field_, group, entry.fields, level, column)
                self._sources.append(level.source())
                return text, level.row()
        raise Unplannable

    def _page_info(self, field_: GraphQLField, group: Group, screen: Screen, rows: Level) -> str:
        type_, items = object_type(field_.type), []
        for key, name, _, _ in self._fields(type_, group):
            match name:
                case "__typename":
                    text = f'"{type_.name}"'
                case "has_next_page":
                    text = "{TRUE if before else FALSE}"
                case "has_previous_page":
                    text = "{TRUE if after else FALSE}"
                case "start_cursor" | "end_cursor":
                    at, id_ = (rows.place(sql) for sql in screen.place)
                    text = f"{{end(rows, {0 if name == 'start_cursor' else -1}, {at}, {id_}, q)}}"
                case _:
                    raise Unplannable
            items.append(f'"{key}":{text}')
        return braced(items)

    def _edge(self, type_: GraphQLObjectType, group: Group, screen: Screen, rows: Level) -> str:
        items = []
        for key, name, field_, below in self._fields(type_, group):
            match name:
                case "__typename":
                    text = f'"{type_.name}"'
                case "cursor":
                    at, id_ = (rows.piece(sql) for sql in screen.place)
                    text = f"{{cursor({at}, {id_}, q)}}"
                case "node":
                    text = self._object(object_type(field_.type), below, screen.fields, rows)
                case _:
                    raise Unplannable
            items.append(f'"{key}":{text}')
        return self._function(rows, braced(items), ", q")

    def _row(self, type_: GraphQLObjectType, group: Group, fields: Fields | Amount, level: Level) -> str:
        if isinstance(fields, Amount):
            return self._function(level, self._amount(type_, group, fields, level))
        return self._function(level, self._object(type_, group, fields, level))

    def _function(self, level: Level, body: str, more: str = "") -> str:
        """The call of a function that writes the row `t`."""
        name = self._name("f")
        if not level.pieces:
            level.piece("1")
        more += "".join(f", {piece}" for piece in level.borrowed)
        level.borrowed.clear()
        level.written.append((name, more, checked(body)))
        return f"{name}(t{more})"

    def _rows(self, field_: GraphQLField, group: Group, fields: Fields | Amount, level: Level, text: str) -> str:
        call = self._row(item_type(field_), group, fields, level)
        rows = self._counted(f"{text}.split({self._bound(between_rows(level.depth))})", group)
        return f"[{{COMMA.join([{call} for t in {rows}]) if {text} else NONE}}]"

    def _object(self, type_: GraphQLObjectType, group: Group, fields: Fields, level: Level) -> str:
        items = []
        for key, name, field_, below in self._fields(type_, group, fields):
            text = f'"{type_.name}"' if name == "__typename" else self._entry(fields.entries.get(name), field_, below, level)
            items.append(f'"{key}":{text}')
        return braced(items)

    def _entry(self, entry: Entry | None, field_: GraphQLField, group: Group, level: Level) -> str:
        match entry:
            case Leaf():
                return self._leaf(entry, field_.type, level)
            case Amount():
                return self._amount(object_type(field_.type), group, entry, level)
            case Part():
                return self._part(entry, field_.type, level)
            case Within():
                return self._object(object_type(field_.type), group, entry.fields, level)
            case Rows():
                inner, place = self._below(level), level.reserve()
                found = self._rows(field_, group, entry.fields, inner, level.name(place))
                self._placed(level, place, entry, inner)
                return found
            case Maybe():
                return self._maybe(entry, field_, group, level)
            case Paged():
                return self._paged(entry, field_, group, level)
        raise Unplannable

    def _maybe(self, entry: Maybe, field_: GraphQLField, group: Group, level: Level) -> str:
        if isinstance(field_.type, GraphQLNonNull):
            raise Unplannable
        inner, place = self._below(level), level.reserve()
        call, text = self._row(object_type(field_.type), group, entry.fields, inner), level.name(place)
        self._placed(level, place, Rows(entry.fields, entry.select), inner)
        return f"{{COMMA.join([{call} for t in {self._counted(f'[{text}]', group)}]) if {text} else NULL}}"

    def _below(self, level: Level) -> Level:
        if level.depth >= DEEPEST:
            raise Unplannable
        return Level(level.depth + 1, level)

    def _placed(self, level: Level, place: int, rows: Rows, inner: Level) -> None:
        """The list's SQL is known once its rows' pieces are: it takes the place that was kept for it."""
        level.pieces[place] = list_text(rows.select.replace("{row}", inner.row()), inner.depth)
        self._sources.append(inner.source())

    def _paged(self, entry: Paged, field_: GraphQLField, group: Group, level: Level) -> str:
        arguments = get_argument_values(field_, group[0].node, self._executor.variable_values, None)
        size = arguments.get("first")
        if (
            type(size) is not int
            or not 1 <= size <= MAX_SIZE
            or any(value is not None for name, value in arguments.items() if name != "first")
        ):
            raise Unplannable
        inner, place, rows, most = self._below(level), level.reserve(), self._name("r"), entry.most
        items, type_ = [], object_type(field_.type)
        for key, name, below_field, below in self._fields(type_, group):
            match name:
                case "__typename":
                    found = f'"{type_.name}"'
                case "nodes":
                    call = self._row(item_type(below_field), below, entry.rows.fields, inner)
                    found = f"[{{COMMA.join([{call} for t in {self._counted(f'{rows}[:{size}]', below)}])}}]"
                case "total_count":
                    found = f"{{len({rows}) if len({rows}) < {most} else {most}}}"
                case "total_count_is_exact":
                    found = f"{{TRUE if len({rows}) <= {most} else FALSE}}"
                case "page_info":
                    found = self._beginning(below_field, below, f"{{TRUE if len({rows}) > {size} else FALSE}}")
                case _:
                    raise Unplannable
            items.append(f'"{key}":{found}')
        if not inner.pieces:
            inner.piece("1")
        self._placed(level, place, entry.rows, inner)
        text = level.name(place)
        level.before.append(f"{rows} = {text}.split({between_rows(inner.depth)!r}) if {text} else ()")
        return braced(items)

    def _beginning(self, field_: GraphQLField, group: Group, more: str) -> str:
        """The info of a list's first page; its cursors are made of rows."""
        type_ = object_type(field_.type)
        texts = {"__typename": f'"{type_.name}"', "has_next_page": more, "has_previous_page": "false"}
        items = [(key, texts.get(name)) for key, name, _, _ in self._fields(type_, group)]
        if any(text is None for _, text in items):
            raise Unplannable
        return braced([f'"{key}":{text}' for key, text in items])

    def _leaf(self, leaf: Leaf, type_: GraphQLOutputType, level: Level) -> str:
        if leaf.nullable and isinstance(type_, GraphQLNonNull):
            raise Unplannable
        named, x = get_nullable_type(type_), level.piece(leaf.piece)
        scalar = SCALARS.get(leaf.kind)
        if scalar is not None and named is not scalar:
            raise Unplannable
        match leaf.kind:
            case Kind.ID:
                return f'"{leaf.tag}_{{{x}[:22].replace(PLUS, DASH).replace(SLASH, LINE)}}"'
            case Kind.TEXT | Kind.WHOLE:
                return f"{{{x}}}"
            case Kind.FLAG if not leaf.nullable:
                return f"{{FLAGS[{x}]}}"
            case Kind.INSTANT if getattr(named, "name", "") == "DateTime":
                return f"{{NULL if {x} == NULL else instant({x})}}" if leaf.nullable else f"{{instant({x})}}"
            case Kind.DAY if getattr(named, "name", "") == "Date":
                return f"{{NULL if {x} == NULL else day({x})}}" if leaf.nullable else f"{{day({x})}}"
            case Kind.WORD if isinstance(named, GraphQLEnumType) and not leaf.nullable:
                return f"{{{self._words(named)}[{x}]}}"
        raise Unplannable

    def _amount(self, type_: GraphQLObjectType, group: Group, amount: Amount, level: Level) -> str:
        items = []
        for key, name, field_, _ in self._fields(type_, group):
            named, currency = get_nullable_type(field_.type), self._currency(amount, level)
            match name:
                case "__typename":
                    text = f'"{type_.name}"'
                case "amount" if getattr(named, "name", "") == "Decimal":
                    minor = level.piece(amount.minor)
                    text = f'"{{{minor} if {currency} in UNDIVIDED else cents({minor}, {currency})}}"'
                case "currency_code" if isinstance(named, GraphQLEnumType):
                    text = f"{{{self._words(named)}[{currency}]}}"
                case _:
                    raise Unplannable
            items.append(f'"{key}":{text}')
        return braced(items)

    def _currency(self, amount: Amount, level: Level) -> str:
        if not amount.of_outer:
            return level.piece(amount.currency)
        if level.outer is None:
            raise Unplannable
        piece = level.outer.piece(amount.currency)
        if piece not in level.borrowed:
            level.borrowed.append(piece)
        return piece

    def _part(self, part: Part, type_: GraphQLOutputType, level: Level) -> str:
        if part.name is None and isinstance(listed := get_nullable_type(type_), GraphQLList):
            words = get_nullable_type(listed.of_type)
            if not isinstance(words, GraphQLEnumType):
                raise Unplannable
            lists = self._bound(Lists(part.of.make, self._names_of(words)), (type_, part))
            return f"{{{lists}[{', '.join(map(level.piece, part.of.pieces))},]}}"
        if part.of not in level.made:
            level.made[part.of] = self._name("m")
            pieces = ", ".join(f"real({level.piece(sql)})" for sql in part.of.pieces)
            level.before.append(f"{level.made[part.of]} = {self._bound(part.of.make)}({pieces})")
        value = level.made[part.of] + (f".{part.name}" if part.name else "")
        if get_nullable_type(type_) is not GraphQLString:
            raise Unplannable
        return f"{{quoted({value})}}"

    def _words(self, type_: GraphQLEnumType) -> str:
        return self._bound(self._names_of(type_), type_)

    def _names_of(self, type_: GraphQLEnumType) -> dict[Any, str]:
        names = {value: f'"{name}"' for value, name in enum_names(type_).items() if isinstance(value, str)}
        if not names:
            raise Unplannable
        return names

    def _fields(self, type_: GraphQLObjectType, group: Group, fields: Fields | None = None) -> list[tuple[str, str, GraphQLField, Group]]:
        """What is selected of an object, in the order of the answer: response key, name in rows, field, places."""
        collected = self._executor.collect_subfields(type_, group)
        if type_.is_type_of is not None or collected.new_defer_usages:
            raise Unplannable
        found, prices = [], self._prices[id(group)][1]
        for key, below in collected.grouped_field_set.items():
            self.fields += 1
            if self.fields > self._most_fields or not all(is_static(details) for details in below):
                raise Unplannable
            if key in prices.below:
                self.price(below, prices.below[key])
            name = below[0].node.name.value
            field_ = self._executor.schema.get_field(type_, name)
            if field_ is None:
                raise Unplannable
            if name != "__typename":
                name = self._name_in_rows(field_, name, below, fields)
            found.append((key, name, field_, below))
        return found

    def _name_in_rows(self, field_: GraphQLField, name: str, group: Group, fields: Fields | None) -> str:
        key = self._reading.key(field_, name)
        if key is not None and not group[0].node.arguments:
            return key
        entry = fields.entries.get(name) if fields is not None and self._reading.asks(field_) else None
        if isinstance(entry, Paged):
            return name
        raise Unplannable

    def _counted(self, rows: str, group: Group) -> str:
        """The expression of rows, which counts them when it is evaluated."""
        price = self._prices[id(group)][1].sure
        return f"spend({rows}, {price})" if price else rows

    def _name(self, prefix: str) -> str:
        self._names += 1
        return f"{prefix}{self._names}"

    def _bound(self, value: Any, key: Any = None) -> str:
        wanted = value if key is None else key
        if wanted not in self._known:
            self._known[wanted] = self._name("k")
            self._environment[self._known[wanted]] = value
        return self._known[wanted]
