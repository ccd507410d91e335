"""Claim codes: `claim_` and 8 characters that a member writes under a post or to a shop's bot, to show which name is theirs.

A code is random (40 bits, Crockford's base32), lives 15 minutes, is used once and kept as a hash. Whoever writes it first is shown to the
member, who says yes or no: a code in public can be copied, so writing it alone links nothing. Wrong, old, used and foreign codes all end in
silence, and each name may be wrong 5 times an hour.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor
from domain.db import Tx, jsonb
from domain.ids import new_id
from domain.members.errors import SignInRefused
from domain.members.guesses import Limit, count, per_account
from domain.members.people import lock_account, note
from domain.members.rules import CODE_LIFE, WRONG_CODES, WRONG_CODES_WINDOW, CodeKind

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: without I, L, O and U."""
LENGTHS: Final = {CodeKind.NAME: 8, CodeKind.MERGE: 20}
SHOWN: Final = "claim_"
ASKING: Final = frozenset({"連結帳號", "连结账号", "綁定帳號", "绑定账号", "link account"})
"""Who writes nothing but one of these to an account asks for the way to their member account."""
_WRITTEN: Final = re.compile(r"(?:claim_|認領碼[\s:_]?)\s?([0-9a-z]{1,24}(?:-[0-9a-z]{1,24})*)", re.IGNORECASE)
_MISREAD: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None})
_UNSEEN: Final = re.compile("[\u200b-\u200f\u2060\ufeff\u202a-\u202e]")


@dataclass(frozen=True, slots=True)
class NewCode:
    """A code for the app to show; it is nowhere else."""

    id: UUID
    code: str = field(repr=False)
    expires_at: datetime

    @property
    def text(self) -> str:
        """What the buyer writes: `claim_7K3QX9AB`."""
        return SHOWN + self.code


@dataclass(frozen=True, slots=True)
class Spoken:
    """A text with a claim code, by somebody whom the platform names."""

    provider: str
    external_id: str
    name: str = field(repr=False)
    shops: tuple[UUID, ...]
    """Where the name would become the member's."""
    code: str = field(repr=False)


def code_in(text: str) -> str | None:
    """The code that a text holds, spelt as we spell it; None for a text without one. What looks like a code is one, right or wrong."""
    if "_" not in text and "＿" not in text and "認領" not in text:
        return None
    found = _WRITTEN.search(_UNSEEN.sub("", unicodedata.normalize("NFKC", text)))
    return None if found is None else read_code(found[1])


def asks_for_link(text: str) -> bool:
    """Whether a message to an account is nothing but the question for the way to the member account."""
    return text.strip().lower() in ASKING


def read_code(text: str) -> str:
    """A code as a person may have typed it, spelt as we spell it."""
    return unicodedata.normalize("NFKC", text).strip().upper().translate(_MISREAD)


def hash_of(code: str) -> str:
    """What the table keeps."""
    return hashlib.sha256(f"claim-code:{code}".encode()).hexdigest()


async def start(*, member_id: UUID, kind: CodeKind, now: datetime, request_id: str = "") -> NewCode:
    """A fresh code; the member's earlier ones of this kind that nobody has written are void.

    Raises:
        TooManyGuesses: more than 10 codes in 10 minutes.
        SignInRefused: the member was deleted, or is part of another account.
    """
    await count([per_account("claim-code", str(member_id))], now)
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTHS[kind]))
    made = NewCode(new_id(), code, now + CODE_LIFE)
    async with db.transaction() as tx:
        if not await lock_account(tx, member_id):
            raise SignInRefused
        await tx.execute("delete from claim_code where member_id = $1 and kind = $2 and seen_at is null", member_id, kind.value)
        await tx.execute(
            """insert into claim_code (id, kind, member_id, hash, created_at, expires_at, provider, external_id, name, shops, accepted)
               values ($1, $2, $3, $4, $5, $6, '', '', '', '[]', false)""",
            made.id, kind.value, member_id, hash_of(code), now, made.expires_at,
        )  # fmt: skip
        await note(tx, [member_id], f"{kind.value}_CODE_MADE", actor=Actor(f"member:{member_id}", request_id=request_id), now=now)
    return made


async def hear(tx: Tx, spoken: Sequence[Spoken], now: datetime) -> int:
    """Somebody wrote these codes; answers how many were good. Who was wrong too often is not listened to, and nobody is told anything.

    A name that has a member, or whose person can sign in, is never asked about: neither uses a code up.
    """
    good = 0
    for each in sorted(spoken, key=lambda s: (s.provider, s.external_id)):
        if await _may_guess(tx, each, now) and await _recognise(tx, each, now):
            await tx.execute("update guess_count set guesses = guesses - 1 where scope = $1", _limit(each).scope)
            good += 1
    return good


async def _recognise(tx: Tx, spoken: Spoken, now: datetime) -> bool:
    done = await tx.execute(
        """update claim_code c set seen_at = $2, provider = $3, external_id = $4, name = $5, shops = $6::jsonb
           where c.hash = $1 and c.kind = 'NAME' and c.seen_at is null and c.expires_at > $2
             and not exists (select from identity i where i.provider = $3 and i.subject = $4)
             and not exists (select from buyer b where b.provider = $3 and b.external_id = $4 and b.shop_id = any($7::uuid[]) and b.member_id is not null)
             and not exists (select from buyer b where b.provider = $3 and b.inbox_id = $4 and b.shop_id = any($7::uuid[]) and b.member_id is not null)""",
        hash_of(spoken.code),
        now,
        spoken.provider,
        spoken.external_id,
        spoken.name[:120],
        jsonb([str(shop) for shop in spoken.shops]),
        list(spoken.shops),
    )
    return done > 0


def _limit(spoken: Spoken) -> Limit:
    scope = hashlib.sha256(f"{spoken.provider}:{spoken.external_id}".encode()).hexdigest()
    return Limit(f"spoken-code:{scope}", WRONG_CODES, WRONG_CODES_WINDOW)


async def _may_guess(tx: Tx, spoken: Spoken, now: datetime) -> bool:
    """Count a guess in the delivery's own transaction: what is taken up again is counted again, and only once in the end."""
    limit = _limit(spoken)
    guesses = await tx.fetchval(
        """insert into guess_count as g (scope, window_started_at, guesses) values ($1, $2, 1)
           on conflict (scope) do update set
             guesses = case when g.window_started_at <= $3 then 1 else g.guesses + 1 end,
             window_started_at = case when g.window_started_at <= $3 then $2 else g.window_started_at end
           returning guesses""",
        limit.scope,
        now,
        now - limit.window,
    )
    return bool(guesses <= limit.most)


async def forget_codes(before: datetime) -> int:
    """Delete codes made before an instant; answers how many."""
    return await db.execute("delete from claim_code where created_at < $1", before)
