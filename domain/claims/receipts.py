"""Claim receipts: why an order line is there, from the words of the comment to every change since, signed by this deployment.

A receipt is made when it is asked for; asked twice, it is signed twice, each time as things stand. It names no person: who acted is told
by role, and what staff wrote in their own words is left out. Source: docs/rules/receipts.md.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain import db
from domain.claims.planning import text_hash
from domain.claims.proof import FORMAT, VERSION, ReceiptKey, SignedReceipt, sign
from domain.ids import public_id
from domain.members import keys
from domain.members.rules import KeyUse
from domain.money import Money
from domain.orders.shapes import read_matched
from domain.paging import Shape
from domain.shops.rules import Permission, Role
from domain.shops.screens import visible

MOST: Final = 200
"""Entries of one kind that a receipt tells, the first ones; `complete` is false when there are more."""

BY_WHOM: Final = """(select a.role from audit_entry a where a.object_id = {order} and a.actor = {actor} and a.at = {at} and a.role <> '' limit 1),
  (select k.external_id from social_comment k where k.buyer_id = c.buyer_id
     and k.id = case when {actor} like 'comment:%' then substr({actor}, 9)::uuid end)"""
"""The role of a member who acted on an order, and the platform's id of a comment of this buyer that acted."""

MOVEMENTS: Final = f"""array(select row(t.kind, t.on_hand_delta, t.held_delta, t.committed_delta, t.at, t.actor,
    {BY_WHOM.format(order="l.order_id", actor="t.actor", at="t.at")})
  from stock_ledger t where t.order_line_id = l.id order by t.id limit {MOST + 1})"""
LINES: Final = f"""array(select row(l.id, l.title, l.variant_label, l.quantity, l.handed_over, l.unit_price_minor,
    (select coalesce(sum(t.held_delta), 0)::int from stock_ledger t where t.order_line_id = l.id),
    (select coalesce(sum(t.committed_delta), 0)::int from stock_ledger t where t.order_line_id = l.id), {MOVEMENTS})
  from order_line l where l.order_id = o.id and l.claim_id = c.id order by l.created_at, l.id)"""
EVENTS: Final = f"""array(select row(e.kind, e.data, e.at, e.actor, {BY_WHOM.format(order="o.id", actor="e.actor", at="e.at")})
  from (select 0::bigint as id, 'OPENED' as kind, '{{}}'::json as data, o.created_at as at, 'worker:ingest' as actor
        union all (select id, kind, data, at, actor from order_event where order_id = o.id order by id limit {MOST + 1})) e
  order by e.id limit {MOST + 1})"""
"""The timeline of an order begins with its own row."""
ORDERS: Final = f"""array(select row(o.id, o.number, o.state, o.payment_state, o.fulfilment_state, o.currency, o.created_at, o.pay_by, {LINES}, {EVENTS})
  from "order" o where o.id in (select l.order_id from order_line l where l.claim_id = c.id) order by o.created_at, o.id)"""
REVISIONS: Final = f"""array(select row(v.kind, v.text, v.at, v.received_at)
  from comment_history v where v.comment_id = sc.id order by v.id limit {MOST + 1})"""
DECISIONS: Final = f"""array(select row(a.action, a.detail, a.at, a.actor, a.role)
  from audit_entry a where a.object_id in (c.id, sc.id) and a.shop_id = c.shop_id order by a.id limit {MOST + 1})"""
WAITING: Final = "(select coalesce(sum(w.quantity), 0)::int from waitlist_entry w where w.claim_id = c.id and w.state = 'WAITING')"

SOURCE: Final = """claim c join social_comment sc on sc.id = c.comment_id join channel ch on ch.id = sc.channel_id join shop s on s.id = c.shop_id
  left join buyer b on b.id = c.buyer_id left join claim_policy_version r on r.id = c.policy_version_id"""

