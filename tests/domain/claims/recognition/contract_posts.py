"""The posts that the contract's examples are said under."""

from domain.claims.recognition import Context, compile_context, recognize


def _post(*offers, policy="STRICT", max_qty=20, words=(), symbols=("+",), focus=None):
    return compile_context(
        {
            "policy": policy, "trigger_symbols": list(symbols), "trigger_words": list(words), "max_qty": max_qty, "closes_at": None,
            "focus": focus, "fillers": [], "offers": list(offers),
        }
    )  # fmt: skip


def _offer(id, title, *, codes=(), aliases=(), options=(), on_sale=True, without=()):
    """An offer whose variants are all combinations of `options` ({name: {key: label}}) but `without`."""
    combos = [{}]
    for name, values in options:
        combos = [{**combo, name: key} for combo in combos for key in values]
    variants = [
        {"id": "".join([id, *combo.values()]), "values": combo, "code": None, "on_sale": True}
        for combo in combos
        if tuple(combo.values()) not in without
    ]
    shown = [{"name": n, "values": [{"key": k, "label": label, "aliases": []} for k, label in v.items()]} for n, v in options]
    return {
        "id": id,
        "title": title,
        "codes": list(codes),
        "aliases": list(aliases),
        "on_sale": on_sale,
        "max_qty": None,
        "options": shown,
        "variants": variants,
    }


_COLOURS = {"紅": "紅色", "白": "白色", "黑": "黑色"}
_SIZES = {"S": "S", "M": "M", "L": "L", "XL": "XL"}
_SHIRT = _offer("", "純棉上衣", codes=["A01"], aliases=["上衣"], options=[("顏色", _COLOURS), ("尺寸", _SIZES)], without={("紅", "XL")})
_TILE = _offer("N", "杏仁瓦片", aliases=["瓦片"])
_SCARF = _offer("", "羊毛圍巾", aliases=["圍巾"], options=[("顏色", _COLOURS)])
_LIVE = [
    _offer("A1", "髮圈", codes=["A1"]),
    _offer("A10", "髮帶", codes=["A10"]),
    _offer("B1", "睡褲", codes=["B1"], options=[("尺寸", {"M": "M", "L": "L"})]),
    _offer("B2", "背心", codes=["B2"], options=[("尺寸", {"L": "L", "XL": "XL", "3XL": "3XL"})]),
    _offer("C3", "杯子", codes=["C3"], on_sale=False),
]
_NAMES = [
    _offer("洗髮組", "1+1洗髮組", aliases=["1+1"]),
    _offer("咖啡", "3合1咖啡"),
    _offer("", "iPhone 15手機殼", aliases=["iPhone 15"], options=[("顏色", {"透明": "透明", "黑": "黑色"})]),
]
POSTS: dict[str, Context] = {
    "T": _post(_SHIRT, max_qty=10),
    "N": _post(_TILE),
    "V": _post(*_LIVE, max_qty=5),
    "S": _post(_SCARF, policy="LENIENT"),
    "C": _post(_SCARF, policy="CONFIRM"),
    "ST": _post(_SCARF, policy="STRICT"),
    "P": _post(*_NAMES),
    "W": _post(_offer("W", "小白鞋", options=[("尺寸", {"37": "37", "38": "38"})])),
    "K": _post(
        _offer("A1", "Dress", codes=["A1"], options=[("size", {"M": "M", "L": "L"})]),
        _offer("A2", "Bag", codes=["A2"]),
        words=["cf", "mine"],
    ),
    "F": _post(
        *(_offer(i, t, codes=[c], options=[("顏色", _COLOURS)]) for i, t, c in (("t", "托特包", "L1"), ("c", "棒球帽", "L2"))), focus="c"
    ),
    "R": _post(*(_offer(f"R{n}", f"房型{n}甲", codes=[str(n)]) for n in (101, 102, 103, 104))),
}


def said(post: str, text: str) -> str:
    """The result as the tables write it: intent, reason or scope, lines, `?` where somebody must answer."""
    result = recognize(text, POSTS[post])
    signs = {"ADD": "+", "SET": "=", "REMOVE": "-"}
    lines = sorted(f"{line.variant}{signs[line.op]}{'all' if line.qty is None else line.qty}" for line in result.lines)
    scope = result.scope if result.scope and result.scope != "LINES" else None
    silent = result.intent == "QUESTION"
    parts = [str(result.intent), "" if silent else str(result.reason or scope or ""), *lines, "?" if result.question and not silent else ""]
    return " ".join(part for part in parts if part)
