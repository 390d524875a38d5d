"""``bdfa study run`` and `bdfa_np.Study`: what is refused, carried out, skipped, gone on with, and said of it."""

import io
import re
import signal
from pathlib import Path

import pytest
from rich.console import Console

import bdfa_np
from bdfa_np.cli.study_display import LiveTable, picture
from bdfa_np.errors import ConfigError, StudyError
from bdfa_np.study.events import Outcome, Progress
from bdfa_np.study.plan import PlannedRun
from bdfa_np.study.standing import Standing

TEXT = """
seeds = 2
[base]
dataset = "mnist-5k"
train_limit = 200
test_limit = 100
num_hidden = 10
epochs = 2
[grid.rule]
bp = { gradient = "bp" }
dfa = { gradient = "dfa" }
"""


@pytest.fixture
def file(bdfa):
    Path("two.toml").write_text(TEXT)
    return "two.toml"


def folders(save="studies/two"):
    return sorted(str(path.parent.relative_to(save)) for path in Path(save).rglob("result.toml"))


def trained(save="studies/two"):
    """Return when each run was last saved."""
    return {path: path.stat().st_mtime_ns for path in Path(save).rglob("checkpoint.h5")}


def test_every_cell_is_trained_with_every_seed_and_what_is_finished_is_not_trained_again(bdfa, file):
    outcome = bdfa("study", "run", file, "--workers", 1)
    assert (outcome.code, outcome.err) == (0, "")
    assert folders() == ["bp/seed-0", "bp/seed-1", "dfa/seed-0", "dfa/seed-1"]
    lines = outcome.out.splitlines()
    assert lines[0] == "two in studies/two: 0 of 4 runs finished"
    assert [line.split(":")[0] for line in lines[1:5]] == [
        f"finished  {one}" for one in ("bp/seed-0", "dfa/seed-0", "bp/seed-1", "dfa/seed-1")
    ]
    assert lines[5] == "4 of 4 runs finished; their table: bdfa study table studies/two"
    before = trained()
    again = bdfa("study", "run", file, "--workers", 1)
    assert again.code == 0
    assert "finished  " not in again.out
    assert trained() == before


def test_a_dry_run_lists_all_runs_and_writes_nothing(bdfa, file):
    outcome = bdfa("study", "run", file, "--dry-run", "--epochs", 1)
    assert (outcome.code, outcome.err) == (0, "")
    assert not Path("studies").exists()
    assert "shortened to 1 of 2 epochs" in outcome.out
    for run in ("bp/seed-0_epochs-1", "dfa/seed-1_epochs-1"):
        assert re.search(rf"^{run} +to do, 1 of 2 epochs", outcome.out, re.MULTILINE)


