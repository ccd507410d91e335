"""Asks ECPay about one attempt: fixed host, no redirects, three seconds, a bounded answer.

Asking too fast is answered with 403 for half an hour, so that the caller asks one after the other and stops at TooFast.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

import httpx

from domain.payments import ecpay

TIMEOUT_SECONDS: Final = 10.0
LARGEST_BYTES: Final = 64 * 1024


class TooFast(Exception):
    """The provider refuses questions for half an hour."""


async def ask(site: str, merchant_id: str, keys: ecpay.Keys, trade_no: str, now: datetime) -> ecpay.Told | None:
    """What the provider knows of an attempt; None when it did not answer, or not with its seal, or about another one.

    Raises:
        TooFast: it answers nobody here for a while.
    """
    try:
        async with (
            asyncio.timeout(TIMEOUT_SECONDS),
            httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False) as client,
            client.stream("POST", site + ecpay.QUERY, data=ecpay.query(merchant_id, keys, trade_no, now)) as response,
        ):
            if response.status_code == httpx.codes.FORBIDDEN:
                raise TooFast
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LARGEST_BYTES:
                    return None
        if response.status_code != httpx.codes.OK:
            return None
        told = ecpay.read_answer(body, keys)
    except (httpx.HTTPError, TimeoutError, ecpay.NotAForm):
        return None
    return told if (told.merchant_id, told.trade_no) == (merchant_id, trade_no) else None
