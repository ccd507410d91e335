"""The member's inbox."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.schema.errors import MemberUserError
from api.schema.paging import Edge, Node, PageInfo
from api.schema.shop import Shop
from domain.notices.rules import NoticeKind

strawberry.enum(NoticeKind, name="NotificationKind", description="Treat unknown values as an announcement.")


@strawberry.type(description="Something a buyer should know; it is here whatever became of the push.")
class Notification(Node):
    kind: NoticeKind
    title: str
    body: str
    deep_link: str
    shop: Shop
    created_at: datetime
    read_at: datetime | None
    resume_from: str | None = strawberry.field(description="In a stream: pass it as `since` to go on behind this one. Null elsewhere.")
    expired: bool = strawberry.field(description="It asked for an answer that is no longer taken; it counts as read.")


@strawberry.type(description="The inbox, newest first.")
class NotificationConnection:
    nodes: list[Notification]
    edges: list[Edge[Notification]]
    page_info: PageInfo
    total_count: int | None
    total_count_is_exact: bool | None
    unread_count: int = strawberry.field(description="Unread notifications of the whole inbox; at most 1000 are counted.")


@strawberry.input(description="Narrows the inbox; absent fields narrow nothing.")
class NotificationFilter:
    unread: bool | None = None


@strawberry.input
class NotificationsMarkReadInput:
    ids: list[strawberry.ID] = strawberry.field(description="At most 100; others' and unknown ones change nothing.")


@strawberry.type
class NotificationsMarkReadPayload:
    notifications: list[Notification] | None
    unread_count: int | None
    user_errors: list[MemberUserError]
