"""Contract section 3: one form for every way to write the same thing, with a map back to the original."""

import unicodedata

from domain.claims.recognition.data import LEXICON

_FOLD: dict[str, str] = LEXICON["fold"]
_DELETED = (
    {*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), *range(0xFE00, 0xFE10)}
    | {*range(0xE0100, 0xE01F0), *range(0x180B, 0x180E)}
    | {0xFEFF, 0x00AD, 0x180E, 0x180F, 0x20E3}
)
_SIGNS = {"➕": "+", "✚": "+", "−": "-", "‐": "-", "‑": "-", "–": "-", "➖": "-", "×": "*", "✕": "*", "✖": "*", "⁄": "/", "🔟": "10"}
_CIRCLES = {chr(first + step): str(step + 1) for first in (0x2776, 0x2780, 0x278A) for step in range(10)}
_BREAKS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
_SINGLE = {**_SIGNS, **_CIRCLES}


def _one(char: str) -> str:
    """The normal form of one code point, before it is settled."""
    if ord(char) in _DELETED:
        return ""
    if char in _BREAKS:
        return "\n"
    out = []
    for part in unicodedata.normalize("NFKC", _SINGLE.get(char, char)).lower():
        if part.isspace():
            out.append(" " if part not in _BREAKS else "\n")
        elif unicodedata.category(part) == "Nd":
            out.append(str(unicodedata.digit(part)))
        elif ord(part) not in _DELETED:
            out.append(_FOLD.get(part, _SINGLE.get(part, part)))
    return "".join(out)


class _Table(dict[int, str]):
    """Grows by every code point ever seen (at most Unicode); `odd` holds those that do not become exactly one."""

    def __init__(self) -> None:
        super().__init__()
        self.odd: set[str] = set()

    def __missing__(self, code: int) -> str:
        text = _one(chr(code))
        for _ in range(4):
            again = "".join(map(_one, text))
            if again == text:
                break
            text = again
        if len(text) != 1:
            self.odd.add(chr(code))
        self[code] = text
        return text


_TABLE = _Table()


def normalise(text: str) -> str:
    """The normal form of a comment or a shop word."""
    return text.translate(_TABLE)


def normalise_with_map(text: str) -> tuple[str, list[int] | None]:
    """The normal form and, per normalised code point, its place in the original; None where every code point stayed one."""
    normal = text.translate(_TABLE)
    if _TABLE.odd.isdisjoint(text):
        return normal, None
    origins: list[int] = []
    for place, char in enumerate(text):
        origins.extend([place] * len(_TABLE[ord(char)]))
    return normal, origins
