"""What collectors see of a group's comments, for tests of lists."""

from __future__ import annotations

from typing import Any

from tests.domain.claims.group import Group, a_group
from tests.domain.claims.policy.picture import Picture, picture


async def two(**policy: Any) -> Group:
    """甲 ordered two and 乙 one, and the collector has seen both."""
    group = await a_group(**policy)
    await group.tells("1", "甲", "+2", 0)
    await group.tells("2", "乙", "+1", 0)
    await group.drain()
    return group


async def seen(group: Group, comments: list[str]) -> Picture:
    """The picture, what was made within one batch in the order of the letters."""
    found = await picture(group, comments)
    found.orders.sort()
    found.notices.sort()
    return found


async def twice_without(group: Group, comments: str = "2", *, first: float = 1, second: float = 2) -> None:
    await group.looks(comments, first)
    await group.looks(comments, second)
    await group.drain()
