"""Rows on their way to COPY: text per table, ids and instants as text, all from one source of chance."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import asyncpg
import orjson

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MS: Final = 86_400_000
NULL: Final = "\\N"
EMPTY: Final[Mapping[str, str]] = {"text": "", "varchar": "", "jsonb": "{}", "int4": "0", "int8": "0", "int2": "0", "bool": "f"}
"""What a required column holds that the generator does not know: its type's empty value."""
_SECONDS: Final = tuple(f" {s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}" for s in range(86_400))
_MILLIS: Final = tuple(f".{ms:03}+00" for ms in range(1_000))
_LOW: Final = 2**62 - 1
_VARIANT: Final = 1 << 63


def at(ms: int) -> str:
    """An instant, given in milliseconds since 1970, as COPY reads it: forty per order, so in pieces that are there already."""
    day, rest = divmod(ms, DAY_MS)
    return _day(day) + _SECONDS[rest // 1000] + _MILLIS[rest % 1000]


@cache
def _day(number: int) -> str:
    return (EPOCH + timedelta(days=number)).date().isoformat()


def ms_of(instant: datetime) -> int:
    """Milliseconds since 1970."""
    return (instant - EPOCH) // timedelta(milliseconds=1)


def json(value: object) -> str:
    """A value for a jsonb column. The texts of the seed hold nothing that JSON and COPY would both escape."""
    return orjson.dumps(value).decode()


@dataclass(slots=True)
class Chance:
    """All that is random, from one seed."""

    seed: int
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def id(self, ms: int) -> str:
        """A UUID version 7 of this instant, without dashes, which PostgreSQL reads as well."""
        chance = self.random.getrandbits(74)
        return "%012x7%03x%016x" % (ms, chance >> 62, _VARIANT | chance & _LOW)  # noqa: UP031 - half the time of an f-string

    def below(self, end: int) -> int:
        """0 to end - 1."""
        return int(self.random.random() * end)


def dashed(plain: str) -> str:
    """An id as people and JSON write it."""
    return f"{plain[:8]}-{plain[8:12]}-{plain[12:16]}-{plain[16:20]}-{plain[20:]}"


COLUMNS: Final[Mapping[str, str]] = {
    "shop": "id number handle name currency time_zone locale pay_within_minutes pickup_place created_at",
    "member": "id ver display_name locale created_at",
    "identity": "id member_id provider subject created_at last_seen_at",
    "device": "id member_id installation_id platform target_kind target locale created_at last_seen_at",
    "session": "id member_id installation_id created_at last_used_at idle_until ends_at ended_reason",
    "refresh_token": "hash session_id created_at",
    "membership": "id shop_id member_id role denied created_at",
    "webhook_endpoint": "id source slug secret_encrypted verify_token_encrypted destination created_at",
    "channel": "id shop_id endpoint_id platform external_id name created_at",
    "product": "id shop_id title options created_at",
    "variant": "id shop_id product_id label option_values code price_minor position",
    "stock_level": "variant_id shop_id on_hand held committed sell_beyond backorder_limit waiting version",
    "stock_movement": "id shop_id variant_id kind on_hand_delta held_delta committed_delta order_line_id actor reason at",
    "sales_post": "id shop_id title state delivery_method opens_at closes_at version created_at",
    "post_item": "id shop_id post_id product_id codes aliases on_sale position",
    "post_placement": "id shop_id post_id channel_id external_post_id created_at",
    "claim_policy_version": "id shop_id post_id version policy effective_at",
    "buyer": "id shop_id provider external_id name member_id created_at",
    "order": "id shop_id number buyer_id member_id state payment_state fulfilment_state delivery_method currency subtotal_minor "
    "shipping_minor discount_minor total_minor paid_minor pay_by flagged version created_at updated_at",
    "order_line": "id shop_id order_id variant_id post_id claim_id platform title variant_label unit_price_minor quantity handed_over packed shipped "
    "policy_version_id created_at",
    "order_event": "shop_id order_id kind data actor at",
    "social_comment": "id shop_id channel_id post_id external_id external_post_id parent_external_id platform buyer_id author_name text "
    "written_at text_at received_at is_owner permalink reply_token",
    "comment_revision": "shop_id comment_id kind text at received_at",
    "claim": "id shop_id comment_id post_id buyer_id outcome reason intent result text_hash rules_version policy_version_id order_id review "
    "resolution decided_at",
    "waitlist_entry": "id shop_id variant_id claim_id buyer_id quantity state queued_at",
    "platform_reply": "id shop_id comment_id dedupe_key kind text state tries external_id last_error created_at sent_at",
    "notice": "id shop_id buyer_id member_id kind data dedupe_key read_at created_at",
    "push_delivery": "id notice_id device_id state tries next_try_at use_by provider_id last_error sent_at",
    "transfer_report": "id shop_id order_id state last_five paid_at amount_minor currency reason reported_at answer_by",
    "payment": "id shop_id order_id method reference amount_minor currency recorded_by recorded_at",
    "pickup": "id shop_id buyer_id member_id code_id state issue_number short_code not_after version created_at",
    "pickup_order": "order_id shop_id pickup_id",
    "hand_over": "id shop_id pickup_id issue_number by_member_id device collected_minor conflict at",
    "hand_over_line": "shop_id hand_over_id order_line_id quantity",
    "shipment": "id shop_id buyer_id member_id state state_at carrier carrier_name tracking_number store_code store_name store_address last_pickup_day "
    "left_at version created_at updated_at",
    "shipment_line": "shop_id shipment_id order_id order_line_id quantity",
    "shipment_event": "shop_id shipment_id state at note actor recorded_at",
    "audit_entry": "shop_id at actor role action object_type object_id detail request_id",
    "inbox_event": "endpoint_id source external_key lane occurred_at payload state outcome tries received_at decided_at parked_reason",
}
"""What the generator writes, in this order, by table."""


class Rows:
    """Text rows waiting to be copied."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[str]] = {table: [] for table in COLUMNS}

    def take(self) -> dict[str, list[str]]:
        """What waits, leaving nothing."""
        taken, self.waiting = self.waiting, {table: [] for table in COLUMNS}
        return taken


@dataclass(frozen=True, slots=True)
class Target:
    """A table as it is in this database: the columns that are written, and what ends each row."""

    table: str
    columns: tuple[str, ...]
    tail: str
    is_plain: bool
    """False when it is partitioned."""

    def text(self, rows: Sequence[str]) -> bytes:
        """Rows as COPY reads them."""
        end = f"{self.tail}\n"
        return (end.join(rows) + end).encode()


async def targets(connection: asyncpg.Connection[Any]) -> dict[str, Target]:
    """All tables of the generator that this database has. A required column that came later gets its type's empty value."""
    rows = await connection.fetch(
        """select c.relname as "table", a.attname as "column", t.typname as "type" from pg_attribute a
           join pg_class c on c.oid = a.attrelid join pg_type t on t.oid = a.atttypid
           where c.relnamespace = 'public'::regnamespace and c.relkind in ('r','p') and not c.relispartition and a.attnum > 0
             and not a.attisdropped and a.attnotnull and not a.atthasdef and a.attidentity = ''
           order by a.attnum"""
    )
    present = await connection.fetch(
        "select relname, relkind::text as kind from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r','p')"
    )
    there = {row["relname"]: row["kind"] == "r" for row in present}
    found = {}
    for table, text in COLUMNS.items():
        ours = tuple(text.split())
        others = [(row["column"], row["type"]) for row in rows if row["table"] == table and row["column"] not in ours]
        if table in there:
            tail = "".join(f"\t{EMPTY[kind]}" for _, kind in others)
            found[table] = Target(table, ours + tuple(name for name, _ in others), tail, there[table])
    return found
