"""One application of a shop file: its transaction, the account of what was done, and the claim policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain.audit.commands import Actor, Entry, record
from domain.db import Tx, from_jsonb
from domain.errors import DomainError
from domain.posts.commands import set_policy
from domain.posts.errors import InvalidPolicy
from domain.posts.policy import ClaimPolicy
from domain.shops.errors import InvalidShop
from domain.vault import Vault
from plusone.shopfile_parts import FileRefused, PolicyPart, Problem, ShopFile

ACTOR: Final = Actor("worker:shopfile")


class Mark(StrEnum):
    """What became of one thing of the file."""

    CREATED = "created"
    CHANGED = "changed"
    SAME = "same"
    LEFT = "left"
    """The file and the database differ, and the database stays."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the account."""

    mark: Mark
    what: str
    name: str
    told: str = ""


@dataclass(slots=True)
class Work:
    """One application of a file, in its transaction."""

    tx: Tx
    file: ShopFile
    secrets: Mapping[str, str]
    vault: Vault
    now: datetime
    rows: list[Row] = field(default_factory=list)
    policy: ClaimPolicy = field(default_factory=ClaimPolicy)
    """The shop's, in force after this file."""
    channels: dict[str, UUID] = field(default_factory=dict)
    """By their key in the file."""

    def note(self, mark: Mark, what: str, name: str, told: str = "") -> None:
        """Remember what was done."""
        self.rows.append(Row(mark, what, name, told))

    def note_changes(self, what: str, name: str, changed: tuple[str, ...] | list[str]) -> None:
        """Remember that these fields changed, or none."""
        self.note(Mark.CHANGED if changed else Mark.SAME, what, name, ", ".join(changed))

    async def audit(self, shop_id: UUID, action: str, kind: str, object_id: UUID, **detail: object) -> None:
        """An entry for what a command without an entry of its own has done."""
        await record(self.tx, ACTOR, [Entry(shop_id, action, kind, object_id, detail)], now=self.now)


@contextmanager
def at(path: str) -> Iterator[None]:
    """Turns a refusal of the domain into one of the file at this place."""
    try:
        yield
    except InvalidShop as error:
        raise FileRefused(Problem(f"{path}.{error.field}", "has a value that cannot be")) from None
    except InvalidPolicy as error:
        told = "has a value that cannot be beside the other values in force"
        raise FileRefused(Problem(f"{path}.policy.{error.field}".removeprefix("."), told)) from None
    except DomainError as error:
        raise FileRefused(Problem(path, f"is refused: {error.code}")) from None


def merged(base: ClaimPolicy, part: PolicyPart) -> ClaimPolicy:
    """The policy with what the file says of its own."""
    return replace(base, **part.model_dump(exclude_none=True))


async def policy_in_force(tx: Tx, shop_id: UUID, post_id: UUID | None) -> ClaimPolicy | None:
    """The newest version of the shop's policy, or of the post's own; None when there is none."""
    stored = await tx.fetchval(
        """select policy from claim_policy_version where shop_id = $1 and post_id is not distinct from $2
           order by version desc limit 1""",
        shop_id,
        post_id,
    )
    return None if stored is None else ClaimPolicy.read(from_jsonb(stored))


async def change_policy(
    work: Work, shop_id: UUID, post_id: UUID | None, before: ClaimPolicy | None, wanted: ClaimPolicy, name: str
) -> None:
    """Write a new version if it says something new."""
    if before == wanted:
        work.note(Mark.SAME, "policy", name)
        return
    was = (before or (work.policy if post_id else ClaimPolicy())).stored()
    will = wanted.stored()
    fields = [field for field, value in will.items() if was[field] != value]
    policy_id = await set_policy(work.tx, shop_id=shop_id, post_id=post_id, policy=will, now=work.now)
    await work.audit(shop_id, "POLICY_SET", "policy", policy_id, post=post_id and str(post_id), fields=fields)
    work.note(Mark.CREATED if before is None else Mark.CHANGED, "policy", name, ", ".join(fields))
