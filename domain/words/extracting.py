"""Finds the phrases of the code for pybabel (see `babel.cfg`), and fills the Taiwanese catalogue from them: `make catalogues`.

A phrase is written in one of two ways:

    ("庫存不足。", "There is not enough stock.")                two texts, Chinese and English, side by side in a tuple
    ZH = {KIND: ...} and EN = {KIND: ...}                       two tables of a file with the same keys and as many texts under each
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from typing import IO, Any, Final, NamedTuple

from domain.words.catalogues import path_of
from domain.words.languages import LANGUAGES, TAIWAN

PLACE: Final = re.compile(r"\{\w+\}")
HAN: Final = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_LATIN: Final = re.compile(r"[A-Za-z]")
CHINESE_TABLE, ENGLISH_TABLE = "ZH", "EN"


class Phrase(NamedTuple):
    """A pair and the line where it stands."""

    line: int
    chinese: str
    english: str


class Unpaired(Exception):
    """What stands in one language has no counterpart in the other; says where."""


def phrases(source: str) -> Iterator[Phrase]:
    """The pairs of a Python file, in its order. What is alike in both languages is no phrase: `{lines}`, or a name.

    Raises:
        Unpaired: two tables that do not match.
    """
    tree = ast.parse(source)
    tables = _tables(tree)
    yield from _side_by_side(tables)
    within = {id(node) for table in tables.values() for node in ast.walk(table)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple) and id(node) not in within:
            texts = [_text(part) for part in node.elts]
            if len(texts) == 2 and texts[0] and texts[1] and _is_pair(texts[0], texts[1]):
                yield from _phrase(node.lineno, texts[0], texts[1])


def extract(fileobj: IO[bytes], keywords: Any, tags: Any, options: Any) -> Iterator[tuple[int, None, str, list[str]]]:  # noqa: ARG001
    """What pybabel asks for each file: line, function, msgid, comments. The Taiwanese stands beside each msgid as a comment."""
    for phrase in sorted(phrases(fileobj.read().decode())):
        yield phrase.line, None, phrase.english, [f"{TAIWAN}: {phrase.chinese}"]


def _tables(tree: ast.Module) -> dict[str, ast.Dict]:
    found = {}
    for node in tree.body:
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0] if isinstance(node, ast.Assign) else None
        value = node.value if isinstance(node, ast.AnnAssign | ast.Assign) else None
        if isinstance(target, ast.Name) and target.id in (CHINESE_TABLE, ENGLISH_TABLE) and isinstance(value, ast.Dict):
            found[target.id] = value
    return found


def _side_by_side(tables: Mapping[str, ast.Dict]) -> Iterator[Phrase]:
    if not tables:
        return
    if len(tables) != 2:
        raise Unpaired(f"the table {next(iter(tables))} has no counterpart in the other language")
    chinese, english = (_texts_by_key(tables[name]) for name in (CHINESE_TABLE, ENGLISH_TABLE))
    for key in {**chinese, **english}:
        left, right = chinese.get(key, []), english.get(key, [])
        if len(left) != len(right):
            raise Unpaired(f"{key}: {len(left)} texts in {CHINESE_TABLE}, {len(right)} in {ENGLISH_TABLE}; each needs its counterpart")
        for (line, text), (_, other) in zip(left, right, strict=True):
            yield from _phrase(line, text, other)


def _texts_by_key(table: ast.Dict) -> dict[str, list[tuple[int, str]]]:
    return {ast.unparse(key): list(_leaves(value)) for key, value in zip(table.keys, table.values, strict=True) if key is not None}


def _leaves(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Texts below a node, in the order of the file."""
    text = _text(node)
    if text is not None:
        yield getattr(node, "lineno", 0), text
    for child in ast.iter_child_nodes(node):
        yield from _leaves(child)


def _phrase(line: int, chinese: str, english: str) -> Iterator[Phrase]:
    if chinese != english:
        yield Phrase(line, chinese, english)


def _text(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _is_pair(chinese: str, english: str) -> bool:
    """Chinese and English; either may quote a word of the other. Places are left out."""
    (left, _), (right, latin) = (
        (len(HAN.findall(said)), len(_LATIN.findall(said))) for said in (PLACE.sub("", chinese), PLACE.sub("", english))
    )
    return (left > right and latin > 3 * right) or (0 < left <= right and latin > 10 * right)


def fill_taiwan() -> dict[str, int]:
    """Write the code's Taiwanese into its catalogue; answers how many words each of the catalogues lacks."""
    from babel.messages.pofile import read_po, write_po

    lacking = {}
    for language in LANGUAGES[:-1]:
        path = path_of(language)
        with path.open("rb") as file:
            messages = read_po(file)
        for message in messages:
            if language == TAIWAN and message.id:
                message.string = next(note for note in message.auto_comments if note.startswith(f"{TAIWAN}: ")).partition(": ")[2]
        if language == TAIWAN:
            with path.open("wb") as file:
                write_po(file, messages, width=0)
        lacking[language] = sum(1 for message in messages if message.id and (not message.string or message.fuzzy))
    return lacking


if __name__ == "__main__":
    for name, count in fill_taiwan().items():
        if count:
            sys.stdout.write(f"{count} to fill in: {path_of(name)}\n")
