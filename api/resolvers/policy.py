"""The rule by which comments become orders, changed by the shop."""

from __future__ import annotations

import strawberry
from strawberry.utils.str_converters import to_camel_case

from api.resolvers.base import Info, key_of
from api.resolvers.mutation import InvalidInput, mutation
from api.schema.errors import PolicyUserError
from api.schema.policy import ClaimPolicyUpdateInput, ClaimPolicyUpdatePayload, policy_from_input
from domain.paging import Row
from domain.posts import commands, screens
from domain.posts.errors import InvalidPolicy
from domain.shops.rules import Permission


@strawberry.type
class PolicyMutations:
    @mutation(PolicyUserError, ClaimPolicyUpdatePayload, "NOT_FOUND PERMISSION_DENIED INVALID_INPUT")
    async def claim_policy_update(self, info: Info, input: ClaimPolicyUpdateInput) -> Row:
        """Change how comments are read and what follows, for comments from now on; what was decided stays decided."""
        shop_id = key_of(input.shop_id, "shop")
        post_id = key_of(input.post_id, "post") if input.post_id is not None else None
        actor = await info.context.require(Permission.CHANGE_CLAIM_RULES, shop_id)
        try:
            await commands.change_policy(
                shop_id=shop_id, post_id=post_id, change=lambda base: policy_from_input(base, input.policy), actor=actor,
                now=info.context.now(),
            )  # fmt: skip
        except InvalidPolicy as error:
            raise InvalidInput(f"policy.{to_camel_case(error.field)}") from None
        return {"rule": await screens.rule_of(shop_id, post_id, language=info.context.language)}
