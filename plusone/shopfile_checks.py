"""What the parts of a shop file must be to each other, and the secrets that its endpoints name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from domain.money import minor_from_text
from domain.payments.accounts import SECRET
from domain.payments.ecpay import CURRENCY, PUBLIC_TEST_SHOPS
from domain.shops.rules import Role, SourcePlatform
from domain.stock.rules import SellBeyond
from plusone.shopfile_parts import SOURCE_OF, ChannelPart, EndpointPart, FileRefused, PostPart, Problem, ProductPart, ShopFile, VariantPart

P = SourcePlatform
CHANNEL_IDS: Final[Mapping[SourcePlatform, tuple[re.Pattern[str], str]]] = {
    P.FACEBOOK_PAGE: (re.compile(r"[0-9]{5,20}"), "the Page's id, digits only (GET /me/accounts shows it)"),
    P.INSTAGRAM: (re.compile(r"[0-9]{5,20}"), "the professional account's id, digits only (GET /me shows it as user_id)"),
    P.LINE_GROUP: (
        re.compile(r"[CR][0-9a-f]{16,64}"),
        "the id of the group: C (a room: R) and hexadecimal digits; `plusone shop show` lists it",
    ),
    P.TELEGRAM: (re.compile(r"-[0-9]{1,20}"), "the id of the group or channel with its minus, such as -1001234567890"),
}
POST_IDS: Final[Mapping[SourcePlatform, tuple[re.Pattern[str], str]]] = {
    P.FACEBOOK_PAGE: (re.compile(r"[0-9]+_[0-9]+"), "the post's id: {page id}_{post id}, digits only; on a Page every post is named"),
    P.INSTAGRAM: (re.compile(r"[0-9]+"), "the id of the media, digits only; at Instagram every post is named"),
    P.LINE_GROUP: (re.compile(r"[0-9]*"), "the id of a message, or leave it out: then the whole chat is meant"),
    P.TELEGRAM: (re.compile(r"[0-9]*"), "the number of a thread or channel post, or leave it out: then the whole chat is meant"),
    P.FACEBOOK_GROUP: (re.compile(r".+"), "the post's id; in a Facebook group every post is named"),
}
META: Final = ("facebook", "instagram")
CONTACTS: Final = (P.INSTAGRAM, P.TELEGRAM)
PRIVATE: Final = (P.FACEBOOK_PAGE, P.INSTAGRAM)
TELEGRAM_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")


def path_of(loc: tuple[int | str, ...]) -> str:
    """`products[2].variants[1].price`: entries are counted from 1, as people do."""
    text = ""
    for part in loc:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def problems_between(file: ShopFile) -> list[Problem]:
    """Everything that does not fit together."""
    return [*_people(file), *_places(file), *_payments(file), *_products(file), *_posts(file)]


def _twice(path: str, names: Iterable[str], told: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for place, name in enumerate(names):
        if name in seen:
            yield Problem(path.format(place + 1), told)
        seen.add(name)


def _people(file: ShopFile) -> Iterator[Problem]:
    if all(person.role is not Role.OWNER for person in file.staff):
        yield Problem("staff", 'name at least one person with role = "OWNER"')
    yield from _twice("staff[{}].identity", (person.identity for person in file.staff), "stands here twice: one role per person")


def _places(file: ShopFile) -> Iterator[Problem]:
    for place, endpoint in enumerate(file.endpoints):
        yield from _endpoint(path_of(("endpoints", place)), endpoint)
    yield from _twice("endpoints[{}].slug", (e.path for e in file.endpoints), "this source and slug stand here twice")
    yield from _twice("channels[{}].key", (c.key for c in file.channels), "this key stands here twice")
    bound = [f"{c.endpoint} {c.external_id}" for c in file.channels]
    yield from _twice("channels[{}].external_id", bound, "is bound twice: one channel per page, group or chat")
    for place, channel in enumerate(file.channels):
        yield from _channel(path_of(("channels", place)), channel, file)


def _payments(file: ShopFile) -> Iterator[Problem]:
    if file.payments is None:
        return
    if file.shop.currency != CURRENCY:
        yield Problem("payments", f"leave it out: ECPay takes {CURRENCY} alone")
    if file.payments.site == "live" and file.payments.merchant_id in PUBLIC_TEST_SHOPS:
        yield Problem("payments.merchant_id", "is ECPay's public test merchant: use your own on the live site")


def _endpoint(path: str, endpoint: EndpointPart) -> Iterator[Problem]:
    if endpoint.source in META and endpoint.verify_token_env is None:
        yield Problem(f"{path}.verify_token_env", "is missing: Facebook's handshake asks for a word of yours")
    if endpoint.source != "line" and endpoint.access_token_env is not None:
        yield Problem(f"{path}.access_token_env", "leave it out: only LINE links accounts")
    if endpoint.source not in META and endpoint.verify_token_env is not None:
        yield Problem(f"{path}.verify_token_env", "leave it out: only Facebook and Instagram have a handshake")
    if endpoint.source != "line" and endpoint.destination:
        yield Problem(f"{path}.destination", "leave it out: only LINE names the receiving bot")


def _channel(path: str, channel: ChannelPart, file: ShopFile) -> Iterator[Problem]:
    source = SOURCE_OF.get(channel.platform)
    if source is None:
        yield Problem(f"{path}.platform", f"no comments come from there; one of {', '.join(SOURCE_OF)}")
        return
    if endpoint_of(channel, file) is None:
        slugs = ", ".join(e.slug for e in file.endpoints if e.source == source)
        yield Problem(f"{path}.endpoint", f"names no [[endpoints]] with source {source}; " + (f"there are {slugs}" if slugs else "add one"))
    if channel.contact and channel.platform not in CONTACTS:
        yield Problem(f"{path}.contact", "leave it out: only Instagram accounts and Telegram bots are written to by their names")
    if channel.private_links and channel.platform not in PRIVATE:
        yield Problem(f"{path}.private_links", "leave it out: only Pages and Instagram accounts answer comments privately")
    form = CHANNEL_IDS.get(channel.platform)
    if form is not None and not form[0].fullmatch(channel.external_id):
        yield Problem(f"{path}.external_id", form[1])


def endpoint_of(channel: ChannelPart, file: ShopFile) -> EndpointPart | None:
    """The endpoint that brings this channel's comments."""
    wanted = SOURCE_OF.get(channel.platform), channel.endpoint
    return next((endpoint for endpoint in file.endpoints if (endpoint.source, endpoint.slug) == wanted), None)


