"""The gateway: firebase-admin's real client against an FCM-shaped server."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.notifications.fcm import CHUNK, EMULATOR, GOOGLE, FcmGateway, Outcome, PushMessage, PushMisconfigured, _retry_after, gateway_of
from api.notifications.service_account import self_made
from domain.settings import Environment, Settings
from plusone.demo.fcm_server import APNS_KEY_WRONG, Answer, FakeFcm

FIXTURES = Path(__file__).parents[2] / "fixtures" / "fcm"
CASES = json.loads((FIXTURES / "errors.json").read_text())["cases"]
ACTIONS = {
    "delete_token": Outcome.DEAD_TARGET,
    "fix_payload_or_delete_token": Outcome.DEAD_TARGET,  # its words name the token
    "retry_after": Outcome.RETRY,
    "retry": Outcome.RETRY,
    "alert_operator": Outcome.MISCONFIGURED,
    "treat_as_misconfigured_project": Outcome.MISCONFIGURED,
}


def a_message(target: str = "t1", kind: str = "TOKEN", **given: Any) -> PushMessage:
    facts: dict[str, Any] = {
        "dedupe_id": "notice_1",
        "title": "到貨",
        "body": "芒果",
        "data": {"kind": "PICKUP_READY"},
        "ttl_seconds": 3600,
    }
    return PushMessage(kind, target, use_by=datetime(2026, 11, 21, 10, tzinfo=UTC), **{**facts, **given})


@pytest.fixture(scope="module")
def account() -> dict[str, str]:
    return self_made("http://127.0.0.1:1")


@pytest.fixture
async def fcm() -> AsyncIterator[FakeFcm]:
    async with FakeFcm() as server:
        yield server


@pytest.fixture
async def gateway(fcm: FakeFcm, account: dict[str, str]) -> AsyncIterator[FcmGateway]:
    made = FcmGateway({**account, "token_uri": f"{fcm.url}/token"}, base_url=fcm.url)
    yield made
    await made.aclose()


async def test_the_request_has_the_recorded_shape(gateway: FcmGateway, fcm: FakeFcm) -> None:
    recorded = json.loads((FIXTURES / "send_request.json").read_text())
    results = await gateway.send([a_message("t1"), a_message("f1", "FID")])
    assert [result.outcome for result in results] == [Outcome.SENT, Outcome.SENT]
    assert all(result.provider_id.startswith("projects/plusone-local/messages/0:") for result in results)
    assert len({result.provider_id for result in results}) == 2
    by_token = next(message for message in fcm.messages if "token" in message)
    by_fid = next(message for message in fcm.messages if "fid" in message)
    sample = recorded["json"]["message"]
    assert set(by_token) == set(sample)
    assert set(by_fid) == (set(sample) - {"token"}) | {"fid"}
    assert set(by_token["apns"]["headers"]) == set(sample["apns"]["headers"])
    assert set(by_token["android"]) == set(sample["android"])
    assert by_token["android"]["ttl"] == "3600s"
    assert by_token["data"] == {"kind": "PICKUP_READY", "dedupe": "notice_1"}
    assert fcm.tokens == 1


@pytest.mark.parametrize("case", CASES, ids=[f"{c['http_status']}-{c['firebase_admin_exception']}" for c in CASES])
async def test_every_recorded_error_has_its_outcome(gateway: FcmGateway, fcm: FakeFcm, case: dict[str, Any]) -> None:
    error = case["body"]["error"]
    code = error["details"][0]["errorCode"] if error["details"] else ""
    told = case["headers"].get("Retry-After")
    fcm.answers["t1"] = Answer(case["http_status"], code, message=error["message"], retry_after_seconds=int(told) if told else None)
    (result,) = await gateway.send([a_message()])
    assert result.outcome is ACTIONS[case["action"]]
    assert result.reason == f"{case['http_status']} {code or error['status']}"
    if told:
        assert result.retry_after_seconds == 7.0
    assert result.counted is (result.outcome is not Outcome.MISCONFIGURED)
    assert result.throttled is (case["http_status"] == 429)
    assert len(fcm.attempts) == (3 if case["http_status"] == 401 else 1)
    assert fcm.messages == []


async def test_one_result_per_message_in_order(gateway: FcmGateway, fcm: FakeFcm) -> None:
    fcm.answers |= {"dead": Answer(404, "UNREGISTERED"), "busy": Answer(429, "QUOTA_EXCEEDED")}
    results = await gateway.send([a_message(t) for t in ("a", "dead", "", "busy", "b")])
    assert [result.outcome.value for result in results] == ["SENT", "DEAD_TARGET", "DEAD_TARGET", "RETRY", "SENT"]
    assert results[3].retry_after_seconds == 60.0
    assert await gateway.send([]) == []


async def test_more_than_a_chunk_goes_in_chunks(gateway: FcmGateway, fcm: FakeFcm) -> None:
    results = await gateway.send([a_message(f"t{n}") for n in range(2 * CHUNK + 20)])
    assert {result.outcome for result in results} == {Outcome.SENT}
    assert len(results) == len(fcm.messages) == 2 * CHUNK + 20


async def test_a_400_about_the_message_is_not_the_devices_fault(gateway: FcmGateway, fcm: FakeFcm) -> None:
    fcm.answers["t1"] = Answer(400, "INVALID_ARGUMENT", message="Invalid value at 'message.android.ttl'")
    assert (await gateway.send([a_message()]))[0].outcome is Outcome.REFUSED


async def test_expired_access_tokens_are_renewed(gateway: FcmGateway, fcm: FakeFcm) -> None:
    await gateway.send([a_message()])
    fcm.revoke_tokens()
    assert (await gateway.send([a_message()]))[0].outcome is Outcome.SENT
    assert fcm.tokens == 2


async def test_a_wrong_apns_key_blames_no_device(gateway: FcmGateway, fcm: FakeFcm) -> None:
    fcm.answers["ios"] = APNS_KEY_WRONG
    results = await gateway.send([a_message("ios"), a_message("android")])
    assert [result.outcome for result in results] == [Outcome.MISCONFIGURED, Outcome.SENT]


async def test_a_wrong_service_account_blames_no_device(fcm: FakeFcm, account: dict[str, str]) -> None:
    fcm.trusted = self_made(fcm.url)
    stranger = FcmGateway({**account, "token_uri": f"{fcm.url}/token"}, base_url=fcm.url)
    results = await stranger.send([a_message("a"), a_message("b")])
    assert {(result.outcome, result.counted) for result in results} == {(Outcome.MISCONFIGURED, False)}
    await stranger.aclose()
    assert fcm.attempts == []
    trusted = FcmGateway(fcm.trusted, base_url=fcm.url)
    assert (await trusted.send([a_message("a")]))[0].outcome is Outcome.SENT
    await trusted.aclose()


async def test_a_server_away_is_no_answer(account: dict[str, str]) -> None:
    lonely = FcmGateway(account, base_url="http://127.0.0.1:1")
    (result,) = await lonely.send([a_message()])
    assert (result.outcome, result.counted, result.retry_after_seconds) == (Outcome.RETRY, False, 30.0)
    await lonely.aclose()


async def test_a_server_that_goes_away_is_no_answer(gateway: FcmGateway, fcm: FakeFcm) -> None:
    assert (await gateway.send([a_message()]))[0].outcome is Outcome.SENT
    await fcm.__aexit__(None, None, None)
    (result,) = await gateway.send([a_message()])
    assert (result.outcome, result.counted) == (Outcome.RETRY, False)
    await fcm.__aenter__()


async def test_a_slow_server_never_stops_our_own_loop(fcm: FakeFcm, account: dict[str, str]) -> None:
    fcm.answers["slow"] = Answer(delay_seconds=30, times=1)
    made = FcmGateway({**account, "token_uri": f"{fcm.url}/token"}, base_url=fcm.url, timeout_seconds=3.0)
    sending = asyncio.create_task(made.send([a_message("slow")]))
    turns = 0
    while not sending.done():
        await asyncio.sleep(0.01)
        turns += 1
    (result,) = sending.result()
    assert (result.outcome, result.counted, result.reason) == (Outcome.RETRY, True, "ReadTimeout")
    assert turns > 1, "one that waits for it has one turn, when all is over"
    await made.aclose()


async def test_closing_twice_is_no_harm(gateway: FcmGateway) -> None:
    await gateway.send([a_message()])
    await gateway.aclose()
    await gateway.aclose()


async def test_what_is_on_its_way_when_it_closes_comes_back_and_every_closing_ends(fcm: FakeFcm, account: dict[str, str]) -> None:
    fcm.answers["slow"] = Answer(delay_seconds=30, times=1)
    made = FcmGateway({**account, "token_uri": f"{fcm.url}/token"}, base_url=fcm.url, timeout_seconds=300.0)
    sending = asyncio.create_task(made.send([a_message("slow"), a_message("quick")]))
    async with asyncio.timeout(60):
        while len(fcm.attempts) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert not sending.done()
        await asyncio.gather(made.aclose(), made.aclose())
        results = [*await sending, *await made.send([a_message("late")])]
    assert [(result.outcome, result.counted, result.reason) for result in results] == [(Outcome.RETRY, True, "closing")] * 3
    assert not made._thread.is_alive()


async def test_no_target_and_no_text_reaches_the_logs(gateway: FcmGateway, fcm: FakeFcm, caplog: pytest.LogCaptureFixture) -> None:
    fcm.answers["secret-token"] = Answer(404, "UNREGISTERED")
    message = a_message("secret-token", title="陳小姐")
    with caplog.at_level(logging.INFO):
        await gateway.send([message])
    assert "secret-token" not in caplog.text + repr(message)
    assert "陳小姐" not in caplog.text + repr(message)


async def test_without_a_redirect_the_address_is_googles(account: dict[str, str]) -> None:
    made = FcmGateway(account)
    assert made._service._fcm_url == f"{GOOGLE}/v1/projects/plusone-local/messages:send"
    await made.aclose()


def test_the_emulator_variable_stops_a_production_start(account: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EMULATOR, "127.0.0.1:9099")
    with pytest.raises(PushMisconfigured, match=EMULATOR):
        FcmGateway(account, production=True)


@pytest.mark.parametrize("text", ["", "no json", "{}", '{"type": "service_account"}'])
def test_unreadable_credentials_are_named_and_not_shown(tmp_path: Path, text: str) -> None:
    file = tmp_path / "account.json"
    file.write_text(text)
    with pytest.raises(PushMisconfigured, match=r"PLUSONE_FIREBASE_CREDENTIALS: .*account\.json is not a readable service account"):
        FcmGateway(file)
    with pytest.raises(PushMisconfigured, match="PLUSONE_FIREBASE_CREDENTIALS"):
        FcmGateway(tmp_path / "missing.json")


def settings(**given: Any) -> Settings:
    return Settings(_env_file=None, environment=Environment.DEVELOPMENT, secret_key="s" * 40, **given)  # type: ignore[call-arg]


async def test_the_settings_say_which_gateway(fcm: FakeFcm, account: dict[str, str], tmp_path: Path) -> None:
    assert gateway_of(settings()) is None
    file = tmp_path / "account.json"
    file.write_text(json.dumps({**account, "token_uri": f"{fcm.url}/token"}))
    for given in ({"fcm_base_url": fcm.url}, {"fcm_base_url": fcm.url, "firebase_credentials": file}):
        made = gateway_of(settings(**given))
        assert made is not None
        assert (await made.send([a_message()]))[0].outcome is Outcome.SENT
        await made.aclose()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0", 0.0), ("99999999", 3600.0), ("", None), ("soon", None), ("-5", None)],
)
def test_retry_after_in_seconds(header: str, seconds: float | None) -> None:
    assert _retry_after(httpx.Response(429, headers={"Retry-After": header})) == seconds


def test_retry_after_as_a_date() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    seconds = _retry_after(httpx.Response(429, headers={"Retry-After": at}))
    assert seconds is not None
    assert 0 < seconds <= 100
