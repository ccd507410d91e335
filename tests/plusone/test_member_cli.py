"""`plusone member forget-proofs`: what it removes, what it says, whom it leaves alone."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pyotp
import pytest

from domain import db as database
from domain.errors import NotFound
from domain.ids import new_id, public_id
from domain.members import authenticators, freshness, passkeys, proofs, sessions
from domain.members.passkeys import NewPasskey
from domain.vault import Vault
from plusone.member_work import OPERATOR
from tests import build
from tests.conftest import NOW
from tests.serving import SECRET_KEY, environment, plusone

VAULT = Vault(SECRET_KEY)
Run = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]


@pytest.fixture
async def run(db: str, tmp_path: Path) -> Run:
    """Runs `plusone member forget-proofs …` on this database."""

    async def go(*arguments: str, fresh: bool = False) -> subprocess.CompletedProcess[str]:
        env = environment(PLUSONE_SECRET_KEY=SECRET_KEY, DATABASE_URL=db, PLUSONE_LOG_LEVEL="WARNING", PYTHONUTF8="1", COLUMNS="160")
        done = await asyncio.to_thread(plusone, "member", "forget-proofs", *arguments, cwd=tmp_path, env=env, fresh=fresh)
        assert "Traceback" not in done.stderr
        return done

    return go


async def a_member_with_proofs(keys: int = 2) -> tuple[UUID, UUID]:
    """Member and session: so many passkeys, an authenticator, ten recovery codes of which one is used."""
    now, member = datetime.now(UTC), await build.a_member(display_name="小美")
    app = pyotp.TOTP((await authenticators.begin(member_id=member, shown_as="小美", vault=VAULT, now=now)).text)
    async with database.transaction() as tx:
        codes = await authenticators.keep(tx, member, app.at(now), VAULT, now)
        await authenticators.use(tx, member, codes[0], VAULT, now)
        for n in range(keys):
            await passkeys.add(tx, member, NewPasskey(new_id().bytes, b"key", 0), f"phone {n}", now)
        grant = await sessions.start(tx, member, f"phone-{member}", now)
    return member, grant.session_id


async def kept(member: UUID) -> tuple[int, ...]:
    """Rows of the member: passkeys, authenticators, recovery codes, sessions that run; then `ver`."""
    row = await database.fetchrow(
        """select (select count(*) from passkey where member_id = $1), (select count(*) from authenticator where member_id = $1),
             (select count(*) from recovery_code where member_id = $1), (select count(*) from session where member_id = $1 and ended_at is null),
             (select ver from member where id = $1)""",
        member,
    )
    assert row is not None
    return tuple(row.values())


async def book(member: UUID) -> list[tuple[str, str]]:
    rows = await database.fetch("select actor, action from member_event where member_id = $1 and actor = 'operator' order by id", member)
    return [tuple(row.values()) for row in rows]


async def test_everything_goes_in_one_act_and_is_told(run: Run) -> None:
    member, session = await a_member_with_proofs()
    other, _ = await a_member_with_proofs(keys=1)
    assert await kept(member) == (2, 1, 10, 1, 1)
    done = await run(public_id("member", member), "--yes", fresh=True)
    assert done.returncode == 0, done.stderr
    assert f"{public_id('member', member)} has 2 passkeys, 1 authenticator app, 10 recovery codes. They are removed" in done.stdout
    assert "Removed: 2 passkeys, 1 authenticator app, 10 recovery codes." in done.stdout
    assert "小美" not in done.stdout + done.stderr
    assert await kept(member) == (0, 0, 0, 0, 2)
    assert await database.fetchval("select ended_reason from session where id = $1", session) == "SIGN_OUT_EVERYWHERE"
    assert await book(member) == [("operator", "PROOFS_FORGOTTEN")]
    detail = await database.fetchval("select detail from member_event where action = 'PROOFS_FORGOTTEN'")
    assert json.loads(detail) == {"passkeys": 2, "authenticators": 1, "recovery_codes": 10}
    assert (await kept(other), await book(other)) == ((1, 1, 10, 1, 1), [])


async def test_the_next_sign_in_needs_no_second_proof(run: Run) -> None:
    member, _ = await a_member_with_proofs()
    assert (await run(str(member), "--yes")).returncode == 0
    now = datetime.now(UTC)
    async with database.transaction() as tx:
        grant = await sessions.start(tx, member, "phone-2", now)
    await freshness.require(grant.session_id, member, now)


async def test_whoever_has_none_is_left_signed_in(run: Run) -> None:
    member, _ = await a_member_with_proofs()
    assert (await run(str(member), "--yes")).returncode == 0
    async with database.transaction() as tx:
        await sessions.start(tx, member, "phone-2", datetime.now(UTC))
    again = await run(str(member), "--yes")
    assert (again.returncode, "has no second proof. Nothing was changed." in again.stdout) == (0, True)
    assert (await kept(member), len(await book(member))) == ((0, 0, 0, 1, 2), 1)


async def test_nothing_is_removed_without_a_yes_or_for_somebody_unknown(run: Run) -> None:
    member, _ = await a_member_with_proofs()
    gone, _ = await a_member_with_proofs()
    await database.execute("update member set deleted_at = now() where id = $1", gone)
    before = await kept(member), await kept(gone)
    unsaid = await run(str(member))
    assert (unsaid.returncode, "2 passkeys" in unsaid.stdout, "Removed" in unsaid.stdout) == (1, True, False)
    for wrong in (str(new_id()), public_id("member", new_id()), public_id("shop", member), "小美", str(gone)):
        refused = await run(wrong, "--yes")
        assert (refused.returncode, "no such member" in refused.stderr) == (1, True), wrong
    assert (await kept(member), await kept(gone)) == before
    assert (await book(member), await book(gone)) == ([], [])


async def test_the_proofs_of_an_account_that_became_part_of_another_rest(db: str) -> None:
    keeper, absorbed = await build.a_member(), (await a_member_with_proofs())[0]
    await database.execute(
        """insert into member_merge (id, keeper_id, absorbed_id, merged_at, undo_until, moved)
           values ($1, $2, $3, $4, $4::timestamptz + interval '7 days', '{}')""",
        new_id(),
        keeper,
        absorbed,
        NOW,
    )
    with pytest.raises(NotFound):
        await proofs.forget(member_id=absorbed, actor=OPERATOR, now=NOW)
    assert await kept(absorbed) == (2, 1, 10, 1, 1)
    assert not await proofs.forget(member_id=keeper, actor=OPERATOR, now=NOW)
