"""``bdfa study table``: what a study's runs came to beside what was published, in every format."""

import csv
import io
import re
import shutil
from pathlib import Path
from statistics import mean, stdev

import pytest
import scipy.stats

from bdfa_np.runs.checkpoint import read_history
from bdfa_np.study.description import load_study
from bdfa_np.study.laboratory import run_study
from bdfa_np.study.table import tabulate
from bdfa_np.study.table.latex import escaped

STUDY = """title = "Two rules & 100 % of it"
source = "Some_body, J. of #1"
seeds = 3
report = ["last", "test"]
[base]
dataset = "mnist-5k"
train_limit = 200
test_limit = 100
validate = true
num_layers = 1
num_hidden = 10
epochs = 2
[grid.rule]
bp = { gradient = "bp", lr = 1e-2 }
"bdfa_label" = { gradient = "bdfa", feedback_target = "label", lr = 1e-2 }
other = { gradient = "dfa" }
[published]
bp = 30.5
bdfa_label = { mean = 85.25, sd = 1.1, note = "read off figure 3" }
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Give a folder with a study's file and the study run, but for the last cell."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "sweep.toml").write_text(STUDY)
    study = load_study(folder / "sweep.toml")
    run_study(study, folder / "studies" / "sweep", cells=["bp", "bdfa_label"])
    return folder


@pytest.fixture
def place(trained, bdfa):
    """Put a copy of it where commands are called from."""
    shutil.copytree(trained, ".", dirs_exist_ok=True)
    return Path("studies/sweep")


def errors(place, cell):
    paths = [place / cell / f"seed-{seed}" for seed in range(3)]
    return [100 * read_history(path / "checkpoint.h5")[1][-1].test_error for path in paths]


def records(text):
    return {row["rule"]: row for row in csv.DictReader(io.StringIO(text))}


def test_the_table_has_published_and_ours_with_difference_and_whether_it_agrees(bdfa, place):
    outcome = bdfa("study", "table", "sweep.toml")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == "sweep: Two rules & 100 % of it"
    assert "error in %, after the last epoch, on validation images" in " ".join(lines)
    found = errors(place, "bdfa_label")
    row = next(line for line in lines if line.startswith("bdfa_label"))
    difference = mean(found) - 85.25
    within = "yes" if abs(difference) <= 2 * stdev(found) else "no"
    words = re.sub(r"± +", "± ", row).split("  ")
    assert [word.strip() for word in words if word][:5] == [
        "bdfa_label",
        "85.25 ± 1.10",
        f"{mean(found):.2f} ± {stdev(found):.2f} (3)",
        f"{difference:+.2f}",
        within,
    ]
    assert "other: not begun" in lines or any(line.startswith("other") and "not begun" in line for line in lines)
    assert "trained: 6 of 9 runs finished" in outcome.out
    assert "bdfa_label: read off figure 3" in outcome.out
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("called", ["sweep", "studies/sweep", "./sweep.toml"])
def test_a_study_is_found_by_its_name_its_folder_and_its_file(bdfa, place, called):
    assert bdfa("study", "table", called).out == bdfa("study", "table", "sweep.toml").out


def test_a_folder_elsewhere_is_named_by_save(bdfa, place):
    shutil.move(place, "elsewhere")
    assert "6 of 9 runs finished" in bdfa("study", "table", "sweep.toml", "--save", "elsewhere").out
    assert "6 of 9 runs finished" in bdfa("study", "table", "elsewhere").out


def test_csv_has_every_digit_names_the_unit_and_says_what_is_missing(bdfa, place):
    found = records(bdfa("study", "table", "sweep", "--csv", "--interval").out)
    values = errors(place, "bp")
    row = found["bp"]
    assert float(row["error_percent_mean"]) == pytest.approx(mean(values), rel=1e-14)
    assert float(row["error_percent_sd"]) == pytest.approx(stdev(values), rel=1e-14)
    low, high = scipy.stats.t.interval(0.95, 2, loc=mean(values), scale=scipy.stats.sem(values))
    assert float(row["error_percent_interval_low"]) == pytest.approx(low)
    assert float(row["error_percent_interval_high"]) == pytest.approx(high)
    assert (row["n"], row["published_error_percent"], row["measured_on"]) == ("3", "30.5", "validation images")
    assert (found["other"]["error_percent_mean"], found["other"]["n"], found["other"]["note"]) == ("", "0", "not begun")


def test_markdown_and_latex_hold_the_same_cells_with_what_they_obey_escaped(bdfa, place):
    markdown = bdfa("study", "table", "sweep", "--markdown").out
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert rows[0].startswith("| rule | published | ours |")
    assert r"| bdfa\_label | 85.25 ± 1.10 |" in markdown
    assert "not begun |" in markdown
    latex = bdfa("study", "table", "sweep", "--latex").out
    assert r"Two rules \& 100 \% of it" in latex
    assert r"bdfa\_label & 85.25 $\pm$ 1.10 &" in latex
    assert r"Some\_body, J. of \#1" in latex
    body = latex[latex.index(r"\midrule") : latex.index(r"\bottomrule")].splitlines()[1:-1]
    columns = len(re.search(r"\{tabular\}\{(\w+)\}", latex)[1])
    assert [len(re.findall(r"(?<!\\)&", line)) for line in body] == [columns - 1] * 3
    assert latex.count("{") == latex.count("}")
    for name in ("table", "tabular", "minipage"):
        assert latex.count(rf"\begin{{{name}}}") == latex.count(rf"\end{{{name}}}") == 1


def test_every_character_that_latex_obeys_is_escaped():
    assert escaped("a_b & 5% #1 $x^2 ~{y}\\") == (
        r"a\_b \& 5\% \#1 \$x\textasciicircum{}2 \textasciitilde{}\{y\}\textbackslash{}"
    )
    assert escaped("σ ± √n, é, 中, a--b") == r"$\sigma$ $\pm$ $\surd$n, é, {[}U+4E2D{]}, a-{}-b"
    assert escaped("<[*]>") == r"\textless{}{[}{*}{]}\textgreater{}"


def test_out_writes_a_file_and_nothing_else(bdfa, place):
    outcome = bdfa("study", "table", "sweep", "--latex", "--out", "table.tex")
    assert (outcome.code, outcome.out) == (0, "")
    assert Path("table.tex").read_text() == bdfa("study", "table", "sweep", "--latex").out


def test_runs_of_other_settings_are_left_out_loudly(bdfa, place):
    Path("sweep.toml").write_text(STUDY.replace('bp = { gradient = "bp", lr = 1e-2 }', 'bp = { gradient = "bp" }'))
    outcome = bdfa("study", "table", "sweep.toml", "--csv")
    assert records(outcome.out)["bp"]["note"] == "0 of 3 seeds; 3 left out"
    assert outcome.err == (
        "note: left out: studies/sweep/bp/seed-0 was trained with other settings (lr 0.01, now 0.0001): name another "
        "folder with --save, or put the setting back; likewise bp/seed-1, bp/seed-2\n"
    )
    assert "was trained with other settings" in bdfa("study", "table", "sweep.toml").out


def test_an_incomplete_cell_says_so_in_every_format(bdfa, place):
    shutil.rmtree(place / "bp" / "seed-1")
    Path(place / "bp" / "seed-1.failed").write_text("loss is not a number\n")
    said = "2 of 3 seeds; 1 failed: loss is not a number"
    assert said in " ".join(bdfa("study", "table", "sweep").out.split())
    for form in ("--csv", "--markdown", "--latex"):
        assert said in bdfa("study", "table", "sweep", form).out


def test_one_seed_has_no_deviation_and_whether_it_agrees_is_unknown(bdfa, place):
    for seed in (1, 2):
        shutil.rmtree(place / "bp" / f"seed-{seed}")
    row = records(bdfa("study", "table", "sweep", "--csv").out)["bp"]
    assert (row["n"], row["error_percent_sd"], row["within_2_sd"]) == ("1", "", "unknown")


def test_shortened_runs_are_a_table_of_their_own_and_marked_in_every_row(bdfa, place):
    study = load_study("sweep.toml")
    run_study(study, place, cells=["bp"], seeds=2, epochs=1)
    whole = bdfa("study", "table", "sweep").out
    assert "shortened runs are left out: --epochs 1 shows them" in whole
    row = records(bdfa("study", "table", "sweep", "--csv", "--epochs", 1).out)["bp"]
    assert (row["n"], row["note"]) == ("2", "1 of 2 epochs; 2 of 3 seeds")
    run_study(study, Path("short"), cells=["bp"], seeds=1, epochs=1)
    out = bdfa("study", "table", "short", "--cells", "bp").out
    assert "1 of 2 epochs; 1 of 3 seeds" in " ".join(out.split())
    assert "no whole run is begun: these are shortened to 1 epoch" in out


def test_best_is_by_validation_and_refused_where_test_images_would_choose(bdfa, place):
    row = records(bdfa("study", "table", "sweep", "--csv", "--best").out)["bp"]
    paths = [place / "bp" / f"seed-{seed}" / "checkpoint.h5" for seed in range(3)]
    lowest = [min(100 * record.test_error for record in read_history(path)[1]) for path in paths]
    assert float(row["error_percent_mean"]) == pytest.approx(mean(lowest))
    Path("tested.toml").write_text(STUDY.replace("validate = true\n", ""))
    said = bdfa.refused("study", "table", "tested.toml", "--save", place, "--best")
    assert "would be chosen by them" in said
    report = STUDY.replace("validate = true\n", "").replace('["last", "test"]', '["last", "best"]')
    Path("tested.toml").write_text(report)
    for form in ("--csv", "--markdown", "--latex", "--interval"):
        out = bdfa("study", "table", "tested.toml", "--save", place, "--best", form).out
        assert "chosen on test images" in " ".join(out.split())


def test_welchs_tests_are_scipys_of_the_runs_errors(bdfa, place):
    rows = list(csv.DictReader(io.StringIO(bdfa("study", "table", "sweep", "--welch", "rule", "--csv").out)))
    assert [(row["first"], row["second"]) for row in rows] == [
        ("bp", "bdfa_label"),
        ("bp", "other"),
        ("bdfa_label", "other"),
    ]
    a, b = errors(place, "bp"), errors(place, "bdfa_label")
    assert float(rows[0]["p"]) == pytest.approx(scipy.stats.ttest_ind(a, b, equal_var=False).pvalue)
    assert float(rows[0]["p_holm"]) == float(rows[0]["p"])  # the others have no test
    assert (rows[1]["p"], rows[1]["note"]) == ("", "fewer than 2 runs of other")
    assert "p (Holm): adjusted by Holm" in bdfa("study", "table", "sweep", "--welch", "rule").out
    assert "has no axis 'net': its axes are rule" in bdfa.refused("study", "table", "sweep", "--welch", "net")


def test_accuracies_are_shown_where_they_were_published(bdfa, place):
    Path("sweep.toml").write_text(STUDY.replace("seeds = 3", 'seeds = 3\nmeasure = "accuracy"'))
    row = records(bdfa("study", "table", "sweep.toml", "--csv").out)["bp"]
    assert float(row["accuracy_percent_mean"]) == pytest.approx(100 - mean(errors(place, "bp")))


def test_the_frame_has_a_row_for_each_run_and_epoch(bdfa, place):
    assert bdfa("study", "table", "sweep", "--frame", "epochs.csv").code == 0
    with Path("epochs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 3 * 2
    assert {row["state"] for row in rows} == {"finished"}
    history = read_history(place / "bp" / "seed-2" / "checkpoint.h5")[1]
    own = [row for row in rows if (row["rule"], row["seed"]) == ("bp", "2")]
    assert [float(row["validation_error"]) for row in own] == [record.test_error for record in history]
    assert [row["epoch"] for row in own] == ["1", "2"]


def test_an_axis_called_as_a_figure_has_a_column_of_its_own_in_the_frame(bdfa, tmp_path):
    text = STUDY.partition("[grid.rule]")[0].replace("seeds = 3", "seeds = 1") + "[grid]\nlr = [1e-2, 1e-3]\n"
    Path("rates.toml").write_text(text)
    run_study(load_study("rates.toml"), Path("studies/rates"))
    assert bdfa("study", "table", "rates", "--frame", "rates.csv").code == 0
    with Path("rates.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["lr_label"], row["lr"]) for row in rows[::2]] == [("lr=0.01", "0.01"), ("lr=0.001", "0.001")]
    assert "published" not in bdfa("study", "table", "rates").out.splitlines()[3]


@pytest.mark.parametrize(
    ("called", "said"),
    [
        (["nowhere"], "there is no such file"),
        (["luo-mnist"], "there is no folder studies/luo-mnist: run study luo-mnist first"),
        (["sweep", "--cells", "tp"], "no cell of study sweep fits 'tp'"),
        (["sweep", "--epochs", "9"], "cannot be run for 9 epochs"),
        (["studies"], "no study was run in studies"),
        (["sweep", "--frame", "x.csv", "--best"], "leave the other options of the table out"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(bdfa, place, called, said):
    assert said in bdfa.refused("study", "table", *called)


def test_in_python_a_table_is_its_text(bdfa, place):
    table = tabulate(load_study("sweep.toml"), place)
    assert repr(table) == table.text(80)
    assert "<table>" in table._repr_html_()
