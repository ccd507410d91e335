"""What the model declarations cannot say: foreign keys within a shop, CHECKs, partial indexes, append-only tables, legal moves.

The ORM's generator drops CHECK constraints of new models silently, so everything that guards data is written here as SQL and every
constraint is broken on purpose by a test.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations as ops

TO_SHOP = ("membership", "channel", "product", "sales_post", "claim_policy_version", "buyer")
"""Whatever else is a shop's says so through a parent of the same shop, in WITHIN_SHOP; a check of its own would find what that one found."""

WITHIN_SHOP = (
    ("variant", "product_id", "product"),
    ("stock_level", "variant_id", "variant"),
    ("stock_movement", "variant_id", "variant"),
    ("post_item", "post_id", "sales_post"),
    ("post_item", "product_id", "product"),
    ("post_placement", "post_id", "sales_post"),
    ("post_placement", "channel_id", "channel"),
    ("claim_policy_version", "post_id", "sales_post"),
    ("order", "buyer_id", "buyer"),
    ("order_line", "order_id", "order"),
    ("order_line", "variant_id", "variant"),
    ("order_line", "post_id", "sales_post"),
    ("order_line", "claim_id", "claim"),
    ("order_line", "policy_version_id", "claim_policy_version"),
    ("order_event", "order_id", "order"),
    ("payment_reminder", "order_id", "order"),
    ("social_comment", "channel_id", "channel"),
    ("social_comment", "post_id", "sales_post"),
    ("social_comment", "buyer_id", "buyer"),
    ("comment_revision", "comment_id", "social_comment"),
    ("claim", "comment_id", "social_comment"),
    ("claim", "post_id", "sales_post"),
    ("claim", "buyer_id", "buyer"),
    ("claim", "policy_version_id", "claim_policy_version"),
    ("claim", "order_id", "order"),
    ("waitlist_entry", "variant_id", "variant"),
    ("waitlist_entry", "claim_id", "claim"),
    ("waitlist_entry", "buyer_id", "buyer"),
    ("platform_reply", "comment_id", "social_comment"),
    ("notice", "buyer_id", "buyer"),
    ("payment", "order_id", "order"),
    ("pickup", "buyer_id", "buyer"),
    ("pickup_order", "order_id", "order"),
    ("pickup_order", "pickup_id", "pickup"),
    ("hand_over", "pickup_id", "pickup"),
    ("hand_over_line", "hand_over_id", "hand_over"),
    ("hand_over_line", "order_line_id", "order_line"),
)
"""Every reference inside a shop carries the shop, so that no row can link two shops (invariant I11)."""

IN_BULK = (
    "inbox_event", "buyer", "social_comment", "comment_revision", "claim", "order", "order_line", "order_event", "payment_reminder", "stock_movement",
    "waitlist_entry", "platform_reply", "notice", "payment", "pickup", "pickup_order", "hand_over_line",
)  # fmt: skip
"""Tables that a live fills by thousands a second, and those that point to such tables: their references are looked up once per statement, by
`references_hold`, instead of once per row and key. What they point to can never go away (`KEPT`), so nothing is lost by it, and its tables need
no second unique key for the sake of foreign keys that carry the shop."""
KEPT = (
    "shop", "member", "channel", "variant", "sales_post", "claim_policy_version", "buyer", "order", "order_line",
    "social_comment", "claim", "pickup", "hand_over",
)  # fmt: skip
OF_NO_SHOP = ("shop", "member")
"""Tables of these without a `shop_id`."""
FEW = ("shop", "webhook_endpoint", "channel", "variant", "sales_post", "claim_policy_version")
"""What many rows of one statement point to alike: each is looked up once."""

TO_ONE = (
    ("channel", "endpoint_id", "webhook_endpoint", "id"),
    ("inbox_event", "endpoint_id", "webhook_endpoint", "id"),
    ("membership", "member_id", "member", "id"),
    ("identity", "member_id", "member", "id"),
    ("device", "member_id", "member", "id"),
    ("session", "member_id", "member", "id"),
    ("refresh_token", "session_id", "session", "id"),
    ("buyer", "member_id", "member", "id"),
    ("push_delivery", "notice_id", "notice", "id"),
    ("push_delivery", "device_id", "device", "id"),
)

