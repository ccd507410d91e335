"""Which refusals of the domain a function can end with, read from the source: its own and those of all that it names, less those caught.

A function that is named counts as called, also where it is only handed on. A method of an object that the source alone does not tell counts as
every method of that name in this house. So the answer may hold too much, never too little, but for what is called by a name made at run time.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import importlib
import inspect
import pkgutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from domain.errors import DomainError

HOUSE = ("api", "domain")
MACHINERY = (
    "domain.providers",
    "domain.db",
    "api.resolvers",
    "api.execution",
    "api.sockets",
    "api.graphql_app",
    "api.auth.identity",
    "api.auth.passkeys",
    "api.auth.authenticators",
    "api.auth.routes",
)
"""No method of theirs is meant where the source does not tell the object: what rooms and resolvers hold of them refuses nothing (`Unavailable` aside)."""
Errors = frozenset[type[DomainError]]
Caught = tuple[type[BaseException], ...]
Item = tuple[Any, tuple[Caught, ...]]
"""A function or a refusal that is named, and what is caught around it."""


class Reach:
    """The house's source, read once."""

    def __init__(self, *, catching: bool = True) -> None:
        self._catching = catching
        self._modules = list(_modules())
        self._methods = self._every_method()
        self._items: dict[FunctionType, list[Item]] = {}

    def errors(self, function: Callable[..., Any]) -> Errors:
        """What this function can end with."""
        seen = self._everything_from(_plain(function))
        found: dict[FunctionType, Errors] = dict.fromkeys(seen, frozenset())
        changed = True
        while changed:
            changed = False
            for each in seen:
                now = frozenset(self._of(each, found))
                changed |= now != found[each]
                found[each] = now
        return found[_plain(function)]

    def _of(self, function: FunctionType, found: dict[FunctionType, Errors]) -> Iterator[type[DomainError]]:
        for target, around in self._items[function]:
            for error in found[target] if isinstance(target, FunctionType) else (target,):
                if not any(issubclass(error, caught) for caught in around):
                    yield error

    def _everything_from(self, function: FunctionType) -> list[FunctionType]:
        seen, waiting = dict.fromkeys([function]), [function]
        while waiting:
            each = waiting.pop()
            if each not in self._items:
                self._items[each] = list(_Reading(each, self._methods, catching=self._catching).items())
            for target, _ in self._items[each]:
                if isinstance(target, FunctionType) and target not in seen:
                    seen[target] = None
                    waiting.append(target)
        return list(seen)

    def _every_method(self) -> dict[str, list[FunctionType]]:
        methods: dict[str, list[FunctionType]] = defaultdict(list)
        for module in self._modules:
            if module.__name__.startswith(MACHINERY):
                continue
            for owner in vars(module).values():
                if inspect.isclass(owner) and owner.__module__ == module.__name__:
                    for name, member in vars(owner).items():
                        if isinstance(member, classmethod | staticmethod) or name.startswith("__"):
                            continue  # those are called by their class's name, which is known
                        if isinstance(plain := _plain(member), FunctionType) and _ours(plain):
                            methods[name].append(plain)
        return methods


