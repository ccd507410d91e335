"""A comment cut into words: contract sections 5 (leftmost, then longest), 7 (numbers) and the soft masks of 4."""

import unicodedata

from domain.claims.recognition import lexicon as lx
from domain.claims.recognition import masks
from domain.claims.recognition.context import Context, ShopWord
from domain.claims.recognition.places import Clause, Sentence

BLANK, NEWLINE, STOP, ASK, COMMA, SEP, MASK, SHOP, LEX, NUM, PLUS, MINUS, STAR, UNK, EVERY = range(15)
PHRASE_KINDS = frozenset((SHOP, LEX, NUM, UNK, EVERY))
TOO_MANY = 10**6
HUGE_DIGITS = 6


class Token:
    """One word; `value` is a number, a `ShopWord` or the options of an EVERY."""

    line: int
    chunk: int
    sentence: Sentence
    clause: Clause
    __slots__ = ("chunk", "clause", "end", "kind", "line", "person", "roles", "sentence", "start", "text", "used", "value")

    def __init__(self, kind: int, start: int, end: int, text: str, roles: int = 0, value: object = None) -> None:
        self.kind = kind
        self.start = start
        self.end = end
        self.text = text
        self.roles = roles
        self.value = value
        self.person = False
        self.used = False


def _class(char: str) -> int:
    """Kind of a character that begins no word: punctuation, or UNK for letters and marks."""
    kind = {" ": BLANK, "\n": NEWLINE, "?": ASK, ",": COMMA, "。": STOP, "!": STOP, ";": STOP, "-": MINUS, "*": STAR}.get(char)
    if kind is not None:
        return kind
    return UNK if unicodedata.category(char)[0] in "LMN" else SEP


class _Kinds(dict[str, int]):
    def __missing__(self, char: str) -> int:
        kind = self[char] = _class(char)
        return kind


_KINDS = _Kinds()
_CN = frozenset(lx.CN_DIGITS) | frozenset(lx.CN_UNITS)
_DIGITS = frozenset("0123456789")
_LATIN = frozenset("abcdefghijklmnopqrstuvwxyz")
_NOT_BEFORE_ADD = frozenset("參增附更外添施疊")
_MONEY = frozenset(("元", "圓", "塊錢"))
_SPACED_UNITS = frozenset(("元", "圓", "塊錢", "%"))
_CALENDAR = frozenset(
    ["點", "點鐘", "分", "分鐘", "秒", "天", "日", "週", "周", "個月", "個禮拜", "個小時", "年", "月", "小時", "歲", "樓"]
)


def cn_number(text: str, start: int) -> tuple[int, int | None]:
    """End and value of the Chinese number at `start`; value None for two digits in a row (一兩)."""
    end = start
    total = digit = 0
    pending = False
    doubtful = False
    while end < len(text) and end - start < HUGE_DIGITS and text[end] in _CN:
        char = text[end]
        if char in lx.CN_DIGITS:
            doubtful = doubtful or (pending and digit != 0)
            digit, pending = lx.CN_DIGITS[char], True
        else:
            unit = lx.CN_UNITS[char]
            total += unit if unit in (20, 30) and not pending else (digit if pending else 1) * unit
            digit, pending = 0, False
        end += 1
    return end, None if doubtful else total + digit


