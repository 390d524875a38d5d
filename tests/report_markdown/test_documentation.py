"""The example in docs/report.md is a template that is filled in, from a study of its cells."""

import re
from pathlib import Path

import pytest

from bdfa_np.report.markdown.filling import filled
from bdfa_np.report.markdown.raw import COLUMNS, RawTables
from bdfa_np.study.description import load_study

FILE = Path(__file__).parents[2] / "docs" / "report.md"


@pytest.fixture(scope="module")
def blocks():
    """Give the blocks of code by their language."""
    if not FILE.is_file():
        pytest.skip("the documentation is not beside the tests")
    return dict(re.findall(r"^```(\w+)\n(.*?)^```", FILE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))


def test_the_example_is_filled_in_from_the_cells_of_its_study_into_the_page_that_is_shown(blocks, tmp_path):
    (tmp_path / "rules.toml").write_text(blocks["toml"])
    (tmp_path / "page.md.jinja").write_text(blocks["jinja"])
    study = load_study(str(tmp_path / "rules.toml"))
    done = {"state": "finished", "epochs": 3, "planned_epochs": 3, "seconds": 1.0}
    runs = [
        {**done, "cell": cell.name, "seed": seed, "last": 10.0 * number + seed}
        for number, cell in enumerate(study.cells, start=1)
        for seed in study.seeds
    ]
    named = [{key: run[key] for key in ("cell", "seed")} for run in runs]
    tables = RawTables.of(
        cells=[{"study": "rules", "cell": cell.name, "seeds": 3, "axis.rule": cell.name} for cell in study.cells],
        runs=runs,
        epochs=[{**one, "epoch": 1, "tested": 50.0} for one in named],
        layers=[{**one, "epoch": 3.0, "layer": "linear1", "signal_angle": 70.0} for one in named],
    )
    text, pictures = filled(tmp_path / "page.md.jinja", tables, "page")
    numbers = re.compile(r"[+-]?\d+(\.\d+)?")
    assert numbers.sub("#", text).split() == numbers.sub("#", blocks["markdown"]).split()
    assert "| dfa | 50.00 ± 0.00 (3) | 21.00 ± 1.00 (3) | 1.0 s |" in text
    assert [(one.kind, one.file, one.cells) for one in pictures] == [("curves", "curves.svg", ["bp", "dfa"])]


def test_every_column_is_described(blocks):
    text = FILE.read_text(encoding="utf-8")
    for columns in COLUMNS.values():
        assert [name for name in columns if f"`{name}`" not in text] == []
