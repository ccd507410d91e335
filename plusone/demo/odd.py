"""What else comes in of an evening: forged deliveries, and rightly signed ones with something odd in them.

Each must be answered as written beside it, and none of them may stop or change anything else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from domain.providers.platforms.wire import facebook_wire, line_wire, telegram_wire
from plusone.demo.payloads import channel_post, chat_of, facebook_change, facebook_delivery, line_delivery, line_event, millis, seconds
from plusone.demo.people import digits, hexadecimal, subject_of
from plusone.demo.places import COLLECTOR, EVENING, FACEBOOK, GANGDO_BOT, ISLAND_BOT, LINE, PLACES, EndpointOfDemo
from plusone.demo.script import script


@dataclass(frozen=True, slots=True)
class Odd:
    """One odd delivery, `after_s` seconds after the start. `forged`: signed with another secret. `parked`: events that a person must look at."""

    name: str
    shop: str
    endpoint: EndpointOfDemo
    after_s: int
    body: bytes
    forged: bool = False
    events: int = 1
    parked: int = 0


def _line(name: str, after_s: int, **event: Any) -> dict[str, Any]:
    return {
        "mode": "active",
        "timestamp": millis(EVENING) + after_s * 1000,
        "source": {"type": "group", "groupId": PLACES["amei_line"].channel, "userId": subject_of("詹美鳳", "line")},
        "webhookEventId": f"01KODD0{hexadecimal(name, 19).upper()}",
        "deliveryContext": {"isRedelivery": False},
        **event,
    }


def _reaction(after_s: int) -> Mapping[str, Any]:
    place = PLACES["amei_page"]
    return {
        "value": {
            "from": {"id": subject_of("林小美", "facebook"), "name": "林小美"},
            "post_id": place.post,
            "created_time": seconds(EVENING) + after_s,
            "item": "reaction",
            "parent_id": place.post,
            "reaction_type": "love",
            "verb": "add",
        },
        "field": "feed",
    }


def _page(after_s: int, *changes: Any) -> bytes:
    return facebook_wire(facebook_delivery([(PLACES["amei_page"].channel, seconds(EVENING) + after_s, list(changes))]))


def _chatter(name: str, after_s: int, text: str, **more: Any) -> dict[str, Any]:
    """A comment on the page's post by somebody who orders nothing."""
    place = PLACES["amei_page"]
    value = {
        "from": {"id": subject_of("徐若琪", "facebook"), "name": "徐若琪"},
        "message": text,
        "post_id": place.post,
        "comment_id": f"{place.post.partition('_')[2]}_{digits(f'odd/{name}', 16)}",
        "created_time": seconds(EVENING) + after_s,
        "item": "comment",
        "parent_id": place.post,
        "verb": "add",
        **more,
    }
    return {"value": value, "field": "feed"}


def _member_joined(after_s: int) -> bytes:
    person = {"id": int(subject_of("游素珍", "telegram")), "is_bot": False, "first_name": "素珍"}
    change = {
        "chat": chat_of(PLACES["island_telegram"]),
        "from": person,
        "date": seconds(EVENING) + after_s,
        "old_chat_member": {"user": person, "status": "left"},
        "new_chat_member": {"user": person, "status": "member"},
    }
    return telegram_wire({"update_id": 720_000_001, "chat_member": change})


_first_order = next(line for line in script() if line.place.key == "amei_page" and line.who == "林小美")
_first_message = next(line for line in script() if line.place.key == "amei_line")

ODD: Final = (
    # The very order that will come again rightly signed: a forged copy must not take its place.
    Odd("forged order", "amei", FACEBOOK, 14, _page(14, facebook_change(_first_order)), forged=True, events=0),
    Odd("forged message", "amei", LINE, 11, line_wire(line_delivery([line_event(_first_message)])), forged=True, events=0),
    Odd("the console's check", "amei", LINE, 5, line_wire(line_delivery([])), events=0),
    Odd("a reaction", "amei", FACEBOOK, 33, _page(33, _reaction(33))),
    Odd("a message in stand-by", "amei", LINE, 66, line_wire(line_delivery([_line("standby", 66, type="message", mode="standby")]))),
    Odd("an event of tomorrow", "amei", LINE, 77, line_wire(line_delivery([_line("tomorrow", 77, type="somethingNew", somethingNew={"x": 1})]))),
    Odd("a member joined", "island", ISLAND_BOT, 290, _member_joined(290)),
    Odd("the channel's own post", "gangdo", GANGDO_BOT, 1, telegram_wire({"update_id": 730_000_001, "channel_post": channel_post()})),
    Odd("unknown fields", "amei", FACEBOOK, 205, _page(205, _chatter("fields", 205, "路過看看", sentiment={"score": [1, 2]}, verified=None))),
    Odd("NUL in a text", "amei", FACEBOOK, 232, _page(232, _chatter("nul", 232, "手滑按到\x00了"))),
    Odd("a lone surrogate", "amei", FACEBOOK, 251, _page(251, _chatter("surrogate", 251, "這個表情壞掉 \ud83d"))),
    Odd("a text that is none", "amei", FACEBOOK, 263, _page(263, _chatter("number", 263, "", message=42), "no change"), events=2, parked=2),
    Odd("not JSON", "amei", FACEBOOK, 281, b'{"object":"page","entry":[{', parked=1),
    Odd("an item that is none", "gangdo", COLLECTOR, 306, json.dumps({"batch_id": "odd-1", "items": ["+1", 7]}).encode(), events=2, parked=2),
    Odd("another schema", "gangdo", COLLECTOR, 321, json.dumps({"items": [{"schema": "plusone.comment/9", "text": "M1+1"}]}).encode(), parked=1),
)  # fmt: skip
"""By hand, in no order. The comments among them order nothing."""
