"""The pages docs/api/live.md and docs/api/pickup.md, as they stand: their requests over HTTP, their streams and their program over a web socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.sockets.closing import Closing
from api.sockets.limits import SocketLimits
from domain import db as database
from domain.ids import public_id
from domain.live.rules import KEPT, MOST_AT_ONCE
from domain.pickup.rules import PickupRefusal
from tests import build
from tests.api.live.acts import announce, ask
from tests.api.live.conftest import Place, SignIn
from tests.api.live.wire import PATIENCE, wired
from tests.api.test_guide import BLOCK, Step, at, filled, user_errors
from tests.counter import paid

PAGES = Path(__file__).parents[3] / "docs" / "api"


def steps(page: str) -> Iterator[tuple[Step, bool]]:
    """A page's requests and programs in order, and whether each is a stream; a JSON block belongs to the block before it."""
    waiting: tuple[Step, bool] | None = None
    for found in BLOCK.finditer((PAGES / page).read_text()):
        if found["kind"] == "json":
            assert waiting is not None
            waiting[0].variables = found["text"]
            continue
        if waiting is not None:
            yield waiting
        notes = dict(part.strip().partition(": ")[::2] for part in (found["note"] or "").split(";"))
        keep = dict(pair.strip().split(" = ") for pair in notes["keep"].split(",")) if "keep" in notes else {}
        waiting = Step(found["kind"], found["text"], notes.get("as", "nobody"), keep), "stream" in notes
    assert waiting is not None
    yield waiting


async def run(base: str, page: str, known: dict[str, Any], program: Any = None) -> list[Any]:
    """Run a page; answers the first messages of its streams."""
    streamed: list[Any] = []
    for step, is_stream in steps(page):
        token, variables = known.get(step.who), json.loads(filled(step.variables, known)) if step.kind == "graphql" else None
        if step.kind == "python":
            await program(step.text)
        elif is_stream:
            async with wired(base, token) as wire:
                await wire.subscribe(step.text, variables)
                streamed.append(await wire.data())
        else:
            answer = await ask(base, token, step.text, variables)
            assert user_errors(answer) == [], step.text
            known |= {name: at(answer, path) for name, path in step.keep.items()}
    return streamed


async def test_the_page_of_streams_is_true(base: str, place: Place) -> None:
    post = await build.a_post(place.shop, products=[await build.a_product(place.shop)])
    known: dict[str, Any] = {"BUYER": place.token, "POST": public_id("post", post.id)}
    told: list[Any] = []

    async def program(text: str) -> None:
        """The client of the page, with what happens while it runs."""
        room: dict[str, Any] = {}
        exec(text, room)
        order = await build.an_order(place.shop, {place.variant: 1}, buyer=place.buyer)
        await announce(place.buyer, "k")
        address = base.replace("http", "ws") + "/graphql"
        async with asyncio.timeout(PATIENCE):
            stream = room["orders"](address, place.token, known["CURSOR"])
            told.append((await anext(stream))["order"]["number"] == order.number)
            await database.execute('update "order" set version = version + 1')
            told.append((await anext(stream))["order"]["version"] == 2)
            await stream.aclose()
            lost = room["orders"](address, place.token, "nonsense")
            with pytest.raises(RuntimeError, match="RESYNC"):
                await anext(lost)

    inbox, watched = await run(base, "live.md", known, program)
    assert told == [True, True]
    assert inbox["kind"] == "ANNOUNCEMENT"
    assert watched["post"]["items"][0]["availability"] == 10


async def test_the_page_of_the_pickup_code_is_true(base: str, place: Place, sign_in: SignIn) -> None:
    owner = await sign_in(await build.a_membership(place.shop))
    await paid(place.shop, [(place.variant, 2)], place.buyer)
    known: dict[str, Any] = {"BUYER": place.token, "SELLER": owner.token, "SHOP": public_id("shop", place.shop.id)}
    (passing,) = await run(base, "pickup.md", known)
    assert (passing["pickup"]["state"], passing["lastHandOver"]) == ("OPEN", None)
    assert len({known["FIRST"], known["LENT"], known["TOKEN"]}) == 3
    assert await database.fetchval("select state from pickup") == "COLLECTED"
    assert await database.fetchval("select handed_over from order_line") == 2


PASS = "subscription ($id: ID!) { pickupPassUsed(id: $id) { pickup { state codeExpiresAt loan { to isActive usedAt } } lastHandOver { left pickupState } } }"
ISSUE = "mutation ($input: PickupPassIssueInput!) { pickupPassIssue(input: $input) { pickupPass { token png } userErrors { refusal } } }"
LEND = "mutation ($input: PickupPassDelegateInput!) { pickupPassDelegate(input: $input) { pickupPass { token delegatedTo } userErrors { refusal } } }"
REVOKE = (
    "mutation ($input: PickupPassRevokeInput!) { pickupPassRevoke(input: $input) { pickup { loan { isActive } } userErrors { refusal } } }"
)
SCAN = "mutation ($input: PickupScanInput!) { pickupScan(input: $input) { preview { scanId buyerName lent amountDue { amount } } userErrors { refusal } } }"
CONFIRM = "mutation ($input: PickupConfirmInput!, $key: String!) { pickupConfirm(input: $input) @idempotent(key: $key) { handOver { left } userErrors { refusal } } }"


