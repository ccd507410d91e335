"""Cursors: a position out and in again, and nothing else in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.paging import cursor
from domain.vault import Vault

VAULT = Vault("one root secret of thirty-two characters")
instants = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))


@given(at=instants, key=st.uuids(), scope=st.text(max_size=40))
def test_a_position_comes_back_exactly(at: datetime, key: UUID, scope: str) -> None:
    text = cursor.write(VAULT, scope, (at, key))
    assert (len(text), text.isascii()) == (52, True)
    assert cursor.read(VAULT, scope, text) == (at, key)


@given(at=instants, key=st.uuids(), scope=st.text(max_size=10), other=st.text(max_size=10))
def test_a_cursor_of_another_scope_or_root_does_not_open(at: datetime, key: UUID, scope: str, other: str) -> None:
    text = cursor.write(VAULT, scope, (at, key))
    if other != scope:
        with pytest.raises(cursor.BadCursor):
            cursor.read(VAULT, other, text)
    with pytest.raises(cursor.BadCursor):
        cursor.read(Vault("another root secret, of 32 characters"), scope, text)


@given(text=st.text(max_size=80) | st.text(alphabet="ABCabc019-_=", min_size=52, max_size=52))
def test_any_other_text_is_refused_and_never_crashes(text: str) -> None:
    with pytest.raises(cursor.BadCursor):
        cursor.read(VAULT, "list", text)


def test_positions_are_exact_to_the_microsecond() -> None:
    at = datetime(2026, 11, 21, 8, 0, 0, 123457, tzinfo=UTC)
    texts = {cursor.write(VAULT, "", (at + timedelta(microseconds=n), UUID(int=1))) for n in range(3)}
    assert len(texts) == 3
