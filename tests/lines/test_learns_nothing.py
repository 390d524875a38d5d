"""The note on a net that answers no better than a constant and whose loss no longer falls."""

from dataclasses import replace
from pathlib import Path

import pytest

from bdfa_np import Config
from bdfa_np.runs.history import FIRST_JUDGED, Standing
from bdfa_np.runs.starting import resume_run, start_run
from bdfa_np.trainer import EpochRecord

SHOWN = "as if the largest class were always guessed"
SMALL = {"dataset": "mnist-5k", "num_hidden": 50, "threads": 1, "backend": "numpy"}
FIRST = EpochRecord(1, 0.1, 0.0, 0.9, 0.9, 0.3, 0.9, 1.0)


def history(losses, errors=0.9):
    errors = [errors] * len(losses) if isinstance(errors, float) else errors
    return [
        replace(FIRST, epoch=epoch, train_loss=loss, test_error=error)
        for epoch, (loss, error) in enumerate(zip(losses, errors, strict=True), start=1)
    ]


FLAT = [0.33, 0.32529, 0.32525, 0.32525, 0.32527]
FALLING = [0.35432, 0.33273, 0.32687, 0.32545, 0.32516]  # `fa` with sigmoid, which then learns


@pytest.mark.parametrize(
    ("losses", "error", "share", "said"),
    [
        (FLAT, 0.9, 0.1, True),
        (FLAT, 0.89, 0.1, True),
        (FLAT, 0.889, 0.1, False),  # more than a point better
        (FALLING, 0.9, 0.1, False),
        (FLAT[:4], 0.9, 0.1, False),  # too early to say
        ([2.3, 2.2, 2.1, 2.05, 2.04], 0.9, 0.1, False),
        ([4.5, 5.3, 58.0, 57.0, 59.0], 0.9, 0.1, True),  # it has grown
        (FLAT, 0.05, 0.95, True),
        (FLAT, 0.044, 0.95, False),  # of five points a tenth is gained
        (FLAT, 0.001, 0.99, False),
        (FLAT, 0.0, 1.0, False),
    ],
)
def test_both_the_error_and_the_loss_have_to_stand_still(losses, error, share, said):
    assert Standing(history(losses, error)).learns_nothing(share) is said


def noted(lines):
    return sum(SHOWN in line for line in lines)


def log(folder):
    return Path(folder, "Log.txt").read_text().splitlines()


@pytest.mark.parametrize(
    "options",
    [
        {"gradient": "fa", "nonlin": "sigm", "optimization": "sgd"},
        {"gradient": "bp", "optimization": "sgd", "lr": 0.1},
        {"gradient": "bp", "optimization": "adam", "lr": 0.1, "validate": True},
        {"gradient": "bp", "nonlin": "sigm", "num_layers": 4, "optimization": "sgd"},
    ],
    ids=str,
)
def test_a_run_that_stands_still_says_so_once(tmp_path, options):
    start_run(Config(**SMALL, **options, epochs=12), tmp_path / "run")
    lines = log(tmp_path / "run")
    assert noted(lines) == 1
    (at,) = (number for number, line in enumerate(lines) if SHOWN in line)
    part = "validation" if "validate" in options else "test"
    assert lines[at].startswith(f"note: {part} error ")
    assert int(lines[at - 1].split()[1].split("/")[0]) >= FIRST_JUDGED
    assert "--lr" in lines[at + 1]


@pytest.mark.parametrize(
    "options",
    [
        {"gradient": "fa", "nonlin": "sigm", "num_hidden": 200, "epochs": 9},  # 90 % for five epochs, then it learns
        {"gradient": "bp", "lr": 1e-3, "epochs": 6},
        {"gradient": "dfa", "optimization": "sgd", "lr": 1e-6, "epochs": 7},  # far too slow, but its loss falls
        {"gradient": "fa", "nonlin": "sigm", "lr": 1e-5, "epochs": 7},
    ],
    ids=str,
)
def test_a_run_that_is_on_its_way_is_left_alone(tmp_path, options):
    start_run(Config(**SMALL | options), tmp_path / "run")
    assert noted(log(tmp_path / "run")) == 0


@pytest.mark.parametrize("after", [3, 7])
def test_it_is_said_once_in_a_run_however_often_that_is_resumed(tmp_path, after):
    options = {"gradient": "fa", "nonlin": "sigm", "optimization": "sgd"}
    start_run(Config(**SMALL, **options, epochs=after), tmp_path / "run")
    resume_run(tmp_path / "run", {"epochs": 10})
    resume_run(tmp_path / "run", {"epochs": 11})
    assert noted(log(tmp_path / "run")) == 1
