"""Orders and all that came before and after them: comments, claims, lines, stock, timeline, payments, pickups, notices, audit, inbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from benchmarks.seed_rows import DAY_MS, NULL, Chance, Rows, at, dashed, json, ms_of
from benchmarks.seed_stories import PICKUP, READY_TO_COLLECT, SAYS_PAID, SHIP, STORIES, WAITING_FOR_GOODS, Step, Story, drawn
from benchmarks.seed_world import Channel, Post, Shop, Variant, World
from domain.claims.recognition import RULES_VERSION
from domain.orders.rules import UNPAID_STATES, FulfilmentState, OrderState, PaymentState
from domain.posts.rules import DeliveryMethod

HOUR_MS: Final = 3_600_000
PARCELS: Final = frozenset({FulfilmentState.SHIPPED, FulfilmentState.ARRIVED_AT_STORE, FulfilmentState.DELIVERED, FulfilmentState.RETURNED})
"""Where a parcel may be."""
RECENT: Final = 0.94
"""Orders after this part of all are still on their way."""
SHOWN: Final = 2
"""So often the first of the recent orders go through all stories, so that even a small seed holds every state."""
INBOX_DAYS: Final = 30
EDITED: Final = 10
"""One comment in so many has rows of its history: what happened to the others, their own row tells."""
PUSH_DAYS: Final = 14
"""How long deliveries and pushes are kept."""
STRANGER: Final = 0.06
"""Orders of people who have not linked the app."""
CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CHATTER: Final = ("好漂亮喔", "哈哈哈", "晚安大家", "已私訊", "路過看看", "推推")
LINES: Final = (1, 1, 1, 1, 2, 2, 2, 3, 3, 5)
PIECES: Final = (1, 1, 1, 1, 1, 2, 2, 3)


@dataclass(slots=True)
class Line:
    """A line being written."""

    id: str
    variant: Variant
    claim: str
    comment: str
    pieces: int
    handed: int = 0
    packed: int = 0
    shipped: int = 0


@dataclass(slots=True)
class Sale:
    """One order being written. Instants are milliseconds since 1970."""

    id: str
    number: str
    shop: Shop
    post: Post
    buyer: str
    member: str
    """NULL for a stranger."""
    device: str
    name: str
    provider: str
    at: int
    story: Story
    lines: list[Line]
    subtotal: int
    is_old: bool
    sent: int = 0
    """When its parcel left, or was packed."""

    @property
    def owner(self) -> str:
        """Who of the shop does things, as the actor of the audit."""
        return f"member:{dashed(self.shop.owner)}"


@dataclass(slots=True)
class Book:
    """What outlives one order: numbers, open passes, who already has an unpaid order."""

    world: World
    chance: Chance
    rows: Rows
    now: int
    stories: dict[tuple[DeliveryMethod, bool], list[Story]] = field(default_factory=dict)
    stacked: set[tuple[str, DeliveryMethod]] = field(default_factory=set)
    passes: dict[str, str] = field(default_factory=dict)
    shown: int = 0
    comments: int = 0
    movements: int = 0


def write(world: World, chance: Chance, rows: Rows) -> Iterator[int]:
    """Write all orders, oldest first; yields after each how many there are. The stock levels come after the last (`seed_world.write_levels`)."""
    plan, now = world.plan, ms_of(world.plan.until)
    book = Book(world, chance, rows, now, movements=len(world.variants))
    book.stories = {(method, recent): drawn(method, recent=recent) for method in (PICKUP, SHIP) for recent in (True, False)}
    span, start = (plan.days * DAY_MS) - HOUR_MS, now - plan.days * DAY_MS
    for n in range(plan.orders):
        part = n / plan.orders
        _order(book, n, start + int(span * part**0.7), recent=part >= RECENT)
        yield n + 1


def _order(book: Book, n: int, at_ms: int, *, recent: bool) -> None:
    random, chance = book.chance.random, book.chance
    shop = book.world.shop_at(random.random())
    post = shop.posts[min(int(shop.seen / shop.per_post), len(shop.posts) - 1)]
    shop.seen += 1
    buyer, member, device, name, provider = _buyer(book, shop, post, at_ms)
    number = f"{n:08d}-" + "".join(CROCKFORD[random.getrandbits(5)] for _ in range(4))
    sale = Sale(
        chance.id(at_ms),
        number,
        shop,
        post,
        buyer,
        member,
        device,
        name,
        provider,
        at_ms,
        STORIES[0],
        [],
        0,
        book.now - at_ms > PUSH_DAYS * DAY_MS,
    )
    _lines(book, sale)
    sale.story = _story(book, sale, recent=recent)
    when = _history(book, sale)
    _stock(book, sale, when)
    _row(book, sale, when)
    _chatter(book, sale)


def _buyer(book: Book, shop: Shop, post: Post, at_ms: int) -> tuple[str, str, str, str, str]:
    """Who orders, as this shop knows them: buyer, member, device, name, provider. Made at their first order here."""
    random, world = book.chance.random, book.world
    stranger = random.random() < STRANGER
    who = -1 - book.chance.below(max(10, len(world.members) // 50)) if stranger else int(len(world.members) * random.random() ** 1.3)
    known = shop.buyers.get(who)
    if known is None:
        channel = _channel(shop, post)
        name = "路人" if stranger else world.names[who]
        known = shop.buyers[who] = (book.chance.id(at_ms), name, channel.source)
        member = NULL if stranger else world.members[who]
        external = f"{channel.source}-{who if stranger else f'm{who}'}"
        book.rows.waiting["buyer"].append(f"{known[0]}\t{shop.id}\t{channel.source}\t{external}\t{name}\t{member}\t{at(at_ms)}")
    member = NULL if stranger else world.members[who]
    return known[0], member, "" if stranger else world.devices[who], known[1], known[2]


def _channel(shop: Shop, post: Post) -> Channel:
    return next(one for one in shop.channels if post.external_id.startswith(one.external_id))


def _lines(book: Book, sale: Sale) -> None:
    """Comments that became claims that became lines."""
    chance, w, shop, post = book.chance, book.rows.waiting, sale.shop, sale.post
    channel = _channel(shop, post)
    count = LINES[chance.below(len(LINES))]
    for k in range(count):
        variant = post.variants[chance.below(len(post.variants))]
        pieces, wrote = PIECES[chance.below(len(PIECES))], min(sale.at + k * 20_000, book.now)
        text = f"{variant.code}+{pieces}"
        comment = _comment(book, sale, channel, text, wrote)
        line = Line(chance.id(wrote), variant, chance.id(wrote), comment, pieces)
        line_json = f'{{"intent":"ORDER","lines":[{{"variant":"{dashed(variant.id)}","qty":{pieces}}}],"trail":[]}}'
        hashed = sha256(text.encode()).hexdigest()
        w["claim"].append(
            f"{line.claim}\t{shop.id}\t{comment}\t{post.id}\t{sale.buyer}\tORDERED\t\tORDER\t{line_json}\t{hashed}\t{RULES_VERSION}"
            f"\t{shop.policy_id}\t{sale.id}\tNONE\t\t{at(wrote + 400)}"
        )
        _audit(
            book,
            shop,
            wrote + 400,
            "worker:ingest",
            "worker",
            "CLAIM_DECIDED",
            "claim",
            line.claim,
            f'{{"outcome":"ORDERED","order":"{dashed(sale.id)}"}}',
        )
        w["order_line"].append(
            f"{line.id}\t{shop.id}\t{sale.id}\t{variant.id}\t{post.id}\t{line.claim}\t{channel.platform}\t{variant.title}\t{variant.label}"
            f"\t{variant.price_minor}\t{pieces}\t@\t{shop.policy_id}\t{at(wrote + 400)}"
        )
        sale.lines.append(line)
        sale.subtotal += variant.price_minor * pieces


def _comment(book: Book, sale: Sale, channel: Channel, text: str, wrote: int) -> str:
    """A comment, for a few their revision, and for some weeks the delivery that brought it; answers its id."""
    w, shop = book.rows.waiting, sale.shop
    comment, external = book.chance.id(wrote), f"{channel.external_id}_{book.comments}"
    book.comments += 1
    written, came = at(wrote), at(wrote + 250)
    w["social_comment"].append(
        f"{comment}\t{shop.id}\t{channel.id}\t{sale.post.id}\t{external}\t{sale.post.external_id}\t\t{channel.platform}\t{sale.buyer}\t{sale.name}\t{text}"
        f"\t{written}\t{written}\t{came}\tf\t\t"
    )
    if book.comments % EDITED == 0:
        w["comment_revision"].append(f"{shop.id}\t{comment}\tADD\t{text}\t{written}\t{came}")
    if book.now - wrote < INBOX_DAYS * DAY_MS:
        payload = json({"comment_id": external, "post_id": sale.post.external_id, "verb": "add", "text": text})
        w["inbox_event"].append(
            f"{channel.endpoint_id}\t{channel.source}\t{external}:add\t{channel.lane}\t{written}\t{payload}\tDECIDED\tcomment\t0\t{came}\t{at(wrote + 400)}\t"
        )
    return comment


def _story(book: Book, sale: Sale, *, recent: bool) -> Story:
    """What becomes of the order; what cannot be true of it is put right."""
    method = SHIP if int(sale.post.title.split()[1]) % 7 == 4 else PICKUP
    if recent and book.shown < SHOWN * len(STORIES):
        story = STORIES[book.shown % len(STORIES)]
        book.shown += 1
    else:
        among = book.stories[method, recent]
        story = among[book.chance.below(len(among))]
    if story.fulfilment is FulfilmentState.PARTIAL and sum(line.pieces for line in sale.lines) < 2:
        story = READY_TO_COLLECT
    if story is READY_TO_COLLECT and any(line.variant.preorder for line in sale.lines):
        story = WAITING_FOR_GOODS
    if not story.steps:
        if (sale.buyer, story.method) in book.stacked:
            return SAYS_PAID if story.method is PICKUP else next(s for s in STORIES if s.name == "paid, to be sent")
        book.stacked.add((sale.buyer, story.method))
    return story


def _history(book: Book, sale: Sale) -> list[int]:
    """The timeline, and what each step leaves besides; answers the instants of the steps."""
    steps = sale.story.steps
    span = min(5 * DAY_MS, book.now - sale.at)
    part = 0.3 + 0.5 * book.chance.random.random()
    when = [sale.at + int(span * part * (k + 1) / len(steps)) for k in range(len(steps))]
    for line in sale.lines:
        facts = json({"lines": [{"title": line.variant.title, "label": line.variant.label, "quantity": line.pieces}]})
        _event(book, sale, "LINES_ADDED", facts, f"comment:{dashed(line.comment)}", sale.at + 400)
    _notice(book, sale, "ORDER_PLACED", sale.at + 400, {"totalMinor": sale.subtotal, "lines": _facts(sale)})
    for step, at_ms in zip(steps, when, strict=True):
        actor = sale.owner if step.staff else "worker:deadlines"
        _event(book, sale, step.kind, "{}", actor, at_ms)
        _consequences(book, sale, step, at_ms)
    return when


def _facts(sale: Sale) -> list[dict[str, object]]:
    return [{"title": line.variant.title, "label": line.variant.label, "quantity": line.pieces} for line in sale.lines]


def _consequences(book: Book, sale: Sale, step: Step, at_ms: int) -> None:
    shop, w = sale.shop, book.rows.waiting
    if step.payment in (PaymentState.PAID, PaymentState.PARTIALLY_PAID):
        amount = sale.subtotal if step.payment is PaymentState.PAID else max(1, sale.subtotal // 2)
        payment = f"{book.chance.id(at_ms)}\t{shop.id}\t{sale.id}\tBANK_TRANSFER\tref-{sale.number}\t{amount}\t{shop.currency}\t{shop.owner}\t{at(at_ms)}"
        w["payment"].append(payment)
        _audit(book, shop, at_ms, sale.owner, "OWNER", "order.mark_paid", "order", sale.id, f'{{"amount_minor":{amount}}}')
        _notice(book, sale, "PAYMENT_RECEIVED", at_ms, {"paidMinor": amount})
    if step.payment is PaymentState.REPORTED and sale.story.payment is PaymentState.REPORTED:
        said = f"{book.chance.id(at_ms)}\t{shop.id}\t{sale.id}\tOPEN\t12345\t{at(at_ms)}\t{sale.subtotal}\t{shop.currency}\t\t{at(at_ms)}"
        w["transfer_report"].append(f"{said}\t{at(at_ms + 48 * HOUR_MS)}")
    if step.fulfilment is FulfilmentState.READY_FOR_PICKUP:
        _ready(book, sale, at_ms)
    if step.fulfilment in (FulfilmentState.PARTIAL, FulfilmentState.HANDED_OVER):
        _hand_over(book, sale, at_ms, whole=step.fulfilment is FulfilmentState.HANDED_OVER)
    labelled = step.fulfilment is FulfilmentState.LABELLED and step.fulfilment is sale.story.fulfilment
    if step.fulfilment is not None and (step.fulfilment in PARCELS or labelled):
        _parcel(book, sale, step.fulfilment, at_ms)
    if step.state is OrderState.CANCELLED:
        expired = step.payment is PaymentState.EXPIRED
        actor, role = ("worker:deadlines", "worker") if expired else (sale.owner, "OWNER")
        _audit(book, shop, at_ms, actor, role, "order.expire" if expired else "order.cancel", "order", sale.id, "{}")
        _notice(book, sale, "ORDER_EXPIRED" if expired else "ORDER_CANCELLED", at_ms, {"lines": _facts(sale)})


def _ready(book: Book, sale: Sale, at_ms: int) -> None:
    """Onto a pass: its own when everything will be collected, else the buyer's open one."""
    shop, w = sale.shop, book.rows.waiting
    collected = sale.story.state is OrderState.COMPLETED
    here = "" if collected else book.passes.get(sale.buyer, "")
    if not here:
        here = book.chance.id(at_ms)
        state, issue = ("COLLECTED", 1) if collected else ("OPEN", 0)
        code = book.chance.random.getrandbits(63)
        ends = at(at_ms + 3 * DAY_MS) if collected else NULL
        w["pickup"].append(f"{here}\t{shop.id}\t{sale.buyer}\t{sale.member}\t{code}\t{state}\t{issue}\t\t{ends}\t1\t{at(at_ms)}")
    book.passes[sale.id if collected else sale.buyer] = here
    w["pickup_order"].append(f"{sale.id}\t{shop.id}\t{here}")
    _event(book, sale, "READY_FOR_PICKUP", f'{{"pickupId":"{dashed(here)}"}}', sale.owner, at_ms)
    _notice(book, sale, "PICKUP_READY", at_ms, {"pickupId": dashed(here), "place": shop.place})


