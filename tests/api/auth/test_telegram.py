"""Telegram's Mini App data and Login Widget: the recorded vectors, and what a query string must not get away with."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.auth.identity.telegram import TelegramMiniApp, TelegramMiniAppByKey, TelegramWidget
from domain.members.ports import ProvenIdentity
from tests.api.auth.minting import b64, refused, vectors

MINI_APP = vectors("telegram_init_data_vectors")
WIDGET = vectors("telegram_login_widget_vectors")
BY_KEY = MINI_APP["third_party_ed25519"]["vectors"]
BOT = "7654321098:AAH4x-Kd9vQm2Rt7pLw0Zc5Ny8Ub1Es6GfI"
NOW = 1795248000
AT = datetime.fromtimestamp(NOW, UTC)
PRIVATE = Ed25519PrivateKey.generate()
PUBLIC = PRIVATE.public_key().public_bytes_raw().hex()
USER = json.dumps({"id": 512345678, "first_name": "小美", "last_name": "林"}, ensure_ascii=False, separators=(",", ":"))
FIELDS = {"query_id": "AAHdF6IQ", "user": USER, "auth_date": str(NOW)}


def made_at(text: str) -> datetime:
    """A minute after these data were made."""
    return datetime.fromtimestamp(int(dict(parse_qsl(text))["auth_date"]) + 60, UTC)


def lines(fields: Mapping[str, str]) -> bytes:
    return "\n".join(f"{name}={fields[name]}" for name in sorted(fields)).encode()


def mini_app(fields: Mapping[str, str] = FIELDS, bot: str = BOT, **changes: str) -> str:
    """Mini App data with the right hash."""
    said = {name: value for name, value in ({**fields, **changes}).items() if value != "absent"}
    secret = hmac.digest(b"WebAppData", bot.encode(), hashlib.sha256)
    return urlencode({**said, "hash": hmac.new(secret, lines(said), hashlib.sha256).hexdigest()})


def widget(bot: str = BOT, **changes: str) -> str:
    """The widget's fields with the right hash."""
    base = {"id": "512345678", "first_name": "小美", "auth_date": str(NOW)}
    said = {name: value for name, value in (base | changes).items() if value != "absent"}
    return urlencode({**said, "hash": hmac.new(hashlib.sha256(bot.encode()).digest(), lines(said), hashlib.sha256).hexdigest()})


def by_key(fields: Mapping[str, str] = FIELDS, bot_id: str = "7654321098", **changes: str) -> str:
    """Mini App data with Telegram's signature, by a key of ours."""
    said = {name: value for name, value in ({**fields, **changes}).items() if value != "absent"}
    return urlencode({**said, "signature": b64(PRIVATE.sign(f"{bot_id}:WebAppData\n".encode() + lines(said))), "hash": "0" * 64})


ADAPTERS = {
    "mini_app": (TelegramMiniApp(BOT), mini_app),
    "by_key": (TelegramMiniAppByKey("7654321098", PUBLIC), by_key),
    "widget": (TelegramWidget(BOT), widget),
}
every_way = pytest.mark.parametrize("way", list(ADAPTERS))


@pytest.mark.parametrize("vector", MINI_APP["vectors"], ids=lambda v: v["name"])
async def test_recorded_mini_app_data(vector: dict[str, Any]) -> None:
    at = datetime.fromtimestamp(vector["now"], UTC) if "now" in vector else made_at(vector["init_data"])
    assert await refused(TelegramMiniApp(vector["bot_token"]), vector["init_data"], "n", at) is not vector["valid"]


@pytest.mark.parametrize("vector", BY_KEY, ids=lambda v: v["name"])
async def test_recorded_mini_app_data_by_telegram_s_key(vector: dict[str, Any]) -> None:
    at = made_at(vector["init_data"])
    right = TelegramMiniAppByKey(str(vector["bot_id"]), vector["public_key_hex"])
    assert not await refused(right, vector["init_data"], "n", at)
    for bot_id, key in (
        ("43", vector["public_key_hex"]),
        (str(vector["bot_id"]), MINI_APP["third_party_ed25519"]["production_public_key_hex"]),
    ):
        assert await refused(TelegramMiniAppByKey(bot_id, key), vector["init_data"], "n", at)


