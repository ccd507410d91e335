"""Parcels: what lies in them and what was said about them; order lines know how many of their pieces are packed and how many were sent."""

from __future__ import annotations

from importlib import import_module

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from domain.notices.rules import NoticeKind
from domain.orders.carriers import Carrier
from domain.shipping.rules import ACTIVE, MOVES, ReturnDecision, ShipmentState
from domain.stock.rules import MovementKind

integrity = import_module("domain.migrations.0002_integrity")

REFERENCES: dict[str, list[tuple[str, str, str, bool]]] = {
    "shipment": [("shipment_buyer_id", "buyer_id", "buyer", True)],
    "shipment_line": [
        ("shipment_line_shipment_id", "shipment_id", "shipment", True),
        ("shipment_line_order_id", "order_id", "order", True),
        ("shipment_line_order_line_id", "order_line_id", "order_line", True),
    ],
    "shipment_event": [("shipment_event_shipment_id", "shipment_id", "shipment", True)],
}
"""Looked up once per statement, as those of the other tables that point to orders and their lines."""

CHECKS = (
    ("order_line", "order_line_pieces", "packed >= 0 and shipped >= 0 and handed_over + packed + shipped <= quantity"),
    ("shipment_line", "shipment_line_quantity", "quantity > 0"),
    ("shipment", "shipment_number", "tracking_number ~ '^[A-Za-z0-9-]{0,40}$'"),
    ("shipment", "shipment_left", "(left_at is null) = (state in ('PREPARING','CANCELLED'))"),
    (
        "shipment",
        "shipment_settled",
        "(return_decision is null) = (settled_at is null) and (return_decision is null or state = 'RETURNED')",
    ),
    ("shipment", "shipment_store", "store_code <> '' or (store_name = '' and store_address = '' and last_pickup_day is null)"),
)
"""`order_line_pieces` is the last guard: no piece is both handed over and in a parcel, whatever the code does."""

UNDER_WAY = "('" + "','".join(sorted(ACTIVE)) + "')"
INDEXES = (
    "create index shipment_of_member on shipment (member_id, created_at, id) where member_id is not null",
    f"create index shipment_active_of_member on shipment (member_id, created_at, id) where state in {UNDER_WAY} and member_id is not null",
    "create index shipment_of_shop on shipment (shop_id, created_at, id)",
    f"create index shipment_active_of_shop on shipment (shop_id, created_at, id) where state in {UNDER_WAY}",
    "create index shipment_of_state on shipment (shop_id, state, created_at, id)",
    "create index shipment_to_settle on shipment (shop_id, created_at, id) where state = 'RETURNED' and return_decision is null",
    "create index shipment_of_buyer on shipment (buyer_id)",
    "create index shipment_reminder on shipment (remind_at) where remind_at is not null",
    "create unique index shipment_of_number on shipment (shop_id, carrier, tracking_number) where tracking_number <> '' and state <> 'CANCELLED'",
)

ORDER_MOVES = (
    ("state", "COMPLETED", "OPEN"),
    *(("fulfilment", "LABELLED", to) for to in ("UNFULFILLED", "WAITING_STOCK", "READY_FOR_PICKUP", "PARTIAL", "ARRIVED_AT_STORE", "DELIVERED", "RETURNED")),
    *(("fulfilment", old, "LABELLED") for old in ("WAITING_STOCK", "READY_FOR_PICKUP")),
    *(("fulfilment", "PARTIAL", to) for to in ("UNFULFILLED", "WAITING_STOCK", "READY_FOR_PICKUP", "ARRIVED_AT_STORE")),
    ("fulfilment", "SHIPPED", "PARTIAL"),
    *(("fulfilment", "ARRIVED_AT_STORE", to) for to in ("SHIPPED", "PARTIAL")),
    *(("fulfilment", "DELIVERED", to) for to in ("SHIPPED", "ARRIVED_AT_STORE", "PARTIAL")),
    *(("fulfilment", "RETURNED", to) for to in ("UNFULFILLED", "WAITING_STOCK", "READY_FOR_PICKUP", "PARTIAL", "SHIPPED", "ARRIVED_AT_STORE", "DELIVERED")),
)  # fmt: skip
"""What a carrier's news can do to an order: it is told late, out of order, and taken back."""

