"""Every example of the recognition contract, one table per section."""

import pytest

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


ORDER1 = "ORDER N+1"
NOTHING = "NONE NO_TRIGGER"
SECTION_2 = [
    ("N", "我沒有要+1", "NONE NEGATED"),
    ("T", "不要紅L+1", "AMBIGUOUS NEGATED"),
    ("N", "想+1但沒錢", "NONE HYPOTHETICAL"),
    ("N", "下次再+1", "NONE HYPOTHETICAL"),
    ("N", "好想+1", "AMBIGUOUS HYPOTHETICAL"),
    ("N", "大家都+1", "NONE REPORTED"),
    ("N", "剛剛+1了", "AMBIGUOUS REPORTED"),
    ("N", "可以+1", "AMBIGUOUS LOOKS_LIKE_QUESTION"),
    ("N", "有貨的話+1", "AMBIGUOUS CONDITIONAL"),
    ("N", "", NOTHING),
    ("N", "😍", NOTHING),
]
SECTION_4 = [
    ("N", "$+60", NOTHING),
    ("N", "450+60運費", NOTHING),
    ("N", "我的電話0912-345-678", NOTHING),
    ("N", "#團購 +1", ORDER1),
    ("N", "+1 https://lin.ee/abc+2", ORDER1),
    ("N", "下午3點+1", ORDER1),
    ("P", "1+1洗髮組+1", "ORDER 洗髮組+1"),
    ("P", "1+1 +2", "ORDER 洗髮組+2"),
    ("P", "3合1咖啡+1", "ORDER 咖啡+1"),
    ("P", "iphone15 黑+1", "ORDER 黑+1"),
    ("P", "咖啡+1", "AMBIGUOUS UNKNOWN_ITEM"),
    ("N", "https://shop.tw/p?a=+1", NOTHING),
    ("N", "Disney+ 的朋友推薦", NOTHING),
    ("N", "買3送1的話要怎麼算", "QUESTION"),
    ("N", "+100元", NOTHING),
    ("N", "+60運費", NOTHING),
    ("N", "+3天", NOTHING),
    ("N", "+2度", NOTHING),
    ("N", "+2公斤", "AMBIGUOUS AMBIGUOUS_QUANTITY"),
    ("N", "7+1", NOTHING),
    ("N", "450 + 60", NOTHING),
    ("W", "38+1", "ORDER W38+1"),
    ("N", "瓦片2+1", "AMBIGUOUS AMBIGUOUS_QUANTITY"),
    ("N", "Switch 2 +1", "AMBIGUOUS UNKNOWN_ITEM"),
    ("R", "109+1", "AMBIGUOUS UNKNOWN_ITEM"),
    ("N", "NT$250+1", "AMBIGUOUS AMBIGUOUS_QUANTITY"),
    ("V", "#A1+1", "ORDER A1+1"),
    ("S", "紅色3塊", "ORDER 紅+3"),
    ("N", "2026-03-08", NOTHING),
    ("N", "2026-03-08 +1", ORDER1),
    ("N", "12/25-27", NOTHING),
    ("N", "https://shop.tw/x，+1", ORDER1),
    ("N", "https://shop.tw/x＋1", ORDER1),
    ("N", "7+1+1", NOTHING),
]
SECTION_5 = [
    ("V", "A10+1", "ORDER A10+1"),
    ("T", "黑XXL+1", "AMBIGUOUS UNKNOWN_ITEM"),
    ("T", "紅白SM各+1", "AMBIGUOUS UNKNOWN_ITEM"),
    ("V", "B1L+1", "ORDER B1L+1"),
    ("T", "白3XL+1", "AMBIGUOUS UNKNOWN_ITEM"),
    ("V", "D9+1", "AMBIGUOUS UNKNOWN_ITEM"),
    ("V", "K55+1", "AMBIGUOUS UNKNOWN_ITEM"),
]
SECTION_7 = [
    ("N", "➕1️⃣", ORDER1),
    ("N", "＋１", ORDER1),
    ("N", "+٣", "ORDER N+3"),
    ("N", "+廿", "ORDER N+20"),
    ("N", "+半打", "ORDER N+6"),
    ("N", "+01", ORDER1),
    ("N", "瓦片十2", "ORDER N+2"),
    ("N", "+0", "AMBIGUOUS QUANTITY_OUT_OF_RANGE"),
    ("N", "+1.5", "AMBIGUOUS QUANTITY_OUT_OF_RANGE"),
    ("N", "+21", "AMBIGUOUS QUANTITY_OUT_OF_RANGE"),
    ("N", "+886912345678", NOTHING),
    ("N", "+1 0912345678", ORDER1),
    ("N", "瓦片加2", "ORDER N+2"),
    ("N", "再加1個", ORDER1),
    ("N", "加一下line", NOTHING),
    ("N", "參加一場", NOTHING),
    ("N", "+1個", ORDER1),
    ("N", "+兩件", "ORDER N+2"),
    ("N", "+3包", "ORDER N+3"),
    ("N", "+2 pcs", "ORDER N+2"),
]
SECTION_8 = [
    ("S", "2 red L", NOTHING),
    ("S", "酒紅1條", "AMBIGUOUS UNKNOWN_ITEM"),
    ("S", "紅色兩條一起洗會褪色", NOTHING),
    ("S", "2個 感謝", "AMBIGUOUS MISSING_OPTION"),
    ("S", "紅色1條 台中面交", "AMBIGUOUS NEEDS_CONFIRMATION 紅+1"),
    ("S", "我家有5個人", NOTHING),
    ("T", "紅L+1 白M 2件", "ORDER 白M+2 紅L+1"),
    ("ST", "紅+白各1", "AMBIGUOUS NEEDS_CONFIRMATION 白+1 紅+1"),
    ("V", "A1*2+A10*1", "AMBIGUOUS NEEDS_CONFIRMATION A1+2 A10+1"),
    ("V", "B1+M", "AMBIGUOUS MISSING_QUANTITY"),
    ("V", "+", "AMBIGUOUS MISSING_QUANTITY"),
    ("V", "B1+M+1", "ORDER B1M+1"),
    ("N", "+1~2", "AMBIGUOUS AMBIGUOUS_QUANTITY"),
    ("N", "+1或2", "AMBIGUOUS AMBIGUOUS_QUANTITY"),
    ("N", "+1-2", "AMBIGUOUS AMBIGUOUS_QUANTITY"),
    ("N", "+1x2", "AMBIGUOUS AMBIGUOUS_QUANTITY"),
    ("N", "+1+1", "AMBIGUOUS AMBIGUOUS_QUANTITY"),
    ("N", "+1 +1", "AMBIGUOUS AMBIGUOUS_QUANTITY"),
    ("T", "紅L+1+1", "AMBIGUOUS AMBIGUOUS_QUANTITY"),
    ("T", "紅L+1 紅L+1", "ORDER 紅L+2"),
    ("V", "A1-\nB1 M+1", "AMEND A1-all B1M+1"),
    ("V", "A1-！", "CANCEL A1-all"),
    ("V", "A1-💕", "CANCEL A1-all"),
    ("V", "D9-1", "AMBIGUOUS UNKNOWN_ITEM"),
    ("S", "紅L-1", "AMBIGUOUS UNKNOWN_ITEM"),
    ("N", "自己+1 媽媽+1", "ORDER N+2"),
]
SECTION_9 = [
    ("T", "+1 紅L", "ORDER 紅L+1"),
    ("T", "+2紅M", "ORDER 紅M+2"),
    ("T", "A01+1 紅L", "ORDER 紅L+1"),
    ("T", "紅L+1 白M", "AMBIGUOUS MISSING_QUANTITY"),
    ("T", "好冷喔我要紅L+1", "ORDER 紅L+1"),
    ("T", "白色好美 紅L+1", "ORDER 紅L+1"),
    ("T", "酒紅L+1", "AMBIGUOUS UNKNOWN_ITEM"),
    ("T", "紅L兒童款+1", "AMBIGUOUS UNKNOWN_ITEM"),
    ("T", "看起來很棒的紅L+1", "ORDER 紅L+1"),
    ("N", "蘋果+1", "AMBIGUOUS UNKNOWN_ITEM"),
    ("N", "小明+1", "AMBIGUOUS UNKNOWN_ITEM"),
    ("N", "小明 +1", "AMBIGUOUS UNKNOWN_ITEM"),
    ("N", "Jason +1", "AMBIGUOUS UNKNOWN_ITEM"),
    ("N", "終於等到了+1", ORDER1),
    ("N", "看起來就很厲害+1", ORDER1),
    ("N", "+1已經等很久", ORDER1),
    ("T", "+1酒紅", "AMBIGUOUS UNKNOWN_ITEM"),
    ("N", "幫小明+1", ORDER1),
    ("T", "幫小美訂紅L+2", "ORDER 紅L+2"),
    ("T", "紅S+1 M+2", "ORDER 紅M+2 紅S+1"),
    ("T", "紅L+1 白+1", "AMBIGUOUS MISSING_OPTION"),
    ("V", "B1\nM+1\nL+2", "ORDER B1L+2 B1M+1"),
    ("T", "紅S 白M 各+1", "ORDER 白M+1 紅S+1"),
    ("T", "紅白L各+1", "ORDER 白L+1 紅L+1"),
    ("T", "黑S M L各+1", "ORDER 黑L+1 黑M+1 黑S+1"),
    ("S", "三色都+1", "ORDER 白+1 紅+1 黑+1"),
    ("N", "都+1", "AMBIGUOUS AMBIGUOUS_QUANTITY"),
    ("T", "每色L+1", "ORDER 白L+1 紅L+1 黑L+1"),
    ("T", "包色M+1", "ORDER 白M+1 紅M+1 黑M+1"),
    ("T", "每色+1", "AMBIGUOUS MISSING_OPTION"),
    ("S", "全部+1", "AMBIGUOUS AMBIGUOUS_OPTION"),
    ("S", "全部都+1", "ORDER 白+1 紅+1 黑+1"),
    ("T", "紅L+1 白M+2", "ORDER 白M+2 紅L+1"),
    ("T", "紅L+1白M+2", "ORDER 白M+2 紅L+1"),
    ("T", "+1紅L +2白M", "ORDER 白M+2 紅L+1"),
    ("T", "紅白L+1", "AMBIGUOUS AMBIGUOUS_OPTION"),
    ("T", "紅色+1", "AMBIGUOUS MISSING_OPTION"),
    ("V", "A1、A10+1", "AMBIGUOUS AMBIGUOUS_OPTION"),
    ("T", "紅XL+1", "AMBIGUOUS UNKNOWN_ITEM"),
    ("T", "紅L+1 酒紅M+1", "AMBIGUOUS UNKNOWN_ITEM"),
    ("V", "C3+1", "AMBIGUOUS NOT_FOR_SALE"),
    ("N", "幫媽媽+1", ORDER1),
    ("N", "替同事+1", ORDER1),
    ("N", "@小明 +1", ORDER1),
    ("N", "媽媽+1", ORDER1),
    ("T", "幫小美紅L+1", "ORDER 紅L+1"),
    ("T", "(白/S)+3", "ORDER 白S+3"),
    ("T", "尺寸:S 顏色:白 +3", "ORDER 白S+3"),
    ("N", "好期待喔 +1", ORDER1),
    ("N", "看起來好好吃\n+1", ORDER1),
    ("N", "手刀+1！！！", ORDER1),
    ("V", "B2+1 L", "ORDER B2L+1"),
    ("T", "米白L+1", "AMBIGUOUS UNKNOWN_ITEM"),
    ("V", "L+1", "AMBIGUOUS AMBIGUOUS_OPTION"),
]
SECTION_10 = [
    ("N", "+1的人好多", "AMBIGUOUS REPORTED"),
    ("N", "+1就好", ORDER1),
    ("N", "不要猶豫了，+1", ORDER1),
    ("N", "可以+1嗎？", "QUESTION"),
    ("N", "還能+1嗎", "QUESTION"),
    ("N", "怎麼+1", "QUESTION"),
    ("N", "+1？", "QUESTION"),
    ("N", "+1嗎", "QUESTION"),
    ("N", "+1還有嗎", "QUESTION"),
    ("N", "+1 可以嗎？", "QUESTION"),
    ("N", "+1，還有嗎", "QUESTION"),
    ("N", "+1來得及嗎", "QUESTION"),
    ("N", "這個+1多少", "QUESTION"),
    ("N", "這個+1多少?", "QUESTION"),
    ("N", "+1請問何時到", "ORDER N+1 ?"),
    ("N", "+1，運費多少", "ORDER N+1 ?"),
    ("N", "還有嗎？+1", "ORDER N+1 ?"),
    ("N", "不+1了", "CANCEL UNNAMED"),
    ("N", "我想+1", ORDER1),
    ("N", "+1，但請晚點寄", "AMBIGUOUS CONDITIONAL"),
    ("N", "便宜一點就+1", "AMBIGUOUS CONDITIONAL"),
    ("N", "領錢再+1", "AMBIGUOUS CONDITIONAL"),
    ("N", "滿千就+1", "AMBIGUOUS CONDITIONAL"),
    ("N", "那就+1", ORDER1),
    ("N", "再+1", ORDER1),
    ("N", "剛剛已經+1了", "AMBIGUOUS REPORTED"),
    ("T", "昨天紅L+1", "AMBIGUOUS REPORTED"),
    ("N", "昨天+1的什麼時候寄？", "QUESTION"),
    ("N", "+2怎麼+1", "QUESTION"),
    ("T", "紅L+1 可以+1嗎", "QUESTION"),
    ("N", "不要💕+1", "NONE NEGATED"),
    ("T", "不要💕紅L+1", "AMBIGUOUS NEGATED"),
    ("N", "剛剛💕+1", "AMBIGUOUS REPORTED"),
    ("N", "昨天…+1", "AMBIGUOUS REPORTED"),
]
SECTION_11 = [
    ("S", "全部取消", "CANCEL ALL"),
    ("S", "紅白都取消", "CANCEL 白-all 紅-all"),
    ("T", "不要紅L了", "CANCEL 紅L-all"),
    ("N", "不要取消", "NONE NEGATED"),
    ("T", "紅L+1取消", "CANCEL 紅L-1"),
    ("N", "剛剛的+2取消", "CANCEL N-2"),
    ("N", "取消免運", "AMBIGUOUS UNCLEAR_CHANGE"),
    ("T", "紅L改成+3", "AMEND 紅L=3"),
    ("N", "改+0", "CANCEL N-all"),
    ("N", "取消", "CANCEL UNNAMED"),
    ("N", "棄單", "CANCEL UNNAMED"),
    ("N", "不要了，謝謝", "CANCEL UNNAMED"),
    ("T", "紅L取消", "CANCEL 紅L-all"),
    ("N", "-1", "CANCEL N-1"),
    ("N", "+1取消", "CANCEL N-1"),
    ("N", "取消+1", "CANCEL N-1"),
    ("T", "紅L-1", "CANCEL 紅L-1"),
    ("T", "紅L取消1件", "CANCEL 紅L-1"),
    ("T", "取消紅L+1", "CANCEL 紅L-1"),
    ("N", "改+2", "AMEND N=2"),
    ("N", "+1改+2", "AMEND N=2"),
    ("T", "紅色不要了", "CANCEL 紅L-all 紅M-all 紅S-all"),
    ("N", "改成2包", "AMBIGUOUS NEEDS_CONFIRMATION N=2"),
    ("N", "+1改成2包", "AMBIGUOUS NEEDS_CONFIRMATION N=2"),
    ("T", "紅L-1 白L+1", "AMEND 白L+1 紅L-1"),
    ("N", "總共+3", "AMEND N=3"),
    ("T", "紅L+1 白L+1 共3件", "AMBIGUOUS AMBIGUOUS_QUANTITY"),
    ("N", "可以取消嗎？", "QUESTION"),
    ("T", "紅L改成白L", "AMBIGUOUS UNCLEAR_CHANGE"),
    ("T", "改紅L+1", "AMBIGUOUS UNCLEAR_CHANGE"),
    ("T", "紅L+1（改成白）", "AMBIGUOUS UNCLEAR_CHANGE"),
    ("N", "我要改", "AMBIGUOUS UNCLEAR_CHANGE"),
    ("V", "A1-", "CANCEL A1-all"),
    ("V", "A1少1個", "CANCEL A1-1"),
    ("N", "+1取消？", "QUESTION"),
    ("N", "+1 可以取消嗎", "QUESTION"),
    ("T", "紅L+1 白M+1取消嗎", "QUESTION"),
    ("N", "+1取消，運費多少", "QUESTION"),
    ("T", "紅L取消1件 運費多少", "QUESTION"),
    ("N", "不要了1個可以面交嗎", "QUESTION"),
    ("N", "取消瓦片 1個嗎", "QUESTION"),
    ("T", "紅L取消 1件", "CANCEL 紅L-1"),
    ("T", "全部都不要了", "CANCEL ALL"),
    ("T", "全部都取消", "CANCEL ALL"),
    ("T", "全部 取消", "CANCEL ALL"),
]
SECTION_12 = [
    ("T", "紅L+1，白L還能+1嗎", "ORDER 紅L+1 ?"),
    *((post, "紅色+1", "ORDER 紅+1") for post in ("ST", "C", "S")),
    *(("ST", text, NOTHING) for text in ("紅色x1", "紅色1個", "要1條紅色", "紅白各1", "我要紅色")),
    *(("C", text, "AMBIGUOUS NEEDS_CONFIRMATION 紅+1") for text in ("紅色x1", "紅色1個", "要1條紅色")),
    *(("S", text, "ORDER 紅+1") for text in ("紅色x1", "紅色1個", "要1條紅色")),
    ("C", "紅白各1", "AMBIGUOUS NEEDS_CONFIRMATION 白+1 紅+1"),
    ("S", "紅白各1", "ORDER 白+1 紅+1"),
    ("C", "紅+白各1", "AMBIGUOUS NEEDS_CONFIRMATION 白+1 紅+1"),
    ("S", "紅+白各1", "ORDER 白+1 紅+1"),
    *((post, "紅色改成2條", "AMBIGUOUS NEEDS_CONFIRMATION 紅=2") for post in ("ST", "C")),
    ("S", "紅色改成2條", "AMEND 紅=2"),
    *((post, "紅色取消", "CANCEL 紅-all") for post in ("ST", "C", "S")),
    *((post, "紅色-1", "CANCEL 紅-1") for post in ("ST", "C", "S")),
    *((post, "紅色1條多少錢", "QUESTION") for post in ("ST", "C", "S")),
    *((post, "我要紅色", "AMBIGUOUS MISSING_QUANTITY") for post in ("C", "S")),
]
CHOSEN = [
    ("N", "+1!?", "QUESTION"),
    ("N", "能+1", "AMBIGUOUS LOOKS_LIKE_QUESTION"),
    ("N", "1+1 +2", "AMBIGUOUS UNKNOWN_ITEM"),
    ("N", "covid-19好可怕", NOTHING),
    ("C", "紅色+1 白色再2個", "AMBIGUOUS NEEDS_CONFIRMATION 白+2 紅+1"),
    ("S", "紅色+1 白色再2個", "ORDER 白+2 紅+1"),
    ("S", "可唔可以+1 ，共3件", "AMBIGUOUS AMBIGUOUS_QUANTITY ?"),
    ("K", "cf A1 M 2何時到貨", "AMBIGUOUS AMBIGUOUS_QUANTITY ?"),
    ("N", "+1多少錢一包", "QUESTION"),
    ("N", "+1 運費多少錢", "ORDER N+1 ?"),
    ("N", "+1的朋友", "AMBIGUOUS REPORTED"),
    ("N", "有貨就+1", "AMBIGUOUS CONDITIONAL"),
    ("N", "瓦片 2+1", "AMBIGUOUS AMBIGUOUS_QUANTITY"),
    ("T", "取消紅L，白L+1", "AMEND 白L+1 紅L-all"),
    ("T", "我要取消紅L改白L", "AMBIGUOUS UNCLEAR_CHANGE"),
    ("T", "不要紅L了 白L+1", "AMEND 白L+1 紅L-all"),
    ("T", "取消紅L+1 白M+1", "AMBIGUOUS UNCLEAR_CHANGE"),
    ("T", "顏色：紅，尺寸：L，+1", "AMBIGUOUS MISSING_OPTION"),
    ("T", "每款+1", "AMBIGUOUS MISSING_OPTION"),
    ("V", "A1\nA10\n+1", "AMBIGUOUS MISSING_ITEM"),
    ("V", "B1\nL+1\nB2\nL+1", "ORDER B1L+1 B2L+1"),
    ("V", "A1~A10各+1", "AMBIGUOUS AMBIGUOUS_OPTION"),
    ("S", "紅色1或2條", "AMBIGUOUS AMBIGUOUS_QUANTITY"),
    ("S", "兩色各1", "AMBIGUOUS AMBIGUOUS_OPTION"),
    ("K", "cf", "AMBIGUOUS MISSING_ITEM"),
    ("K", "cf A2", "ORDER A2+1"),
    ("K", "cf A1 M 2", "ORDER A1M+2"),
    ("K", "cf A9", "AMBIGUOUS UNKNOWN_ITEM"),
    ("K", "can i cf A2", "QUESTION"),
    ("F", "紅+1", "ORDER c紅+1"),
    ("F", "L1紅+1 白+1", "ORDER t白+1 t紅+1"),
]
EXAMPLES = [
    (f"section {number}", *row)
    for number, table in (
        (0, CHOSEN),
        (2, SECTION_2),
        (4, SECTION_4),
        (5, SECTION_5),
        (7, SECTION_7),
        (8, SECTION_8),
        (9, SECTION_9),
        (10, SECTION_10),
        (11, SECTION_11),
        (12, SECTION_12),
    )
    for row in table
]


@pytest.mark.parametrize(("section", "post", "text", "expected"), EXAMPLES)
def test_example(section, post, text, expected):
    assert said(post, text) == expected, section