@pytest.mark.parametrize("vector", WIDGET["vectors"], ids=lambda v: v["name"])
async def test_recorded_widget_data(vector: dict[str, Any]) -> None:
    text = urlencode(vector["data"])
    assert await refused(TelegramWidget(vector["bot_token"]), text, "n", made_at(text)) is not vector["valid"]


def test_all_recorded_vectors_are_there() -> None:
    assert [len(found) for found in (MINI_APP["vectors"], BY_KEY, WIDGET["vectors"])] == [6, 2, 3]


@every_way
async def test_the_data_prove_the_person_whose_comments_these_are(way: str) -> None:
    adapter, make = ADAPTERS[way]
    proven = await adapter.verify(make(), "n", AT)
    assert (proven.provider, proven.subject) == ("telegram", "512345678")
    assert proven.display_name == ("小美" if way == "widget" else "小美 林")
    assert proven.expires_at == AT + timedelta(minutes=11)


@every_way
@pytest.mark.parametrize(("seconds", "holds"), [(-61, False), (-60, True), (0, True), (600, True), (601, False), (86_400, False)])
async def test_data_are_good_for_ten_minutes(way: str, seconds: int, holds: bool) -> None:
    adapter, make = ADAPTERS[way]
    assert await refused(adapter, make(), "n", AT + timedelta(seconds=seconds)) is not holds


@every_way
@pytest.mark.parametrize(
    "made", ["absent", "", "0", "-1", "1e9", "+1795248000", " 1795248000", "０", "9" * 4_000, "01795248000", "1795248000.0"]
)
async def test_a_time_is_whole_seconds(way: str, made: str) -> None:
    adapter, make = ADAPTERS[way]
    assert await refused(adapter, make(auth_date=made), "n", AT)


@every_way
async def test_every_changed_field_breaks_the_proof(way: str) -> None:
    adapter, make = ADAPTERS[way]
    good = dict(parse_qsl(make()))
    for name in good.keys() - ({"hash"} if way == "by_key" else set()):
        for changed in (good | {name: good[name] + "0"}, {key: value for key, value in good.items() if key != name}):
            assert await refused(adapter, urlencode(changed), "n", AT), name
    assert await refused(adapter, urlencode(good | {"more": "1"}), "n", AT)


@every_way
async def test_another_bot_s_data_are_refused(way: str) -> None:
    adapter, make = ADAPTERS[way]
    other = make(bot_id="7654321099") if way == "by_key" else make(bot="7654321098:" + "A" * 35)
    assert await refused(adapter, other, "n", AT)


async def test_the_widget_s_data_are_no_mini_app_s_and_the_other_way_round() -> None:
    assert await refused(ADAPTERS["mini_app"][0], widget(user=USER), "n", AT)
    assert await refused(ADAPTERS["widget"][0], mini_app(id="512345678"), "n", AT)
    assert await refused(ADAPTERS["by_key"][0], mini_app(), "n", AT)
    assert await refused(ADAPTERS["mini_app"][0], by_key(), "n", AT)


@every_way
async def test_the_same_data_are_known_however_they_are_written(way: str) -> None:
    """What may be used once is what was proven: not the order of the fields, nor the signs of an encoding."""
    adapter, make = ADAPTERS[way]
    pairs = parse_qsl(make())
    writings = {
        make(),
        "&".join(f"{name}={quote(value)}" for name, value in reversed(pairs)),
        "&".join(f"{name}=" + "".join(f"%{byte:02x}" for byte in value.encode()) for name, value in pairs),
    }
    assert len(writings) == 3
    hashes = {(await adapter.verify(text, "n", AT)).proof_hash for text in writings}
    assert len(hashes) == 1
    assert hashes.isdisjoint({(await adapter.verify(make(auth_date=str(NOW - 1)), "n", AT)).proof_hash})


async def test_both_proofs_of_one_mini_app_are_one() -> None:
    signed = dict(parse_qsl(by_key()))
    del signed["hash"]
    both = mini_app(signed)
    proven: list[ProvenIdentity] = [await ADAPTERS[way][0].verify(both, "n", AT) for way in ("mini_app", "by_key")]
    assert proven[0] == proven[1]


