"""The words of a digest: how many notices came, and from whom most of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from api.notifications.messages import PushText

DEEP_LINK: Final = "plusone://notifications"
LONGEST_NAME: Final = 24


def digest_text(count: int, shops: Sequence[tuple[str, int]], locale: str) -> PushText:
    """Chinese for zh and for no language at all, English for every other one, as for notices."""
    named = [(name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1].rstrip()}…", number) for name, number in shops]
    if locale.lower().startswith("zh") or not locale:
        body = "、".join(f"{name} {number} 則" for name, number in named)
        return PushText(f"今天還有 {count} 則通知", body or "請開啟 App 查看", DEEP_LINK)
    body = ", ".join(f"{name} ({number})" for name, number in named)
    return PushText(f"{count} more notification{'' if count == 1 else 's'} today", body or "Open the app for more", DEEP_LINK)
