"""An order without a comment: what a buyer taps in the app is decided as a comment written at that instant would be.

It becomes a comment without words in the shop's channel of the app, with its claim; the same code decides it under the same locks (buyer,
orders, levels, post), so that it stacks on the same order, stands in the same queue, and meets the same limits.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor
from domain.claims import loading, planning
from domain.claims.desk import Claim, Comment, Desk, Reading, Turn
from domain.claims.errors import BuyerRestricted, CannotOrder, NotOnPost, OverLimit, TooFew
from domain.claims.offering import most_of
from domain.claims.ports import EventKind, SocialEvent
from domain.claims.recognition import Intent, Line, Op, Result
from domain.claims.rules import ClaimOutcome, ReviewState
from domain.claims.suggestions import DONE, LIMITS, LOCK_POST, SHUT
from domain.claims.writing import write_comments, write_desk
from domain.db import Tx
from domain.errors import NotFound
from domain.ids import new_id
from domain.jobs import JobQueue
from domain.members.people import lock_account
from domain.posts.rules import DeliveryMethod
from domain.shops.rules import SourcePlatform

APP: Final = "app"
"""Source and slug of the endpoint below which every shop has its channel of the app; no webhook comes by it."""
MEMBER: Final = "member"
"""Provider of a name that a member has at a shop only by the app."""
IDS: Final = 4


async def create(*, post_id: UUID, variant_id: UUID, quantity: int, member_id: UUID, now: datetime, jobs: JobQueue) -> UUID:
    """Order pieces of a variant under a post for a member, by the post's policy; answers the claim.

    What is short is held in part, waits or is refused as the policy says of comments.

    Raises:
        NotFound: no such post, or the member's account is gone.
        NotOnPost: the post does not offer the variant, not now, or is not open.
        BuyerRestricted: the shop takes no orders from this member: restricted, or staff where those do not order.
        OverLimit: more than the policy lets this buyer have, or order in so short a time.
        TooFew: not enough free pieces, where the policy keeps no waiting list.
        CannotOrder: the policy lets later wishes replace earlier ones, and what stands is paid.
    """
    async with db.transaction() as tx:
        shop_id = await tx.fetchval("select shop_id from sales_post where id = $1 and state <> 'DRAFT'", post_id)
        if shop_id is None:
            raise NotFound
        desk = loading.desk_of(await loading.shop_facts(tx, shop_id), now, ids=IDS)
        desk.earliest = now
        channel_id = await _channel(tx, shop_id, now)
        desk.readings = await loading.readings_of(tx, [post_id])
        reading = desk.readings[post_id]
        buyer_id = await _buyer(tx, desk, member_id, reading.facts.delivery_method)
        if variant_id in reading.variants:
            await loading.fill_desk(tx, desk, [buyer_id], {variant_id})
        # Locked after the levels, as everybody does who changes both; what the post says now holds until we are done.
        await tx.execute(LOCK_POST, post_id)
        desk.readings = await loading.readings_of(tx, [post_id])
        line = _line(desk.readings[post_id], variant_id, quantity)
        turn = _turn(desk, desk.readings[post_id], channel_id, buyer_id)
        claim = decide(desk, turn, line)
        comment = turn.comment
        revision = (comment.id, EventKind.ADD, comment.text, None, now, now)
        await write_comments(tx, shop_id, channel_id, [comment], [revision])
        await write_desk(tx, desk, actor=Actor(f"member:{member_id}", "buyer"), jobs=jobs)
        return claim.id


async def _channel(tx: Tx, shop_id: UUID, now: datetime) -> UUID:
    """The shop's channel of the app, made when it is first needed; two who need it at once wait for each other by its key."""
    find = """select c.id from channel c join webhook_endpoint e on e.id = c.endpoint_id
              where e.source = $1 and e.slug = $1 and c.external_id = $2"""
    found: UUID | None = await tx.fetchval(find, APP, str(shop_id))
    if found is None:
        await tx.execute(
            """insert into webhook_endpoint (id, source, slug, secret_encrypted, verify_token_encrypted, destination, created_at)
               values ($1, $2, $2, '', '', '', $3) on conflict (source, slug) do nothing""",
            new_id(),
            APP,
            now,
        )
        await tx.execute(
            """insert into channel (id, shop_id, endpoint_id, platform, external_id, name, created_at)
               select $1, $2, e.id, $3, $4, '', $5 from webhook_endpoint e where e.source = $6 and e.slug = $6
               on conflict (endpoint_id, external_id) do nothing""",
            new_id(),
            shop_id,
            SourcePlatform.APP.value,
            str(shop_id),
            now,
            APP,
        )
        found = await tx.fetchval(find, APP, str(shop_id))
    assert found is not None
    return found


