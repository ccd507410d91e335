"""Tables: product, variant."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class Product(Model):
    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    title = fields.CharField(max_length=200)
    options: fields.Field[list[dict[str, Any]]] = fields.JSONField(default=list)
    """[{name, values: [{key, label, aliases[]}]}] as in the recognition contract, section 1."""
    created_at = fields.DatetimeField()

    class Meta:
        table = "product"
        unique_together = (("shop_id", "id"),)


class Variant(Model):
    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    product_id = fields.UUIDField()
    label = fields.CharField(max_length=120)
    option_values: fields.Field[dict[str, str]] = fields.JSONField(default=dict)
    """{option name: value key}."""
    code = fields.CharField(max_length=40, default="")
    price_minor = fields.BigIntField()
    position = fields.IntField(default=0)

    class Meta:
        table = "variant"
        unique_together = (("shop_id", "id"),)
        indexes = [Index(fields=("product_id",))]
