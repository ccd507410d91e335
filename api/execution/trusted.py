"""Which documents are answered: those that an app has registered (`plusone operations add`), and where the setting or development opens it, any.

A registered document is named by its hash, or its text is sent as it was registered. In the open an app may also use Apollo's automatic persisted
queries: it sends the hash alone, and the text beside it once when the hash is not known here.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from api.execution.errors import AWAY, Code, RequestError
from api.execution.http import Operation
from api.execution.limits import MAX_CHARACTERS
from domain.clock import Clock
from domain.operations import queries
from domain.operations.commands import hash_of

LOOKED_UP: Final = timedelta(seconds=60)
"""A process looks at a registered document again after this time: so long may a removed one still be answered."""
MOST_KNOWN: Final = 1_000
MOST_SENT: Final = 500
"""Texts kept for automatic persisted queries, at most 10,000 characters each; the one used longest ago is asked for again."""

REQUIRED: Final = (
    "Only registered documents are answered here, and this is none. Register it with `plusone operations add FILE` (docs/api/operations.md) "
    "and send it unchanged, or its SHA-256 as documentId."
)
NOT_FOUND: Final = (
    "No document of this hash is known here. Send the text beside it once, or register it with `plusone operations add FILE`."
)
AUTOMATIC_NOT_FOUND: Final = "PersistedQueryNotFound"
"""The very words that Apollo's clients wait for."""


class Trusted:
    """The documents of one process. `is_open`: any document is answered."""

    def __init__(self, clock: Clock, *, is_open: bool) -> None:
        self._clock = clock
        self._open = is_open
        self._known: OrderedDict[str, tuple[datetime, str]] = OrderedDict()
        self._sent: OrderedDict[str, str] = OrderedDict()

    def is_open_to(self, operation: Operation) -> bool:
        """Whether the text that was sent is answered as it is."""
        return self._open and operation.hash is None and operation.query is not None

    async def text(self, operation: Operation) -> str:
        """The document to answer.

        Raises:
            RequestError: it may not be answered, nobody knows its hash, or the hash is another text's.
        """
        text, digest = operation.query, operation.hash
        if self.is_open_to(operation):
            assert text is not None
            return text
        own = None if text is None else hash_of(text)
        if own is not None and digest is not None and own != digest:
            raise RequestError("the hash is not the SHA-256 of the text beside it")
        key = digest or own
        assert key is not None
        if self._open and text is not None:
            self._keep(key, text)
            return text
        found = self._sent.get(key) or await self._registered(key)
        if found is not None:
            return found
        if not self._open:
            raise RequestError(REQUIRED, Code.PERSISTED_QUERY_REQUIRED)
        raise RequestError(AUTOMATIC_NOT_FOUND if operation.is_automatic else NOT_FOUND, Code.PERSISTED_QUERY_NOT_FOUND)

    def _keep(self, key: str, text: str) -> None:
        if len(text) <= MAX_CHARACTERS:
            self._sent[key] = text
            self._sent.move_to_end(key)
            if len(self._sent) > MOST_SENT:
                self._sent.popitem(last=False)

    async def _registered(self, key: str) -> str | None:
        """The registered text; while the database is away, what was last known of it."""
        now, known = self._clock.now(), self._known.get(key)
        if known is not None and timedelta(0) <= now - known[0] < LOOKED_UP:
            return known[1]
        try:
            text = await queries.document_of(key)
        except AWAY:
            if known is None:
                raise
            return known[1]
        if text is None:
            self._known.pop(key, None)
        else:
            self._known[key] = (now, text)
            self._known.move_to_end(key)
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return text
