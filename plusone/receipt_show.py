"""A proven receipt as a person reads it: what, when, why, and every change since."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Kinds of characters that a screen obeys instead of showing them."""
Doc = Mapping[str, Any]


def plain(value: object) -> str:
    """One line in which every character can be seen: `\\u202e` for one that cannot."""
    return "".join(c if unicodedata.category(c) not in HIDDEN else f"\\u{ord(c):04x}" for c in str(value))


def lines_of(document: Doc, kid: str) -> Iterator[tuple[str, str]]:
    """(style, line) by line; texts of buyers and shops are shown as they are, and never obeyed."""
    numbers = ", ".join(plain(order["number"]) for order in document["orders"])
    yield "bold", f"Receipt of order {numbers} at {plain(document['shop']['name'])}"
    yield "", f"  signed       {_at(document['issuedAt'])} with key {plain(kid)}"
    yield from _comment(document)
    yield from _why(document)
    for order in document["orders"]:
        yield from _order(order)
    if not document["complete"]:
        yield "yellow", "There are more entries than a receipt tells; these are the first ones."


def _comment(document: Doc) -> Iterator[tuple[str, str]]:
    comment = document["comment"]
    yield "bold", f"Comment {plain(comment['id'])} on {plain(comment['platform'])} {plain(comment['channel'])}"
    said = f"「{plain(comment['text'])}」" if "text" in comment else "not kept: its platform erased it"
    yield "", f"  read         {said}"
    yield "", f"  SHA-256      {plain(comment['textSha256'])}"
    yield "", f"  written      {_at(comment['writtenAt'])}, received {_at(comment['receivedAt'])}"
    if comment["removedAt"]:
        yield "", f"  removed      {_at(comment['removedAt'])}"
    for revision in comment["revisions"]:
        text = f" 「{plain(revision['text'])}」" if "text" in revision else ""
        yield "", f"  {_at(revision['at'])}  {plain(revision['kind'])}{text}"


def _why(document: Doc) -> Iterator[tuple[str, str]]:
    claim, policy = document["claim"], document["policy"]
    yield "bold", f"Decided {claim['outcome']}{_more(claim['reason'])}"
    for token in document["matched"]:
        meant = f" = {plain(token['value'])}" if token["value"] else ""
        yield "", f"  {token['kind']:<8}     {token['start']}-{token['end']} 「{plain(token['text'])}」{meant}"
    rule = "the default rule" if policy is None else f"the shop's rule, version {policy['version']} of {_at(policy['effectiveAt'])}"
    yield "", f"  read by      {rule}; reading rules {plain(document['rulesVersion'])}"
    if claim["waiting"]:
        yield "", f"  waiting      {claim['waiting']} on the waiting list"
    yield from (_change(each) for each in document["decisions"])


def _order(order: Doc) -> Iterator[tuple[str, str]]:
    yield "bold", f"Order {plain(order['number'])}: {order['state']}, {order['paymentState']}, {order['fulfilmentState']}"
    for line in order["lines"]:
        what = plain(f"{line['title']} {line['label']}".strip())
        yield "cyan", f"  {line['quantity']} x {what} at {line['currency']} {line['unitPrice']} = {line['currency']} {line['total']}"
        hold = line["hold"]
        until = f" until {_at(hold['until'])}" if hold["until"] else ""
        yield "", f"    held {hold['held']}{until}, committed {hold['committed']}, handed over {line['handedOver']}"
        yield from ((style, f"  {text}") for style, text in map(_change, line["changes"]))
    yield from (_change(each) for each in order["changes"])


def _change(change: Doc) -> tuple[str, str]:
    """One line for whatever happened: when, what, by whom, and what it says of itself."""
    told = [f"{name} {change[name]:+d}" for name in ("onHand", "held", "committed") if name in change]
    told += [plain(change[name]) for name in ("action", "intent", "outcome", "reason", "method") if name in change]
    if "amount" in change:
        told.append(f"{change['currency']} {change['amount']}")
    told += [f"{line['quantity']} x {plain(line['title'])} {plain(line['label'])}".strip() for line in change.get("lines", ())]
    if "comment" in change:
        told.append(f"comment {plain(change['comment'])}")
    return "", f"  {_at(change['at'])}  {plain(change['kind'])} by {plain(change['by'])}{_more(', '.join(told))}"


def _more(text: str | None) -> str:
    return f" ({plain(text)})" if text else ""


def _at(instant: str) -> str:
    """To the second, with its zone: 2026-11-21 08:00:00Z."""
    return f"{instant[:10]} {instant[11:19]}Z"
