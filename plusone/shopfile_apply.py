"""Applies a shop file: what is missing is made, what may change is changed, everything else is left and said so. One transaction.

Nothing is ever removed by a file. Things are known again by: the shop's handle; an endpoint's source and slug; a channel's endpoint and
external id; a product's title; a variant's label in its product, or its values; a post's title among the posts that files made; a
placement's channel and external id.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from domain import db
from domain.bootstrap import Services
from domain.members.commands import expect
from domain.payments.accounts import set_account
from domain.posts.policy import ClaimPolicy
from domain.shops.commands import add_channel, add_endpoint, add_membership, change_shop, create_shop, rename_channel, reseal_endpoint
from domain.shops.linking import set_access_token, set_channel_linking
from domain.shops.queries import OpenShop, shop_by_handle
from domain.shops.rules import Role
from domain.shops.second_proof import ask_of_staff
from plusone.shopfile_checks import endpoint_of
from plusone.shopfile_goods import posts, products
from plusone.shopfile_parts import ChannelPart, FileRefused, Problem, ShopFile, StaffPart
from plusone.shopfile_work import ACTOR, Mark, Row, Work, at, change_policy, merged, policy_in_force


class _DryRun(Exception):
    """Takes everything back."""


async def apply(file: ShopFile, secrets: Mapping[str, str], services: Services, *, dry_run: bool = False) -> list[Row]:
    """Apply the file and answer what was done; with `dry_run` it is done and taken back.

    Raises:
        FileRefused: the database holds something that the file contradicts; nothing was changed.
    """
    try:
        async with db.transaction() as tx:
            # Endpoints are shared by shops, so two files at once take turns.
            await tx.execute("select pg_advisory_xact_lock(hashtextextended('shopfile', 0))")
            work = Work(tx, file, secrets, services.vault, services.clock.now())
            shop = await _shop(work)
            await _staff(work, shop.id)
            await _second_proof(work, shop.id)
            await _channels(work, shop.id, await _endpoints(work))
            await _payments(work, shop.id, production=not services.settings.is_development)
            await _policy(work, shop.id)
            await posts(work, shop.id, await products(work, shop))
            if dry_run:
                raise _DryRun
    except _DryRun:
        pass
    return work.rows


async def _shop(work: Work) -> OpenShop:
    part, name = work.file.shop, work.file.shop.handle
    found = await shop_by_handle(work.tx, part.handle)
    changing = part.model_dump(include={"name", "time_zone", "locale", "pickup_place"}) | {"pay_within_minutes": part.pay_within}
    if found is None:
        place, owner = next((n, person) for n, person in enumerate(work.file.staff, 1) if person.role is Role.OWNER)
        with at(f"staff[{place}].identity"):
            owner_id = await expect(work.tx, *owner.known_as, work.now)
        with at("shop"):
            await create_shop(handle=part.handle, currency=part.currency, owner_id=owner_id, now=work.now, actor=ACTOR, **changing)
        opened = await shop_by_handle(work.tx, part.handle)
        assert opened is not None
        work.note(Mark.CREATED, "shop", name, f"number {opened.number}")
        work.note(Mark.CREATED, "staff", owner.identity, Role.OWNER.value)
        return opened
    if found.currency != part.currency:
        told = f"the shop sells in {found.currency}, and a shop never changes its currency: open another one under another handle"
        raise FileRefused(Problem("shop.currency", told))
    with at("shop"):
        work.note_changes("shop", name, await change_shop(shop_id=found.id, now=work.now, actor=ACTOR, **changing))
    return found


# --- people --------------------------------------------------------------------------------------------------------------------


async def _staff(work: Work, shop_id: UUID) -> None:
    told = {row.name for row in work.rows if row.what == "staff"}
    members = set()
    for place, person in enumerate(work.file.staff, 1):
        with at(f"staff[{place}].identity"):
            member_id = await expect(work.tx, *person.known_as, work.now)
        if member_id in members:
            raise FileRefused(Problem(f"staff[{place}].identity", "is another identity of somebody who stands above"))
        members.add(member_id)
        if person.identity not in told:
            with at(f"staff[{place}]"):
                await _person(work, shop_id, person, member_id)
    others = await work.tx.fetch(
        """select m.role, coalesce((select i.provider || ':' || i.subject from identity i where i.member_id = m.member_id
                                    order by i.created_at, i.id limit 1), 'without identity') as identity
           from membership m where m.shop_id = $1 and m.ended_at is null and m.member_id <> all($2::uuid[]) order by m.created_at, m.id""",
        shop_id,
        list(members),
    )
    for row in others:
        work.note(Mark.LEFT, "staff", row["identity"], f"{row['role']}; not in the file, which lets nobody go")


async def _person(work: Work, shop_id: UUID, person: StaffPart, member_id: UUID) -> None:
    rows = await work.tx.fetch(
        "select role, ended_at from membership where shop_id = $1 and member_id = $2 order by ended_at desc nulls first limit 1",
        shop_id,
        member_id,
    )
    if not rows:
        owner_id = await work.tx.fetchval(
            """select member_id from membership where shop_id = $1 and role = $2 and ended_at is null
               order by jsonb_array_length(denied), created_at, id limit 1""",
            shop_id,
            Role.OWNER.value,
        )
        await add_membership(shop_id=shop_id, member_id=member_id, role=person.role, invited_by=owner_id, now=work.now, actor=ACTOR)
        work.note(Mark.CREATED, "staff", person.identity, person.role.value)
    elif rows[0]["ended_at"] is not None:
        work.note(Mark.LEFT, "staff", person.identity, "worked here and left: a file takes nobody on again; take the line out")
    elif rows[0]["role"] != person.role.value:
        told = f"stays {rows[0]['role']}: a file changes nobody's role; write the role that is"
        work.note(Mark.LEFT, "staff", person.identity, told)
    else:
        work.note(Mark.SAME, "staff", person.identity, person.role.value)


async def _second_proof(work: Work, shop_id: UUID) -> None:
    """A file that does not speak of it leaves it as it is."""
    wish = work.file.shop.staff_second_proof
    if wish is not None and await ask_of_staff(shop_id=shop_id, required=wish == "REQUIRED", now=work.now, actor=ACTOR):
        work.note(Mark.CHANGED, "staff", "second proof", wish)


# --- places --------------------------------------------------------------------------------------------------------------------


async def _endpoints(work: Work) -> dict[str, UUID]:
    """Endpoints by their path."""
    found: dict[str, UUID] = {}
    for place, part in enumerate(work.file.endpoints, 1):
        sealed = {
            "secret": work.secrets[part.secret_env],
            "verify_token": work.secrets[part.verify_token_env] if part.verify_token_env else "",
            "destination": part.destination,
        }
        endpoint_id = await work.tx.fetchval("select id from webhook_endpoint where source = $1 and slug = $2", part.source, part.slug)
        with at(f"endpoints[{place}]"):
            token = work.secrets[part.access_token_env] if part.access_token_env else ""
            if endpoint_id is None:
                found[part.path] = await add_endpoint(source=part.source, slug=part.slug, vault=work.vault, now=work.now, **sealed)
                await set_access_token(endpoint_id=found[part.path], token=token, vault=work.vault, now=work.now, actor=ACTOR)
                work.note(Mark.CREATED, "endpoint", part.path)
                continue
            changed = await reseal_endpoint(endpoint_id=endpoint_id, vault=work.vault, now=work.now, actor=ACTOR, **sealed)
            if await set_access_token(endpoint_id=endpoint_id, token=token, vault=work.vault, now=work.now, actor=ACTOR):
                changed = (*changed, "access_token")
        found[part.path] = endpoint_id
        work.note_changes("endpoint", part.path, changed)
    return found


async def _channels(work: Work, shop_id: UUID, endpoints: Mapping[str, UUID]) -> None:
    for place, part in enumerate(work.file.channels, 1):
        endpoint = endpoint_of(part, work.file)
        assert endpoint is not None, "checked when the file was read"
        with at(f"channels[{place}]"):
            work.channels[part.key] = await _channel(work, shop_id, endpoints[endpoint.path], part, place)
    others = await work.tx.fetch(
        "select platform, external_id from channel where shop_id = $1 and id <> all($2::uuid[]) order by created_at, id",
        shop_id,
        list(work.channels.values()),
    )
    for row in others:
        work.note(Mark.LEFT, "channel", row["external_id"], f"{row['platform']}; not in the file, stays bound")


async def _channel(work: Work, shop_id: UUID, endpoint_id: UUID, part: ChannelPart, place: int) -> UUID:
    shown = f"{part.key} {part.external_id}"
    row = await work.tx.fetchrow(
        "select id, shop_id, platform from channel where endpoint_id = $1 and external_id = $2", endpoint_id, part.external_id
    )
    if row is None:
        channel_id = await add_channel(
            shop_id=shop_id,
            endpoint_id=endpoint_id,
            platform=part.platform,
            external_id=part.external_id,
            name=part.name,
            now=work.now,
            actor=ACTOR,
        )
        await _linking(work, shop_id, channel_id, part)
        work.note(Mark.CREATED, "channel", shown, part.platform.value)
        return channel_id
    found: UUID = row["id"]
    if row["shop_id"] != shop_id:
        raise FileRefused(Problem(f"channels[{place}].external_id", "is bound to another shop: one page, group or chat sells for one shop"))
    if row["platform"] != part.platform.value:
        work.note(Mark.LEFT, "channel", shown, f"stays {row['platform']}: its orders say where they came from")
        return found
    renamed = await rename_channel(shop_id=shop_id, channel_id=found, name=part.name, now=work.now, actor=ACTOR)
    work.note_changes("channel", shown, [*(["name"] if renamed else []), *await _linking(work, shop_id, found, part)])
    return found


async def _linking(work: Work, shop_id: UUID, channel_id: UUID, part: ChannelPart) -> tuple[str, ...]:
    return await set_channel_linking(
        shop_id=shop_id, channel_id=channel_id, contact=part.contact, private_links=part.private_links, now=work.now, actor=ACTOR
    )


# --- money ---------------------------------------------------------------------------------------------------------------------


async def _payments(work: Work, shop_id: UUID, *, production: bool) -> None:
    part = work.file.payments
    standing = await work.tx.fetchrow("select id, merchant_id from payment_account where shop_id = $1 and ended_at is null", shop_id)
    if part is None:
        if standing is not None:
            work.note(Mark.LEFT, "payments", standing["merchant_id"], "not in the file, stays")
        return
    if production and part.site == "stage":
        raise FileRefused(
            Problem("payments.site", "no money moves on the test site: it serves development (PLUSONE_ENVIRONMENT=development)")
        )
    with at("payments"):
        account_id, changed = await set_account(
            shop_id=shop_id, merchant_id=part.merchant_id, hash_key=work.secrets[part.hash_key_env], hash_iv=work.secrets[part.hash_iv_env],
            live=part.site == "live", production=production, vault=work.vault, now=work.now, actor=ACTOR,
        )  # fmt: skip
    made = standing is None or standing["id"] != account_id
    work.note(Mark.CREATED if made else Mark.CHANGED if changed else Mark.SAME, "payments", part.merchant_id, part.site)


# --- the rule ------------------------------------------------------------------------------------------------------------------


async def _policy(work: Work, shop_id: UUID) -> None:
    before = await policy_in_force(work.tx, shop_id, None)
    if work.file.policy is None:
        work.policy = before or ClaimPolicy()
        return
    work.policy = merged(ClaimPolicy(), work.file.policy)
    with at(""):
        await change_policy(work, shop_id, None, before, work.policy, "of the shop")