def _hand_over(book: Book, sale: Sale, at_ms: int, *, whole: bool) -> None:
    shop, w = sale.shop, book.rows.waiting
    here = book.passes.pop(sale.id) if whole else book.passes[sale.buyer]
    scan = book.chance.id(at_ms)
    w["hand_over"].append(f"{scan}\t{shop.id}\t{here}\t1\t{shop.owner}\tcounter\t0\tf\t{at(at_ms)}")
    for line in sale.lines if whole else sale.lines[:1]:
        line.handed = line.pieces if whole or len(sale.lines) > 1 else line.pieces - 1
        w["hand_over_line"].append(f"{shop.id}\t{scan}\t{line.id}\t{line.handed}")
    detail = f'{{"hand_over_id":"{dashed(scan)}"}}'
    _audit(book, shop, at_ms, sale.owner, "OWNER", "pickup.hand_over", "pickup", here, detail)
    _audit(book, shop, at_ms, sale.owner, "OWNER", "order.hand_over", "order", sale.id, detail)
    _notice(book, sale, "PICKED_UP", at_ms, {"lines": _facts(sale), "pickupId": dashed(here)})


def _parcel(book: Book, sale: Sale, state: FulfilmentState, at_ms: int) -> None:
    """All of an order leaves in one parcel; its row is written when it stands where the story ends."""
    shop, w = sale.shop, book.rows.waiting
    packed = state is FulfilmentState.LABELLED
    if packed or sale.id not in book.passes:
        here = book.passes[sale.id] = book.chance.id(at_ms)
        sale.sent = at_ms
        for line in sale.lines:
            line.packed, line.shipped = (line.pieces, 0) if packed else (0, line.pieces)
            w["shipment_line"].append(f"{shop.id}\t{here}\t{sale.id}\t{line.id}\t{line.pieces}")
        _audit(book, shop, at_ms, sale.owner, "OWNER", "shipment.create", "shipment", here, "{}")
    here = book.passes[sale.id]
    stored = state is FulfilmentState.ARRIVED_AT_STORE
    if state is sale.story.fulfilment:
        carrier = (
            f"SEVEN_ELEVEN\t\t{sale.number}\t131386\t\t\t{at(at_ms + 7 * DAY_MS)[:10]}"
            if stored
            else f"T_CAT\t\t{sale.number}\t\t\t\t{NULL}"
        )
        left = NULL if packed else at(sale.sent)
        w["shipment"].append(
            f"{here}\t{shop.id}\t{sale.buyer}\t{sale.member}\t{'PREPARING' if packed else state}\t{at(at_ms)}\t{carrier}\t{left}\t1\t{at(sale.sent)}\t{at(at_ms)}"
        )
    if not packed:
        w["shipment_event"].append(f"{shop.id}\t{here}\t{state}\t{at(at_ms)}\t\t{sale.owner}\t{at(at_ms)}")
        if state is FulfilmentState.SHIPPED:
            _notice(
                book,
                sale,
                "SHIPMENT_SENT",
                at_ms,
                {"carrier": "T_CAT", "trackingNumber": sale.number, "shipmentId": dashed(here), "state": "SHIPPED"},
            )


