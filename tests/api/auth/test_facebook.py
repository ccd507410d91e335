"""The classic Facebook login against a server that answers as Facebook's does, over HTTP."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from api.auth.identity.facebook import FacebookClassic
from domain.errors import Unavailable
from tests.api.auth.conftest import served
from tests.api.auth.minting import refused, vectors

RECORDED = vectors("facebook_login_identity")
(PROOF,) = vectors("facebook_appsecret_proof_vectors")["vectors"]
APP, SECRET, TOKEN = "1234567890", PROOF["app_secret"], PROOF["access_token"]
NOW = 1795248000
AT = datetime.fromtimestamp(NOW, UTC)
INVALID = {"error": {"message": "Invalid OAuth access token.", "type": "OAuthException", "code": 190}}


@dataclass
class Graph:
    """Facebook: what it says of one token, and what it was asked."""

    url: str = ""
    data: dict[str, Any] = field(default_factory=lambda: dict(RECORDED["debug_token"]["response"]["data"]))
    me: dict[str, Any] = field(default_factory=lambda: dict(RECORDED["me"]["response"]))
    instead: dict[str, Response] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def debug_token(self, request: Request) -> Response:
        return self._answer("debug_token", request, {"data": self.data})

    async def who(self, request: Request) -> Response:
        return self._answer("me", request, self.me)

    def _answer(self, what: str, request: Request, said: Any) -> Response:
        self.asked.append((what, dict(request.query_params)))
        return self.instead.get(what) or JSONResponse(said)


@pytest.fixture
async def graph() -> AsyncIterator[Graph]:
    answering = Graph()
    app = Starlette(routes=[Route("/v26.0/debug_token", answering.debug_token), Route("/v26.0/me", answering.who)])
    async with served(app) as client:
        answering.url = f"{client.base_url}/v26.0"
        yield answering


def classic(graph: Graph) -> FacebookClassic:
    return FacebookClassic(APP, SECRET, graph.url, allow_loopback_http=True)


async def test_facebook_is_asked_whose_token_it_is_with_the_proof_of_our_secret(graph: Graph) -> None:
    proven = await classic(graph).verify(TOKEN, "n", AT)
    assert (proven.provider, proven.subject, proven.display_name) == ("facebook_login", "10160123456789012", "林小美")
    assert proven.expires_at == datetime.fromtimestamp(1800432000, UTC)
    assert graph.asked == [
        ("debug_token", {"input_token": TOKEN, "access_token": f"{APP}|{SECRET}"}),
        ("me", {"fields": "id,name", "access_token": TOKEN, "appsecret_proof": PROOF["appsecret_proof"]}),
    ]


BAD = {
    "another app": {"app_id": "1234567891"},
    "app as a number": {"app_id": 1234567890},
    "no app": {"app_id": None},
    "not valid": {"is_valid": False},
    "valid as text": {"is_valid": "true"},
    "a page's": {"type": "PAGE"},
    "an app's": {"type": "APP"},
    "no person": {"user_id": None},
    "person as a number": {"user_id": 10160123456789012},
    "person is a path": {"user_id": "me/accounts"},
    "over": {"expires_at": NOW},
    "without end": {"expires_at": 0},
    "end as text": {"expires_at": "1800432000"},
    "end beyond dates": {"expires_at": 10**15},
    "issued long ago": {"issued_at": NOW - 601},
    "issued in the future": {"issued_at": NOW + 61},
    "issued as text": {"issued_at": str(NOW)},
}


@pytest.mark.parametrize("what", list(BAD))
async def test_a_token_of_another_kind_app_or_time_is_refused_before_anything_is_read_with_it(graph: Graph, what: str) -> None:
    graph.data |= BAD[what]
    assert await refused(classic(graph), TOKEN, "n", AT)
    assert [path for path, _ in graph.asked] == ["debug_token"]


async def test_a_token_just_issued_holds(graph: Graph) -> None:
    graph.data["issued_at"] = NOW - 600
    assert not await refused(classic(graph), TOKEN, "n", AT)


@pytest.mark.parametrize("me", [{"id": "10160123456789013"}, {"id": 10160123456789012}, {}])
async def test_two_answers_about_one_token_must_name_one_person(graph: Graph, me: dict[str, Any]) -> None:
    graph.me = me
    assert await refused(classic(graph), TOKEN, "n", AT)


@pytest.mark.parametrize("what", ["debug_token", "me"])
async def test_a_token_that_facebook_calls_invalid_is_refused(graph: Graph, what: str) -> None:
    for status in (400, 401):
        graph.instead[what] = JSONResponse(INVALID, status)
        assert await refused(classic(graph), TOKEN, "n", AT)


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({"error": {"code": 1}}, 500),
        JSONResponse({"error": {"code": 190}}, 503),
        JSONResponse({"error": {"code": 4}}, 400),
        JSONResponse({"error": "x"}, 400),
        Response("<html>", 200),
        Response(b" " * 70_000, 200),
        JSONResponse([], 200),
        RedirectResponse("/v26.0/me", 302),
    ],
    ids=["500", "190 as 503", "limit", "no code", "no JSON", "too much", "a list", "redirect"],
)
@pytest.mark.parametrize("what", ["debug_token", "me"])
async def test_facebook_s_own_trouble_is_no_refusal(graph: Graph, what: str, answer: Response) -> None:
    graph.instead[what] = answer
    with pytest.raises(Unavailable):
        await classic(graph).verify(TOKEN, "n", AT)


@pytest.mark.parametrize("data", [None, [], "x"])
async def test_an_answer_without_data_is_refused(graph: Graph, data: Any) -> None:
    graph.instead["debug_token"] = JSONResponse({"data": data})
    assert await refused(classic(graph), TOKEN, "n", AT)


@pytest.mark.parametrize(
    "token",
    ["", "short", f"{APP}|{SECRET}", TOKEN + "&fields=id", TOKEN + " ", TOKEN + "\n", "Ａ" * 20, "\ud800" * 20, "A" * 1025, "../" * 8],
)
async def test_facebook_is_not_asked_about_what_is_no_token(graph: Graph, token: str) -> None:
    assert await refused(classic(graph), token, "n", AT)
    assert graph.asked == []


async def test_neither_token_nor_secret_is_logged(graph: Graph, caplog: pytest.LogCaptureFixture) -> None:
    """httpx tells every address at INFO, with the tokens in it; `plusone.logging` keeps it at WARNING, as here."""
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.WARNING, "httpx"), caplog.at_level(logging.WARNING, "httpcore"):
        await classic(graph).verify(TOKEN, "n", AT)
        graph.instead["me"] = JSONResponse({"error": {"code": 4, "message": TOKEN}}, 400)
        with pytest.raises(Unavailable):
            await classic(graph).verify(TOKEN, "n", AT)
    told = " ".join(str(record.__dict__) for record in caplog.records)
    assert "facebook does not answer" in told
    assert [secret for secret in (TOKEN, SECRET, PROOF["appsecret_proof"]) if secret in told] == []


@pytest.mark.parametrize(
    "url", ["http://graph.facebook.com/v26.0", "ftp://graph.facebook.com", "", "graph.facebook.com", "http://127.0.0.1/v26.0"]
)
def test_another_address_stops_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="https://"):
        FacebookClassic(APP, SECRET, url)
