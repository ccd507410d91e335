"""Answers that are given to the server whole: head and body as bytes, in one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

WHOLE: Final = "plusone.whole"
"""Key of a scope under which the server leaves a `Whole`, where it is ours (`plusone/prompt.py`)."""

Whole = Callable[[bytes, bytes], bool]
"""`whole(head, body)`: send 200 with these lines of the head, each ended by CRLF (its length among them), and this body. False when that cannot be
done just now: nothing was sent, and the messages of ASGI are the way."""
