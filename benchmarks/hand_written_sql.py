"""The statements of `hand_written`: one per screen and way, the member is $1."""

from __future__ import annotations

from typing import Final

OWED: Final = "('UNPAID','REPORTED','PENDING','FAILED','EXPIRED','PARTIALLY_PAID')"
LATER: Final = "coalesce(o.pay_by, timestamptz '9999-12-31 00:00:00Z')"
PASSES: Final = "from pickup k join shop s on s.id = k.shop_id where k.member_id = $1 and k.state = 'OPEN' order by k.created_at desc, k.id desc limit 10"

PARCELS: Final = """from shipment sh where sh.id = any(array(select x.shipment_id from shipment_line x where x.order_id = o.id))"""
PASS: Final = "from pickup_order po join pickup k on k.id = po.pickup_id where po.order_id = o.id"

HOME_ROWS: Final = f"""
select page.*, whole.passes
from (select array(select row(k.id, k.state, k.not_after, s.id, s.name, s.pickup_place) {PASSES}) as passes) whole
left join lateral (
  select o.id, o.number, o.created_at, o.state, o.payment_state, o.fulfilment_state, o.delivery_method, o.pay_by, o.currency, o.total_minor, o.paid_minor,
         s.id as shop_id, s.name as shop_name, s.currency as shop_currency, s.pickup_place,
         array(select row(l.id, l.title, l.variant_label, l.quantity, l.handed_over, l.unit_price_minor) from order_line l
               where l.order_id = o.id order by l.created_at, l.id limit 101) as lines,
         array(select row(sh.id, sh.state, sh.carrier, nullif(sh.tracking_number, ''), sh.last_pickup_day) {PARCELS} order by sh.created_at, sh.id limit 50)
           as parcels,
         (select row(k.id, k.state, k.not_after) {PASS}) as pass
  from "order" o join shop s on s.id = o.shop_id where o.member_id = $1 order by o.created_at desc, o.id desc limit 21) page on true
order by page.created_at desc, page.id desc"""

HOME_JSON: Final = f"""
with page as materialized (
  select o.*, row_number() over (order by o.created_at desc, o.id desc) as place from "order" o
  where o.member_id = $1 order by o.created_at desc, o.id desc limit 21)
select json_build_object(
  'orders', json_build_object(
    'nodes', coalesce((select json_agg(json_build_object(
        'id', o.id, 'number', o.number, 'createdAt', o.created_at, 'state', o.state, 'paymentState', o.payment_state,
        'fulfilmentState', o.fulfilment_state, 'deliveryMethod', o.delivery_method, 'payBy', o.pay_by,
        'shop', json_build_object('id', s.id, 'name', s.name, 'currency', s.currency, 'pickupPlace', s.pickup_place),
        'total', json_build_object('amount', o.total_minor, 'currencyCode', o.currency),
        'amountDue', json_build_object('amount', greatest(o.total_minor - o.paid_minor, 0), 'currencyCode', o.currency),
        'lines', (select json_build_object('totalCount', count(*), 'nodes', coalesce(json_agg(json_build_object(
              'id', l.id, 'title', l.title, 'variantLabel', l.variant_label, 'quantity', l.quantity, 'handedOver', l.handed_over,
              'unitPrice', json_build_object('amount', l.unit_price_minor, 'currencyCode', o.currency)) order by l.created_at, l.id)
              filter (where l.place <= 5), '[]'))
            from (select *, row_number() over (order by x.created_at, x.id) as place from order_line x
                  where x.order_id = o.id order by x.created_at, x.id limit 101) l),
        'shipments', coalesce((select json_agg(json_build_object('id', h.id, 'state', h.state, 'carrier', h.carrier,
              'trackingNumber', nullif(h.tracking_number, ''), 'lastPickupDay', h.last_pickup_day) order by h.created_at, h.id)
            from (select sh.* {PARCELS} order by sh.created_at, sh.id limit 50) h), '[]'),
        'pickup', (select json_build_object('id', k.id, 'state', k.state, 'codeExpiresAt', k.not_after) {PASS})
      ) order by o.place) from page o join shop s on s.id = o.shop_id where o.place <= 20), '[]'),
    'pageInfo', (select json_build_object('hasNextPage', count(*) > 20, 'hasPreviousPage', false, 'endCursor', max(place)) from page)),
  'pickups', json_build_object('nodes', coalesce((select json_agg(json_build_object(
      'id', k.id, 'state', k.state, 'codeExpiresAt', k.not_after, 'shop', json_build_object('id', k.shop_id, 'name', k.name, 'pickupPlace', k.pickup_place)))
    from (select k.id, k.state, k.not_after, k.shop_id, s.name, s.pickup_place {PASSES}) k), '[]')))::text"""

