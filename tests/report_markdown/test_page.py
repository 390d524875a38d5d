"""``bdfa report --template``: the page, its folder, the page made again from it, and what is refused."""

import csv
from pathlib import Path

import pytest
from matplotlib.text import Text

from bdfa_np import write_report
from bdfa_np.errors import ConfigError
from bdfa_np.report.markdown import writing

HOSTILE = '=1+1, "é" | {{ 7 }}'


def everything(folder):
    return {
        str(path): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file() and "studies" not in path.parts
    }


def test_the_page_is_filled_in_and_made_again_from_its_folder_byte_for_byte(bdfa, here, monkeypatch):
    drawn = []
    draw = writing._drawn
    monkeypatch.setattr(writing, "_drawn", lambda *a, **k: drawn.append(draw(*a, **k)) or drawn[-1])
    outcome = bdfa("report", "sweep", "--template", "page.md.jinja", "-o", "page.md")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "page.md: its tables and pictures are in page\n"
    lines = Path("page.md").read_text(encoding="utf-8").splitlines()
    with open("page/runs.csv", encoding="utf-8", newline="") as file:
        lasts = [float(row["last"]) for row in csv.DictReader(file) if row["cell"] == "bp"]
    mean, half = sum(lasts) / 2, abs(lasts[0] - lasts[1]) / 2**0.5
    assert lines[3].startswith(f"| bp | {mean:.2f} ± {half:.2f} (2) | ")
    assert lines[4].startswith('| =1+1, "é" \\| \\{\\{ 7 \\}\\} | ')
    assert lines[7:9] == ["| late | not run | not run |", lines[8]]
    assert lines[8].endswith(
        "s, , 0.00 ± 0.00 (2)"
    )  # of bp the signal is the gradient; a run that is not has no versions
    assert lines[9] == "![Curves](page/curves.svg)"
    assert sorted(path.name for path in Path("page").iterdir()) == [
        *("cells.csv", "curves.svg", "epochs.csv", "layers.csv", "runs.csv")
    ]
    labels = {text.get_text() for text in drawn[0].findobj(Text)}
    assert any("bp" in label for label in labels)
    assert not any("frozen" in label for label in labels)

    before = everything(".")
    Path("page.md").unlink()
    Path("studies").rename("away")
    assert bdfa("report", "page", "--template", "page.md.jinja", "-o", "page.md").code == 0
    Path("away").rename("studies")
    assert everything(".") == before
    assert bdfa("report", "studies/sweep", "--template", "page.md.jinja", "-o", "page.md").code == 0
    assert everything(".") == before

    (here / "other").mkdir()
    assert write_report("page", "other/new.md", template="page.md.jinja") == Path("other/new.md")
    text = Path("other/new.md").read_text(encoding="utf-8")
    assert text == Path("page.md").read_text(encoding="utf-8").replace("(page/", "(new/")
    for name in ("cells.csv", "curves.svg", "epochs.csv", "layers.csv", "runs.csv"):
        assert Path("other/new", name).read_bytes() == Path("page", name).read_bytes()

    Path("page/curves.svg").unlink()
    told = bdfa.refused("report", "page", "--template", "page.md.jinja", "-o", "page.md")
    assert told.endswith("there is no page/curves.svg: name the study in place of page to have it drawn")
    Path("page/runs.csv").unlink()
    told = bdfa.refused("report", "page", "--template", "page.md.jinja", "-o", "page.md")
    assert "page/runs.csv cannot be read as a table (No such file or directory)" in told


def test_only_the_cells_that_are_named_are_in_the_tables_and_the_pictures(here, monkeypatch):
    asked = []
    monkeypatch.setattr(writing, "_drawn", lambda _place, picture, **_: asked.append(picture.cells))
    monkeypatch.setattr("bdfa_np.figures.style.save", lambda _figure, file: file.write_text("drawn"))
    Path("page.md.jinja").write_text("{{ cells()|join(' ') }} {{ picture('curves', 'x.svg', 'X') }}\n")
    write_report("sweep", "page.md", template="page.md.jinja", cells=["frozen", "bp"])
    assert Path("page.md").read_text() == "bp frozen ![X](page/x.svg)\n"
    assert asked == [["bp", "frozen"]]


def test_shortened_runs_make_a_page_of_their_own(here):
    Path("page.md.jinja").write_text("{{ cell('bp').last.n }} {{ runs[0].epochs }} of {{ cell('bp').epochs }}\n")
    write_report("sweep", "page.md", template="page.md.jinja", cells="bp", epochs=1)
    assert Path("page.md").read_text() == "1 1 of 2\n"


