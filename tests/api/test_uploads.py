"""Pictures of transfers over HTTP: what is sent is attacked, what is served is a file for few."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import PIL.Image
import pytest

from api.app import create_app
from api.auth.tokens import issue_access
from api.limits import BODY_BYTES
from domain import db as database
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.clock import FixedClock
from domain.ids import new_id, public_id
from domain.members import keys
from domain.members.standing import forget
from domain.orders.rules import PaymentState
from domain.payments import slips
from domain.payments.transfer_rules import MOST_SLIPS, UPLOAD_BYTES
from domain.settings import load
from domain.vault import Vault
from tests.books import everything
from tests.build import AnOrder, AShop, Role, a_buyer, a_member, a_membership, a_shop, a_variant, an_order
from tests.domain.payments.pictures import HTML, NO_PICTURES, SECRET, a_bomb, a_picture, a_png_with, from_a_phone
from tests.domain.payments.transfers import owned_order, reported
from tests.serving import SECRET_KEY, raw, running

Token = Callable[[UUID], Awaitable[dict[str, str]]]


@pytest.fixture
async def services(db: str, clock: FixedClock) -> Services:
    keys.forget()
    forget()
    found = services_for(
        load(secret_key=SECRET_KEY, environment="production", public_url="https://plusone.test", _env_file=None), clock=clock
    )
    await keys.ensure_keys(found.vault, clock.now())
    return found


@pytest.fixture
async def http(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(services)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://plusone.test") as client,
    ):
        yield client


@pytest.fixture
def bearer(services: Services) -> Token:
    async def go(member: UUID) -> dict[str, str]:
        session, now = new_id(), services.clock.now()
        await database.execute(
            """insert into session (id, member_id, installation_id, created_at, last_used_at, idle_until, ends_at, ended_reason)
               values ($1, $2, 'test', $3, $3, $4, $4, '')""",
            session, member, now, now + timedelta(days=30),
        )  # fmt: skip
        token = await issue_access(member, session, 1, issuer=services.settings.public_url, now=now)
        return {"authorization": f"Bearer {token.text}"}

    return go


async def ticket(services: Services, member: UUID, order: AnOrder) -> tuple[str, str]:
    """(address, id of the picture)."""
    found, text = await slips.start(order_id=order.id, member_id=member, vault=services.vault, now=services.clock.now())
    return f"/uploads/slips/{text}", public_id("slip", found.slip_id)


async def sent(http: httpx.AsyncClient, path: str, data: bytes, **headers: str) -> httpx.Response:
    return await http.post(path, content=data, headers={"content-type": "image/jpeg", **headers})


def said(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


async def kept() -> int:
    found: int = await database.fetchval("select count(*) from transfer_slip")
    return found


async def test_a_picture_is_sent_reported_and_fetched_by_its_owner_and_the_shop(services, http, bearer) -> None:
    shop = await a_shop()
    owner = await a_membership(shop)
    member, order = await owned_order(shop)
    path, slip = await ticket(services, member, order)
    answer = await sent(http, path, from_a_phone())
    assert (answer.status_code, answer.json()) == (201, {"id": slip})
    assert answer.headers["cache-control"] == "no-store"
    for who in (member, owner):
        found = await http.get(f"/slips/{slip}", headers=await bearer(who))
        assert found.status_code == 200
        image = PIL.Image.open(io.BytesIO(found.content))
        assert (image.format, image.size) == ("JPEG", (200, 320))
        assert SECRET not in found.content
    assert await database.fetchval("select array_agg(action order by id) from audit_entry") == ["slip.keep", "slip.view"]
    assert await database.fetchval("select actor from audit_entry where action = 'slip.view'") == f"member:{owner}"


async def test_what_is_served_is_a_file_and_never_a_page(services, http, bearer) -> None:
    member, order = await owned_order(await a_shop())
    path, slip = await ticket(services, member, order)
    await sent(http, path, a_picture() + HTML)
    headers = (await http.get(f"/slips/{slip}", headers={**await bearer(member), "accept": "text/html"})).headers
    assert headers["content-type"] == "image/jpeg"
    assert headers["content-disposition"] == 'attachment; filename="slip.jpg"'
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


async def who_else(shop: AShop) -> dict[str, UUID]:
    other = await a_shop()
    ended = await a_membership(shop)
    await database.execute("update membership set ended_at = now() where member_id = $1", ended)
    stranger, _ = await owned_order(shop)
    return {
        "stranger": stranger,
        "helper": await a_membership(shop, role=Role.HELPER),
        "scanner": await a_membership(shop, role=Role.SCANNER),
        "denied": await a_membership(shop, role=Role.MANAGER, denied=["MARK_PAID"]),
        "ended": ended,
        "other owner": await a_membership(other),
    }


async def test_for_everybody_else_the_picture_is_not_there(services, http, bearer) -> None:
    shop = await a_shop()
    member, order = await owned_order(shop)
    path, slip = await ticket(services, member, order)
    await sent(http, path, a_picture())
    before = await everything()
    for name, who in (await who_else(shop)).items():
        found = await http.get(f"/slips/{slip}", headers=await bearer(who))
        missing = await http.get(f"/slips/{public_id('slip', new_id())}", headers=await bearer(who))
        assert (found.status_code, found.content) == (missing.status_code, missing.content) == (404, missing.content), name
    assert said(await http.get(f"/slips/{slip}")) == (401, "UNAUTHENTICATED")
    assert said(await http.get(f"/slips/{slip}", headers={"authorization": "Bearer nonsense"})) == (401, "UNAUTHENTICATED")
    for odd in ("nonsense", "order_AAAAAAAAAAAAAAAAAAAAAA", slip + "x", "%00", "..%2f..%2fetc%2fpasswd"):
        assert (await http.get(f"/slips/{odd}", headers=await bearer(member))).status_code == 404
    assert {k: v for k, v in (await everything()).items() if k == "audit_entry"} == {"audit_entry": before["audit_entry"]}


@pytest.mark.parametrize("name", NO_PICTURES)
async def test_what_is_no_picture_is_refused_whatever_it_says_it_is(services, http, name) -> None:
    member, order = await owned_order(await a_shop())
    path, _ = await ticket(services, member, order)
    for media_type in ("image/jpeg", "text/html", "multipart/form-data; boundary=x"):
        answer = await http.post(path, content=NO_PICTURES[name], headers={"content-type": media_type})
        assert said(answer) == (415, "UNSUPPORTED_MEDIA_TYPE")
        assert answer.headers["content-type"] == "application/json"
    assert await kept() == 0


async def test_a_picture_is_a_picture_whatever_it_says_it_is(services, http) -> None:
    member, order = await owned_order(await a_shop())
    for media_type in ("text/html", "image/svg+xml", "application/octet-stream"):
        path, _ = await ticket(services, member, order)
        assert (await http.post(path, content=a_picture("PNG"), headers={"content-type": media_type})).status_code == 201


BAD = {
    "half a picture": (a_picture(size=(640, 480))[:4000], 422, "BROKEN_PICTURE"),
    "half a png": (a_picture("PNG", size=(640, 480))[:300], 422, "BROKEN_PICTURE"),
    "a head alone": (b"\xff\xd8\xff\xe0", 422, "BROKEN_PICTURE"),
    "a bomb": (a_bomb(9_000), 422, "TOO_MANY_PIXELS"),
    "a head that lies": (a_png_with(60_000, 60_000), 422, "TOO_MANY_PIXELS"),
}


@pytest.mark.parametrize("name", BAD)
async def test_broken_pictures_and_bombs_are_refused_and_nothing_is_kept(services, http, name) -> None:
    data, status, code = BAD[name]
    member, order = await owned_order(await a_shop())
    path, slip = await ticket(services, member, order)
    before = await everything()
    answer = await sent(http, path, data)
    assert said(answer) == (status, code)
    assert "Traceback" not in answer.text
    assert "PIL" not in answer.text
    assert await kept() == 0
    assert await everything() == before
    assert (await sent(http, path, a_picture())).json() == {"id": slip}  # the address is good until a picture is there


async def test_what_is_too_large_is_refused_before_it_is_read(services, clock) -> None:
    """Told by its length, or cut off at the limit; an address that is none takes no more than any other request."""
    member, order = await owned_order(await a_shop())
    path, _ = await ticket(services, member, order)
    forged = path[:-2] + ("AA" if not path.endswith("AA") else "BB")
    async with running(create_app(services)) as base:
        host = base.removeprefix("http://")
        for target, length in ((path, UPLOAD_BYTES + 1), (forged, BODY_BYTES + 1)):
            head = f"POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n".encode()
            assert b" 413 " in (await raw(base, head)).split(b"\r\n")[0]
        async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
            padded = a_picture() + bytes(UPLOAD_BYTES - len(a_picture()))
            assert (await client.post(path, content=padded)).status_code == 201
    assert await kept() == 1


async def test_a_body_without_a_length_is_cut_off_at_the_limit(services, http) -> None:
    member, order = await owned_order(await a_shop())
    path, _ = await ticket(services, member, order)
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        while True:
            given += 500_000
            yield bytes(500_000)

    answer = await http.post(path, content=endless())
    assert said(answer) == (413, "PAYLOAD_TOO_LARGE")
    assert given <= UPLOAD_BYTES + 1_000_000


async def test_an_address_is_ours_and_good_for_ten_minutes(services, http, clock) -> None:
    member, order = await owned_order(await a_shop())
    path, _ = await ticket(services, member, order)
    text = path.rpartition("/")[2]
    for place in range(0, len(text), 7):
        other = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        assert said(await sent(http, f"/uploads/slips/{other}", a_picture())) == (404, "NOT_FOUND"), place
    for odd in ("x", text + "AAAA", text[:-4], "%00", "a" * 3_000, text + "%3D"):
        assert said(await sent(http, f"/uploads/slips/{odd}", a_picture())) == (404, "NOT_FOUND")
    theirs, foreign = await slips.start(order_id=order.id, member_id=member, vault=Vault("x" * 40), now=services.clock.now())
    assert said(await sent(http, f"/uploads/slips/{foreign}", a_picture())) == (404, "NOT_FOUND")
    assert theirs.order_id == order.id
    clock.at += timedelta(minutes=10)
    assert said(await sent(http, path, a_picture())) == (404, "NOT_FOUND")
    assert await kept() == 0


async def test_the_same_address_keeps_one_picture_also_at_the_same_time(services, http) -> None:
    member, order = await owned_order(await a_shop())
    path, slip = await ticket(services, member, order)
    answers = await asyncio.gather(*(sent(http, path, a_picture()) for _ in range(4)))
    assert [(a.status_code, a.json()) for a in answers] == [(201, {"id": slip})] * 4
    again = await sent(http, path, a_picture(size=(10, 10)))
    assert again.json() == {"id": slip}
    assert await database.fetch("select width, height from transfer_slip") == [(320, 200)]
    assert await database.fetchval("select count(*) from audit_entry where action = 'slip.keep'") == 1


async def test_an_order_that_left_the_member_or_was_paid_takes_no_picture(services, http) -> None:
    shop = await a_shop()
    member, order = await owned_order(shop)
    path, _ = await ticket(services, member, order)
    await database.execute('update "order" set member_id = $1, version = version + 1', await a_member())
    assert said(await sent(http, path, a_picture())) == (404, "NOT_FOUND")
    member, order = await owned_order(shop)
    path, _ = await ticket(services, member, order)
    await database.execute("""update "order" set state = 'CANCELLED', version = version + 1""")
    assert said(await sent(http, path, a_picture())) == (409, "CONFLICT")
    assert await kept() == 0


async def test_ten_pictures_in_ten_minutes_are_drawn_and_no_more(services, http, clock) -> None:
    member, order = await owned_order(await a_shop())
    answers = []
    for _ in range(11):
        path, _ = await ticket(services, member, order)
        answers.append((await sent(http, path, NO_PICTURES["gif"])).status_code)
    assert answers == [415] * 10 + [429]
    clock.at += timedelta(minutes=10, seconds=1)
    path, _ = await ticket(services, member, order)
    assert (await sent(http, path, a_picture())).status_code == 201


async def test_an_order_keeps_few_pictures_and_all_that_were_reported(services, http, clock) -> None:
    member, order = await owned_order(await a_shop())
    ids = []
    for number in range(MOST_SLIPS + 3):
        path, slip = await ticket(services, member, order)
        assert (await sent(http, path, a_picture(size=(20, 20)))).status_code == 201
        ids.append(slip)
        if number == 0:
            await reported(member, order, slip=await database.fetchval("select id from transfer_slip"), now=clock.now())
        clock.at += timedelta(seconds=61)
    left = [public_id("slip", row["id"]) for row in await database.fetch("select id from transfer_slip order by created_at, id")]
    assert left == [ids[0], *ids[-MOST_SLIPS:]]


async def test_the_server_goes_on_while_a_picture_is_drawn(services, http) -> None:
    """Drawing is a thread's work: other requests are answered meanwhile, and pictures are drawn one after the other."""
    drawn: list[tuple[float, float]] = []
    data = a_picture("PNG", size=(2_000, 2_000))
    honest = slips.redrawn

    def watched(content: bytes):
        begin = time.monotonic()
        try:
            return honest(content)
        finally:
            drawn.append((begin, time.monotonic()))

    shop = await a_shop()
    paths = [(await ticket(services, *(await owned_order(shop))))[0] for _ in range(3)]
    slips.redrawn = watched
    try:
        work = [asyncio.create_task(sent(http, path, data)) for path in paths]
        answered = 0
        while not all(task.done() for task in work):
            assert (await http.get("/health/live")).status_code == 200
            answered += 1
            await asyncio.sleep(0.001)
        assert [(await task).status_code for task in work] == [201] * 3
    finally:
        slips.redrawn = honest
    assert answered > 0
    assert all(end <= begin for (_, end), (begin, _) in zip(sorted(drawn), sorted(drawn)[1:], strict=False))


