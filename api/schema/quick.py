"""The types of the schema are made in a third of the time that strawberry takes: half of the start of a process went into it.

Four things of strawberry's are done more cheaply, with the same outcome (`tests/api/graphql/test_quick.py` holds the schema against it):

* Every type becomes a dataclass, for which Python compiles `__init__`, `__repr__` and `__eq__` one by one, each with the types of all fields looked
  up. The objects of our answers are rows and never of these classes, so they get none of the three. Inputs, which are made, get all.
* An annotation is a text that is looked up several times for each field, by way of a syntax tree that is written down and compiled anew. Here it is
  evaluated once for each module that says it. What names something that is not there yet, or comes late (`strawberry.lazy`), is strawberry's business.
* What such an annotation means to GraphQL, asked for some twenty times for each field, is found out once for each module, and so is what a class means.
* Annotations made of classes alone are not searched for a `strawberry.field()` inside of `Annotated`.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from enum import EnumType
from re import compile as pattern
from typing import Annotated, Any, Final, ForwardRef, NewType, get_args, get_origin

import strawberry
from strawberry import annotation
from strawberry.annotation import StrawberryAnnotation
from strawberry.types import object_type
from strawberry.types.field import UNRESOLVED, StrawberryField
from strawberry.utils import typing as strawberry_typing

Class = type[Any]
Namespace = dict[str, Any]

PLAIN: Final = pattern(r"[\w.\[\], |]+")
"""Annotations without strings and calls."""
CLASSES: Final = (type, NewType)
_known: dict[tuple[str, int], tuple[Any, Namespace | None]] = {}
"""By text and module; the namespace is kept, so that its id stays its own."""
_meant: dict[tuple[str, int], Any] = {}
"""What `_known` means to GraphQL."""
_themselves: set[type] = set()
"""Classes that mean themselves."""
_evaluate: Final[Callable[..., Any]] = strawberry_typing.eval_type
_annotation_evaluate: Final[Callable[..., Any]] = StrawberryAnnotation.evaluate
_annotation_resolve: Final[Callable[..., Any]] = StrawberryAnnotation._resolve
_annotation_type: Final[Callable[..., Any]] = StrawberryAnnotation._resolve_evaled_type
_resolve_type: Final[Callable[..., Any]] = StrawberryField.resolve_type
_process_annotated_fields: Final[Callable[..., Any]] = object_type._process_annotated_fields


def evaluate(type_: Any, globalns: Namespace | None = None, localns: Namespace | None = None) -> Any:
    """strawberry's `eval_type`, with a memory.

    Raises:
        NameError: the text names something that is not there, or not yet.
    """
    if localns is not None or not isinstance(type_, ForwardRef):
        return _evaluate(type_, globalns, localns)
    found = _look_up(type_.__forward_arg__, globalns)
    if isinstance(found, NameError):
        raise NameError(*found.args)
    return _evaluate(type_, globalns) if found is None else found


def _look_up(text: str, namespace: Namespace | None) -> Any:
    """What `_at_once` says, remembered where it says something."""
    known = _known.get((text, id(namespace)))
    if known is not None:
        return known[0]
    found = _at_once(text, namespace)
    if found is not None:
        _known[text, id(namespace)] = (found, namespace)
    return found


def _at_once(text: str, namespace: Namespace | None) -> Any:
    """What a plain annotation says, if that is made of classes alone; an error for what is never there; None for what strawberry must look at."""
    if not PLAIN.fullmatch(text):
        return None
    try:
        found = eval(text, {} if namespace is None else namespace)  # noqa: S307 -- an annotation of our own modules
    except NameError as error:
        return error.with_traceback(None) if namespace is None else None  # a field is looked at before its module is known, too
    return found if _is_classes(found) else None


def _is_classes(found: Any) -> bool:
    origin = get_origin(found)
    if origin is not None:
        return origin is not Annotated and all(_is_classes(part) for part in get_args(found))
    return isinstance(found, CLASSES)


def _says(self: StrawberryAnnotation) -> Any:
    """What an annotation says that is a text made of classes alone, an error for what is never there, else None."""
    return _look_up(self.raw_annotation, self.namespace) if isinstance(self.raw_annotation, str) else None


def _evaluated(self: StrawberryAnnotation) -> Any:
    """strawberry's `StrawberryAnnotation.evaluate`."""
    found = _says(self)
    return _annotation_evaluate(self) if found is None or isinstance(found, NameError) else found


