"""What the modelled Friday evening is fed with: measured costs, assumed habits, and prices. Edit them to yours; docs/scaling.md names the sources."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of one core per thing done, and bytes kept of it. Measured on two cores, PostgreSQL on the other; docs/scaling.md names the sources."""

    decide_worker: float = 0.17e-3
    """Python of the worker per comment, in large batches."""
    decide_postgres: float = 0.22e-3
    """PostgreSQL per comment, in batches: buyer, order, lines, stock, ledger, notice, audit, each from a new buyer."""
    batch_worker: float = 6.8e-3
    """Per batch of a lane, however small: claim the lane, take, read back, mark, commit."""
    batch_postgres: float = 6.4e-3
    batch_most: int = 600
    store_web: float = 0.15e-3
    """API process per delivered comment: signature, parsing, INSERT with others."""
    store_postgres: float = 0.03e-3
    screen_web: float = 0.83e-3
    """Mean of home, unpaid and notices."""
    screen_postgres: float = 0.53e-3
    push_worker: float = 4.1e-3
    push_postgres: float = 0.5e-3
    reply_worker: float = 5.0e-3
    reply_postgres: float = 1.0e-3
    order_bytes: int = 11_600
    """Rows and indexes of an order with its lines, ledger, timeline, audit and notices."""
    comment_bytes: int = 1_400
    """Comment, claim and revision."""
    event_bytes: int = 700
    """The stored delivery ..."""
    event_days: int = 90
    """... as long as it is kept."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What members and sellers do. Assumptions: change them to yours."""

    members: int = 2_500_000
    active_share: float = 0.22
    """Of all members on a Friday."""
    screens_each: float = 26.0
    """Per active member and day."""
    shops: int = 12_000
    lives: int = 900
    """On a Friday, nearly all between 19 and 22 o'clock."""
    live_minutes: float = 75.0
    comments_per_live: float = 1_200.0
    """Mean; the n-th largest has 1/n^0.8 of the largest one's."""
    hot_seconds: float = 40.0
    """A hot item: so long, so often per live, comments come HOT_FACTOR times as fast."""
    hot_moments: int = 12
    hot_factor: float = 6.0
    posts_share: float = 0.8
    """Comments under ordinary posts, per comment of a live."""
    order_share: float = 0.55
    """Comments that make or enlarge an order ..."""
    lines_per_order: float = 2.4
    """... of which so many fall together."""
    push_share: float = 0.7
    """Orders and other notices whose member has a phone with us, per order-making comment."""
    reply_share: float = 0.25
    """Comments that the platform is asked to answer."""
    delivered_together: float = 6.0
    """Comments per delivery of a platform, at the busiest minute."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Monthly prices in US dollars: a table to edit. They are round figures of large clouds' list prices in late 2026, not an offer."""

    core_month: float = 24.0
    """A shared-nothing virtual core with 4 GiB, for API and workers."""
    database_core_month: float = 75.0
    """A core of a managed PostgreSQL with 8 GiB, standby included."""
    storage_gib_month: float = 0.25
    """Replicated SSD with backups."""
    traffic_gib: float = 0.09
    screen_kib: float = 6.0
    """What leaves per screen, compressed."""
