"""What the demo shows: a row per comment as it is decided, then the totals, and how to go on from there."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from rich.cells import set_cell_size
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from domain import db
from domain.claims.rules import ClaimOutcome
from domain.db import from_jsonb
from domain.money import Money
from domain.shops.rules import SourcePlatform
from plusone.demo.expect import ShopFigures
from plusone.demo.goods import SHOPS
from plusone.demo.payloads import comment_id
from plusone.demo.people import SHOP, STRANGER, subject_of
from plusone.demo.places import PLACES
from plusone.demo.record import Delivery
from plusone.demo.script import Act, Line, script

PLATFORM: Final = {
    SourcePlatform.FACEBOOK_PAGE: "FB 粉專",
    SourcePlatform.FACEBOOK_LIVE: "FB 直播",
    SourcePlatform.FACEBOOK_GROUP: "FB 社團",
    SourcePlatform.LINE_GROUP: "LINE 群組",
    SourcePlatform.LINE_OPENCHAT: "LINE 社群",
    SourcePlatform.TELEGRAM: "Telegram",
}
OUTCOME: Final[Mapping[str, tuple[str, str]]] = {
    ClaimOutcome.ORDERED: ("成立", "green"),
    ClaimOutcome.PARTIAL: ("部分成立", "yellow"),
    ClaimOutcome.WAITLISTED: ("候補", "yellow"),
    ClaimOutcome.SUGGESTED: ("請買家確認", "cyan"),
    ClaimOutcome.CANCELLED: ("已取消", "magenta"),
    ClaimOutcome.DUPLICATE: ("重複", "dim"),
    ClaimOutcome.REJECTED: ("不成立", "red"),
    ClaimOutcome.NEEDS_REVIEW: ("待人工", "blue"),
    ClaimOutcome.IGNORED: ("略過", "dim"),
}
REASON: Final = {
    "ALREADY_ORDERED": "已登記過", "ALREADY_PAID": "已付款", "AMBIGUOUS_OPTION": "不確定哪一款", "AMBIGUOUS_QUANTITY": "數量不明",
    "CLOSED": "已收單", "CONDITIONAL": "有條件", "EDITED_TO_QUESTION": "改成提問", "FROM_SHOP": "賣家自己", "HYPOTHETICAL": "只是說說",
    "INSUFFICIENT_STOCK": "庫存不足", "LATE": "送達太晚", "LOOKS_LIKE_QUESTION": "提問", "MISSING_ITEM": "沒說哪一樣", "MISSING_OPTION": "缺顏色或尺寸",
    "MISSING_QUANTITY": "沒說幾個", "NEEDS_CONFIRMATION": "等買家說好", "NEGATED": "說不要", "NOTHING_TO_CANCEL": "沒有可取消的",
    "NOT_FOR_SALE": "不賣", "NOT_HELD": "沒有登記過", "NO_AUTHOR": "不知是誰", "NO_TRIGGER": "沒有下單", "OVER_LIMIT": "超過限購",
    "QUANTITY_OUT_OF_RANGE": "數量太多或不對", "QUESTION": "另有提問", "REDUCED": "改少了", "REMOVED": "留言被刪", "REPORTED": "說別人或以前",
    "UNCLEAR_CHANGE": "不知怎麼改", "UNKNOWN_ITEM": "沒有這一樣",
}  # fmt: skip
WIDTHS: Final = (8, 9, 8, 10, 38, 34, 12, 0)
HEADS: Final = ("時間", "平台", "賣場", "買家", "留言", "結果", "訂單", "剩下")
ACTS: Final = {Act.EDIT: "（改）", Act.REMOVE: "（刪）", Act.HIDE: "（藏）"}
_SHOPS: Final = {shop.handle: shop for shop in SHOPS}
_LINES: Final = {line.event: line for line in script()}


@dataclass(frozen=True, slots=True)
class Row:
    """One act as it was decided. `stock`: what is left of the pieces it speaks of."""

    line: Line
    outcome: str
    reason: str
    order: str
    stock: str

    def cells(self) -> tuple[str, ...]:
        """The columns' texts."""
        line, shop = self.line, _SHOPS[self.line.place.shop]
        at = f"{line.at.astimezone(ZoneInfo(shop.time_zone)):%H:%M:%S}"
        who = {SHOP: "（賣家）", STRANGER: "（未具名）"}.get(line.who, line.who)
        said = line.text.replace("\n", " ⏎ ") or {"sticker": "（貼圖）", "photo": "（照片）"}.get(line.media, "")
        word = OUTCOME[self.outcome][0] if self.outcome else "…"
        why = f"：{REASON.get(self.reason, self.reason)}" if self.reason else ""
        result = f"{word}{why}"
        return (
            at,
            PLATFORM[line.place.platform],
            shop.name,
            who,
            f"{ACTS.get(line.act, '')}{said}",
            f"{result} {self.outcome}",
            self.order,
            self.stock,
        )