@every_way
async def test_a_field_twice_or_two_in_one_is_refused(way: str) -> None:
    adapter, make = ADAPTERS[way]
    good = make()
    assert await refused(adapter, f"{good}&auth_date={NOW}", "n", AT)
    assert await refused(adapter, f"auth_date={NOW}&{good}", "n", AT)
    pairs = dict(parse_qsl(good))
    made = pairs.pop("auth_date")
    # The same lines, cut in another way: two fields as one with a line break inside.
    name = "id" if way == "widget" else "query_id"
    joined = {key: value for key, value in pairs.items() if key != name} | {"auth_date": f"{made}\n{name}={pairs[name]}"}
    assert await refused(adapter, urlencode(joined), "n", AT)


@every_way
@pytest.mark.parametrize(
    "text",
    [
        "",
        "&",
        "=",
        "hash",
        "hash=",
        "a=1",
        "%ff=1",
        "hash=%ff",
        "a=%00",
        "\0",
        "\ud800",
        "x" * 100_000,
        "&".join(f"a{n}=1" for n in range(40)),
        "{}",
    ],
)
async def test_what_are_no_data_is_refused(way: str, text: str) -> None:
    assert await refused(ADAPTERS[way][0], text, "n", AT)


@pytest.mark.parametrize("given", ["A" * 64, "", "0" * 63, "é" * 64, "0" * 65])
@pytest.mark.parametrize("way", ["mini_app", "widget"])
async def test_odd_hashes_are_refused(way: str, given: str) -> None:
    adapter, make = ADAPTERS[way]
    assert await refused(adapter, urlencode(dict(parse_qsl(make())) | {"hash": given}), "n", AT)
    assert await refused(adapter, urlencode(dict(parse_qsl(make())) | {"hash": dict(parse_qsl(make()))["hash"].upper()}), "n", AT)


@pytest.mark.parametrize("given", ["", "A", "é" * 86, "A" * 86, base64.b64encode(b"x" * 64).decode(), "A" * 10_000])
async def test_odd_signatures_are_refused(given: str) -> None:
    assert await refused(ADAPTERS["by_key"][0], urlencode(dict(parse_qsl(by_key())) | {"signature": given}), "n", AT)


@pytest.mark.parametrize(
    "user",
    [
        "absent", "", "null", "[]", "{}", '"x"', '{"id":"512345678"}', '{"id":0}', '{"id":-1}', '{"id":1.0}', '{"id":true}', '{"id":9223372036854775808}',
        '{"id":1,"id":2}', '{"id":1,"is_bot":true}', '{"id":1,"first_name":"\\ud800"}', '{"id":1,"first_name":"\\u0000"}', "[" * 6_000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("way", ["mini_app", "by_key"])
async def test_data_of_nobody_are_refused(way: str, user: str) -> None:
    adapter, make = ADAPTERS[way]
    assert await refused(adapter, make(user=user), "n", AT)


@pytest.mark.parametrize("subject", ["absent", "", "0", "-5", "5e3", "x", "5" * 20, "５"])
async def test_a_widget_s_id_is_a_number(subject: str) -> None:
    assert await refused(ADAPTERS["widget"][0], widget(id=subject), "n", AT)


async def test_a_name_of_another_kind_is_no_name() -> None:
    proven = await ADAPTERS["mini_app"][0].verify(mini_app(user='{"id":7,"first_name":["x"],"last_name":"\\u001b[31m林"}'), "n", AT)
    assert (proven.subject, proven.display_name) == ("7", "[31m林")


@pytest.mark.parametrize("bot", ["", "7654321098", ":x", "abc:def", "1: x", "1:\n"])
def test_what_is_no_bot_token_stops_the_start(bot: str) -> None:
    for adapter in (TelegramMiniApp, TelegramWidget):
        with pytest.raises(ValueError, match="bot token"):
            adapter(bot)


@pytest.mark.parametrize(
    ("bot_id", "key"),
    [("x", PUBLIC), ("", PUBLIC), ("1", ""), ("1", "zz"), ("1", PUBLIC[:-2])],
    ids=["no number", "no id", "no key", "no hexadecimal key", "a short key"],  # the key is a fresh one in each process
)
def test_what_is_no_bot_or_no_key_stops_the_start(bot_id: str, key: str) -> None:
    with pytest.raises(ValueError):
        TelegramMiniAppByKey(bot_id, key)