def test_a_run_that_fails_is_named_with_its_reason_and_stops_no_other(bdfa, file):
    Path("bad.toml").write_text(TEXT.replace('"dfa" }', '"dfa", lr = 1e30, criterion = "mse" }'))
    outcome = bdfa("study", "run", "bad.toml", "--workers", 1, "--seeds", 1)
    assert outcome.code == 1, outcome
    assert folders("studies/bad") == ["bp/seed-0"]
    assert re.search(r"^failed    dfa/seed-0: .", outcome.out, re.MULTILINE)
    assert "1 of 2 runs finished, 1 failed" in outcome.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--cells", "nope"], "no cell of study two fits 'nope'"),
        (["--collect"], "--collect needs --scheduler"),
        (["--collect-every", "2"], "--collect-every needs --collect"),
        (["--scheduler", "tcp://x:1", "--workers", "2"], "--workers and --scheduler exclude each other"),
        (["--workers", "2", "--gpu-workers", "1"], "--workers and --gpu-workers exclude each other"),
        (["--shard", "3/2"], "'3/2' is no part"),
        (["--datapath", "two.toml"], "two.toml"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_before_anything_is_written(bdfa, file, options, said):
    assert said in bdfa.refused("study", "run", file, *options)
    assert not Path("studies").exists()


def test_a_missing_data_set_is_said_before_anything_is_trained(bdfa):
    Path("two.toml").write_text(TEXT.replace("[grid", "test_fraction = 0.2\n[grid").replace("mnist-5k", "./gone.npz"))
    assert "gone.npz" in bdfa.refused("study", "run", "two.toml", "--workers", 1)
    assert not Path("studies").exists()


def test_a_change_of_settings_does_not_mix_with_what_is_there(bdfa, file):
    assert bdfa("study", "run", file, "--workers", 1, "--seeds", 1).code == 0
    Path(file).write_text(TEXT.replace("num_hidden = 10", "num_hidden = 11"))
    assert "was trained with other settings (num_hidden 10, now 11)" in bdfa.refused("study", "run", file)


def test_the_folder_of_a_run_is_no_place_for_a_study(bdfa, file, tiny):
    assert bdfa("train", *tiny, "--epochs", 1, "--save", "run").code == 0
    said = "run is the folder of a run, and a study has many: name another folder with --save"
    for options in ((), ("--dry-run",)):
        assert bdfa.refused("study", "run", file, "--save", "run", *options).endswith(said)
    assert not Path("run/study.toml").exists()


def test_a_dry_run_says_what_is_searched_before_and_that_it_is_not_counted(bdfa, file, monkeypatch):
    monkeypatch.setattr("bdfa_np.study.estimate._measured", lambda *_: (0.5, 0.0))
    Path(file).write_text(f"{TEXT}[search]\ntrials = 3\n[search.space]\nlr = [0.1, 0.01]\n")
    text = " ".join(bdfa("study", "run", file, "--dry-run").out.split())
    assert "search: 3 trials for each cell, drawn at random, of 2 epochs with seed 0" in text
    assert "bp: 0 of 3 trials done, nothing is chosen yet" in text
    assert "beside the trials of its search; nothing was trained or written" in text
    shown = " ".join(bdfa("study", "show", file).out.split())
    assert "search: 3 trials for each cell" in shown
    assert "searched: lr 0.1 or 0.01" in shown
    assert "done" not in shown


def test_a_dry_run_measures_each_kind_of_step_once(bdfa, file, monkeypatch):
    measured = []
    monkeypatch.setattr("bdfa_np.study.estimate._measured", lambda *of: measured.append(of) or (0.5, 0.0))
    Path(file).write_text(TEXT.replace("[grid.rule]", "[grid]\nlr = [0.1, 0.01, 0.001]\n[grid.rule]"))
    assert bdfa("study", "run", file, "--dry-run").code == 0
    assert len(measured) == 2


def test_until_a_run_begins_the_terminal_says_what_is_waited_for():
    shown = Standing("two", "error")
    run = PlannedRun("two", "bp", 0, {"epochs": 2}, "bp/seed-0")
    shown.plans([run], {"bp/seed-0": "missing"})
    assert "about to begin" in text_of(picture(shown, 24))
    shown.begins("bp/seed-0", "worker 1")
    assert "about to begin" not in text_of(picture(shown, 24))
    shown.ends(Outcome("bp/seed-0", "failed", "why"))
    assert "about to begin" not in text_of(picture(shown, 24))
    shown.plans([run], {"bp/seed-0": "finished"})
    assert "about to begin" not in text_of(picture(shown, 24))


def test_what_is_left_on_the_terminal_promises_no_run():
    live = LiveTable("two", "error", Console(file=io.StringIO(), width=80, force_terminal=True))
    live.plans([PlannedRun("two", "bp", 0, {"epochs": 2}, "bp/seed-0")], {"bp/seed-0": "missing"})
    assert "about to begin" in live.console.file.getvalue()
    live.console.file.truncate(0)
    live.ends_showing()
    assert "bp" in live.console.file.getvalue()
    assert "about to begin" not in live.console.file.getvalue()


def text_of(shown):
    console = Console(file=io.StringIO(), width=80)
    console.print(shown)
    return console.file.getvalue()


@pytest.mark.slow
def test_the_jobs_of_a_shard_have_all_runs_between_them(bdfa, file):
    assert bdfa("study", "run", file, "--shard", "1/2").code == 0
    first = folders()
    assert bdfa("study", "run", file, "--shard", "2/2").code == 0
    assert len(first) == 2
    assert len(folders()) == 4


def test_ctrl_c_says_how_to_go_on_and_going_on_comes_to_the_same(bdfa, file, result):
    Path(file).write_text(TEXT.replace("epochs = 2", "epochs = 12"))
    call = ("study", "run", file, "--workers", 1, "--seeds", 1)
    with bdfa.start(*call) as child:
        bdfa.read_until(child, "finished  bp")
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert said == "interrupted: 1 of 2 runs finished; go on with: bdfa study run two.toml --workers 1 --seeds 1\n"
    assert bdfa(*call).code == 0
    assert bdfa(*call, "--save", "whole").code == 0
    assert result(Path("studies/two/dfa/seed-0")) == result(Path("whole/dfa/seed-0"))


def test_a_terminal_shows_a_table_of_cells(bdfa, file):
    code, sent = bdfa.on_a_terminal("study", "run", file, "--workers", 1, "--seeds", 1, COLUMNS="80", LINES="24")
    assert code == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", sent)
    assert re.search(r"bp +1/1 +━+ +\d+\.\d\d% of 1", plain)
    assert max(len(line) for line in re.split(r"[\r\n]+", plain)) <= 80


def test_a_study_in_python_is_built_run_and_laid_out_as_a_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = {"dataset": "mnist-5k", "train_limit": 200, "test_limit": 100, "num_hidden": 10, "epochs": 1}
    study = bdfa_np.Study.from_mapping({"base": base, "grid": {"lr": (1e-3, 1e-2)}}, name="rates")
    assert repr(study) == "Study(rates, 2 cells, 1 seed)"
    outcomes = study.run(workers=1, progress=False)
    assert [(one.folder, one.state) for one in outcomes] == [
        ("lr=0.001/seed-0", "finished"),
        ("lr=0.01/seed-0", "finished"),
    ]
    assert "lr=0.01" in study.table().text(80)
    pytest.importorskip("pandas")
    assert len(study.frame()) == 2


def test_an_option_of_runs_is_refused_where_only_those_of_the_machine_belong():
    study = bdfa_np.Study.load("luo-mnist")
    with pytest.raises(ConfigError, match="there is no argument 'lr' here"):
        study.run(lr=1e-3)
    for name in ("workers", "epochs", "gpu_workers", "collect_every"):
        for wrong in ("2", 0, 1.5, True):
            with pytest.raises(ConfigError, match=f"{name} is {wrong!r}: a whole number of 1 or more is wanted"):
                study.run(**{name: wrong})
    with pytest.raises(StudyError, match="the study is a list"):
        bdfa_np.Study.from_mapping([], name="x")


def test_time_left_is_what_the_runs_take_shared_by_those_at_work():
    runs = [PlannedRun("s", cell, 0, {"epochs": 10}, f"{cell}/seed-0") for cell in "abc"]
    standing = Standing("s", "error")
    standing.plans(runs, {run.folder: "missing" for run in runs})
    assert standing.seconds_left() is None
    for run in runs[:2]:
        standing.begins(run.folder, "here")
        standing.progress(Progress(run.folder, 4, 10, share=0.5, error=0.1, seconds=2.0))
    assert standing.seconds_left() == pytest.approx((5.5 * 2 + 5.5 * 2 + 10 * 2) / 2)
    standing.ends(Outcome("a/seed-0", "finished"))
    assert standing.said() == "1 of 3 runs finished"
    assert standing.cells["a"].error() == (0.1, 1, True)
    assert standing.cells["b"].error() == (0.1, 1, False)
