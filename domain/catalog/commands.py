"""Products and their variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.catalog.models import Product, Variant
from domain.db import Tx
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
