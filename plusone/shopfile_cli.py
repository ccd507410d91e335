"""What runs behind `plusone shop apply` and `plusone shop show`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from dotenv import dotenv_values
from rich.console import Console

from domain import bootstrap, db
from domain.bootstrap import Services
from domain.db import AWAY, CONTENTION
from domain.settings import Settings
from plusone import shopfile_tell
from plusone.runtime import StartRefused
from plusone.shopfile import read_file
from plusone.shopfile_apply import apply
from plusone.shopfile_checks import secrets_for
from plusone.shopfile_parts import ShopFile
from plusone.shopfile_show import show

T = TypeVar("T")
ENV_FILE: Final = ".env"


def environment() -> dict[str, str | None]:
    """The process's variables over those of `.env`, as for the settings."""
    return {**dotenv_values(ENV_FILE), **os.environ}


def checked(path: Path) -> tuple[ShopFile, Mapping[str, str]]:
    """The file and its secrets; raises FileRefused before any database is asked."""
    file = read_file(path)
    return file, secrets_for(file, environment())


def apply_file(file: ShopFile, secrets: Mapping[str, str], settings: Settings, dsn: str, out: Console, *, dry_run: bool) -> None:
    """Apply and print; raises FileRefused or StartRefused."""
    rows = _on_database(settings, dsn, lambda services: apply(file, secrets, services, dry_run=dry_run))
    shopfile_tell.account(rows, out, dry_run=dry_run)
    shopfile_tell.consoles(file, settings.public_url, out)


def show_shop(handle: str, settings: Settings, dsn: str, out: Console) -> bool:
    """Print the shop; False when there is none of this handle."""
    return _on_database(settings, dsn, lambda services: show(handle, services, out))


def _on_database(settings: Settings, dsn: str, work: Callable[[Services], Awaitable[T]]) -> T:
    async def main() -> T:
        await bootstrap.connect(settings, dsn, application_name="plusone-shop")
        try:
            return await work(bootstrap.services(settings))
        finally:
            await db.close()

    try:
        return asyncio.run(main())
    except CONTENTION:
        raise StartRefused("Somebody else is changing the same rows, or applying a file: nothing was changed, try again.") from None
    except AWAY as error:
        raise StartRefused(f"The database went away ({type(error).__name__}): nothing was changed, try again.") from None
