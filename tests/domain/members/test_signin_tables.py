"""What guards the tables of sign-in, each guard broken on purpose."""

from __future__ import annotations

import asyncpg
import pytest

from domain import db as database
from domain.ids import new_id
from domain.members import grants
from domain.members.alerts import raise_alert
from domain.members.ports import KeptGrant, ProvenIdentity
from domain.members.rules import AlertKind
from domain.vault import Vault
from tests.build import NOW, a_member


async def a_row_of_each() -> None:
    member = await a_member()
    async with database.transaction() as tx:
        await raise_alert(tx, AlertKind.REUSED, member_id=member, session_id=new_id(), installation_id="i", now=NOW)
    vault = Vault("a root secret that is used by tests only, 48 chars")
    await grants.keep(member, ProvenIdentity("apple", "a1"), KeptGrant("app", "token"), vault, NOW)


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("sign_in_alert_member_id", "update sign_in_alert set member_id = gen_random_uuid()"),
        ("sign_in_alert_tries", "update sign_in_alert set tries = -1"),
        ("provider_grant_member_id", "update provider_grant set member_id = gen_random_uuid()"),
    ],
)
async def test_every_guard_refuses_what_it_is_for(db: str, name: str, sql: str) -> None:
    await a_row_of_each()
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
        await database.execute(sql)
    assert refused.value.constraint_name == name
