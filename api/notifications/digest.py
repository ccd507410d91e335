"""The words of a digest: how many notices came, and from whom most of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from api.notifications.messages import OPEN, PushText
from domain.words import ENGLISH, Pair, language_for, say

DEEP_LINK: Final = "plusone://notifications"
LONGEST_NAME: Final = 24
ONE: Final[Pair] = ("今天還有 1 則通知", "One more notification today")
TITLE: Final[Pair] = ("今天還有 {count} 則通知", "{count} more notifications today")
OF_SHOP: Final[Pair] = ("{shop} {count} 則", "{count} from {shop}")


def digest_text(count: int, shops: Sequence[tuple[str, int]], locale: str) -> PushText:
    """The digest in the device's language, as for notices."""
    language = language_for(locale)
    named = [(name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1].rstrip()}…", number) for name, number in shops]
    parts = [say(OF_SHOP, language).format(shop=name, count=number) for name, number in named]
    title = say(ONE if count == 1 else TITLE, language).format(count=count)
    return PushText(title, (", " if language == ENGLISH else "、").join(parts) or say(OPEN, language), DEEP_LINK)
