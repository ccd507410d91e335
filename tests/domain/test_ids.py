"""Identifiers rise, and read back only as they were written."""

from __future__ import annotations

import os
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import id_of, ids_for, new_id, new_ids, public_id, read_public_id


def test_ids_of_one_process_rise_in_the_order_they_are_made() -> None:
    ids = [new_id() for _ in range(20_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert {(i.version, i.variant) for i in ids} == {(7, "specified in RFC 4122")}


def test_64_bits_of_an_id_are_random_however_it_is_made() -> None:
    """Each of them is set in about half of the ids: 20 standard deviations off would be no chance. The counter stands above them."""
    for ids in ([new_id() for _ in range(4_000)], new_ids(4_000), [new_id(1_795_248_000_000) for _ in range(4_000)]):
        for bit in (*range(62), 64, 65):
            assert abs(sum(i.int >> bit & 1 for i in ids) - 2_000) < 632, bit
        assert len({i.int & 0x3_3FFF_FFFF_FFFF_FFFF for i in ids}) == len(ids)
    places = [(i.int >> 80) << 10 | i.int >> 66 & 0x3FF for i in new_ids(4_000)]
    assert places == list(range(places[0], places[0] + 4_000))


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


def test_ids_made_at_once_rise_with_those_made_alone() -> None:
    ids = []
    for count in (0, 1, 7, 4_095, 4_096, 5_000, 3):
        ids += new_ids(count)
        ids.append(new_id())
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids) == 13_209
    assert {(i.version, i.variant) for i in ids} == {(7, "specified in RFC 4122")}


def test_a_batch_gets_as_many_ids_as_it_asks_for() -> None:
    made = ids_for(5)
    ids = [made() for _ in range(12)]
    assert ids == sorted(set(ids))
    assert ids_for(0)() > ids[-1]


def test_a_text_spells_the_same_id_again() -> None:
    text = str(new_id())
    assert id_of(text) is id_of(text)
    assert id_of(text) == UUID(text)
    with pytest.raises(ValueError, match="invalid UUID"):
        id_of("no id")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no other process to share with")
def test_a_forked_process_draws_random_bits_of_its_own() -> None:
    new_id()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"".join(new_id(0).bytes[8:] for _ in range(4)))
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 64)
    assert len(theirs) == 32
    assert theirs != b"".join(new_id(0).bytes[8:] for _ in range(4))
    os.close(reading)
    os.close(writing)
