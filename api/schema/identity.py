"""One person, many names: ways to sign in, names at shops, claim codes, and two accounts that become one."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import strawberry

from api.schema.errors import IdentityUserError


class IdentityLinkWay(StrEnum):
    """How something is linked."""

    CLAIM_CODE = "CLAIM_CODE"
    ACCOUNT_CODE = "ACCOUNT_CODE"


strawberry.enum(IdentityLinkWay, description="What a code links.")
for _value in IdentityLinkWay.__strawberry_definition__.values:  # type: ignore[attr-defined]
    _value.description = {
        "CLAIM_CODE": "A name at shops: I write the code under a post or send it to the shop's bot, and confirm afterwards that it was me.",
        "ACCOUNT_CODE": "Another account of mine: I sign in to it and hand the code in there with `membersMerge`.",
    }[_value.name]


@strawberry.type(description="A way to sign in to this account.")
class MemberIdentity:
    id: strawberry.ID = strawberry.field(description="For `identityUnlink`.")
    provider: str = strawberry.field(description="Such as line, facebook, google, apple, telegram.")
    created_at: datetime = strawberry.field(description="Since when it opens this account.")
    last_seen_at: datetime = strawberry.field(description="When it was last used.")


@strawberry.type(description="A name under which a shop knows me; my orders of it are in my lists.")
class BuyerName:
    id: strawberry.ID = strawberry.field(description="For `identityUnlink`, where it is not `bySignIn`.")
    shop_id: strawberry.ID = strawberry.field(description="The shop.")
    shop_name: str = strawberry.field(description="What the shop is called.")
    provider: str = strawberry.field(description="Where the name is from, such as facebook, line, telegram.")
    name: str = strawberry.field(description="As the platform showed it; empty where it shows none.")
    by_sign_in: bool = strawberry.field(description="It came with an identity and goes with that; otherwise a claim code linked it.")
    met_at: datetime = strawberry.field(description="When the shop first met this name.")


@strawberry.type(description="Somebody wrote my claim code, or I opened the link of a private reply. Was it me?")
class IdentityLink:
    id: strawberry.ID = strawberry.field(description="For `identityLinkConfirm`.")
    provider: str = strawberry.field(description="Where it was written.")
    name: str = strawberry.field(
        description="Who wrote it, as the platform shows them, empty where it does not; show it in full before asking."
    )
    shop_names: list[str] = strawberry.field(description="The shops where this name would become mine.")
    seen_at: datetime = strawberry.field(description="When the code was written.")
    answer_by: datetime = strawberry.field(description="Afterwards the question is gone, and a new code is needed.")
    accepted: bool | None = strawberry.field(description="My answer; null while there is none.")


class AccountLinkState(StrEnum):
    """How an account link stands."""

    OPENED = "OPENED"
    LINKED = "LINKED"
    FAILED = "FAILED"


strawberry.enum(AccountLinkState, description="How an account link stands.")
for _state in AccountLinkState.__strawberry_definition__.values:  # type: ignore[attr-defined]
    _state.description = {
        "OPENED": "I opened the address and was sent on to the platform, which has not said anything yet.",
        "LINKED": "The platform said that I am the person who asked its account; the name is mine at the account's shops.",
        "FAILED": "The platform said no, an hour went by, or I have another name of this platform at one of the shops.",
    }[_state.name]


@strawberry.type(description="An address of a shop's account that I opened to link my account of the platform.")
class AccountLink:
    id: strawberry.ID = strawberry.field(description="Of this link.")
    provider: str = strawberry.field(description="The platform, such as line.")
    state: AccountLinkState = strawberry.field(description="How it stands.")
    opened_at: datetime = strawberry.field(description="When I opened it last.")
    done_at: datetime | None = strawberry.field(description="When the platform answered; null before.")


@strawberry.type(
    description="An address that carries a claim code into a chat of the shop: opening it and sending it off is all that is left to do."
)
class LinkAddress:
    provider: str = strawberry.field(description="The platform whose app opens it: facebook (Messenger), instagram, telegram.")
    channel_name: str = strawberry.field(description="What the shop calls the channel.")
    url: str = strawberry.field(description="To open; it holds the code, so never show it to others.")


@strawberry.type(description="A code, shown once. It is good for 15 minutes and one use; a newer one of the same kind makes it void.")
class LinkCode:
    text: str = strawberry.field(description="What to write or to hand in, such as claim_7K3QX9AB.")
    expires_at: datetime = strawberry.field(description="When it is over.")
    addresses: list[LinkAddress] = strawberry.field(
        description="One per chat of the shop that takes such addresses; empty without `shopId` and for ACCOUNT_CODE."
    )


@strawberry.type(description="Another account that became part of this one.")
class MemberMerge:
    id: strawberry.ID = strawberry.field(description="For `membersMergeUndo`.")
    merged_at: datetime = strawberry.field(description="When.")
    undo_until: datetime = strawberry.field(description="Until then the two can be parted again.")
    undone_at: datetime | None = strawberry.field(description="When they were parted again.")
    can_undo: bool = strawberry.field(description="They may be parted now.")


@strawberry.input(description="What is to be linked.")
class IdentityLinkStartInput:
    way: IdentityLinkWay = strawberry.field(default=IdentityLinkWay.CLAIM_CODE, description="What the code is for.")
    shop_id: strawberry.ID | None = strawberry.field(default=None, description="A shop whose chats are to be opened with the code.")


@strawberry.type(description="The code.")
class IdentityLinkStartPayload:
    code: LinkCode | None = strawberry.field(description="To be shown now; it cannot be read again.")
    user_errors: list[IdentityUserError]


@strawberry.input(description="An address that opened the app.")
class IdentityLinkOpenInput:
    text: str = strawberry.field(description="What stands behind its `#`.")


@strawberry.type(description="Where it leads: to a question, or on to the platform.")
class IdentityLinkOpenPayload:
    link: IdentityLink | None = strawberry.field(description="From a private reply: was it me who commented? For `identityLinkConfirm`.")
    url: str | None = strawberry.field(
        description="From a bot: open this address of the platform now; the answer comes into `me.accountLinks`."
    )
    user_errors: list[IdentityUserError] = strawberry.field(description="Why it was refused; empty when it was done.")


@strawberry.input(description="The answer to a question in `me.identityLinks`.")
class IdentityLinkConfirmInput:
    link_id: strawberry.ID = strawberry.field(description="Which question.")
    accept: bool = strawberry.field(default=True, description="True: it was me. False: it was somebody else; the name stays unlinked.")


@strawberry.type(description="The answered question, and all names.")
class IdentityLinkConfirmPayload:
    link: IdentityLink | None = strawberry.field(description="With my answer.")
    names: list[BuyerName] | None = strawberry.field(description="All my names at shops as they are now.")
    user_errors: list[IdentityUserError]


@strawberry.input(description="What is given up.")
class IdentityUnlinkInput:
    id: strawberry.ID = strawberry.field(
        description="A MemberIdentity, with the names that came with it, or a BuyerName that a claim code linked."
    )


@strawberry.type(description="What is left.")
class IdentityUnlinkPayload:
    identities: list[MemberIdentity] | None = strawberry.field(description="Ways to sign in that are left.")
    names: list[BuyerName] | None = strawberry.field(description="Names at shops that are left.")
    user_errors: list[IdentityUserError]


@strawberry.input(description="Make the account that I am signed in to part of the one that made the code.")
class MembersMergeInput:
    code: str = strawberry.field(description="What `identityLinkStart` (ACCOUNT_CODE) showed in the account that is to stay.")


@strawberry.type(description="What became of it. This account's sessions end: sign in again, and you are in the account that stays.")
class MembersMergePayload:
    merged: bool | None = strawberry.field(description="True when this account is part of the other one now.")
    user_errors: list[IdentityUserError]


@strawberry.input(description="Part two accounts again.")
class MembersMergeUndoInput:
    merge_id: strawberry.ID = strawberry.field(description="A MemberMerge of `me.merges`.")


@strawberry.type(description="The merge that was undone.")
class MembersMergeUndoPayload:
    merge: MemberMerge | None = strawberry.field(description="As it is now.")
    user_errors: list[IdentityUserError]
