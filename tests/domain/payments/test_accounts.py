"""A shop's accounts at the provider: sealed, replaced, refused."""

from __future__ import annotations

import pytest

from domain import db as database
from domain.payments.accounts import account_by_slug, set_account
from domain.payments.errors import InvalidAccount
from tests.build import NOW, a_shop
from tests.domain.payments.online import SETUP, VAULT, a_till
from tests.ecpay_server import IV, KEY

GIVEN = {
    "merchant_id": "3002607", "hash_key": KEY, "hash_iv": IV, "live": False, "production": False, "vault": VAULT, "now": NOW, "actor": SETUP,
}  # fmt: skip


async def test_accounts_are_sealed_replaced_and_their_old_address_still_works(db: str) -> None:
    till = await a_till()
    row = await database.fetchrow("select hash_key_encrypted || hash_iv_encrypted as sealed, slug from payment_account")
    assert row is not None
    assert KEY not in row["sealed"]
    assert len(row["slug"]) == 32
    given = GIVEN | {"shop_id": till.shop.id}
    assert await set_account(**given) == (till.account.id, False)
    assert await set_account(**given | {"hash_iv": "B" * 16}) == (till.account.id, True)
    made, changed = await set_account(**given | {"merchant_id": "3002608"})
    assert changed
    assert made != till.account.id
    assert await account_by_slug(row["slug"], VAULT) is not None
    assert await account_by_slug("x" * 32, VAULT) is None


@pytest.mark.parametrize(
    ("change", "field"),
    [({"merchant_id": "12a"}, "merchant_id"), ({"merchant_id": ""}, "merchant_id"), ({"hash_key": "short"}, "hash_key"),
     ({"hash_iv": "x" * 15 + "'"}, "hash_iv"), ({"live": True}, "merchant_id"), ({"production": True}, "live")],
)  # fmt: skip
async def test_accounts_that_cannot_be(db: str, change, field: str) -> None:
    shop = await a_shop()
    with pytest.raises(InvalidAccount) as refused:
        await set_account(**GIVEN | {"shop_id": shop.id} | change)
    assert refused.value.field == field
    assert await database.fetchval("select count(*) from payment_account") == 0