CHECKS = (
    ("stock_level", "stock_level_on_hand", "on_hand >= 0"),
    ("stock_level", "stock_level_held", "held >= 0"),
    ("stock_level", "stock_level_committed", "committed >= 0"),
    ("stock_level", "stock_level_waiting", "waiting >= 0"),
    ("stock_level", "stock_level_backorder", "backorder_limit >= 0 and (sell_beyond <> 'DENY' or backorder_limit = 0)"),
    ("stock_level", "stock_level_never_oversold", "held + committed <= on_hand + backorder_limit"),
    ("variant", "variant_price", "price_minor >= 0"),
    ("order", "order_amounts", "subtotal_minor >= 0 and shipping_minor >= 0 and discount_minor >= 0 and total_minor >= 0"),
    ("order", "order_total", "total_minor = subtotal_minor + shipping_minor - discount_minor"),
    ("order", "order_paid", "paid_minor between 0 and total_minor"),
    ("order", "order_version", "version >= 1"),
    ("order_line", "order_line_price", "unit_price_minor >= 0"),
    ("order_line", "order_line_quantity", "quantity >= 0"),
    ("order_line", "order_line_handed_over", "handed_over between 0 and quantity"),
    ("waitlist_entry", "waitlist_entry_quantity", "quantity > 0"),
    ("payment", "payment_amount", "amount_minor > 0"),
    ("hand_over_line", "hand_over_line_quantity", "quantity > 0"),
    ("hand_over", "hand_over_collected", "collected_minor >= 0"),
    ("pickup", "pickup_issue_number", "issue_number between 0 and 65535"),
    ("signing_key", "signing_key_number", "number between 0 and 255"),
    ("shop", "shop_pay_within", "pay_within_minutes > 0"),
    ("inbox_event", "inbox_event_parked", "state <> 'PARKED' or parked_reason <> ''"),
)

UNPAID = "('UNPAID','REPORTED','PENDING','FAILED','EXPIRED','PARTIALLY_PAID')"

