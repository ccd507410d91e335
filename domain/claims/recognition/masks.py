"""Contract section 4: stretches that hold no item and no quantity."""

import re

_N = r"(?:\d{1,6}|[零一二兩三四五六七八九十百]{1,4})"
_MAYBE_HARD = re.compile(r"[@.]|\d[\d -]{5}|://|7-11|www")
_MAYBE_SOFT = re.compile(r"[$#送滿第任選:/-]")
_PHONE = re.compile(
    r"\+(?:886|852|853|86|65|60|81|82|66|84|62|63)(?:[ -]?\d){7,12}(?!\d)"
    r"|\+\d{8,}+|(?<!\d)09\d\d[ -]?\d{3}[ -]?\d{3}(?!\d)|(?<!\d)0\d[ -]?\d{3,4}-?\d{4}(?!\d)|(?<!\d)\d{7,}+|(?<!\d)7-11(?!\d)"
)
_URL = re.compile(r"https?://|(?<![a-z0-9])www\.")
_HOST_RUN = re.compile(r"[a-z0-9.-]++")
_TOP = frozenset(
    (
        *("com", "net", "org", "tw", "hk", "cn", "jp", "kr", "sg", "my", "th", "vn", "id", "ph", "io", "me", "co", "cc", "ee", "tv"),
        *("app", "shop", "store", "info", "gov", "edu", "biz", "ly", "gl", "link", "page", "site", "online"),
    )
)
_MENTION = re.compile(r"@[\w.]+")
_MAIL_LEFT = re.compile(r"(?<![a-z0-9._%+-])[a-z0-9._%+-]{1,64}+@[a-z0-9-]{1,63}\.[a-z0-9.-]+")
_SOFT = re.compile(
    rf"(?:nt ?)?\$ ?\+? ?\d+(?:[.,]\d+)*|#\w+|買{_N}送{_N}|滿{_N}|第{_N}(?:[件個包組盒瓶])?|任選{_N}|(?<!\d){_N}選{_N}"
    r"|(?<!\d)\d{1,2}:\d{2}(?!\d)|(?<!\d)\d{1,4}/\d{1,2}(?:/\d{1,2})?(?!\d)|(?<!\d)\d+(?:-\d+)++"
)
Spans = dict[int, int]


def _address_end(text: str, at: int, wide: frozenset[int]) -> int:
    """An address goes up to a blank or CJK; `wide` are the places where CJK became ASCII (， ＋)."""
    while at < len(text) and "!" <= text[at] <= "~" and at not in wide:
        at += 1
    return at


def _urls(text: str, wide: frozenset[int], found: list[tuple[int, int]]) -> None:
    """`http(s)://` and `www.`."""
    start = _URL.search(text)
    while start is not None:
        end = _address_end(text, start.end(), wide)
        found.append((start.start(), end))
        start = _URL.search(text, end)


def _hosts(text: str, wide: frozenset[int], found: list[tuple[int, int]]) -> None:
    """Host names that end in a common top-level domain."""
    reached = 0
    for run in _HOST_RUN.finditer(text):
        labels = run.group().strip(".-").split(".")
        if run.start() >= reached and len(labels) > 1 and any(label in _TOP for label in labels[1:]) and not labels[0].isdigit():
            reached = _address_end(text, run.end(), wide)
            found.append((run.start(), reached))


def hard(text: str, tagged: list[tuple[int, int]] | None, wide: frozenset[int] = frozenset()) -> Spans:
    """Masks that go before shop words: people, addresses, phone numbers, 7-11. Start to end, none overlapping."""
    if not tagged and not _MAYBE_HARD.search(text):
        return {}
    found = list(tagged or ())
    if "://" in text or "www." in text:
        _urls(text, wide, found)
    if "." in text:
        _hosts(text, wide, found)
    if "@" in text:
        found.extend(m.span() for m in _MAIL_LEFT.finditer(text))
        if not tagged:
            found.extend(m.span() for m in _MENTION.finditer(text))
    found.extend(m.span() for m in _PHONE.finditer(text))
    return _disjoint(found)


def _disjoint(found: list[tuple[int, int]]) -> Spans:
    """Leftmost, then longest; what starts inside another joins it."""
    spans: Spans = {}
    last_start, last_end = -1, -1
    for start, end in sorted(found, key=lambda span: (span[0], -span[1])):
        if start >= last_end:
            spans[start] = end
            last_start, last_end = start, end
        elif end > last_end:
            spans[last_start] = last_end = end
    return spans


def soft(text: str) -> Spans:
    """Masks that hold where no shop word matches: tags, money, clock, calendar, promotion, N-M."""
    if not _MAYBE_SOFT.search(text):
        return {}
    return {m.start(): m.end() for m in _SOFT.finditer(text)}
