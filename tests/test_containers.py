"""Dockerfile and compose.yaml cannot be run here; every command, file, module and setting that they name must exist."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from domain.settings import Settings
from plusone.cli import app

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
OF_THE_COMMAND_LINE = {"PLUSONE_WORKER_PORT"}
IMAGE_ONLY = {"HEALTH_PORT", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PIP_NO_CACHE_DIR", "PIP_DISABLE_PIP_VERSION_CHECK"}


def setting_names() -> set[str]:
    """Every environment variable that the program reads."""
    names = {f"PLUSONE_{name.upper()}" for name in Settings.model_fields} | {"DATABASE_URL"} | OF_THE_COMMAND_LINE
    for command in COMMANDS.values():
        for parameter in command.params:
            names |= {parameter.envvar} if isinstance(parameter.envvar, str) else set(parameter.envvar or ())
    return names


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, rest), continued lines joined and comments dropped."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def of(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def run_as(arguments: list[str]) -> None:
    """Fail unless the command line takes these arguments: its parser reads them, nothing is started."""
    name, *options = arguments
    COMMANDS[name].make_context(name, options, resilient_parsing=False)


def test_the_image_is_small_and_its_user_has_a_name() -> None:
    assert of("FROM") == ["python:3.13-slim"]
    user = of("USER")
    assert len(user) == 1
    assert user[0] not in ("root", "0")
    assert f"useradd --uid 10001 --gid {user[0]}" in " ".join(of("RUN"))


def test_the_user_is_left_before_anything_of_ours_runs() -> None:
    order = [name for name, _ in instructions()]
    assert order.index("USER") < order.index("ENTRYPOINT")
    assert order.index("USER") > max(place for place, name in enumerate(order) if name in ("RUN", "COPY"))


def test_everything_that_is_copied_exists_and_all_packages_are_copied() -> None:
    sources = [source for line in of("COPY") for source in shlex.split(line)[:-1]]
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert {"requirements.txt", "plusone", "api", "domain", "workers"} == set(sources)
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert set(ignored).isdisjoint(sources)
    assert {".env", ".git", ".venv"} <= set(ignored)


def test_only_hashed_requirements_are_installed() -> None:
    installs = [line for line in of("RUN") if "pip install" in line]
    assert installs == ["pip install --require-hashes -r requirements.txt"]
    requirements = (ROOT / "requirements.txt").read_text()
    pinned = re.findall(r"^[a-z0-9][\w.\-\[\]]*==", requirements, flags=re.MULTILINE | re.IGNORECASE)
    assert len(pinned) > 30
    assert len(re.findall(r"^[a-z0-9].*==[^\n]*\\\n    --hash=sha256:", requirements, flags=re.MULTILINE | re.IGNORECASE)) == len(pinned)


def test_the_image_starts_the_program() -> None:
    assert json.loads(of("ENTRYPOINT")[0]) == ["python", "-m", "plusone"]
    assert (ROOT / "plusone" / "__main__.py").exists()
    run_as(json.loads(of("CMD")[0]))


def test_the_health_check_asks_a_route_that_exists() -> None:
    from api.health import routes

    check = of("HEALTHCHECK")[0]
    code = json.loads(check[check.index("CMD") + 3 :])
    assert code[:2] == ["python", "-c"]
    compile(code[2], "healthcheck", "exec")
    paths = re.findall(r"(/health/\w+)", code[2])
    assert len(paths) == 1
    assert paths[0] in {route.path for route in routes(None)}  # type: ignore[arg-type]


def test_every_variable_of_the_image_is_a_setting() -> None:
    given = {pair.split("=")[0] for line in of("ENV") for pair in shlex.split(line)}
    assert given - IMAGE_ONLY - setting_names() == set()


def test_compose_has_the_database_the_migrations_the_api_and_a_worker() -> None:
    assert set(COMPOSE["services"]) == {"postgres", "migrate", "api", "worker"}
    assert COMPOSE["services"]["postgres"]["image"] == "postgres:18"
    assert {service["image"] for service in OURS.values()} == {"plusone:local"}
    assert all(Path(ROOT / service["build"] / "Dockerfile").exists() for service in OURS.values())


@pytest.mark.parametrize("name", OURS)
def test_every_command_of_compose_is_one_of_the_program(name: str) -> None:
    run_as(OURS[name]["command"])


@pytest.mark.parametrize("name", OURS)
def test_every_variable_of_compose_is_a_setting(name: str) -> None:
    assert set(OURS[name]["environment"]) - IMAGE_ONLY - setting_names() == set()


def test_no_secret_stands_in_compose() -> None:
    for service in COMPOSE["services"].values():
        for name, value in service["environment"].items():
            if re.search("SECRET|PASSWORD|KEY", name):
                assert value is None or re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), name
    assert "${POSTGRES_PASSWORD:?" in OURS["api"]["environment"]["DATABASE_URL"]


def test_nothing_starts_before_what_it_needs() -> None:
    services = COMPOSE["services"]
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("api", "worker"):
        assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
        assert services[name]["stop_grace_period"] == "30s"
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)


def test_the_health_checks_ask_the_ports_that_are_listened_on() -> None:
    image = dict(pair.split("=") for line in of("ENV") for pair in shlex.split(line))
    assert image["HEALTH_PORT"] == image["PLUSONE_PORT"] == "8000"
    worker = OURS["worker"]
    assert worker["command"][worker["command"].index("--health-port") + 1] == worker["environment"]["HEALTH_PORT"]
    assert OURS["api"]["ports"] == [f"127.0.0.1:8000:{image['PLUSONE_PORT']}"]


def test_the_example_of_settings_names_every_setting_and_no_other() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    named = {found[1] for line in lines if (found := re.fullmatch(r"#?([A-Z][A-Z0-9_]+)=.*", line))}
    assert named == setting_names() - {"PLUSONE_DATABASE_URL"}
    assert "PLUSONE_SECRET_KEY=" in lines


def test_continuous_integration_runs_make_test() -> None:
    run = (ROOT / ".ci" / "run").read_text()
    assert "set -euo pipefail" in run
    assert run.rstrip().endswith("make -j2 test\nexec make bench")
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert {"demo", "test", "suite", "bench", "lint", "lock"} <= set(targets)


def test_the_image_holds_our_modules_compiled() -> None:
    order = instructions()
    copied = [rest.split()[0] for name, rest in order if name == "COPY" and not rest.startswith("requirements")]
    compiled = ("RUN", f"python -m compileall -q {' '.join(copied)}")
    assert compiled in order
    assert order.index(compiled) > max(place for place, (name, _) in enumerate(order) if name == "COPY")
