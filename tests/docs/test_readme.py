"""Everything that the README shows is run: its commands in their order, and its Python.

Commands that would train for long are cut down to a few images by options that are added here. Those that need a
published data set skip where ``BDFA_DATA_DIR`` has none.
"""

import os
import re
import shlex
from pathlib import Path

import pytest

from bdfa_np import Rule, alignment_angle
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.random_streams import Streams

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)

DATA = Path(os.environ.get("BDFA_DATA_DIR", "nowhere"))  # which the fixture of the command line takes away

CUT_DOWN = {
    "cifar10": ["--train-limit", "60", "--test-limit", "30", "--epochs", "1"],
    "mnist": ["--train-limit", "300", "--test-limit", "100", "--epochs", "1", "--num-hidden", "20"],
    "mnist-5k": ["--train-limit", "300", "--test-limit", "100"],
}
"""What a command that trains on a data set is given; those on mnist-5k keep their epochs, from which others go on."""
SMALL = ["--resize", "16", "--train-limit", "60"]
"""What is added to one that whitens: that takes the cube of an image's size."""
NOT_HERE = ("stl10", "mine.npz", "mine.csv", "photographs", "scans", "doctor", "FILE")
"""Of commands that need what no test has: files of one's own, a device, a data set that is not at hand."""


def commands():
    """Yield the words of every bdfa command in a block of shell commands, in their order."""
    for language, block in BLOCKS:
        if language == "sh":
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                if words and words[0] == "bdfa":
                    yield words[1:]


def dataset_of(words):
    """Return the published data set that a command needs, or None."""
    named = [word.lower() for word in words]
    if "luo-mnist" in named:
        return "mnist" if {"run", "table"} & set(named) else None
    return next((name for name in ("cifar10", "mnist") if name in named), None)


def there(dataset):
    """Return whether a data set's files are at hand."""
    return (DATA / {"mnist": "mnist", "cifar10": "cifar-10-batches-bin"}[dataset]).is_dir()


def test_every_command_of_the_readme_works(bdfa, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BDFA_DATA_DIR", str(DATA))
    run, left_out = 0, []
    for words in commands():
        if any(part in word for part in NOT_HERE for word in words):
            continue
        dataset = dataset_of(words)
        if dataset is not None and not there(dataset):
            left_out.append(" ".join(words))
            continue
        trained_on = dataset or ("mnist-5k" if "mnist-5k" in words else None)
        trains = words[0] == "train" and "--dry-run" not in words
        added = CUT_DOWN[trained_on] if trained_on is not None and trains else []
        if dataset is not None and ("--whiten" in words or "show-zca" in words):
            added = SMALL + [option for option in added if option not in ("--train-limit", "60")]
        if "conv" in words:
            added = [option for option in added if option not in ("--num-hidden", "20")]
        if words[:2] == ["study", "run"]:
            added = ["--epochs", "1", "--workers", "1"]
        outcome = bdfa(*words, *added)
        assert outcome.code == 0, (words, outcome.err)
        run += 1
    assert run >= 12
    if left_out:
        pytest.skip(f"BDFA_DATA_DIR has no data for: {'; '.join(left_out)} (the other {run} commands work)")


def test_the_python_of_the_readme_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    names = {"__name__": "readme"}
    blocks = [block for language, block in BLOCKS if language == "python"]
    assert len(blocks) >= 4
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert names["trained"].history[-1].test_error < 0.12
    assert names["deltas"]["linear1"].shape == (32, 100)
    assert 60 < alignment_angle(names["deltas"]["linear1"], names["exact"]["linear1"]) < 120
    assert issubclass(names["DRTP"], Rule)
    network = names["build"](None, (28, 28, 1), 10, Streams(0), NumpyBackend())
    assert network.output_shape == (10,)
    assert "Traceback" not in capsys.readouterr().err
