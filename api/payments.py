"""Money's doors: `POST /payments/ecpay/{slug}` takes the provider's notices, `GET /pay/{token}` leads a buyer to the provider.

A notice is answered `1|OK` when what it says is stored (or was before); anything else makes the provider send it again. What comes back
through the buyer's browser proves nothing, so the page after paying only shows what a notice or our own question has told.
"""

from __future__ import annotations

import html
import logging
from collections.abc import Mapping
from secrets import token_urlsafe
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from api.limits import unavailable
from domain.bootstrap import Services
from domain.db import AWAY
from domain.payments import ecpay
from domain.payments.accounts import account_by_slug
from domain.payments.attempts import Page, page
from domain.payments.results import take
from domain.vault import SealBroken
from domain.words import TAIWAN, Pair, negotiate, say

log = logging.getLogger(__name__)

FORM: Final = "application/x-www-form-urlencoded"
LARGEST_NOTICE: Final = 32_768
WORDS: Final[Mapping[str, tuple[Pair, Pair]]] = {
    "PENDING": (("前往付款", "Go to payment"), ("正在帶您前往綠界付款頁…", "Taking you to the payment page…")),
    "PAID": (("已收到款項", "Payment received"), ("可以關閉此頁，回到 App。", "You may close this page and go back to the app.")),
    "FAILED": (("付款沒有成功", "The payment did not go through"), ("請回到 App 再試一次。", "Please try again from the app.")),
    "EXPIRED": (("此付款頁已失效", "This page is over"), ("請回到 App 重新付款。", "Please begin again from the app.")),
    "WAITING": (("還在等付款結果", "Waiting for the result"), ("回到 App 即可看到最新狀態。", "The app shows what is known.")),
}
"""State: the page's title and text."""


def routes(services: Services) -> list[Route]:
    """The three addresses."""

    async def notice(request: Request) -> Response:
        try:
            return await _notice(request, services)
        except AWAY:
            return unavailable(request.scope)

    async def leave(request: Request) -> Response:
        return await _show(request, services, leave=True)

    async def back(request: Request) -> Response:
        return await _show(request, services, leave=False)

    return [
        Route("/payments/ecpay/{slug}", notice, methods=["POST"]),
        Route("/pay/{token}", leave, methods=["GET"]),
        Route("/pay/{token}/back", back, methods=["GET"]),
    ]


async def _notice(request: Request, services: Services) -> Response:
    """The order of checks: whose address, the form, the seal, the merchant; then what it says, once."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return PlainTextResponse("0|content type", 415)
    body = await request.body()
    try:
        account = await account_by_slug(request.path_params["slug"], services.vault)
    except SealBroken:
        log.error("the keys of a payment account do not open")
        return PlainTextResponse("0|unavailable", 503)
    if account is None:
        return PlainTextResponse("0|unknown", 404)
    if len(body) > LARGEST_NOTICE:
        return PlainTextResponse("0|too long", 413)
    try:
        fields = ecpay.read_form(body)
        if not ecpay.genuine(fields, account.keys):
            log.warning("a payment notice with a wrong seal", extra={"shop": str(account.shop_id)})
            return PlainTextResponse("0|CheckMacValue error", 400)
        told = ecpay.read_notice(fields)
    except ecpay.NotAForm:
        return PlainTextResponse("0|form", 400)
    if told.merchant_id != account.merchant_id:
        return PlainTextResponse("0|wrong merchant", 400)
    known = await take(account_id=account.id, told=told, source="NOTICE", now=services.clock.now(), jobs=services.jobs)
    if not known:
        log.warning("a payment notice about an unknown number", extra={"shop": str(account.shop_id)})
    return PlainTextResponse(ecpay.OK if known else "0|unknown number", 200 if known else 404)


async def _show(request: Request, services: Services, *, leave: bool) -> Response:
    settings = services.settings
    found = await page(
        token=request.path_params["token"], base_url=settings.public_url.rstrip("/"), ecpay_url=settings.ecpay_url, vault=services.vault,
        now=services.clock.now(),
    )  # fmt: skip
    if found is None:
        return _page("EXPIRED", None, request, 404)
    state = found.state if leave or found.state != "PENDING" else "WAITING"
    return _page(state, found if leave else None, request, 200)


def _page(state: str, found: Page | None, request: Request, status: int) -> Response:
    language = negotiate(request.headers.get("accept-language", "")) or TAIWAN
    title, text = (say(pair, language) for pair in WORDS[state])
    nonce = token_urlsafe(16)
    body, target = "", "'none'"
    if found is not None and found.fields:
        inputs = "".join(f'<input type="hidden" name="{html.escape(k)}" value="{html.escape(v)}">' for k, v in found.fields.items())
        where = f"<p class=of>{html.escape(found.shop_name)} · {html.escape(found.order_number)}</p>"
        body = f'{where}<form id="pay" method="post" action="{html.escape(found.url)}">{inputs}<button>{title}</button></form>'
        body += f'<script nonce="{nonce}">document.getElementById("pay").submit()</script>'
        parts = urlsplit(found.url)
        target = f"{parts.scheme}://{parts.netloc}"
    shown = PAGE.format(language=language, title=title, text=text, body=body, nonce=nonce)
    policy = f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; form-action {target}; base-uri 'none'; frame-ancestors 'none'"
    return HTMLResponse(shown, status, {"content-security-policy": policy, "cache-control": "no-store"})


PAGE: Final = """<!doctype html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style nonce="{nonce}">
:root {{ color-scheme: light dark }}
body {{ font: 17px/1.5 system-ui, "Noto Sans TC", sans-serif; display: grid; place-content: center; min-height: 90vh; text-align: center; margin: 0 16px }}
h1 {{ font-size: 24px; margin: 0 }} p {{ margin: 8px 0; opacity: .75 }}
button {{ font: inherit; font-weight: 600; margin-top: 16px; padding: 12px 32px; border: 0; border-radius: 12px; background: #1a7f37; color: #fff }}
</style></head><body><main><h1>{title}</h1><p>{text}</p>{body}</main></body></html>
"""
