"""When the question of a SUGGESTION notice is still open. SQL for the screens of notices and of suggestions.

OPEN_SUGGESTION speaks of a claim `c`, its comment `sc` and its post `sp`; `{now}` is a parameter. Without a closing time a yes is taken for
a day after the decision.
"""

from __future__ import annotations

from typing import Final

OPEN_SUGGESTION: Final = """c.outcome = 'SUGGESTED' and c.review <> 'RESOLVED' and sc.removed_at is null and sp.state = 'OPEN'
    and (sp.opens_at is null or sp.opens_at <= {now}) and coalesce(sp.closes_at, c.decided_at + interval '24 hours') >= {now}"""

EXPIRED: Final = (
    """case when n.kind <> 'SUGGESTION' then false else (select c.id from claim c join social_comment sc on sc.id = c.comment_id
    join sales_post sp on sp.id = c.post_id
    where c.id = (n.data ->> 'claimId')::uuid and left(c.text_hash, 16) = n.data ->> 'version' and """
    + OPEN_SUGGESTION
    + ") is null end"
)
"""Of a notice `n`: it asked for a yes that is no longer taken. A value, so that the claim is looked up by its key also within a list."""
