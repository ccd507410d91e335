"""Whatever the schema, the rows and the operation: by plans or by graphql-core, the answer is the same."""

from __future__ import annotations

import gc
from collections import Counter
from random import Random

import pytest
from graphql import parse, validate
from hypothesis import given, settings
from hypothesis import strategies as st

from api.execution.rows import PlainRows
from tests.api.execution.schemas import KeyedRows, document_of, row_of, schema_of
from tests.api.execution.side_by_side import both

MANY = settings(max_examples=120, deadline=None)
SEEDS = st.integers(0, 2**32)
SIZES = st.integers(1, 4)
TIMES = st.sampled_from([None, 0, 1, 3, 4])
seen: Counter[str] = Counter()


# graphql-core leaves coroutines behind where an error nulls what others are still working on; so it does without plans.
@pytest.mark.filterwarnings("ignore:coroutine 'Executor:RuntimeWarning")
@pytest.mark.parametrize("keyed", [False, True], ids=["default resolver", "keys and askers"])
@pytest.mark.parametrize("odd", [0, 40, 6], ids=["fitting", "some odd", "many odd"])
def test_plans_answer_what_graphql_core_answers(keyed: bool, odd: int) -> None:
    seen.clear()

    @MANY
    @given(SEEDS, SIZES, st.booleans(), TIMES)
    def holds(seed: int, size: int, flag: bool, times: int | None) -> None:
        chance = Random(seed)
        schema = schema_of(chance, size, keyed=keyed)
        document = parse(document_of(chance, schema))
        root = row_of(chance, schema.type_map["O0"], schema, 5, odd, keyed=keyed)
        ran = both(schema, document, root, {"b": flag, "times": times}, reading=KeyedRows() if keyed else PlainRows())
        seen.update(by_plan=ran.by_plan, missed=ran.missed, errors=len(ran.errors or ()))

    holds()
    gc.collect()
    assert seen["by_plan"] > 40, "the property is about plans: most documents must have had some"
    assert odd == 0 or (seen["missed"] > 20 and seen["errors"] > 20), "and about falling back"


@settings(max_examples=100, deadline=None)
@given(SEEDS, SIZES)
def test_the_documents_are_valid(seed: int, size: int) -> None:
    """Validation is what lets the generator stand for what the endpoint runs; unused fragments and variables aside."""
    chance = Random(seed)
    schema = schema_of(chance, size, keyed=True)
    errors = validate(schema, parse(document_of(chance, schema)))
    assert not [error.message for error in errors if "never used" not in error.message]
