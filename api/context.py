"""What every resolver gets: the viewer, the services, the time of the request."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from api.auth.permissions import Rights, rights_in
from api.auth.viewer import Unauthenticated, Viewer
from domain.audit.commands import Actor
from domain.bootstrap import Services
from domain.shops.rules import Permission


@dataclass(slots=True)
class Context:
    """One request. Rights are read once per shop and request."""

    services: Services
    viewer: Viewer | None
    request_id: str = ""
    client_address: str = ""
    _rights: dict[UUID, Rights] = field(default_factory=dict)

    def now(self) -> datetime:
        """The instant of this request by the services' clock, UTC."""
        return self.services.clock.now()

    def require_viewer(self) -> Viewer:
        """The signed-in member.

        Raises:
            Unauthenticated: nobody is signed in.
        """
        if self.viewer is None:
            raise Unauthenticated
        return self.viewer

    async def require(self, permission: Permission, shop_id: UUID) -> Actor:
        """The viewer as an actor of this shop, for the audit.

        Raises:
            Unauthenticated: nobody is signed in.
            NotFound: the viewer has no membership there; the same answer as for a shop that does not exist.
            PermissionDenied: a member of the shop without this permission.
        """
        viewer = self.require_viewer()
        if shop_id not in self._rights:
            self._rights[shop_id] = await rights_in(shop_id, viewer.member_id)
        rights = self._rights[shop_id]
        rights.require(permission)
        return Actor(name=f"member:{viewer.member_id}", role=rights.role.value, request_id=self.request_id)
