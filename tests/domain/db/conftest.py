"""Folders for the embedded server."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.db.embedded import EmbeddedPostgres


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter (pytest's own is root's alone); servers below it end with the test."""
    path = Path(tempfile.mkdtemp(prefix="plusone-test-"))
    path.chmod(0o755)
    yield path
    listing = subprocess.run(["ps", "-ww", "-eo", "pid=,command="], capture_output=True, text=True, check=True).stdout
    left = [line for line in listing.splitlines() if "postgres -D" in line and str(path) in line]
    for line in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(line.split()[0]), signal.SIGQUIT)
    shutil.rmtree(path)
    assert not left, f"the test left servers behind: {left}"


@pytest.fixture
def fresh(folder: Path) -> Path:
    """A data folder that does not exist yet."""
    return folder / "data"


@pytest.fixture(scope="session")
def model() -> Iterator[Path]:
    """A data folder with a cluster that nobody uses, to copy from: much quicker than initdb."""
    path = Path(tempfile.mkdtemp(prefix="plusone-test-"))
    with EmbeddedPostgres(path):
        pass
    (path / "server.log").unlink()
    yield path
    shutil.rmtree(path)


@pytest.fixture
def data(fresh: Path, model: Path) -> Path:
    subprocess.run(["cp", "-pR", str(model), str(fresh)], check=True)
    return fresh
