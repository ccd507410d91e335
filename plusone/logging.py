"""Structured logs: JSON lines (or colours in a terminal), with request ids, and without personal data or secrets.

Two rules keep them clean. Fields whose name says that a person or a secret stands in them are dropped, whoever logs them. And an exception
shows its type and where it happened, but not its words: PostgreSQL and others quote the very values that failed. In development the words
are shown as well.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from types import TracebackType
from typing import Any, Final

from prometheus_client import Counter

from domain.errors import DomainError
from domain.settings import Settings

_rich = sys.modules.get("rich")
if _rich is None:  # structlog would load all of it to colour exceptions, which `Troubles` has told in its own words by then
    sys.modules["rich"] = None  # type: ignore[assignment]
try:
    import structlog
    from structlog.typing import EventDict, Processor, WrappedLogger
finally:
    if _rich is None:
        del sys.modules["rich"]

DROPPED: Final = re.compile(
    r"text|name|token|secret|authorization|body|password|cookie|phone|address|mail|payload|quer(y|ies)|variables|signature|credential|dsn|header",
    re.IGNORECASE,
)
"""Fields that never reach a log; `KEPT` are the ones whose names only look so."""
KEPT: Final = frozenset({"logger_name", "thread_name", "process_name", "event", "level", "logger", "timestamp"})
MAX_WORDS: Final = 300
GRAPHQL_ERRORS: Final = Counter("plusone_graphql_errors_total", "Operations with errors, refused ones included.")
QUIET: Final = ("asyncpg", "httpx", "httpcore", "tortoise", "tortoise.db_client", "urllib3", "google", "firebase_admin", "pgqueuer")

_Trouble = tuple[type[BaseException], BaseException, TracebackType | None]


class _CountOnly(logging.Handler):
    """Strawberry logs every operation with errors together with its text; here it is a number."""

    def emit(self, _: logging.LogRecord) -> None:
        GRAPHQL_ERRORS.inc()


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Drop what may show a person or a secret, also inside of mappings."""
    return {key: _clean(value) for key, value in event.items() if key in KEPT or not DROPPED.search(key)}


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _clean(inner) for key, inner in value.items() if not DROPPED.search(str(key))}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    return value


class Troubles:
    """Turns exc_info into `error` (types and places) and, with `words`, what the exceptions say."""

    def __init__(self, *, words: bool) -> None:
        self._words = words

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        found = event.pop("exc_info", None)
        if found is True:
            found = sys.exc_info()
        if isinstance(found, BaseException):
            found = (type(found), found, found.__traceback__)
        event.pop("exception", None)
        if found and found[1] is not None:
            event["error"] = self._told(found[1])
        return event

    def _told(self, error: BaseException) -> list[str]:
        lines: list[str] = []
        seen: set[int] = set()
        current: BaseException | None = error
        while current is not None and id(current) not in seen and len(seen) < 5:
            seen.add(id(current))
            lines.append(self._name(current))
            lines += [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(current.__traceback__)[-12:]]
            current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        return lines

    def _name(self, error: BaseException) -> str:
        shown = type(error).__name__
        facts = [getattr(error, fact, None) for fact in ("sqlstate", "constraint_name")]
        if isinstance(error, DomainError):
            facts.append(error.code)
        shown += "".join(f" {fact}" for fact in facts if fact)
        return f"{shown}: {str(error)[:MAX_WORDS]}" if self._words else shown


def _first_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Foreign messages may go on with the repr of what failed."""
    lines = str(event.get("event", "")).splitlines()
    event["event"] = lines[0][:MAX_WORDS] if lines else ""
    return event


def configure(settings: Settings, *, stream: Any = None) -> None:
    """Set all logging of this process up; may be called again."""
    target = stream or sys.stderr
    console = not settings.log_json or bool(getattr(target, "isatty", lambda: False)())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        Troubles(words=settings.is_development),
    ]
    renderer: Processor = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer(ensure_ascii=False)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared, _first_line],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, renderer],
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    _tame()


def _tame() -> None:
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).propagate = name != "uvicorn.access"
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    strawberry = logging.getLogger("strawberry.execution")
    strawberry.handlers[:] = [_CountOnly()]
    strawberry.propagate = False
