"""Orders and all that came before and after them: comments, claims, lines, stock, timeline, payments, pickups, notices, audit, inbox."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from benchmarks.seed_book import HOUR_MS, PUSH_DAYS, Book, Line, Sale, audit
from benchmarks.seed_rows import DAY_MS, NULL, Chance, Rows, at, dashed, json, ms_of
from benchmarks.seed_steps import history
from benchmarks.seed_stories import PICKUP, READY_TO_COLLECT, SAYS_PAID, SHIP, STORIES, WAITING_FOR_GOODS, Story, drawn
from benchmarks.seed_world import Channel, Post, Shop, World
from domain.claims.recognition import RULES_VERSION
from domain.orders.rules import UNPAID_STATES, FulfilmentState, OrderState, PaymentState

RECENT: Final = 0.94
"""Orders after this part of all are still on their way."""
SHOWN: Final = 2
"""So often the first of the recent orders go through all stories, so that even a small seed holds every state."""
INBOX_DAYS: Final = 30
EDITED: Final = 10
"""One comment in so many has rows of its history: what happened to the others, their own row tells."""
STRANGER: Final = 0.06
"""Orders of people who have not linked the app."""
CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CHATTER: Final = ("好漂亮喔", "哈哈哈", "晚安大家", "已私訊", "路過看看", "推推")
LINES: Final = (1, 1, 1, 1, 2, 2, 2, 3, 3, 5)
PIECES: Final = (1, 1, 1, 1, 1, 2, 2, 3)


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
        chance.id(at_ms), number, shop, post, buyer, member, device, name, provider, at_ms, STORIES[0], [], 0,
        is_old=book.now - at_ms > PUSH_DAYS * DAY_MS,
    )  # fmt: skip
    _lines(book, sale)
    sale.story = _story(book, sale, recent=recent)
    when = history(book, sale)
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
        audit(
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
    audit(book, shop, wrote + 400, "worker:ingest", "worker", "CLAIM_DECIDED", "claim", claim, f'{{"outcome":"{outcome}"}}')
    if waits:
        state = "LEFT" if sale.is_old else "WAITING"
        variant.waiting += 0 if sale.is_old else 9
        w["waitlist_entry"].append(f"{chance.id(wrote)}\t{shop.id}\t{variant.id}\t{claim}\t{sale.buyer}\t9\t{state}\t{at(wrote)}")