REFUSED = {
    "no template": (["--template", "none.md.jinja"], "there is no template none.md.jinja"),
    "a folder for a template": (["--template", "studies"], "studies is a folder: name a template"),
    "another suffix": (["-o", "page.html"], "page.html: a page from a template is written as .md or .markdown"),
    "no suffix": (["-o", "page"], "page: a page from a template is written as .md or .markdown"),
    "a device": (["-o", "/dev/null"], "/dev/null: a page from a template is written as .md or .markdown"),
    "its own template": (
        ["--template", "own.md", "-o", "own.md"],
        "own.md is the template, which the page",
    ),
    "no folder": (["-o", "no/page.md"], "there is no folder no: make it"),
    "a file in the folder's place": (["-o", "taken.md"], "the folder of the page's tables taken is a file"),
    "a folder in a table's place": (["-o", "full.md"], "a file beside the page full/runs.csv is a folder"),
    "a study's own folder": (["-o", "studies/sweep.md"], "studies/sweep is a study's own folder"),
    "no such cell": (["--cells", "none"], "no cell of study sweep fits 'none'"),
    "epochs that there are not": (["--epochs", "3"], "study sweep cannot be run for 3 epochs"),
    "a picture without a run": (["--cells", "late"], "late.svg cannot be drawn: no run of study sweep"),
    "an option of a picture": (["--template", "colour.jinja"], "x.svg: colour has no part in a picture of curves"),
    "a value of an option": (["--template", "spread.jinja"], "x.svg cannot be drawn: "),
    "what was not measured": (["--template", "angles.jinja"], "x.svg cannot be drawn: "),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_done_is_told_before_anything_is_written(bdfa, here, why):
    Path("page.md.jinja").write_text(
        "{% if cells()|length == 1 %}{{ picture('curves', 'late.svg', 'L') }}{% endif %}\n"
    )
    Path("own.md").write_text("mine")
    Path("taken").write_text("mine")
    Path("full/runs.csv").mkdir(parents=True)
    Path("colour.jinja").write_text("{{ picture('curves', 'x.svg', 'X', colour='red') }}")
    Path("spread.jinja").write_text("{{ picture('curves', 'x.svg', 'X', spread='wide') }}")
    Path("angles.jinja").write_text("{{ picture('angles', 'x.svg', 'X', 'frozen') }}")
    before = sorted(path for path in here.rglob("*"))
    arguments, message = REFUSED[why]
    told = bdfa.refused("report", "sweep", "--template", "page.md.jinja", "-o", "page.md", *arguments)
    assert message in told
    assert sorted(path for path in here.rglob("*")) == before
    assert Path("own.md").read_text() == Path("taken").read_text() == "mine"


def test_a_page_is_of_one_study_and_of_no_run(bdfa, here):
    page = ["--template", "page.md.jinja", "-o", "page.md"]
    told = bdfa.refused("report", "sweep", "studies/sweep", *page)
    assert "a page from a template is of one study, and 2 are named: name one" in told
    told = bdfa.refused("report", "studies/sweep/bp/seed-3", *page)
    assert "studies/sweep/bp/seed-3 is a run, and a page from a template is of a study" in told
    assert not Path("page.md").exists()
    with pytest.raises(ConfigError, match="a page from a template is of one study, and 0 are named"):
        write_report([], "page.md", template="page.md.jinja")


def test_tables_have_their_cells_and_epochs_and_a_name_that_means_both_is_asked_for(bdfa, here, tables):
    tables.write(Path("sweep"))
    Path("page.md.jinja").write_text("{{ study }}\n")
    page = ["--template", "page.md.jinja", "-o", "page.md"]
    told = bdfa.refused("report", "sweep", *page)
    assert "sweep is a folder of tables here, and a study in studies/sweep: name ./sweep or studies/sweep" in told
    for option in (["--cells", "bp"], ["--epochs", "1"]):
        told = bdfa.refused("report", "./sweep", *page, *option)
        assert "--cells and --epochs choose runs, and ./sweep holds tables: leave them out" in told
    assert bdfa("report", "./sweep", *page).code == 0
    assert Path("page.md").read_text() == "worked\n"
    assert bdfa("report", "studies/sweep", *page).code == 0
    assert Path("page.md").read_text() == "sweep\n"
