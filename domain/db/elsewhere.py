"""Room for the embedded server outside of closed folders, for root only.

PostgreSQL refuses to run as root and runs as another user, who cannot enter `/root` or any other folder of mode 0700. Opening such a folder would
open it for everybody, so the server's files stand below ROOM instead: a data folder per folder that was asked for, and one copy of the programs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

ROOM: Final = Path("/var/lib/plusone")


def _key(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def folder(data: Path) -> Path:
    """Where the cluster of this closed data folder stands; always the same for the same folder. Made if need be, its parents open to enter."""
    ROOM.mkdir(mode=0o755, parents=True, exist_ok=True)
    place = ROOM / _key(data)
    place.mkdir(mode=0o700, exist_ok=True)
    return place


def programs(binaries: Path) -> Path:
    """A copy of PostgreSQL's programs (about 70 MB) that every user may run, made once per build.

    `binaries` is `<site-packages>/<package>/pginstall18/bin`; the shared libraries are found from there at `../../../<package>.libs`.
    """
    stamp = (binaries / "postgres").stat()
    ROOM.mkdir(mode=0o755, parents=True, exist_ok=True)
    place = ROOM / f"programs-{_key(binaries)}-{stamp.st_size}-{stamp.st_mtime_ns}"
    if not place.exists():
        unfinished = place.with_name(f"{place.name}.new-{os.getpid()}")
        shutil.rmtree(unfinished, ignore_errors=True)
        package = binaries.parents[1]
        shutil.copytree(binaries.parent, unfinished / package.name / binaries.parent.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        unfinished.chmod(0o755)
        try:
            unfinished.rename(place)
        except OSError:  # another program was quicker
            shutil.rmtree(unfinished, ignore_errors=True)
    return place / binaries.parents[1].name / binaries.parent.name / "bin"
