"""What is wrong with a shop file is told by its path, all at once, before any database is asked."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.claims.rules import ClaimPolicy
from domain.money import DIGITS
from plusone.shopfile import read, read_file
from plusone.shopfile_checks import secrets_for
from plusone.shopfile_parts import FileRefused, PolicyPart
from tests.conftest import NOW
from tests.plusone.shopfile_help import (
    SECRETS,
    Json,
    example,
)


def wrong(*keys: int | str, value: Any) -> Callable[[Json], None]:
    """Puts a value at a place of the example."""

    def change(given: Json) -> None:
        inner: Any = given
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value

    return change


def gone(*keys: int | str) -> Callable[[Json], None]:
    def change(given: Json) -> None:
        inner: Any = given
        for key in keys[:-1]:
            inner = inner[key]
        del inner[keys[-1]]

    return change


WRONG: list[tuple[Callable[[Json], None], str, str]] = [
    (wrong("shop", "curency", value="TWD"), "shop.curency", "did you mean currency?"),
    (wrong("posts", 0, "items", 0, "colour", value="red"), "posts[1].items[1].colour", "no such key; there are product, codes"),
    (wrong("endpoints", 0, "secret", value="hunter2"), "endpoints[1].secret", "a secret does not stand in the file"),
    (wrong("endpoints", 0, "secret_env", value="f8b0e5c1d2a34796hunter2"), "endpoints[1].secret_env", "never the secret itself"),
    (gone("shop", "time_zone"), "shop.time_zone", "is missing"),
    (wrong("shop", "time_zone", value="Taipei"), "shop.time_zone", "IANA"),
    (wrong("shop", "currency", value="NTD"), "shop.currency", ", ".join(DIGITS)),
    (wrong("shop", "handle", value="A Mei"), "shop.handle", "small letters"),
    (wrong("shop", "pay_within", value=3), "shop.pay_within", '"48h"'),
    (wrong("shop", "pay_within", value="900d"), "shop.pay_within", "at most 366 days"),
    (wrong("shop", "name", value="阿美\u0000團購"), "shop.name", "one line"),
    (wrong("staff", 0, "role", value="BOSS"), "staff[1].role", "'OWNER', 'MANAGER', 'HELPER' or 'SCANNER'"),
    (wrong("staff", 0, "role", value="MANAGER"), "staff", 'role = "OWNER"'),
    (wrong("staff", 0, "identity", value="line:@amei"), "staff[1].identity", "not the @name"),
    (wrong("staff", 1, "identity", value="line:U0123456789abcdef0123456789abcdef"), "staff[2].identity", "twice"),
    (gone("endpoints", 0, "verify_token_env"), "endpoints[1].verify_token_env", "handshake"),
    (wrong("endpoints", 1, "verify_token_env", value="X_Y"), "endpoints[2].verify_token_env", "leave it out"),
    (wrong("endpoints", 0, "access_token_env", value="X_Y"), "endpoints[1].access_token_env", "only LINE"),
    (wrong("channels", 0, "contact", value="amei"), "channels[1].contact", "leave it out"),
    (wrong("channels", 2, "contact", value="@amei"), "channels[3].contact", "without @"),
    (wrong("channels", 1, "private_links", value=True), "channels[2].private_links", "leave it out"),
    (wrong("channels", 0, "private_links", value=1), "channels[1].private_links", ""),
    (wrong("endpoints", 2, "destination", value="U" + "0" * 32), "endpoints[3].destination", "only LINE"),
    (wrong("endpoints", 0, "source", value="threads"), "endpoints[1].source", "'facebook', 'instagram', 'line', 'telegram' or 'generic'"),
    (wrong("channels", 0, "external_id", value=104561234567890), "channels[1].external_id", "in quotes"),
    (wrong("channels", 0, "external_id", value="amei.shop"), "channels[1].external_id", "the Page's id"),
    (wrong("channels", 2, "external_id", value="1002145678901"), "channels[3].external_id", "minus"),
    (wrong("channels", 0, "endpoint", value="amei-bot"), "channels[1].endpoint", "there are amei-app"),
    (wrong("channels", 0, "platform", value="STAFF"), "channels[1].platform", "one of FACEBOOK_PAGE"),
    (wrong("policy", "reading", value="FREE"), "policy.reading", "'STRICT', 'CONFIRM' or 'LENIENT'"),
    (wrong("policy", "max_per_line", value=0), "policy.max_per_line", "greater than or equal to 1"),
    (wrong("posts", 0, "items", 0, "on_sale", value="yes"), "posts[1].items[1].on_sale", "true or false"),
    (wrong("products", 0, "variants", 0, "price", value=680), "products[1].variants[1].price", "in quotes"),
    (wrong("products", 0, "variants", 0, "price", value="12.50"), "products[1].variants[1].price", "amount of TWD"),
    (wrong("products", 0, "variants", 0, "price", value="-1"), "products[1].variants[1].price", "without its sign"),
    (wrong("products", 0, "variants", 0, "stock", value="40"), "products[1].variants[1].stock", "without quotes"),
    (wrong("products", 0, "variants", 0, "stock", value=10**10), "products[1].variants[1].stock", "1000000000"),
    (wrong("products", 0, "variants", 0, "beyond", value=5), "products[1].variants[1].beyond", "PREORDER"),
    (wrong("products", 2, "variants", 0, "values", "顏色", value="blue"), "products[3].variants[1].values", "red, white"),
    (wrong("products", 2, "variants", 0, "values", "尺寸", value="L"), "products[3].variants[2]", "has this label"),
    (wrong("products", 1, "title", value="愛文芒果禮盒"), "products[2].title", "twice"),
    (wrong("posts", 0, "closes", value="2026-11-27"), "posts[1].closes", "with its offset and without quotes"),
    (wrong("posts", 0, "closes", value=NOW.replace(tzinfo=None)), "posts[1].closes", "with its offset"),
    (wrong("posts", 0, "closes", value=NOW - timedelta(days=30)), "posts[1].closes", "before opens"),
    (wrong("posts", 0, "items", 1, "codes", value=["a"]), "posts[1].items[2].codes", "nobody could tell"),
    (wrong("posts", 0, "items", 0, "product", value="melon"), "posts[1].items[1].product", "cake, mango, scarf"),
    (wrong("posts", 0, "placements", 0, "external_post_id", value=""), "posts[1].placements[1].external_post_id", "{page id}_{post id}"),
    (wrong("posts", 0, "placements", 0, "external_post_id", value="1_2"), "posts[1].placements[1].external_post_id", "{page id}_{post id}"),
    (wrong("posts", 1, "placements", 0, value={"channel": "line-group"}), "posts[2].placements[1]", "one post per place"),
    (wrong("posts", 0, "placements", value="page"), "posts[1].placements", "must be a list"),
]


@pytest.mark.parametrize(("change", "path", "told"), WRONG, ids=[path for _, path, _ in WRONG])
def test_what_is_wrong_is_told_by_its_path_and_without_its_value(change: Callable[[Json], None], path: str, told: str) -> None:
    given = copy.deepcopy(example())
    change(given)
    with pytest.raises(FileRefused) as refused:
        read(given)
    found = {problem.path: problem.told for problem in refused.value.problems}
    assert told in found.get(path, ""), found
    assert "hunter2" not in str(refused.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    given = example()
    given["shop"]["locale"] = "zh_TW"
    del given["products"][0]["variants"]
    given["policy"]["shortag"] = "PARTIAL"
    with pytest.raises(FileRefused) as refused:
        read(given)
    assert [problem.path for problem in refused.value.problems] == ["shop.locale", "policy.shortag", "products[1].variants"]


@pytest.mark.parametrize(
    ("change", "path", "told"),
    [
        ({"FB_APP_SECRET": ""}, "endpoints[1].secret_env", "FB_APP_SECRET is not set"),
        ({"FB_VERIFY_TOKEN": "hunter2\n"}, "endpoints[1].verify_token_env", "FB_VERIFY_TOKEN holds blanks"),
        ({"TG_SECRET_TOKEN": "hunter2!"}, "endpoints[3].secret_env", "TG_SECRET_TOKEN must be 1 to 256 of"),
    ],
)
def test_a_secret_that_cannot_be_is_told_by_its_variable(change: dict[str, str], path: str, told: str) -> None:
    with pytest.raises(FileRefused) as refused:
        secrets_for(read(example()), SECRETS | change)
    (problem,) = refused.value.problems
    assert problem.path == path
    assert problem.told.startswith(told)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("raw", "told"),
    [(b"[shop", "is not TOML"), (b"\xff\xfe", "is not UTF-8"), (b"#" * 1_000_001, "is longer than"), (None, "cannot be read")],
)
def test_a_file_that_is_none_is_told_so(tmp_path: Path, raw: bytes | None, told: str) -> None:
    path = tmp_path / "shop.toml"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(FileRefused) as refused:
        read_file(path)
    assert told in str(refused.value)


def test_the_file_knows_every_field_of_the_policy() -> None:
    assert list(PolicyPart.model_fields) == [field.name for field in fields(ClaimPolicy)]
