"""What guards the tables of second proofs, each guard broken on purpose."""

from __future__ import annotations

import asyncpg
import pytest

from domain import db as database
from domain.members import authenticators, passkeys
from domain.members.passkeys import NewPasskey
from domain.vault import Vault
from tests.build import NOW, a_member


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("passkey_member_id", "update passkey set member_id = gen_random_uuid()"),
        ("passkey_credential_id", "update passkey set credential_id = ''"),
        ("passkey_sign_count", "update passkey set sign_count = -1"),
        ("authenticator_member_id", "update authenticator set member_id = gen_random_uuid()"),
        ("authenticator_last_step", "update authenticator set last_step = -1"),
        ("authenticator_member_id_key", "insert into authenticator select gen_random_uuid(), member_id, '', created_at, null, 0 from authenticator"),
        ("recovery_code_member_id", "insert into recovery_code values (gen_random_uuid(), gen_random_uuid(), 'h', now())"),
        ("passkey_credential", "insert into passkey select gen_random_uuid(), member_id, name, credential_id, public_key, 0, created_at from passkey"),
    ],
)  # fmt: skip
async def test_every_guard_refuses_what_it_is_for(db: str, name: str, sql: str) -> None:
    member = await a_member()
    async with database.transaction() as tx:
        await passkeys.add(tx, member, NewPasskey(b"credential", b"key", 0), "phone", NOW)
    await authenticators.begin(member_id=member, shown_as="", vault=Vault("a root secret that is used by tests only, 48 chars"), now=NOW)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
        await database.execute(sql)
    assert refused.value.constraint_name == name
