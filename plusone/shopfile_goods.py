"""The second half of applying a shop file: products with their stock, and posts with their places.

Stock is only ever set when a variant is made: afterwards buyers hold pieces of it, and only `stockAdjust` and `stockSet` know that.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from domain.catalog.commands import VariantDraft, add_variant, change_variant, create_product, set_options
from domain.db import Record, from_jsonb
from domain.money import Money, minor_from_text
from domain.posts.commands import ItemDraft, add_item, change_item, create_post, place_post, set_window, take_place
from domain.posts.policy import ClaimPolicy
from domain.posts.queries import post_facts
from domain.posts.rules import PostState
from domain.shops.queries import OpenShop
from domain.stock.commands import receive_first
from plusone.shopfile_parts import FileRefused, ItemPart, PlacementPart, PostPart, Problem, ProductPart, VariantPart
from plusone.shopfile_work import ACTOR, Mark, Work, at, change_policy, merged, policy_in_force

Options = list[dict[str, Any]]
STOCK_IS_ELSEWHERE = "use stockSet with what was counted, or stockAdjust"


# --- products ------------------------------------------------------------------------------------------------------------------


async def products(work: Work, shop: OpenShop) -> dict[str, UUID]:
    """The file's products; answers their ids by key."""
    rows = await work.tx.fetch("select id, title, options from product where shop_id = $1 order by created_at, id", shop.id)
    found: dict[str, UUID] = {}
    for place, part in enumerate(work.file.products, 1):
        known = [row for row in rows if row["title"] == part.title]
        if len(known) > 1:
            raise FileRefused(Problem(f"products[{place}].title", "the shop has several products of this title: give this one another"))
        with at(f"products[{place}]"):
            found[part.key] = await _kept(work, shop, part, known[0], place) if known else await _made(work, shop, part)
    others = len(rows) - sum(row["id"] in found.values() for row in rows)
    if others:
        work.note(Mark.LEFT, "products", f"{others} others", "not in the file, stay as they are")
    return found


def _options(part: ProductPart) -> Options:
    """In the form of the recognition contract, section 1."""
    return [option.model_dump() for option in part.options]


def _draft(part: ProductPart, variant: VariantPart, currency: str) -> VariantDraft:
    return VariantDraft(part.label_of(variant), minor_from_text(variant.price, currency), variant.values, variant.code)


async def _made(work: Work, shop: OpenShop, part: ProductPart) -> UUID:
    drafts = [_draft(part, variant, shop.currency) for variant in part.variants]
    product_id, ids = await create_product(
        work.tx, shop_id=shop.id, title=part.title, variants=drafts, options=_options(part), now=work.now
    )
    await work.audit(shop.id, "PRODUCT_CREATED", "product", product_id, variants=len(ids))
    for variant, variant_id in zip(part.variants, ids, strict=True):
        await _receive(work, shop.id, variant_id, variant)
    pieces = sum(variant.stock for variant in part.variants)
    work.note(Mark.CREATED, "product", part.title, f"{len(ids)} variants, {pieces} pieces")
    return product_id


async def _receive(work: Work, shop_id: UUID, variant_id: UUID, variant: VariantPart) -> None:
    await receive_first(
        work.tx,
        shop_id=shop_id,
        variant_id=variant_id,
        on_hand=variant.stock,
        sell_beyond=variant.sell_beyond,
        backorder_limit=variant.beyond,
        actor=ACTOR,
        now=work.now,
    )


