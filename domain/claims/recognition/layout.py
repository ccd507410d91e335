"""Contract section 6: lines, sentences, clauses and chunks; 9.5 (persons) and 9.9 (每色 and its like) as words."""

from domain.claims.recognition import lexicon as lx
from domain.claims.recognition.context import Context
from domain.claims.recognition.places import Clause, Sentence
from domain.claims.recognition.tokens import (
    ASK,
    BLANK,
    COMMA,
    EVERY,
    LEX,
    MASK,
    NEWLINE,
    SEP,
    STOP,
    UNK,
    Token,
)

_END_CHUNK = frozenset((BLANK, NEWLINE, STOP, ASK, COMMA, SEP, MASK))
_PERSON_LIMIT = 4
_LATE_CLOSE = frozenset("麼呢咩")
_EVERYTHING = "*"


class Layout:
    """The tokens of a comment with their places."""

    __slots__ = ("asks", "clauses", "sentences", "tokens")

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.sentences: list[Sentence] = []
        self.clauses: list[Clause] = []
        self._place()
        self.asks = bool([sentence for sentence in self.sentences if sentence.asks])

    def _place(self) -> None:
        line = chunk = 0
        sentence = Sentence(0)
        clause = Clause(0, sentence)
        self.sentences.append(sentence)
        self.clauses.append(clause)
        closing = False
        index = -1
        for token in self.tokens:
            index += 1
            kind = token.kind
            if closing and not self._still_closing(index, token):
                clause.end = sentence.end = index
                closing = False
                sentence = Sentence(index)
                clause = Clause(index, sentence)
                self.sentences.append(sentence)
                self.clauses.append(clause)
            token.line, token.sentence, token.clause = line, sentence, clause
            if kind > MASK:
                token.chunk = chunk
                if kind == LEX:
                    if token.roles & lx.CONNECTOR:
                        token.chunk = chunk + 1
                        chunk += 2
                    if token.roles & _HEEDED:
                        self._note(index, token, clause, sentence)
                        closing = closing or token.text == "嗎"
                elif kind == UNK and not token.person:
                    clause.unknown = True
                continue
            token.chunk = chunk + 1
            chunk += 2
            if kind == BLANK:
                continue
            if kind == COMMA:
                clause.end = index + 1
                clause = Clause(index + 1, sentence)
                self.clauses.append(clause)
            elif kind != SEP and kind != MASK:
                closing = True
                line += kind == NEWLINE
                if kind == ASK:
                    sentence.asks = True
                    clause.last_close = index
        clause.end = sentence.end = index + 1

    def _still_closing(self, index: int, token: Token) -> bool:
        """Particles and marks that follow the end of a sentence belong to it."""
        kind = token.kind
        if kind == LEX:
            return bool(token.roles & lx.PARTICLE)
        return kind in (ASK, STOP) or (kind == BLANK and self._ask_next(index))

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
            self._place_cues(index, roles, clause)
            if roles & (lx.DEG_WISH | lx.WISH) and sentence.wish > index:
                sentence.wish = index
            if roles & lx.COND:
                sentence.cond = True
            if roles & lx.ADVERS:
                sentence.last_advers = index

    @staticmethod
    def _place_cues(index: int, roles: int, clause: Clause) -> None:
        """The first place of each cue in its clause."""
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

    def _ends_chunk(self, index: int) -> bool:
        after = index + 1
        while after < len(self.tokens) and self.tokens[after].kind == LEX and self.tokens[after].roles & lx.PARTICLE:
            after += 1
        if after == len(self.tokens):
            return True
        token = self.tokens[after]
        return token.kind in _END_CHUNK or (token.kind == LEX and bool(token.roles & lx.CONNECTOR))


_NOTED = lx.THIRD | lx.Q_STRONG | lx.Q_WEAK | lx.COUNTERFACTUAL | lx.DEG_WISH | lx.WISH | lx.COND | lx.ADVERS
_HEEDED = _NOTED | lx.Q_WORD | lx.Q_CLOSE


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
    if after == len(tokens) or tokens[after].start != prefix.end or tokens[after].kind not in (LEX, UNK):
        return _prefix_alone(prefix, context, after)
    word = tokens[after]
    if word.kind == LEX and word.roles & lx.NAME:
        option: str | None = context.option_names[word.text]
        size = len(word.text)
    else:
        suffix = next((word.text[:n] for n in (2, 1) if word.text[:n] in lx.SUFFIXES), None)
        if suffix is None or (word.kind == LEX and suffix != word.text):
            return _prefix_alone(prefix, context, after)
        option = _suffixed(suffix, context)
        size = len(suffix)
    every = Token(EVERY, prefix.start, word.start + size, prefix.text + word.text[:size], 0, option)
    if size < len(word.text):
        rest = Token(UNK, word.start + size, word.end, word.text[size:])
        tokens[after] = rest
        return every, after
    return every, after + 1


def _suffixed(suffix: str, context: Context) -> str | None:
    names = lx.SUFFIXES[suffix]
    return _EVERYTHING if _EVERYTHING in names else next((name for name in names if name in context.option_names), None)


def _prefix_alone(prefix: Token, context: Context, after: int) -> tuple[Token, int] | None:
    """每款 and 每種 hold their suffix already."""
    suffix = prefix.text[1:]
    if suffix not in lx.SUFFIXES:
        return None
    return Token(EVERY, prefix.start, prefix.end, prefix.text, 0, _suffixed(suffix, context)), after