async def test_a_pass_is_watched_through_its_life(base: str, place: Place, sign_in: SignIn) -> None:
    """Issued, lent, revoked, lent again, used by somebody else: the buyer sees each step, and staff see it without the buyer's words."""
    owner = await sign_in(await build.a_membership(place.shop))
    order = await paid(place.shop, [(place.variant, 2)], place.buyer)
    pickup = public_id("pickup", await database.fetchval("select id from pickup"))
    shop, given = public_id("shop", place.shop.id), {"input": {"pickupId": pickup}}
    async with wired(base, place.token) as wire, wired(base, owner.token) as staff:
        for each in (wire, staff):
            await each.subscribe(PASS, {"id": pickup})

        async def both() -> dict[str, Any]:
            mine, theirs = await wire.data(), await staff.data()
            assert theirs["pickup"]["loan"] in (None, {**(mine["pickup"]["loan"] or {}), "to": None})
            assert {**mine["pickup"], "loan": None} == {**theirs["pickup"], "loan": None}
            found: dict[str, Any] = mine
            return found

        assert (await both())["pickup"] == {"state": "OPEN", "codeExpiresAt": None, "loan": None}
        await ask(base, place.token, ISSUE, given)
        assert (await both())["pickup"]["codeExpiresAt"] == "2026-11-24T08:00:00Z"
        await ask(base, place.token, LEND, {"input": {"pickupId": pickup, "to": "媽媽"}})
        assert (await both())["pickup"]["loan"] == {"to": "媽媽", "isActive": True, "usedAt": None}
        refused = (await ask(base, place.token, ISSUE, given))["pickupPassIssue"]
        assert refused == {"pickupPass": None, "userErrors": [{"refusal": "RULES"}]}
        await ask(base, place.token, REVOKE, given)
        assert (await both())["pickup"] == {
            "state": "OPEN",
            "codeExpiresAt": None,
            "loan": {"to": "媽媽", "isActive": False, "usedAt": None},
        }
        lent = (await ask(base, place.token, LEND, {"input": {"pickupId": pickup, "to": "爸爸"}}))["pickupPassDelegate"]["pickupPass"]
        assert (await both())["pickup"]["loan"]["isActive"]
        preview = (await ask(base, owner.token, SCAN, {"input": {"shopId": shop, "token": lent["token"]}}))["pickupScan"]["preview"]
        assert (preview["buyerName"], preview["lent"], preview["amountDue"]) == ("", True, {"amount": "0"})
        line = {"lineId": public_id("line", order.lines[0]), "quantity": 1}
        part = {"input": {"shopId": shop, "scanId": preview["scanId"], "lines": [line]}, "key": "0123456789abcdef"}
        assert (await ask(base, owner.token, CONFIRM, part))["pickupConfirm"]["handOver"] == {"left": 1}
        used = await both()
        assert (used["pickup"]["state"], used["lastHandOver"]) == ("OPEN", {"left": 1, "pickupState": "OPEN"})
        assert used["pickup"]["loan"] == {"to": "爸爸", "isActive": False, "usedAt": "2026-11-21T08:00:00Z"}
        again = (await ask(base, owner.token, SCAN, {"input": {"shopId": shop, "token": lent["token"]}}))["pickupScan"]
        assert again == {"preview": None, "userErrors": [{"refusal": "ALREADY_USED"}]}


async def test_a_name_for_a_loan_has_its_length(base: str, place: Place) -> None:
    await paid(place.shop, [(place.variant, 1)], place.buyer)
    pickup = public_id("pickup", await database.fetchval("select id from pickup"))
    query = LEND.replace("refusal", "code field")
    answer = await ask(base, place.token, query, {"input": {"pickupId": pickup, "to": "長" * 41}})
    assert answer["pickupPassDelegate"]["userErrors"] == [{"code": "INVALID_INPUT", "field": ["input", "to"]}]
    answer = await ask(base, place.token, query, {"input": {"pickupId": pickup, "to": "長" * 40}})
    assert answer["pickupPassDelegate"]["pickupPass"]["delegatedTo"] == "長" * 40


def test_the_pages_name_the_codes_and_limits_that_are() -> None:
    live, limits = (PAGES / "live.md").read_text(), SocketLimits()
    assert [code for code in Closing if f"| {int(code)} |" not in live] == []
    for words in (
        f"{limits.per_member} per member, {limits.per_address} per address", f"more than {limits.messages} messages in {limits.messages_in:.0f} seconds",
        f"for {limits.send:.0f} seconds", f"within {limits.init:.0f} seconds", f"every {limits.ping:.0f} seconds",
        f"at most {limits.operations} subscriptions", f"good for {KEPT.days} days", f"more than {MOST_AT_ONCE} objects",
    ):  # fmt: skip
        assert words in live, words
    pickup = (PAGES / "pickup.md").read_text()
    assert [refusal for refusal in PickupRefusal if f"`{refusal}`" not in pickup] == [PickupRefusal.AMBIGUOUS]
