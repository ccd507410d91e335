"""`python -m domain.claims.recognition grade CASES.jsonl CONTEXTS.json`."""

import sys
from pathlib import Path

from domain.claims.recognition.grading import grade, load


def main(arguments: list[str]) -> int:
    """Print the figures and every failing case; 1 when a bar of section 15 is missed, 2 on a wrong call."""
    if len(arguments) != 3 or arguments[0] != "grade":
        sys.stderr.write("usage: python -m domain.claims.recognition grade CASES.jsonl CONTEXTS.json\n")
        return 2
    result = grade(*load(Path(arguments[1]), Path(arguments[2])))
    out = sys.stdout.write
    for failure in result.failures:
        out(failure + "\n")
    out(f"exact          {result.exact}/{result.cases} ({result.exact / max(1, result.cases):.2%})\n")
    out(f"false orders   {result.false_orders} ({result.false_on_silence} where the label is QUESTION or NONE)\n")
    out(f"missed orders  {result.missed}\n")
    out(f"question       {result.question}/{result.cases}\n")
    out(f"evidence       {result.evidence_right}/{result.evidence}\n")
    return 0 if result.passes() else 1


sys.exit(main(sys.argv[1:]))
