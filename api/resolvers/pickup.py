"""Pickups: the buyer's pass; the clerk's scan and hand-over."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry

from api.resolvers.base import Asked, GraphQLContext, Info, attach, key_of, question, selected
from api.resolvers.lists import Listed, member_list
from api.resolvers.mutation import effect, mutation, text
from api.resolvers.order import minor
from api.schema.errors import PickupUserError
from api.schema.member import Buyer
from api.schema.pickup import (
    PickupConfirmInput,
    PickupConfirmPayload,
    PickupConnection,
    PickupFilter,
    PickupPassDelegateInput,
    PickupPassDelegatePayload,
    PickupPassIssueInput,
    PickupPassIssuePayload,
    PickupPassRevokeInput,
    PickupPassRevokePayload,
    PickupScanInput,
    PickupScanPayload,
)
from domain.ids import public_id
from domain.members.keys import active_key, public_keys
from domain.members.rules import KeyUse
from domain.orders.queries import orders_by_id
from domain.orders.shapes import Viewpoint
from domain.paging import Args, Row, Slice, money
from domain.paging.written import Screen
from domain.pickup import commands, screens
from domain.pickup.code import qr_png
from domain.pickup.rules import LONGEST_LOAN_NAME
from domain.shops.rules import Permission
from domain.shops.screens import shop_owning

LONGEST_TOKEN = 200
LONGEST_SCAN = 120


def _pickups(context: GraphQLContext, args: Args, *, filter: PickupFilter | None = None, **page: Any) -> tuple[Asked, Screen]:
    state = filter.state if filter else None
    found = question(context, "me.pickups", state, **page)
    return found, screens.pickups_screen(context.require_viewer().member_id, args, page=found.page, state=state)


@strawberry.type
class BuyerPickups:
    """Fields of the signed-in buyer."""

    @member_list(PickupConnection, "What I may collect at which shop, newest first.", screen=_pickups)
    async def pickups(self, listed: Listed, filter: PickupFilter | None = None) -> Slice:
        state, view = filter.state if filter else None, Viewpoint(listed.info.context.language)
        return await screens.pickups_of_member(listed.owner_id, **listed.page(state), viewpoint=view, state=state)


attach(Buyer, BuyerPickups)


@strawberry.type
class PickupMutations:
    @mutation(PickupUserError, PickupPassIssuePayload, "NOT_FOUND PICKUP_REFUSED")
    async def pickup_pass_issue(self, info: Info, input: PickupPassIssueInput) -> Row:
        """A fresh code for a pickup of mine, also to renew it; older codes of it are void from here on. It covers all of its slot that I may collect at that shop."""
        viewer, now = info.context.require_viewer(), info.context.now()
        pickup_id, signer = key_of(input.pickup_id, "pickup"), await signer_at(now)
        issued = await commands.issue(member_id=viewer.member_id, pickup_id=pickup_id, shop_id=None, signer=signer, now=now)
        return {"pickup_pass": await as_shown(info, issued)}

    @mutation(PickupUserError, PickupPassDelegatePayload, "NOT_FOUND INVALID_INPUT PICKUP_REFUSED")
    async def pickup_pass_delegate(self, info: Info, input: PickupPassDelegateInput) -> Row:
        """A code for somebody else: good for one hand-over by whoever shows it. My own is void from here on; one code is lent at a time."""
        viewer, now = info.context.require_viewer(), info.context.now()
        pickup_id, signer = key_of(input.pickup_id, "pickup"), await signer_at(now)
        to = text(input.to, "to", LONGEST_LOAN_NAME)
        issued = await commands.lend(member_id=viewer.member_id, pickup_id=pickup_id, to=to, signer=signer, now=now)
        return {"pickup_pass": await as_shown(info, issued)}

    @mutation(PickupUserError, PickupPassRevokePayload, "NOT_FOUND PICKUP_REFUSED")
    async def pickup_pass_revoke(self, info: Info, input: PickupPassRevokeInput) -> Row:
        """Make the newest code of a pickup of mine void, lent or not. Doing it again changes nothing."""
        viewer, now = info.context.require_viewer(), info.context.now()
        pickup_id = await commands.revoke(member_id=viewer.member_id, pickup_id=key_of(input.pickup_id, "pickup"), now=now)
        wanted = selected(info, "pickup")
        found = await screens.visible_pickups([pickup_id], viewer.member_id, wanted=wanted, language=info.context.language)
        return {"pickup": found.get(pickup_id)}

    @mutation(PickupUserError, PickupScanPayload, "NOT_FOUND PERMISSION_DENIED INVALID_INPUT PICKUP_REFUSED")
    async def pickup_scan(self, info: Info, input: PickupScanInput) -> Row:
        """Look a code up and see what may leave; nothing changes. For staff at the counter."""
        viewer, now, shop_id = info.context.require_viewer(), info.context.now(), key_of(input.shop_id, "shop")
        await info.context.require(Permission.SCAN_AND_HAND_OVER, shop_id)
        keys = {key.number: key.key for key in await public_keys(KeyUse.PICKUP, now)}
        seen = await commands.scan(
            shop_id=shop_id, token=text(input.token, "token", LONGEST_TOKEN), scanner_id=viewer.member_id,
            device=text(input.device_id, "deviceId", 120), public_keys=keys, vault=info.context.services.vault, now=now,
            slot_id=None if input.slot_id is None else key_of(input.slot_id, "slot"),
        )  # fmt: skip
        lines = [
            {
                "line_id": public_id("line", line.order_line_id), "order_number": line.order_number, "title": line.title,
                "variant_label": line.variant_label, "quantity": line.quantity, "left": line.left,
            }
            for line in seen.lines
        ]  # fmt: skip
        return {
            "preview": {
                "scan_id": seen.scan_id, "pickup_id": public_id("pickup", seen.pickup_id), "buyer_name": seen.buyer_name, "lent": seen.lent, "lines": lines,
                "amount_due": money(seen.due_minor, seen.currency), "confirm_by": seen.confirm_by,
                "slot": seen.slot.shown() if seen.slot else None,
            }
        }  # fmt: skip

    @mutation(PickupUserError, PickupConfirmPayload, "NOT_FOUND PERMISSION_DENIED INVALID_INPUT PICKUP_REFUSED", idempotent=True)
    async def pickup_confirm(self, info: Info, input: PickupConfirmInput) -> Row:
        """Hand over the scanned goods: all that may leave, or the lines named. The same scan confirmed again is the same hand-over."""
        viewer, shop_id = info.context.require_viewer(), key_of(input.shop_id, "shop")
        actor = await info.context.require(Permission.SCAN_AND_HAND_OVER, shop_id)
        taken = input.collected
        collected = 0 if taken is None else await minor(taken.amount, shop_id, "collected", taken.currency_code.value)
        lines = None if input.lines is None else [commands.LineQuantity(key_of(x.line_id, "line"), x.quantity) for x in input.lines[:101]]

        async def act() -> Row:
            done = await commands.confirm(
                shop_id=shop_id, scan_id=text(input.scan_id, "scanId", LONGEST_SCAN), lines=lines, collected_minor=collected, actor=actor,
                by_member_id=viewer.member_id, device=text(input.device_id, "deviceId", 120), vault=info.context.services.vault,
                now=info.context.now(), jobs=info.context.services.jobs,
            )  # fmt: skip
            return as_hand_over(done)

        found = dict(await effect(info, input, act))
        return {"hand_over": {**found, "at": datetime.fromisoformat(found["at"])}}


async def signer_at(now: datetime) -> commands.PickupSigner:
    """The key that signs codes now."""
    key = await active_key(KeyUse.PICKUP, now)
    return commands.PickupSigner(key.number, key.private)


async def as_shown(info: Info, issued: commands.IssuedPass) -> Row:
    """A fresh code as its buyer sees it."""
    found: Row = {
        "token": issued.token, "svg": issued.svg, "short_code": issued.short_code, "expires_at": issued.expires_at,
        "issue_number": issued.issue_number, "delegated_to": issued.lent_to, "slot": issued.slot.shown() if issued.slot else None,
    }  # fmt: skip
    wanted = selected(info, "pickup_pass")
    if "png" in wanted:
        found["png"] = b64encode(qr_png(issued.token)).decode()
    if "covers_orders" in wanted:
        shop_id = await shop_owning("pickup", issued.pickup_id)
        assert shop_id is not None, "the pass was just issued"
        view = Viewpoint(info.context.language)
        found["covers_orders"] = await orders_by_id(shop_id, issued.order_ids, wanted=wanted["covers_orders"], viewpoint=view)
    return found


def as_hand_over(done: commands.HandOverResult) -> Row:
    """A hand-over as it is stored under the key and shown again."""
    return {
        "id": public_id("handover", done.hand_over_id),
        "pickup_id": public_id("pickup", done.pickup_id),
        "pickup_state": done.pickup_state.value,
        "lines": [{"line_id": public_id("line", line.order_line_id), "quantity": line.quantity} for line in done.lines],
        "left": done.left,
        "at": done.at.isoformat(),
    }


def as_last(pickup_id: UUID, row: Row | None) -> Row | None:
    """The newest hand-over of a pass as it is shown."""
    if row is None:
        return None
    lines = [{"line_id": public_id("line", line[0]), "quantity": line[1]} for line in row["lines"]]
    return {
        "id": public_id("handover", row["id"]), "pickup_id": public_id("pickup", pickup_id), "pickup_state": row["state"], "lines": lines,
        "left": row["left_pieces"], "at": row["at"],
    }  # fmt: skip
