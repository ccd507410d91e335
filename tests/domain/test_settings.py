"""Where settings come from, and what is said of those that are wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from domain.settings import Environment, MissingSetting, Settings, load

SECRET = "s" * 32


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine, and no file."""
    for name in list(os.environ):
        if name.upper().startswith("PLUSONE_") or name.upper() == "DATABASE_URL":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_what_is_given_goes_before_the_environment_and_that_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        f"PLUSONE_SECRET_KEY={SECRET}\nPLUSONE_HOST=of-file\nPLUSONE_LOG_LEVEL='DEBUG'\nexport PLUSONE_PORT=1\n", "utf-8"
    )
    monkeypatch.setenv("PLUSONE_HOST", "of-environment")
    monkeypatch.setenv("PLUSONE_PORT", "2")
    found = load(port=3)
    assert (found.host, found.port, found.log_level) == ("of-environment", 3, "DEBUG")
    assert found.secret_key.get_secret_value() == SECRET
    assert found.model_fields_set == {"secret_key", "host", "port", "log_level"}
    assert found.environment is Environment.PRODUCTION


def test_without_a_file_only_the_environment_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"PLUSONE_SECRET_KEY={SECRET}\n", "utf-8")
    assert load().secret_key.get_secret_value() == SECRET
    with pytest.raises(MissingSetting, match=r"^PLUSONE_SECRET_KEY: Field required$"):
        load(_env_file=None)


@pytest.mark.parametrize("name", ["PLUSONE_POOL_SIZE", "plusone_pool_size", "Plusone_Pool_Size"])
def test_names_in_any_case(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "7")
    assert load(secret_key=SECRET).pool_size == 7


def test_the_database_has_two_names_and_the_customary_one_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUSONE_DATABASE_URL", "postgresql://ours")
    assert load(secret_key=SECRET).database_url == "postgresql://ours"
    monkeypatch.setenv("DATABASE_URL", "postgresql://theirs")
    assert load(secret_key=SECRET).database_url == "postgresql://theirs"
    assert load(secret_key=SECRET, database_url="postgresql://given").database_url == "postgresql://given"


def test_every_wrong_setting_is_named_and_none_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "SECRET_KEY": "hunter2",
        "PORT": "hunter2",
        "POOL_SIZE": "1",
        "LOG_JSON": "hunter2",
        "ENVIRONMENT": "hunter2",
        "APP_LINK_URL": "ftp:",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(f"PLUSONE_{name}", value)
    with pytest.raises(MissingSetting) as refused:
        load()
    lines = str(refused.value).splitlines()
    assert [line.split(":")[0] for line in lines] == sorted(f"PLUSONE_{name}" for name in wrong)
    assert "hunter2" not in str(refused.value)


def test_a_stand_in_for_money_stops_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUSONE_ECPAY_URL", "http://127.0.0.1:1")
    with pytest.raises(MissingSetting, match="PLUSONE_ECPAY_URL stands in for the payment provider"):
        load(secret_key=SECRET)
    assert load(secret_key=SECRET, environment="development").ecpay_url == "http://127.0.0.1:1"


def test_settings_stay_as_they_are_and_others_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUSONE_WORKER_PORT", "8001")
    found = Settings(secret_key=SECRET)  # type: ignore[arg-type]
    assert not hasattr(found, "worker_port")
    with pytest.raises(ValidationError):
        found.port = 1  # type: ignore[misc]
    assert (found.port, found.data_dir, found.log_json) == (8000, Path(".data"), True)
