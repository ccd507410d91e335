"""Contract sections 9.1 to 9.5: which words belong to an anchor."""

from itertools import pairwise

from domain.claims.recognition import lexicon as lx
from domain.claims.recognition.places import Sentence
from domain.claims.recognition.tokens import COMMA, EVERY, LEX, MASK, MINUS, NUM, PHRASE_KINDS, SHOP, UNK, Token

_NAME_LIMIT = 4
_STOPS = lx.CANCEL | lx.CANCEL_ALL


class Phrase:
    """Item words in text order, the unknown name among them, people and remarks beside them."""

    __slots__ = ("items", "person", "ranged", "remark", "unknown")

    def __init__(self) -> None:
        self.items: list[Token] = []
        self.unknown: Token | None = None
        self.person: Token | None = None
        self.remark = False
        self.ranged = False

    @property
    def own(self) -> bool:
        """Whether the anchor has words of its own (section 8.6)."""
        return bool(self.items or self.unknown or self.person or self.remark)


def unread(token: Token) -> bool:
    """Whether a word is unknown in the sense of section 9.2."""
    if token.kind == LEX:
        return not (token.roles & lx.KNOWN or token.person)
    return token.kind in (UNK, NUM) and not token.person


def _name_like(chunk: list[Token], unknown: list[Token]) -> bool:
    """Section 9.3: what stands left of the symbol names the thing."""
    last = chunk[-1]
    if last.kind == LEX and last.roles & (lx.PARTICLE | lx.PRAISE):
        return False
    first, final = unknown[0], unknown[-1]
    size = 0
    for token in chunk:
        if first.start <= token.start <= final.start:
            size += sum(char >= "⺀" for char in token.text)
            if size > _NAME_LIMIT:
                return False
    return True


def _touched(chunk: list[Token]) -> Token | None:
    """The unknown word that touches an item word."""
    for left, right in pairwise(chunk):
        if left.kind in (SHOP, EVERY) and unread(right):
            return right
        if right.kind in (SHOP, EVERY) and unread(left):
            return left
    return None


def _items(chunk: list[Token]) -> list[Token]:
    return [token for token in chunk if token.kind in (SHOP, EVERY)]


def _nearest(phrase: Phrase, chunk: list[Token], unknown: list[Token]) -> None:
    """Section 9.3 for the chunk next to the symbol."""
    touched = _touched(chunk)
    if touched is not None:
        phrase.unknown = touched
        phrase.items = _items(chunk)
        return
    phrase.items = [token for token in _items(chunk) if token.start > unknown[-1].start]
    if phrase.items:
        phrase.remark = True
    elif _name_like(chunk, unknown):
        phrase.unknown = unknown[0]
    else:
        phrase.remark = True


class _Scan:
    """Gathers chunks leftwards until the contract says stop; item words come last first."""

    __slots__ = ("any", "comma", "phrase")

    def __init__(self) -> None:
        self.phrase = Phrase()
        self.comma = False
        self.any = False

    def take(self, chunk: list[Token]) -> bool:
        """Add one chunk (in text order); False ends the scan."""
        phrase = self.phrase
        if self.comma and not all(token.kind == SHOP for token in chunk):
            return False
        if phrase.items and any(token.kind == LEX and token.roles & lx.PRAISE for token in chunk):
            return False
        chunk, cut = self._after_buy(chunk)
        if not chunk:
            return not cut
        for token in chunk:
            if token.person or token.roles & lx.KIN:
                phrase.person = token
        unknown = [token for token in chunk if unread(token)]
        if not self.any:
            self.any = True
            if unknown:
                _nearest(phrase, chunk, unknown)
                phrase.items.reverse()
                return not cut and phrase.unknown is None
            phrase.items = _items(chunk)[::-1]
        elif unknown:
            phrase.remark = True
        else:
            phrase.items += _items(chunk)[::-1]
        return not cut

    def _after_buy(self, chunk: list[Token]) -> tuple[list[Token], bool]:
        """Section 9.2: text before the last `buy` word that has an item after it does not count."""
        seen = bool(self.phrase.items)
        for place in range(len(chunk) - 1, -1, -1):
            token = chunk[place]
            if token.kind in (SHOP, EVERY):
                seen = True
            elif seen and token.kind == LEX and token.roles & lx.BUY and not token.person:
                return chunk[place + 1 :], True
        return chunk, False