def _stock(book: Book, sale: Sale, when: list[int]) -> None:
    """The ledger of each line, and what it leaves in its variant's figures."""
    story = sale.story
    last = when[-1] if when else sale.at
    settled = story.payment not in UNPAID_STATES
    for line in sale.lines:
        variant, n = line.variant, line.pieces
        _move(book, sale, line, "HELD", 0, n, 0, sale.at + 400)
        if story.state is OrderState.CANCELLED:
            _move(book, sale, line, "EXPIRED" if story.payment is PaymentState.EXPIRED else "RELEASED", 0, -n, 0, last)
            continue
        gone = line.handed + line.shipped
        if settled:
            _move(book, sale, line, "COMMITTED", 0, -n, n, when[0])
            variant.committed += n - gone
        else:
            variant.held += n
        if gone:
            _move(book, sale, line, "SHIPPED" if line.shipped else "HANDED_OVER", -gone, 0, -gone, last)
            variant.left += gone


def _move(book: Book, sale: Sale, line: Line, kind: str, on_hand: int, held: int, committed: int, at_ms: int) -> None:
    book.movements += 1
    line.variant.moves += 1
    actor = f"comment:{dashed(line.comment)}" if kind == "HELD" else sale.owner
    book.rows.waiting["stock_movement"].append(
        f"{book.movements}\t{sale.shop.id}\t{line.variant.id}\t{kind}\t{on_hand}\t{held}\t{committed}\t{line.id}\t{actor}\tSEED\t{at(at_ms)}"
    )


