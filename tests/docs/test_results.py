"""The pages in docs/results: made by the program from the tables beside them, and no number in them written by hand."""

import re
from pathlib import Path

import pytest

from bdfa_np import Study
from bdfa_np.report.markdown.cells import cells_of
from bdfa_np.report.markdown.filling import filled, shown
from bdfa_np.report.markdown.raw import OPTION, RawTables

pytest.importorskip("jinja2", reason="pages are filled in with the extra 'report'")
RESULTS = Path(__file__).parents[2] / "docs" / "results"
TEMPLATES = sorted(RESULTS.glob("*.md.jinja"))
NAMES = sorted(path.name.removesuffix(".md.jinja") for path in TEMPLATES)
PLACEHOLDER = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.DOTALL | re.MULTILINE)
CITATION = re.compile(r"\[[^\]]*\]\(https?://[^)\s]+\)")


def loose_digits(text):
    """Return the lines with a digit that is in no placeholder, no code and no citation."""

    def blank(found):
        return re.sub(r"[^\n]", " ", found[0])

    for pattern in (PLACEHOLDER, CODE, CITATION):
        text = pattern.sub(blank, text)
    return [number for number, line in enumerate(text.splitlines(), start=1) if re.search(r"\d", line)]


def test_a_digit_is_loose_unless_it_is_filled_in_code_or_cited():
    text = (
        "BP has {{ bp.last }}, by `--lr 1e-4`.\n```sh\nbdfa 3\n```\n[Luo, table 1](https://arxiv.org/abs/1702.07097)\n"
    )
    assert loose_digits(text) == []
    assert loose_digits(text + "BP has 2.05.\n{% if 1 %}x{% endif %}\n[rules 2](rules.md)\n") == [6, 8]


def test_every_study_has_its_page_and_its_tables_or_is_said_to_have_none_yet():
    studies = sorted(path.stem for path in RESULTS.glob("*.toml"))
    assert len(studies) == 7
    index = (RESULTS / "README.md").read_text(encoding="utf-8")
    told = [name for name in studies if f"({name}.md)" in index]
    assert [name for name in studies if f"| {name}, not run yet |" in index] == sorted({*studies} - {*told})
    assert told == NAMES == sorted(path.stem for path in RESULTS.glob("*.md") if path.stem != "README")
    assert sorted(path.name for path in RESULTS.iterdir() if path.is_dir()) == sorted([*NAMES, "parts"])


@pytest.mark.parametrize(
    "template", [*TEMPLATES, *sorted((RESULTS / "parts").glob("*.jinja"))], ids=lambda path: path.name
)
def test_no_number_is_written_by_hand(template):
    assert loose_digits(template.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_what_its_template_makes_of_its_tables(name):
    text, pictures = filled(RESULTS / f"{name}.md.jinja", RawTables.read(RESULTS / name), name)
    assert text == (RESULTS / f"{name}.md").read_text(encoding="utf-8")
    assert pictures
    assert {picture.file for picture in pictures} == {
        path.name for path in (RESULTS / name).iterdir() if path.suffix != ".csv"
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_tables_are_of_the_cells_seeds_and_epochs_that_the_study_asks_for(name):
    study, tables = Study.load(RESULTS / f"{name}.toml"), RawTables.read(RESULTS / name)
    assert [row["cell"] for row in tables.cells] == [cell.name for cell in study.cells]
    searched = study.search.get("space", {})
    for row, cell in zip(tables.cells, study.cells, strict=True):
        kept = {key.removeprefix(OPTION): value for key, value in row.items() if key.startswith(OPTION) and value}
        told = {key: value for key, value in kept.items() if key not in searched}
        assert told == {key: str(value) for key, value in cell.options.items()}
        assert row["published"] == ("" if cell.published is None else str(cell.published))
        runs = [run for run in tables.runs if run["cell"] == cell.name]
        assert [int(run["seed"]) for run in runs] == list(study.seeds)
        assert {int(run["planned_epochs"]) for run in runs} == {cell.options["epochs"]}
        for run in runs:
            assert (int(run["epochs"]) == cell.options["epochs"]) == (run["state"] == "finished") or run["why"]


def test_the_readme_has_the_errors_of_the_page_on_table_1():
    cells = {cell["rule"]: cell for cell in cells_of(RawTables.read(RESULTS / "luo-table-1")) if cell["net"] == "1x400"}
    readme = (RESULTS.parents[1] / "README.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \|.*\| (\d+\.\d\d ± \d+\.\d\d) \|$", readme, re.MULTILINE))
    assert told == {rule: shown(cells[rule].test).removesuffix(" (3)") for rule in ("bp", "fa", "dfa", "bfa", "bdfa")}
