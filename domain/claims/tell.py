"""What the buyer and the platform are told: drafts of notices and replies. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.claims.desk import Claim, Desk, Turn, Wait
from domain.claims.holding import Got
from domain.claims.offering import Offer, fitting, most_of, version_of_text
from domain.claims.ports import ReplyKind, SourcePlatform
from domain.claims.replies import ReplyDraft
from domain.claims.rules import ClaimOutcome, PublicReply
from domain.notices.commands import NoticeDraft
from domain.notices.rules import NoticeKind
from domain.words import Pair, language_for, say

PAGES = frozenset({SourcePlatform.FACEBOOK_PAGE, SourcePlatform.FACEBOOK_LIVE, SourcePlatform.INSTAGRAM, SourcePlatform.INSTAGRAM_LIVE})
GROUPS = frozenset({SourcePlatform.LINE_GROUP, SourcePlatform.TELEGRAM})
"""Silent unless the shop asked for an answer to each comment."""

KIND = {
    ClaimOutcome.ORDERED: NoticeKind.ORDER_PLACED,
    ClaimOutcome.PARTIAL: NoticeKind.ORDER_PARTIAL,
    ClaimOutcome.WAITLISTED: NoticeKind.WAITLISTED,
}
REPLY: dict[ClaimOutcome, Pair] = {
    ClaimOutcome.ORDERED: ("已登記,請到會員 App 查看訂單,謝謝!", "Got it! Your order is in the member app. Thank you!"),
    ClaimOutcome.PARTIAL: ("已登記現有數量,不足的部分已排入候補。", "We took what was left; you are on the waiting list for the rest."),
    ClaimOutcome.WAITLISTED: ("目前已售完,已為您排入候補。", "Sold out for now; you are on the waiting list."),
}
SHORT: Pair = ("已登記現有數量,不足的部分未成立。", "We took what was left; there is no more.")
"""PARTIAL where nobody waits for the rest."""
INVITE: Pair = (
    "訂單已登記!請用這個專屬連結到會員 App 查看(7 天內有效,只能使用一次,請勿轉傳): {link}",
    "Your order is in! See it in the member app with this link of your own (good for 7 days and one use; do not pass it on): {link}",
)
"""Private alone; the address is put in when it is sent."""
HELP: Pair = ("想下單請留言「品項+數量」,例如:+1", "To order, comment the item and a quantity, for example: +1")


def _key(turn: Turn, claim: Claim, what: str) -> str:
    """Unique per claim, kind and version of the text: the same comment seen again tells nothing twice."""
    return f"claim:{claim.id}:{what}:{int(turn.at.timestamp() * 1000)}"


def _pieces(turn: Turn, pieces: Iterable[tuple[UUID, int]]) -> list[dict[str, Any]]:
    facts = turn.reading.variants
    return [{"title": facts[v].title, "label": facts[v].label, "quantity": n} for v, n in pieces if n and v in facts]


def _notice(desk: Desk, turn: Turn, claim: Claim, kind: NoticeKind, data: Mapping[str, Any]) -> None:
    told = {"shopName": desk.shop.name, "postTitle": turn.reading.facts.title, "currency": desk.shop.currency, **data}
    desk.notices.append(NoticeDraft(turn.buyer_id, kind, _key(turn, claim, kind._value_), told, claim.is_new))


def placed(desk: Desk, turn: Turn, claim: Claim, outcome: ClaimOutcome, got: Sequence[Got]) -> None:
    """The buyer ordered, in part or in whole, or waits."""
    order = desk.orders.get((turn.buyer_id, turn.reading.facts.delivery_method))
    lines, waiting = _pieces(turn, [(g.variant_id, g.held) for g in got]), _pieces(turn, [(g.variant_id, g.waiting) for g in got])
    data: dict[str, Any] = {"lines": lines, "waiting": waiting}
    if order is not None:
        data["orderId"], data["orderNumber"], data["totalMinor"] = str(order.id), order.number, order.subtotal_minor
    if outcome in KIND:
        _notice(desk, turn, claim, KIND[outcome], data)
    else:
        rejected(desk, turn, claim, "INSUFFICIENT_STOCK")
    if desk.answers:
        _reply(desk, turn, outcome, waits=any(g.waiting for g in got))
        _invite(desk, turn, outcome)
    if order is not None and any(g.held for g in got):
        desk.events.append((order.id, "LINES_ADDED", {"lines": lines}, turn.actor))


def _speaks(turn: Turn) -> bool:
    """May this comment be answered in public? Pages unless the shop is silent; groups only if it asked for each."""
    policy, source = turn.reading.policy.public_reply, turn.event.source
    return (source in PAGES and policy is not PublicReply.NEVER) or (source in GROUPS and policy is PublicReply.EACH)


def _reply(desk: Desk, turn: Turn, outcome: ClaimOutcome, *, waits: bool) -> None:
    if outcome not in KIND or not _speaks(turn):
        return
    each = turn.reading.policy.public_reply is PublicReply.EACH
    scope = str(turn.comment.id) if each else f"{turn.reading.facts.id}:{turn.buyer_id}"
    phrase = SHORT if outcome is ClaimOutcome.PARTIAL and not waits else REPLY[outcome]
    text = say(phrase, language_for(desk.shop.locale))
    desk.replies.append(ReplyDraft(turn.comment.id, ReplyKind.PUBLIC, text, f"public:{scope}"))


def _invite(desk: Desk, turn: Turn, outcome: ClaimOutcome) -> None:
    """Ask a commenter without a member into the app, once per post, where only they can read it."""
    may = turn.event.source in PAGES and turn.event.channel_id in desk.private_links and desk.is_stranger(turn.buyer_id)
    if outcome not in KIND or not may:
        return
    text = say(INVITE, language_for(desk.shop.locale))
    key = f"private:{turn.reading.facts.id}:{turn.buyer_id}"
    desk.replies.append(ReplyDraft(turn.comment.id, ReplyKind.PRIVATE, text, key))


def help_reply(desk: Desk, turn: Turn) -> None:
    """Say publicly how to order, once per buyer and post, where the shop answers in public at all."""
    if not desk.answers or not _speaks(turn):
        return
    key = f"help:{turn.reading.facts.id}:{turn.buyer_id}"
    desk.replies.append(ReplyDraft(turn.comment.id, ReplyKind.PUBLIC, say(HELP, language_for(desk.shop.locale)), key))


def suggested(desk: Desk, turn: Turn, claim: Claim, offer: Offer, reason: str) -> None:
    """Ask the buyer privately whether this is what they meant."""
    facts, lines = turn.reading.variants, []
    for choice in offer.choices:
        variant, most = facts[choice.variant_id], most_of(turn.reading.context, choice.variant_id)
        quantity = choice.quantity if most is None else fitting(choice, most)
        lines.append(
            {"variantId": str(variant.id), "title": variant.title, "label": variant.label, "op": choice.op.value, "quantity": quantity}
        )
    data = {
        "claimId": str(claim.id),
        "version": version_of_text(turn.event.text),
        "mode": offer.mode.value,
        "lines": lines,
        "reason": reason,
    }
    _notice(desk, turn, claim, NoticeKind.SUGGESTION, data)


def rejected(desk: Desk, turn: Turn, claim: Claim, reason: str) -> None:
    """The rule said no."""
    _notice(desk, turn, claim, NoticeKind.CLAIM_REJECTED, {"reason": reason})


def lines_cancelled(desk: Desk, turn: Turn, claim: Claim, pieces: Mapping[UUID, int], reason: str = "") -> None:
    """Pieces were given back at the buyer's word; the reason, if there is one, says why it was not all that was asked."""
    lines = _pieces(turn, pieces.items())
    _notice(desk, turn, claim, NoticeKind.LINES_CANCELLED, {"lines": lines, **({"reason": reason} if reason else {})})
    moved = {m.order_line_id for m in desk.movements[desk.began :] if m.actor == turn.actor and m.held_delta < 0}
    touched = {x.order_id for x in desk.lines.get(turn.buyer_id, ()) if x.id in moved}
    desk.events += [(order_id, "LINES_CANCELLED", {"lines": lines}, turn.actor) for order_id in sorted(touched)]


