"""Contract section 11: cancel, amend."""

from domain.claims.recognition import lexicon as lx
from domain.claims.recognition import phrases
from domain.claims.recognition.anchors import GONE, LIVE, SILENT_ASK, SILENT_NONE, Anchor
from domain.claims.recognition.phrases import unread
from domain.claims.recognition.result import Op, Reason, Scope
from domain.claims.recognition.tokens import BLANK, EVERY, LEX, PHRASE_KINDS, SHOP, Token

_ADD, _REMOVE = Op.ADD, Op.REMOVE


class Change:
    """A cancellation or an unclear change at one place of the comment."""

    __slots__ = ("index", "items", "problem", "qty", "scope", "status", "why")

    def __init__(self, index: int) -> None:
        self.index = index
        self.items: list[Token] = []
        self.qty: int | float | None = None
        self.problem: Reason | None = None
        self.scope: Scope | None = None
        self.status = LIVE
        self.why: Reason | None = None


class Reader:
    """Reads the changes of a comment and takes the anchors that belong to them."""

    __slots__ = ("anchors", "changes", "floor", "tokens")

    def __init__(self, tokens: list[Token], anchors: list[Anchor]) -> None:
        self.tokens = tokens
        self.anchors = anchors
        self.changes: list[Change] = []
        self.floor = 0

    def run(self) -> None:
        """One pass; `at` follows the first anchor at or after the token."""
        at = 0
        taken = {anchor.setting for anchor in self.anchors}
        for index, token in enumerate(self.tokens):
            while at < len(self.anchors) and self.anchors[at].last <= index:
                at += 1
            if token.kind != LEX or not token.roles & _CHANGING or index < self.floor or token.person:
                continue
            change: Change | None
            if token.roles & (lx.CANCEL | lx.CANCEL_ALL):
                change = self._cancel(index, at)
            elif token.roles & lx.SPLIT:
                change = self._split(index)
            elif index not in taken:
                change = self._unset(index)
            else:
                continue
            if change is not None:
                self.changes.append(change)
                for item in change.items:
                    item.used = True

    def _cancel(self, index: int, at: int) -> Change:
        """A `cancel` word at `index`; `at` is the first anchor after it."""
        token = self.tokens[index]
        change = Change(index)
        floor, self.floor = self.floor, index + 1
        if token.sentence.asks:
            change.status, change.why = SILENT_ASK, Reason.LOOKS_LIKE_QUESTION
            if self._taken_before(index, at, floor) is not None:
                self._silence_before(index, at, floor)
            self._silence_after(index, at)
            return change
        left = index - 1
        while left >= 0 and self.tokens[left].kind == BLANK:
            left -= 1
        if left >= 0 and self.tokens[left].kind == LEX and self.tokens[left].roles & lx.NEGATOR:
            change.status, change.why = SILENT_NONE, Reason.NEGATED
            return change
        if self._quantity_before(change, at, floor):
            return change
        first = self.anchors[at - 1].last if at else 0
        phrase = phrases.left(self.tokens, index, max(floor, first), token.sentence)
        if phrase.items:
            self._named(change, phrase, at)
        else:
            self._named_after(change, at)
        return change

    def _silence_before(self, index: int, at: int, floor: int) -> None:
        """+1取消嗎 and 紅L+1 白M+1取消嗎 ask: nothing before it in its clause orders."""
        clause = self.tokens[index].clause
        while at and self.anchors[at - 1].core >= floor and self.tokens[self.anchors[at - 1].core].clause is clause:
            at -= 1
            self.anchors[at].status, self.anchors[at].why = SILENT_ASK, Reason.LOOKS_LIKE_QUESTION

    def _silence_after(self, index: int, at: int) -> None:
        """Anchors after 可以取消…? in its clause ask with it."""
        while at < len(self.anchors) and self.tokens[self.anchors[at].core].clause is self.tokens[index].clause:
            self.anchors[at].status, self.anchors[at].why = SILENT_ASK, Reason.LOOKS_LIKE_QUESTION
            at += 1

    def _taken_before(self, index: int, at: int, floor: int) -> Anchor | None:
        """The anchor before a cancel word in its clause, if only known words stand between."""
        token = self.tokens[index]
        if not at or self.anchors[at - 1].core < floor or self.tokens[self.anchors[at - 1].core].clause is not token.clause:
            return None
        anchor = self.anchors[at - 1]
        between = self.tokens[anchor.last : index]
        if any(word.kind in (SHOP, EVERY) or (word.kind in PHRASE_KINDS and unread(word)) for word in between) or anchor.op is not _ADD:
            return None
        return anchor

    def _quantity_before(self, change: Change, at: int, floor: int) -> bool:
        """紅L+1取消 takes that quantity back; with two quantities before it is unclear which."""
        token = self.tokens[change.index]
        anchor = self._taken_before(change.index, at, floor)
        if anchor is None:
            return False
        if at > 1 and self.anchors[at - 2].core >= floor and self.tokens[self.anchors[at - 2].core].clause is token.clause:
            change.problem = Reason.UNCLEAR_CHANGE
            self.anchors[at - 2].status = anchor.status = GONE
            return True
        anchor.op = _REMOVE
        change.status = GONE
        return True

    def _named(self, change: Change, phrase: phrases.Phrase, at: int) -> None:
        """紅L取消, 紅L取消1件."""
        change.items = phrase.items
        if phrase.unknown is not None:
            change.problem = Reason.UNKNOWN_ITEM
        if at < len(self.anchors) and self._follows(change.index, self.anchors[at].first):
            anchor = self.anchors[at]
            change.qty = anchor.qty
            change.problem = change.problem or anchor.problem
            anchor.status = GONE
            self.floor = anchor.last

    def _follows(self, index: int, first: int) -> bool:
        """Whether nothing but a blank stands between the cancel word and a quantity."""
        return first == index + 1 or (first == index + 2 and self.tokens[index + 1].kind == BLANK)

    def _attached(self, index: int, at: int) -> bool:
        """Whether unknown characters touch the cancel word (取消免運)."""
        tokens = self.tokens
        left = tokens[index - 1] if index else None
        right = tokens[index + 1] if index + 1 < len(tokens) else None
        if left is not None and left.kind in PHRASE_KINDS and unread(left):
            return True
        starts = at < len(self.anchors) and self.anchors[at].first == index + 1
        return right is not None and not starts and right.kind in PHRASE_KINDS and unread(right)

    def _named_after(self, change: Change, at: int) -> None:
        """取消紅L+1, 取消+1, 取消紅L; nothing named is UNNAMED, or ALL with 全部取消."""
        token = self.tokens[change.index]
        mine = [a for a in self.anchors[at : at + 2] if self.tokens[a.core].clause is token.clause]
        if len(mine) == 2:
            change.problem = Reason.UNCLEAR_CHANGE
            for anchor in mine:
                anchor.status = GONE
            return
        if mine and mine[0].op is _ADD and not self._attached(change.index, at):
            mine[0].op = _REMOVE
            change.status = GONE
            return
        end = self._before_set(change.index, token.clause.end if not mine else mine[0].first)
        phrase = phrases.right(self.tokens, change.index + 1, end, token.sentence)
        if phrase.unknown is None and self._attached(change.index, at):
            change.problem = Reason.UNCLEAR_CHANGE
            return
        if phrase.items:
            change.items = phrase.items
            change.problem = Reason.UNKNOWN_ITEM if phrase.unknown is not None else None
            self.floor = end
            return
        whole = token.roles & lx.CANCEL_ALL or self._all_before(change.index)
        change.scope = Scope.ALL if whole else Scope.UNNAMED

    def _all_before(self, index: int) -> bool:
        """全部都取消: a word for everything right before the cancel word."""
        place = index - 1
        while place >= 0 and self.tokens[place].kind == BLANK:
            place -= 1
        before = self.tokens[place] if place >= 0 else None
        return before is not None and before.kind == LEX and bool(before.roles & (lx.ALL | lx.ALL_EACH))

    def _before_set(self, index: int, end: int) -> int:
        """取消紅L改白L: what is taken back ends before the `set` word."""
        for at in range(index + 1, end):
            if self.tokens[at].kind == LEX and self.tokens[at].roles & _CHANGING:
                return at
        return end

    def _split(self, index: int) -> Change | None:
        """不要紅L了: the item inside is taken back."""
        items: list[Token] = []
        for at in range(index + 1, len(self.tokens)):
            token = self.tokens[at]
            if token.kind in (SHOP, EVERY):
                items.append(token)
            elif items and token.text == "了":
                change = Change(index)
                change.items = items
                if token.sentence.asks:
                    change.status, change.why = SILENT_ASK, Reason.LOOKS_LIKE_QUESTION
                self.floor = at + 1
                return change
            elif token.kind != BLANK and not (token.kind == LEX and token.roles & (lx.FILLER | lx.NAME)):
                break
        return None

    def _unset(self, index: int) -> Change | None:
        """A `set` word without its quantity: unclear among known words or before an item, else prose."""
        tokens = self.tokens
        token = tokens[index]
        change = Change(index)
        change.problem = Reason.UNCLEAR_CHANGE
        if token.sentence.asks:
            change.status, change.why = SILENT_ASK, Reason.LOOKS_LIKE_QUESTION
        after = index + 1
        while after < token.clause.end and (
            tokens[after].kind == BLANK or (tokens[after].kind == LEX and tokens[after].roles & (lx.FILLER | lx.NAME))
        ):
            after += 1
        if after < token.clause.end and tokens[after].kind == SHOP:
            return change
        return None if self._prose(token) else change

    def _prose(self, token: Token) -> bool:
        """Whether the clause holds anything unknown."""
        clause = token.clause
        return bool(clause.unknown)


_CHANGING = lx.CANCEL | lx.CANCEL_ALL | lx.SPLIT | lx.SET
