"""How a run begins: in a folder of its own, or, with ``--resume``, where it is not there yet."""

import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

AT_ONE_TIME = """
import pathlib, sys, time
from bdfa_np.cli import main
import bdfa_np.cli.commands.train as command
import bdfa_np.runs.session

class Clock(command.datetime):
    @classmethod
    def now(cls):
        return cls(2026, 1, 31, 12, 0, 0)

command.datetime = Clock
pathlib.Path(f"ready{sys.argv.pop(1)}").touch()
while not pathlib.Path("go").exists():
    time.sleep(0.001)
main()
"""


def test_runs_without_a_name_that_start_in_the_same_second_each_get_a_folder(bdfa, tiny, tmp_path):
    count = 3
    command = [sys.executable, "-P", "-c", AT_ONE_TIME]
    options = ["train", *tiny, "--epochs", "1", "--backend", "numpy"]
    children = [
        subprocess.Popen([*command, str(number), *options], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        for number in range(count)
    ]
    while len(list(tmp_path.glob("ready*"))) < count:
        assert all(child.poll() is None for child in children)
        time.sleep(0.01)  # who asks without a break takes the processor from them
    Path("go").touch()
    assert [child.communicate()[1] for child in children] == [""] * count
    assert [child.returncode for child in children] == [0] * count
    name = "2026-01-31_12-00-00"
    assert {path.name for path in Path("runs").iterdir()} == {
        name,
        *(f"{name}_{number}" for number in range(2, count + 1)),
    }
    for folder in Path("runs").iterdir():
        assert len((folder / "metrics.csv").read_text().splitlines()) == 2
        assert f"run folder: {folder}\n" in (folder / "Log.txt").read_text()


@pytest.fixture
def line(tiny):
    return ["train", *tiny, "--epochs", "2", "--seed", "3", "--backend", "numpy", "--save", "run", "--resume"]


def test_one_line_starts_a_run_and_goes_on_with_it(bdfa, tiny, line, result):
    first = bdfa(*line, "--epochs", 1)
    assert (first.code, first.err) == (0, "")
    assert first.out.startswith("note: there is no run in run yet: it is started\n")
    again = bdfa(*line)
    assert (again.code, again.err) == (0, "")
    assert "resumed after epoch 1\n" in again.out
    bdfa.train("at-once", "--epochs", 2, "--seed", 3)
    assert result(Path("run")) == result(Path("at-once"))


def test_a_run_that_has_its_epochs_is_left_as_it_is(bdfa, line, result):
    bdfa(*line)
    before = result(Path("run"))
    outcome = bdfa(*line)
    assert (outcome.code, outcome.err) == (0, "")
    assert "nothing to do: the run has its 2 epochs already" in outcome.out
    assert result(Path("run")) == before


def test_a_line_whose_options_are_not_the_runs_is_refused(bdfa, line):
    bdfa(*line)
    assert "--seed 4 differs from the run's 3" in bdfa.refused(*line, "--seed", 4)


def test_a_folder_with_other_files_is_started_in_and_one_with_files_of_a_run_is_not(bdfa, line):
    Path("run").mkdir()
    Path("run/notes.txt").write_text("mine")
    assert bdfa(*line).code == 0
    assert Path("run/notes.txt").read_text() == "mine"
    Path("run/config.toml").unlink()
    before = Path("run/checkpoint.h5").read_bytes()
    assert "there is no run in run: config.toml is missing" in bdfa.refused(*line)
    assert Path("run/checkpoint.h5").read_bytes() == before


def test_a_line_with_a_config_file_and_weights_to_start_from_may_be_given_again(bdfa, tiny, result):
    bdfa.train("other", "--epochs", 1)
    Path("base.toml").write_text('nonlin = "relu"\ngradient = "dfa"\nlr = 1e-3\n')
    line = ["train", *tiny, "--config", "base.toml", "--load", "other", "--save", "run", "--resume"]
    assert bdfa(*line, "--epochs", 1).code == 0
    outcome = bdfa(*line, "--epochs", 2)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("note: --load other was for the run's start: it goes on from its own weights\n")
    bdfa.train("at-once", "--config", "base.toml", "--load", "other", "--epochs", 2)
    assert result(Path("run")) == result(Path("at-once"))
    Path("base.toml").write_text('nonlin = "tanh"\n')
    assert "--nonlin tanh differs from the run's relu" in bdfa.refused(*line)


def test_a_dry_run_of_a_line_that_resumes_is_refused(bdfa, line):
    assert "--resume and --dry-run exclude each other" in bdfa.refused(*line, "--dry-run")


@pytest.mark.parametrize("spelling", [["-load", "none"], ["--load", "none"]])
def test_no_weights_may_be_named_as_the_original_names_them(bdfa, tiny, spelling):
    assert "weights" not in bdfa.train("run", "--epochs", 1, *spelling).out
    Path("none").mkdir()
    assert "--load none: there is no file none/checkpoint.h5" in bdfa.refused(
        "train", *tiny, "--load", "./none", "--save", "other"
    )


@pytest.mark.parametrize("name", ["./Models/mlp.lua", "Models/mlp.lua", "/home/luo/bdfa-torch/Models/mlp.lua", "mlp"])
def test_a_net_of_the_originals_is_known_by_its_base_name(bdfa, name):
    bdfa.train("run", "--epochs", 1, "-network", name)
    assert tomllib.loads(Path("run/config.toml").read_text())["options"]["network"] == "mlp"


def test_a_net_that_is_no_built_in_one_is_looked_for_as_a_python_file(bdfa, tiny):
    line = bdfa.refused("train", *tiny, "-network", "./Models/resnet.lua", "--save", "run")
    assert "--network resnet: there is no built-in net of this name, " in line
    assert f"and no file {Path('Models/resnet.py').resolve()}" in line