GUARD = """
create function shipment_guard() returns trigger language plpgsql as $$
begin
  if new.version <> old.version + 1 then
    raise exception 'shipment %: version must rise by one', old.id using errcode = '23514', constraint = 'shipment_version_step';
  end if;
  if new.state <> old.state and not exists (select 1 from legal_move m where m.axis = 'shipment' and m.old = old.state and m.new = new.state) then
    raise exception 'shipment %: no such move', old.id using errcode = '23514', constraint = 'shipment_legal_move';
  end if;
  if old.return_decision is not null and (new.state <> old.state or new.return_decision is distinct from old.return_decision) then
    raise exception 'shipment %: it is settled', old.id using errcode = '23514', constraint = 'shipment_settled_once';
  end if;
  return new;
end $$;
create trigger shipment_guard before update on shipment for each row
  when (new.version <> old.version or new.state <> old.state or new.return_decision is distinct from old.return_decision)
  execute function shipment_guard();
create function shipment_event_stays() returns trigger language plpgsql as $$
begin
  if new.note <> '' or row(new.id, new.shop_id, new.shipment_id, new.state, new.at, new.actor, new.recorded_at)
      is distinct from row(old.id, old.shop_id, old.shipment_id, old.state, old.at, old.actor, old.recorded_at) then
    raise exception 'shipment_event is append only' using errcode = '23514', constraint = 'append_only';
  end if;
  return new;
end $$;
create trigger append_only before update or delete or truncate on shipment_line for each statement execute function append_only();
create trigger append_only before delete or truncate on shipment_event for each statement execute function append_only();
create trigger note_alone before update on shipment_event for each row execute function shipment_event_stays();
"""
"""A note may be erased, for it can speak of a person; nothing else of an event changes."""


def moves() -> str:
    """Rows of `legal_move`: what parcels may do, and what they let orders do."""
    parcels = sorted(("shipment", old.value, new.value) for old, nexts in MOVES.items() for new in nexts)
    rows = ",".join(f"('{axis}','{old}','{new}')" for axis, old, new in (*ORDER_MOVES, *parcels))
    return f"insert into legal_move (axis, old, new) values {rows}"


def statements() -> str:
    """What the models cannot say, in order."""
    parts = [
        moves(), GUARD, *(integrity.references_hold(table, references) for table, references in REFERENCES.items()), integrity.never_gone("shipment"),
        *(f'alter table "{t}" add constraint {name} check ({rule})' for t, name, rule in CHECKS), *INDEXES,
        "alter table shipment set (fillfactor = 80)",
    ]  # fmt: skip
    return ";\n".join(part.strip().rstrip(";") for part in parts) + ";"


class Migration(migrations.Migration):
    dependencies = [("plusone", "0015_disputes")]
    operations = [
        ops.AlterField(
            model_name="Notice",
            name="kind",
            field=fields.CharEnumField(description="A NoticeKind; more may come.", enum_type=NoticeKind, max_length=20),
        ),
        ops.AlterField(model_name="StockMovement", name="kind", field=fields.CharEnumField(enum_type=MovementKind, max_length=12)),
        ops.AddField(model_name="OrderLine", name="packed", field=fields.IntField(default=0, db_default=0)),
        ops.AddField(model_name="OrderLine", name="shipped", field=fields.IntField(default=0, db_default=0)),
        ops.CreateModel(
            name="Shipment",
            fields=[
                ("id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("buyer_id", fields.UUIDField()),
                ("member_id", fields.UUIDField(null=True)),
                ("state", fields.CharEnumField(enum_type=ShipmentState, max_length=20)),
                ("state_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("carrier", fields.CharEnumField(enum_type=Carrier, max_length=16)),
                ("carrier_name", fields.CharField(default="", max_length=60)),
                ("tracking_number", fields.CharField(default="", max_length=40)),
                ("store_code", fields.CharField(default="", max_length=10)),
                ("store_name", fields.CharField(default="", max_length=60)),
                ("store_address", fields.CharField(default="", max_length=200)),
                ("last_pickup_day", fields.DateField(null=True)),
                ("remind_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("left_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("return_decision", fields.CharEnumField(null=True, enum_type=ReturnDecision, max_length=12)),
                ("settled_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("version", fields.IntField(default=1)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "shipment",
                "app": "plusone",
                "unique_together": (("shop_id", "id"),),
                "pk_attr": "id",
                "table_description": "A parcel: pieces of one buyer's orders in one shop, on their way with a carrier.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ShipmentLine",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("shipment_id", fields.UUIDField()),
                ("order_id", fields.UUIDField()),
                ("order_line_id", fields.UUIDField()),
                ("quantity", fields.IntField()),
            ],
            options={
                "table": "shipment_line",
                "app": "plusone",
                "unique_together": (("shipment_id", "order_line_id"),),
                "indexes": [Index(fields=["order_id"]), Index(fields=["order_line_id"])],
                "pk_attr": "id",
                "table_description": "What lies in a parcel; append only. A cancelled parcel keeps its lines as history.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ShipmentEvent",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("shipment_id", fields.UUIDField()),
                ("state", fields.CharEnumField(enum_type=ShipmentState, max_length=20)),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("note", fields.CharField(default="", max_length=200)),
                ("actor", fields.CharField(max_length=80)),
                ("recorded_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "shipment_event",
                "app": "plusone",
                "unique_together": (("shipment_id", "at", "state"),),
                "pk_attr": "id",
                "table_description": "What was said about a parcel; append only but for the note, which can be erased. Said again, it is the same row.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(statements()),
    ]
