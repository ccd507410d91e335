"""`python -m domain.claims.recognition grade`: what it prints and how it ends."""

import json
from pathlib import Path

import pytest

from domain.claims.recognition.__main__ import main

HERE = Path(__file__).parent
CASES, CONTEXTS = HERE / "dev.jsonl", HERE / "contexts.json"


def test_a_corpus_that_meets_its_bars_ends_with_0(capsys):
    assert main(["grade", str(CASES), str(CONTEXTS)]) == 0
    assert "exact          326/326 (100.00%)" in capsys.readouterr().out


def test_a_missed_bar_ends_with_1_and_shows_both_readings(tmp_path, capsys):
    case = json.loads(CASES.read_text("utf-8").splitlines()[0])
    case["expect"] |= {"intent": "NONE", "lines": [], "reason": "NO_TRIGGER"}
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps(case), "utf-8")
    assert main(["grade", str(path), str(CONTEXTS), "--bars", "held-out"]) == 1
    out = capsys.readouterr().out
    assert "expected NONE" in out
    assert "actual   ORDER" in out
    assert "false orders   1 (1 where the label is QUESTION or NONE)" in out


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"id": 1}'])
def test_what_is_no_corpus_ends_with_2_and_one_line(tmp_path, capsys, content):
    path = tmp_path / "cases.jsonl"
    path.write_text(content, "utf-8")
    assert main(["grade", str(path), str(CONTEXTS)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_missing_file_is_named(capsys):
    assert main(["grade", "nowhere.jsonl", str(CONTEXTS)]) == 2
    assert capsys.readouterr().err == "cannot read nowhere.jsonl: No such file or directory\n"
