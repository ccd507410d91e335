"""A phrase in a language: Taiwan's and the English one from the code, the others from their catalogues.

A catalogue is read when a word of it is first needed, about a tenth of a second with babel's import: a process that speaks to Taiwan alone
never reads one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from domain.words.languages import CHINA, ENGLISH, HONG_KONG, TAIWAN

Pair = tuple[str, str]
"""A phrase in (zh-TW, en); its English is its name in the catalogues."""

FOLDER: Final = Path(__file__).parent
DOMAIN: Final = "plusone"
LOCALES: Final[Mapping[str, str]] = {TAIWAN: "zh_Hant_TW", HONG_KONG: "zh_Hant_HK", CHINA: "zh_Hans_CN"}
"""Language: its catalogue. Taiwan's is written from the code, for translators to see all three alike."""


def say(phrase: Pair, language: str) -> str:
    """The phrase in one of our languages, with its `{facts}` still to be filled in. What a catalogue lacks is said as in Taiwan."""
    if language == TAIWAN:
        return phrase[0]
    if language == ENGLISH:
        return phrase[1]
    return catalogue(language).get(phrase[1], phrase[0])


def path_of(language: str) -> Path:
    """Where the catalogue of a language stands."""
    return FOLDER / LOCALES[language] / "LC_MESSAGES" / f"{DOMAIN}.po"


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """English: the words of this language; without what nobody has looked over (fuzzy) or filled in."""
    from babel.messages.pofile import read_po

    with path_of(language).open("rb") as file:
        messages = read_po(file, ignore_obsolete=True)
    return {m.id: m.string for m in messages if isinstance(m.id, str) and isinstance(m.string, str) and m.id and m.string and not m.fuzzy}