def left(tokens: list[Token], end: int, floor: int, sentence: Sentence) -> Phrase:
    """The phrase that ends at `end`, looking no further back than `floor` or the sentence."""
    phrase = _leftwards(tokens, end, floor, sentence)
    phrase.items.reverse()
    return phrase


def _leftwards(tokens: list[Token], end: int, floor: int, sentence: Sentence) -> Phrase:
    """The scan of `left`."""
    scan = _Scan()
    chunk: list[Token] = []
    index = end - 1
    while index >= floor:
        token = tokens[index]
        index -= 1
        if token.sentence is not sentence or token.kind == MASK or token.used or (token.kind == LEX and token.roles & _STOPS):
            if token.kind == MASK and not chunk and token.text[0] == "@":
                scan.phrase.person = scan.phrase.person or token
            break
        if token.kind in PHRASE_KINDS and not (token.kind == LEX and token.roles & lx.CONNECTOR):
            chunk.append(token)
            continue
        if chunk:
            if not scan.take(chunk[::-1]):
                return scan.phrase
            chunk = []
        if token.kind == COMMA:
            scan.comma = True
        elif scan.phrase.items and (token.kind == MINUS or token.text == "~"):
            scan.phrase.ranged = True
    if chunk:
        scan.take(chunk[::-1])
    return scan.phrase


def chunks(tokens: list[Token], start: int, ceiling: int, sentence: Sentence) -> list[tuple[list[Token], bool]]:
    """The chunks from `start` on, each with whether a comma was crossed to reach it."""
    out: list[tuple[list[Token], bool]] = []
    chunk: list[Token] = []
    comma = False
    for index in range(start, ceiling):
        token = tokens[index]
        if token.sentence is not sentence or token.kind == MASK or (token.kind == LEX and token.roles & _STOPS):
            break
        if token.kind in PHRASE_KINDS and not (token.kind == LEX and token.roles & lx.CONNECTOR):
            chunk.append(token)
            continue
        if chunk:
            out.append((chunk, comma))
            chunk = []
        comma = comma or token.kind == COMMA
    if chunk:
        out.append((chunk, comma))
    return out


def right(tokens: list[Token], start: int, ceiling: int, sentence: Sentence) -> Phrase:
    """Section 9.4: the phrase that begins at `start`; unknown words are remarks unless they touch an item."""
    phrase = Phrase()
    for chunk, comma in chunks(tokens, start, ceiling, sentence):
        if comma and not all(token.kind == SHOP for token in chunk):
            break
        if phrase.items and any(token.kind == LEX and token.roles & lx.PRAISE for token in chunk):
            break
        for token in chunk:
            if token.person or token.roles & lx.KIN:
                phrase.person = token
        touched = _touched(chunk)
        phrase.unknown = phrase.unknown or touched
        phrase.remark = phrase.remark or any(map(unread, chunk))
        phrase.items += _items(chunk)
    return phrase


def trailing(tokens: list[Token], start: int, ceiling: int, sentence: Sentence, has_items: bool) -> list[Token]:
    """Section 9.1: known item chunks after the last anchor of a clause join it."""
    found: list[Token] = []
    for chunk, comma in chunks(tokens, start, ceiling, sentence):
        if comma or any(token.kind == LEX and token.roles & lx.SET for token in chunk):
            break
        if any(map(unread, chunk)) or (has_items and any(token.kind == LEX and token.roles & lx.PRAISE for token in chunk)):
            continue
        found += _items(chunk)
    return found
