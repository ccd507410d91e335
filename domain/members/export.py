"""The file of all a member's data, over all shops: one JSON document, written while it is read, a page of rows at a time.

It holds what the member is, wrote, ordered, paid and was told. It holds nothing about others: no staff, no reasons of shops, no names of who
handed goods over; words of the member about others are the member's. Amounts are texts in the currency's unit, times RFC 3339 in UTC.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from domain import db
from domain.audit.commands import Actor
from domain.db import Record, from_jsonb
from domain.errors import NotFound
from domain.ids import new_id, public_id
from domain.members.errors import TooManyExports
from domain.members.guesses import count, per_account
from domain.members.people import lock_account, note
from domain.members.rules import EXPORT_LIFE
from domain.money import Money

FORMAT: Final = "plusone-export/1"
A_DAY: Final = 5
PAGE: Final = 200
NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Part:
    """One list of the file. `sql` takes the member, the last id seen and the page's size, and answers rows with an `id` that rises."""

    name: str
    sql: str
    page: int | None = None
    """Rows at a time, where they are too large for PAGE."""


PARTS: Final = (
    Part(
        "identities",
        "select id, provider, subject, created_at, last_seen_at from identity where member_id = $1 and id > $2 order by id limit $3",
    ),
    Part(
        "passkeys",
        "select id, name, created_at, last_used_at from passkey where member_id = $1 and id > $2 order by id limit $3",
    ),
    Part(
        "authenticators",
        """select id, confirmed_at from authenticator where member_id = $1 and id > $2 and confirmed_at is not null order by id limit $3""",
    ),
    Part(
        "devices",
        """select id, platform, installation_id, locale, created_at, last_seen_at, revoked_at from device
           where member_id = $1 and id > $2 order by id limit $3""",
    ),
    Part("sessions", "select id, created_at, last_used_at, ended_at from session where member_id = $1 and id > $2 order by id limit $3"),
    Part(
        "alerts",
        "select id, kind, at, sent_at from sign_in_alert where member_id = $1 and id > $2 order by id limit $3",
    ),
    Part(
        "names",
        """select b.id, s.name as shop, b.provider, b.external_id, b.name, b.created_at from buyer b join shop s on s.id = b.shop_id
           where b.member_id = $1 and b.id > $2 order by b.id limit $3""",
    ),
    Part(
        "orders",
        """select o.id, s.name as shop, o.number, o.state, o.payment_state, o.fulfilment_state, o.delivery_method, o.currency,
                  o.subtotal_minor, o.shipping_minor, o.discount_minor, o.total_minor, o.paid_minor, o.pay_by, o.created_at, o.updated_at,
                  (select jsonb_agg(jsonb_build_object('title', l.title, 'variant', l.variant_label, 'quantity', l.quantity, 'handed_over', l.handed_over,
                     'unit_price_minor', l.unit_price_minor, 'beneficiary', l.beneficiary, 'platform', l.platform, 'created_at', l.created_at) order by l.created_at, l.id)
                   from order_line l where l.order_id = o.id) as lines,
                  (select jsonb_agg(jsonb_build_object('method', p.method, 'amount_minor', p.amount_minor, 'recorded_at', p.recorded_at) order by p.recorded_at, p.id)
                   from payment p where p.order_id = o.id) as payments,
                  (select jsonb_agg(jsonb_build_object('method', t.method, 'state', t.state, 'amount_minor', t.amount_minor, 'received_minor', t.received_minor,
                     'surplus_minor', t.surplus_minor, 'returned_at', t.returned_at, 'created_at', t.created_at) order by t.created_at, t.id)
                   from payment_attempt t where t.order_id = o.id) as attempts,
                  jsonb_build_array(jsonb_build_object('kind', 'OPENED', 'at', o.created_at)) || coalesce(
                    (select jsonb_agg(jsonb_build_object('kind', e.kind, 'at', e.at) order by e.id) from order_event e where e.order_id = o.id), '[]') as events
           from "order" o join shop s on s.id = o.shop_id where o.member_id = $1 and o.id > $2 order by o.id limit $3""",
    ),
    Part(
        "transfers",
        """select r.id, s.name as shop, o.number, r.state, r.last_five, r.paid_at, r.amount_minor, r.currency, r.reason, r.reported_at, r.answered_at
           from "order" o join transfer_report r on r.order_id = o.id join shop s on s.id = o.shop_id
           where o.member_id = $1 and r.id > $2 order by r.id limit $3""",
    ),
    Part(
        "deliveries",
        """select o.id, s.name as shop, o.number, f.kind, f.name, f.place, k.starts_at, k.ends_at, d.store_name, d.store_code, d.recipient_name, d.recipient_phone,
                  d.postal_code, d.address, d.chosen_at, g.sender as gift_from, g.message as gift_message
           from "order" o join shop s on s.id = o.shop_id left join order_delivery d on d.order_id = o.id left join delivery_offer f on f.id = d.offer_id
             left join pickup_slot k on k.id = d.slot_id left join order_gift g on g.order_id = o.id
           where o.member_id = $1 and o.id > $2 and (d.order_id is not null or g.order_id is not null) order by o.id limit $3""",
    ),
    Part(
        "slips",
        """select p.id, s.name as shop, o.number, p.created_at, replace(encode(p.content, 'base64'), E'\\n', '') as jpeg_base64
           from "order" o join transfer_slip p on p.order_id = o.id join shop s on s.id = o.shop_id
           where o.member_id = $1 and p.id > $2 order by p.id limit $3""",
        page=4,
    ),
    Part(
        "comments",
        """select c.id, s.name as shop, c.platform, c.text, c.written_at, c.removed_at, k.outcome, k.reason,
                  (select jsonb_agg(jsonb_build_object('kind', r.kind, 'text', r.text, 'at', r.at) order by r.id)
                   from comment_history r where r.comment_id = c.id) as revisions
           from buyer b join social_comment c on c.buyer_id = b.id join shop s on s.id = c.shop_id left join claim k on k.comment_id = c.id
           where b.member_id = $1 and c.id > $2 order by c.id limit $3""",
    ),
    Part(
        "disputes",
        """select d.id, s.name as shop, o.number as order, d.reason, d.state, d.opened_at, d.closed_at,
                  (select jsonb_agg(jsonb_build_object('side', m.side, 'text', m.text, 'at', m.at) order by m.at, m.id)
                   from dispute_message m where m.dispute_id = d.id) as messages
           from buyer b join dispute d on d.buyer_id = b.id join "order" o on o.id = d.order_id join shop s on s.id = d.shop_id
           where b.member_id = $1 and d.id > $2 order by d.id limit $3""",
    ),
    Part(
        "waiting",
        """select w.id, s.name as shop, p.title, v.label as variant, w.quantity, w.state, w.queued_at
           from buyer b join waitlist_entry w on w.buyer_id = b.id join shop s on s.id = w.shop_id join variant v on v.id = w.variant_id
           join product p on p.id = v.product_id where b.member_id = $1 and w.id > $2 order by w.id limit $3""",
    ),
    Part(
        "pickups",
        """select k.id, s.name as shop, k.state, k.created_at, k.lent_to, k.lent_at,
                  (select jsonb_agg(jsonb_build_object('at', h.at, 'collected_minor', h.collected_minor) order by h.at, h.id)
                   from hand_over h where h.pickup_id = k.id) as hand_overs, s.currency
           from pickup k join shop s on s.id = k.shop_id where k.member_id = $1 and k.id > $2 order by k.id limit $3""",
    ),
    Part(
        "shipments",
        """select h.id, s.name as shop, h.state, h.carrier, h.carrier_name, h.tracking_number, h.store_code, h.store_name, h.store_address, h.last_pickup_day,
                  h.created_at,
                  (select jsonb_agg(jsonb_build_object('order', o.number, 'title', l.title, 'variant', l.variant_label, 'quantity', x.quantity) order by x.id)
                   from shipment_line x join order_line l on l.id = x.order_line_id join "order" o on o.id = x.order_id where x.shipment_id = h.id) as lines,
                  (select jsonb_agg(jsonb_build_object('state', e.state, 'at', e.at, 'note', e.note) order by e.at, e.id)
                   from shipment_event e where e.shipment_id = h.id) as events
           from shipment h join shop s on s.id = h.shop_id where h.member_id = $1 and h.id > $2 order by h.id limit $3""",
    ),
    Part(
        "notices",
        """select n.id, s.name as shop, n.kind, n.data, n.created_at, n.read_at from notice n join shop s on s.id = n.shop_id
           where n.member_id = $1 and n.id > $2 order by n.id limit $3""",
    ),
    Part(
        "merges",
        """select id, merged_at, undo_until, undone_at from member_merge
           where (keeper_id = $1 or absorbed_id = $1) and id > $2 order by id limit $3""",
    ),
)
PARTS_OF_ROWS: Final = frozenset({"lines", "payments", "attempts", "messages", "events", "revisions", "hand_overs", "data"})


