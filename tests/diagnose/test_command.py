"""``bdfa diagnose``: what is said before, meanwhile and after, in 80 columns, as JSON, and after Ctrl-C."""

import json
import re
import shutil
from pathlib import Path

import pytest

from bdfa_np import Diagnosis, train
from bdfa_np.study.work import Telling

from .conftest import DFA, TINY

OWN = """\
from bdfa_np import DFA

class Own(DFA):
    pass
"""


@pytest.fixture
def finished(bdfa, diagnosed):
    """Give the command line, called where a copy of the run is that has its controls."""
    shutil.copytree(diagnosed[0], "run")
    return bdfa


def test_the_text_fits_80_columns_and_ends_with_the_verdicts(finished):
    outcome = finished("diagnose", "run")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "run after 2 epochs: mlp, dfa, on 1,000 test images of mnist-5k"
    assert lines[1].startswith("net: the last one; error ")
    assert "layer    angle δ  angle dW" in outcome.out
    begins = ("recovery: ", "scale stable? yes: ", "reference valid? yes: ", "depth used? ", "note: p and the interval")
    assert [line for line in lines if not line.startswith("  ")][-5:] == [
        next(line for line in lines if line.startswith(begin)) for begin in begins
    ]


def test_what_is_to_be_trained_is_said_before_and_each_control_as_it_is_done(finished):
    shutil.rmtree("run/controls/shallow")
    shutil.rmtree("run/controls/linear")
    outcome = finished("diagnose", "run", "--controls", "bp,linear")
    assert (outcome.code, outcome.err) == (0, "")
    plan, _, rest = outcome.out.partition("\n\n")
    assert plan.splitlines()[0] == "to be trained as the run was, in run/controls:"
    assert re.search(r"^linear +no hidden layer +2 epochs +a few seconds$", plan, re.MULTILINE)
    assert not re.search(r"^(bp|shallow)", plan, re.MULTILINE)
    assert re.search(r"^a few seconds each; --no-controls: the numbers of this net alone$", plan, re.MULTILINE)
    assert re.search(r"^finished  linear: error \d+\.\d\d% after 2 epochs$", rest, re.MULTILINE)
    assert "depth used? " in rest


def test_a_study_is_told_by_one_of_its_runs(finished):
    Path("sweep/bp").mkdir(parents=True)
    Path("run").rename("sweep/bp/seed-0")
    assert "sweep is no run, and holds some: name one of its runs, as in sweep/bp/seed-0" in finished.refused(
        "diagnose", "sweep"
    )
    Path("sweep/study.toml").touch()
    assert "sweep is a study: name one of its runs, as in sweep/bp/seed-0" in finished.refused("diagnose", "sweep")


def test_the_numbers_alone_need_no_control(finished):
    shutil.rmtree("run/controls")
    for words in (["--no-controls"], ["--controls", "none"]):
        out = finished("diagnose", "run", *words).out
        assert "reference valid? yes" in out
        assert "depth used? unknown: it takes controls to tell" in out
        assert "recovery" not in out
    assert not Path("run/controls").exists()


def test_json_is_printed_alone_and_all_else_on_standard_error(finished):
    shutil.rmtree("run/controls/linear")
    outcome = finished("diagnose", "run", "--controls", "linear", "--json")
    found = Diagnosis.from_mapping(json.loads(outcome.out), Path("run"))
    assert [one.name for one in found.controls] == ["linear"]
    assert "finished  linear" in outcome.err


def test_ctrl_c_says_what_is_done_and_how_to_go_on(finished, monkeypatch):
    for name in ("frozen", "linear"):
        shutil.rmtree(f"run/controls/{name}")

    def interrupted(telling, record):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Telling, "epoch_ends", interrupted)
        outcome = finished("diagnose", "run", "--controls", "bp,frozen,linear")
    assert outcome.code == 130
    said = "interrupted: 1 of 3 runs finished; go on with: bdfa diagnose run --controls bp,frozen,linear"
    assert outcome.err.splitlines() == [said]
    assert finished(*said.split("bdfa ")[1].split()).code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("diagnose nowhere", "there is no run in nowhere"),
        ("diagnose run --controls fa", "--controls fa: choose from bp, frozen, linear, shallow"),
        ("diagnose run --split validation", "run was trained without --validate"),
        ("diagnose run --best", "run has no best.h5: it was trained without --keep-best"),
        ("diagnose run --dataset mnist", "--dataset mnist differs from the run's mnist-5k"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(finished, words, said):
    assert said in finished.refused(*words.split())


def test_data_that_are_gone_are_asked_for(bdfa, tmp_path):
    rows = [f"{number % 7},{number % 5},{number % 2}" for number in range(60)]
    Path("mine.csv").write_text("\n".join(["a,b,label", *rows]))
    settings = {**TINY, "dataset": "./mine.csv", "train_limit": None, "test_limit": None, "test_fraction": 0.5}
    train(**settings, gradient="bp", num_layers=1, epochs=1, save="run", progress=False)
    Path("mine.csv").rename("moved.csv")
    whole = tmp_path / "mine.csv"
    assert f"the data of run are not in {whole}: say where they are with --dataset PATH" in bdfa.refused(
        "diagnose", "run"
    )
    outcome = bdfa("diagnose", "run", "--dataset", "./moved.csv")
    assert outcome.code == 0
    assert "on 30 test vectors of" in outcome.out


def test_a_run_of_somebody_elses_file_trains_no_control_before_it_is_trusted(bdfa, monkeypatch, tmp_path):
    Path("own.py").write_text(OWN)
    train(**{**DFA, "gradient": Path("own.py"), "epochs": 1}, save="run", progress=False)
    monkeypatch.setenv("BDFA_CONFIG_DIR", str(tmp_path / "another user's"))
    assert "which you have not named yourself" in bdfa.refused("diagnose", "run")
    assert not Path("run/controls").exists()
    Path("own.py").unlink()  # the run has a copy
    outcome = bdfa("diagnose", "run", "--controls", "shallow", "--trust")
    assert outcome.code == 0
    assert Path("run/controls/shallow/rule_copy.py").read_text() == OWN
