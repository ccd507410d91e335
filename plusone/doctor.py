"""What is configured, reachable and missing, as a table. Settings are shown by name, never by value."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import asyncpg
import httpx
from rich.console import Console
from rich.table import Table

from api.auth.identity import dev
from api.auth.identity.registry import providers_for
from domain import bootstrap, db
from domain.inbox import commands as inbox_commands
from domain.inbox import queries as inbox
from domain.inbox.rules import EventState
from domain.members.keyring import RENEWED_EVERY, keyring
from domain.settings import MissingSetting, Settings
from domain.vault import SealBroken, Vault
from plusone import runtime

OLDEST_POSTGRESQL: Final = 150_000
LATE_SECONDS: Final = 60
REACH_SECONDS: Final = 3.0


class Mark(StrEnum):
    """How a finding is to be taken; only MISSING makes the exit code 1."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"


COLOURS: Final = {Mark.OK: "green", Mark.NOTE: "yellow", Mark.MISSING: "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table."""

    what: str
    mark: Mark
    told: str


def examine(settings: Settings, out: Console, *, invariants: bool = False, replay_parked: bool = False) -> bool:
    """Print the table; True when nothing needed is missing."""
    findings = list(configured(settings))
    try:
        with runtime.database(settings) as dsn:
            findings += asyncio.run(_in_database(settings, dsn, invariants=invariants, replay_parked=replay_parked))
    except runtime.StartRefused as error:
        findings.append(Finding("database", Mark.MISSING, str(error)))
    table = Table("", "what", "finding", show_lines=False, header_style="bold")
    for finding in findings:
        table.add_row(f"[{COLOURS[finding.mark]}]{finding.mark}[/]", finding.what, _plain(finding.told))
    out.print(table)
    return all(finding.mark is not Mark.MISSING for finding in findings)


def _plain(text: str) -> str:
    return text.replace("[", "\\[")


def configured(settings: Settings) -> Iterator[Finding]:
    """What the settings alone say."""
    yield Finding("settings", Mark.OK, f"environment {settings.environment}, {len(_named(settings))} set: {', '.join(_named(settings))}")
    if settings.is_development:
        yield Finding("environment", Mark.NOTE, "development: anybody may sign in as anybody; not for the internet")
    elif settings.public_url.startswith("http://"):
        yield Finding("PLUSONE_PUBLIC_URL", Mark.NOTE, "not https: apps and platforms will refuse it")
    if settings.firebase_credentials is not None and not settings.firebase_credentials.is_file():
        yield Finding("PLUSONE_FIREBASE_CREDENTIALS", Mark.MISSING, "names a file that is not there")
    elif settings.firebase_credentials is None and settings.fcm_base_url is None:
        yield Finding("push", Mark.NOTE, "PLUSONE_FIREBASE_CREDENTIALS is not set: notices stay in the inbox, no phone rings")
    yield _sign_in(settings)
    if settings.firebase_auth_project_id and settings.firebase_credentials is None:
        told = "PLUSONE_FIREBASE_CREDENTIALS is not set: whether a user of Firebase who works in a shop was disabled or revoked is not looked at"
        yield Finding("staff of Firebase", Mark.NOTE, told)


def _sign_in(settings: Settings) -> Finding:
    """Which providers are on, with their channels."""
    try:
        on = providers_for(settings)
    except MissingSetting as error:
        return Finding("sign-in", Mark.MISSING, str(error))
    channels: dict[str, list[str]] = {}
    for provider, channel in on:
        channels.setdefault(provider, []).extend([channel] if channel else [])
    told = ", ".join(f"{provider} ({', '.join(kinds)})" if kinds else provider for provider, kinds in channels.items())
    if not channels.keys() - {dev.PROVIDER}:
        return Finding("sign-in", Mark.NOTE, f"no provider is on{told and f' but {told}'}: .env.example names the ids that turn one on")
    return Finding("sign-in", Mark.OK, f"on: {told}")


def _named(settings: Settings) -> list[str]:
    return sorted(name.upper() for name in settings.model_fields_set)


async def _in_database(settings: Settings, dsn: str, *, invariants: bool, replay_parked: bool) -> list[Finding]:
    missing = await runtime.pending(dsn)
    version = await _version(dsn)
    findings = [
        Finding("PostgreSQL", Mark.OK if version >= OLDEST_POSTGRESQL else Mark.MISSING, _about_version(settings, version)),
        Finding("migrations", Mark.MISSING, f"pending: {', '.join(missing)}; run `plusone migrate`")
        if missing
        else Finding("migrations", Mark.OK, "none pending"),
    ]
    findings += [Finding(name, mark, told) for name, mark, told in await _reached(settings)]
    if missing:
        return findings
    await bootstrap.connect(settings, dsn, application_name="plusone-doctor")
    try:
        if replay_parked:
            findings.append(Finding("replay", Mark.OK, f"{await inbox_commands.replay_parked()} parked events go to the workers again"))
        findings += await _in_tables(settings)
        if invariants:
            findings += [*await _invariants(), *await _seals()]
    finally:
        await db.close()
    return findings


async def _version(dsn: str) -> int:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(**db.credentials(dsn), timeout=5)
    try:
        return int(await connection.fetchval("select current_setting('server_version_num')"))
    finally:
        await connection.close()


def _about_version(settings: Settings, number: int) -> str:
    kind = "DATABASE_URL" if settings.database_url else "embedded"
    return f"{number // 10_000}.{number % 10_000} ({kind})" + ("" if number >= OLDEST_POSTGRESQL else "; 15 or newer is needed")


async def _in_tables(settings: Settings) -> list[Finding]:
    endpoints = await db.fetch("select source, secret_encrypted from webhook_endpoint where source <> 'app'")
    counts = await db.fetchrow("""select (select count(*) from shop) as shops, (select count(*) from channel) as channels""")
    assert counts is not None
    backlog = await inbox.backlog(datetime.now(UTC))
    return [
        Finding("shops", Mark.OK, f"{counts['shops']} shops, {counts['channels']} channels"),
        _endpoints(settings, endpoints),
        await _signing_keys(),
        _waiting("inbox", backlog.inbox_oldest_seconds, backlog.inbox_rows[EventState.PENDING]),
        _waiting("outbox", backlog.outbox_oldest_seconds, None),
        Finding("parked", Mark.NOTE, f"{parked} events; look at them, then --replay-parked")
        if (parked := backlog.inbox_rows[EventState.PARKED])
        else Finding("parked", Mark.OK, "none"),
    ]


async def _signing_keys() -> Finding:
    """How many, and which have signed for too long."""
    now = datetime.now(UTC)
    ring = await keyring(now)
    old = [key.use.lower() for key in ring if key.is_old(now)]
    if old:
        return Finding("signing keys", Mark.NOTE, f"older than {RENEWED_EVERY.days} days: {', '.join(old)}; run `plusone keys rotate`")
    return Finding("signing keys", Mark.OK if ring else Mark.NOTE, f"{len(ring)} (the first sign-in makes one)")


def _endpoints(settings: Settings, rows: list[db.Record]) -> Finding:
    """Webhook endpoints by platform; a secret that does not open was stored under another key."""
    vault = Vault(settings.secret_key.get_secret_value())
    closed = 0
    by_source: dict[str, int] = {}
    for row in rows:
        by_source[row["source"]] = by_source.get(row["source"], 0) + 1
        try:
            vault.open(row["secret_encrypted"])
        except SealBroken:
            closed += 1
    if closed:
        told = f"the secrets of {closed} of {len(rows)} do not open: PLUSONE_SECRET_KEY is not the one they were stored with"
        return Finding("webhook endpoints", Mark.MISSING, told)
    told = ", ".join(f"{count} {source}" for source, count in sorted(by_source.items()))
    return Finding("webhook endpoints", Mark.OK if rows else Mark.NOTE, told or "none: no platform can reach us yet")


def _waiting(what: str, oldest: float | None, rows: int | None) -> Finding:
    if oldest is None:
        return Finding(what, Mark.OK, "nothing waits")
    many = "" if rows is None else f"{rows} wait, "
    late = oldest > LATE_SECONDS
    return Finding(what, Mark.NOTE if late else Mark.OK, f"{many}the oldest for {oldest:.0f} s" + ("; does a worker run?" if late else ""))


async def _reached(settings: Settings) -> list[tuple[str, Mark, str]]:
    """Servers that stand in for Google and the platforms, when the settings name them."""
    found: list[tuple[str, Mark, str]] = []
    for name, url in (("PLUSONE_FCM_BASE_URL", settings.fcm_base_url), ("PLUSONE_REPLY_BASE_URL", settings.reply_base_url)):
        if url is None:
            continue
        try:
            async with httpx.AsyncClient(timeout=REACH_SECONDS, trust_env=False) as client:
                await client.get(url)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            found.append((name, Mark.MISSING, f"does not answer ({type(error).__name__})"))
        else:
            found.append((name, Mark.OK, "answers"))
    return found


async def _invariants() -> list[Finding]:
    from plusone.invariants import check

    violations = await check(datetime.now(UTC))
    if not violations:
        return [Finding("invariants", Mark.OK, "all hold")]
    return [Finding(f"invariant {v.invariant}", Mark.MISSING, f"does not hold: {v.sentence} ({len(v.rows)} rows)") for v in violations]


async def _seals() -> list[Finding]:
    from domain.audit.seal import verify_chain

    shops = await db.fetch("select distinct s.id, s.handle from shop s join audit_seal a on a.shop_id = s.id order by s.handle")
    broken = {shop["handle"]: up_to for shop in shops if (up_to := await verify_chain(shop["id"])) is not None}
    if not broken:
        return [Finding("audit", Mark.OK, f"every seal of {len(shops)} shops fits its entries")]
    return [Finding("audit", Mark.MISSING, f"{handle}: the seal up to entry {up_to} does not fit") for handle, up_to in broken.items()]