async def request(*, member_id: UUID, now: datetime, request_id: str = "") -> tuple[UUID, datetime]:
    """Ask for the file; answers the export's id and until when it may be fetched.

    Raises:
        NotFound: the member was deleted, or is part of another account.
        TooManyExports: 5 were asked for within a day.
    """
    async with db.transaction() as tx:
        if not await lock_account(tx, member_id):
            raise NotFound
        today = await tx.fetchval(
            "select count(*) from data_export where member_id = $1 and requested_at > $2", member_id, now - timedelta(days=1)
        )
        if today >= A_DAY:
            raise TooManyExports
        export_id, until = new_id(), now + EXPORT_LIFE
        await tx.execute(
            "insert into data_export (id, member_id, requested_at, expires_at) values ($1, $2, $3, $4)", export_id, member_id, now, until
        )
        await note(tx, [member_id], "EXPORT_REQUESTED", actor=Actor(f"member:{member_id}", request_id=request_id), now=now)
    return export_id, until


async def open_export(*, export_id: UUID, member_id: UUID, now: datetime, request_id: str = "") -> AsyncIterator[bytes]:
    """The file in pieces. Read to the end, it is one JSON object; a page is read when the one before it has been taken.

    Raises:
        NotFound: no such export of this member, or its time is over.
        TooManyGuesses: fetched more than 10 times in 10 minutes.
    """
    await count([per_account("export-fetch", str(member_id))], now)
    async with db.transaction() as tx:
        found = await tx.execute(
            "update data_export set fetched_at = $3 where id = $1 and member_id = $2 and expires_at > $3", export_id, member_id, now
        )
        if not found:
            raise NotFound
        await note(tx, [member_id], "EXPORT_FETCHED", actor=Actor(f"member:{member_id}", request_id=request_id), now=now)
    return _pieces(member_id, now)


