"""What some tests need of Node: its packages, pinned with their hashes in tests/fixtures/node, installed once into a cache folder.

Without Node, npm or a registry those tests are skipped, and say which of them is missing; PLUSONE_TEST_NODE=required makes that a failure.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parent / "fixtures" / "node"
INSTALL_SECONDS = 240
RUN_SECONDS = 240
OLDEST_NODE = 20


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or (Path.home() / ".cache")
    files = b"".join((FIXTURES / name).read_bytes() for name in ("package.json", "package-lock.json"))
    return Path(base) / "plusone-tests" / hashlib.sha256(files).hexdigest()[:16]


def _environment() -> dict[str, str]:
    return {**os.environ, "NO_UPDATE_NOTIFIER": "1", "npm_config_fund": "false", "npm_config_audit": "false", "NO_COLOR": "1"}


@functools.cache
def _prepared() -> tuple[Path | None, str]:
    """The folder with `node_modules`, or None and why there is none."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None, "node and npm are not on the PATH"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if not version.startswith("v") or int(version[1:].partition(".")[0]) < OLDEST_NODE:
        return None, f"Node {OLDEST_NODE} or newer is needed, {version or 'none'} is there"
    cache = _cache()
    if cache.exists():
        return cache, ""
    cache.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=cache.parent))
    try:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(FIXTURES / name, fresh)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=fresh, env=_environment(), capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        if done.returncode != 0:
            return None, "npm ci of tests/fixtures/node failed (is a registry within reach?): " + done.stderr.strip()[-300:]
        try:
            fresh.rename(cache)  # whole or not at all; another process may have been first
        except OSError:
            if not cache.exists():
                raise
    except subprocess.TimeoutExpired:
        return None, f"npm ci of tests/fixtures/node took longer than {INSTALL_SECONDS} seconds"
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return cache, ""


def packages() -> Path:
    """The folder with `node_modules`; skips the test where there can be none."""
    found, reason = _prepared()
    if found is None:
        if os.environ.get("PLUSONE_TEST_NODE") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def node(script: str, *arguments: str, workspace: Path) -> subprocess.CompletedProcess[str]:
    """Run a script of tests/fixtures/node in `workspace`, which gets the packages beside it."""
    linked = workspace / "node_modules"
    if not linked.exists():
        linked.symlink_to(packages() / "node_modules", target_is_directory=True)
        shutil.copy(FIXTURES / "package.json", workspace)
    shutil.copy(FIXTURES / script, workspace)
    return _run([str(shutil.which("node")), script, *arguments], workspace)


def tsc(*arguments: str, workspace: Path) -> subprocess.CompletedProcess[str]:
    """Run the TypeScript compiler in a workspace that `node` has prepared."""
    return _run([str(workspace / "node_modules" / ".bin" / "tsc"), *arguments], workspace)


def _run(command: list[str], workspace: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=workspace, env=_environment(), capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
