"""Roles and what each may do in a shop. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType

from domain.values import Word


class SourcePlatform(Word):
    """Where a comment or an order came from (public vocabulary; clients treat unknown values as other)."""

    FACEBOOK_PAGE = "FACEBOOK_PAGE"
    FACEBOOK_GROUP = "FACEBOOK_GROUP"
    FACEBOOK_LIVE = "FACEBOOK_LIVE"
    INSTAGRAM = "INSTAGRAM"
    INSTAGRAM_LIVE = "INSTAGRAM_LIVE"
    LINE_GROUP = "LINE_GROUP"
    LINE_OPENCHAT = "LINE_OPENCHAT"
    LINE_OA = "LINE_OA"
    TELEGRAM = "TELEGRAM"
    WEB = "WEB"
    APP = "APP"
    STAFF = "STAFF"
    IMPORT = "IMPORT"


class Role(StrEnum):
    OWNER = "OWNER"
    MANAGER = "MANAGER"
    HELPER = "HELPER"
    SCANNER = "SCANNER"


class Permission(StrEnum):
    VIEW_ORDERS = "VIEW_ORDERS"
    VIEW_STOCK = "VIEW_STOCK"
    VIEW_COMMENTS = "VIEW_COMMENTS"
    CANCEL_ORDER = "CANCEL_ORDER"
    MARK_PAID = "MARK_PAID"
    ADJUST_STOCK = "ADJUST_STOCK"
    RESOLVE_COMMENTS = "RESOLVE_COMMENTS"
    CHANGE_CLAIM_RULES = "CHANGE_CLAIM_RULES"
    RESTRICT_BUYERS = "RESTRICT_BUYERS"
    SHIP = "SHIP"
    ANNOUNCE = "ANNOUNCE"
    SCAN_AND_HAND_OVER = "SCAN_AND_HAND_OVER"
    ANSWER_BUYERS = "ANSWER_BUYERS"
    MANAGE_DELIVERY = "MANAGE_DELIVERY"


P = Permission
GRANTS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.OWNER: frozenset(Permission),
        Role.MANAGER: frozenset(Permission),
        Role.HELPER: frozenset(
            {
                P.VIEW_ORDERS,
                P.VIEW_STOCK,
                P.VIEW_COMMENTS,
                P.CANCEL_ORDER,
                P.ADJUST_STOCK,
                P.RESOLVE_COMMENTS,
                P.SCAN_AND_HAND_OVER,
                P.ANSWER_BUYERS,
            }
        ),
        Role.SCANNER: frozenset({P.SCAN_AND_HAND_OVER}),
    }
)


def may(permission: Permission, role: Role, denied: Collection[str]) -> bool:
    """True when the role grants it and this membership does not deny it: deny wins."""
    return permission in GRANTS[role] and permission not in denied
