"""What the start leaves out of Tortoise because our models have none of it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from domain.bootstrap import MODEL_MODULES


@pytest.mark.parametrize("name", MODEL_MODULES)
def test_no_model_has_comments_for_its_columns(name: str) -> None:
    # domain.db.pool keeps Tortoise from looking for them.
    assert "#:" not in Path(import_module(name).__file__ or "").read_text()
