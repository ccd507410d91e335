"""A shop tells its buyers something."""

from __future__ import annotations

from uuid import UUID

import strawberry

from api.resolvers.base import Info, key_of
from api.resolvers.mutation import effect, mutation, text
from api.schema.announcement import AnnouncementCreateInput, AnnouncementCreatePayload
from api.schema.errors import AnnouncementUserError
from domain.notices import announcements
from domain.notices.announcements import LONGEST_BODY, LONGEST_TITLE, Words
from domain.paging import Row
from domain.shops.rules import Permission


@strawberry.type
class AnnouncementMutations:
    @mutation(
        AnnouncementUserError,
        AnnouncementCreatePayload,
        "NOT_FOUND PERMISSION_DENIED INVALID_INPUT TOO_MANY_ANNOUNCEMENTS",
        idempotent=True,
    )
    async def announcement_create(self, info: Info, input: AnnouncementCreateInput) -> Row:
        """Tell the shop's buyers something, or those of one post: into the inbox of each who wants it. At most 3 within 24 hours."""
        viewer, shop_id = info.context.require_viewer(), key_of(input.shop_id, "shop")
        actor = await info.context.require(Permission.ANNOUNCE, shop_id)
        words = Words(text(input.title, "title", LONGEST_TITLE, shortest=1), text(input.body, "body", LONGEST_BODY))
        post_id = None if input.post_id is None else key_of(input.post_id, "post")

        async def act() -> Row:
            announcement_id = await announcements.announce(
                shop_id=shop_id, post_id=post_id, words=words, by_member_id=viewer.member_id, actor=actor, now=info.context.now(),
                jobs=info.context.services.jobs,
            )  # fmt: skip
            return {"announcement": str(announcement_id)}

        done = await effect(info, input, act)
        return {"announcement": await announcements.announcement_of_shop(shop_id, UUID(done["announcement"]))}
