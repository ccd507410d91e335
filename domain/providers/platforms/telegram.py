"""Telegram: messages that a bot sees in groups, in discussions under channel posts and in private chats.

What decides here: the body is not signed, a secret token in a header vouches for it; one update per request; `update_id` is its key
(the endpoint is the bot); comments under a channel post carry `message_thread_id` of the post's copy in the discussion group, at every
depth, so the thread and not the reply leads to the post; places in a text count UTF-16 units; deletions are not told.
Raw objects are read on purpose: typed models fail on fields that a newer Bot API leaves out or adds.

Sources: Telegram, "Bot API: Update, Message, MessageEntity, MessageOrigin, setWebhook" (Bot API 10.3, read 2026-11).
"""

# ruff: noqa: ARG002 -- the port gives every platform the same arguments.
from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.claims.ports import EndpointSecret, EventKind, RawEvent, SocialEvent, SourcePlatform, Unreadable
from domain.providers.platforms.events import Refusals, content_digest, ident, raw_event, refuse_unreadable, required, text_or_empty
from domain.providers.platforms.signatures import same, single_header
from domain.providers.platforms.text import (
    NotJsonError,
    Spans,
    clean,
    clean_text,
    display_name,
    label,
    listing,
    mapping,
    moment_of_seconds,
    read_json,
    utf16_spans_to_code_points,
)

TELEGRAM_ITSELF = 777000
"""`from` of a channel post that Telegram copied into the discussion group."""
GROUP_ANONYMOUS_BOT = 1087968824
"""`from` of an anonymous admin."""
CHANNEL_BOT = 136817688
"""`from` of a person who writes as a channel of theirs; `sender_chat` is that channel."""
KINDS: Mapping[str, EventKind] = {
    "message": EventKind.ADD,
    "edited_message": EventKind.EDIT,
    "channel_post": EventKind.OTHER,
    "edited_channel_post": EventKind.OTHER,
}
MEDIA = (
    *("photo", "video", "animation", "document", "audio", "voice", "video_note", "sticker", "live_photo", "paid_media", "story"),
    *("contact", "location", "venue", "poll", "dice", "game", "checklist"),
)
_MENTIONS = frozenset({"mention", "text_mention"})


class Telegram:
    """Telegram behind the `Platform` port."""

    name = "telegram"

    def handshake(self, query: Mapping[str, str], secret: EndpointSecret) -> tuple[int, str] | None:
        """Telegram has none."""
        return None

    def verify(self, headers: Mapping[str, str], body: bytes, secret: EndpointSecret, *, now: datetime) -> bool:
        """The secret token that we gave to `setWebhook`."""
        return same(single_header(headers, "x-telegram-bot-api-secret-token"), secret.secret)

    def split(self, body: bytes, *, received_at: datetime) -> list[RawEvent]:
        """The one update of the delivery."""
        refusals = Refusals(self.name, body)
        try:
            update = read_json(body)
        except NotJsonError as error:
            return [refusals.whole_body(str(error))]
        if not isinstance(update, dict) or not update:
            return [refusals.part(update, "the update is not an object")]
        cleaned = clean(update)
        key = ident(cleaned.get("update_id")) or content_digest(cleaned)
        return [raw_event(self.parse, {"update": cleaned}, key=key, lane=f"telegram:{_chat_id(cleaned)}")]

    def parse(self, payload: Mapping[str, Any]) -> SocialEvent:
        """Read one update.

        Raises:
            Unreadable: a message without its ids, or with a text that is none.
        """
        refuse_unreadable(payload)
        update = mapping(payload.get("update"))
        for field, kind in KINDS.items():
            if field in update:
                if not isinstance(update[field], dict):
                    raise Unreadable(f"{field} is not an object")
                return _message(kind, update[field])
        if not ident(update.get("update_id")):
            raise Unreadable("an update of no known kind and without update_id")
        return SocialEvent(
            kind=EventKind.OTHER, source=SourcePlatform.TELEGRAM, channel_id=_chat_id(update), comment_id="", occurred_at=_date(update)
        )