def _products(file: ShopFile) -> Iterator[Problem]:
    yield from _twice("products[{}].key", (p.key for p in file.products), "this key stands here twice")
    yield from _twice("products[{}].title", (p.title for p in file.products), "this title stands here twice: products are known by it")
    for place, product in enumerate(file.products):
        path = path_of(("products", place))
        yield from _options(path, product)
        labels = [product.label_of(variant) for variant in product.variants]
        yield from _twice(path + ".variants[{}]", labels, "another variant has this label or these values: variants are known by them")
        for number, variant in enumerate(product.variants):
            yield from _variant(f"{path}.variants[{number + 1}]", product, variant, file.shop.currency)


def _options(path: str, product: ProductPart) -> Iterator[Problem]:
    yield from _twice(path + ".options[{}].name", (o.name for o in product.options), "this option stands here twice")
    for number, option in enumerate(product.options):
        inner = f"{path}.options[{number + 1}]"
        yield from _twice(inner + ".values[{}]", (v.key for v in option.values), "this value stands here twice")
    combinations = [repr(sorted(v.values.items())) for v in product.variants] if product.options else []
    yield from _twice(path + ".variants[{}].values", combinations, "another variant has these values")


def _variant(path: str, product: ProductPart, variant: VariantPart, currency: str) -> Iterator[Problem]:
    for option in product.options:
        keys = [value.key for value in option.values]
        if variant.values.get(option.name) not in keys:
            yield Problem(f"{path}.values", f"names one value of each option; {option.name} has {', '.join(keys)}")
    if unknown := set(variant.values) - {option.name for option in product.options}:
        yield Problem(f"{path}.values", f"{len(unknown)} of its keys are no option of this product")
    if len(product.label_of(variant)) > 120:
        yield Problem(f"{path}.label", "give it a label of at most 120 characters: its values together are longer")
    try:
        fits = minor_from_text(variant.price, currency) >= 0 and not variant.price.startswith("-")
    except ValueError:
        fits = False
    if not fits:
        yield Problem(f"{path}.price", f"an amount of {currency} with no more decimals than it has, in quotes and without its sign")
    if (variant.sell_beyond is SellBeyond.DENY) != (variant.beyond == 0):
        told = 'sell_beyond = "PREORDER" or "OVERSELL" goes with beyond, the pieces that may be sold before they are there'
        yield Problem(f"{path}.beyond", told)


