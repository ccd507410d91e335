"""What a shop tells its buyers."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.schema.errors import AnnouncementUserError


@strawberry.type(description="What a shop told its buyers, or those of one post.")
class Announcement:
    id: strawberry.ID
    title: str
    body: str
    post_id: strawberry.ID | None = strawberry.field(description="The post whose buyers are told; null for all of the shop's.")
    told: int = strawberry.field(description="Buyers told so far.")
    done_at: datetime | None = strawberry.field(description="When all were told; null until then.")
    created_at: datetime


@strawberry.input
class AnnouncementCreateInput:
    shop_id: strawberry.ID
    post_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only those who ordered from this post; absent: all buyers of the shop."
    )
    title: str = strawberry.field(description="1 to 60 characters.")
    body: str = strawberry.field(default="", description="At most 500 characters; a phone shows the first 180.")


@strawberry.type
class AnnouncementCreatePayload:
    announcement: Announcement | None
    user_errors: list[AnnouncementUserError]
