"""Sales posts, for anybody."""

from __future__ import annotations

import strawberry

from api.resolvers.base import Info, field, key_of, selected
from api.schema.post import SalesPost
from domain.errors import NotFound
from domain.paging import Row
from domain.posts import screens


@strawberry.type
class PostQuery:
    @field(SalesPost | None, description="A post with its rule, its items and what is left. No sign-in needed.")
    async def sales_post(self, info: Info, id: strawberry.ID) -> Row | None:
        try:
            post_id = key_of(id, "post")
        except NotFound:
            return None
        found = await screens.sales_posts([post_id], wanted=selected(info), language=info.context.language)
        return found.get(post_id)