async def _kept(work: Work, shop: OpenShop, part: ProductPart, row: Record, place: int) -> UUID:
    product_id: UUID = row["id"]
    await _keep_options(work, shop.id, part, row, place)
    # The first movement of a variant is the receipt that opened its books.
    rows = await work.tx.fetch(
        """select v.id, v.label, v.option_values, v.price_minor, l.on_hand, l.sell_beyond, l.backorder_limit,
                  (select m.on_hand_delta from stock_ledger m where m.variant_id = v.id order by m.id limit 1) as received
           from variant v left join stock_level l on l.variant_id = v.id where v.product_id = $1 order by v.position, v.id""",
        product_id,
    )
    known: set[UUID] = set()
    for variant in part.variants:
        draft = _draft(part, variant, shop.currency)
        same = _same_variant(rows, draft)
        if same is None:
            variant_id = await add_variant(work.tx, shop_id=shop.id, product_id=product_id, variant=draft, actor=ACTOR, now=work.now)
            await _receive(work, shop.id, variant_id, variant)
            work.note(Mark.CREATED, "variant", _shown(part.title, draft.label), f"{variant.stock} pieces")
            continue
        known.add(same["id"])
        await _keep_variant(work, shop, part, variant, draft, same)
    for row in rows:
        if row["id"] not in known:
            work.note(
                Mark.LEFT, "variant", _shown(part.title, row["label"]), "not in the file, stays for sale: set its stock to 0 with stockSet"
            )
    return product_id


def _same_variant(rows: list[Record], draft: VariantDraft) -> Record | None:
    """The variant of this label, or, when a value was given another label, the one of the same values."""
    by_label = next((row for row in rows if row["label"] == draft.label), None)
    if by_label is not None or not draft.values:
        return by_label
    return next((row for row in rows if from_jsonb(row["option_values"]) == dict(draft.values)), None)


def _shown(title: str, label: str) -> str:
    return f"{title} / {label}" if label else title


async def _keep_variant(work: Work, shop: OpenShop, part: ProductPart, variant: VariantPart, draft: VariantDraft, row: Record) -> None:
    changed = await change_variant(
        work.tx, shop_id=shop.id, variant_id=row["id"], price_minor=draft.price_minor, code=draft.code, actor=ACTOR, now=work.now
    )
    told = ", ".join(changed)
    if "price" in changed:
        prices = (Money(minor, shop.currency).amount for minor in (row["price_minor"], draft.price_minor))
        told += " ({} to {}; orders keep the price they were made with)".format(*prices)
    name = _shown(part.title, row["label"])
    work.note(Mark.CHANGED if changed else Mark.SAME, "variant", name, told)
    if row["on_hand"] is None:
        await _receive(work, shop.id, row["id"], variant)
        work.note(Mark.CREATED, "stock", name, f"{variant.stock} pieces")
        return
    if row["received"] != variant.stock:
        told = f"began with {row['received']}, {row['on_hand']} now, {variant.stock} in the file: {STOCK_IS_ELSEWHERE}"
        work.note(Mark.LEFT, "stock", name, told)
    if (row["sell_beyond"], row["backorder_limit"]) != (variant.sell_beyond.value, variant.beyond):
        told = f"stays {row['sell_beyond']} {row['backorder_limit']}: set when a variant is made; make another variant"
        work.note(Mark.LEFT, "sell_beyond", name, told)
    if row["label"] != draft.label:
        work.note(Mark.LEFT, "label", name, "orders know it by this label: write it as label")
    elif from_jsonb(row["option_values"]) != dict(draft.values):
        work.note(Mark.LEFT, "values", name, "stay what they were: make another variant")


async def _keep_options(work: Work, shop_id: UUID, part: ProductPart, row: Record, place: int) -> None:
    """Words may be added and changed; values that the file leaves out stay, since variants have them."""
    stored: Options = from_jsonb(row["options"])
    wanted, before = _options(part), {option["name"]: option for option in stored}
    for number, option in enumerate(wanted, 1):
        if option["name"] not in before:
            told = "a product that is there takes no further option: its variants have no value of it; make another product"
            raise FileRefused(Problem(f"products[{place}].options[{number}]", told))
        keys = {value["key"] for value in option["values"]}
        kept = [value for value in before[option["name"]]["values"] if value["key"] not in keys]
        option["values"] += kept
        for value in kept:
            work.note(Mark.LEFT, "value", f"{part.title} / {value['label']}", "not in the file, stays")
    names = {option["name"] for option in wanted}
    wanted += [option for option in stored if option["name"] not in names]
    if wanted != stored:
        await set_options(work.tx, shop_id=shop_id, product_id=row["id"], options=wanted, actor=ACTOR, now=work.now)
        work.note(Mark.CHANGED, "product", part.title, "options")
    else:
        work.note(Mark.SAME, "product", part.title)