INDEXES = (
    # orders: the member's screens, the seller's lists, the sweep of unpaid ones, and the one order that claims stack on
    'create index order_of_member on "order" (member_id, created_at, id) where member_id is not null',
    f"create index order_unpaid_of_member on \"order\" (member_id, pay_by, id) where state = 'OPEN' and payment_state in {UNPAID} and member_id is not null",
    'create index order_of_shop on "order" (shop_id, created_at, id)',
    'create index order_of_list on "order" (shop_id, list, created_at, id)',
    "create index order_open_of_member on \"order\" (member_id, created_at, id) where state = 'OPEN' and member_id is not null",
    "create index order_open_of_shop on \"order\" (shop_id, created_at, id) where state = 'OPEN'",
    "create index order_locked_of_shop on \"order\" (shop_id, created_at, id) where state = 'LOCKED'",
    'create index order_of_payment on "order" (shop_id, payment_state, created_at, id)',
    "create index order_waiting_stock on \"order\" (shop_id, id) where state = 'OPEN' and fulfilment_state = 'WAITING_STOCK'",
    'create index order_of_buyer on "order" (buyer_id)',
    "create unique index order_stacks on \"order\" (buyer_id, shop_id, delivery_method) where state = 'OPEN' and payment_state = 'UNPAID'",
    "create index order_expiry on \"order\" (pay_by) where state = 'OPEN' and payment_state = 'UNPAID' and pay_by is not null",
    "create index buyer_of_member on buyer (member_id) where member_id is not null",
    "create index notice_of_member on notice (member_id, created_at, id) where member_id is not null",
    "create index notice_unread on notice (member_id, created_at, id) where read_at is null and member_id is not null",
    "create index notice_question on notice (member_id) where kind = 'SUGGESTION' and read_at is null and member_id is not null",
    "create index notice_read on notice (read_at) where read_at is not null",
    "create index notice_of_buyer on notice (buyer_id) where member_id is null",
    "create index push_due on push_delivery (next_try_at) where state = 'PENDING'",
    "create index reply_pending on platform_reply (created_at) where state = 'PENDING'",
    "create index inbox_age on inbox_undecided (received_at)",
    "create index inbox_parked on inbox_event (received_at) where parked_reason <> ''",
    "create index inbox_line_message on inbox_event ((payload #>> '{event,message,id}')) where source = 'line'",
    "create index claim_of_shop on claim (shop_id, decided_at, id)",
    "create index claim_to_review on claim (shop_id, decided_at, id) where review = 'OPEN'",
    "create index claim_of_outcome on claim (shop_id, outcome, decided_at, id) where outcome not in ('ORDERED', 'IGNORED')",
    "create index claim_of_post on claim (post_id, decided_at, id) where post_id is not null",
    "create index claim_of_buyer on claim (buyer_id, post_id)",
    "create index claim_suggested on claim (buyer_id, decided_at, id) where outcome = 'SUGGESTED'",
    "create index comment_without_post on social_comment (channel_id, external_post_id) where post_id is null",
    "create index comment_of_post on social_comment (post_id, written_at)",
    "create index line_of_post on order_line (post_id)",
    "create index waiting on waitlist_entry (variant_id, queued_at, id) where state = 'WAITING'",
    "create index waiting_of_buyer on waitlist_entry (buyer_id) where state = 'WAITING'",
    "create unique index pickup_open on pickup (shop_id, buyer_id) where state = 'OPEN'",
    "create index pickup_of_member on pickup (member_id, created_at, id) where member_id is not null",
    "create index pickup_of_short_code on pickup (shop_id, short_code)",
    "create index pickup_open_of_member on pickup (member_id, created_at, id) where state = 'OPEN' and member_id is not null",
    "create unique index pickup_short_code on pickup (shop_id, short_code) where state = 'OPEN' and short_code <> ''",
    "create index product_of_shop on product (shop_id, created_at, id)",
    "create index identity_new on identity (created_at)",
    "create index session_over on session (least(coalesce(ended_at, 'infinity'), idle_until, ends_at))",
    "create unique index membership_active on membership (shop_id, member_id) where ended_at is null",
    "create unique index device_target on device (target_kind, target) where revoked_at is null",
    "create unique index policy_of_post on claim_policy_version (shop_id, post_id, version) nulls not distinct",
)

LIST = f"""
alter table "order" add column list text generated always as (
  case when state in ('CANCELLED','COMPLETED') then 'DONE'
       when flagged then 'REVIEW'
       when payment_state in {UNPAID} then 'TO_PAY'
       when fulfilment_state in ('SHIPPED','ARRIVED_AT_STORE') then 'TO_RECEIVE'
       when fulfilment_state in ('HANDED_OVER','DELIVERED','RETURNED') then 'DONE'
       when delivery_method = 'PICKUP' then 'TO_PICK_UP'
       else 'TO_SHIP' end) stored
"""
"""The seller's list as a column, so that a list is one index scan; `domain.orders.rules.list_of` says the same (tested over all states)."""

