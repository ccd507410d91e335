"""`claimPolicySimulate`: for whom, with which input, and what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from domain.claims import simulation
from domain.ids import new_id, public_id
from domain.shops.rules import Permission, Role
from tests import build
from tests.api.graphql.conftest import Answer, Client
from tests.wall import Wall, a_wall

QUERY = """query Simulate($input: ClaimPolicySimulateInput!) {
  claimPolicySimulate(input: $input) {
    sentence comments leftOut sameAsRecorded differencesTotal
    before { ...figures } after { ...figures }
    differences {
      commentId text author writtenAt
      before { outcome reason lines { variantId title label quantity waiting } }
      after { outcome reason lines { label quantity waiting } }
    }
  }
}
fragment figures on SimulationFigures {
  outcomes { outcome comments } orders pieces waiting revenue { amount currencyCode } suggestions questions
}"""
As = Callable[[UUID | None], Awaitable[Client]]


@dataclass(slots=True)
class Scene:
    """A wall with three comments, and how its owner asks."""

    wall: Wall
    owner: Client
    comments: list[str]

    async def ask(self, client: Client | None = None, *, post: str | None = None, **given: Any) -> Answer:
        """The answer to a simulation of the wall's post."""
        asked = {"postId": post or public_id("post", self.wall.post_id), "policy": {}, **given}
        return await (client or self.owner).ask(QUERY, {"input": asked}, accept_language="en")

    async def get(self, **given: Any) -> Any:
        return (await self.ask(**given)).data["claimPolicySimulate"]


@pytest.fixture
async def scene(signed_in: As, services: object) -> Scene:
    wall = await a_wall(variants=("紅", "白"), on_hand=2)
    comments = [await wall.says("小美", text) for text in ("紅+1", "白一件", "還有嗎？")]
    await wall.drain()
    return Scene(wall, await signed_in(await build.a_membership(wall.shop)), comments)


async def test_what_a_candidate_would_have_made(scene: Scene) -> None:
    found = await scene.get(policy={"reading": "LENIENT"})
    assert found["sentence"].startswith('A comment that gives item and quantity, such as "red+1" or "1 red", is an order')
    assert (found["comments"], found["leftOut"], found["sameAsRecorded"], found["differencesTotal"]) == (3, 0, 3, 1)
    assert found["before"] == {
        "outcomes": [{"outcome": "ORDERED", "comments": 1}, {"outcome": "SUGGESTED", "comments": 1}, {"outcome": "NEEDS_REVIEW", "comments": 1}],
        "orders": 1, "pieces": 1, "waiting": 0, "revenue": {"amount": "590", "currencyCode": "TWD"}, "suggestions": 1, "questions": 1,
    }  # fmt: skip
    assert found["after"] == {
        "outcomes": [{"outcome": "ORDERED", "comments": 2}, {"outcome": "NEEDS_REVIEW", "comments": 1}],
        "orders": 1, "pieces": 2, "waiting": 0, "revenue": {"amount": "1180", "currencyCode": "TWD"}, "suggestions": 0, "questions": 1,
    }  # fmt: skip
    (difference,) = found["differences"]
    assert difference == {
        "commentId": difference["commentId"], "text": "白一件", "author": "小美 小姐", "writtenAt": "2026-11-21T08:00:01Z",
        "before": {"outcome": "SUGGESTED", "reason": "NEEDS_CONFIRMATION", "lines": []},
        "after": {"outcome": "ORDERED", "reason": None, "lines": [{"label": "白", "quantity": 1, "waiting": 0}]},
    }  # fmt: skip
    node = await scene.owner.get("query Q($id: ID!) { node(id: $id) { ... on SocialComment { text } } }", {"id": difference["commentId"]})
    assert node == {"node": {"text": "白一件"}}


