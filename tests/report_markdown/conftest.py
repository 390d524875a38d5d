"""A study in every state that its runs can be in, tables whose figures are worked by hand, and templates."""

from pathlib import Path

import pytest

from bdfa_np.report.markdown.filling import filled
from bdfa_np.report.markdown.raw import RawTables
from bdfa_np.study.description import load_study
from bdfa_np.study.laboratory import run_study

HOSTILE = '=1+1, "é" | {{ 7 }}'
STUDY = f"""
seeds = [3, 5]
report = ["last", "test"]
[base]
dataset = "mnist-5k"
train_limit = 200
test_limit = 50
num_layers = 1
num_hidden = 10
epochs = 2
[grid.rule]
bp = {{ gradient = "bp", lr = 1e-2, track = "alignment" }}
'{HOSTILE}' = {{ gradient = "dfa", lr = 1e-2, validate = 50 }}
frozen = {{ gradient = "frozen", validate = 50 }}
broken = {{ gradient = "dfa", validate = 50, test_limit = 100 }}
late = {{ gradient = "fa" }}
[published]
bp = {{ mean = 30.25, sd = 0.5, note = "of one seed" }}
"""
PAGE = """# A page
| rule | last | test |
| :-- | --: | --: |
{% for one in cells() %}
| {{ one.rule|literal }} | {{ one.last }} | {{ one.test }} |
{% endfor %}
{{ runs[0].seconds|duration }}, {{ runs[-1].numpy }}, {{ cell("bp").measured("signal_angle", "linear1") }}
{{ picture("curves", "curves.svg", "Curves", "bp", "=1*") }}
"""


@pytest.fixture(scope="session")
def swept(tmp_path_factory):
    """Give a folder with a study: finished cells, one that failed, an unfinished run, a cell that was not run."""
    folder = tmp_path_factory.mktemp("paged")
    (folder / "sweep.toml").write_text(STUDY, encoding="utf-8")
    study = load_study(str(folder / "sweep.toml"))
    run_study(study, folder / "studies" / "sweep", cells=["bp", "=1*", "frozen", "broken"])
    run_study(study, folder / "studies" / "sweep", cells=["bp"], seeds=1, epochs=1)
    (folder / "studies" / "sweep" / "frozen" / "seed-5" / "result.toml").unlink()
    return folder


@pytest.fixture
def here(swept, bdfa, tmp_path):
    """Stand in an empty folder with a link to the study, and the page's template."""
    Path("studies").mkdir()
    Path("studies/sweep").symlink_to(swept / "studies" / "sweep")
    Path("page.md.jinja").write_text(PAGE, encoding="utf-8")
    return tmp_path


def of_run(cell, seed, last=None, *, epochs=2, **more):
    """Return a row of a run, finished where it has an error."""
    state = "missing" if last is None else "finished"
    done = {"state": state, "epochs": 0 if last is None else epochs, "planned_epochs": epochs, "last": last}
    return {"cell": cell, "seed": seed, **done, **more}


@pytest.fixture
def tables():
    """Give tables of two nets and three rules: means and deviations that can be worked by hand."""
    lasts = {
        "small/bp": [2.0, 4.0],
        "small/dfa": [3.0, 6.0],
        "small/frozen": [12.0, 14.0],
        "large/bp": [5.0, 5.0],
        "large/dfa": [7.0, 7.0],
        "large/frozen": [5.0, None],
    }
    cells = [
        {"study": "worked", "cell": name, "seeds": 2, "axis.net": name.split("/")[0], "axis.rule": name.split("/")[1]}
        | ({"published": 4.25, "published_sd": 0.5} if name == "small/bp" else {})
        for name in lasts
    ]
    runs = [of_run(name, seed, last) for name, found in lasts.items() for seed, last in enumerate(found)]
    epochs = [
        {"cell": run["cell"], "seed": run["seed"], "epoch": epoch, "tested": run["last"] + 2 - epoch, "train": 1.0}
        for run in runs
        for epoch in range(1, run["epochs"] + 1)
    ]
    layers = [
        {"cell": "small/dfa", "seed": seed, "epoch": float(epoch), "layer": layer, "angle": angle + seed + epoch}
        for seed in (0, 1)
        for epoch in (0, 2)
        for layer, angle in (("linear1", 60.0), ("linear2", None))
        if angle is not None
    ]
    layers += [{**row, "layer": "linear2", "angle": None} for row in layers]
    return RawTables.of(cells=cells, runs=runs, epochs=epochs, layers=layers)


@pytest.fixture
def page(tables, tmp_path):
    """Give the function that fills a text in, as a template, from those tables."""

    def fill(text, **files):
        for name, content in files.items():
            (tmp_path / name).write_text(content, encoding="utf-8")
        template = tmp_path / "text.md.jinja"
        template.write_text(text, encoding="utf-8")
        return filled(template, tables, "page")[0]

    return fill
