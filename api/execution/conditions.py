"""What `@skip` and `@include` leave of a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphql import BooleanValueNode, DirectiveNode, DocumentNode, OperationDefinitionNode, VariableNode

from api.execution.limits import nodes_of

CONDITIONS: Final = frozenset({"skip", "include"})
UNKNOWN: Final[Mapping[str, bool | None]] = {}
"""When nothing is known of the variables."""


def conditions_of(document: DocumentNode) -> tuple[str, ...]:
    """Names of the variables that decide what is selected: those in the `if` of a directive."""
    found = dict.fromkeys(
        argument.value.name.value
        for node in nodes_of(document)
        if isinstance(node, DirectiveNode)
        for argument in node.arguments or ()
        if argument.name.value == "if" and isinstance(argument.value, VariableNode)
    )
    return tuple(found)


def values_of(names: tuple[str, ...], operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> Mapping[str, bool | None]:
    """These variables as the app sent them, or as the operation has them by default; None for what is no boolean."""
    if not names:
        return UNKNOWN
    given = {
        definition.variable.name.value: definition.default_value.value
        for definition in operation.variable_definitions or ()
        if isinstance(definition.default_value, BooleanValueNode)
    } | dict(variables)
    return {name: value if isinstance(value := given.get(name), bool) else None for name in names}


def is_asked(node: Any, variables: Mapping[str, bool | None]) -> bool | None:
    """True when a selection is asked for, False when it is skipped, None when that is not known."""
    found: bool | None = True
    for directive in node.directives or ():
        if directive.name.value not in CONDITIONS:
            continue
        value = next((argument.value for argument in directive.arguments or () if argument.name.value == "if"), None)
        given = variables.get(value.name.value) if isinstance(value, VariableNode) else getattr(value, "value", None)
        if not isinstance(given, bool):
            found = None
        elif given is (directive.name.value == "skip"):
            return False
    return found
