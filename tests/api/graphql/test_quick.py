"""The schema's types, made cheaply, are what strawberry would have made of them; `test_schema.py` holds the whole against schema.graphql."""

from __future__ import annotations

from typing import Annotated, Any, ForwardRef, get_type_hints

import pytest
import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.base import StrawberryContainer, StrawberryObjectDefinition

from api.graphql_app import schema
from api.schema import quick
from api.schema.order import OrderLine


def definitions() -> list[StrawberryObjectDefinition]:
    """Of all objects, interfaces and inputs of the schema."""
    found = [type_.extensions.get("strawberry-definition") for type_ in schema._schema.type_map.values()]
    return [one for one in found if isinstance(one, StrawberryObjectDefinition)]


def test_every_annotation_says_what_strawberry_reads_in_it() -> None:
    evaluated = {key: known for key, known in quick._known.items() if known[1] is not None}
    assert len(evaluated) > 400
    for (text, _), (found, namespace) in evaluated.items():
        assert quick._evaluate(ForwardRef(text), namespace) == found, text
    for (text, _), (found, namespace) in quick._known.items():
        if namespace is not None:
            continue
        if isinstance(found, NameError):
            with pytest.raises(NameError):
                quick._evaluate(ForwardRef(text), None)
        else:
            assert quick._evaluate(ForwardRef(text), None) == found, text


def test_every_annotation_means_what_strawberry_makes_of_it() -> None:
    assert len(quick._meant) > 400
    for (text, place), meant in quick._meant.items():
        found, namespace = quick._known[text, place]
        anew = quick._annotation_type(StrawberryAnnotation(text, namespace=namespace), found)
        assert _shape(anew) == _shape(meant), text
    assert {str, int, bool, OrderLine} <= quick._themselves
    for found in quick._themselves:
        assert quick._annotation_type(StrawberryAnnotation(found), found) is found


def _shape(meant: Any) -> Any:
    """Wrappers by what is in them, types made of generic ones by their names."""
    if isinstance(meant, StrawberryContainer):
        return type(meant), _shape(meant.of_type)
    definition = getattr(meant, "__strawberry_definition__", None)
    if isinstance(definition, StrawberryObjectDefinition) and definition.concrete_of is not None:
        return definition.name, definition.concrete_of, str(definition.type_var_map)
    return meant


def test_a_field_in_an_annotation_is_found_and_its_options_hold() -> None:
    @strawberry.type
    class Shelf:
        plain: int
        told: Annotated[int, strawberry.field(description="Pieces on it.", name="pieces")]

    fields = {field.python_name: field for field in Shelf.__strawberry_definition__.fields}  # type: ignore[attr-defined]
    assert (fields["told"].description, fields["told"].graphql_name, fields["told"].type) == ("Pieces on it.", "pieces", int)
    assert (fields["plain"].description, fields["plain"].type) == (None, int)


def test_inputs_are_made_and_compared_and_answers_are_rows() -> None:
    found = definitions()
    assert {one.is_input for one in found} == {True, False}
    for one in found:
        assert ("__init__" in vars(one.origin)) == one.is_input, one.name
        assert ("__eq__" in vars(one.origin)) == one.is_input, one.name


def test_an_answer_type_has_its_fields_and_words() -> None:
    assert {"title", "quantity", "unit_price"} <= {field.name for field in quick.dataclasses.fields(OrderLine)}
    with pytest.raises(TypeError):
        OrderLine(title="a")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("str", str),
        ("int | None", int | None),
        ("list[str] | None", list[str] | None),
        ("dict[str, list[int]]", dict[str, list[int]]),
        ("Annotated[str, 5]", Annotated[str, 5]),
    ],
)
def test_annotations_of_a_module(text: str, says: Any) -> None:
    space: dict[str, Any] = {"Annotated": Annotated}
    assert quick.evaluate(ForwardRef(text), space) == says == quick._evaluate(ForwardRef(text), space)


def test_what_is_not_there_yet_is_looked_for_again() -> None:
    space: dict[str, Any] = {}
    with pytest.raises(NameError):
        quick.evaluate(ForwardRef("Later"), space)
    space["Later"] = int
    assert quick.evaluate(ForwardRef("Later"), space) is int


def test_a_name_of_another_module_is_another_name() -> None:
    assert quick.evaluate(ForwardRef("Thing"), {"Thing": int}) is int
    assert quick.evaluate(ForwardRef("Thing"), {"Thing": str}) is str


def test_without_a_module_only_builtins_are_known() -> None:
    for _ in range(2):
        assert quick.evaluate(ForwardRef("list[int]")) == list[int]
        with pytest.raises(NameError):
            quick.evaluate(ForwardRef("OrderLine"))


def test_an_input_within_a_type_being_made_stays_an_input() -> None:
    @strawberry.type
    class Outer:
        number: int

        @strawberry.input
        class Inner:
            number: int

        other: int

    assert Outer.Inner(number=1) == Outer.Inner(number=1)
    assert get_type_hints(Outer) == {"number": int, "other": int}
    assert "__init__" not in vars(Outer)
