"""The doctor names what is missing, and never shows a value."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from domain import db as database
from domain.settings import Environment, Settings, load
from domain.vault import Vault
from plusone import doctor
from plusone.doctor import Mark
from tests.build import a_variant, an_endpoint
from tests.serving import SECRET_KEY, environment, free_port, plusone


def settings(**given: Any) -> Settings:
    return load(**{"secret_key": SECRET_KEY, "public_url": "https://shop.example", "_env_file": None, **given})


def found(given: Settings) -> dict[str, Mark]:
    return {finding.what: finding.mark for finding in doctor.configured(given)}


def test_settings_are_named_and_not_shown() -> None:
    told = " ".join(
        finding.told for finding in doctor.configured(settings(line_login_channel_id="1657", line_login_channel_secret="hunter2"))
    )
    assert "LINE_LOGIN_CHANNEL_SECRET" in told
    assert [value for value in ("1657", "hunter2", SECRET_KEY, "shop.example") if value in told] == []


def test_what_only_limits_is_a_note_and_what_is_broken_is_missing(tmp_path: Path) -> None:
    assert found(settings()) == {"settings": Mark.OK, "push": Mark.NOTE, "sign-in": Mark.NOTE}
    complete = tmp_path / "firebase.json"
    complete.write_text("{}")
    assert found(settings(firebase_credentials=complete, line_login_channel_id="1657")) == {"settings": Mark.OK, "sign-in": Mark.OK}
    assert found(settings(firebase_credentials=tmp_path / "none.json"))["PLUSONE_FIREBASE_CREDENTIALS"] is Mark.MISSING
    assert found(settings(environment=Environment.DEVELOPMENT))["environment"] is Mark.NOTE
    assert found(settings(public_url="http://shop.example"))["PLUSONE_PUBLIC_URL"] is Mark.NOTE


def test_that_staff_of_firebase_are_not_looked_at_is_a_note(tmp_path: Path) -> None:
    account = tmp_path / "firebase.json"
    account.write_text('{"type": "service_account", "private_key": "hunter2"}')
    (told,) = [each for each in doctor.configured(settings(firebase_auth_project_id="shop-1")) if each.what == "staff of Firebase"]
    assert (told.mark, "not looked at" in told.told, "shop-1" in told.told) == (Mark.NOTE, True, False)
    assert found(settings(firebase_auth_project_id="shop-1", firebase_credentials=account)) == {"settings": Mark.OK, "sign-in": Mark.OK}
    account.write_text("{}")
    assert found(settings(firebase_auth_project_id="shop-1", firebase_credentials=account))["sign-in"] is Mark.MISSING


def test_the_providers_that_are_on_are_named() -> None:
    def sign_in(**given: Any) -> tuple[Mark, str]:
        return next((finding.mark, finding.told) for finding in doctor.configured(settings(**given)) if finding.what == "sign-in")

    ids = {"line_login_channel_id": "1657", "google_client_ids": "a,b", "telegram_bot_token": "7654321098:AAH4x-Kd9vQm2Rt7p"}
    assert sign_in(**ids) == (Mark.OK, "on: line (native), google, telegram (mini_app, widget)")
    assert sign_in() == (Mark.NOTE, "no provider is on: .env.example names the ids that turn one on")
    assert sign_in(environment=Environment.DEVELOPMENT)[0] is Mark.NOTE
    mark, told = sign_in(telegram_bot_token="hunter2")
    assert (mark, "PLUSONE_TELEGRAM_BOT_TOKEN" in told, "hunter2" in told) == (Mark.MISSING, True, False)


async def test_a_door_whose_secret_does_not_open_is_missing(db: str) -> None:
    await an_endpoint(secret_encrypted=Vault(SECRET_KEY).seal("sesame"))
    assert {f.what: f.mark for f in await doctor._in_tables(settings())}["webhook endpoints"] is Mark.OK
    await an_endpoint(secret_encrypted=Vault("another-root-of-all-keys-0123456789").seal("sesame"))
    findings = {f.what: f for f in await doctor._in_tables(settings())}
    assert findings["webhook endpoints"].mark is Mark.MISSING
    assert "1 of 2" in findings["webhook endpoints"].told


async def test_what_waits_too_long_is_noted(db: str) -> None:
    await database.execute(
        """insert into inbox_event (endpoint_id, source, external_key, lane, occurred_at, payload, received_at, state, outcome, tries, parked_reason)
           select $1, 'line', s, 1, now() - interval '10 minutes', '{}', now() - interval '10 minutes', s, '', 0, case s when 'PARKED' then 'x' else '' end
           from unnest(array['PENDING', 'PARKED']) s""",
        await an_endpoint(source="line"),
    )
    findings = {f.what: f for f in await doctor._in_tables(settings())}
    assert findings["inbox"].mark is Mark.NOTE
    assert "does a worker run?" in findings["inbox"].told
    assert findings["parked"].mark is Mark.NOTE
    assert findings["outbox"].mark is Mark.OK


@pytest.mark.parametrize("name", ["fcm_base_url", "reply_base_url"])
async def test_a_server_that_does_not_answer_is_missing(name: str) -> None:
    reached = await doctor._reached(settings(**{name: f"http://127.0.0.1:{free_port()}"}))
    assert [(what, mark) for what, mark, _ in reached] == [(f"PLUSONE_{name.upper()}", Mark.MISSING)]


def test_no_database_is_missing() -> None:
    out = Console(file=io.StringIO(), width=200)
    assert doctor.examine(settings(database_url=f"postgresql://u:hunter2@127.0.0.1:{free_port()}/x"), out) is False
    assert "The database does not let us in" in out.file.getvalue()  # type: ignore[attr-defined]
    assert "hunter2" not in out.file.getvalue()  # type: ignore[attr-defined]


async def test_the_command_s_exit_code_says_whether_something_needed_is_missing(db: str, tmp_path: Path) -> None:
    env = environment(PLUSONE_SECRET_KEY=SECRET_KEY, DATABASE_URL=db)
    healthy = plusone("doctor", cwd=tmp_path, env=env, fresh=True)
    assert (healthy.returncode, "Traceback" in healthy.stderr) == (0, False)
    assert "none pending" in healthy.stdout
    await an_endpoint(secret_encrypted=Vault("another-root-of-all-keys-0123456789").seal("sesame"))
    ill = plusone("doctor", cwd=tmp_path, env=env)
    assert ill.returncode == 1
    assert SECRET_KEY not in healthy.stdout + ill.stdout


async def test_parked_deliveries_are_given_back(db: str, tmp_path: Path) -> None:
    await database.execute(
        """insert into inbox_event (endpoint_id, source, external_key, lane, occurred_at, payload, received_at, state, outcome, tries, parked_reason)
           values ($1, 'line', 'a', 1, now(), '{}', now(), 'PARKED', '', 5, 'odd')""",
        await an_endpoint(source="line", secret_encrypted=Vault(SECRET_KEY).seal("sesame")),
    )
    done = plusone("doctor", "--replay-parked", cwd=tmp_path, env=environment(PLUSONE_SECRET_KEY=SECRET_KEY, DATABASE_URL=db))
    assert done.returncode == 0
    assert await database.fetchval("select (state, tries)::text from inbox_event") == "(PENDING,0)"


async def test_a_broken_invariant_and_a_broken_seal_are_missing(db: str, tmp_path: Path) -> None:
    env = environment(PLUSONE_SECRET_KEY=SECRET_KEY, DATABASE_URL=db, COLUMNS="200")
    whole = await asyncio.to_thread(plusone, "doctor", "--invariants", cwd=tmp_path, env=env)
    assert (whole.returncode, whole.stderr) == (0, "")
    assert "all hold" in whole.stdout
    assert "every seal of 0 shops fits its entries" in whole.stdout
    variant = await a_variant(on_hand=3)
    await database.execute("update stock_level set held = 1 where variant_id = $1", variant.id)
    await database.execute(
        "insert into audit_seal (shop_id, up_to_id, entries, hash, sealed_at) select id, 7, 1, 'not the hash', now() from shop"
    )
    broken = await asyncio.to_thread(plusone, "doctor", "--invariants", cwd=tmp_path, env=env)
    assert broken.returncode == 1
    assert "invariant I2" in broken.stdout
    assert "the seal up to entry 7 does not fit" in broken.stdout
