"""The signed-in member and their devices."""

from __future__ import annotations

import strawberry

from api.schema.errors import MemberUserError
from api.schema.paging import Node
from domain.members.rules import DevicePlatform, PushTarget

strawberry.enum(DevicePlatform)
strawberry.enum(PushTarget, description="TOKEN: a registration token of FCM. FID: a Firebase installation id.")


@strawberry.type(description="The signed-in member as a buyer. The lists span all shops.")
class Buyer(Node):
    display_name: str
    locale: str
    live_cursor: str = strawberry.field(
        description="A place in my streams, taken before the lists beside it are read: as `since` it gives all that they do not show yet."
    )


@strawberry.type(description="An installation of the app that gets pushes.")
class Device:
    id: strawberry.ID
    platform: DevicePlatform


@strawberry.input
class DeviceRegisterInput:
    installation_id: str
    platform: DevicePlatform
    target_kind: PushTarget = PushTarget.TOKEN
    target: str = strawberry.field(description="Where FCM sends to.")
    locale: str = "zh-TW"


@strawberry.type
class DeviceRegisterPayload:
    device: Device | None
    user_errors: list[MemberUserError]