async def rows_of(scene: Sequence[Delivery]) -> list[Row]:
    """The acts that these deliveries brought, in platform order, as they stand now."""
    lines = sorted(
        (_LINES[event] for delivery in scene if delivery.stored for event in delivery.events if event in _LINES), key=lambda x: x.at_ms
    )
    if not lines:
        return []
    found = await db.fetch(
        """select h.external_id as channel, c.external_id as comment, k.outcome, k.reason, k.result, o.number
           from social_comment c join channel h on h.id = c.channel_id join claim k on k.comment_id = c.id left join "order" o on o.id = k.order_id
           where (h.external_id, c.external_id) in (select * from unnest($1::text[], $2::text[]))""",
        [line.place.channel for line in lines],
        [comment_id(line.key) for line in lines],
    )
    claims = {(row["channel"], row["comment"]): row for row in found}
    stock = await _stock()
    rows = []
    for line in lines:
        claim = claims.get((line.place.channel, comment_id(line.key)))
        if claim is None:
            rows.append(Row(line, "", "", "", ""))
            continue
        named = [part["variant"] for part in from_jsonb(claim["result"]).get("lines", ())]
        left = "  ".join(stock[variant] for variant in dict.fromkeys(named) if variant in stock)
        rows.append(Row(line, claim["outcome"], claim["reason"], claim["number"] or "", left))
    return rows


async def _stock() -> dict[str, str]:
    rows = await db.fetch(
        """select v.id, p.title, v.label, s.on_hand + s.backorder_limit - s.held - s.committed as available from stock_level s
           join variant v on v.id = s.variant_id join product p on p.id = v.product_id"""
    )
    return {str(row["id"]): f"{row['title']}{' ' + row['label'] if row['label'] else ''} {row['available']}" for row in rows}


class View:
    """Rows in colour with a line of progress below in a terminal; plain lines anywhere else."""

    def __init__(self, console: Console, deliveries: int) -> None:
        self._console = console
        self._deliveries = deliveries
        self._seen = 0
        self._comments = 0
        self._live = Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else None

    def __enter__(self) -> View:
        self._print(HEADS, "bold")
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    async def scene(self, scene: Sequence[Delivery]) -> None:
        """Show what came of a scene."""
        self._seen += len(scene)
        for row in await rows_of(scene):
            self._comments += 1
            self._print(row.cells(), OUTCOME[row.outcome][1] if row.outcome else "dim")
        if self._live is not None:
            self._live.update(Text(f"{self._seen}/{self._deliveries} deliveries, {self._comments} acts decided", style="bold"))

    def _print(self, cells: Sequence[str], style: str) -> None:
        padded = (set_cell_size(cell, width) if width else cell for cell, width in zip(cells, WIDTHS, strict=True))
        say(self._console, " ".join(padded).rstrip(), style)


def say(console: Console, text: str, style: str = "") -> None:
    """One line, whole: a terminal cuts it at its edge, a file gets all of it."""
    if console.is_terminal:
        console.print(Text(text, style=style, no_wrap=True, overflow="ellipsis"), no_wrap=True, overflow="ellipsis")
    else:
        console.file.write(text.encode(_encoding(console), "replace").decode(_encoding(console)) + "\n")
        console.file.flush()


def _encoding(console: Console) -> str:
    return getattr(console.file, "encoding", None) or "utf-8"


