"""Contract section 6: what one sentence and one clause hold."""

BIG = 1 << 60


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


class Clause:
    """What one clause holds: token range, and the places of its cues as token indexes (-1 or `BIG` where absent)."""

    __slots__ = ("counterfactual", "end", "last_close", "sentence", "start", "strong", "third", "unknown", "weak", "wish_degree")

    def __init__(self, start: int, sentence: Sentence) -> None:
        self.start = start
        self.end = start
        self.sentence = sentence
        self.third = self.strong = self.weak = self.counterfactual = self.wish_degree = BIG
        self.last_close = -1
        self.unknown = False