DUE: Final = f"""from "order" o where o.member_id = $1 and o.state = 'OPEN' and o.payment_state in {OWED}"""

UNPAID_ROWS: Final = f"""
select page.*, whole.* from (select
    array(select row(o.currency, sum(o.total_minor - o.paid_minor)::bigint) {DUE} group by o.currency order by o.currency) as totals,
    array(select row(w.due, w.orders, w.pay_by, w.currency, s.id, s.name) from (
      select o.shop_id, o.currency, sum(o.total_minor - o.paid_minor)::bigint due, count(*)::int orders, min(o.pay_by) pay_by {DUE}
      group by o.shop_id, o.currency) w join shop s on s.id = w.shop_id order by w.pay_by nulls last, w.shop_id, w.currency limit 100) as by_shop) whole
left join lateral (
  select o.id, o.number, o.pay_by, o.currency, o.total_minor, o.paid_minor, s.id as shop_id, s.name as shop_name, {LATER} as later
  from "order" o join shop s on s.id = o.shop_id where o.member_id = $1 and o.state = 'OPEN' and o.payment_state in {OWED}
  order by {LATER}, o.id limit 21) page on true order by page.later, page.id"""

UNPAID_JSON: Final = f"""
with due as materialized (
  select o.id, o.number, o.pay_by, o.currency, o.total_minor - o.paid_minor as due, o.shop_id, s.name,
         row_number() over (order by {LATER}, o.id) as place
  from "order" o join shop s on s.id = o.shop_id where o.member_id = $1 and o.state = 'OPEN' and o.payment_state in {OWED})
select json_build_object('unpaid', json_build_object(
  'totals', coalesce((select json_agg(json_build_object('amount', t.due, 'currencyCode', t.currency) order by t.currency)
     from (select currency, sum(due)::bigint due from due group by currency) t), '[]'),
  'byShop', coalesce((select json_agg(json_build_object('shop', json_build_object('id', w.shop_id, 'name', w.name),
       'amountDue', json_build_object('amount', w.due, 'currencyCode', w.currency), 'orderCount', w.orders, 'payBy', w.pay_by)
       order by w.pay_by nulls last, w.shop_id, w.currency)
     from (select shop_id, name, currency, sum(due)::bigint due, count(*) orders, min(pay_by) pay_by from due group by 1, 2, 3
           order by min(pay_by) nulls last, shop_id, currency limit 100) w), '[]'),
  'nodes', coalesce((select json_agg(json_build_object('id', d.id, 'number', d.number, 'payBy', d.pay_by,
       'amountDue', json_build_object('amount', d.due, 'currencyCode', d.currency), 'shop', json_build_object('id', d.shop_id, 'name', d.name))
       order by d.place) from due d where d.place <= 20), '[]'),
  'pageInfo', (select json_build_object('hasNextPage', count(*) > 20, 'hasPreviousPage', false, 'endCursor', max(place)) from due)))::text"""

UNREAD: Final = "(select count(*)::int from (select from notice u where u.member_id = $1 and u.read_at is null limit 1000) x)"

NOTICES_ROWS: Final = f"""
select page.*, whole.unread from (select {UNREAD} as unread) whole left join lateral (
  select n.id, n.kind, n.created_at, n.read_at, n.data, s.id as shop_id, s.name as shop_name
  from notice n join shop s on s.id = n.shop_id where n.member_id = $1 order by n.created_at desc, n.id desc limit 21) page on true
order by page.created_at desc, page.id desc"""

NOTICES_JSON: Final = f"""
with page as materialized (
  select n.*, row_number() over (order by n.created_at desc, n.id desc) as place from notice n
  where n.member_id = $1 order by n.created_at desc, n.id desc limit 21)
select json_build_object('notifications', json_build_object('unreadCount', {UNREAD},
  'nodes', coalesce((select json_agg(json_build_object('id', n.id, 'kind', n.kind, 'facts', n.data, 'createdAt', n.created_at, 'readAt', n.read_at,
      'shop', json_build_object('id', s.id, 'name', s.name)) order by n.place) from page n join shop s on s.id = n.shop_id where n.place <= 20), '[]'),
  'pageInfo', (select json_build_object('hasNextPage', count(*) > 20, 'hasPreviousPage', false, 'endCursor', max(place)) from page)))::text"""