async def forget_exports(before: datetime) -> int:
    """Delete what is known of files asked for before an instant; answers how many."""
    return await db.execute("delete from data_export where requested_at < $1", before)


async def _pieces(member_id: UUID, now: datetime) -> AsyncIterator[bytes]:
    me = await db.fetchrow("select display_name, locale, created_at from member where id = $1", member_id)
    head = {"format": FORMAT, "madeAt": now, "member": {"id": public_id("member", member_id), **(_shown(me) if me is not None else {})}}
    yield orjson.dumps(head)[:-1]
    for part in PARTS:
        yield f',"{part.name}":['.encode()
        async for piece in _rows(part, member_id):
            yield piece
        yield b"]"
    yield b"}\n"


async def _rows(part: Part, member_id: UUID) -> AsyncIterator[bytes]:
    after, separator = NOBODY, b""
    size = part.page or PAGE
    while True:
        rows = await db.fetch(part.sql, member_id, after, size)
        if rows:
            yield separator + b",".join(orjson.dumps(_shown(row)) for row in rows)
            after, separator = rows[-1]["id"], b","
        if len(rows) < size:
            return


def _shown(row: Record) -> dict[str, Any]:
    """A row with the names and amounts of the file; ids stay inside."""
    values: dict[str, Any] = {key: from_jsonb(value) or [] if key in PARTS_OF_ROWS else value for key, value in row.items() if key != "id"}
    return _named(values, values.get("currency", ""))


def _named(values: dict[str, Any], currency: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if key.endswith("_minor"):
            found[_camel(key.removesuffix("_minor"))] = str(Money(value, currency).amount)
        elif key in PARTS_OF_ROWS and key != "data":
            found[_camel(key)] = [_named(each, currency) for each in value]
        else:
            found[_camel(key)] = value
    return found


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
