"""The figures of sign-in and linking, as they were promised: other tests take them from the rules, and would follow a change in silence."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.auth.identity import jwks
from domain.members import keys, rules, standing
from domain.members.guesses import per_account, per_address

PROMISED = {
    "an access token": (rules.ACCESS_TOKEN_LIFE, timedelta(minutes=10)),
    "a nonce": (rules.NONCE_LIFE, timedelta(minutes=10)),
    "a lost answer": (rules.LOST_ANSWER_GRACE, timedelta(seconds=30)),
    "a session at rest": (rules.REFRESH_IDLE, timedelta(days=30)),
    "a session": (rules.REFRESH_LIFE, timedelta(days=180)),
    "a session of staff at rest": (rules.STAFF_REFRESH_IDLE, timedelta(hours=12)),
    "a session of staff": (rules.STAFF_REFRESH_LIFE, timedelta(days=7)),
    "a fresh sign-in": (rules.FRESH_ACT, timedelta(minutes=5)),
    "what is cached of a session": (standing.CACHE, timedelta(seconds=30)),
    "what is cached of our keys": (keys.CACHE, timedelta(seconds=30)),
    "between looks for an unknown key of a provider": (jwks.FORCED_EVERY, timedelta(seconds=30)),
    "a claim code": (rules.CODE_LIFE, timedelta(minutes=15)),
    "the hour of wrong codes": (rules.WRONG_CODES_WINDOW, timedelta(hours=1)),
    "wrong codes in it": (rules.WRONG_CODES, 5),
    "a merge can be undone": (rules.UNDO_MERGE, timedelta(days=7)),
    "an account waits for its deletion": (rules.DELETION_WAIT, timedelta(days=7)),
}


@pytest.mark.parametrize("what", PROMISED)
def test_a_figure_is_the_promised_one(what: str) -> None:
    found, promised = PROMISED[what]
    assert found == promised


def test_guesses_of_anything_are_ten_in_ten_minutes_and_a_hundred_an_hour() -> None:
    account, address = per_account("x", "y"), per_address("x", "y")
    assert (account.most, account.window) == (10, timedelta(minutes=10))
    assert (address.most, address.window) == (100, timedelta(hours=1))
