"""Products and their variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.audit.commands import Actor, Entry, record
from domain.catalog.models import Product, Variant
from domain.db import Tx, jsonb
from domain.errors import NotFound
from domain.ids import new_id


@dataclass(frozen=True, slots=True)
class VariantDraft:
    """One variant to be. `values` is {option name: value key}; empty for a product without options."""

    label: str
    price_minor: int
    values: Mapping[str, str] = field(default_factory=dict)
    code: str = ""


async def create_product(
    tx: Tx, *, shop_id: UUID, title: str, variants: Sequence[VariantDraft], options: Sequence[Mapping[str, Any]] = (), now: datetime
) -> tuple[UUID, list[UUID]]:
    """A product and its variants, in their order; answers both kinds of ids. `options` as in the recognition contract, section 1."""
    product = await Product.create(
        id=new_id(), shop_id=shop_id, title=title, options=[dict(o) for o in options], created_at=now, using_db=tx.using
    )
    rows = [
        Variant(
            id=new_id(),
            shop_id=shop_id,
            product_id=product.id,
            label=v.label,
            option_values=dict(v.values),
            code=v.code,
            price_minor=v.price_minor,
            position=position,
        )
        for position, v in enumerate(variants)
    ]
    await Variant.bulk_create(rows, using_db=tx.using)
    return product.id, [row.id for row in rows]


async def add_variant(tx: Tx, *, shop_id: UUID, product_id: UUID, variant: VariantDraft, actor: Actor, now: datetime) -> UUID:
    """One more variant of a product, behind the others; answers its id. Posts that sell the product are read anew.

    Raises:
        NotFound: this shop has no such product.
    """
    variant_id = new_id()
    added = await tx.execute(
        """insert into variant (id, shop_id, product_id, label, option_values, code, price_minor, position)
           select $1, p.shop_id, p.id, $4, $5::jsonb, $6, $7,
                  (select coalesce(max(v.position), -1) + 1 from variant v where v.product_id = p.id)
           from product p where p.shop_id = $2 and p.id = $3""",
        variant_id,
        shop_id,
        product_id,
        variant.label,
        jsonb(dict(variant.values)),
        variant.code,
        variant.price_minor,
    )
    if not added:
        raise NotFound
    await _read_anew(tx, shop_id, product_id)
    detail = {"product": str(product_id), "price": variant.price_minor}
    await record(tx, actor, [Entry(shop_id, "VARIANT_ADDED", "variant", variant_id, detail)], now=now)
    return variant_id


async def change_variant(
    tx: Tx, *, shop_id: UUID, variant_id: UUID, price_minor: int, code: str, actor: Actor, now: datetime
) -> tuple[str, ...]:
    """Set a variant's price and code; answers which of them changed. Lines of orders keep the price they were made with.

    Raises:
        NotFound: this shop has no such variant.
    """
    row = await tx.fetchrow(
        "select product_id, price_minor, code from variant where shop_id = $1 and id = $2 for no key update", shop_id, variant_id
    )
    if row is None:
        raise NotFound
    changed = tuple(name for name, same in (("price", row["price_minor"] == price_minor), ("code", row["code"] == code)) if not same)
    if changed:
        await tx.execute("update variant set price_minor = $2, code = $3 where id = $1", variant_id, price_minor, code)
        await _read_anew(tx, shop_id, row["product_id"])
        detail = {"changed": list(changed), "from": row["price_minor"], "to": price_minor}
        await record(tx, actor, [Entry(shop_id, "VARIANT_CHANGED", "variant", variant_id, detail)], now=now)
    return changed


async def set_options(
    tx: Tx, *, shop_id: UUID, product_id: UUID, options: Sequence[Mapping[str, Any]], actor: Actor, now: datetime
) -> None:
    """Set the options of a product, in the form of the recognition contract, section 1; posts that sell it are read anew.

    Raises:
        NotFound: this shop has no such product.
    """
    changed = await tx.execute(
        "update product set options = $3::jsonb where shop_id = $1 and id = $2", shop_id, product_id, jsonb([dict(o) for o in options])
    )
    if not changed:
        raise NotFound
    await _read_anew(tx, shop_id, product_id)
    await record(tx, actor, [Entry(shop_id, "PRODUCT_OPTIONS_SET", "product", product_id, {"options": len(options)})], now=now)


async def _read_anew(tx: Tx, shop_id: UUID, product_id: UUID) -> None:
    """Raise the version of every post that sells the product: its words and prices are compiled per version."""
    await tx.execute(
        """with sold as (
             select p.id from sales_post p join post_item i on i.post_id = p.id
             where i.shop_id = $1 and i.product_id = $2 order by p.id for no key update of p)
           update sales_post p set version = p.version + 1 from sold where p.id = sold.id""",
        shop_id,
        product_id,
    )