def _body_of(update: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object beside `update_id`: a message, a member change, a pressed button."""
    return next((value for key, value in update.items() if key != "update_id" and isinstance(value, dict)), {})


def _chat_id(update: Mapping[str, Any]) -> str:
    inner = _body_of(update)
    chat = inner.get("chat") or mapping(inner.get("message")).get("chat")
    return ident(mapping(chat).get("id"))


def _date(update: Mapping[str, Any]) -> datetime | None:
    return moment_of_seconds(_body_of(update).get("date"))


def _message(kind: EventKind, message: Mapping[str, Any]) -> SocialEvent:
    if message.get("is_automatic_forward") is True:
        return _post_link(message)
    field = "text" if "text" in message else "caption"
    attachments = _attachments(message)
    # Neither text nor media: a service message (members, migration, pins) or a kind that is still to come.
    if field not in message and not attachments:
        kind = EventKind.OTHER
    text = text_or_empty(message.get(field), field)
    author_id, author_name = _author(message)
    thread_id, parent_id, quoted_id = _place(message)
    return SocialEvent(
        kind=kind,
        source=SourcePlatform.TELEGRAM,
        channel_id=_channel_id(message),
        comment_id=required(message.get("message_id"), "message_id"),
        post_id=thread_id,
        parent_comment_id=parent_id,
        quoted_comment_id=quoted_id,
        author_id=author_id,
        author_name=author_name,
        text=text,
        mentions=_mentions(text, message.get("entities" if field == "text" else "caption_entities")),
        attachments=attachments,
        occurred_at=_occurred_at(kind, message),
        permalink=_permalink(message),
        is_owner=_is_owner(message),
        is_bot=_is_bot(message),
    )


def _post_link(message: Mapping[str, Any]) -> SocialEvent:
    """A channel post that Telegram copied into the discussion group: its id there is what comments name as their thread."""
    origin = mapping(message.get("forward_origin"))
    channel = mapping(origin.get("chat")) or mapping(message.get("forward_from_chat"))
    post = origin.get("message_id", message.get("forward_from_message_id"))
    own_id = required(message.get("message_id"), "message_id")
    return SocialEvent(
        kind=EventKind.POST_LINK,
        source=SourcePlatform.TELEGRAM,
        channel_id=_channel_id(message),
        comment_id=own_id,
        post_id=own_id,
        author_id=ident(channel.get("id")),
        author_name=display_name(channel.get("title")),
        text=text_or_empty(message.get("text", message.get("caption")), "text"),
        occurred_at=moment_of_seconds(message.get("edit_date", message.get("date"))),
        permalink=_permalink(message),
        is_owner=True,
        links_to=(required(channel.get("id"), "forward_origin.chat.id"), required(post, "forward_origin.message_id")),
    )


def _channel_id(message: Mapping[str, Any]) -> str:
    return required(mapping(message.get("chat")).get("id"), "chat.id")


def _occurred_at(kind: EventKind, message: Mapping[str, Any]) -> datetime | None:
    if kind is EventKind.EDIT or "edit_date" in message:
        return moment_of_seconds(message.get("edit_date"))
    return moment_of_seconds(message.get("date"))


def _author(message: Mapping[str, Any]) -> tuple[str, str]:
    """Id and name; whoever writes as a chat is known by that chat alone."""
    chat = mapping(message.get("sender_chat"))
    if chat:
        return ident(chat.get("id")), display_name(chat.get("title"))
    person = mapping(message.get("from"))
    # Given name first, as Telegram itself shows people of every country.
    names = (display_name(person.get("first_name")), display_name(person.get("last_name")))
    return ident(person.get("id")), display_name(" ".join(part for part in names if part))


def _is_owner(message: Mapping[str, Any]) -> bool:
    """Written by an anonymous admin, by the group or its linked channel as such, or by a bot."""
    sender, chat = mapping(message.get("from")), mapping(message.get("sender_chat"))
    if chat and ident(chat.get("id")) in (ident(mapping(message.get("chat")).get("id")), _linked_channel_id(message)):
        return True
    if sender.get("id") in (TELEGRAM_ITSELF, GROUP_ANONYMOUS_BOT):
        return True
    return _is_bot(message)


def _is_bot(message: Mapping[str, Any]) -> bool:
    """A program of its own; people who write anonymously or as a channel stand behind bots of Telegram itself."""
    sender = mapping(message.get("from"))
    return sender.get("is_bot") is True and sender.get("id") not in (CHANNEL_BOT, GROUP_ANONYMOUS_BOT)


def _linked_channel_id(message: Mapping[str, Any]) -> str | None:
    """The channel whose post is discussed, as far as the message itself shows it."""
    root = mapping(message.get("reply_to_message"))
    is_copy = root.get("is_automatic_forward") is True
    return ident(mapping(root.get("sender_chat")).get("id")) or None if is_copy else None


def _place(message: Mapping[str, Any]) -> tuple[str, str, str]:
    """Thread, parent comment and quoted message.

    An answer to the first message of a topic or of a discussion is a comment of the first level. Telegram opens a thread under any
    message of a supergroup that is answered, too; that one is no post, and the answered message is what may lead to one.
    """
    thread_id = ident(message.get("message_thread_id"))
    answered = mapping(message.get("reply_to_message"))
    answered_id = ident(answered.get("message_id"))
    if not thread_id:
        return "", "", answered_id
    if answered_id != thread_id:
        return thread_id, answered_id, ""
    is_root = message.get("is_topic_message") is True or answered.get("is_automatic_forward") is True
    return (thread_id, "", "") if is_root else ("", "", answered_id)


def _mentions(text: str, entities: Any) -> Spans | None:
    people = [entity for entity in map(mapping, listing(entities)) if label(entity.get("type")) in _MENTIONS]
    return utf16_spans_to_code_points(text, ((entity.get("offset"), entity.get("length")) for entity in people))


def _attachments(message: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    group_id = ident(message.get("media_group_id"))
    album = {"media_group_id": group_id} if group_id else {}
    found = [kind for kind in MEDIA if message.get(kind) is not None]
    return tuple({"type": kind, **_file(message[kind]), **album} for kind in found)


def _file(media: Any) -> Mapping[str, str]:
    """The file id; of a photo's sizes the last, which is the largest."""
    file_id = mapping(media[-1] if isinstance(media, list) and media else media).get("file_id")
    return {"file_id": clean_text(file_id)} if isinstance(file_id, str) else {}


def _permalink(message: Mapping[str, Any]) -> str:
    """Address for members of a supergroup; other chats have none."""
    chat_id, message_id = _channel_id(message), ident(message.get("message_id"))
    return f"https://t.me/c/{chat_id.removeprefix('-100')}/{message_id}" if chat_id.startswith("-100") else ""