COLUMNS: Final = (
    "c.id as claim_id", "c.outcome", "c.reason", "c.intent", "c.result->'trail' as trail", "c.text_hash", "c.rules_version", "c.decided_at",
    "sc.platform", "ch.external_id as channel", "sc.external_id as comment", "sc.text", "sc.written_at", "sc.received_at", "sc.removed_at",
    "s.id as shop_key", "s.name as shop_name", "r.version as policy_version", "r.effective_at", "r.policy", "b.member_id as own_member",
    f"{WAITING} as waiting", f"{REVISIONS} as revisions", f"{DECISIONS} as decisions", f"{ORDERS} as orders",
)  # fmt: skip

_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,39}", re.ASCII)
Doc = dict[str, Any]


async def receipts_of(claim_ids: Collection[UUID], member_id: UUID, *, now: datetime) -> dict[UUID, SignedReceipt]:
    """Receipts of those of these claims that made a line, for their buyer or for staff who may view comments and orders; one statement.

    For anybody else, and for a claim that never made a line, there is none.

    Raises:
        NoSigningKey: this process has no key to sign with.
    """
    found = await visible(
        Shape(COLUMNS, lambda row: row), SOURCE, key="c.id", shop="c.shop_id", owner="b.member_id", permission=Permission.VIEW_COMMENTS,
        ids=claim_ids, member_id=member_id,
    )  # fmt: skip
    rows = [seen.row for seen in found if seen.is_buyer or Permission.VIEW_ORDERS in seen.granted]
    made = [row for row in rows if row["orders"]]
    if not made:
        return {}
    key = await keys.active_key(KeyUse.RECEIPT, now)
    return {row["claim_id"]: sign(document_of(row, now), key, issued_at=now) for row in made}


async def receipt_keys() -> dict[str, ReceiptKey]:
    """Every key that this deployment ever signed receipts with, by kid, the revoked ones marked."""
    rows = await db.fetch("select kid, public_key, revoked_at is not null as revoked from signing_key where use = $1", KeyUse.RECEIPT.value)
    return {row["kid"]: ReceiptKey(row["kid"], bytes(row["public_key"]), row["revoked"]) for row in rows}


def document_of(row: Mapping[str, Any], now: datetime) -> Doc:
    """The receipt of a row of COLUMNS, ready to be signed."""
    own: UUID | None = row["own_member"]
    told = [row["revisions"], row["decisions"]]
    for order in row["orders"]:
        told += [order[9], *(line[8] for line in order[8])]
    return {
        "format": FORMAT,
        "version": VERSION,
        "issuedAt": now,
        "shop": {"id": public_id("shop", row["shop_key"]), "name": row["shop_name"]},
        "claim": {
            "id": public_id("claim", row["claim_id"]),
            "intent": row["intent"],
            "outcome": row["outcome"],
            "reason": row["reason"] or None,
            "decidedAt": row["decided_at"],
            "waiting": row["waiting"],
        },
        "comment": _comment(row),
        "matched": read_matched(row["trail"]),
        "rulesVersion": row["rules_version"],
        "policy": _policy(row),
        "decisions": [_decision(each, own) for each in row["decisions"][:MOST]],
        "orders": [_order(each, own) for each in row["orders"]],
        "complete": all(len(entries) <= MOST for entries in told),
    }


def _comment(row: Mapping[str, Any]) -> Doc:
    """The comment; no text of it where none is kept, only the hash of the text that was read."""
    texts = (row["text"], *(text for _, text, _, _ in row["revisions"]))
    read = next((text for text in texts if text_hash(text) == row["text_hash"]), None)
    return {
        "platform": row["platform"],
        "channel": row["channel"],
        "id": row["comment"],
        "writtenAt": row["written_at"],
        "receivedAt": row["received_at"],
        "removedAt": row["removed_at"],
        "textSha256": row["text_hash"],
        **({} if read is None else {"text": read}),
        "revisions": [
            {"kind": kind, "at": at, "receivedAt": received_at, **({"text": text} if text else {})}
            for kind, text, at, received_at in row["revisions"][:MOST]
        ],
    }


