"""Documents read from files, held against the schema and its limits, and registered."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson
from graphql import GraphQLError
from rich.console import Console

from api.execution.documents import Documents
from api.execution.errors import RequestError
from domain import bootstrap, db
from domain.operations import commands, queries
from domain.operations.commands import Draft, hash_of
from domain.settings import Settings

LARGEST: Final = 20_000_000
"""Bytes of a file."""
SHORTEST_PREFIX: Final = 8
UNNAMED: Final = "(unnamed)"

T = TypeVar("T")


class FilesRefused(Exception):
    """Something in the files cannot be registered; one line per problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


class NotThere(Exception):
    """A hash that names no registered document, or more than one."""


class Unreadable(Exception):
    """A file that holds no documents."""


def read(files: Sequence[Path]) -> list[Draft]:
    """The documents of all files, each valid for the schema and within the limits.

    Raises:
        FilesRefused: one is not.
    """
    from api.graphql_app import schema

    documents = Documents(schema._schema, introspection=False)
    drafts, problems = [], []
    for file in files:
        try:
            for text in texts_of(file):
                found = _checked(documents, text)
                drafts += [found] if isinstance(found, Draft) else []
                problems += [] if isinstance(found, Draft) else [f"{file}: {problem}" for problem in found]
        except Unreadable as error:
            problems.append(f"{file}: {error}")
    if problems:
        raise FilesRefused(problems)
    return drafts


def texts_of(file: Path) -> Iterator[str]:
    """The documents in a file.

    Raises:
        Unreadable: it is no file of documents.
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or "cannot be read") from None
    if len(raw) > LARGEST:
        raise Unreadable(f"is larger than {LARGEST} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("is not UTF-8") from None
    if file.suffix.lower() != ".json":
        yield text
        return
    try:
        content = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Unreadable("is not JSON") from None
    for digest, document in _pairs(content):
        if not isinstance(document, str) or digest != hash_of(document):
            raise Unreadable(f"names a document {str(digest)[:80]!r}, which is not the SHA-256 of its text: let the generator use sha256")
        yield document


def _pairs(content: Any) -> list[tuple[Any, Any]]:
    """(hash, text): Apollo's manifest, or the map that graphql-codegen and Relay write."""
    if isinstance(content, dict) and isinstance(content.get("operations"), list):
        if content.get("format") != "apollo-persisted-query-manifest" or not all(isinstance(each, dict) for each in content["operations"]):
            raise Unreadable("is a manifest of a form that is not known; Apollo's persisted query manifest is")
        return [(each.get("id"), each.get("body")) for each in content["operations"]]
    if isinstance(content, dict) and content:
        return [(str(digest).removeprefix("sha256:"), text) for digest, text in content.items()]
    raise Unreadable("holds neither Apollo's manifest nor texts by their hashes")


def _checked(documents: Documents, text: str) -> Draft | list[str]:
    """The document, or what is wrong with it."""
    try:
        prepared = documents.get(text)
        if prepared.errors:
            return [_told(error) for error in prepared.errors]
        if not prepared.operations:
            return ["holds no operation"]
        for definition in prepared.operations.values():
            documents.check_cost(prepared, definition, {})
    except GraphQLError as error:
        return [_told(error)]
    except RequestError as error:
        return [str(error)]
    return Draft(text, tuple(name or UNNAMED for name in prepared.operations))


def _told(error: GraphQLError) -> str:
    places = [f"line {place.line}, column {place.column}: " for place in error.locations or ()][:1]
    return "".join(places) + error.message.replace("\n", " ")


def register(drafts: Sequence[Draft], settings: Settings, dsn: str, out: Console) -> None:
    """Register all of these and tell which were new."""

    async def work() -> frozenset[str]:
        return await commands.add(drafts, bootstrap.services(settings).clock.now())

    new = _with_pool(settings, dsn, work)
    for draft in drafts:
        out.print(f"{'added' if draft.hash in new else 'known'} {draft.hash} {', '.join(draft.names)}", **_PLAIN)


def show(settings: Settings, dsn: str, out: Console) -> None:
    """One line per registered document."""
    found = _with_pool(settings, dsn, queries.registered)
    for each in found:
        out.print(f"{each.hash} {each.added_at:%Y-%m-%d %H:%M}Z {each.name}", **_PLAIN)
    if not found:
        out.print(
            "Nothing is registered: production answers no document. Register the apps' with `plusone operations add FILE...`.", **_PLAIN
        )


def forget(hashes: Sequence[str], settings: Settings, dsn: str, out: Console) -> None:
    """Forget all of these.

    Raises:
        NotThere: one is none of them, or of several.
    """

    async def work() -> list[str]:
        whole = [await _whole(each.lower().removeprefix("sha256:")) for each in hashes]
        await commands.remove(whole)
        return whole

    for digest in _with_pool(settings, dsn, work):
        out.print(f"removed {digest}", **_PLAIN)


async def _whole(prefix: str) -> str:
    if not re.fullmatch(rf"[0-9a-f]{{{SHORTEST_PREFIX},64}}", prefix):
        raise NotThere(
            f"{prefix[:80]} is no hash: give {SHORTEST_PREFIX} to 64 hexadecimal digits, as `plusone operations list` shows them."
        )
    found = await queries.hashes_like(prefix)
    if len(found) != 1:
        raise NotThere(f"{prefix} {'is none of the registered documents' if not found else 'begins several hashes'}; nothing was removed.")
    return found[0]


_PLAIN: Final[dict[str, Any]] = {"markup": False, "highlight": False, "soft_wrap": True}


def _with_pool(settings: Settings, dsn: str, work: Callable[[], Awaitable[T]]) -> T:
    async def run() -> T:
        await bootstrap.connect(settings, dsn, application_name="plusone-operations")
        try:
            return await work()
        finally:
            await db.close()

    return asyncio.run(run())
