"""Every example in `docs/rules/claims.md` is what the recogniser says."""

import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[3] / "docs" / "rules" / "claims.md"
_POSTS = {"tile": "N", "shirt": "T", "scarf": "S", "scarf?": "C"}


def _contract():
    """The posts and the notation of the contract's own tests."""
    spec = importlib.util.spec_from_file_location("recognition_contract_examples", HERE / "test_contract.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


CONTRACT = _contract()


def _rows():
    for line in PAGE.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0] in _POSTS:
            yield cells[0], cells[1].strip("`"), cells[2]


ROWS = list(_rows())


def test_the_page_has_examples():
    assert len(ROWS) >= 25


@pytest.mark.parametrize(("post", "text", "expected"), ROWS)
def test_example(post, text, expected):
    assert CONTRACT.said(_POSTS[post], text) == expected