def _resolved(self: StrawberryAnnotation) -> Any:
    """strawberry's `StrawberryAnnotation._resolve`; the same for the same text in the same module."""
    found = _says(self)
    if found is None or isinstance(found, NameError):
        return _annotation_resolve(self)
    key = (str(self.raw_annotation), id(self.namespace))
    if key in _meant:
        return _meant[key]
    settled = _is_settled(found)
    meant = _annotation_resolve(self)
    if settled:
        _meant[key] = meant
    return meant


def _is_settled(found: Any) -> bool:
    """All enums in it are described: one that is looked at before is made anew when it is."""
    parts = get_args(found)
    return (
        all(_is_settled(part) for part in parts)
        if parts
        else not isinstance(found, EnumType) or hasattr(found, "__strawberry_definition__")
    )


def _type_of_class(self: StrawberryAnnotation, found: Any) -> Any:
    """strawberry's `StrawberryAnnotation._resolve_evaled_type`, by which most classes are themselves."""
    is_class = isinstance(found, type)
    if is_class and found in _themselves:
        return found
    meant = _annotation_type(self, found)
    if is_class and meant is found:
        _themselves.add(found)
    return meant


def _field_type(self: StrawberryField, *, type_definition: Any = None) -> Any:
    """strawberry's `StrawberryField.resolve_type`."""
    given = self.type_annotation
    found = None if given is None else _says(given)
    if isinstance(found, NameError):
        return UNRESOLVED
    if given is not None and found is not None:
        meant = given.resolve()
        if type_definition is None or not given._is_type_generic(meant):
            return meant
    return _resolve_type(self, type_definition=type_definition)


def _annotated_fields(cls: Class) -> Any:
    """strawberry's `_process_annotated_fields`: those with a `strawberry.field()` in their annotations, and classes alone have none."""
    namespace = sys.modules[cls.__module__].__dict__
    texts = vars(cls).get("__annotations__", {}).values()
    if all(isinstance(text, str) and _look_up(text, namespace) is not None for text in texts):
        return {}
    return _process_annotated_fields(cls)


class _Dataclasses:
    """The module `dataclasses` as strawberry's maker of types sees it. `inputs`: whether inputs are being made."""

    inputs = False

    def __getattr__(self, name: str) -> Any:
        return getattr(dataclasses, name)

    def dataclass(self, *, kw_only: bool) -> Callable[[Class], Class]:
        if self.inputs:
            return dataclasses.dataclass(kw_only=kw_only)
        return self._bare

    @staticmethod
    def _bare(cls: Class) -> Class:
        if not cls.__doc__:
            cls.__doc__ = cls.__name__  # dataclasses would write the signature
        return dataclasses.dataclass(cls, init=False, repr=False, eq=False, match_args=False, kw_only=True)


_dataclasses: Final = _Dataclasses()
_type: Final[Callable[..., Any]] = object_type.type


def _making(cls: Class | None = None, *, is_input: bool = False, **words: Any) -> Any:
    """strawberry's `type`, which also makes its inputs and interfaces."""

    def make(given: Class) -> Class:
        before, _dataclasses.inputs = _dataclasses.inputs, is_input
        try:
            made: Class = _type(given, is_input=is_input, **words)
        finally:
            _dataclasses.inputs = before
        return made

    return make if cls is None else make(cls)


def install() -> None:
    """Before the first type is made."""
    for module, name, ours in (
        (strawberry_typing, "eval_type", evaluate),
        (annotation, "eval_type", evaluate),
        (StrawberryAnnotation, "evaluate", _evaluated),
        (StrawberryAnnotation, "_resolve", _resolved),
        (StrawberryAnnotation, "_resolve_evaled_type", _type_of_class),
        (StrawberryField, "resolve_type", _field_type),
        (object_type, "_process_annotated_fields", _annotated_fields),
        (object_type, "dataclasses", _dataclasses),
        (object_type, "type", _making),
        (strawberry, "type", _making),
    ):
        setattr(module, name, ours)


install()
