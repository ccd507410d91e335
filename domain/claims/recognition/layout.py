"""Contract section 6: lines, sentences, clauses and chunks; 9.5 (persons) and 9.9 (每色 and its like) as words."""

from domain.claims.recognition import lexicon as lx
from domain.claims.recognition.context import Context
from domain.claims.recognition.tokens import ASK, BLANK, COMMA, EVERY, LEX, MASK, MINUS, NEWLINE, NUM, PLUS, SEP, SHOP, STAR, STOP, UNK, Token

_END_CHUNK = frozenset((BLANK, NEWLINE, STOP, ASK, COMMA, SEP, MASK))
_PERSON_LIMIT = 4
_LATE_CLOSE = frozenset("麼呢咩")
_EVERYTHING = "*"


class Clause:
    """What one clause holds: token range, and the places of its cues as token indexes (-1 or `BIG` where absent)."""

    __slots__ = ("counterfactual", "end", "last_close", "sentence", "start", "strong", "third", "unknown", "weak", "wish_degree")

    def __init__(self, start: int, sentence: "Sentence") -> None:
        self.start = start
        self.end = start
        self.sentence = sentence
        self.third = self.strong = self.weak = self.counterfactual = self.wish_degree = BIG
        self.last_close = -1
        self.unknown = False


class Sentence:
    """Whether it asks, where its conditions stand."""

    __slots__ = ("asks", "cond", "end", "last_advers", "start", "wish")

    def __init__(self, start: int) -> None:
        self.start = start
        self.end = start
        self.asks = False
        self.cond = False
        self.last_advers = -1
        self.wish = BIG


BIG = 1 << 60


class Layout:
    """The tokens of a comment with their places."""

    __slots__ = ("clauses", "sentences", "tokens")

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.sentences: list[Sentence] = []
        self.clauses: list[Clause] = []
        self._place()

    def _place(self) -> None:
        line = chunk = 0
        sentence = Sentence(0)
        clause = Clause(0, sentence)
        self.sentences.append(sentence)
        self.clauses.append(clause)
        closing = False
        for index, token in enumerate(self.tokens):
            kind = token.kind
            if closing and not (kind == ASK or (kind == LEX and token.roles & lx.PARTICLE) or kind == STOP or (kind == BLANK and self._ask_next(index))):
                closing = False
                sentence = Sentence(index)
                clause = Clause(index, sentence)
                self.sentences.append(sentence)
                self.clauses.append(clause)
            apart = kind in _END_CHUNK or (kind == LEX and token.roles & lx.CONNECTOR)
            chunk += bool(apart)
            token.line, token.sentence, token.clause, token.chunk = line, sentence, clause, chunk
            chunk += bool(apart)
            clause.end = sentence.end = index + 1
            if kind == LEX:
                self._note(index, token, clause, sentence)
                closing = closing or token.text == "嗎"
            elif kind == ASK:
                sentence.asks = True
                clause.last_close = index
                closing = True
            elif kind == NEWLINE:
                line += 1
                closing = True
            elif kind == STOP:
                closing = True
            elif kind == COMMA:
                clause = Clause(index + 1, sentence)
                self.clauses.append(clause)
            elif kind == UNK and not token.person:
                clause.unknown = True

    def _ask_next(self, index: int) -> bool:
        return index + 1 < len(self.tokens) and self.tokens[index + 1].kind == ASK

    def _note(self, index: int, token: Token, clause: Clause, sentence: Sentence) -> None:
        """Remember the cues of section 10 that are asked for by place."""
        roles = token.roles
        if roles & (lx.Q_WORD | lx.Q_CLOSE):
            if token.text in _LATE_CLOSE:
                if self._ends_chunk(index):
                    sentence.asks = True
                    clause.last_close = index
            else:
                sentence.asks = True
                if roles & lx.Q_CLOSE:
                    clause.last_close = index
        if roles & _NOTED:
            if roles & lx.THIRD and clause.third > index:
                clause.third = index
            if roles & lx.Q_STRONG and clause.strong > index:
                clause.strong = index
            if roles & lx.Q_WEAK and clause.weak > index:
                clause.weak = index
            if roles & lx.COUNTERFACTUAL and clause.counterfactual > index:
                clause.counterfactual = index
            if roles & lx.DEG_WISH and clause.wish_degree > index:
                clause.wish_degree = index
            if roles & (lx.DEG_WISH | lx.WISH) and sentence.wish > index:
                sentence.wish = index
            if roles & lx.COND:
                sentence.cond = True
            if roles & lx.ADVERS:
                sentence.last_advers = index

    def _ends_chunk(self, index: int) -> bool:
        after = index + 1
        while after < len(self.tokens) and self.tokens[after].kind == LEX and self.tokens[after].roles & lx.PARTICLE:
            after += 1
        if after == len(self.tokens):
            return True
        token = self.tokens[after]
        return token.kind in _END_CHUNK or (token.kind == LEX and bool(token.roles & lx.CONNECTOR))


_NOTED = lx.THIRD | lx.Q_STRONG | lx.Q_WEAK | lx.COUNTERFACTUAL | lx.DEG_WISH | lx.WISH | lx.COND | lx.ADVERS


def people(tokens: list[Token]) -> None:
    """Section 9.5: after 幫 替 代, at most four characters up to the next word of an order are a person."""
    index = 0
    while index < len(tokens):
        token = tokens[index]
        index += 1
        if not (token.kind == LEX and token.roles & lx.FOR):
            continue
        first, size = index, 0
        while index < len(tokens) and tokens[index].kind in (LEX, UNK) and not tokens[index].roles & _PERSON_ENDS:
            size += tokens[index].end - tokens[index].start
            index += 1
        if 0 < size <= _PERSON_LIMIT:
            for name in tokens[first:index]:
                name.person = True


_PERSON_ENDS = lx.BUY | lx.CONNECTOR | lx.FOR | lx.EACH


def universals(tokens: list[Token], context: Context) -> list[Token]:
    """Section 9.9: 每色, 各款, 每個尺寸 become one EVERY word whose value is the option's name, `*` or None."""
    out: list[Token] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        made = _universal(tokens, index, context) if token.kind == LEX and token.roles & lx.PREFIX else None
        if made is None:
            out.append(token)
            index += 1
            continue
        every, index = made
        out.append(every)
    return out


def _universal(tokens: list[Token], index: int, context: Context) -> tuple[Token, int] | None:
    """The EVERY word at `index` and the place after it."""
    prefix = tokens[index]
    after = index + 1
    if after == len(tokens) or tokens[after].start != prefix.end:
        return None
    word = tokens[after]
    if word.kind not in (LEX, UNK):
        return None
    if word.kind == LEX and word.roles & lx.NAME:
        option: str | None = context.option_names[word.text]
        size = len(word.text)
    else:
        suffix = next((word.text[:n] for n in (2, 1) if word.text[:n] in lx.SUFFIXES), None)
        if suffix is None or (word.kind == LEX and suffix != word.text):
            return None
        names = lx.SUFFIXES[suffix]
        option = _EVERYTHING if _EVERYTHING in names else next((n for n in names if n in context.option_names), None)
        size = len(suffix)
    every = Token(EVERY, prefix.start, word.start + size, prefix.text + word.text[:size], 0, option)
    if size < len(word.text):
        rest = Token(UNK, word.start + size, word.end, word.text[size:])
        tokens[after] = rest
        return every, after
    return every, after + 1


__all__ = ["BIG", "MINUS", "NUM", "PLUS", "SHOP", "STAR", "Clause", "Layout", "Sentence", "people", "universals"]
