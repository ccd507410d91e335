"""The signed-in member and their devices."""

from __future__ import annotations

import strawberry

from api.resolvers.base import Info, field, selected
from api.resolvers.mutation import mutation
from api.schema.errors import MemberUserError
from api.schema.member import Buyer, DeviceRegisterInput, DeviceRegisterPayload
from domain.ids import public_id
from domain.members import commands, screens
from domain.paging import Row


@strawberry.type
class MemberQuery:
    @field(Buyer | None, description="The signed-in member.", root=True)
    async def me(self, info: Info) -> Row | None:
        viewer = info.context.require_viewer()
        if selected(info).any_of("display_name", "locale"):
            return await screens.member(viewer.member_id)
        return {"id": public_id("member", viewer.member_id)}


@strawberry.type
class MemberMutations:
    @mutation(MemberUserError, DeviceRegisterPayload)
    async def device_register(self, info: Info, input: DeviceRegisterInput) -> Row:
        """Tell where pushes for me go on this installation of the app."""
        device_id = await commands.register_device(
            member_id=info.context.require_viewer().member_id, installation_id=input.installation_id, platform=input.platform,
            target_kind=input.target_kind, target=input.target, locale=input.locale, now=info.context.now(),
        )  # fmt: skip
        return {"device": {"id": public_id("device", device_id), "platform": input.platform.value}}
