"""A pass is one per shop, buyer and slot: `pickup.slot_id`, and the open passes that there are, told apart by what their orders chose."""

from __future__ import annotations

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

SPLIT = """
create temporary table slot_of_order on commit drop as
  select po.order_id, po.pickup_id, d.slot_id from pickup_order po join pickup p on p.id = po.pickup_id and p.state = 'OPEN'
  join "order" o on o.id = po.order_id and o.state in ('OPEN', 'LOCKED') left join order_delivery d on d.order_id = po.order_id;
create temporary table slot_of_pass on commit drop as
  select distinct on (pickup_id) pickup_id, slot_id from slot_of_order order by pickup_id, slot_id nulls first;
create temporary table split_pass on commit drop as
  select gen_random_uuid() as id, s.pickup_id, s.slot_id from slot_of_order s join slot_of_pass k on k.pickup_id = s.pickup_id
  where s.slot_id is distinct from k.slot_id group by s.pickup_id, s.slot_id;
update pickup p set slot_id = k.slot_id, version = p.version + 1 from slot_of_pass k where k.pickup_id = p.id and k.slot_id is not null;
insert into pickup (id, shop_id, buyer_id, member_id, slot_id, code_id, state, issue_number, short_code, version, created_at)
  select n.id, p.shop_id, p.buyer_id, p.member_id, n.slot_id, ('x' || left(md5(gen_random_uuid()::text), 16))::bit(64)::bigint, 'OPEN', 0, '', 1,
    p.created_at from split_pass n join pickup p on p.id = n.pickup_id;
update pickup_order po set pickup_id = n.id from slot_of_order s join split_pass n on n.pickup_id = s.pickup_id and n.slot_id = s.slot_id
  where po.order_id = s.order_id;
"""
"""A pass keeps its orders without a slot, or else those of one slot; those of each other slot get a pass of their own, without a code yet."""

INTEGRITY = f"""
drop index pickup_open;
alter table pickup add constraint pickup_slot_id foreign key (shop_id, slot_id) references pickup_slot (shop_id, id);
{SPLIT.strip()}
create unique index pickup_open on pickup (shop_id, buyer_id, slot_id) nulls not distinct where state = 'OPEN';
"""


class Migration(migrations.Migration):
    dependencies = [("plusone", "0020_snapshots")]
    operations = [
        ops.AddField(model_name="Pickup", name="slot_id", field=fields.UUIDField(null=True)),
        ops.RunSQL(INTEGRITY),
    ]
