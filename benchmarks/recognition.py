"""Rates, growth ratios and compile time of the recogniser: `python benchmarks/recognition.py` (contract section 14)."""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from domain.claims.recognition import compile_context, recognize

CORPUS = Path(__file__).parents[1] / "tests/domain/claims/recognition"
CHAT = (
    "好漂亮喔", "哈哈哈哈", "晚安大家", "這件真的很好看", "老闆今天氣色很好", "終於開播了", "剛下班進來", "推推", "😍😍😍", "愛了愛了", "主播唱歌很好聽",
    "hello", "天氣好冷", "今天好熱鬧", "路過看看", "笑死", "身高160穿什麼尺寸", "已私訊", "小編辛苦了", "期待下次開團",
)  # fmt: skip
UNITS = (
    "紅色+1 ",
    "+1",
    "取消 ",
    "可以 ",
    "1",
    "紅",
    "a",
    "不要 ",
    "+1,還有嗎,",
    "紅L+1\n",
    "B1\n",
    "改",
    "各",
    "幫",
    "一",
    "@",
    "a.",
    "$1",
    "1-",
    "1/",
    "紅- ",
    "紅 白 ",
    "紅x",
    "cf ",
    "cf x ",
    "+1取消嗎",
)


def best(function: Callable[[], object], rounds: int = 5) -> float:
    """Processor seconds of the fastest of some rounds; what else runs on the machine counts little."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def corpus() -> tuple[list[tuple[str, Any]], dict[str, Any]]:
    """Pairs of text and compiled context of the developers' corpus."""
    posts = json.loads((CORPUS / "contexts.json").read_text("utf-8"))["contexts"]
    contexts = {post["id"]: compile_context(post) for post in posts}
    rows = [json.loads(line) for line in (CORPUS / "dev.jsonl").read_text("utf-8").splitlines()]
    return [(row["text"], contexts[row["context"]]) for row in rows], contexts


def big_post(offers: int = 300) -> dict[str, Any]:
    """A post of many offers with six variants each."""
    values: tuple[list[dict[str, Any]], ...] = (
        [{"key": k, "label": k, "aliases": []} for k in ("紅色", "白色", "黑色")],
        [{"key": k, "label": k, "aliases": []} for k in ("M", "L")],
    )
    options = [{"name": "顏色", "values": values[0]}, {"name": "尺寸", "values": values[1]}]
    return {
        "policy": "STRICT", "trigger_symbols": ["+"], "max_qty": 5, "closes_at": None, "focus": None,
        "offers": [
            {
                "id": f"o{n}", "title": f"第{n}號商品名稱", "codes": [f"A{n}"], "aliases": [f"商品{n}"], "on_sale": True, "max_qty": None, "options": options,
                "variants": [
                    {"id": f"o{n}.{c['key']}.{s['key']}", "values": {"顏色": c["key"], "尺寸": s["key"]}, "code": f"A{n}{c['key']}{s['key']}", "on_sale": True}
                    for c in values[0]
                    for s in values[1]
                ],
            }
            for n in range(offers)
        ],
    }  # fmt: skip


def main() -> None:
    """Print all figures."""
    pairs, contexts = corpus()
    for text, context in pairs:
        recognize(text, context)
    seconds = best(lambda: [recognize(text, context) for text, context in pairs])
    print(f"corpus     {len(pairs) / seconds:10,.0f} comments/s")
    mix = []
    for place, pair in enumerate(pairs):
        mix.append(pair)
        mix.extend((CHAT[(place * 9 + step) % len(CHAT)], pair[1]) for step in range(9))
    seconds = best(lambda: [recognize(text, context) for text, context in mix])
    print(f"live mix   {len(mix) / seconds:10,.0f} comments/s")
    chat = [pair for pair in mix if pair[0] in CHAT]
    seconds = best(lambda: [recognize(text, context) for text, context in chat])
    print(f"chat       {len(chat) / seconds:10,.0f} comments/s")
    for name in ("d-tee", "d-scarf", "d-live", "d-cf"):
        for unit in UNITS:
            small, large = (unit * (size // len(unit)) for size in (2_000, 16_000))
            short = best(partial(recognize, small, contexts[name]), 3)
            long = best(partial(recognize, large, contexts[name]), 2)
            flag = "  <-- above the bar" if long / short > 12 or long > 0.4 else ""
            print(
                f"growth     {name:8} {unit!r:12} 2,000: {short * 1e3:7.2f} ms  16,000: {long * 1e3:7.2f} ms  ratio {long / short:5.1f}{flag}"
            )
    post = big_post()
    print(f"compile    {best(lambda: compile_context(post)) * 1e3:10.1f} ms for 300 offers x 6 variants")
    large_context = compile_context(post)
    texts = [f"A{n}紅色L+1" for n in range(300)] + [f"商品{n}白M+2 A{n + 1}黑L+1" for n in range(290)]
    seconds = best(lambda: [recognize(text, large_context) for text in texts])
    print(f"big post   {len(texts) / seconds:10,.0f} comments/s")


if __name__ == "__main__":
    main()