MOVES = """
create table legal_move (axis text, old text, new text, primary key (axis, old, new));
insert into legal_move (axis, old, new) values
  ('state','OPEN','LOCKED'),('state','OPEN','COMPLETED'),('state','OPEN','CANCELLED'),('state','LOCKED','OPEN'),('state','LOCKED','COMPLETED'),
  ('payment','NONE_DUE','UNPAID'),
  ('payment','UNPAID','PENDING'),('payment','UNPAID','REPORTED'),('payment','UNPAID','FAILED'),('payment','UNPAID','EXPIRED'),
  ('payment','UNPAID','PARTIALLY_PAID'),('payment','UNPAID','PAID'),('payment','UNPAID','NONE_DUE'),('payment','UNPAID','COLLECT_ON_DELIVERY'),
  ('payment','REPORTED','UNPAID'),('payment','REPORTED','FAILED'),('payment','REPORTED','PARTIALLY_PAID'),('payment','REPORTED','PAID'),
  ('payment','PENDING','UNPAID'),('payment','PENDING','FAILED'),('payment','PENDING','EXPIRED'),('payment','PENDING','PARTIALLY_PAID'),
  ('payment','PENDING','PAID'),
  ('payment','FAILED','PENDING'),('payment','FAILED','REPORTED'),('payment','FAILED','EXPIRED'),('payment','FAILED','PARTIALLY_PAID'),
  ('payment','FAILED','PAID'),
  ('payment','EXPIRED','PENDING'),('payment','EXPIRED','REPORTED'),('payment','EXPIRED','FAILED'),('payment','EXPIRED','PARTIALLY_PAID'),
  ('payment','EXPIRED','PAID'),
  ('payment','PARTIALLY_PAID','PAID'),('payment','PARTIALLY_PAID','PARTIALLY_REFUNDED'),('payment','PARTIALLY_PAID','REFUNDED'),
  ('payment','PAID','PARTIALLY_REFUNDED'),('payment','PAID','REFUNDED'),('payment','PARTIALLY_REFUNDED','REFUNDED'),
  ('payment','COLLECT_ON_DELIVERY','PAID'),('payment','COLLECT_ON_DELIVERY','FAILED'),('payment','COLLECT_ON_DELIVERY','UNPAID'),
  ('fulfilment','UNFULFILLED','WAITING_STOCK'),('fulfilment','UNFULFILLED','READY'),('fulfilment','UNFULFILLED','PARTIAL'),
  ('fulfilment','UNFULFILLED','LABELLED'),('fulfilment','UNFULFILLED','SHIPPED'),('fulfilment','UNFULFILLED','READY_FOR_PICKUP'),
  ('fulfilment','WAITING_STOCK','UNFULFILLED'),('fulfilment','WAITING_STOCK','READY'),('fulfilment','WAITING_STOCK','PARTIAL'),
  ('fulfilment','WAITING_STOCK','READY_FOR_PICKUP'),
  ('fulfilment','READY','UNFULFILLED'),('fulfilment','READY','PARTIAL'),('fulfilment','READY','LABELLED'),('fulfilment','READY','SHIPPED'),
  ('fulfilment','READY','READY_FOR_PICKUP'),
  ('fulfilment','PARTIAL','SHIPPED'),('fulfilment','PARTIAL','HANDED_OVER'),('fulfilment','PARTIAL','DELIVERED'),('fulfilment','PARTIAL','RETURNED'),
  ('fulfilment','LABELLED','READY'),('fulfilment','LABELLED','SHIPPED'),
  ('fulfilment','SHIPPED','ARRIVED_AT_STORE'),('fulfilment','SHIPPED','DELIVERED'),('fulfilment','SHIPPED','RETURNED'),
  ('fulfilment','ARRIVED_AT_STORE','DELIVERED'),('fulfilment','ARRIVED_AT_STORE','RETURNED'),
  ('fulfilment','READY_FOR_PICKUP','UNFULFILLED'),('fulfilment','READY_FOR_PICKUP','PARTIAL'),('fulfilment','READY_FOR_PICKUP','HANDED_OVER'),
  ('fulfilment','HANDED_OVER','READY_FOR_PICKUP'),('fulfilment','HANDED_OVER','RETURNED'),('fulfilment','DELIVERED','RETURNED');

create function order_guard() returns trigger language plpgsql as $$
begin
  if new.version <> old.version + 1 then
    raise exception 'order %: version must rise by one (% -> %)', old.id, old.version, new.version using errcode = '23514', constraint = 'order_version_step';
  end if;
  if (new.state <> old.state and not exists (select 1 from legal_move m where m.axis = 'state' and m.old = old.state and m.new = new.state))
  or (new.payment_state <> old.payment_state
      and not exists (select 1 from legal_move m where m.axis = 'payment' and m.old = old.payment_state and m.new = new.payment_state))
  or (new.fulfilment_state <> old.fulfilment_state
      and not exists (select 1 from legal_move m where m.axis = 'fulfilment' and m.old = old.fulfilment_state and m.new = new.fulfilment_state))
  then
    raise exception 'order %: no such move', old.id using errcode = '23514', constraint = 'order_legal_move';
  end if;
  return new;
end $$;
create trigger order_guard before update on "order" for each row
  when (new.version <> old.version + 1 or new.state <> old.state or new.payment_state <> old.payment_state
        or new.fulfilment_state <> old.fulfilment_state)
  execute function order_guard();
"""
"""The transition tables of domain.orders.rules, guarded in the table too; a test compares both."""