def _policy(row: Mapping[str, Any]) -> Doc | None:
    if row["policy_version"] is None:
        return None
    return {"version": row["policy_version"], "effectiveAt": row["effective_at"], "policy": db.from_jsonb(row["policy"])}


def _decision(row: Sequence[Any], own: UUID | None) -> Doc:
    """An audit entry of the claim or its comment: codes, pieces, and the hash of the text that was decided on."""
    action, detail, at, actor, role = row
    data: Mapping[str, Any] = db.from_jsonb(detail)
    found: Doc = {"kind": action, "at": at, "by": _by(actor, role, own), **_codes(data, "action", "intent", "outcome", "reason")}
    if data.get("textHash"):
        found["textSha256"] = data["textHash"]
    if isinstance(data.get("pieces"), int):
        found["pieces"] = data["pieces"]
    return found


def _order(row: Sequence[Any], own: UUID | None) -> Doc:
    key, number, state, payment, fulfilment, currency, created_at, pay_by, lines, events = row
    return {
        "id": public_id("order", key),
        "number": number,
        "placedAt": created_at,
        "state": state,
        "paymentState": payment,
        "fulfilmentState": fulfilment,
        "lines": [_line(line, currency, pay_by, own) for line in lines],
        "changes": [_event(event, currency, own) for event in events[:MOST]],
    }


def _line(row: Sequence[Any], currency: str, pay_by: datetime | None, own: UUID | None) -> Doc:
    """A line as it now stands, what is held for it, and everything that moved for it."""
    key, title, label, quantity, handed_over, price_minor, held, committed, movements = row
    return {
        "id": public_id("line", key),
        "title": title,
        "label": label,
        "quantity": quantity,
        "handedOver": handed_over,
        "unitPrice": _amount(price_minor, currency),
        "total": _amount(price_minor * quantity, currency),
        "currency": currency,
        "hold": {"held": held, "committed": committed, "until": pay_by if held else None},
        "changes": [_movement(movement, own) for movement in movements[:MOST]],
    }


def _movement(row: Sequence[Any], own: UUID | None) -> Doc:
    kind, on_hand, held, committed, at, actor, role, comment = row
    deltas = {"onHand": on_hand, "held": held, "committed": committed}
    return {"kind": kind, "at": at, **_who(actor, role, comment, own), **{name: delta for name, delta in deltas.items() if delta}}


def _event(row: Sequence[Any], currency: str, own: UUID | None) -> Doc:
    kind, detail, at, actor, role, comment = row
    data: Mapping[str, Any] = db.from_jsonb(detail)
    found: Doc = {"kind": kind, "at": at, **_who(actor, role, comment, own), **_codes(data, "method", "reason")}
    if isinstance(data.get("amountMinor"), int):
        found |= {"amount": _amount(data["amountMinor"], currency), "currency": currency}
    if "lines" in data:
        found["lines"] = [{name: line.get(name) for name in ("title", "label", "quantity")} for line in data["lines"]]
    if data.get("from") == "waitlist":
        found["fromWaitlist"] = True
    return found


def _who(actor: str, role: str | None, comment: str | None, own: UUID | None) -> Doc:
    return {"by": _by(actor, role, own), **({} if comment is None else {"comment": comment})}


def _by(actor: str, role: str | None, own: UUID | None) -> str:
    """BUYER, a role of the shop's staff as of then, STAFF where that is not known any more, or SYSTEM."""
    kind, _, who = actor.partition(":")
    if kind == "comment":
        return "BUYER"
    if kind != "member":
        return "SYSTEM"
    if role in Role.__members__:
        return str(role)
    return "BUYER" if role == "buyer" or (own is not None and who == str(own)) else "STAFF"


def _codes(data: Mapping[str, Any], *names: str) -> Doc:
    """Those of these values that are codes of ours: staff may write whatever they like as a reason."""
    return {name: value for name in names if isinstance(value := data.get(name), str) and _CODE.fullmatch(value)}


def _amount(minor: int, currency: str) -> str:
    """A plain decimal text in major units."""
    return f"{Money(minor, currency).amount:f}"