async def test_only_get_and_post_are_there(services, http, bearer) -> None:
    member, order = await owned_order(await a_shop())
    path, slip = await ticket(services, member, order)
    assert (await http.get(path)).status_code == 405
    assert (await http.post(f"/slips/{slip}", headers=await bearer(member))).status_code == 405
    assert (await http.put(path, content=a_picture())).status_code == 405


async def test_a_paid_order_shows_its_picture_still(services, http, bearer) -> None:
    shop = await a_shop()
    member = await a_member()
    order = await an_order(shop, {await a_variant(shop): 1}, buyer=await a_buyer(shop, member_id=member))
    path, slip = await ticket(services, member, order)
    await sent(http, path, a_picture())
    await database.execute("""update "order" set payment_state = 'PAID', paid_minor = total_minor, version = version + 1""")
    assert (await http.get(f"/slips/{slip}", headers=await bearer(member))).status_code == 200
    assert PaymentState.PAID.value == await database.fetchval('select payment_state from "order"')


def test_nothing_of_a_picture_reaches_the_logs() -> None:
    """What a decoder complains about is swallowed where it is met: no log line can hold it."""
    text = (Path(__file__).parents[2] / "domain" / "payments" / "pictures.py").read_text()
    assert "log" not in text.replace("catalog", "")