def totals(console: Console, figures: Mapping[str, ShopFigures]) -> None:
    """The evening per shop."""
    heads = ("賣場 shop", "訂單 orders", "件數 pieces", "金額 money", "候補 waiting", "待人工 review", "偽造被拒 forged")
    rows = []
    for shop in SHOPS:
        f = figures[shop.handle]
        money = f"{shop.currency} {Money(f.money_minor, shop.currency).amount:,}"
        rows.append((shop.name, str(f.orders), str(f.pieces), money, str(f.waiting), str(f.review), str(f.refused)))
    if not console.is_terminal:
        for row in rows:
            say(console, ", ".join(f"{head} {cell}" for head, cell in zip(heads, row, strict=True)))
        return
    table = Table(*heads)
    for row in rows:
        table.add_row(*row)
    console.print(table)


@dataclass(frozen=True, slots=True)
class Door:
    """How a person goes on: addresses and tokens."""

    url: str
    buyer: str
    seller: str
    scanner: str
    shop: str
    post: str


BUYER_QUERIES: Final = (
    "{ me { orders(first: 5) { nodes { number state paymentState shop { name } total { amount currencyCode } } } } }",
    "{ me { unpaid(first: 5) { totals { amount currencyCode } nodes { number payBy amountDue { amount currencyCode } } } } }",
    '{ salesPost(id: "POST") { title rule { sentence } items { product { title } availability } } }',
)
SELLER_QUERIES: Final = (
    '{ shop(id: "SHOP") { orders(list: TO_PAY, first: 5) { nodes { id number buyer { name } total { amount currencyCode } } } } }',
    '{ shop(id: "SHOP") { comments(filter: {review: OPEN}, first: 5) { nodes { id text author { name } claim { outcome reason } } } } }',
    '{ shop(id: "SHOP") { stock(first: 10) { nodes { variant { product { title } label } onHand held available } } } }',
)


RENEW: Final = r"""token() { N=$(curl -s URL/auth/nonce -H 'content-type: application/json' -d '{"provider": "dev"}' | sed 's/.*"nonce":"\([^"]*\)".*/\1/')
  curl -s URL/auth/exchange -H 'content-type: application/json' \
    -d "{\"provider\": \"dev\", \"idToken\": \"dev:$1\", \"nonce\": \"$N\", \"installationId\": \"shell\"}" \
    | sed 's/.*"accessToken":"\([^"]*\)".*/\1/'; }"""


def queries(door: Door) -> list[tuple[str, str]]:
    """(who, query) of what the demo offers to try."""
    filled = [("BUYER", query) for query in BUYER_QUERIES] + [("SELLER", query) for query in SELLER_QUERIES]
    return [(who, query.replace("SHOP", door.shop).replace("POST", door.post)) for who, query in filled]


def how_to_go_on(console: Console, door: Door) -> None:
    """Addresses, tokens, and queries to paste into a shell."""

    def show(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    show("\nNow you. The API answers at:", "bold")
    show(f"  {door.url}/graphql   (in a browser: GraphiQL)   {door.url}/health/ready   {door.url}/metrics")
    for place in {place.endpoint.path for place in PLACES.values()}:
        show(f"  {door.url}{place}")
    show("\nTokens, good for ten minutes (a buyer: 林小美; a seller: 阿美; a scanner: 取貨櫃台):", "bold")
    show(f"API={door.url}/graphql\nBUYER={door.buyer}\nSELLER={door.seller}\nSCANNER={door.scanner}")
    show("\nA new token, for anybody of the evening:", "bold")
    show(RENEW.replace("URL", door.url))
    show(
        f"BUYER=$(token facebook:{subject_of('林小美', 'facebook')})   SELLER=$(token member:amei-owner)   SCANNER=$(token member:amei-scanner)"
    )
    show("\nThree questions of a buyer and three of a seller, to paste after the lines above:", "bold")
    for who, query in queries(door):
        body = '{"query": "' + query.replace('"', '\\"') + '"}'
        show(f"curl -s $API -H \"authorization: Bearer ${who}\" -H 'content-type: application/json' -d '{body}'")


def console_of() -> Console:
    """The console of this process."""
    return Console(file=sys.stdout, highlight=False)
