"""Leased pushes are decided on: sent, put off, put into a digest, or left to the inbox.

One transaction for a lot. A member's row of wishes is locked while their pushes are counted, so that workers side by side never push more
than the day has room for. What was admitted once stays admitted, however often it is sent: a push that is tried again is counted once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain import db
from domain.db import Record, Tx, from_jsonb
from domain.ids import new_id
from domain.jobs import JobQueue
from domain.notices.commands import USE_BY
from domain.notices.deliveries import Push, retry_at
from domain.notices.pushing import DEADLINES, URGENT, ShopWishes, Verdict, Way, Wishes, decide
from domain.notices.rules import NoticeKind

OTHER_DAYS: Final = 2
"""A digest of a day that was told already is told with the next day's."""


def clock_of(minutes: int) -> time:
    """Minutes after midnight as a time."""
    return time(minutes // 60, minutes % 60)


def kinds_of(stored: Any) -> frozenset[NoticeKind]:
    """Kinds as they are stored; unknown ones are of an older program."""
    known = {kind.value: kind for kind in NoticeKind}
    return frozenset(known[name] for name in from_jsonb(stored) or () if name in known)


@dataclass(slots=True)
class _Day:
    """A member's wishes and the pushes of their day, while it is decided."""

    row: Record
    shop_zone: str
    spent: int = 0
    day: date = date.min
    wishes: Wishes = field(init=False)

    def __post_init__(self) -> None:
        row = self.row
        quiet = None if row["quiet_from"] is None or row["quiet_until"] is None else (row["quiet_from"], row["quiet_until"])
        self.wishes = Wishes(
            ZoneInfo(row["time_zone"] or self.shop_zone), quiet and clock_of(quiet[0]), quiet and clock_of(quiet[1]), row["daily_pushes"],
            clock_of(row["digest_at"]), kinds_of(row["off"]),
        )  # fmt: skip


_NOTICES: Final = """
select n.id, n.member_id, n.kind, n.read_at is not null as read, s.time_zone, coalesce(m.muted, false) as muted, m.muted_until, m.off,
  (select true from push_delivery x where x.notice_id = n.id and x.admitted limit 1) is not null as admitted
from unnest($1::uuid[]) k(id) join notice n on n.id = k.id join shop s on s.id = n.shop_id
left join shop_notice_settings m on m.member_id = n.member_id and m.shop_id = n.shop_id"""


async def admit(pushes: Sequence[Push], *, now: datetime, jobs: JobQueue) -> list[Push]:
    """Decide on leased pushes; answers those that are to be sent now. The others are marked: put off, in a digest, or dropped."""
    fresh = [push for push in pushes if not push.admitted]
    if not fresh:
        return list(pushes)
    async with db.transaction() as tx:
        settings = await _locked(tx, sorted({push.member_id for push in fresh}), now)
        rows = {row["id"]: row for row in await tx.fetch(_NOTICES, list({push.notice_id for push in fresh}))}
        days: dict[UUID, _Day] = {}
        verdicts = await _decided(tx, [row for row in rows.values() if row["member_id"] in settings], settings, days, now)
        by_way: dict[Verdict, list[Push]] = defaultdict(list)
        for push in fresh:
            by_way[verdicts.get(push.notice_id, Verdict(Way.SILENT, why="the notice is gone"))].append(push)
        sent = await _mark(tx, by_way, days, jobs)
    return [push for push in pushes if push.admitted or push.id in sent]


async def _locked(tx: Tx, members: Sequence[UUID], now: datetime) -> dict[UUID, Record]:
    """The members' rows, made where there are none, locked in key order."""
    await tx.execute(
        """insert into notice_settings (member_id, time_zone, daily_pushes, digest_at, off, spent, updated_at)
           select m, '', 20, 1200, '[]', 0, $2 from unnest($1::uuid[]) k(m)
           where not exists (select from notice_settings s where s.member_id = k.m) order by m on conflict do nothing""",
        list(members),
        now,
    )
    rows = await tx.fetch("select * from notice_settings where member_id = any($1::uuid[]) order by member_id for update", list(members))
    return {row["member_id"]: row for row in rows}


def _urgency(row: Record) -> tuple[int, UUID]:
    kind = NoticeKind(row["kind"])
    return (0 if kind in DEADLINES else 1 if kind in URGENT else 3 if kind is NoticeKind.ANNOUNCEMENT else 2), row["id"]


async def _decided(
    tx: Tx, rows: Sequence[Record], settings: dict[UUID, Record], days: dict[UUID, _Day], now: datetime
) -> dict[UUID, Verdict]:
    """The verdict of each notice, the most urgent first; what goes is counted in the members' `days`."""
    found: dict[UUID, Verdict] = {}
    for row in sorted(rows, key=_urgency):
        known = days.get(row["member_id"])
        if known is None:
            known = days[row["member_id"]] = _Day(settings[row["member_id"]], row["time_zone"])
            known.day = known.wishes.day(now)
            known.spent = known.row["spent"] if known.row["day"] == known.day else 0
        if row["admitted"]:
            found[row["id"]] = Verdict(Way.SEND)
            continue
        shop = ShopWishes(row["muted"], row["muted_until"], kinds_of(row["off"]) if row["off"] is not None else frozenset())
        verdict = decide(NoticeKind(row["kind"]), read=row["read"], wishes=known.wishes, shop=shop, spent=known.spent, now=now)
        known.spent += verdict.way is Way.SEND
        found[row["id"]] = verdict
    await tx.execute(
        "update notice_settings s set day = k.day, spent = k.spent from unnest($1::uuid[], $2::date[], $3::int[]) k(id, day, spent) where s.member_id = k.id",
        list(days),
        [day.day for day in days.values()],
        [day.spent for day in days.values()],
    )
    return found


async def _mark(tx: Tx, by_way: dict[Verdict, list[Push]], days: dict[UUID, _Day], jobs: JobQueue) -> set[UUID]:
    """Write down what was decided; answers the pushes that go."""
    sent: set[UUID] = set()
    for verdict, pushes in by_way.items():
        ids = [push.id for push in pushes]
        if verdict.way is Way.SEND:
            await tx.execute("update push_delivery set admitted = true where id = any($1::uuid[])", ids)
            sent |= set(ids)
        elif verdict.way is Way.WAIT and verdict.until is not None:
            await retry_at(tx, pushes, verdict.until, "quiet hours", jobs=jobs, counted=False)
            await tx.execute(
                "update push_delivery set use_by = $2 where id = any($1::uuid[]) and state = 'PENDING'", ids, verdict.until + USE_BY
            )
        elif verdict.way is Way.DIGEST and verdict.until is not None:
            for member_id in sorted({push.member_id for push in pushes}):
                digest = await _digest(tx, member_id, verdict.until, days[member_id].wishes.zone)
                theirs = [push.id for push in pushes if push.member_id == member_id]
                await _drop(tx, theirs, "digest", digest)
        else:
            await _drop(tx, ids, verdict.why, None)
    return sent


async def _drop(tx: Tx, ids: Sequence[UUID], why: str, digest_id: UUID | None) -> None:
    await tx.execute(
        "update push_delivery set state = 'DROPPED', last_error = $2, digest_id = $3 where id = any($1::uuid[]) and state = 'PENDING'",
        list(ids),
        why,
        digest_id,
    )


async def _digest(tx: Tx, member_id: UUID, due_at: datetime, zone: ZoneInfo) -> UUID:
    """The member's digest that is told then, made when there is none; the next day's when that of the day has gone already."""
    day = due_at.astimezone(zone).date()
    for later in range(OTHER_DAYS + 1):
        at = due_at + timedelta(days=later)
        row = await tx.fetchrow(
            """insert into push_digest as d (id, member_id, day, state, tries, due_at, next_try_at) values ($1, $2, $3, 'PENDING', 0, $4, $4)
               on conflict (member_id, day) do update set tries = d.tries returning id, state""",
            new_id(),
            member_id,
            day + timedelta(days=later),
            at,
        )
        assert row is not None
        found: UUID = row["id"]
        if row["state"] == "PENDING":
            break
    return found
