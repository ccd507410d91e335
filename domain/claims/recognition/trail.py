"""The trail of section 2: what each stretch was read as, in code points of the original."""

from domain.claims.recognition import lexicon as lx
from domain.claims.recognition.anchors import REMOVAL, Anchor
from domain.claims.recognition.phrases import unread
from domain.claims.recognition.result import Span, Trail, TrailKind
from domain.claims.recognition.tokens import ASK, EVERY, LEX, MASK, NUM, SHOP, UNK, Token

_CUED = lx.CUES & ~lx.THEN & ~lx.MENTION_AFTER | lx.TRIGGER | lx.WISH
_ITEM, _QTY, _OP, _CUE = TrailKind.ITEM, TrailKind.QTY, TrailKind.OP, TrailKind.CUE
_UNKNOWN, _IGNORED = TrailKind.UNKNOWN, TrailKind.IGNORED
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
        span = (start, end) if self.origins is None else (self.origins[start], self.origins[end - 1] + 1)
        self.out.append(Trail(kind, span, self.text[span[0] : span[1]], value))

    def tokens(self, tokens: list[Token], used: set[int]) -> bool:
        """All words but those of the anchors; whether any was unknown."""
        strange = False
        for token in tokens:
            if token.kind < MASK and token.kind != ASK:
                continue
            kind = _kind(token, used)
            if kind is not None:
                strange = strange or kind is _UNKNOWN
                self.add(kind, token.start, token.end, token.text)
        return strange

    def anchor(self, tokens: list[Token], anchor: Anchor) -> None:
        """The quantity, and what stands for items inside the anchor."""
        first, last = tokens[anchor.core], tokens[anchor.last - 1]
        for token in tokens[anchor.core : anchor.last]:
            token.used = True
        self.add(_QTY, first.start, last.end, "" if anchor.qty is None else str(anchor.qty))
        if anchor.kind == REMOVAL:
            self.add(_OP, first.start, first.end, "REMOVE")
        if anchor.universal or anchor.count:
            begin = tokens[anchor.first if anchor.setting < 0 else anchor.setting + 1]
            self.add(_ITEM, begin.start, tokens[anchor.core - 1].end, "*")


def _kind(token: Token, used: set[int]) -> TrailKind | None:
    kind, roles = token.kind, token.roles
    if kind in (SHOP, EVERY):
        return _ITEM if token.start in used else _IGNORED
    if kind == LEX:
        if roles & _CHANGED:
            return _OP
        return _CUE if roles & _CUED and not roles & lx.FILLER else None
    if kind == ASK:
        return _CUE
    if kind == MASK:
        return _IGNORED
    if kind in (UNK, NUM) and not token.used and unread(token):
        return _UNKNOWN
    return None
