"""A shop as its operator writes it down: the TOML file of `plusone shop apply`, read and checked. No database here.

Everything that can be known wrong without the database is told at once, each with its path and with what to do. The file holds no
secret, only the names of the environment variables that do.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from plusone.shopfile_checks import path_of, problems_between
from plusone.shopfile_parts import FileRefused, Problem, ShopFile

MOST_BYTES: Final = 1_000_000
SECRETS: Final = frozenset(
    {"secret", "hash_key", "hash_iv", "app_secret", "channel_secret", "secret_token", "token", "verify_token", "access_token", "password"}
)
NO_SECRETS_HERE: Final = (
    "a secret does not stand in the file: put it into an environment variable and name that one (secret_env, verify_token_env)"
)


def read_file(path: Path) -> ShopFile:
    """The file, whole and consistent in itself.

    Raises:
        FileRefused: everything that is wrong with it.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise FileRefused(Problem("", f"cannot be read ({error.strerror})")) from None
    if len(raw) > MOST_BYTES:
        raise FileRefused(Problem("", f"is longer than {MOST_BYTES:,} bytes"))
    try:
        found = tomllib.loads(raw.decode())
    except UnicodeDecodeError:
        raise FileRefused(Problem("", "is not UTF-8 text")) from None
    except tomllib.TOMLDecodeError as error:
        raise FileRefused(Problem("", f"is not TOML: {error}")) from None
    except RecursionError:
        raise FileRefused(Problem("", "is nested too deep")) from None
    return read(found)


def read(found: Mapping[str, Any]) -> ShopFile:
    """The file from parsed TOML; raises as `read_file`."""
    try:
        file = ShopFile.model_validate(found)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        raise FileRefused(*(Problem(path_of(fault["loc"]), _told(fault)) for fault in faults)) from None
    problems = problems_between(file)
    if problems:
        raise FileRefused(*problems)
    return file


def _told(fault: Any) -> str:
    """A fault in words that say what to do, without the value."""
    kind, loc = fault["type"], fault["loc"]
    if kind == "extra_forbidden":
        return _unknown(loc)
    if kind == "missing":
        return "is missing"
    if kind == "string_type":
        return 'write it as text, in quotes: "…"'
    if kind in ("int_type", "bool_type", "list_type", "dict_type", "model_type", "tuple_type"):
        return f"must be {_KINDS[kind]}"
    if kind == "value_error":
        return str(fault["ctx"]["error"])
    return str(fault["msg"])


_KINDS: Final = {
    "int_type": "a whole number, without quotes",
    "bool_type": "true or false, without quotes",
    "list_type": "a list: [ … ], or a [[table]] for each",
    "tuple_type": "a list: [ … ]",
    "dict_type": "a table: { … }",
    "model_type": "a table: { … } or [table]",
}


def _unknown(loc: tuple[int | str, ...]) -> str:
    key, known = str(loc[-1]), _keys_at(loc[:-1])
    if key in SECRETS:
        return NO_SECRETS_HERE
    near = difflib.get_close_matches(key, known, n=1)
    return f"no such key; did you mean {near[0]}?" if near else f"no such key; there are {', '.join(known)}"


def _keys_at(loc: tuple[int | str, ...]) -> list[str]:
    """Keys of the table at this place."""
    model: type[BaseModel] = ShopFile
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner)) is not None), None)
