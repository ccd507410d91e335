"""The closed word lists of the contract, as data."""

import json
from importlib import resources
from typing import Any

LEXICON: dict[str, Any] = json.loads(resources.files("domain.claims.recognition").joinpath("lexicon.json").read_text("utf-8"))
