"""What the claims room asks of a social platform. One file per platform under `domain/providers/platforms/` answers it.

Nothing here does I/O: a platform checks raw bytes, cuts a delivery into events, and reads one event into a canonical one.
Sending is a port of its own (`ReplySender`), because not every platform that we can read can be answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from domain.shops.rules import SourcePlatform as SourcePlatform
from domain.values import Word, value


class EventKind(Word):
    """What a platform event says about a comment."""

    ADD = "ADD"
    EDIT = "EDIT"
    REMOVE = "REMOVE"
    HIDE = "HIDE"
    UNHIDE = "UNHIDE"
    POST_LINK = "POST_LINK"
    """The platform copied one of our posts somewhere (Telegram channel post into its discussion group)."""
    SNAPSHOT = "SNAPSHOT"
    """A list of the comments that somebody saw under a post; `SocialEvent.snapshot` is it."""
    MESSAGE = "MESSAGE"
    """Said in the chat of the page itself, or carried by a link into it: no comment; only a claim code in it is heard."""
    FOLLOWED = "FOLLOWED"
    """Somebody added the account to their friends (LINE)."""
    ACCOUNT_LINKED = "ACCOUNT_LINKED"
    """The platform says that the person is who came to it with this nonce; the text is the nonce, and is never shown or logged."""
    ACCOUNT_NOT_LINKED = "ACCOUNT_NOT_LINKED"
    """The platform could not or would not say so of this nonce."""
    OTHER = "OTHER"
    """Rightly signed, nothing to do: reactions, joins, unknown future kinds. Kept, never acted on."""


class TimeSource(StrEnum):
    """Whose clock `occurred_at` shows."""

    PLATFORM = "platform"
    DELIVERY = "delivery"
    OBSERVER = "observer"


@dataclass(frozen=True, slots=True)
class EndpointSecret:
    """What one webhook endpoint knows of its platform; decrypted, never logged (its repr shows no secret)."""

    secret: str = field(repr=False)
    verify_token: str = field(default="", repr=False)
    destination: str = ""
    """The receiving account named in the body (LINE: the bot's user id); empty when not checked."""


@value
class RawEvent:
    """One event of a verified delivery, as it is stored in the inbox. All texts are free of NUL and lone surrogates."""

    external_key: str
    """De-duplication key within (endpoint's source); at most 200 characters."""
    lane: str
    """What is processed one at a time and in platform order: a post, or a conversation where the platform knows no posts."""
    occurred_at: datetime | None
    """Time by the platform, UTC; None when the event carries none."""
    payload: Mapping[str, Any]
    """The JSON of this event with what it needs of its envelope; `parse` reads nothing else."""
    written: str = field(default="", repr=False, compare=False)
    """The payload as JSON text where the platform has it at hand; empty: whoever stores it writes it."""
    repeatable: bool = field(default=False, repr=False, compare=False)
    """An added comment and nothing else: heard again it changes nothing, so the inbox may keep it together with others."""


@value
class Snapshot:
    """What a collector saw under one post at one time."""

    id: str
    """Its own name for this look at the page; several deliveries of one look share it."""
    complete: bool
    """Every comment that can be seen there is in the list, or in the lists of the other parts."""
    part: int
    """From 1 to `parts`."""
    parts: int
    taken_at: datetime
    """When the look began, by the collector's clock."""
    seen: frozenset[str]
    """External ids of the comments."""


@value
class SocialEvent:
    """One platform event in the common form (fields of the platforms' fact sheet, section 1.1)."""

    kind: EventKind
    source: SourcePlatform
    channel_id: str
    """External id of the page, group or chat."""
    comment_id: str
    """External id, unique within the channel; stable over edits."""
    post_id: str = ""
    """External id of the post or thread; empty where the platform knows none (LINE group: the group's open post is meant)."""
    parent_comment_id: str = ""
    quoted_comment_id: str = ""
    """The message that this one quotes (LINE `quotedMessageId`, Telegram reply outside a thread)."""
    author_id: str = ""
    """Scoped id of the author; empty when the platform gives none (the comment then waits for matching)."""
    author_name: str = ""
    text: str = ""
    mentions: Sequence[tuple[int, int]] | None = None
    """Code point spans of tagged people; None when the platform gives none."""
    attachments: Sequence[Mapping[str, Any]] = ()
    occurred_at: datetime | None = None
    """When this event happened by the platform (for an edit: the time of the edit)."""
    time_source: TimeSource = TimeSource.PLATFORM
    permalink: str = ""
    is_owner: bool = False
    """Written by the page, an anonymous admin, the channel or a bot."""
    is_bot: bool = False
    """Written by a program, where the platform says so; then `is_owner` is set too."""
    reply_token: str = ""
    """LINE: free answer for about one minute."""
    links_to: tuple[str, str] | None = None
    """With POST_LINK: (channel id, post id) of the original post."""
    snapshot: Snapshot | None = None
    """With SNAPSHOT."""


class Unreadable(ValueError):
    """This event cannot be read; the inbox parks it with this text as the reason."""


class Platform(Protocol):
    """One social platform. Pure: no I/O, no clock but the argument."""

    name: str
    """The `{source}` segment of the webhook address: facebook, instagram, line, telegram, generic."""

    def handshake(self, query: Mapping[str, str], secret: EndpointSecret) -> tuple[int, str] | None:
        """HTTP status and plain text that answer the platform's GET challenge; None if this platform has none."""
        ...

    def verify(self, headers: Mapping[str, str], body: bytes, secret: EndpointSecret, *, now: datetime) -> bool:
        """True when the signature over the raw bytes is right. Header names are lower case. Compares bytes in constant time."""
        ...

    def split(self, body: bytes, *, received_at: datetime) -> list[RawEvent]:
        """Cut a verified delivery into events; parts that cannot be read become events of their own that `parse` refuses.

        Never raises: a body that is not JSON gives one event keyed by its hash.
        """
        ...

    def parse(self, payload: Mapping[str, Any]) -> SocialEvent:
        """Read one stored event.

        Raises:
            Unreadable: the event cannot be understood; it is parked with the reason.
        """
        ...


class ReplyKind(StrEnum):
    """How a comment is answered."""

    PUBLIC = "PUBLIC"
    PRIVATE = "PRIVATE"


@dataclass(frozen=True, slots=True)
class OutgoingReply:
    """One answer to one comment."""

    reply_id: str
    """Ours, unique: the idempotency key where the platform takes one."""
    platform: str
    """`Platform.name` of the receiver."""
    kind: ReplyKind
    channel_id: str
    comment_id: str
    post_id: str
    author_id: str
    reply_token: str
    text: str = field(repr=False)


class ReplyRefused(Exception):
    """The platform will never take this reply; it is closed with the reason."""


class ReplyDelayed(Exception):
    """Try again, not before `retry_after_seconds`."""

    def __init__(self, reason: str, retry_after_seconds: float = 5.0) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class SentReply:
    """The platform has a reply."""

    external_id: str
    """The platform's id of it."""
    recipient_id: str = ""
    """Who got a private one, by the id of the page's messages; empty where the platform does not say."""


class ReplySender(Protocol):
    """Sends replies to the platforms. The network call stands outside of any transaction."""

    async def send(self, reply: OutgoingReply) -> SentReply:
        """Send one reply.

        Raises:
            ReplyRefused: terminal.
            ReplyDelayed: throttled or temporarily away.
        """
        ...
