"""What an evening came to, in words that do not depend on drawn ids: for tests that compare two of them."""

from __future__ import annotations

import re
from typing import Any

from domain import db
from tests.wall import Wall

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

NAMES = """
select id, 'buyer ' || external_id as name from buyer where shop_id = $1
union all select id, 'comment ' || external_id from social_comment where shop_id = $1
union all select k.id, 'claim of ' || c.external_id from claim k join social_comment c on c.id = k.comment_id where k.shop_id = $1
union all select v.id, 'variant ' || v.label from variant v join product p on p.id = v.product_id where p.shop_id = $1
union all select id, 'post ' || title from sales_post where shop_id = $1
union all select o.id, 'order of ' || b.external_id || ' since ' || coalesce(
    (select min(length(c.external_id) || ':' || c.external_id) from order_line l join claim k on k.id = l.claim_id
     join social_comment c on c.id = k.comment_id where l.order_id = o.id), '') from "order" o join buyer b on b.id = o.buyer_id where o.shop_id = $1
union all select l.id, 'line of ' || c.external_id || ' for ' || l.variant_label || ' in ' || dense_rank() over (partition by l.claim_id, l.variant_id order by l.order_id)
    from order_line l join claim k on k.id = l.claim_id join social_comment c on c.id = k.comment_id where l.shop_id = $1
union all select w.id, 'place of ' || c.external_id from waitlist_entry w join claim k on k.id = w.claim_id join social_comment c on c.id = k.comment_id
    where w.shop_id = $1
"""

STATE = {
    # What each event of a bundle came to is in its claim.
    "events": """select external_key, state, parked_reason from inbox_event where endpoint_id = $1 and parts is null and size = 1
                 union all select part ->> 0, state, '' from inbox_event, jsonb_array_elements(parts::jsonb) part where endpoint_id = $1""",
    "comments": """select c.external_id, c.post_id, c.buyer_id, c.text, c.written_at, c.text_at, c.received_at, c.removed_at, c.author_name, c.is_owner
                   from social_comment c where c.shop_id = $1""",
    "texts": "select comment_id, string_agg(kind || ' ' || text || ' ' || at, '; ' order by at, id) from comment_history where shop_id = $1 group by 1",
    "claims": """select comment_id, post_id, buyer_id, outcome, reason, intent, result::text, text_hash, rules_version, order_id, review, decided_at
                 from claim where shop_id = $1""",
    # A cancelled order is in nobody's review list, whether its flag was set before it was cancelled or not at all.
    "orders": """select id, buyer_id, state, payment_state, delivery_method, subtotal_minor, total_minor, pay_by, flagged and state <> 'CANCELLED', created_at
                 from "order" where shop_id = $1""",
    "lines": """select id, order_id, variant_id, post_id, claim_id, title, variant_label, unit_price_minor, quantity, created_at, beneficiary
                from order_line where shop_id = $1""",
    "levels": "select variant_id, on_hand, held, committed, waiting from stock_level where shop_id = $1",
    # In the order in which each variant's pieces moved.
    "ledger": """select variant_id, string_agg(concat_ws(' ', kind, held_delta, order_line_id, actor, reason), '; ' order by id)
                 from stock_movement where shop_id = $1 group by 1""",
    "places": "select claim_id, variant_id, buyer_id, quantity, queued_at from waitlist_entry where shop_id = $1 and state = 'WAITING'",
    "queues": """select w.variant_id, string_agg(w.claim_id::text, '; ' order by w.queued_at, length(c.external_id), c.external_id)
                 from waitlist_entry w join claim k on k.id = w.claim_id join social_comment c on c.id = k.comment_id
                 where w.shop_id = $1 and w.state = 'WAITING' group by 1""",
    "timelines": "select order_id, string_agg(concat_ws(' ', kind, data, actor), '; ' order by id) from order_event where shop_id = $1 group by 1",
    "notices": "select buyer_id, kind, (data::jsonb - 'orderNumber')::text, dedupe_key, created_at from notice where shop_id = $1",
    "replies": "select comment_id, kind, text, dedupe_key, state from platform_reply where shop_id = $1",
    # A cancelled order's reminders are dropped when they fall due, whether it had any depends on when it was cancelled.
    "reminders": """select r.order_id, r.half_at, r.last_hour_at, r.due_at from payment_reminder r join "order" o on o.id = r.order_id
                    where r.shop_id = $1 and o.state = 'OPEN'""",
    # The entry of a comment that was decided twice in one batch shows the pieces of both decisions, and its last order.
    "decisions": """select object_id, string_agg(concat_ws(' ', detail ->> 'outcome', detail ->> 'reason', detail ->> 'intent', detail ->> 'textHash'), '; ' order by id)
                    from audit_entry where shop_id = $1 and action = 'CLAIM_DECIDED' group by 1""",
    "audited pieces": """select object_id, s ->> 0 as variant, s ->> 1 as kind, s ->> 3 as line, sum((s ->> 2)::int) as pieces
                         from audit_entry cross join json_array_elements(detail -> 'stock') s where shop_id = $1 group by 1, 2, 3, 4""",
}  # fmt: skip


async def ending(wall: Wall) -> dict[str, list[str]]:
    """Everything that the worker writes, row by row, by the names of things."""
    names = {str(row["id"]): row["name"] for row in await db.fetch(NAMES, wall.shop.id)}
    found: dict[str, list[str]] = {}
    for what, sql in STATE.items():
        rows = await db.fetch(sql, wall.endpoint_id if what == "events" else wall.shop.id)
        found[what] = sorted(ID.sub(lambda match: names.get(match[0], match[0]), " | ".join(map(_shown, row.values()))) for row in rows)
    return found


def _shown(value: Any) -> str:
    return "-" if value is None else str(value)
