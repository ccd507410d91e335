"""What people say to a page's or an account's own chat, and words that a link into that chat carries (`m.me`, `ig.me`: `?ref=`).

Only what can hold a claim code is read: a text, the word of a referral, of a button pressed at the start of a thread, and of an opt-in.
The person is known by an id of this page or account alone; at Facebook it is not the id that their comments come under.

Sources: Meta for Developers, "Messenger Platform: messages, messaging_referrals, messaging_postbacks, messaging_optins webhook events",
"m.me links", "Instagram Messaging: ig.me links" (read 2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from domain.providers.platforms.events import ident
from domain.providers.platforms.text import label, mapping

BOXES: Final = ("messaging", "standby")
"""`standby`: another program answers in this thread; a code is heard all the same."""


def said_in_chat(payload: Mapping[str, Any], value: Mapping[str, Any]) -> tuple[str, str] | None:
    """(who, words) of one thing in the chat of a page; None for everything that says nothing, or that the page said itself."""
    person = ident(mapping(value.get("sender")).get("id"))
    if payload.get("field") not in BOXES or not person or person == payload.get("page"):
        return None
    words = _words(value)
    return (person, words) if words else None


def _words(value: Mapping[str, Any]) -> str:
    message, postback = mapping(value.get("message")), mapping(value.get("postback"))
    if message.get("is_echo"):
        return ""
    text = message.get("text")
    carried = (value.get("referral"), message.get("referral"), postback.get("referral"), value.get("optin"))
    refs = [label(mapping(link).get("ref")) for link in carried]
    return "\n".join(part for part in (text if isinstance(text, str) else "", *refs) if part)