async def test_pasted_comments_and_their_lines(scene: Scene) -> None:
    found = await scene.get(comments="小美: 紅+1\n阿花: 紅+1 白+9", policy={"shortage": "REJECT_COMMENT"})
    assert (found["comments"], found["sameAsRecorded"]) == (2, None)
    (difference,) = found["differences"]
    assert (difference["commentId"], difference["author"], difference["text"]) == (None, "阿花", "紅+1 白+9")
    red, white = (v.id for v in scene.wall.product.variants)
    assert difference["before"]["lines"] == [
        {"variantId": public_id("variant", red), "title": "瓦片", "label": "紅", "quantity": 0, "waiting": 1},
        {"variantId": public_id("variant", white), "title": "瓦片", "label": "白", "quantity": 2, "waiting": 7},
    ]
    assert difference["after"] == {"outcome": "REJECTED", "reason": "INSUFFICIENT_STOCK", "lines": []}
    endless = await scene.get(comments="紅+99", stock="UNLIMITED")
    assert (endless["before"]["pieces"], endless["before"]["revenue"]["amount"]) == (99, str(99 * 590))


async def test_differences_are_paged(scene: Scene) -> None:
    given = {"comments": "\n".join(f"紅{n}件" for n in range(1, 6)), "policy": {"reading": "LENIENT"}, "stock": "UNLIMITED"}
    first = await scene.get(**given, limit=2)
    rest = await scene.get(**given, limit=200, offset=2)
    assert (first["differencesTotal"], rest["differencesTotal"]) == (5, 5)
    assert [d["text"] for d in first["differences"] + rest["differences"]] == [f"紅{n}件" for n in range(1, 6)]
    assert (await scene.get(**given, offset=5))["differences"] == []


@pytest.mark.parametrize("given", [{"limit": 0}, {"limit": 201}, {"offset": -1}])
async def test_a_page_that_cannot_be_is_refused(scene: Scene, given: dict[str, int]) -> None:
    assert (await scene.ask(**given)).codes == ["BAD_REQUEST"]


async def test_input_that_cannot_be_used_is_named_without_its_words(scene: Scene) -> None:
    for given, message in (
        ({"comments": " \n"}, "comments: there is no comment in it"),
        ({"comments": "+1\n" + "秘" * 2_001}, "comments: line 2 is longer than 2,000 characters"),
        ({"policy": {"maxPerLine": 0}}, "policy: maxPerLine cannot be this"),
        ({"policy": {"triggerSymbols": ["?"]}}, "policy: triggerSymbols cannot be this"),
    ):
        answer = await scene.ask(**given)
        assert answer.codes == ["BAD_REQUEST"]
        assert answer.body["errors"][0]["message"] == message
        assert answer.body["data"] == {"claimPolicySimulate": None}


async def test_only_staff_who_change_rules_and_view_comments(scene: Scene, signed_in: As) -> None:
    shop = scene.wall.shop
    assert (await scene.ask(await signed_in(await build.a_membership(shop, role=Role.MANAGER)))).data["claimPolicySimulate"] is not None
    for role in (Role.HELPER, Role.SCANNER):
        assert (await scene.ask(await signed_in(await build.a_membership(shop, role=role)))).codes == ["FORBIDDEN"]
    for denied in (Permission.CHANGE_CLAIM_RULES, Permission.VIEW_COMMENTS):
        blind = await build.a_membership(shop, role=Role.OWNER, denied=[denied.value])
        assert (await scene.ask(await signed_in(blind))).codes == ["FORBIDDEN"]
    assert (await scene.ask(await signed_in(None))).codes == ["UNAUTHENTICATED"]


async def test_for_others_the_post_is_not_there(scene: Scene, signed_in: As) -> None:
    other = await build.a_membership(await build.a_shop(name="別家"))
    for client in (await signed_in(other), await signed_in(await build.a_member())):
        assert (await scene.ask(client)).data == {"claimPolicySimulate": None}
    for post in (public_id("post", new_id()), public_id("shop", scene.wall.post_id), "nonsense"):
        assert (await scene.ask(post=post)).data == {"claimPolicySimulate": None}


async def test_what_takes_too_long_may_be_asked_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(simulation.Slices, "__init__", _without_time(simulation.Slices.__init__))
    answer = await scene.ask()
    assert answer.codes == ["UNAVAILABLE"]
    assert answer.response.status_code == 503


def _without_time(begin: Callable[..., None]) -> Callable[..., None]:
    def init(slices: simulation.Slices, _: float) -> None:
        begin(slices, 0.0)

    return init
