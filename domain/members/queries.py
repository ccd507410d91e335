"""Reads about members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from domain import db
from domain.members.rules import DevicePlatform, PushTarget


@dataclass(frozen=True, slots=True)
class DeviceOfMember:
    """An installation that gets pushes."""

    id: UUID
    member_id: UUID
    platform: DevicePlatform
    target_kind: PushTarget
    target: str = field(repr=False)
    locale: str


async def devices_of_members(members: Sequence[UUID]) -> list[DeviceOfMember]:
    """Devices of these members that are not revoked, by member and then the earliest first."""
    rows = await db.fetch(
        """select id, member_id, platform, target_kind, target, locale from device
           where member_id = any($1::uuid[]) and revoked_at is null order by member_id, created_at, id""",
        list(members),
    )
    return [
        DeviceOfMember(r["id"], r["member_id"], DevicePlatform(r["platform"]), PushTarget(r["target_kind"]), r["target"], r["locale"])
        for r in rows
    ]
