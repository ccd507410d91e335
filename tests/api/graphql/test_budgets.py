"""Every screen of the apps is one statement, and what is not selected costs nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests import build
from tests.sql_recorder import recorded

from domain.ids import new_id, public_id
from domain.orders.rules import FulfilmentState, PaymentState

HOME = """{ me { orders(first: 12) { totalCount totalCountIsExact pageInfo { hasNextPage endCursor } edges { cursor } nodes {
  id number version createdAt updatedAt state paymentState fulfilmentState list deliveryMethod payBy actions
  shop { id handle name currency timeZone locale pickupPlace }
  buyer { id name provider }
  subtotal { amount currencyCode } shippingFee { amount } discount { amount } total { amount } paid { amount } amountDue { amount }
  lines { totalCount nodes { id title variantLabel quantity handedOver unitPrice { amount } total { amount }
    source { platform post { id title } } variant { id label code availability price { amount } product { title } }
    claim { id outcome reason rule { version sentence } comment { id text writtenAt platform } } } } } } } }"""


async def test_a(people, signed_in):
    shirt = await build.a_product(people.shop, variants=("紅", "白"))
    post = await build.a_post(people.shop, products=[shirt])
    for n in range(3):
        await build.an_order(people.shop, {shirt.variants[0]: 1}, buyer=people.buyer, post=post, created_at=build.NOW - timedelta(hours=n),
            payment=PaymentState.PAID, fulfilment=FulfilmentState.READY_FOR_PICKUP)
    client = await signed_in(people.member)
    with recorded() as sql:
        answer = await client.ask(HOME)
    print(answer.body)
    assert len(sql) == 1, sql
