"""The pages of docs/api in tests: their requests with who asks, variables and the answer that is shown, and whether an answer is that one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs" / "api"
BLOCK = re.compile(r"(?:<!-- (?P<note>.*?) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)
ANY = "…"


@dataclass(slots=True)
class Request:
    """One request of a page: the document, who asks, what later ones use of its answer, its variables, and the answer that is shown."""

    text: str
    who: str = "BUYER"
    keep: str = ""
    variables: str = "{}"
    answer: str = ""

    @property
    def kept(self) -> dict[str, str]:
        """Paths in the answer by the names that later requests use."""
        return dict(pair.strip().split(" = ") for pair in self.keep.split(",") if pair)


def requests(page: str) -> Iterator[Request]:
    """A page's requests in order; JSON blocks belong to the GraphQL block before them."""
    found: Request | None = None
    for block in BLOCK.finditer((DOCS / page).read_text()):
        if block["kind"] == "graphql":
            if found is not None:
                yield found
            found = Request(block["text"])
            for part in filter(None, (block["note"] or "").split("; ")):
                name, _, value = part.partition(": ")
                setattr(found, {"as": "who"}.get(name, name), value)
        else:
            assert found is not None
            setattr(found, block["note"], block["text"])
    assert found is not None
    yield found


def fits(shown: Any, said: Any) -> bool:
    """Whether what was said is what is shown; ANY stands for any text."""
    if isinstance(shown, dict) and isinstance(said, dict):
        return list(shown) == list(said) and all(fits(shown[key], said[key]) for key in shown)
    if isinstance(shown, list) and isinstance(said, list):
        return len(shown) == len(said) and all(map(fits, shown, said))
    if isinstance(shown, str) and isinstance(said, str) and ANY in shown:
        return re.fullmatch(".+".join(map(re.escape, shown.split(ANY))), said, re.DOTALL) is not None
    return type(shown) is type(said) and bool(shown == said)
