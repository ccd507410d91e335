"""Who may ask about, answer, part or end what: names, questions, merges, files and deletions are their member's and nobody else's.

Staff of the shop where a name is get the same answer as a stranger: these are a person's things, never a shop's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.ids import new_id, public_id
from domain.members import claim_codes, deletion, merging
from domain.members.claim_codes import Spoken
from domain.members.merging import Asking
from domain.members.rules import CodeKind
from tests import build
from tests.api.graphql.conftest import People
from tests.api.graphql.matrix import (
    EVERYBODY,
    NOT_FOUND,
    SIGN_IN,
    YES,
    everybody_is_answered,
    person,
    said,
    takes_the_same_statements,
)
from tests.build import NOW
from tests.domain.members.test_names import a_session, an_identity
from tests.sql_recorder import recorded


@dataclass(slots=True)
class Theirs:
    """Public ids of what is the member's."""

    link: str
    buyer: str
    identity: str
    merge: str
    deletion: str


def nothing() -> Theirs:
    return Theirs(**{name: public_id(name, new_id()) for name in Theirs.__dataclass_fields__})


def act(query: str, argument: str, what: str) -> Callable[[Theirs], tuple[str, dict[str, Any]]]:
    return lambda t: (query, {"input": {argument: getattr(t, what)}})


def mutation(name: str, answer: str) -> str:
    title = name[0].upper() + name[1:]
    return f"mutation ($input: {title}Input!) {{ found: {name}(input: $input) {{ {answer} userErrors {{ code }} }} }}"


CONFIRM = mutation("identityLinkConfirm", "link { accepted }")
UNLINK = mutation("identityUnlink", "names { id }")
UNDO = mutation("membersMergeUndo", "merge { id }")
CANCEL = mutation("accountDeleteCancel", "deletion { id }")

ASK: dict[str, Callable[[Theirs], tuple[str, dict[str, Any]]]] = {
    "confirm": act(CONFIRM, "linkId", "link"),
    "unlink name": act(UNLINK, "id", "buyer"),
    "unlink identity": act(UNLINK, "id", "identity"),
    "undo": act(UNDO, "mergeId", "merge"),
    "cancel deletion": act(CANCEL, "deletionId", "deletion"),
}
TABLE = {what: tuple(YES if who == "member" else SIGN_IN if who is None else NOT_FOUND for who in EVERYBODY) for what in ASK}

LISTS = "{ me { identities { id } names { id } identityLinks { id } accountLinks { id } merges { id } deletion { id } } }"
FREE = {
    "start": (mutation("identityLinkStart", "code { expiresAt }"), {"input": {"way": "ACCOUNT_CODE"}}),
    "open": (mutation("identityLinkOpen", "url"), {"input": {"text": "x"}}),
    "export": (mutation("dataExportRequest", "export { id }"), {"input": {}}),
    "merge": (mutation("membersMerge", "merged"), {"input": {"code": "x"}}),
    "delete": (mutation("accountDeleteRequest", "deletion { id }"), {"input": {"understood": True}}),
}


async def one_of_each(people: People, jobs: Any, *, deleting: bool) -> Theirs:
    """A question, a linked name, two identities, a merge, and (instead of the merge's account being free) a deletion."""
    member, other = people.member, await build.a_member()
    identity = await an_identity(member, "google", "g1")
    await an_identity(member, "apple", "a1")
    asking = Asking(other, await a_session(other))
    account = await claim_codes.start(member_id=member, kind=CodeKind.MERGE, now=NOW)
    merge = await merging.merge(asking, account.text, NOW)
    code = await claim_codes.start(member_id=member, kind=CodeKind.NAME, now=NOW)
    async with database.transaction() as tx:
        await claim_codes.hear(tx, [Spoken("facebook", "somebody", "某人", (people.shop.id,), code.code)], NOW)
    key: UUID = new_id()
    if deleting:
        key = await deletion.request(member_id=member, now=NOW)
    tags = {"link": code.id, "buyer": people.buyer.id, "identity": identity, "merge": merge, "deletion": key}
    return Theirs(**{tag: public_id(tag, value) for tag, value in tags.items()})


async def all_of_it() -> dict[str, list[str]]:
    tables = ("buyer", "identity", "claim_code", "member_merge", "account_deletion", "data_export", "member_event", "order", "member")
    return {name: sorted(r["row"] for r in await database.fetch(f'select t::text as row from "{name}" t')) for name in tables}


@pytest.mark.parametrize("what", TABLE)
async def test_only_the_member_may_and_a_refusal_changes_nothing(people, services, signed_in, what) -> None:
    theirs = await one_of_each(people, services.jobs, deleting=what == "cancel deletion")
    before = await all_of_it()
    await everybody_is_answered(TABLE[what], people, signed_in, lambda: ASK[what](theirs), lambda: ASK[what](nothing()), but=YES)
    after = await all_of_it()
    assert {name: rows for name, rows in after.items() if rows != before[name] and name != "member"} == {}
    client = await signed_in(people.member)
    assert said((await client.ask(*ASK[what](theirs))).body) == YES


