"""Writers: the part of an operation below a list, compiled into functions that write the answer's JSON from rows of text.

A writer is made of what is selected and of the `Fields` of the list's rows (`domain/paging/written.py`): it says which pieces each row must
bring, and places them. It writes what the executor and the plans would have made of the same rows, or raises; then the rows are read and
completed the usual way. What has no writer (a field that is not in `Fields`, a directive of another kind, `@defer`) is Unplannable.

Compiled source holds names of the schema, response keys (GraphQL names, so plain words) and names of ours; nothing else of a document.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphql import GraphQLEnumType, GraphQLField, GraphQLInt, GraphQLNonNull, GraphQLObjectType, GraphQLOutputType, get_nullable_type
from graphql.execution.executor import Executor
from graphql.execution.values import get_argument_values

from api.execution.actual import Prices
from api.execution.parts import braced, checked, item_type, object_type
from api.execution.placing import TOTALS, Beginning, Level, Tally, Written
from api.execution.plans import Group, Unplannable, is_static
from api.execution.rows import Rows as Reading
from api.execution.writing_values import Values
from domain.paging import MAX_SIZE
from domain.paging.page import COUNT_CAP
from domain.paging.written import (
    CARRIED,
    DEEPEST,
    Amount,
    Entry,
    Fields,
    Kind,
    Leaf,
    Maybe,
    One,
    Paged,
    Part,
    Rows,
    Screen,
    Within,
    between_pieces,
    between_rows,
    list_and_beyond,
    list_text,
)


class Writer:
    """Makes the writers of one operation under one choice of its conditions. `fields`: how many were compiled."""

    def __init__(self, executor: Executor[Any], reading: Reading, most_fields: int, tally: Tally) -> None:
        self.fields = 0
        self._executor = executor
        self._reading = reading
        self._most_fields = most_fields
        self._values = Values({"spend": tally.spend})
        self._prices: dict[int, tuple[Group, Prices]] = {}
        self._sources: list[str] = []

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
                    call = self._edge(item_type(field_), below, screen.fields, screen.place, rows)
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

    def alone(self, entry: Entry | None, type_: GraphQLOutputType) -> tuple[str, Callable[[str], str]]:
        """A value of a row by itself: the SQL of its piece, and what writes it from that."""
        if not isinstance(entry, Leaf):
            raise Unplannable
        self.fields += 1
        level, name = Level(0), self._values.name("f")
        self._sources.append(f"def {name}(t):\n {level.name(0)} = t\n return f'{checked(self._values.leaf(entry, type_, level))}'")
        return level.pieces[0], self._compiled(name)

    def _compiled(self, name: str) -> Callable[..., str]:
        """The function of this name, with all that was written so far."""
        source = "\n".join(self._sources)
        self._sources.clear()
        exec(compile(source, "<writer>", "exec"), self._values.environment)  # noqa: S102  see the module's docstring
        found: Callable[..., str] = self._values.environment[name]
        return found

    def _finished(self, screen: Screen, rows: Level, whole: list[tuple[str, str | None]], count: bool, body: str) -> Written:
        given = "".join(
            f" w{number} = c[n + {1 + count + number}]{'' if row is None else f'.decode({CARRIED!r})'}\n"
            for number, (_, row) in enumerate(whole)
        )
        name = self._values.name("page")
        self._sources.append(rows.source())
        self._sources.append(
            f"def {name}(c, n, q):\n rows = c[n].decode({CARRIED!r}).split({between_rows(0)!r}) if c[n] else []\n page = q.page\n more = len(rows) > page.size\n"
            f" if more: del rows[page.size:]\n after, before = page.after is not None, page.before is not None\n"
            f" if page.backwards:\n  rows.reverse()\n  after, before = more, before\n else: after, before = after, more\n"
            f"{' total = c[n + 1]' if count else ''}\n{given} return f'{checked(body)}'"
        )
        return Written(screen.fields, ", ".join(rows.said), screen.place, count, tuple(whole), self._compiled(name))

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
                    text = f"{{end(rows, {0 if name == 'start_cursor' else -1}, {at}, {id_}, q, SEPARATOR)}}"
                case _:
                    raise Unplannable
            items.append(f'"{key}":{text}')
        return braced(items)

    def _edge(
        self, type_: GraphQLObjectType, group: Group, fields: Fields | Amount, place: tuple[str, str], rows: Level, question: str = "q"
    ) -> str:
        if isinstance(fields, Amount):
            raise Unplannable
        items = []
        for key, name, field_, below in self._fields(type_, group):
            match name:
                case "__typename":
                    text = f'"{type_.name}"'
                case "cursor":
                    at, id_ = map(rows.piece, place)
                    text = f"{{cursor({at}, {id_}, q)}}"
                case "node":
                    text = self._object(object_type(field_.type), below, fields, rows)
                case _:
                    raise Unplannable
            items.append(f'"{key}":{text}')
        return self._function(rows, braced(items), question)

    def _row(self, type_: GraphQLObjectType, group: Group, fields: Fields | Amount, level: Level) -> str:
        if isinstance(fields, Amount):
            return self._function(level, self._amount(type_, group, fields, level))
        return self._function(level, self._object(type_, group, fields, level))

    def _function(self, level: Level, body: str, question: str = "q") -> str:
        """The call of a function that writes the row `t` of a list; cursors within are of the question of this name."""
        name = self._values.name("f")
        if not level.pieces:
            level.piece("1")
        more = "".join(f", {piece}" for piece in level.borrowed)
        level.borrowed.clear()
        level.written.append((name, more, checked(body)))
        return f"{name}(t, {question}{more})"

    def _rows(self, field_: GraphQLField, group: Group, fields: Fields | Amount, level: Level, text: str) -> str:
        call = self._row(item_type(field_), group, fields, level)
        rows = self._counted(f"{text}.split({self._values.bound(between_rows(level.depth))})", group)
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
                return self._values.leaf(entry, field_.type, level)
            case Amount():
                return self._amount(object_type(field_.type), group, entry, level)
            case Part():
                return self._values.part(entry, field_.type, level)
            case Within():
                return self._object(object_type(field_.type), group, entry.fields, level)
            case Rows():
                inner, place = self._below(level), level.reserve()
                found = self._rows(field_, group, entry.fields, inner, level.name(place))
                self._placed(level, place, entry, inner)
                return found
            case Maybe() | One():
                return self._other(entry, field_, group, level)
            case Paged():
                return self._paged(entry, field_, group, level)
        raise Unplannable

    def _other(self, entry: Maybe | One, field_: GraphQLField, group: Group, level: Level) -> str:
        """The object of another row."""
        if isinstance(field_.type, GraphQLNonNull) is isinstance(entry, Maybe):
            raise Unplannable
        inner, place = self._below(level), level.reserve()
        call, text = self._row(object_type(field_.type), group, entry.fields, inner), level.name(place)
        self._placed(level, place, Rows(entry.fields, entry.select), inner)
        if isinstance(entry, One):  # its price is sure: no row of it is counted
            return f"{{COMMA.join([{call} for t in there({text})])}}"
        return f"{{COMMA.join([{call} for t in {self._counted(f'[{text}]', group)}]) if {text} else NULL}}"

    def _below(self, level: Level) -> Level:
        if level.depth >= DEEPEST:
            raise Unplannable
        return Level(level.depth + 1, level)

    def _placed(self, level: Level, place: int, rows: Rows, inner: Level, counted: Paged | None = None) -> None:
        """The list's SQL is known once its rows' pieces are: it takes the place that was kept for it, and the next when it is `counted`."""
        select = rows.select.replace("{row}", inner.row())
        level.pieces[place] = list_text(select, inner.depth) if counted is None else list_and_beyond(select, inner.depth, counted)
        self._sources.append(inner.source())

    def _paged(self, entry: Paged, field_: GraphQLField, group: Group, level: Level) -> str:
        arguments = get_argument_values(field_, group[0].node, self._executor.variable_values, None)
        given = {name: value for name, value in arguments.items() if value is not None}
        size = next(iter(given.values()), entry.size)
        if type(size) is not int or not 1 <= size <= MAX_SIZE or given.keys() not in ({"first"}, {"last"}, set()):
            raise Unplannable
        items, type_ = [], object_type(field_.type)
        fields = self._fields(type_, group)
        counted = any(name in TOTALS for _, name, _, _ in fields)
        inner, place = self._below(level), level.reserve()
        beyond = level.name(level.reserve()) if counted else ""
        found = Beginning(self._values.name("r"), size, entry, level, "last" in given, beyond)
        for key, name, below_field, below in fields:
            items.append(f'"{key}":{self._of_beginning(name, type_, below_field, below, found, inner)}')
        if not inner.pieces:
            inner.piece("1")
        self._placed(level, place, entry.rows, inner, entry if counted else None)
        text = level.name(place)
        rows = f"{text}.split({between_rows(inner.depth)!r}) if {text} else ()"
        level.before.append(f"{found.rows} = {f'all_of({rows}, {entry.most})' if found.backwards else rows}")
        return braced(items)

    def _of_beginning(self, name: str, type_: GraphQLObjectType, field_: GraphQLField, group: Group, found: Beginning, inner: Level) -> str:
        fields = found.entry.rows.fields
        match name:
            case "__typename":
                return f'"{type_.name}"'
            case "nodes":
                call = self._row(item_type(field_), group, fields, inner)
                return f"[{{COMMA.join([{call} for t in {self._counted(found.shown, group)}])}}]"
            case "edges":
                call = self._edge(
                    item_type(field_), group, fields, found.place, inner, found.question(self._values.name, self._values.bound)
                )
                return f"[{{COMMA.join([{call} for t in {self._counted(found.shown, group)}])}}]"
            case "total_count":
                return f"{{{found.total} if {found.total} < {COUNT_CAP} else {COUNT_CAP}}}"
            case "total_count_is_exact":
                return f"{{TRUE if {found.total} <= {COUNT_CAP} else FALSE}}"
            case "page_info":
                return self._info_of_beginning(field_, group, found, inner)
        raise Unplannable

    def _info_of_beginning(self, field_: GraphQLField, group: Group, found: Beginning, inner: Level) -> str:
        type_, items = object_type(field_.type), []
        for key, name, _, _ in self._fields(type_, group):
            match name:
                case "__typename":
                    text = f'"{type_.name}"'
                case "has_next_page" | "has_previous_page":
                    ahead = (name == "has_previous_page") is found.backwards
                    text = f"{{TRUE if len({found.rows}) > {found.size} else FALSE}}" if ahead else "false"
                case "start_cursor" | "end_cursor":
                    at, id_ = map(inner.place, found.place)
                    separator, question = (
                        self._values.bound(between_pieces(inner.depth)),
                        found.question(self._values.name, self._values.bound),
                    )
                    text = f"{{end({found.shown}, {0 if name == 'start_cursor' else -1}, {at}, {id_}, {question}, {separator})}}"
                case _:
                    raise Unplannable
            items.append(f'"{key}":{text}')
        return braced(items)

    def _amount(self, type_: GraphQLObjectType, group: Group, amount: Amount, level: Level) -> str:
        items = []
        for key, name, field_, _ in self._fields(type_, group):
            named, currency = get_nullable_type(field_.type), self._values.currency(amount, level)
            match name:
                case "__typename":
                    text = f'"{type_.name}"'
                case "amount" if getattr(named, "name", "") == "Decimal":
                    minor = level.piece(amount.minor)
                    text = f'"{{{minor} if {currency} in UNDIVIDED else cents({minor}, {currency})}}"'
                case "currency_code" if isinstance(named, GraphQLEnumType):
                    text = f"{{{self._values.words(named)}[{currency}]}}"
                case _:
                    raise Unplannable
            items.append(f'"{key}":{text}')
        return braced(items)

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