# --- posts ---------------------------------------------------------------------------------------------------------------------


async def posts(work: Work, shop_id: UUID, product_ids: Mapping[str, UUID]) -> None:
    """The file's posts with their items, policies and places."""
    rows = await work.tx.fetch(
        """select p.id, p.title, p.delivery_method, p.opens_at, p.closes_at,
                  exists (select 1 from audit_entry a where a.object_id = p.id and a.action = 'POST_CREATED' and a.actor = $2) as by_file
           from sales_post p where p.shop_id = $1 order by p.created_at, p.id""",
        shop_id,
        ACTOR.name,
    )
    mine: dict[UUID, set[UUID]] = {}
    for place, part in enumerate(work.file.posts, 1):
        known = [row for row in rows if row["title"] == part.title]
        if any(not row["by_file"] for row in known):
            told = "the shop has a post of this title that no file made: give this one another"
            raise FileRefused(Problem(f"posts[{place}].title", told))
        with at(f"posts[{place}]"):
            post_id = (
                await _kept_post(work, shop_id, part, known[0], product_ids) if known else await _post(work, shop_id, part, product_ids)
            )
            await _policy_of(work, shop_id, post_id, part)
        mine[post_id] = {
            await _place(work, shop_id, post_id, part, placement, f"posts[{place}].placements[{number}]")
            for number, placement in enumerate(part.placements, 1)
        }
    await _left_places(work, mine)
    others = sum(row["id"] not in mine for row in rows)
    if others:
        work.note(Mark.LEFT, "posts", f"{others} others", "not in the file, stay as they are")


def _item(item: ItemPart, product_ids: Mapping[str, UUID]) -> ItemDraft:
    return ItemDraft(product_ids[item.product], item.codes, item.aliases, item.on_sale, item.max_qty, item.opens, item.closes)


async def _post(work: Work, shop_id: UUID, part: PostPart, product_ids: Mapping[str, UUID]) -> UUID:
    items = [_item(item, product_ids) for item in part.items]
    post_id, _ = await create_post(
        work.tx,
        shop_id=shop_id,
        title=part.title,
        items=items,
        opens_at=part.opens,
        closes_at=part.closes,
        delivery_method=part.delivery,
        now=work.now,
    )
    await work.audit(shop_id, "POST_CREATED", "post", post_id, items=len(items))
    work.note(Mark.CREATED, "post", part.title, f"{len(items)} items, {part.delivery}")
    return post_id


async def _kept_post(work: Work, shop_id: UUID, part: PostPart, row: Record, product_ids: Mapping[str, UUID]) -> UUID:
    post_id: UUID = row["id"]
    changed = await set_window(
        work.tx, shop_id=shop_id, post_id=post_id, opens_at=part.opens, closes_at=part.closes, actor=ACTOR, now=work.now
    )
    work.note_changes("post", part.title, ["opens, closes"] if changed else [])
    if row["delivery_method"] != part.delivery.value:
        work.note(Mark.LEFT, "delivery", part.title, f"stays {row['delivery_method']}: its orders count on it; make another post")
    rows = await work.tx.fetch(
        "select i.id, i.product_id, p.title from post_item i join product p on p.id = i.product_id where i.post_id = $1 order by i.position, i.id",
        post_id,
    )
    stored = {item["product_id"]: item for item in rows}
    for item in part.items:
        draft, name = _item(item, product_ids), f"{part.title} / {item.product}"
        if draft.product_id not in stored:
            await add_item(work.tx, shop_id=shop_id, post_id=post_id, item=draft, actor=ACTOR, now=work.now)
            work.note(Mark.CREATED, "item", name)
            continue
        item_id = stored.pop(draft.product_id)["id"]
        work.note_changes("item", name, await change_item(work.tx, shop_id=shop_id, item_id=item_id, item=draft, actor=ACTOR, now=work.now))
    for left in stored.values():
        work.note(Mark.LEFT, "item", f"{part.title} / {left['title']}", "not in the file, stays: to stop selling it write on_sale = false")
    return post_id


