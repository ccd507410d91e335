"""What guards the tables of second proofs, each guard broken on purpose."""

from __future__ import annotations

import asyncpg
import pytest

from domain import db as database
from domain.members import passkeys
from domain.members.passkeys import NewPasskey
from tests.build import NOW, a_member


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("passkey_member_id", "update passkey set member_id = gen_random_uuid()"),
        ("passkey_credential_id", "update passkey set credential_id = ''"),
        ("passkey_sign_count", "update passkey set sign_count = -1"),
        ("passkey_credential", "insert into passkey select gen_random_uuid(), member_id, name, credential_id, public_key, 0, created_at from passkey"),
    ],
)  # fmt: skip
async def test_every_guard_refuses_what_it_is_for(db: str, name: str, sql: str) -> None:
    member = await a_member()
    async with database.transaction() as tx:
        await passkeys.add(tx, member, NewPasskey(b"credential", b"key", 0), "phone", NOW)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
        await database.execute(sql)
    assert refused.value.constraint_name == name
