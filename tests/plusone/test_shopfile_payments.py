"""`[payments]` of a shop file: the contract is made, followed and never shown; what cannot be is told before anything is done."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import Any

import pytest

from domain import db as database
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.clock import FixedClock
from domain.payments.accounts import account_by_slug
from domain.settings import load
from plusone.shopfile import read
from plusone.shopfile_apply import apply
from plusone.shopfile_checks import secrets_for
from plusone.shopfile_parts import FileRefused
from tests.plusone.shopfile_help import EXAMPLE
from tests.serving import SECRET_KEY

KEYS = {"ECPAY_HASH_KEY": "pwFHCqoQZGmho4w6", "ECPAY_HASH_IV": "EkRm7iFT261dpevs"}
PAYMENTS = {"merchant_id": "3002607", "hash_key_env": "ECPAY_HASH_KEY", "hash_iv_env": "ECPAY_HASH_IV", "site": "stage"}


@pytest.fixture
def services(db: str, clock: FixedClock) -> Services:
    return services_for(load(secret_key=SECRET_KEY, environment="development"), clock=clock)


def written(**changes: Any) -> dict[str, Any]:
    """The example's shop with a contract."""
    found = tomllib.loads(Path(EXAMPLE).read_text())
    return {"shop": found["shop"], "staff": found["staff"], "payments": PAYMENTS | changes}


async def applied(services: Services, found: dict[str, Any], environment: dict[str, str] = KEYS) -> list[tuple[str, str]]:
    file = read(copy.deepcopy(found))
    rows = await apply(file, secrets_for(file, environment), services)
    return [(row.mark.value, row.name) for row in rows if row.what == "payments"]


async def test_a_contract_is_made_followed_and_left(services) -> None:
    assert await applied(services, written()) == [("created", "3002607")]
    assert await applied(services, written()) == [("same", "3002607")]
    assert await applied(services, written(), KEYS | {"ECPAY_HASH_IV": "A" * 16}) == [("changed", "3002607")]
    assert await applied(services, written(merchant_id="1234567")) == [("created", "1234567")]
    without = {name: part for name, part in written().items() if name != "payments"}
    assert await applied(services, without) == [("left", "1234567")]
    rows = await database.fetch(
        "select merchant_id, slug, ended_at is null as stands from payment_account order by created_at, ended_at nulls last"
    )
    assert sorted((row["merchant_id"], row["stands"]) for row in rows) == [("1234567", True), ("3002607", False)]
    standing = next(row["slug"] for row in rows if row["stands"])
    account = await account_by_slug(standing, services.vault)
    assert account is not None
    assert (account.keys.hash_key, account.keys.hash_iv) == (KEYS["ECPAY_HASH_KEY"], KEYS["ECPAY_HASH_IV"])
    audited = await database.fetch("select action, detail from audit_entry where object_type = 'payment_account' order by id")
    assert [row["action"] for row in audited] == ["payment_account.set", "payment_account.keys", "payment_account.set"]
    assert not any(secret in str(row["detail"]) for row in audited for secret in KEYS.values())


@pytest.mark.parametrize(
    ("change", "environment", "path"),
    [
        ({"merchant_id": "12a"}, KEYS, "payments.merchant_id"),
        ({"site": "live"}, KEYS, "payments.merchant_id"),
        ({"site": "test"}, KEYS, "payments.site"),
        ({"hash_key": "pwFHCqoQZGmho4w6"}, KEYS, "payments.hash_key"),
        ({"hash_key_env": "pwFHCqoQZGmho4w6"}, KEYS, "payments.hash_key_env"),
        ({}, {}, "payments.hash_key_env"),
        ({}, KEYS | {"ECPAY_HASH_IV": "with blanks here"}, "payments.hash_iv_env"),
    ],
)
async def test_what_cannot_be_is_told_and_nothing_is_done(services, change, environment, path: str) -> None:
    with pytest.raises(FileRefused) as refused:
        await applied(services, written(**change), environment)
    assert path in [problem.path for problem in refused.value.problems]
    assert "pwFHCqoQZGmho4w6" not in str(refused.value)
    assert await database.fetchval("select count(*) from shop") == 0


async def test_the_providers_test_site_serves_development_alone(db: str, clock: FixedClock) -> None:
    production = services_for(load(secret_key=SECRET_KEY, environment="production"), clock=clock)
    with pytest.raises(FileRefused) as refused:
        await applied(production, written())
    assert [problem.path for problem in refused.value.problems] == ["payments.site"]
    assert await database.fetchval("select count(*) from payment_account") == 0


def test_a_shop_of_another_currency_has_no_such_contract() -> None:
    found = written()
    found["shop"] |= {"currency": "HKD"}
    with pytest.raises(FileRefused) as refused:
        read(found)
    assert [problem.path for problem in refused.value.problems] == ["payments"]
