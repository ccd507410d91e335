"""Lists and screens: pages with signed cursors, and rows read into finished values in one statement."""

from domain.paging.page import (
    DEFAULT_SIZE,
    MAX_SIZE,
    Args,
    Listing,
    Page,
    Position,
    Slice,
    count_sql,
    cut,
    fetch_page,
    page_sql,
    with_total,
)
from domain.paging.shape import NOTHING, SHOP, Row, Shape, Wanted, maybe_id, money, same, shape, variant_shape

__all__ = [
    "DEFAULT_SIZE",
    "MAX_SIZE",
    "NOTHING",
    "SHOP",
    "Args",
    "Listing",
    "Page",
    "Position",
    "Row",
    "Shape",
    "Slice",
    "Wanted",
    "count_sql",
    "cut",
    "fetch_page",
    "maybe_id",
    "money",
    "page_sql",
    "same",
    "shape",
    "variant_shape",
    "with_total",
]