APPEND_ONLY = """
create function append_only() returns trigger language plpgsql as $$
begin
  raise exception '% is append only', tg_table_name using errcode = '23514', constraint = 'append_only';
end $$;
create trigger append_only before update or delete or truncate on stock_movement for each statement execute function append_only();
create trigger append_only before update or delete or truncate on audit_entry for each statement execute function append_only();
create trigger append_only before update or delete or truncate on audit_seal for each statement execute function append_only();
create trigger append_only before update or delete or truncate on order_event for each statement execute function append_only();
create trigger append_only before update or delete or truncate on hand_over_line for each statement execute function append_only();
"""

GONE = """
create function never_gone() returns trigger language plpgsql as $$
begin
  raise exception 'rows of % stay where they are: others point to them', tg_table_name using errcode = '23503', constraint = 'never_gone';
end $$;
"""


def references_of(table: str) -> list[tuple[str, str, str, bool]]:
    """(name, column, parent, whether the parent's row must be of the same shop) of what a table of IN_BULK points to."""
    found = [(f"{t}_shop", "shop_id", "shop", False) for t in TO_SHOP if t == table]
    found += [(f"{t}_{c}", c, to, False) for t, c, to, _ in TO_ONE if t == table]
    return found + [(f"{t}_{c}", c, to, True) for t, c, to in WITHIN_SHOP if t == table]


def _lost(column: str, to: str, same_shop: bool) -> str:
    """Whether the row that `{0}.column` points to is not there, or another shop's. By the id alone, and the shop looked at afterwards: asked
    for both, the planner may walk through all that a shop has."""
    lock = "" if to in KEPT else " for key share"
    found = f'(select {"p.shop_id" if same_shop else "p.id"} from "{to}" p where p.id = {{0}}.{column}{lock})'
    return f"{found} is distinct from {{0}}.shop_id" if same_shop else f"{found} is null"


def references_hold(table: str, found: Sequence[tuple[str, str, str, bool]] = ()) -> str:
    """One look-up per statement that every reference of its new rows leads to a row of the same shop; refuses like a foreign key of that name.

    `found`: those of a table of a later migration; otherwise those of `references_of`.

    A row that comes to point elsewhere is looked at by itself. Keyed look-ups always: the plan of a trigger is kept, and is often made while
    the tables are still small.
    """
    references = found or references_of(table)
    fresh, moved = [], []
    for name, column, to, same_shop in references:
        rows = f"(select distinct {column}{', shop_id' if same_shop else ''} from fresh)" if to in FEW else "fresh"
        lost = _lost(column, to, same_shop)
        refuse = f"""then
    raise exception 'insert or update on table "{table}" violates foreign key constraint "{name}"'
      using errcode = '23503', constraint = '{name}', table = '{table}';
  end if;"""
        fresh.append(f"""
  if exists (select 1 from {rows} f where f.{column} is not null and {lost.format("f")}) {refuse}""")
        moved.append(f"""
  if new.{column} is not null and {lost.format("new")} {refuse}""")
    columns = dict.fromkeys([*(column for _, column, *_ in references), *(["shop_id"] if any(r[3] for r in references) else [])])
    differs = " or ".join(f"old.{column} is distinct from new.{column}" for column in columns)
    keyed = "language plpgsql set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off"
    return f"""
create function {table}_references() returns trigger {keyed} as $$
begin{"".join(fresh)}
  return null;
end $$;
create function {table}_moved() returns trigger {keyed} as $$
begin{"".join(moved)}
  return null;
end $$;
create trigger references_hold after insert on "{table}" referencing new table as fresh for each statement execute function {table}_references();
create trigger references_still_hold after update of {", ".join(columns)} on "{table}" for each row when ({differs}) execute function {table}_moved();
"""


