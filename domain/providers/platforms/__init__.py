"""The social platforms behind the claims room's `Platform` port, by the `{source}` of their webhook address."""

from __future__ import annotations

from collections.abc import Mapping

from domain.claims.ports import Platform
from domain.providers.platforms.facebook import Facebook
from domain.providers.platforms.generic import Generic
from domain.providers.platforms.instagram import Instagram
from domain.providers.platforms.line import Line
from domain.providers.platforms.telegram import Telegram

PLATFORMS: Mapping[str, Platform] = {platform.name: platform for platform in (Facebook(), Instagram(), Line(), Telegram(), Generic())}
