"""`python -m domain.claims.recognition grade CASES.jsonl CONTEXTS.json`."""

import argparse
import sys
from pathlib import Path

from domain.claims.recognition.grading import BARS, Grade, grade, load

_BAD_CALL = 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m domain.claims.recognition",
        description="Grade labelled comments against the recogniser (recognition contract, section 15).",
        epilog="Exit code: 0 when every bar is met, 1 when one is missed, 2 when the files cannot be read.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    grading = commands.add_parser("grade", help="print every failing case and the figures")
    grading.add_argument("cases", type=Path, metavar="CASES.jsonl", help="one labelled comment per line")
    grading.add_argument("contexts", type=Path, metavar="CONTEXTS.json", help='the posts they stand under: {"contexts": [...]}')
    grading.add_argument("--bars", choices=sorted(BARS), default="dev", help="the bars to hold the figures against (default: %(default)s)")
    return parser


def _report(result: Grade) -> str:
    rows = [
        *result.failures,
        f"exact          {result.exact}/{result.cases} ({result.exact / max(1, result.cases):.2%})",
        f"false orders   {result.false_orders} ({result.false_on_silence} where the label is QUESTION or NONE)",
        f"missed orders  {result.missed}",
        f"question       {result.question}/{result.cases}",
        f"evidence       {result.evidence_right}/{result.evidence}",
    ]
    return "\n".join(rows) + "\n"


def main(arguments: list[str]) -> int:
    """Print the figures and every failing case; the exit code of the command."""
    options = _parser().parse_args(arguments)
    try:
        result = grade(*load(options.cases, options.contexts))
    except OSError as error:
        sys.stderr.write(f"cannot read {error.filename}: {error.strerror}\n")
        return _BAD_CALL
    except KeyError as error:
        sys.stderr.write(f"a case or a context has no {error}: see section 15 of the contract for the form\n")
        return _BAD_CALL
    except (TypeError, ValueError) as error:
        sys.stderr.write(f"not a corpus: {error}\n")
        return _BAD_CALL
    sys.stdout.write(_report(result))
    return 0 if result.passes(options.bars) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
