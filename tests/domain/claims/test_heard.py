"""What was read once is remembered, and no process remembers without end."""

from __future__ import annotations

import pytest

from domain import db as database
from domain.claims import loading, planning
from tests.build import a_post
from tests.wall import a_wall


async def test_the_words_of_posts_that_went_quiet_are_forgotten_first(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MOST_HEARD", 10)
    monkeypatch.setattr(loading, "_compiled", type(loading._compiled)())
    wall = await a_wall()
    posts = [wall.post_id, *[(await a_post(wall.shop, products=[wall.product])).id for _ in range(3)]]
    kept = []
    async with database.transaction() as tx:
        for post in posts:
            reading = (await loading.readings_of(tx, [post]))[post]
            for n in range(1, 7):
                planning.read(f"+{n}", None, reading, None)
            kept.append(reading.heard)
        last = (await loading.readings_of(tx, [posts[3]]))[posts[3]]
    assert [len(heard) for heard in kept] == [0, 0, 0, 6]
    assert last.heard is kept[3]
    assert planning.read("+2", None, last, None) is kept[3]["+2", None, False, False]


def test_long_texts_are_not_kept() -> None:
    before = planning._short_hash.cache_info().currsize
    assert planning.text_hash("長" * 5_000) == planning.text_hash("長" * 5_000)
    assert planning._short_hash.cache_info().currsize == before