@pytest.mark.parametrize("what", TABLE)
async def test_a_denied_answer_takes_the_same_statements_as_a_missing_one(people, services, signed_in, what) -> None:
    theirs = await one_of_each(people, services.jobs, deleting=what == "cancel deletion")
    client = await signed_in(people.stranger)
    await takes_the_same_statements(client, lambda: ASK[what](theirs), lambda: ASK[what](nothing()))


async def test_lists_hold_ones_own_alone_and_take_one_statement_each(people, services, signed_in) -> None:
    theirs = await one_of_each(people, services.jobs, deleting=True)
    await database.execute(
        """insert into account_link
             (id, endpoint_id, provider, external_id, state, reply_token, link_token_encrypted, nonce_hash, member_id, tries, asked_at, sent_at, opened_at, done_at)
           values ($1, $2, 'line', 'U1', 'LINKED', '', '', 'x', $3, 1, $4, $4, $4, $4)""",
        new_id(), await build.an_endpoint(), people.member, NOW,
    )  # fmt: skip
    client = await signed_in(people.member)
    with recorded() as statements:
        me = (await client.get(LISTS))["me"]
    assert len(statements) == 6
    assert {name: len(value) for name, value in me.items() if name != "deletion"} == {
        "identities": 2,
        "names": 1,
        "identityLinks": 1,
        "accountLinks": 1,
        "merges": 1,
    }
    assert me["deletion"] == {"id": theirs.deletion}
    for who in EVERYBODY[1:-1]:
        client = await signed_in(await person(people, who))
        assert (await client.get(LISTS))["me"] == {
            "identities": [],
            "names": [],
            "identityLinks": [],
            "accountLinks": [],
            "merges": [],
            "deletion": None,
        }
    nobody = await signed_in(None)
    assert (await nobody.ask(LISTS)).codes == ["UNAUTHENTICATED"]


@pytest.mark.parametrize("what", FREE)
async def test_what_needs_no_object_needs_a_member(people, services, signed_in, what) -> None:
    nobody = await signed_in(None)
    assert said((await nobody.ask(*FREE[what])).body) == SIGN_IN
    client = await signed_in(people.stranger)
    assert said((await client.ask(*FREE[what])).body) == ("LINK_OVER" if what in ("merge", "open") else YES)
    owner = await signed_in(people.owner)
    assert said((await owner.ask(*FREE[what])).body) == {"merge": "LINK_OVER", "open": "LINK_OVER", "delete": "ONLY_OWNER"}.get(what, YES)


async def test_a_session_that_is_not_fresh_cannot_give_its_account_away(people, services, signed_in, clock) -> None:
    code = await claim_codes.start(member_id=people.member, kind=CodeKind.MERGE, now=clock.now())
    client = await signed_in(people.stranger)
    await database.execute(
        "update session set created_at = created_at - $1::interval where member_id = $2", timedelta(minutes=11), people.stranger
    )
    assert said((await client.ask(mutation("membersMerge", "merged"), {"input": {"code": code.text}})).body) == "SIGN_IN_AGAIN"
    staff = await signed_in(people.helper)
    assert said((await staff.ask(mutation("membersMerge", "merged"), {"input": {"code": code.text}})).body) == "STAFF_RIGHTS"


async def test_codes_handed_in_are_counted_and_too_many_are_not_looked_at(people, services, signed_in) -> None:
    code = await claim_codes.start(member_id=people.member, kind=CodeKind.MERGE, now=NOW)
    client = await signed_in(people.stranger)
    merge = mutation("membersMerge", "merged")
    aliases = " ".join(f'a{n}: membersMerge(input: {{code: "claim_{n:020d}"}}) {{ userErrors {{ code }} }}' for n in range(10))
    answer = await client.ask(f"mutation {{ {aliases} }}")
    assert {error["code"] for one in answer.data.values() for error in one["userErrors"]} == {"LINK_OVER"}
    assert (await client.ask(merge, {"input": {"code": code.text}})).codes == ["THROTTLED"]
    assert await database.fetchval("select count(*) from member_merge") == 0


GONE = {
    "deleted": "update member set deleted_at = $1 where id = $2",
    "absorbed": """insert into member_merge (id, keeper_id, absorbed_id, merged_at, undo_until, moved)
                   values (gen_random_uuid(), $3, $2, $1, $1, '{}')""",
}


@pytest.mark.parametrize("how", GONE)
async def test_an_account_that_is_gone_gets_no_code_and_the_word_of_sign_in(people, services, signed_in, how) -> None:
    """A session that was looked at a moment ago is not looked at again: the account may have gone meanwhile."""
    client = await signed_in(people.member)
    await database.execute(GONE[how], NOW, people.member, *([people.stranger] if "$3" in GONE[how] else []))
    before = await all_of_it()
    for way in ("CLAIM_CODE", "ACCOUNT_CODE"):
        query = "mutation ($input: IdentityLinkStartInput!) { identityLinkStart(input: $input) { code { text } userErrors { code retryable message } } }"
        (payload,) = (await client.ask(query, {"input": {"way": way}}, accept_language="en")).data.values()
        words = "This account is gone, or is part of another one; sign in again."
        assert payload == {"code": None, "userErrors": [{"code": "SIGN_IN_REFUSED", "retryable": False, "message": words}]}
    assert await all_of_it() == before
