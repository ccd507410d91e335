"""The certificates by which providers are known: read once, and checked."""

from __future__ import annotations

import ssl

import httpx
import pytest

from domain.providers.asking import ask, trusted


def test_they_are_read_once_and_names_are_checked() -> None:
    context = trusted()
    assert context is trusted()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.get_ca_certs(), "nobody would be believed"


async def test_each_question_uses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[object] = []
    made = httpx.AsyncClient.__init__

    def watched(self: httpx.AsyncClient, **given: object) -> None:
        used.append(given.get("verify"))
        made(self, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(httpx.AsyncClient, "__init__", watched)
    for _ in range(2):
        assert await ask("GET", "http://127.0.0.1:9/", timeout_seconds=1) is None
    assert used == [trusted(), trusted()]
