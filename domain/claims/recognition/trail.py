"""The trail of section 2: what each stretch was read as, in code points of the original."""

from domain.claims.recognition import lexicon as lx
from domain.claims.recognition.anchors import REMOVAL, Anchor
from domain.claims.recognition.phrases import unread
from domain.claims.recognition.reading import Reading
from domain.claims.recognition.result import Span, Trail, TrailKind
from domain.claims.recognition.tokens import ASK, EVERY, LEX, MASK, NUM, SHOP, UNK, Token

_CUED = lx.CUES & ~lx.THEN & ~lx.MENTION_AFTER | lx.TRIGGER
_CHANGED = lx.CANCEL | lx.CANCEL_ALL | lx.SET


class Tracer:
    """Writes trail entries for one comment."""

    __slots__ = ("origins", "out", "text")

    def __init__(self, text: str, origins: list[int] | None) -> None:
        self.text = text
        self.origins = origins
        self.out: list[Trail] = []

    def span(self, start: int, end: int) -> Span:
        """A normalised span in the original text."""
        if self.origins is None:
            return start, end
        return self.origins[start], self.origins[end - 1] + 1

    def add(self, kind: TrailKind, start: int, end: int, value: str) -> None:
        span = self.span(start, end)
        self.out.append(Trail(kind, span, self.text[span[0] : span[1]], value))

    def tokens(self, reading: Reading, used: set[int], inside: set[int]) -> None:
        """All words but those of the anchors."""
        for index, token in enumerate(reading.tokens):
            kind = _kind(token, used, index in inside)
            if kind is not None:
                self.add(kind, token.start, token.end, token.text)

    def anchor(self, tokens: list[Token], anchor: Anchor) -> None:
        """The quantity, and what stands for items inside the anchor."""
        first, last = tokens[anchor.core], tokens[anchor.last - 1]
        self.add(TrailKind.QTY, first.start, last.end, "" if anchor.qty is None else str(anchor.qty))
        if anchor.kind == REMOVAL:
            self.add(TrailKind.OP, first.start, first.end, "REMOVE")
        if anchor.universal or anchor.count:
            begin = tokens[anchor.first if anchor.setting < 0 else anchor.setting + 1]
            self.add(TrailKind.ITEM, begin.start, tokens[anchor.core - 1].end, "*")


def _kind(token: Token, used: set[int], inside: bool) -> TrailKind | None:
    kind, roles = token.kind, token.roles
    if kind in (SHOP, EVERY):
        return TrailKind.ITEM if token.start in used else TrailKind.IGNORED
    if kind == LEX:
        if roles & _CHANGED:
            return TrailKind.OP
        return TrailKind.CUE if roles & _CUED and not roles & lx.FILLER else None
    if kind == ASK:
        return TrailKind.CUE
    if kind == MASK:
        return TrailKind.IGNORED
    if kind in (UNK, NUM) and not inside and unread(token):
        return TrailKind.UNKNOWN
    return None
