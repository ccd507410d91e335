"""Identifiers rise, and read back only as they were written."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.ids import new_id, public_id, read_public_id


def test_ids_of_one_process_rise_in_the_order_they_are_made() -> None:
    ids = [new_id() for _ in range(20_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert {(i.version, i.variant) for i in ids} == {(7, "specified in RFC 4122")}


def test_the_time_of_an_id_can_be_given() -> None:
    assert new_id(0).int >> 80 == 0
    assert new_id(1_795_248_000_000).int >> 80 == 1_795_248_000_000


@given(st.uuids())
def test_a_public_id_reads_back(value: UUID) -> None:
    assert read_public_id(public_id("order", value)) == ("order", value)


@given(st.text())
def test_anything_else_is_no_public_id(text: str) -> None:
    found = read_public_id(text)
    assert found is None or public_id(*found) == text
