"""The public audits of GraphQL over HTTP (npm's `graphql-http`), against a real server: with introspection on all, with it off all that need none."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from api.app import create_app
from domain.bootstrap import services as services_for
from domain.clock import FixedClock
from domain.members import keys
from domain.settings import load
from tests import node
from tests.serving import SECRET_KEY, running

AUDITS = 61
WITH_INTROSPECTION = 4
"""Audits that ask `__type`, which a closed schema refuses."""


async def audited(environment: str, clock: FixedClock, folder: Path) -> list[dict[str, str]]:
    """The result of each audit."""
    services = services_for(load(secret_key=SECRET_KEY, environment=environment, open_operations=True, _env_file=None), clock=clock)
    await keys.ensure_keys(services.vault, clock.now())
    async with running(create_app(services)) as base:
        done = await asyncio.to_thread(node.node, "audit.js", f"{base}/graphql", workspace=folder)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace; the packages are looked for before any server is started."""
    node.packages()
    return tmp_path


async def test_all_audits_hold_with_introspection_on(db, clock, folder) -> None:
    results = await audited("development", clock, folder)
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == AUDITS


async def test_all_audits_that_need_no_introspection_hold_with_it_off(db, clock, folder) -> None:
    results = await audited("production", clock, folder)
    failed = [result["name"] for result in results if result["status"] != "ok"]
    assert len(failed) == WITH_INTROSPECTION, failed
    assert len(results) == AUDITS
