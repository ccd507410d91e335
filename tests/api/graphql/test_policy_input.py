"""The input of a claim policy mirrors the policy: no field of it can be forgotten, and each value arrives."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
import strawberry
from graphql import GraphQLEnumType, GraphQLInputObjectType, get_named_type
from strawberry.utils.str_converters import to_camel_case

from api.graphql_app import schema
from api.schema.policy import ClaimPolicyInput, policy_from_input
from domain.posts.policy import (
    CancelUntil,
    ClaimPolicy,
    NearMiss,
    OnDelete,
    OnEdit,
    Proxy,
    PublicReply,
    Reading,
    Reminder,
    RepeatMode,
    Shortage,
)

BASE = ClaimPolicy(per_buyer_max=3, rate_limit_orders=4, fillers=("喔",))
OTHER: dict[str, tuple[Any, Any]] = {
    "reading": ("LENIENT", Reading.LENIENT),
    "trigger_symbols": (["#", "+"], ("#", "+")),
    "trigger_words": (["要"], ("要",)),
    "fillers": ([], ()),
    "on_near_miss": ("SILENT", NearMiss.SILENT),
    "repeat_mode": ("ONCE", RepeatMode.ONCE),
    "shortage": ("REJECT_COMMENT", Shortage.REJECT_COMMENT),
    "on_edit": ("FLAG", OnEdit.FLAG),
    "on_delete": ("RELEASE_IF_UNPAID", OnDelete.RELEASE_IF_UNPAID),
    "cancel_until": ("NEVER", CancelUntil.NEVER),
    "max_per_line": (7, 7),
    "per_buyer_max": (None, None),
    "per_buyer_window_hours": (48, 48),
    "rate_limit_orders": (None, None),
    "rate_limit_hours": (5, 5),
    "grace_seconds": (0, 0),
    "hold_minutes": (30, 30),
    "reminders": (["HALF"], frozenset({Reminder.HALF})),
    "ignore_authors": ([], frozenset()),
    "public_reply": ("EACH", PublicReply.EACH),
    "proxy": ("ALLOW", Proxy.ALLOW),
}
"""Field: what a request says, and what it becomes."""
NAMES = [f.name for f in fields(ClaimPolicy)]


@strawberry.type
class _Query:
    @strawberry.field
    def policy(self, given: ClaimPolicyInput) -> str:
        _Query.found = policy_from_input(BASE, given)
        return ""

    found: strawberry.Private[ClaimPolicy] = BASE


_schema = strawberry.Schema(query=_Query)


def heard(given: dict[str, Any]) -> ClaimPolicy:
    """The policy that a request with this input tells of."""
    answer = _schema.execute_sync("query Q($given: ClaimPolicyInput!) { policy(given: $given) }", {"given": given}, root_value=_Query())
    assert answer.errors is None
    return _Query.found


def test_every_field_of_the_policy_is_a_field_of_the_input_and_described() -> None:
    type_ = schema._schema.type_map["ClaimPolicyInput"]
    assert isinstance(type_, GraphQLInputObjectType)
    assert list(type_.fields) == [to_camel_case(name) for name in NAMES]
    for name, field in type_.fields.items():
        assert not str(field.type).endswith("!"), name
        assert field.description, name
        kind = get_named_type(field.type)
        if isinstance(kind, GraphQLEnumType):
            assert [value for value, each in kind.values.items() if not each.description] == [], name


def test_the_table_names_every_field_with_another_value() -> None:
    assert sorted(OTHER) == sorted(NAMES)
    assert [name for name in NAMES if getattr(BASE, name) == OTHER[name][1]] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_value_arrives_and_nothing_else_changes(name: str) -> None:
    said, meant = OTHER[name]
    assert heard({to_camel_case(name): said}) == replace(BASE, **{name: meant})


def test_all_at_once_and_none() -> None:
    assert heard({to_camel_case(name): said for name, (said, _) in OTHER.items()}) == ClaimPolicy(**{n: m for n, (_, m) in OTHER.items()})
    assert heard({}) == BASE


def test_null_is_no_value_where_the_policy_knows_none() -> None:
    assert heard(dict.fromkeys(map(to_camel_case, NAMES))) == replace(BASE, per_buyer_max=None, rate_limit_orders=None)


@pytest.mark.parametrize("given", [{"reading": "LOOSE"}, {"maxPerLine": "7"}, {"triggerSymbols": [None]}, {"colour": "red"}])
def test_a_value_of_another_kind_is_refused(given: dict[str, Any]) -> None:
    answer = _schema.execute_sync("query Q($given: ClaimPolicyInput!) { policy(given: $given) }", {"given": given}, root_value=_Query())
    assert answer.errors
