"""What the member wishes of their pushes. A page of settings: one statement, through the executor, for nobody waits for it often."""

from __future__ import annotations

import re
from datetime import UTC, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import strawberry

from api.resolvers.base import Info, attach, field, key_of, selected
from api.resolvers.member import live_cursor
from api.resolvers.mutation import InvalidInput, mutation
from api.schema.errors import MemberUserError
from api.schema.member import Buyer
from api.schema.preferences import (
    KindPreferenceInput,
    MemberUpdateInput,
    MemberUpdatePayload,
    NotificationPreferences,
    NotificationPreferencesUpdateInput,
    NotificationPreferencesUpdatePayload,
    ShopMuteInput,
    ShopMutePayload,
)
from domain.members import screens
from domain.members.commands import choose_language
from domain.notices import settings
from domain.notices.pushing import MOST_PUSHES
from domain.notices.rules import NoticeKind
from domain.notices.settings import QuietHours, Wish
from domain.paging import Row
from domain.words import LANGUAGES

CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


def _clock(text: str, name: str) -> time:
    if not CLOCK.fullmatch(text):
        raise InvalidInput(name)
    return time.fromisoformat(text)


def _zone(name: str | None) -> str | None:
    if name is None:
        return None
    try:
        if not 1 <= len(name) <= 40 or not name.isascii() or name.startswith(("/", ".")):
            raise InvalidInput("timeZone")
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput("timeZone") from None
    return name


def _kinds(kinds: list[KindPreferenceInput] | None) -> dict[NoticeKind, bool] | None:
    if kinds is not None and len(kinds) > len(NoticeKind):
        raise InvalidInput("kinds")
    return None if kinds is None else {each.kind: each.push for each in kinds}


@strawberry.type
class BuyerPreferences:
    """Fields of the signed-in buyer."""

    @field(NotificationPreferences, description="What I wish of my pushes.")
    async def notification_preferences(self, info: Info) -> Row:
        return await settings.settings_of(info.context.require_viewer().member_id, now=info.context.now())


attach(Buyer, BuyerPreferences)


@strawberry.type
class PreferenceMutations:
    @mutation(MemberUserError, NotificationPreferencesUpdatePayload, "NOT_FOUND INVALID_INPUT")
    async def notification_preferences_update(self, info: Info, input: NotificationPreferencesUpdateInput) -> Row:
        """Change what I wish of my pushes: what is absent stays. The inbox is not touched by it."""
        member_id, now, kinds = info.context.require_viewer().member_id, info.context.now(), _kinds(input.kinds)
        quiet: QuietHours | bool | None = False if input.end_quiet_hours else None
        if input.quiet_hours is not None:
            if input.end_quiet_hours:
                raise InvalidInput("endQuietHours")
            quiet = QuietHours(_clock(input.quiet_hours.start, "quietHours.from"), _clock(input.quiet_hours.end, "quietHours.until"))
        if input.daily_pushes is not None and not 0 <= input.daily_pushes <= MOST_PUSHES:
            raise InvalidInput("dailyPushes")
        digest_at = None if input.digest_at is None else _clock(input.digest_at, "digestAt")
        shop_id = None if input.shop_id is None else key_of(input.shop_id, "shop")
        mine = None if shop_id else kinds
        wanted = Wish(_zone(input.time_zone), quiet, input.daily_pushes, digest_at, mine)
        if wanted != Wish():
            await settings.wish(member_id=member_id, wanted=wanted, now=now)
        if shop_id is not None:
            await settings.wish_of_shop(member_id=member_id, shop_id=shop_id, kinds=kinds, now=now)
        return {"preferences": await settings.settings_of(member_id, now=now)}

    @mutation(MemberUserError, MemberUpdatePayload, "INVALID_INPUT")
    async def member_update(self, info: Info, input: MemberUpdateInput) -> Row:
        """Change the language that I am spoken to in, and my clocks: the next notices follow. A request's `Accept-Language` still comes first."""
        member_id, now = info.context.require_viewer().member_id, info.context.now()
        if input.locale is not None and input.locale not in LANGUAGES:
            raise InvalidInput("locale")
        wanted = Wish(_zone(input.time_zone))
        if input.locale is not None:
            await choose_language(member_id=member_id, language=input.locale)
        if wanted != Wish():
            await settings.wish(member_id=member_id, wanted=wanted, now=now)
        me = await screens.member(member_id)
        if me is not None and "live_cursor" in selected(info, "member"):
            me["live_cursor"] = await live_cursor(info.context)
        return {"member": me, "preferences": await settings.settings_of(member_id, now=now)}

    @mutation(MemberUserError, ShopMutePayload, "NOT_FOUND INVALID_INPUT")
    async def shop_mute(self, info: Info, input: ShopMuteInput) -> Row:
        """Push nothing of a shop but deadlines, until an instant or until I say otherwise; or push it again."""
        member_id, now = info.context.require_viewer().member_id, info.context.now()
        until = None if input.until is None else input.until.astimezone(UTC)
        if until is not None and (not input.muted or until <= now):
            raise InvalidInput("until")
        await settings.wish_of_shop(member_id=member_id, shop_id=key_of(input.shop_id, "shop"), muted=input.muted, until=until, now=now)
        return {"preferences": await settings.settings_of(member_id, now=now)}