def _row(book: Book, sale: Sale, when: list[int]) -> None:
    """The order itself; and its lines learn how many pieces have left."""
    story, shop, w = sale.story, sale.shop, book.rows.waiting
    free = story.payment is PaymentState.NONE_DUE
    total = 0 if free else sale.subtotal
    paid = 0
    if any(step.payment is PaymentState.PAID for step in story.steps):
        paid = total
    elif story.payment is PaymentState.PARTIALLY_PAID:
        paid = max(1, sale.subtotal // 2)
    waits = story.state is OrderState.OPEN and story.payment in UNPAID_STATES
    pay_by = max(sale.at, book.now + HOUR_MS + book.chance.below(3 * DAY_MS)) if waits else sale.at + 3 * DAY_MS
    w["order"].append(
        f"{sale.id}\t{shop.id}\t{sale.number}\t{sale.buyer}\t{sale.member}\t{story.state}\t{story.payment}\t{story.fulfilment}\t{story.method}"
        f"\t{shop.currency}\t{sale.subtotal}\t0\t{sale.subtotal if free else 0}\t{total}\t{paid}\t{at(pay_by)}\t{'t' if story.flagged else 'f'}"
        f"\t{1 + len(story.steps)}\t{at(sale.at)}\t{at(when[-1] if when else sale.at)}"
    )
    lines = w["order_line"]
    for k, line in enumerate(sale.lines, len(lines) - len(sale.lines)):
        lines[k] = lines[k].replace("\t@\t", f"\t{line.handed}\t{line.packed}\t{line.shipped}\t", 1)


def _chatter(book: Book, sale: Sale) -> None:
    """Comments that ask for nothing, or for more than there is."""
    chance, w, shop, post = book.chance, book.rows.waiting, sale.shop, sale.post
    drawn = chance.random.random()
    if drawn > 0.35:
        return
    wrote = max(sale.at - 1000, 0)
    waits = drawn < 0.03
    variant = post.variants[chance.below(len(post.variants))]
    text = f"{variant.code}+9" if waits else CHATTER[chance.below(len(CHATTER))]
    comment, claim = _comment(book, sale, _channel(shop, post), text, wrote), chance.id(wrote)
    outcome, intent = ("WAITLISTED", "ORDER") if waits else ("IGNORED", "NONE")
    w["claim"].append(
        f'{claim}\t{shop.id}\t{comment}\t{post.id}\t{sale.buyer}\t{outcome}\t{"INSUFFICIENT_STOCK" if waits else ""}\t{intent}\t{{"trail":[]}}'
        f"\t{sha256(text.encode()).hexdigest()}\t{RULES_VERSION}\t{shop.policy_id}\t{NULL}\tNONE\t\t{at(wrote + 400)}"
    )
    _audit(book, shop, wrote + 400, "worker:ingest", "worker", "CLAIM_DECIDED", "claim", claim, f'{{"outcome":"{outcome}"}}')
    if waits:
        state = "LEFT" if sale.is_old else "WAITING"
        variant.waiting += 0 if sale.is_old else 9
        w["waitlist_entry"].append(f"{chance.id(wrote)}\t{shop.id}\t{variant.id}\t{claim}\t{sale.buyer}\t9\t{state}\t{at(wrote)}")


def _event(book: Book, sale: Sale, kind: str, data: str, actor: str, at_ms: int) -> None:
    book.rows.waiting["order_event"].append(f"{sale.shop.id}\t{sale.id}\t{kind}\t{data}\t{actor}\t{at(at_ms)}")


def _audit(book: Book, shop: Shop, at_ms: int, actor: str, role: str, action: str, kind: str, object_id: str, detail: str) -> None:
    book.rows.waiting["audit_entry"].append(f"{shop.id}\t{at(at_ms)}\t{actor}\t{role}\t{action}\t{kind}\t{object_id}\t{detail}\t")


def _notice(book: Book, sale: Sale, kind: str, at_ms: int, facts: dict[str, object]) -> None:
    """In the inbox, read by most after a while; for some weeks with the push that was sent."""
    w, chance = book.rows.waiting, book.chance
    notice = chance.id(at_ms)
    base = {"shopName": sale.shop.name, "postTitle": sale.post.title, "currency": sale.shop.currency}
    data = json({**base, "orderId": dashed(sale.id), "orderNumber": sale.number, **facts})
    read = at(min(at_ms + HOUR_MS, book.now)) if chance.random.random() < (0.9 if sale.is_old else 0.4) else NULL
    w["notice"].append(f"{notice}\t{sale.shop.id}\t{sale.buyer}\t{sale.member}\t{kind}\t{data}\tseed:{kind}:{sale.id}\t{read}\t{at(at_ms)}")
    if sale.device and not sale.is_old:
        until = at(at_ms + 2 * HOUR_MS)
        w["push_delivery"].append(f"{chance.id(at_ms)}\t{notice}\t{sale.device}\tSENT\t1\t{at(at_ms)}\t{until}\tseed\t\t{at(at_ms + 900)}")
