"""The member's inbox."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import strawberry

from api.notifications.messages import PushText, push_text
from api.resolvers.base import Asked, GraphQLContext, Info, attach, keys_of, question, selected
from api.resolvers.lists import Listed, member_list
from api.resolvers.mutation import InvalidInput, mutation
from api.schema.errors import MemberUserError
from api.schema.member import Buyer
from api.schema.notice import NotificationConnection, NotificationFilter, NotificationsMarkReadInput, NotificationsMarkReadPayload
from domain.db import from_jsonb
from domain.notices import commands, screens
from domain.notices.pushing import TOPICS
from domain.notices.rules import NoticeKind
from domain.paging import MAX_SIZE, Args, Row, Slice
from domain.paging.written import Fields, Made, Part, Screen


def with_words(row: Row, language: str) -> Row:
    """The notice with its title, body and link in this language: the same words as its push."""
    said = push_text(row["kind"], row.pop("data"), language)
    return {**row, "title": said.title, "body": said.body, "deep_link": said.deep_link}


@lru_cache(maxsize=4)
def _fields(language: str) -> Fields:
    """A notice as text with its words in this language."""

    def words(kind: str, data: str) -> PushText:
        return push_text(kind, from_jsonb(data), language)

    made = Made(screens.NOTICE_FACTS, words)
    return Fields({**screens.NOTICE_FIELDS.entries, **{name: Part(made, name) for name in ("title", "body", "deep_link")}})


def _narrowed(filter: NotificationFilter | None) -> screens.NoticeFilter:
    """The app's filter as the domain's; unknown shops stand for nothing."""
    if filter is None:
        return screens.NoticeFilter()
    kinds = None if filter.kinds is None else set(filter.kinds)
    if filter.topics is not None:
        of_topics = {kind for kind in NoticeKind if TOPICS[kind] in filter.topics}
        kinds = of_topics if kinds is None else kinds & of_topics
    shops = None if filter.shop_ids is None else tuple(sorted(keys_of(filter.shop_ids, "shop")))
    return screens.NoticeFilter(filter.unread, None if kinds is None else tuple(sorted(kinds)), shops, filter.since)


def _notifications(
    context: GraphQLContext, args: Args, *, filter: NotificationFilter | None = None, **page: Any
) -> tuple[Asked, Screen]:  # fmt: skip
    narrowed = _narrowed(filter)
    found, member_id = question(context, "me.notifications", narrowed, **page), context.require_viewer().member_id
    fields = _fields(context.language)
    return found, screens.notices_screen(member_id, args, page=found.page, narrowed=narrowed, fields=fields, now=context.now())


@strawberry.type
class BuyerNotices:
    """Fields of the signed-in buyer."""

    @member_list(NotificationConnection, "My inbox, newest first.", screen=_notifications)
    async def notifications(self, listed: Listed, filter: NotificationFilter | None = None) -> Slice:
        narrowed, context = _narrowed(filter), listed.info.context
        part = await screens.notices_of_member(
            listed.owner_id, **listed.page(narrowed), now=context.now(), narrowed=narrowed, count_unread="unread_count" in listed.wanted
        )
        part.rows[:] = [with_words(row, context.language) for row in part.rows]
        return part


attach(Buyer, BuyerNotices)


@strawberry.type
class NoticeMutations:
    @mutation(MemberUserError, NotificationsMarkReadPayload, "INVALID_INPUT")
    async def notifications_mark_read(self, info: Info, input: NotificationsMarkReadInput) -> Row:
        """Mark notifications of mine as read: those named, or all up to an instant."""
        member_id, wanted = info.context.require_viewer().member_id, selected(info)
        if len(input.ids) > MAX_SIZE:
            raise InvalidInput("ids")
        ids, found = keys_of(input.ids, "notice"), Row()
        now = info.context.now()
        if input.all_before is not None:
            await commands.mark_all_read(member_id=member_id, before=input.all_before, now=now)
        await commands.mark_read(member_id=member_id, ids=ids, now=now)
        if "notifications" in wanted:
            rows = await screens.notices_by_id(member_id, ids, wanted=wanted["notifications"], now=now)
            found["notifications"] = [with_words(row, info.context.language) for row in rows.values()]
        if "unread_count" in wanted:
            found["unread_count"] = await screens.unread_of_member(member_id, now=now)
        return found
