"""Logs are structured, carry the request id, and never show a person or a secret."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from domain.orders.rules import OrderState
from domain.settings import Environment, Settings, load
from plusone import logging as plusone_logging
from tests.serving import SECRET_KEY

MARKS = ("王小美", "0912345678", "+1 紅色 L", "token-abc", "hunter2", "Bearer xyz")


def settings(environment: Environment = Environment.PRODUCTION) -> Settings:
    return load(secret_key=SECRET_KEY, environment=environment, log_level="DEBUG", _env_file=None)


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def restored() -> Iterator[None]:
    """Give the logging of the test run back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    names = [*plusone_logging.QUIET, "uvicorn", "uvicorn.error", "uvicorn.access", "strawberry.execution"]
    before = {
        name: (logging.getLogger(name).handlers[:], logging.getLogger(name).level, logging.getLogger(name).propagate) for name in names
    }
    yield
    root.handlers[:], root.level = handlers, level
    for name, (of_name, level_of_name, propagates) in before.items():
        logger = logging.getLogger(name)
        logger.handlers[:], logger.propagate = of_name, propagates
        logger.setLevel(level_of_name)
    structlog.reset_defaults()


@pytest.fixture
def written(restored: None) -> io.StringIO:
    stream = io.StringIO()
    plusone_logging.configure(settings(), stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_the_request_id(written: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="req-12345678"):
        structlog.get_logger("shop").info("order.placed", order="K7", pieces=3)
        logging.getLogger("shop").info("stock moved", extra={"delta": -1})
    logging.getLogger("shop").info("outside")
    first, second, third = lines(written)
    assert {**first, "timestamp": ""} == {
        "event": "order.placed", "order": "K7", "pieces": 3, "request_id": "req-12345678", "level": "info", "logger": "shop", "timestamp": "",
    }  # fmt: skip
    assert (second["event"], second["delta"], second["request_id"]) == ("stock moved", -1, "req-12345678")
    assert "request_id" not in third


def test_fields_of_people_and_secrets_are_dropped(written: io.StringIO) -> None:
    personal = {
        "text": MARKS[2], "buyer_name": MARKS[0], "phone": MARKS[1], "access_token": MARKS[3], "client_secret": MARKS[4], "body": MARKS[2],
        "Authorization": MARKS[5], "password": MARKS[4], "address": MARKS[0], "payload": {"a": MARKS[2]}, "cookie": MARKS[3], "query": MARKS[2],
        "headers": {"x": MARKS[3]}, "variables": {"y": MARKS[0]}, "dsn": MARKS[4], "email": MARKS[0],
    }  # fmt: skip
    structlog.get_logger("shop").warning("deep", outer={"inner": [personal], "kept": 1}, **personal)
    logging.getLogger("shop").error("foreign", extra={**personal, "kept": OrderState.OPEN})
    assert [mark for mark in MARKS if mark in written.getvalue()] == []
    deep, foreign = lines(written)
    assert deep["outer"] == {"inner": [{}], "kept": 1}
    assert foreign["kept"] == "OPEN"


class Quoting(Exception):
    """As PostgreSQL does, it quotes the values that failed."""

    sqlstate = "23505"


def fail() -> None:
    try:
        raise ValueError(MARKS[0])
    except ValueError as error:
        raise Quoting(f"Key (phone)=({MARKS[1]}) already exists") from error


def test_an_exception_shows_its_type_and_place_and_not_its_words(written: io.StringIO) -> None:
    for log in (logging.getLogger("shop").exception, structlog.get_logger("shop").exception):
        try:
            fail()
        except Quoting:
            log("went wrong")
    assert [mark for mark in MARKS if mark in written.getvalue()] == []
    for line in lines(written):
        assert line["event"] == "went wrong"
        assert line["error"][0] == "Quoting 23505"
        assert line["error"][2].endswith(" fail")
        assert "ValueError" in line["error"]


def test_development_shows_the_words(restored: None) -> None:
    stream = io.StringIO()
    plusone_logging.configure(settings(Environment.DEVELOPMENT), stream=stream)
    try:
        fail()
    except Quoting:
        logging.getLogger("shop").exception("went wrong")
    assert f"Key (phone)=({MARKS[1]}) already exists" in lines(stream)[0]["error"][0]


def test_only_the_first_line_of_others_is_kept(written: io.StringIO) -> None:
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: <Task exception=ValueError('%s')>", MARKS[0])
    assert lines(written)[0]["event"] == "Task exception was never retrieved"


async def test_what_the_event_loop_complains_of_has_no_values(written: io.StringIO) -> None:
    from plusone.processes import _loop_trouble

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_loop_trouble)
    try:
        loop.call_exception_handler({"message": "in a callback", "exception": ValueError(MARKS[0]), "handle": MARKS[1], "task": MARKS[2]})
    finally:
        loop.set_exception_handler(None)
    assert [mark for mark in MARKS if mark in written.getvalue()] == []
    ours = [line for line in lines(written) if line["logger"] == "plusone.processes"]
    assert [(line["event"], line["what"], line["error"]) for line in ours] == [("in the event loop", "in a callback", ["ValueError"])]


def test_refused_queries_are_counted_and_not_printed(written: io.StringIO) -> None:
    before = plusone_logging.GRAPHQL_ERRORS._value.get()
    logging.getLogger("strawberry.execution").error("Cannot query field\n\nquery { me { phone } } %s", MARKS[1])
    assert plusone_logging.GRAPHQL_ERRORS._value.get() == before + 1
    assert written.getvalue() == ""


def test_libraries_that_log_values_are_quiet(written: io.StringIO) -> None:
    for name in ("httpx", "asyncpg", "tortoise.db_client", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).info("GET https://example.org/?token=%s", MARKS[3])
    assert written.getvalue() == ""


def test_a_terminal_gets_lines_for_people(restored: None) -> None:
    stream = Tty()
    plusone_logging.configure(settings(), stream=stream)
    structlog.get_logger("shop").info("order.placed", buyer_name=MARKS[0], order="K7")
    assert "order.placed" in stream.getvalue()
    assert "{" not in stream.getvalue()
    assert MARKS[0] not in stream.getvalue()
