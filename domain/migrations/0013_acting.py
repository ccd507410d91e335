"""What a buyer does with orders and waiting places: the shop's times for it, requests to cancel, parcels that wait, timed offers."""

from __future__ import annotations

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from domain.claims.rules import OfferState

CHECKS = (
    ("shop", "shop_undo", "undo_minutes between 0 and 10080"),
    ("shop", "shop_offer", "offer_minutes between 1 and 10080"),
    ("shop", "shop_ship_later", "ship_later_days between 0 and 366"),
    ("waitlist_offer", "waitlist_offer_quantity", "quantity > 0"),
    ("waitlist_offer", "waitlist_offer_time", "expires_at > offered_at"),
)
"""0 minutes to undo and 0 days to wait: the shop offers none of it."""

GUARDS = """
alter table shop alter column undo_minutes set default 5;
alter table shop alter column ship_later_days set default 14;
alter table "order" alter column cancel_reason set default '';
alter table waitlist_offer add constraint waitlist_offer_place foreign key (place_id) references waitlist_entry (id);
create unique index waitlist_offer_open on waitlist_offer (place_id) where state = 'OPEN';
create index waitlist_offer_due on waitlist_offer (expires_at, id) where state = 'OPEN';
create index waitlist_offer_of_variant on waitlist_offer (variant_id) where state = 'OPEN';
create index order_cancel_requested on "order" (shop_id, cancel_requested_at) where cancel_requested_at is not null;

create function place_left() returns trigger language plpgsql as $$
begin
  if new.state <> 'WAITING' then
    update waitlist_offer set state = 'ENDED' where place_id = new.id and state = 'OPEN';
  else
    update waitlist_offer set quantity = new.quantity where place_id = new.id and state = 'OPEN' and quantity > new.quantity;
  end if;
  return null;
end $$;
create trigger place_left after update on waitlist_entry for each row
  when (old.state = 'WAITING' and (new.state <> 'WAITING' or new.quantity < old.quantity)) execute function place_left();

create function request_over() returns trigger language plpgsql as $$
begin
  new.cancel_requested_at := null;
  new.cancel_reason := '';
  return new;
end $$;
create trigger request_over before update on "order" for each row
  when (new.cancel_requested_at is not null and new.state in ('CANCELLED', 'COMPLETED')) execute function request_over();
"""
"""An offer ends with its place, whoever ends that; a request to cancel with its order."""


def statements() -> str:
    """All statements of this migration, in order."""
    return "".join(f'alter table "{t}" add constraint {name} check ({rule});\n' for t, name, rule in CHECKS) + GUARDS


class Migration(migrations.Migration):
    dependencies = [("plusone", "0012_inbox")]
    operations = [
        ops.AddField(model_name="Shop", name="undo_minutes", field=fields.IntField(default=5)),
        ops.AddField(model_name="Shop", name="offer_minutes", field=fields.IntField(null=True)),
        ops.AddField(model_name="Shop", name="ship_later_days", field=fields.IntField(default=14)),
        ops.AddField(
            model_name="Order", name="cancel_requested_at", field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)
        ),
        ops.AddField(model_name="Order", name="cancel_reason", field=fields.CharField(max_length=200, default="")),
        ops.AddField(
            model_name="Order", name="ship_later_until", field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)
        ),
        ops.CreateModel(
            name="WaitlistOffer",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("place_id", fields.UUIDField()),
                ("buyer_id", fields.UUIDField()),
                ("variant_id", fields.UUIDField()),
                ("quantity", fields.IntField()),
                (
                    "state",
                    fields.CharEnumField(
                        enum_type=OfferState, description="OPEN: OPEN\nACCEPTED: ACCEPTED\nPASSED: PASSED\nENDED: ENDED", max_length=8
                    ),
                ),
                ("offered_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "waitlist_offer",
                "app": "plusone",
                "indexes": [Index(fields=["place_id"])],
                "pk_attr": "id",
                "table_description": "Pieces that became free, kept for one place of a waiting list until `expires_at`. They are still counted as waited for.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(statements()),
    ]
