"""The page from which a buyer is sent to the provider."""

from __future__ import annotations

from datetime import timedelta

from domain import db as database
from domain.payments.attempts import page, page_path, read_token
from tests.build import NOW
from tests.domain.payments.online import VAULT, a_till, begun, paid
from tests.ecpay_server import mac


async def test_the_page_posts_what_was_begun_until_it_is_over(db: str) -> None:
    till = await a_till()
    number = await begun(till)
    attempt = await database.fetchval("select id from payment_attempt")
    token = page_path(attempt, VAULT).removeprefix("/pay/")
    assert read_token(token, VAULT) == attempt

    async def shown(at):
        return await page(token=token, base_url="https://x.example", ecpay_url=None, vault=VAULT, now=at)

    now = await shown(NOW)
    assert now is not None
    assert now.url == "https://payment-stage.ecpay.com.tw/Cashier/AioCheckOut/V5"
    assert (now.fields["MerchantTradeNo"], now.fields["TotalAmount"], now.fields["CheckMacValue"]) == (number, "1180", mac(now.fields))
    assert (await shown(NOW + timedelta(minutes=29))) == now
    late = await shown(NOW + timedelta(minutes=30))
    assert late is not None
    assert (late.state, late.fields) == ("EXPIRED", {})
    await paid(till, number)
    after = await shown(NOW)
    assert after is not None
    assert (after.state, after.fields) == ("PAID", {})
    for wrong in ("", "x", token[:-1], token[:-2] + "AA", "A" * 43, token + "=", "é"):
        assert await page(token=wrong, base_url="", ecpay_url=None, vault=VAULT, now=NOW) is None