def _posts(file: ShopFile) -> Iterator[Problem]:
    yield from _twice("posts[{}].title", (p.title for p in file.posts), "this title stands here twice: posts are known by it")
    channels = {channel.key: channel for channel in file.channels}
    taken: set[tuple[str, str]] = set()
    for place, post in enumerate(file.posts):
        path = path_of(("posts", place))
        if post.opens and post.closes and post.closes <= post.opens:
            yield Problem(f"{path}.closes", "lies before opens")
        yield from _items(path, post, {product.key for product in file.products})
        for number, placement in enumerate(post.placements):
            yield from _placement(f"{path}.placements[{number + 1}]", placement.external_post_id, channels.get(placement.channel))
            where = (placement.channel, placement.external_post_id)
            if where in taken:
                yield Problem(f"{path}.placements[{number + 1}]", "another placement of this file stands there: one post per place")
            taken.add(where)


def _items(path: str, post: PostPart, keys: set[str]) -> Iterator[Problem]:
    for number, item in enumerate(post.items):
        if item.opens and item.closes and item.closes <= item.opens:
            yield Problem(f"{path}.items[{number + 1}].closes", "lies before opens")
        if item.product not in keys:
            yield Problem(
                f"{path}.items[{number + 1}].product", f"names no key of [[products]]; there are {', '.join(sorted(keys)) or 'none'}"
            )
    yield from _twice(path + ".items[{}].product", (i.product for i in post.items), "the post sells this product already")
    codes = [(number, code.casefold()) for number, item in enumerate(post.items) for code in item.codes]
    seen: dict[str, int] = {}
    for number, code in codes:
        if seen.setdefault(code, number) != number:
            yield Problem(
                f"{path}.items[{number + 1}].codes", "another item of this post has this code: nobody could tell which one is meant"
            )


def _placement(path: str, external_post_id: str, channel: ChannelPart | None) -> Iterator[Problem]:
    if channel is None:
        yield Problem(f"{path}.channel", "names no key of [[channels]]")
        return
    form = POST_IDS.get(channel.platform)
    of_another_page = channel.platform is P.FACEBOOK_PAGE and not external_post_id.startswith(f"{channel.external_id}_")
    if form is not None and (of_another_page or not form[0].fullmatch(external_post_id)):
        yield Problem(f"{path}.external_post_id", form[1])


def secrets_for(file: ShopFile, environment: Mapping[str, str | None]) -> dict[str, str]:
    """The secrets that the endpoints and the payments name, by the variable's name.

    Raises:
        FileRefused: a variable is not set, or holds what cannot be; names the variable.
    """
    found: dict[str, str] = {}
    problems: list[Problem] = []
    for place, endpoint in enumerate(file.endpoints):
        named = (
            ("secret_env", endpoint.secret_env),
            ("verify_token_env", endpoint.verify_token_env),
            ("access_token_env", endpoint.access_token_env),
        )
        for field, name in named:
            if name is None:
                continue
            value = environment.get(name) or ""
            told = _wrong_secret(endpoint, value, token=field == "secret_env")
            if told:
                problems.append(Problem(f"{path_of(('endpoints', place))}.{field}", f"{name} {told}"))
            found[name] = value
    if file.payments is not None:
        for field, name in (("hash_key_env", file.payments.hash_key_env), ("hash_iv_env", file.payments.hash_iv_env)):
            found[name] = environment.get(name) or ""
            if not SECRET.fullmatch(found[name]):
                told = "holds no key of ECPay: 16 letters and digits" if found[name] else "is not set: export it, or write it into .env"
                problems.append(Problem(f"payments.{field}", f"{name} {told}"))
    if problems:
        raise FileRefused(*problems)
    return found


def _wrong_secret(endpoint: EndpointPart, value: str, *, token: bool) -> str:
    if not value:
        return "is not set: export it, or write it into .env"
    if value != value.strip() or not value.isprintable() or len(value) > 4096:
        return "holds blanks around the secret, or characters that no secret has"
    if token and endpoint.source == "telegram" and not TELEGRAM_TOKEN.fullmatch(value):
        return "must be 1 to 256 of A-Z a-z 0-9 _ -: Telegram takes nothing else as secret_token"
    return ""
