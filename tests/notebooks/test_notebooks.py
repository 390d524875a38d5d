"""Every notebook runs from its first cell to its last, on bundled data, and is kept as text without outputs."""

import re
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "docs" / "notebooks").glob("[0-9]*.md"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_runs_from_its_first_cell_to_its_last(path, run_notebook):
    assert run_notebook(path)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_opens_in_jupyter_and_asks_a_question_before_its_first_cell(path):
    text = path.read_text(encoding="utf-8")
    header, front = text.split("---\n")[1:3]
    assert "format_name: myst" in header
    assert "name: python3" in header
    before = front.split("```{code-cell}")[0]
    assert re.search(r"^# \d\. ", before, re.MULTILINE)
    assert "?" in before
