"""Names, identities and merged accounts of the signed-in member."""

from __future__ import annotations

import strawberry

from api.resolvers.base import Info, attach, field, key_of, selected
from api.resolvers.mutation import mutation, text
from api.schema.errors import IdentityUserError
from api.schema.identity import (
    AccountLink,
    BuyerName,
    IdentityLink,
    IdentityLinkConfirmInput,
    IdentityLinkConfirmPayload,
    IdentityLinkOpenInput,
    IdentityLinkOpenPayload,
    IdentityLinkStartInput,
    IdentityLinkStartPayload,
    IdentityLinkWay,
    IdentityUnlinkInput,
    IdentityUnlinkPayload,
    MemberIdentity,
    MemberMerge,
    MembersMergeInput,
    MembersMergePayload,
    MembersMergeUndoInput,
    MembersMergeUndoPayload,
)
from api.schema.member import Buyer
from domain.ids import read_public_id
from domain.members import account_links, claim_codes, link_places, linking_names, merging, opening, people_screens
from domain.members.merging import Asking
from domain.members.rules import CodeKind
from domain.paging import Row

LONGEST_CODE = 60
LONGEST_ADDRESS = 100
KINDS = {IdentityLinkWay.CLAIM_CODE: CodeKind.NAME, IdentityLinkWay.ACCOUNT_CODE: CodeKind.MERGE}


@strawberry.type
class BuyerNames:
    """Fields of the signed-in buyer."""

    @field(list[MemberIdentity], description="Ways to sign in to this account, the oldest first.")
    async def identities(self, info: Info) -> list[Row]:
        return await people_screens.identities(info.context.require_viewer().member_id)

    @field(list[BuyerName], description="Names under which shops know me, the oldest first; at most 200.")
    async def names(self, info: Info) -> list[Row]:
        return await people_screens.names(info.context.require_viewer().member_id)

    @field(list[IdentityLink], description="Names that wrote a claim code of mine and wait for my answer, the newest first.")
    async def identity_links(self, info: Info) -> list[Row]:
        return await people_screens.links(info.context.require_viewer().member_id, info.context.now())

    @field(list[AccountLink], description="Account links that I opened in the last 30 days, the newest first.")
    async def account_links(self, info: Info) -> list[Row]:
        return await account_links.of_member(info.context.require_viewer().member_id, info.context.now())

    @field(list[MemberMerge], description="Accounts that became part of this one in the last 30 days, the newest first.")
    async def merges(self, info: Info) -> list[Row]:
        return await people_screens.merges(info.context.require_viewer().member_id, info.context.now())


attach(Buyer, BuyerNames)


@strawberry.type
class IdentityMutations:
    @mutation(IdentityUserError, IdentityLinkStartPayload, "NOT_FOUND SIGN_IN_REFUSED")
    async def identity_link_start(self, info: Info, input: IdentityLinkStartInput) -> Row:
        """A claim code for a name of mine, or a code for another account of mine."""
        context = info.context
        shop_id = key_of(input.shop_id, "shop") if input.shop_id and input.way is IdentityLinkWay.CLAIM_CODE else None
        if shop_id is not None:
            await link_places.addresses(shop_id, "")
        made = await claim_codes.start(
            member_id=context.require_viewer().member_id, kind=KINDS[input.way], now=context.now(), request_id=context.request_id
        )
        places = [] if shop_id is None else await link_places.addresses(shop_id, made.text)
        return {"code": {"text": made.text, "expires_at": made.expires_at, "addresses": places}}

    @mutation(IdentityUserError, IdentityLinkOpenPayload, "INVALID_INPUT LINK_OVER")
    async def identity_link_open(self, info: Info, input: IdentityLinkOpenInput) -> Row:
        """Open an address: one from a private reply asks me whether I wrote the comment, one from a shop's bot leads on to the platform."""
        context, member_id = info.context, info.context.require_viewer().member_id
        opened = await opening.open_address(
            member_id=member_id,
            text=text(input.text, "text", LONGEST_ADDRESS, shortest=1),
            vault=context.services.vault,
            now=context.now(),
            client_address=context.client_address,
            request_id=context.request_id,
        )
        if opened.link_id is None:
            return {"url": opened.url}
        return {"link": next(iter(await people_screens.links(member_id, context.now(), opened.link_id)), None)}

    @mutation(IdentityUserError, IdentityLinkConfirmPayload, "NOT_FOUND SAME_PROVIDER LINK_OVER")
    async def identity_link_confirm(self, info: Info, input: IdentityLinkConfirmInput) -> Row:
        """Say whether the name that wrote my claim code is mine; a yes brings its orders, notices and pickups into my lists."""
        context, member_id = info.context, info.context.require_viewer().member_id
        link_id = key_of(input.link_id, "link")
        await linking_names.confirm(
            member_id=member_id, link_id=link_id, accept=input.accept, now=context.now(), request_id=context.request_id
        )
        found: Row = {}
        wanted = selected(info)
        if "link" in wanted:
            found["link"] = next(iter(await people_screens.links(member_id, context.now(), link_id)), None)
        if "names" in wanted:
            found["names"] = await people_screens.names(member_id)
        return found

    @mutation(IdentityUserError, IdentityUnlinkPayload, "NOT_FOUND LAST_IDENTITY")
    async def identity_unlink(self, info: Info, input: IdentityUnlinkInput) -> Row:
        """Give up a way to sign in, or a name that a claim code linked; their orders leave my lists and stay with the shops."""
        context, viewer = info.context, info.context.require_viewer()
        read = read_public_id(input.id)
        if read is not None and read[0] == "identity":
            await linking_names.unlink_identity(
                member_id=viewer.member_id, identity_id=read[1], session_id=viewer.session_id, now=context.now(), request_id=context.request_id
            )  # fmt: skip
        else:
            await linking_names.unlink_name(
                member_id=viewer.member_id, buyer_id=key_of(input.id, "buyer"), now=context.now(), request_id=context.request_id
            )
        found: Row = {}
        wanted = selected(info)
        if "identities" in wanted:
            found["identities"] = await people_screens.identities(viewer.member_id)
        if "names" in wanted:
            found["names"] = await people_screens.names(viewer.member_id)
        return found

    @mutation(
        IdentityUserError,
        MembersMergePayload,
        "INVALID_INPUT SAME_PROVIDER LINK_OVER SIGN_IN_AGAIN SECOND_PROOF_NEEDED SECOND_PROOF_UNSET STAFF_RIGHTS DELETION_UNDERWAY",
    )
    async def members_merge(self, info: Info, input: MembersMergeInput) -> Row:
        """Make this account, signed in to a moment ago, part of the account that made the code; can be undone there for 7 days."""
        context, viewer = info.context, info.context.require_viewer()
        asking = Asking(viewer.member_id, viewer.session_id, context.client_address, context.request_id)
        await merging.merge(asking, text(input.code, "code", LONGEST_CODE, shortest=1), context.now())
        return {"merged": True}

    @mutation(IdentityUserError, MembersMergeUndoPayload, "NOT_FOUND UNDO_OVER")
    async def members_merge_undo(self, info: Info, input: MembersMergeUndoInput) -> Row:
        """Part two accounts again: what the other one brought goes back, with what its names did since; sessions begun since end."""
        context, member_id = info.context, info.context.require_viewer().member_id
        merge_id = key_of(input.merge_id, "merge")
        await merging.undo(merge_id=merge_id, member_id=member_id, now=context.now(), request_id=context.request_id)
        return {"merge": next(iter(await people_screens.merges(member_id, context.now(), merge_id)), None)}