async def _buyer(tx: Tx, desk: Desk, member_id: UUID, method: DeliveryMethod) -> UUID:
    """The name by which the member orders here: one whose open order it would stack on, else the oldest, else a new one. Locked.

    All of the member's names at the shop are looked at for a restriction: another name is no way around it.

    Raises:
        NotFound: the account is gone.
    """
    names = await _names(tx, desk, member_id)
    if not names:
        # The account before its names, as everybody does who changes both.
        if not await lock_account(tx, member_id):
            raise NotFound
        await tx.execute(
            """insert into buyer (id, shop_id, provider, external_id, name, member_id, created_at)
               select $1, $2, $3, m.id::text, left(m.display_name, 120), m.id, $4 from member m where m.id = $5
               on conflict (shop_id, provider, external_id) do nothing""",
            new_id(), desk.shop.id, MEMBER, desk.now, member_id,
        )  # fmt: skip
        names = await _names(tx, desk, member_id)
    if not names:
        raise NotFound
    until = [desk.restricted[name] for name in names if name in desk.restricted]
    if until:
        desk.restricted.update(dict.fromkeys(names, max(until)))
    stacking = await tx.fetchval(
        """select buyer_id from "order" where shop_id = $1 and buyer_id = any($2::uuid[]) and delivery_method = $3 and state = 'OPEN'
             and payment_state = 'UNPAID' order by created_at, id limit 1""",
        desk.shop.id,
        names,
        method.value,
    )
    return stacking or names[0]


async def _names(tx: Tx, desk: Desk, member_id: UUID) -> list[UUID]:
    """The member's names at this shop, the oldest first, locked; a name that changed hands meanwhile is none of theirs."""
    rows = await tx.fetch("select id from buyer where shop_id = $1 and member_id = $2", desk.shop.id, member_id)
    if not rows:
        return []
    await loading.buyers_for(tx, desk, {}, [row["id"] for row in rows])
    mine = await tx.fetch(
        "select id from buyer where id = any($1::uuid[]) and member_id = $2 order by created_at, id", [row["id"] for row in rows], member_id
    )
    return [row["id"] for row in mine]


# --- pure --------------------------------------------------------------------------------------------------------------------


def _line(reading: Reading, variant_id: UUID, quantity: int) -> Line:
    """The wish as a line of a comment.

    Raises:
        NotOnPost, OverLimit: see `create`.
    """
    most = most_of(reading.context, variant_id)
    if most is None:
        raise NotOnPost(variant_id)
    if quantity > most:
        raise OverLimit("MAX_PER_LINE")
    return Line(str(variant_id), Op.ADD, quantity)


def _turn(desk: Desk, reading: Reading, channel_id: UUID, buyer_id: UUID) -> Turn:
    """The tap as a comment without words."""
    key = desk.new_id()
    event = SocialEvent(EventKind.ADD, SourcePlatform.APP, channel_id=str(channel_id), comment_id=str(key), occurred_at=desk.now)
    comment = Comment(
        key, event.comment_id, reading.facts.id, buyer_id, "", desk.now, desk.now, None, event, desk.now, is_new=True
    )  # fmt: skip
    return Turn(comment, event, reading, buyer_id, desk.now, desk.now)


def decide(desk: Desk, turn: Turn, line: Line) -> Claim:
    """Decide the tap as a comment that says the line plainly; its claim lies on the desk then.

    Raises:
        BuyerRestricted, NotOnPost, OverLimit, TooFew, CannotOrder: it would not have had its effect; the desk is to be thrown away.
    """
    if planning.ignored(desk, turn.event, turn.reading, turn.buyer_id, turn.at):
        raise BuyerRestricted
    claim = Claim(
        desk.new_id(), turn.comment.id, turn.comment.post_id, turn.buyer_id, ClaimOutcome.IGNORED, "", Intent.NONE.value, {},
        planning.text_hash(turn.event.text), None, None, ReviewState.NONE, desk.now, is_new=True, changed=True,
    )  # fmt: skip
    desk.claims[turn.comment.id] = claim
    planning.written(desk, turn, claim, Result(Intent.ORDER, (line,)))
    _must_be_done(desk, claim, UUID(line.variant), line.qty or 0)
    return claim


def _must_be_done(desk: Desk, claim: Claim, variant_id: UUID, quantity: int) -> None:
    if claim.outcome in DONE or (claim.outcome is ClaimOutcome.DUPLICATE and claim.reason == "REPLACED"):
        return
    if claim.reason in LIMITS:
        raise OverLimit(claim.reason)
    if claim.reason in SHUT:
        raise NotOnPost(variant_id)
    if claim.reason == "INSUFFICIENT_STOCK":
        raise TooFew(variant_id, quantity, desk.levels[variant_id].free)
    raise CannotOrder(variant_id, claim.reason)
