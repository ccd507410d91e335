"""Where a member is signed in, and signing one device out: one's own alone."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from domain import db as database
from domain.ids import new_id, public_id
from tests.api.auth.asking import assert_refused, bearer, refresh, signed_in


async def listed(http: Any, tokens: dict[str, Any]) -> dict[str, Any]:
    answer = await http.get("/auth/sessions", headers=bearer(tokens))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    return answer.json()


async def end(http: Any, tokens: dict[str, Any], session_id: Any, **more: Any) -> Any:
    return await http.post("/auth/sessions/end", headers=bearer(tokens), json={"sessionId": session_id} | more)


async def test_the_list_shows_each_session_once_and_which_is_this_one(http, clock) -> None:
    device = {"platform": "IOS", "targetKind": "TOKEN", "target": "fcm-token-1"}
    first = await signed_in(http, device=device)
    clock.at += timedelta(minutes=1)
    second = await signed_in(http, installationId="phone-2")
    await signed_in(http, "dev:line:U2", installationId="phone-3")
    found = await listed(http, second)
    assert [(one["current"], one["platform"], one["createdAt"]) for one in found["sessions"]] == [
        (True, None, "2026-11-21T08:01:00Z"),
        (False, "IOS", "2026-11-21T08:00:00Z"),
    ]
    assert [set(one) for one in found["sessions"]] == [{"id", "current", "platform", "createdAt", "lastUsedAt"}] * 2
    assert [(one["kind"], one["sessionId"], one["at"]) for one in found["alerts"]] == [
        ("NEW_DEVICE", found["sessions"][0]["id"], "2026-11-21T08:01:00Z")
    ]
    assert [one["current"] for one in (await listed(http, first))["sessions"]] == [False, True]
    assert "phone-" not in json.dumps(found)
    assert "fcm-token" not in json.dumps(found)


async def test_another_device_is_signed_out_and_this_one_stays(http, clock) -> None:
    device = {"platform": "IOS", "targetKind": "TOKEN", "target": "fcm-token-1"}
    first = await signed_in(http, device=device)
    second = await signed_in(http, installationId="phone-2")
    (other,) = [one["id"] for one in (await listed(http, second))["sessions"] if not one["current"]]
    assert (await end(http, second, other)).status_code == 204
    assert_refused(await http.get("/auth/sessions", headers=bearer(first)), 401, "UNAUTHENTICATED")
    assert_refused(await refresh(http, first["refreshToken"]), 401, "UNAUTHENTICATED")
    assert await database.fetchval("select revoked_at is not null from device")
    assert [one["current"] for one in (await listed(http, second))["sessions"]] == [True]
    assert (await end(http, second, other)).status_code == 204, "twice is once"


async def test_somebody_else_s_session_is_no_session(http, clock) -> None:
    mine, theirs = await signed_in(http), await signed_in(http, "dev:line:U2", installationId="phone-2")
    (their_id,) = [one["id"] for one in (await listed(http, theirs))["sessions"]]
    answers = [
        await end(http, mine, session_id)
        for session_id in (their_id, public_id("session", new_id()), their_id.replace("session", "member"), "x")
    ]
    for answer in answers:
        assert_refused(answer, 404, "NOT_FOUND")
    assert len({answer.content for answer in answers}) == 1
    assert [one["current"] for one in (await listed(http, theirs))["sessions"]] == [True]


@pytest.mark.parametrize("session_id", ["", None, 1, ["x"], "x" * 121, "x\0"])
async def test_odd_ids_are_bad_requests(http, session_id) -> None:
    assert_refused(await end(http, await signed_in(http), session_id), 400, "BAD_REQUEST")


async def test_unknown_fields_are_refused_and_nothing_is_ended(http) -> None:
    mine = await signed_in(http)
    (own,) = [one["id"] for one in (await listed(http, mine))["sessions"]]
    assert_refused(await end(http, mine, own, memberId="x"), 400, "BAD_REQUEST")
    assert len((await listed(http, mine))["sessions"]) == 1


async def test_nobody_sees_and_ends_nothing(http) -> None:
    for headers in ({}, {"authorization": "Bearer x"}, {"authorization": "Basic eA=="}):
        assert_refused(await http.get("/auth/sessions", headers=headers), 401, "UNAUTHENTICATED")
        assert_refused(await http.post("/auth/sessions/end", json={"sessionId": "x"}, headers=headers), 401, "UNAUTHENTICATED")


async def test_a_copied_token_shows_as_an_alert_to_the_owner(http, clock) -> None:
    tokens = await signed_in(http)
    assert (await refresh(http, tokens["refreshToken"])).status_code == 200
    clock.at += timedelta(minutes=5)
    assert_refused(await refresh(http, tokens["refreshToken"]), 401, "UNAUTHENTICATED")
    again = await signed_in(http)
    found = await listed(http, again)
    assert [one["kind"] for one in found["alerts"]] == ["REUSED"]
    assert found["alerts"][0]["sessionId"] not in [one["id"] for one in found["sessions"]]