def ask_buyer(desk: Desk, turn: Turn, claim: Claim, reason: str) -> None:
    """Something must be said by the buyer: which line, keep or drop."""
    _notice(desk, turn, claim, NoticeKind.ASK_BUYER, {"claimId": str(claim.id), "reason": reason})


def waitlist_filled(desk: Desk, turn: Turn, claim: Claim, place: Wait, pieces: int) -> None:
    """Pieces that somebody waited for are theirs now. The rest that still waits makes the notice unique."""
    order = desk.orders[turn.buyer_id, turn.reading.facts.delivery_method]
    lines = _pieces(turn, [(place.variant_id, pieces)])
    base = {"shopName": desk.shop.name, "postTitle": turn.reading.facts.title, "currency": desk.shop.currency}
    data = {"lines": lines, "orderId": str(order.id), "orderNumber": order.number, "totalMinor": order.subtotal_minor}
    key = f"waitlist:{place.id}:{claim.id}:{place.quantity}:{int(place.queued_at.timestamp())}"
    desk.notices.append(NoticeDraft(turn.buyer_id, NoticeKind.WAITLIST_FILLED, key, {**base, **data}))
    desk.events.append((order.id, "LINES_ADDED", {"lines": lines, "from": "waitlist"}, turn.actor))


def waitlist_offered(desk: Desk, turn: Turn, place: Wait, offer_id: UUID, pieces: int, until: datetime) -> None:
    """Pieces that somebody waits for are kept for them until then. An offer that grows is told of again."""
    lines = _pieces(turn, [(place.variant_id, pieces)])
    told = {"shopName": desk.shop.name, "postTitle": turn.reading.facts.title, "currency": desk.shop.currency, "lines": lines}
    told |= {"offerId": str(offer_id), "expiresAt": until.isoformat(), "timeZone": desk.shop.time_zone}
    desk.notices.append(NoticeDraft(turn.buyer_id, NoticeKind.WAITLIST_OFFERED, f"waitlist_offer:{offer_id}:{pieces}", told))
