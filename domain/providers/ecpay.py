"""Asks ECPay about one attempt: ten seconds and a bounded answer.

Asking too fast is answered with 403 for half an hour, so that the caller asks one after the other and stops at TooFast.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Final

from domain.payments import ecpay
from domain.providers import asking

TIMEOUT_SECONDS: Final = 10.0


class TooFast(Exception):
    """The provider refuses questions for half an hour."""


async def ask(site: str, merchant_id: str, keys: ecpay.Keys, trade_no: str, now: datetime) -> ecpay.Told | None:
    """What the provider knows of an attempt; None when it did not answer, or not with its seal, or about another one.

    Raises:
        TooFast: it answers nobody here for a while.
    """
    form = ecpay.query(merchant_id, keys, trade_no, now)
    answer = await asking.ask("POST", site + ecpay.QUERY, form=form, timeout_seconds=TIMEOUT_SECONDS)
    if answer is not None and answer[0] == HTTPStatus.FORBIDDEN:
        raise TooFast
    if answer is None or answer[0] != HTTPStatus.OK:
        return None
    try:
        told = ecpay.read_answer(answer[1], keys)
    except ecpay.NotAForm:
        return None
    return told if (told.merchant_id, told.trade_no) == (merchant_id, trade_no) else None