class Tokenizer:
    """Reads one normalised comment against one context, left to right."""

    __slots__ = ("context", "hard", "roles", "soft", "text", "tokens", "words")

    def __init__(self, text: str, context: Context, tagged: list[tuple[int, int]] | None, wide: frozenset[int]) -> None:
        self.text = text
        self.context = context
        self.words = context.words
        self.hard = masks.hard(text, tagged, wide)
        self.soft = masks.soft(text)
        self.tokens: list[Token] = []
        self.roles = 0

    def match(self, at: int) -> tuple[str, int | ShopWord] | None:
        """The longest shop or lexicon word at `at`, kept whole at its edges."""
        text = self.text
        sizes = self.context.lengths.get(text[at])
        if sizes is None:
            return None
        for size in sizes:
            word = text[at : at + size]
            found = self.words.get(word)
            if found is not None and len(word) == size and self._whole(at, at + size, found):
                return word, found
        return None

    def _whole(self, start: int, end: int, found: int | ShopWord) -> bool:
        """An ASCII word does not start or end inside a run of its class; a Latin lexicon word has no digit after it."""
        text = self.text
        first, last = text[start], text[end - 1]
        if first < "\x80" and start and _same(text[start - 1], first):
            return False
        if end == len(text) or last >= "\x80":
            return True
        after = text[end]
        return not (_same(last, after) or (type(found) is int and after in _DIGITS and last in _LATIN))

    def run(self) -> list[Token]:
        """All tokens of the comment."""
        text, tokens, plus = self.text, self.tokens, self.context.plus
        lengths, hard, soft = self.context.lengths, self.hard, self.soft
        at, size = 0, len(text)
        while at < size:
            char = text[at]
            if hard and at in hard:
                tokens.append(Token(MASK, at, hard[at], text[at : hard[at]]))
                at = hard[at]
                continue
            found = self.match(at) if char in lengths else None
            if found is not None and type(found[1]) is ShopWord:
                tokens.append(Token(SHOP, at, at + len(found[0]), found[0], 0, found[1]))
                at += len(found[0])
            elif soft and at in soft and self._soft(at):
                at = tokens[-1].end
            elif char in _DIGITS or char in _CN:
                at = self._number(at, found)
            elif found is not None:
                at = self._word(at, *found)
            elif char in plus:
                tokens.append(Token(PLUS, at, at + 1, char))
                at += 1
            else:
                at = self._other(at, char)
        return tokens

    def _soft(self, at: int) -> bool:
        """A soft mask, but not a number pair right after the symbol, nor a tag whose body is a shop word."""
        end = self.soft[at]
        char = self.text[at]
        if char in _DIGITS:
            before = self._before()
            if before is not None and before.kind == PLUS:
                return False
        elif char == "#":
            found = self.match(at + 1)
            if found and type(found[1]) is ShopWord and at + 1 + len(found[0]) == end:
                return False
        self.tokens.append(Token(MASK, at, end, self.text[at:end]))
        return True

    def _before(self) -> Token | None:
        """The last token that is no blank."""
        for token in reversed(self.tokens[-2:]):
            if token.kind != BLANK:
                return token
        return None

    def _number(self, at: int, found: tuple[str, int | ShopWord] | None) -> int:
        """A number, or a lexicon word that is longer, or 十 as the symbol."""
        text = self.text
        value: int | float | None
        if text[at] in _DIGITS:
            end, value = self._ascii_number(at)
        else:
            if (
                text[at] == "十"
                and self.context.has_plus
                and text[at + 1 : at + 2] in _DIGITS
                and not (self.tokens and self.tokens[-1].kind == NUM)
            ):
                self.tokens.append(Token(PLUS, at, at + 1, "十"))
                return at + 1
            end, value = cn_number(text, at)
            if end - at == 1 and text[at] == "一" and text[end : end + 1] in lx.CN_ONE_NOT_BEFORE and text[end:]:
                if found is not None:
                    return self._word(at, *found)
                return self._unknown(at, at + 1)
        if found is not None and at + len(found[0]) > end:
            return self._word(at, *found)
        self.tokens.append(Token(NUM, at, end, text[at:end], 0, value))
        return end

    def _ascii_number(self, at: int) -> tuple[int, int | float]:
        """Digits; 0.5 stands for any fraction, TOO_MANY for anything longer than a quantity."""
        text, end = self.text, at
        while end < len(text) and text[end] in _DIGITS:
            end += 1
        whole = text[at:end].lstrip("0") if end - at > 1 else text[at:end]
        value: int | float = int(whole or "0") if len(whole) <= HUGE_DIGITS else TOO_MANY
        if text[end : end + 1] == "." and text[end + 1 : end + 2] in _DIGITS and end + 1 < len(text):
            end += 1
            while end < len(text) and text[end] in _DIGITS:
                end += 1
            value = 0.5
        return end, value

    def _word(self, at: int, word: str, roles: int | ShopWord) -> int:
        """A lexicon word; a unit swallows the number before it, and the symbol before that."""
        assert type(roles) is int
        end = at + len(word)
        if roles & lx.EN_NUMBER:
            self.tokens.append(Token(NUM, at, end, word, lx.EN_NUMBER, lx.EN_NUMBERS[word]))
            return end
        if (roles & lx.UNIT or word == "塊") and self._unit(word, end):
            return end
        self.roles |= roles
        self.tokens.append(Token(LEX, at, end, word, roles))
        return end

    def _unit(self, word: str, end: int) -> bool:
        """Whether the word turned the number before it into a mask (+100元, 300元, 3點)."""
        tokens = self.tokens
        back = len(tokens)
        if back and tokens[-1].kind == BLANK and word in _SPACED_UNITS:
            back -= 1
        if not back or tokens[back - 1].kind != NUM:
            return False
        number = tokens[back - 1]
        first = back - 1
        while first and tokens[first - 1].kind == BLANK:
            first -= 1
        signed = first > 0 and tokens[first - 1].kind in (PLUS, MINUS)
        if word == "塊":
            value = number.value
            if type(value) is int and value <= 9:
                return False
        elif not signed and word not in _MONEY and word not in _CALENDAR:
            return False
        start = tokens[first - 1] if signed else number
        del tokens[first - 1 if signed else back - 1 :]
        tokens.append(Token(MASK, start.start, end, self.text[start.start : end]))
        return True

    def _other(self, at: int, char: str) -> int:
        """Punctuation, 加 as the symbol, x between numbers, or something unknown."""
        text = self.text
        kind = _KINDS[char]
        if kind != UNK:
            self.tokens.append(Token(kind, at, at + 1, char))
            return at + 1
        if char == "加" and self.context.has_plus and self._adds(at):
            self.tokens.append(Token(PLUS, at, at + 1, char))
            return at + 1
        if not _latin(char):
            return self._unknown(at, at + 1)
        end = at + 1
        while end < len(text) and _latin(text[end]) and (text[end] in _LATIN or text[end] not in self.context.lengths):
            end += 1
        if char == "x" and end == at + 1 and (text[end : end + 2].lstrip(" ")[:1] in _CN | _DIGITS or self._after_number()):
            self.tokens.append(Token(STAR, at, end, char))
            return end
        while end < len(text) and text[end] in _DIGITS:
            end += 1
        return self._unknown(at, end)

    def _after_number(self) -> bool:
        return bool(self.tokens) and self.tokens[-1].kind == NUM

    def _unknown(self, start: int, end: int) -> int:
        """Unknown characters; neighbours become one word."""
        tokens = self.tokens
        if tokens and tokens[-1].kind == UNK and tokens[-1].end == start:
            start = tokens.pop().start
        tokens.append(Token(UNK, start, end, self.text[start:end]))
        return end

    def _adds(self, at: int) -> bool:
        """Section 7.2: whether 加 is the symbol here."""
        text = self.text
        if at and text[at - 1] in _NOT_BEFORE_ADD:
            return False
        start = at + 1
        while start < len(text) and start - at < 4 and text[start] == " ":
            start += 1
        if start >= len(text):
            return False
        if text[start] in _DIGITS:
            end, _ = self._ascii_number(start)
        elif text[start] in _CN:
            end, _ = cn_number(text, start)
            if end - start == 1 and text[start] == "一" and text[end : end + 1] in lx.CN_ONE_NOT_BEFORE and text[end:]:
                return False
        else:
            return text.startswith("半打", start)
        if end >= len(text) or end in self.hard or end in self.soft:
            return True
        found = self.match(end)
        if found is not None:
            return not isinstance(found[1], int) or bool(found[1] & (lx.AFTER_ADD | lx.CONNECTOR | lx.UNIT_ASK))
        return text[end] in self.context.plus or _KINDS[text[end]] != UNK


def _latin(char: str) -> bool:
    """A letter of an alphabet, not a Chinese, Japanese or Korean character."""
    return char in _LATIN or (char > "\x7f" and char < "⺀" and _KINDS[char] == UNK)


def _same(left: str, right: str) -> bool:
    """Both letters of an alphabet, or both digits."""
    if left in _DIGITS:
        return right in _DIGITS
    return _latin(left) and _latin(right)
