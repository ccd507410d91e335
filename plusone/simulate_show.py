"""What runs behind `plusone shop simulate`, and what it prints."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from domain import bootstrap, db
from domain.claims.pasted import UnusablePaste
from domain.claims.rehearsal import Decided
from domain.claims.rules import ClaimOutcome, ClaimPolicy
from domain.claims.simulation import Simulation, StockFrom, simulate
from domain.errors import NotFound, Unavailable
from domain.ids import read_public_id
from domain.money import Money
from domain.posts.errors import InvalidPolicy
from domain.posts.queries import VariantFacts
from domain.posts.screens import rule_sentence
from domain.settings import Settings
from domain.shops.queries import shop_by_handle
from domain.words import ENGLISH, TAIWAN
from plusone.runtime import StartRefused

SECONDS: Final = 120.0
SLOW_OR_AWAY: Final[tuple[type[BaseException], ...]] = (Unavailable, *db.AWAY)


class NotThere(Exception):
    """No such shop, or no such post in it."""


class Unusable(Exception):
    """A policy, or a file of comments, that cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    policy: Mapping[str, str]
    comments: str | None
    stock: StockFrom

    def candidate(self, base: ClaimPolicy) -> ClaimPolicy:
        """The policy in force with the changes; raises InvalidPolicy."""
        changes = {name: _value(name, text, base.stored()) for name, text in self.policy.items()}
        return ClaimPolicy.read({**base.stored(), **changes})


def wanted(pairs: Sequence[str], comments: Path | None, *, unlimited: bool) -> Wanted:
    """The options, read before any database is asked.

    Raises:
        Unusable: a pair that is none, a field that the policy does not have, or a file that is no text.
    """
    policy = dict(_pair(pair) for pair in pairs)
    try:
        text = None if comments is None else comments.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{comments} cannot be read: {type(error).__name__}") from None
    return Wanted(policy, text, StockFrom.UNLIMITED if unlimited else StockFrom.LEVEL)


def _pair(pair: str) -> tuple[str, str]:
    name, equals, text = pair.partition("=")
    if not equals or name not in ClaimPolicy().stored():
        raise Unusable(f"{pair!r} is no field of the policy with its value; fields: {', '.join(ClaimPolicy().stored())}")
    return name, text.strip()


def _value(name: str, text: str, stored: Mapping[str, Any]) -> Any:
    """A value as the policy stores it: a list by commas, `none` for no limit, a number or a word."""
    if isinstance(stored[name], list):
        return [part.strip() for part in text.split(",") if part.strip()]
    if text.lower() == "none":
        return None
    return int(text) if text.lstrip("-").isdecimal() else text


def run(handle: str, post: str, asked: Wanted, settings: Settings, dsn: str, out: Console, *, show: int) -> None:
    """Simulate and print; raises NotThere, Unusable or StartRefused."""
    try:
        tell(asyncio.run(_simulated(handle, post, asked, settings, dsn)), out, show=show)
    except InvalidPolicy as error:
        raise Unusable(f"{error.field} cannot be {asked.policy.get(error.field, 'this')!r} in a claim policy") from None
    except UnusablePaste as error:
        raise Unusable(f"the comments cannot be used: {error}") from None
    except SLOW_OR_AWAY as error:
        raise StartRefused(f"The database went away, or it took too long ({type(error).__name__}): try again.") from None


async def _simulated(handle: str, post: str, asked: Wanted, settings: Settings, dsn: str) -> Simulation:
    await bootstrap.connect(settings, dsn, application_name="plusone-simulate")
    try:
        async with db.transaction() as tx:
            shop = await shop_by_handle(tx, handle)
        if shop is None:
            raise NotThere(f"There is no shop {handle}.")
        post_id = await _post(shop.id, post)
        now = bootstrap.services(settings).clock.now()
        return await simulate(
            shop_id=shop.id, post_id=post_id, candidate=asked.candidate, pasted=asked.comments, stock=asked.stock, now=now, seconds=SECONDS
        )
    except NotFound:
        raise NotThere(f"The shop {handle} has no such post.") from None
    finally:
        await db.close()


async def _post(shop_id: UUID, post: str) -> UUID:
    read = read_public_id(post)
    if read is not None and read[0] == "post":
        return read[1]
    found: UUID | None = await db.fetchval(
        "select id from sales_post where shop_id = $1 and title = $2 order by created_at desc, id desc limit 1", shop_id, post
    )
    if found is None:
        raise NotFound
    return found


def tell(found: Simulation, out: Console, *, show: int) -> None:
    """The figures side by side, the comments that come out differently, and the rule in words."""
    table = Table("", Column("in force", justify="right"), Column("tried", justify="right"), header_style="bold")
    for outcome in ClaimOutcome:
        before, after = found.before.outcomes.get(outcome, 0), found.after.outcomes.get(outcome, 0)
        if before or after:
            table.add_row(outcome.value, str(before), str(after))
    table.add_section()
    for name in ("orders", "pieces", "waiting", "suggestions", "questions"):
        table.add_row(name, str(getattr(found.before, name)), str(getattr(found.after, name)))
    amounts = (Money(each.revenue_minor, found.currency).amount for each in (found.before, found.after))
    table.add_row(f"revenue {found.currency}", *(f"{amount:,}" for amount in amounts))
    out.print(table)
    told = f"{found.comments} comments, {len(found.differences)} come out differently"
    if found.left_out:
        told += f", {found.left_out} left out"
    if found.same_as_recorded is not None:
        told += f"; {found.same_as_recorded} decisions in force are what was decided then"
    out.print(f"{told}.", highlight=False)
    if found.differences[:show]:
        out.print(_differences(found, show))
    for language in (TAIWAN, ENGLISH):
        out.print(rule_sentence(found.policy.stored(), language), markup=False, highlight=False)


def _differences(found: Simulation, show: int) -> Table:
    table = Table("who", Column("comment", overflow="fold"), "in force", "tried", header_style="bold")
    for each in found.differences[:show]:
        text = "(removed)" if each.text is None else escape(each.text)
        table.add_row(escape(each.author), text, escape(_short(each.before, found.variants)), escape(_short(each.after, found.variants)))
    return table


def _short(decided: Decided, variants: Mapping[UUID, VariantFacts]) -> str:
    """`ORDERED 紅 x1`, or `REJECTED INSUFFICIENT_STOCK`."""
    pieces = [f"{_name(variants[key])} x{n}" for key, n in decided.lines] + [
        f"{_name(variants[key])} x{n} waiting" for key, n in decided.waiting
    ]
    return " ".join(filter(None, [decided.outcome.value, decided.reason, ", ".join(pieces)]))


def _name(variant: VariantFacts) -> str:
    return variant.label or variant.title
