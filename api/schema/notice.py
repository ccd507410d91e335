"""The member's inbox."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.schema.errors import MemberUserError
from api.schema.paging import Edge, Node, PageInfo
from api.schema.shop import Shop
from domain.notices.pushing import NoticeTopic
from domain.notices.rules import NoticeKind

strawberry.enum(NoticeKind, name="NotificationKind", description="Treat unknown values as an announcement.")


strawberry.enum(NoticeTopic, name="NotificationTopic", description="What notifications are about. Treat unknown values as ORDER.")


@strawberry.type(description="Something a buyer should know; it is here whatever became of the push.")
class Notification(Node):
    kind: NoticeKind
    topic: NoticeTopic
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
    kinds: list[NoticeKind] | None = strawberry.field(default=None, description="Only these kinds.")
    topics: list[NoticeTopic] | None = strawberry.field(default=None, description="Only what is about one of these.")
    shop_ids: list[strawberry.ID] | None = strawberry.field(default=None, description="Only news of these shops.")
    since: datetime | None = strawberry.field(default=None, description="Came at this instant or later.")


@strawberry.input
class NotificationsMarkReadInput:
    ids: list[strawberry.ID] = strawberry.field(default_factory=list, description="At most 100; others' and unknown ones change nothing.")
    all_before: datetime | None = strawberry.field(
        default=None, description="All that came until this instant, such as the `createdAt` of the newest one that was seen."
    )


@strawberry.type
class NotificationsMarkReadPayload:
    notifications: list[Notification] | None
    unread_count: int | None
    user_errors: list[MemberUserError]