class _Reading:
    """One function's items."""

    def __init__(self, function: FunctionType, methods: dict[str, list[FunctionType]], *, catching: bool) -> None:
        self._function, self._methods, self._catching = function, methods, catching
        closure = inspect.getclosurevars(function)
        self._names = {**vars(builtins), **function.__globals__, **closure.nonlocals}

    def items(self) -> Iterator[Item]:
        node = _node(self._function)
        local = {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
        local |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
        self._names = {name: what for name, what in self._names.items() if name not in local} | dict(_imported(node))
        for statement in node.body:
            yield from self._walk(statement, ())

    def _walk(self, node: ast.AST, around: tuple[Caught, ...]) -> Iterator[Item]:
        if isinstance(node, ast.Try):
            caught = tuple(kind for handler in node.handlers for kind in self._kinds(handler) if not _raises_again(handler))
            for each in node.body:
                yield from self._walk(each, (*around, caught) if self._catching else around)
            for handler in node.handlers:
                for each in handler.body:
                    yield from self._walk(each, around)
            for each in (*node.orelse, *node.finalbody):
                yield from self._walk(each, around)
        elif isinstance(node, ast.Name | ast.Attribute):
            yield from self._named(node, around)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass"):
            yield from self._walk(node.args[0], around)
        else:
            for name, value in ast.iter_fields(node):
                if name not in ("annotation", "returns"):
                    for each in value if isinstance(value, list) else [value]:
                        if isinstance(each, ast.AST):
                            yield from self._walk(each, around)

    def _named(self, node: ast.Name | ast.Attribute, around: tuple[Caught, ...]) -> Iterator[Item]:
        known, what = self._value(node)
        if known:
            yield from ((each, around) for each in _targets(what))
        elif isinstance(node, ast.Attribute):
            yield from ((each, around) for each in self._methods.get(node.attr, ()))
            yield from self._walk(node.value, around)

    def _value(self, node: ast.AST) -> tuple[bool, Any]:
        """Whether it is known what stands there, and what."""
        if isinstance(node, ast.Name):
            return node.id in self._names, self._names.get(node.id)
        if isinstance(node, ast.Attribute):
            known, owner = self._value(node.value)
            if known and isinstance(owner, ModuleType | type) and hasattr(owner, node.attr):
                return True, inspect.getattr_static(owner, node.attr) if isinstance(owner, type) else getattr(owner, node.attr)
        return False, None

    def _kinds(self, handler: ast.ExceptHandler) -> list[type[BaseException]]:
        if handler.type is None:
            return [BaseException]
        nodes = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        kinds: list[type[BaseException]] = []
        for node in nodes:
            known, what = self._value(node)
            if known:
                kinds += what if isinstance(what, tuple) else [what]
        return kinds


def _imported(node: ast.AST) -> Iterator[tuple[str, Any]]:
    """What a function imports by itself."""
    for each in ast.walk(node):
        if isinstance(each, ast.Import):
            for alias in each.names:
                yield (
                    alias.asname or alias.name.split(".")[0],
                    importlib.import_module(alias.name if alias.asname else alias.name.split(".")[0]),
                )
        elif isinstance(each, ast.ImportFrom) and each.module:
            for alias in each.names:
                with contextlib.suppress(ImportError):
                    module = importlib.import_module(each.module)
                    found = getattr(module, alias.name, None) or importlib.import_module(f"{each.module}.{alias.name}")
                    yield alias.asname or alias.name, found


def _raises_again(handler: ast.ExceptHandler) -> bool:
    """Whether a refusal that is caught here may go on. What may be tried again is no refusal: it is not counted at all."""
    kept = [each for each in handler.body if not (isinstance(each, ast.If) and ast.unparse(each.test) == f"{handler.name}.retryable")]
    return any(isinstance(node, ast.Raise) and node.exc is None for each in kept for node in ast.walk(each))


def _targets(what: Any) -> Iterator[Any]:
    plain = _plain(what)
    if isinstance(plain, FunctionType):
        if _ours(plain):
            yield plain
    elif inspect.isclass(plain) and plain.__module__.startswith(HOUSE):
        if issubclass(plain, DomainError):
            yield plain
        else:
            for name in ("__init__", "__post_init__", "__new__"):
                if isinstance(made := vars(plain).get(name), FunctionType) and _ours(made):
                    yield made
    elif isinstance(what, dict | tuple | list) and not isinstance(what, str):
        for each in what.values() if isinstance(what, dict) else what:
            if callable(each):
                yield from _targets(each)


def _plain(what: Any) -> Any:
    """The function under decorators, methods, properties and partials."""
    while True:
        if isinstance(what, staticmethod | classmethod):
            what = what.__func__
        elif isinstance(what, property):
            what = what.fget
        elif isinstance(what, functools.partial | functools.cached_property):
            what = what.func
        elif not isinstance(what, type) and hasattr(what, "__wrapped__"):
            what = what.__wrapped__
        elif inspect.ismethod(what):
            what = what.__func__
        else:
            return what


def _ours(function: FunctionType) -> bool:
    return function.__module__ is not None and function.__module__.split(".")[0] in HOUSE and _found(function) is not None


def _node(function: FunctionType) -> ast.FunctionDef | ast.AsyncFunctionDef:
    node = _found(function)
    assert node is not None, function
    return node


def _found(function: FunctionType) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    return _nodes(function.__code__.co_filename).get((function.__name__, function.__code__.co_firstlineno))


@functools.cache
def _nodes(path: str) -> dict[tuple[str, int], ast.FunctionDef | ast.AsyncFunctionDef]:
    try:
        tree = ast.parse(Path(path).read_text())
    except OSError:  # written at run time: a dataclass's own methods
        return {}
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {(node.name, min([node.lineno, *(each.lineno for each in node.decorator_list)])): node for node in functions}


def _modules() -> Iterator[ModuleType]:
    for name in HOUSE:
        package = importlib.import_module(name)
        for each in pkgutil.walk_packages(package.__path__, f"{name}."):
            if ".migrations." not in each.name and not each.name.endswith("__main__"):
                yield importlib.import_module(each.name)
    assert set(HOUSE) <= set(sys.modules)
