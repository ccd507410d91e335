"""What the member wishes of their pushes."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.schema.errors import MemberUserError
from api.schema.member import Buyer
from api.schema.shop import Shop
from domain.notices.rules import NoticeKind


@strawberry.type(
    description="Whether notices of one kind are pushed. They are in the inbox in any case, but for announcements that nobody wants."
)
class KindPreference:
    kind: NoticeKind
    push: bool = strawberry.field(description="False: only in the inbox; announcements then do not come at all.")


@strawberry.type(description="What I wish of one shop.")
class ShopPreferences:
    shop: Shop
    muted: bool = strawberry.field(description="True now: nothing of this shop is pushed but deadlines.")
    muted_until: datetime | None = strawberry.field(
        description="When the mute ends by itself; null for a mute until I say otherwise, and without one."
    )
    kinds: list[KindPreference] = strawberry.field(description="For this shop alone; a kind that is off for all shops is off here too.")


@strawberry.type(description="What I wish of my pushes. Deadlines are always pushed, unless their kind is off.")
class NotificationPreferences:
    time_zone: str | None = strawberry.field(description="IANA name of my clocks, such as Asia/Taipei; null: those of each shop.")
    quiet_from: str | None = strawberry.field(description="From this time, such as 22:00, pushes wait; null without quiet hours.")
    quiet_until: str | None = strawberry.field(description="Until this time, such as 08:00; null without quiet hours.")
    daily_pushes: int = strawberry.field(
        description="At most so many a day, with the digest; what there is no room for goes into the digest."
    )
    digest_at: str = strawberry.field(description="When the digest of the day is pushed, such as 20:00.")
    kinds: list[KindPreference] = strawberry.field(description="For all shops.")
    shops: list[ShopPreferences] = strawberry.field(description="Shops of which I have wished something; at most 500.")


@strawberry.input(description="Whether a kind is pushed.")
class KindPreferenceInput:
    kind: NoticeKind
    push: bool = strawberry.field(description="False: only in the inbox.")


@strawberry.input(description="Times by my clocks between which pushes wait; the end may be on the next day.")
class QuietHoursInput:
    start: str = strawberry.field(name="from", description="From this time, such as 22:00.")
    end: str = strawberry.field(name="until", description="Until this time, such as 08:00.")


@strawberry.input
class NotificationPreferencesUpdateInput:
    time_zone: str | None = strawberry.field(default=None, description="IANA name; absent: unchanged.")
    quiet_hours: QuietHoursInput | None = strawberry.field(default=None, description="Absent: unchanged.")
    end_quiet_hours: bool = strawberry.field(default=False, description="True: none from now on. Not together with `quietHours`.")
    daily_pushes: int | None = strawberry.field(default=None, description="0 to 100; absent: unchanged.")
    digest_at: str | None = strawberry.field(default=None, description="Such as 20:00; absent: unchanged.")
    kinds: list[KindPreferenceInput] | None = strawberry.field(default=None, description="Those that change.")
    shop_id: strawberry.ID | None = strawberry.field(default=None, description="When given, `kinds` are of this shop alone.")


@strawberry.type
class NotificationPreferencesUpdatePayload:
    preferences: NotificationPreferences | None
    user_errors: list[MemberUserError]


@strawberry.input
class MemberUpdateInput:
    locale: str | None = strawberry.field(default=None, description="zh-TW, zh-HK, zh-CN or en; absent: unchanged.")
    time_zone: str | None = strawberry.field(
        default=None, description="IANA name of my clocks, such as Asia/Taipei, as in my notification preferences; absent: unchanged."
    )


@strawberry.type
class MemberUpdatePayload:
    member: Buyer | None = strawberry.field(description="Me, as I am now.")
    preferences: NotificationPreferences | None = strawberry.field(description="As they are now.")
    user_errors: list[MemberUserError]


@strawberry.input
class ShopMuteInput:
    shop_id: strawberry.ID
    muted: bool = strawberry.field(default=True, description="False: no longer.")
    until: datetime | None = strawberry.field(default=None, description="In the future; absent: until I say otherwise.")


@strawberry.type
class ShopMutePayload:
    preferences: NotificationPreferences | None
    user_errors: list[MemberUserError]
