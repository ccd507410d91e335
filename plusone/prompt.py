"""uvicorn's HTTP connection, which also takes an answer whole.

By ASGI an answer is two messages, each with coroutines around it, and every header is looked at by two expressions and put in lower case. Where all of a
head is ours and known beforehand, that was a tenth of a small screen.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from api.whole import WHOLE

OK: Final = STATUS_LINE[200]


class Prompt(HttpToolsProtocol):
    """See the module. What uvicorn does around an answer (its times, what waits behind it) stays uvicorn's."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.scope[WHOLE] = partial(_sent, cycle)  # type: ignore[typeddict-unknown-key]
        super()._start_asgi_task(cycle, app)


def _sent(cycle: RequestResponseCycle, head: bytes, body: bytes) -> bool:
    """Whether it was sent, see `api.whole.Whole`."""
    if (
        cycle.response_started
        or cycle.disconnected
        or not cycle.keep_alive
        or cycle.flow.write_paused
        or cycle.access_log
        or cycle.more_body
    ):
        return False
    cycle.response_started = cycle.response_complete = True
    given = b"".join([b"%b: %b\r\n" % pair for pair in cycle.default_headers])
    cycle.transport.write(b"".join((OK, given, head, b"\r\n", body)))
    cycle.message_event.set()
    cycle.on_response()
    return True
