"""What `plusone shop apply` prints: the account, and what to enter on the platforms' side."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from domain.providers.platforms.telegram import KINDS
from plusone.shopfile_parts import EndpointPart, ShopFile
from plusone.shopfile_work import Mark, Row

COLOURS: Final = {Mark.CREATED: "green", Mark.CHANGED: "cyan", Mark.SAME: "dim", Mark.LEFT: "yellow"}
FACEBOOK_FIELDS: Final = ("feed",)
"""What the readers of `domain/providers/platforms` know; live videos' comments come in `feed` too."""
MESSENGER_FIELDS: Final = ("messages", "messaging_postbacks", "messaging_referrals", "messaging_optins")
"""Claim codes in Messenger; the permission `pages_messaging` is asked for."""
INSTAGRAM_FIELDS: Final = ("comments", "live_comments", "messages", "messaging_postbacks", "messaging_referral")
TELEGRAM_UPDATES: Final = tuple(KINDS)


def account(rows: Sequence[Row], out: Console, *, dry_run: bool) -> None:
    """A line per thing, then the sums."""
    table = Table("", "what", Column("name", overflow="fold"), "", header_style="bold")
    for row in rows:
        table.add_row(f"[{COLOURS[row.mark]}]{row.mark}[/]", row.what, escape(row.name), escape(row.told))
    out.print(table)
    counts = Counter(row.mark for row in rows)
    told = ", ".join(f"{counts[mark]} {mark}" for mark in Mark)
    out.print(f"Dry run, nothing was changed: {told}." if dry_run else f"Done: {told}.", highlight=False)


def consoles(file: ShopFile, public_url: str, out: Console) -> None:
    """What to enter at the platforms, per endpoint."""
    if file.endpoints and not public_url.startswith("https://"):
        out.print(f"PLUSONE_PUBLIC_URL is {public_url}: the platforms only deliver to an https address.", style="yellow", markup=False)
    for endpoint in file.endpoints:
        out.print(f"\n{endpoint.path}", style="bold", markup=False, highlight=False)
        for line in _console(endpoint, f"{public_url.rstrip('/')}{endpoint.path}", file):
            out.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


def _console(endpoint: EndpointPart, url: str, file: ShopFile) -> Iterator[str]:
    steps = {"facebook": _facebook, "instagram": _instagram, "line": _line, "telegram": _telegram, "generic": _generic}
    yield from steps[endpoint.source](endpoint, url, file)


def _facebook(endpoint: EndpointPart, url: str, file: ShopFile) -> Iterator[str]:
    yield "App dashboard > Webhooks > Page:"
    yield f"  Callback URL  {url}"
    yield f"  Verify token  the value of {endpoint.verify_token_env}"
    yield f"  Fields        {', '.join(FACEBOOK_FIELDS)}"
    yield "Then subscribe every Page to the app, with its Page token:"
    for channel in file.channels:
        if channel.endpoint == endpoint.slug and channel.platform == "FACEBOOK_PAGE":
            yield f"  POST /{channel.external_id}/subscribed_apps?subscribed_fields={','.join(FACEBOOK_FIELDS)}"
    yield f"With pages_messaging also, for claim codes in Messenger: {', '.join(MESSENGER_FIELDS)}"
    yield f"The app secret is read from {endpoint.secret_env}; the app must be Live."


def _instagram(endpoint: EndpointPart, url: str, _: ShopFile) -> Iterator[str]:
    yield "App dashboard > Webhooks > Instagram:"
    yield f"  Callback URL  {url}"
    yield f"  Verify token  the value of {endpoint.verify_token_env}"
    yield f"  Fields        {', '.join(INSTAGRAM_FIELDS)}"
    yield "Then subscribe every account to the app, with its token:"
    yield f"  POST /me/subscribed_apps?subscribed_fields={','.join(INSTAGRAM_FIELDS)}"
    yield f"The secret is read from {endpoint.secret_env}; the app must be Live, and the account public."


def _line(endpoint: EndpointPart, url: str, _: ShopFile) -> Iterator[str]:
    yield "LINE Developers console > the channel > Messaging API:"
    yield f"  Webhook URL         {url}   (then press Verify)"
    yield "  Use webhook         on"
    yield "  Webhook redelivery  on (off, LINE never repeats what we missed)"
    yield "  Error statistics    on"
    yield "  Allow bot to join group chats  on; auto-reply and greeting messages off"
    yield f"The channel secret is read from {endpoint.secret_env}."
    if not endpoint.destination:
        yield 'Also write destination = "U…" (the bot\'s user id, Basic settings): it catches an address that was copied to another account.'


def _telegram(endpoint: EndpointPart, url: str, _: ShopFile) -> Iterator[str]:
    yield "Call setWebhook once, with the bot's token in BOT_TOKEN:"
    updates = orjson.dumps(TELEGRAM_UPDATES).decode()
    yield '  curl -s "https://api.telegram.org/bot$BOT_TOKEN/setWebhook" \\'
    yield f'    -d url={shlex.quote(url)} -d secret_token="${endpoint.secret_env}" \\'
    yield f"    -d max_connections=40 -d allowed_updates='{updates}'"
    yield "BotFather: /setprivacy off, then add the bot to the group again; or make it an admin there."


def _generic(endpoint: EndpointPart, url: str, _: ShopFile) -> Iterator[str]:
    yield f"A collector sends POST {url} with"
    yield "  X-PlusOne-Timestamp: Unix seconds of now, at most 300 s off"
    yield f'  X-PlusOne-Signature: sha256=hex(HMAC-SHA256({endpoint.secret_env}, timestamp + "." + raw body))'
    yield '  body: {"batch_id": "…", "items": [ … ]}, at most 500 items of plusone.comment/1'
