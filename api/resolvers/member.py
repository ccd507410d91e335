"""The signed-in member and their devices."""

from __future__ import annotations

import strawberry

from api.resolvers.base import GraphQLContext, Info, field, selected
from api.resolvers.mutation import mutation
from api.schema.errors import MemberUserError
from api.schema.member import Buyer, DeviceRegisterInput, DeviceRegisterPayload
from domain.ids import public_id
from domain.live import places
from domain.live.queries import here
from domain.members import commands, screens
from domain.paging import Row


async def live_cursor(context: GraphQLContext) -> str:
    """Where the viewer's streams are now."""
    now = context.now()
    return places.write(context.services.vault, context.require_viewer().member_id, await here(now))


@strawberry.type
class MemberQuery:
    @field(Buyer | None, description="The signed-in member.", root=True)
    async def me(self, info: Info) -> Row | None:
        viewer, wanted = info.context.require_viewer(), selected(info)
        # Before the lists below are read, and so never behind what they show.
        more = {"live_cursor": await live_cursor(info.context)} if "live_cursor" in wanted else {}
        if wanted.any_of("display_name", "locale"):
            row = await screens.member(viewer.member_id)
            return None if row is None else row | more
        return {"id": public_id("member", viewer.member_id), **more}


@strawberry.type
class MemberMutations:
    @mutation(MemberUserError, DeviceRegisterPayload, "INVALID_DEVICE")
    async def device_register(self, info: Info, input: DeviceRegisterInput) -> Row:
        """Tell where pushes for me go on this installation of the app."""
        device_id = await commands.register_device(
            member_id=info.context.require_viewer().member_id, installation_id=input.installation_id, platform=input.platform,
            target_kind=input.target_kind, target=input.target, locale=input.locale, now=info.context.now(),
        )  # fmt: skip
        return {"device": {"id": public_id("device", device_id), "platform": input.platform.value}}
