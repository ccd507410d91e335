"""Where the shops of the evening sell: pages, groups and chats, and the secrets of their webhooks. All of it is made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from domain.shops.rules import SourcePlatform

EVENING: Final = datetime(2026, 11, 21, 11, 30, tzinfo=UTC)
"""The first second of the evening: half past seven in Taipei and Hong Kong."""


@dataclass(frozen=True, slots=True)
class EndpointOfDemo:
    """One webhook address with what it checks deliveries with."""

    source: str
    slug: str
    secret: str
    verify_token: str = ""
    destination: str = ""

    @property
    def path(self) -> str:
        """`/webhooks/{source}/{slug}`"""
        return f"/webhooks/{self.source}/{self.slug}"


FACEBOOK: Final = EndpointOfDemo("facebook", "demo-app", "demo-facebook-app-secret", verify_token="demo-verify-token")  # noqa: S106
"""One Facebook app serves the pages of two shops."""
LINE: Final = EndpointOfDemo("line", "amei-bot", "demo-line-channel-secret", destination="Uf1a2b3c4d5e6f708192a3b4c5d6e7f80")
ISLAND_BOT: Final = EndpointOfDemo("telegram", "island-bot", "demo_island_bot_secret_token")
GANGDO_BOT: Final = EndpointOfDemo("telegram", "gangdo-bot", "demo_gangdo_bot_secret_token")
COLLECTOR: Final = EndpointOfDemo("generic", "gangdo-collector", "demo-collector-secret")
ENDPOINTS: Final = (FACEBOOK, LINE, ISLAND_BOT, GANGDO_BOT, COLLECTOR)


@dataclass(frozen=True, slots=True)
class Place:
    """One script's place: a post on a page, a group, or a discussion."""

    key: str
    shop: str
    endpoint: EndpointOfDemo
    platform: SourcePlatform
    people: str
    """How people are known here (`people.subject_of`)."""
    channel: str
    """External id of the page, group or chat."""
    channel_name: str
    post: str = ""
    """External id of the post or thread; empty where the whole chat is meant."""


AMEI_PAGE: Final = "104561234567890"
ISLAND_PAGE: Final = "103149398319188"
GANGDO_CHANNEL: Final = "-1001987654321"
GANGDO_CHANNEL_POST: Final = 88
GANGDO_THREAD: Final = 311
"""Where Telegram copies the channel's post into the discussion group."""

PLACES: Final[Mapping[str, Place]] = {
    place.key: place
    for place in (
        Place("amei_page", "amei", FACEBOOK, SourcePlatform.FACEBOOK_PAGE, "facebook", AMEI_PAGE, "阿美團購", f"{AMEI_PAGE}_122156789012345678"),
        Place("amei_line", "amei", LINE, SourcePlatform.LINE_GROUP, "line", "C4af498062901234567890abcdef012345", "阿美團購群"),
        Place("island_live", "island", FACEBOOK, SourcePlatform.FACEBOOK_LIVE, "facebook", ISLAND_PAGE, "小島衣舖", f"{ISLAND_PAGE}_407298303721936"),
        Place("island_telegram", "island", ISLAND_BOT, SourcePlatform.TELEGRAM, "telegram", "-1002145678901", "小島衣舖粉絲群"),
        Place("gangdo_telegram", "gangdo", GANGDO_BOT, SourcePlatform.TELEGRAM, "telegram", "-1002223334445", "港島代購 討論", str(GANGDO_THREAD)),
        Place(
            "gangdo_group", "gangdo", COLLECTOR, SourcePlatform.FACEBOOK_GROUP, "fbgroup", "fbgroup:2204567890123456", "港島代購社團", "3311223344556677"
        ),
        Place("gangdo_openchat", "gangdo", COLLECTOR, SourcePlatform.LINE_OPENCHAT, "openchat", "openchat:gangdo", "港島代購社群"),
    )
}  # fmt: skip
