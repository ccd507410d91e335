"""The languages that we speak, and which of them a reader gets."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

TAIWAN: Final = "zh-TW"
HONG_KONG: Final = "zh-HK"
CHINA: Final = "zh-CN"
ENGLISH: Final = "en"
LANGUAGES: Final = (TAIWAN, HONG_KONG, CHINA, ENGLISH)

LONGEST: Final = 200
"""Characters of an Accept-Language header that are read."""
MOST_KNOWN: Final = 1_024
_SUBTAGS: Final = re.compile(r"[-_#.@]+")
"""Between subtags: hyphens (BCP 47), and what phones and POSIX write: zh_TW_#Hant, zh_TW.UTF-8."""
_REGIONS: Final = {"tw": TAIWAN, "hk": HONG_KONG, "mo": HONG_KONG, "cn": CHINA, "sg": CHINA, "my": CHINA}
_TRADITIONAL: Final = {"hk": HONG_KONG, "mo": HONG_KONG}
_OTHERWISE: Final = {"zh": TAIWAN, "cmn": TAIWAN, "yue": HONG_KONG}
"""Chinese of no script and no region of ours. Cantonese is written as in Hong Kong, unless it is simplified."""


@lru_cache(maxsize=MOST_KNOWN)
def language_for(locale: str) -> str:
    """The language of a device, a shop or a member, such as zh-Hant-HK: English for one that we do not speak, zh-TW for none at all."""
    return _ours(locale) or (ENGLISH if locale.strip() else TAIWAN)


@lru_cache(maxsize=MOST_KNOWN)
def negotiate(header: str) -> str | None:
    """The language that an Accept-Language header asks for.

    The one of ours with the highest weight, the first of equals. English where only others are named, and None where none is: an empty
    header, `*`, weights of 0.
    """
    best: tuple[float, str] | None = None
    others = False
    for part in header[:LONGEST].split(","):
        tag, weight = _weighed(part)
        if not tag or tag == "*" or weight <= 0:
            continue
        language = _ours(tag)
        others = others or language is None
        if language is not None and (best is None or weight > best[0]):
            best = weight, language
    return best[1] if best else ENGLISH if others else None


def _weighed(part: str) -> tuple[str, float]:
    """`zh-HK; q=0.8` as its tag and weight; what is written wrongly weighs nothing."""
    tag, *parameters = (piece.strip() for piece in part.split(";"))
    if not parameters:
        return tag, 1.0
    name, _, value = parameters[0].partition("=")
    written = re.fullmatch(r"[01](?:\.\d{0,3})?", value.strip())
    return tag, min(float(written[0]), 1.0) if written and name.strip().lower() == "q" and len(parameters) == 1 else 0.0


def _ours(tag: str) -> str | None:
    """The language of one tag, by its script, then its region; None for one that we do not speak."""
    first, *rest = _SUBTAGS.split(tag.strip().lower())
    if first == "en":
        return ENGLISH
    if first not in _OTHERWISE:
        return None
    regions = [part for part in rest if part in _REGIONS]
    if "hans" in rest:
        return CHINA
    if "hant" in rest:
        return next((_TRADITIONAL[part] for part in regions if part in _TRADITIONAL), _OTHERWISE[first] if not regions else TAIWAN)
    return _REGIONS[regions[0]] if regions else _OTHERWISE[first]
