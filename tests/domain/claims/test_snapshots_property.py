"""Random evenings of a group against a small model: what is missed, what is removed and when, and what became of each list."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from domain.claims.rules import OnDelete
from plusone.invariants import check
from tests.build import NOW
from tests.conftest import empty
from tests.domain.claims.group import Group, a_group, minute

CLOCKS_APART = 5
SEEDS, ACTS = 6, 70


@dataclass
class Said:
    """A comment as the model knows it. Times in minutes."""

    heard: float
    hidden: tuple[float, bool] = (-1.0, False)
    missed: float | None = None
    told: bool = False
    removed: float | None = None


@dataclass
class Model:
    """The rule in a few lines: two complete lists in a row, each taken after the last that was heard of the comment."""

    comments: dict[str, Said] = field(default_factory=dict)
    last: tuple[str, float] | None = None
    outcomes: list[str] = field(default_factory=list)

    def add(self, comment: str, at: float, received: float) -> None:
        self.comments.setdefault(comment, Said(max(at, received - CLOCKS_APART)))

    def happen(self, verb: str, comment: str, at: float) -> None:
        said = self.comments[comment]
        if verb == "remove":
            said.removed = at if said.removed is None else said.removed
            return
        said.heard = max(said.heard, at)
        if verb != "edit" and at > said.hidden[0]:
            said.hidden = (at, verb == "hide")

    def look(self, name: str, seen: list[str], at: float, *, complete: bool) -> None:
        self.outcomes.append(self._look(name, seen, at, complete=complete))

    def _look(self, name: str, seen: list[str], at: float, *, complete: bool) -> str:
        for said in (self.comments[comment] for comment in seen):
            if said.missed is not None and said.missed < at:
                said.missed, said.told = None, False
        if not complete:
            return "SNAPSHOT_SEEN"
        if self.last is not None and self.last[0] == name:
            return "DUPLICATE"
        if self.last is not None and at <= self.last[1]:
            return "OVERTAKEN"
        self.last = (name, at)
        standing = {c: said for c, said in self.comments.items() if said.removed is None}
        missing = [said for c, said in standing.items() if c not in seen and not said.hidden[1] and said.heard < at]
        again = [said for said in missing if said.missed is not None and said.heard < said.missed]
        for said in missing:
            if said not in again:
                said.missed, said.told = at, False
        counted = len([c for c in standing if c in seen]) + len(missing)
        if again and counted >= 10 and len(again) > counted / 2:
            for said in again:
                said.told = True
            return "SNAPSHOT_HELD"
        for said in again:
            said.removed, said.missed = at, None
        return "SNAPSHOT"


class Evening:
    """Everybody's dice: the same acts to the inbox and, in the order of the lane, to the model."""

    def __init__(self, group: Group, seed: int) -> None:
        self.group, self.dice, self.model = group, random.Random(seed), Model()
        self.waiting: list[tuple[float, int, str, dict[str, object]]] = []
        self.sent: set[tuple[str, bool]] = set()
        self.there: list[str] = []
        """Comments that the page shows."""
        self.hidden: list[str] = []
        self.keeps = 1.0
        """Share of the comments that the page shows; what ails it lasts for a while."""
        self.step = 0

    def _tell(self, at: float, rank: int, act: str, **told: object) -> None:
        self.waiting.append((at, rank, act, told))

    async def act(self) -> None:
        self.step += 1
        roll = self.dice.random()
        if roll < 0.25 or len(self.there) < 8:
            await self._comment()
        elif roll < 0.45:
            await self._change()
        else:
            await self._look()
        if self.dice.random() < 0.5:
            await self.drain()

    async def _comment(self) -> None:
        comment, late = str(len(self.group.rows) + 1), self.dice.choice((0, 0, 0, 9))
        row = self.group.row(
            comment, f"買家{self.dice.randrange(6)}", self.dice.choice(("+1", "+2", "好美", "還有嗎？")), minute(self.step)
        )
        self.group.rows[comment] = row
        await self.group.send([row], received_at=minute(self.step + late))
        self._tell(self.step, 0, "add", comment=comment, received=self.step + late)
        self.there.append(comment)

    async def _change(self) -> None:
        verb = self.dice.choice(("edit", "edit", "hide", "unhide", "remove"))
        if verb == "unhide" and self.hidden:
            comment = self.hidden.pop()
            self.there.append(comment)
        else:
            comment = self.dice.choice(self.there)
        await self.group.tells(
            comment, self.group.rows[comment]["author"]["profile_key"], f"+{self.step % 4 + 1} 第{self.step}次", self.step, event=verb
        )
        self._tell(self.step, 1, "happen", verb=verb, comment=comment)
        if verb in ("remove", "hide"):
            self.there.remove(comment)
        if verb == "hide":
            self.hidden.append(comment)

    async def _look(self) -> None:
        """A list of all that is there, or with holes, or of a page that hardly loaded; sometimes of a while ago, sometimes heard before."""
        at = self.step + 0.5 - self.dice.choice((0, 0, 0, 2.25))
        keeps = self.keeps = self.dice.choice((1.0, 1.0, 0.8, 0.8, 0.15, self.keeps, self.keeps, self.keeps))
        seen = [comment for comment in self.there if self.dice.random() < keeps]
        name = f"look-{self.step - self.dice.choice((0, 0, 0, 0, 1))}"
        complete = self.dice.random() < 0.8
        if self.dice.random() < 0.15 and len(self.there) > 3:
            self.there.remove(self.dice.choice(self.there))  # taken away: no list shows it any more
        await self.group.looks(" ".join(seen), at, id=name, received=self.step + 1, complete=complete)
        if (name, complete) not in self.sent:
            self.sent.add((name, complete))
            self._tell(
                max([at, *(self._written(comment) for comment in seen)]), 2, "look", name=name, seen=seen, taken=at, complete=complete
            )

    def _written(self, comment: str) -> float:
        return (self.group.rows[comment]["created_at_ms"] / 1000 - NOW.timestamp()) / 60

    async def drain(self) -> None:
        await self.group.drain()
        for at, _, act, told in sorted(self.waiting, key=lambda one: one[:2]):
            match act:
                case "add":
                    self.model.add(told["comment"], at, told["received"])  # type: ignore[arg-type]
                case "happen":
                    self.model.happen(told["verb"], told["comment"], at)  # type: ignore[arg-type]
                case "look":
                    self.model.look(told["name"], told["seen"], told["taken"], complete=told["complete"])  # type: ignore[arg-type]
        self.waiting.clear()

    async def agrees(self) -> None:
        comments = sorted(self.model.comments.items(), key=lambda one: int(one[0]))
        assert await self.group.missed() == [f"{c}!" if s.told else c for c, s in comments if s.missed is not None and s.removed is None]
        assert await self.group.removed() == {c: minute(s.removed) for c, s in comments if s.removed is not None}


async def test_random_evenings_end_as_the_model_says(db: str) -> None:
    met: Counter[str] = Counter()
    for seed in range(SEEDS):
        await empty(db)
        evening = Evening(await a_group(on_hand=12, on_delete=tuple(OnDelete)[seed % 2]), seed)
        for _ in range(ACTS):
            await evening.act()
            if evening.step % 10 == 0:
                await evening.drain()
                await evening.agrees()
        await evening.drain()
        await evening.agrees()
        assert Counter(await evening.group.outcomes()) == Counter(evening.model.outcomes), seed
        assert await check(NOW + timedelta(seconds=59)) == []
        met += Counter(evening.model.outcomes)
        met["removed"] += sum(said.removed is not None for said in evening.model.comments.values())
    # What no evening met would not be tested.
    assert min(met[what] for what in ("SNAPSHOT", "SNAPSHOT_HELD", "SNAPSHOT_SEEN", "OVERTAKEN", "removed")) >= 3, met
