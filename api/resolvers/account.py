"""The member's data as a file, and the end of an account."""

from __future__ import annotations

import strawberry

from api.resolvers.base import Info, attach, field, key_of
from api.resolvers.mutation import InvalidInput, freshly_signed_in, mutation
from api.schema.account import (
    AccountDeleteCancelInput,
    AccountDeleteCancelPayload,
    AccountDeleteRequestInput,
    AccountDeleteRequestPayload,
    AccountDeletion,
    DataExportRequestInput,
    DataExportRequestPayload,
)
from api.schema.errors import AccountUserError
from api.schema.member import Buyer
from domain.ids import public_id
from domain.members import deletion, export, people_screens
from domain.paging import Row


@strawberry.type
class BuyerAccount:
    """Fields of the signed-in buyer."""

    @field(AccountDeletion | None, description="The deletion that I asked for and did not call off; null for none.")
    async def deletion(self, info: Info) -> Row | None:
        return await people_screens.deletion(info.context.require_viewer().member_id)


attach(Buyer, BuyerAccount)


@strawberry.type
class AccountMutations:
    @mutation(AccountUserError, DataExportRequestPayload, "NOT_FOUND TOO_MANY_EXPORTS SIGN_IN_AGAIN SECOND_PROOF_NEEDED SECOND_PROOF_UNSET")
    async def data_export_request(self, info: Info, input: DataExportRequestInput) -> Row:  # noqa: ARG002 -- there is one format
        """A file of all my data over all shops, to be fetched within an hour; 5 a day. Needs a fresh sign-in."""
        await freshly_signed_in(info)
        context = info.context
        export_id, until = await export.request(
            member_id=context.require_viewer().member_id, now=context.now(), request_id=context.request_id
        )
        key = public_id("export", export_id)
        return {"export": {"id": key, "path": f"/exports/{key}", "expires_at": until}}

    @mutation(AccountUserError, AccountDeleteRequestPayload, "NOT_FOUND INVALID_INPUT OPEN_ORDERS ONLY_OWNER")
    async def account_delete_request(self, info: Info, input: AccountDeleteRequestInput) -> Row:
        """Delete my account, 7 days from now: who I am and what I wrote goes, orders stay under a random name. Asked twice, it is one."""
        context, member_id = info.context, info.context.require_viewer().member_id
        if not input.understood:
            raise InvalidInput("understood")
        await deletion.request(member_id=member_id, now=context.now(), request_id=context.request_id)
        return {"deletion": await people_screens.deletion(member_id)}

    @mutation(AccountUserError, AccountDeleteCancelPayload, "NOT_FOUND")
    async def account_delete_cancel(self, info: Info, input: AccountDeleteCancelInput) -> Row:
        """Keep my account after all, as long as it has not been deleted."""
        context, member_id = info.context, info.context.require_viewer().member_id
        deletion_id = key_of(input.deletion_id, "deletion")
        await deletion.cancel(member_id=member_id, deletion_id=deletion_id, now=context.now(), request_id=context.request_id)
        return {"deletion": await people_screens.deletion(member_id, deletion_id)}
