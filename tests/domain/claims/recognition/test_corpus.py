"""The developers' corpus meets the bars of contract section 15."""

import subprocess
import sys
from pathlib import Path

import pytest

from domain.claims.recognition import RULES_VERSION, compile_context
from domain.claims.recognition.grading import Grade, load, mark, read

HERE = Path(__file__).parent
CASES, POSTS = load(HERE / "dev.jsonl", HERE / "contexts.json")
CONTEXTS = {post["id"]: compile_context(post) for post in POSTS}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_case(case):
    grade = Grade()
    mark(grade, case, read(case, CONTEXTS[case["context"]]))
    assert not grade.failures, "\n".join(grade.failures)
    assert grade.passes()


def test_the_command_prints_the_figures_and_succeeds():
    done = subprocess.run(
        [sys.executable, "-m", "domain.claims.recognition", "grade", str(HERE / "dev.jsonl"), str(HERE / "contexts.json")],
        capture_output=True, text=True, check=False, cwd=HERE.parents[3],
    )  # fmt: skip
    assert done.returncode == 0
    assert f"{len(CASES)}/{len(CASES)}" in done.stdout


def test_the_command_fails_when_a_bar_is_missed(tmp_path):
    wrong = (HERE / "dev.jsonl").read_text("utf-8").splitlines()[0].replace('"紅色L+1"', '"紅色L+2"')
    (tmp_path / "wrong.jsonl").write_text(wrong, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "domain.claims.recognition", "grade", str(tmp_path / "wrong.jsonl"), str(HERE / "contexts.json")],
        capture_output=True, text=True, check=False, cwd=HERE.parents[3],
    )  # fmt: skip
    assert done.returncode == 1
    assert "false orders   1" in done.stdout


def test_rules_have_a_version():
    assert RULES_VERSION