async def _policy_of(work: Work, shop_id: UUID, post_id: UUID, part: PostPart) -> None:
    """What the post has of its own, over the shop's; a post without follows the shop."""
    before = await policy_in_force(work.tx, shop_id, post_id)
    if part.policy.model_dump(exclude_none=True):
        await change_policy(work, shop_id, post_id, before, merged(work.policy, part.policy), part.title)
    elif before is not None:
        work.note(Mark.LEFT, "policy", part.title, "keeps its own: to follow the shop, write the shop's values into [posts.policy]")


async def _place(work: Work, shop_id: UUID, post_id: UUID, part: PostPart, placement: PlacementPart, path: str) -> UUID:
    channel_id, external = work.channels[placement.channel], placement.external_post_id
    name = f"{part.title} in {placement.channel} {external or '(whole chat)'}"
    row = await work.tx.fetchrow(
        """select p.id, p.post_id, s.title, s.state, s.closes_at from post_placement p join sales_post s on s.id = p.post_id
           where p.channel_id = $1 and p.external_post_id = $2""",
        channel_id,
        external,
    )
    if row is None:
        placement_id = await place_post(
            work.tx, shop_id=shop_id, post_id=post_id, channel_id=channel_id, external_post_id=external, now=work.now
        )
        await work.audit(shop_id, "PLACEMENT_ADDED", "post", post_id, placement=str(placement_id))
        work.note(Mark.CREATED, "placement", name)
        return placement_id
    found: UUID = row["id"]
    if row["post_id"] == post_id:
        work.note(Mark.SAME, "placement", name)
    elif await _is_over(work, row):
        await take_place(work.tx, shop_id=shop_id, placement_id=found, post_id=post_id, actor=ACTOR, now=work.now)
        work.note(Mark.CHANGED, "placement", name, f"took over from {row['title']}, which is closed")
    else:
        told = f"another post of the shop stands there and is open ({row['title']}): let it close first, by its `closes`"
        raise FileRefused(Problem(path, told))
    return found


async def _is_over(work: Work, row: Record) -> bool:
    """Whether no comment can be in time any more, late ones included."""
    if row["state"] == PostState.CLOSED.value:
        return True
    facts = (await post_facts(work.tx, [row["post_id"]]))[row["post_id"]]
    grace = timedelta(seconds=ClaimPolicy.read(facts.policy).grace_seconds)
    return facts.closes_at is not None and facts.closes_at + grace < work.now


async def _left_places(work: Work, mine: Mapping[UUID, set[UUID]]) -> None:
    rows = await work.tx.fetch(
        """select p.external_post_id, c.name, c.external_id, s.title from post_placement p join channel c on c.id = p.channel_id
           join sales_post s on s.id = p.post_id
           where p.post_id = any($1::uuid[]) and p.id <> all($2::uuid[]) order by p.created_at, p.id""",
        list(mine),
        [placement for places in mine.values() for placement in places],
    )
    for row in rows:
        where = f"{row['name'] or row['external_id']} {row['external_post_id'] or '(whole chat)'}"
        work.note(Mark.LEFT, "placement", f"{row['title']} in {where}", "not in the file, stays: it ends when the post closes")
