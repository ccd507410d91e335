"""The word lists of the contract as one table: word to the set of its roles, one bit per list."""

from domain.claims.recognition.data import LEXICON
from domain.claims.recognition.normalise import normalise

_LISTS = (
    *("buy", "filler", "praise", "kin", "for", "particle", "measure", "dozen", "unit_not_quantity", "unit_ask", "connector", "each"),
    *("universal_prefix", "all", "all_each", "set", "total", "reduce", "cancel", "cancel_split", "cancel_all", "negator"),
    *("q_strong", "q_weak", "q_weak_adjacent", "q_close", "q_word", "q_avail", "q_price", "cond", "advers", "deg_wish"),
    *("counterfactual", "defer", "past", "third", "mention_after", "range", "then", "en_number"),
)
_BIT = {name: 1 << place for place, name in enumerate(_LISTS)}

BUY, FILLER, PRAISE, KIN, FOR, PARTICLE = (_BIT[n] for n in ["buy", "filler", "praise", "kin", "for", "particle"])
MEASURE, DOZEN, UNIT, UNIT_ASK = (_BIT[n] for n in ["measure", "dozen", "unit_not_quantity", "unit_ask"])
CONNECTOR, EACH, PREFIX, ALL, ALL_EACH = (_BIT[n] for n in ["connector", "each", "universal_prefix", "all", "all_each"])
SET, TOTAL, REDUCE, CANCEL, SPLIT, CANCEL_ALL = (_BIT[n] for n in ["set", "total", "reduce", "cancel", "cancel_split", "cancel_all"])
NEGATOR, Q_STRONG, Q_WEAK, Q_ADJACENT = (_BIT[n] for n in ["negator", "q_strong", "q_weak", "q_weak_adjacent"])
Q_CLOSE, Q_WORD, Q_AVAIL, Q_PRICE = (_BIT[n] for n in ["q_close", "q_word", "q_avail", "q_price"])
COND, ADVERS, DEG_WISH, COUNTERFACTUAL = (_BIT[n] for n in ["cond", "advers", "deg_wish", "counterfactual"])
DEFER, PAST, THIRD, MENTION_AFTER, RANGE, THEN = (_BIT[n] for n in ["defer", "past", "third", "mention_after", "range", "then"])
EN_NUMBER = _BIT["en_number"]
NAME = 1 << len(_LISTS)
"""An option name of the post."""
WISH = NAME << 1
"""A `buy` word with 想 in it (section 10, rule 5)."""
ASK_FIRST = WISH << 1
"""請問 or 想問, which may stand before a question about buying (section 10, rule 4)."""
TRIGGER = ASK_FIRST << 1
"""A trigger word of the post (section 8.4)."""

CALM = BUY | FILLER | PRAISE | PARTICLE
QUIET = CALM | KIN | FOR | NAME
CUES = (
    NEGATOR
    | Q_STRONG
    | Q_WEAK
    | Q_ADJACENT
    | Q_CLOSE
    | Q_WORD
    | Q_AVAIL
    | Q_PRICE
    | COND
    | ADVERS
    | DEG_WISH
    | COUNTERFACTUAL
    | DEFER
    | PAST
    | THIRD
    | MENTION_AFTER
    | THEN
)
CHANGES = SET | TOTAL | REDUCE | CANCEL | SPLIT | CANCEL_ALL
KNOWN = QUIET | CUES | CHANGES | TRIGGER | EACH | ALL_EACH | ALL
AFTER_ADD = MEASURE | DOZEN | PARTICLE | FILLER | BUY | PRAISE | KIN | Q_CLOSE | CANCEL | CANCEL_ALL | SET

DOZENS: dict[str, int] = {normalise(word): value for word, value in LEXICON["dozen"].items()}
EN_NUMBERS: dict[str, int] = LEXICON["en_number"]
CN_DIGITS: dict[str, int] = {normalise(word): value for word, value in LEXICON["cn_digit"].items()}
CN_UNITS: dict[str, int] = {normalise(word): value for word, value in LEXICON["cn_unit"].items()}
CN_ONE_NOT_BEFORE = frozenset(map(normalise, LEXICON["cn_one_not_number_before"]))
SUFFIXES: dict[str, list[str]] = {normalise(word): [normalise(n) for n in names] for word, names in LEXICON["universal_suffix"].items()}


def _table() -> dict[str, int]:
    """Every word of the lists but the numbers in Chinese, with its roles."""
    table: dict[str, int] = {}
    for name in _LISTS:
        for word in LEXICON[name]:
            normal = normalise(word)
            table[normal] = table.get(normal, 0) | _BIT[name]
    del table["?"]
    for word, roles in table.items():
        if roles & BUY and "想" in word:
            table[word] |= WISH
    asking = [word for word, roles in table.items() if roles & _BIT["q_word"]]
    for word, roles in table.items():
        if roles & _BIT["q_price"] and ("幾" in word or any(part in word for part in asking)):
            table[word] |= _BIT["q_word"]
    for word in ("請問", "想問"):
        table[word] |= ASK_FIRST
    return table


WORDS: dict[str, int] = _table()