def never_gone(table: str) -> str:
    """Rows that others point to are not deleted and keep their id and shop."""
    columns = ("id",) if table in OF_NO_SHOP else ("id", "shop_id")
    return f"""
create trigger never_gone before delete or truncate on "{table}" for each statement execute function never_gone();
create trigger never_moved before update of {", ".join(columns)} on "{table}" for each row
  when ({" or ".join(f"old.{c} is distinct from new.{c}" for c in columns)}) execute function never_gone();
"""


HISTORY = """
create view comment_history as
  select id, shop_id, comment_id, kind, text, mentions, at, received_at from comment_revision
  union all
  select 0, c.shop_id, c.id, 'ADD', c.text, c.mentions, c.written_at, c.received_at from social_comment c
  where c.text_at = c.written_at and c.removed_at is null and not exists (select from comment_revision r where r.comment_id = c.id)
"""
"""All that is known to have happened to comments. Nearly all are written and never touched again: what happened to those, their row tells."""

ENDPOINT = """
create function endpoint_unused() returns trigger language plpgsql as $$
begin
  if exists (select from inbox_event e where e.endpoint_id = old.id) then
    raise exception 'update or delete on table "webhook_endpoint" violates foreign key constraint "inbox_event_endpoint_id" on table "inbox_event"'
      using errcode = '23503', constraint = 'inbox_event_endpoint_id', table = 'inbox_event';
  end if;
  return old;
end $$;
create trigger endpoint_unused before delete on webhook_endpoint for each row execute function endpoint_unused();
create trigger never_moved before update of id on webhook_endpoint for each row when (old.id is distinct from new.id) execute function never_gone();
"""
"""An endpoint may go while nothing has come by it. What is just coming holds its row (`for key share`), so that the two wait for each other."""

SETTINGS = """
create sequence shop_number start 1001;
alter table shop alter column number set default nextval('shop_number');
alter table social_comment alter column external_post_id set default '';
alter table buyer alter column restricted_reason set default '';
alter table order_line alter column beneficiary set default '';
alter table stock_level alter column waiting set default 0;
alter table inbox_event alter column size set default 1;
"""


SQL = Path(__file__).parent / "sql"
UNDECIDED, LIVE_TABLES = ((SQL / f"{name}.sql").read_text(encoding="utf-8") for name in ("undecided", "live_tables"))


def statements() -> str:
    """All statements of this migration, in order."""
    parts = [LIST, MOVES, APPEND_ONLY, HISTORY, UNDECIDED, SETTINGS, LIVE_TABLES]
    parts += [f'alter table "{t}" add constraint {t}_shop foreign key (shop_id) references shop (id)' for t in TO_SHOP if t not in IN_BULK]
    parts += [
        f'alter table "{t}" add constraint {t}_{c} foreign key (shop_id, {c}) references "{to}" (shop_id, {"variant_id" if to == "stock_level" else "id"})'
        for t, c, to in WITHIN_SHOP
        if t not in IN_BULK
    ]
    parts += [GONE, *map(references_hold, IN_BULK), *map(never_gone, KEPT), ENDPOINT]
    parts += [
        f'alter table "{t}" add constraint {t}_{c} foreign key ({c}) references {to} ({key})'
        for t, c, to, key in TO_ONE
        if t not in IN_BULK
    ]
    parts += [f'alter table "{t}" add constraint {name} check ({rule})' for t, name, rule in CHECKS]
    parts += list(INDEXES)
    return ";\n".join(part.strip().rstrip(";") for part in parts) + ";"


class Migration(migrations.Migration):
    dependencies = [("plusone", "0001_initial")]
    operations = [ops.RunSQL(statements())]
