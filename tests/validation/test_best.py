"""``--keep-best`` and ``--patience``: the net of the lowest validation error, kept, resumed, loaded and tested."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import bdfa_np.runs.folder
from bdfa_np import Config, load_run
from bdfa_np.errors import ConfigError, RunError
from bdfa_np.runs.checkpoint import read_checkpoint, write_checkpoint
from bdfa_np.runs.evaluation import evaluate_run
from bdfa_np.runs.starting import resume_run, start_run

OPTIONS = {
    "dataset": "mnist-5k",
    "num_hidden": 20,
    "train_limit": 200,
    "threads": 1,
    "backend": "numpy",
    "seed": 1,
    "gradient": "bp",
    "lr": 3e-2,
    "validate": True,
    "keep_best": True,
    "batch_size": 32,
}
EPOCHS = 8
"""Errors waver at this rate: neither the first nor the last epoch is the best, which the tests see to."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Give the folder of a run that was never interrupted, and its history."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    session = start_run(Config(**OPTIONS, epochs=EPOCHS), folder)
    errors = [record.test_error for record in session.history]
    assert 0 < int(np.argmin(errors)) < EPOCHS - 1, errors
    return folder, session


def best_of(session):
    errors = [record.test_error for record in session.history]
    return 1 + errors.index(min(errors))


def arrays(path):
    found = read_checkpoint(path)
    return {name: array.tobytes() for name, array in found.weights.items()}, found.progress.epoch


def test_best_is_the_checkpoint_that_a_run_of_so_many_epochs_has(whole, tmp_path):
    folder, session = whole
    start_run(Config(**OPTIONS, epochs=best_of(session)), tmp_path / "short")
    assert arrays(folder / "best.h5") == arrays(tmp_path / "short" / "checkpoint.h5")


@pytest.mark.parametrize("after", [1, 3, 6])
def test_a_run_that_was_interrupted_keeps_the_same_best_net(whole, tmp_path, after, result):
    start_run(Config(**OPTIONS, epochs=after), tmp_path / "run")
    resume_run(tmp_path / "run", {"epochs": EPOCHS})
    assert arrays(tmp_path / "run" / "best.h5") == arrays(whole[0] / "best.h5")
    assert result(tmp_path / "run") == result(whole[0])


def test_a_run_stopped_between_its_checkpoint_and_its_best_net_loses_none(whole, tmp_path):
    best, folder = best_of(whole[1]), tmp_path / "run"
    start_run(Config(**OPTIONS, epochs=best), folder)
    wanted = arrays(folder / "best.h5")
    older = tmp_path / "older"
    start_run(Config(**OPTIONS, epochs=best - 1), older)
    shutil.copy(older / "best.h5", folder / "best.h5")  # as a kill leaves it
    assert evaluate_run(folder, best=True).epoch == best
    resume_run(folder, {"epochs": EPOCHS})
    assert arrays(folder / "best.h5") == wanted == arrays(whole[0] / "best.h5")


def test_the_best_net_is_written_in_one_step_after_the_checkpoint(tmp_path, monkeypatch):
    written = []

    def noted(path, checkpoint):
        written.append(path.name)
        write_checkpoint(path, checkpoint)

    monkeypatch.setattr(bdfa_np.runs.folder, "write_checkpoint", noted)
    start_run(Config(**OPTIONS, epochs=1), tmp_path / "run")
    assert written == ["checkpoint.h5", "checkpoint.h5", "best.h5"]  # the first is the untrained net


def test_the_final_test_is_of_the_best_net_and_leaves_the_last_one_in_the_model(whole, bdfa):
    folder, session = whole
    best = best_of(session)
    assert session.final_test.epoch == best
    tested = evaluate_run(folder, best=True)
    assert (tested.epoch, tested.epochs, tested.best) == (best, EPOCHS, True)
    assert tested.confusion.error_rate == session.final_test.error
    assert tested.loss == session.final_test.loss
    last = read_checkpoint(folder / "checkpoint.h5")
    for name, array in session.model.network.weights.state().items():
        np.testing.assert_array_equal(array, last.weights[name], strict=True)
    validation = evaluate_run(folder, "validation", best=True)
    assert validation.confusion.error_rate == min(record.test_error for record in session.history)


def test_the_end_says_how_to_get_the_best_net_and_it_works(whole, bdfa):
    folder, session = whole
    best = best_of(session)
    lines = (folder / "Log.txt").read_text().splitlines()
    at = lines.index(f"best.h5: the net after {best} epochs")
    assert lines[at + 1] == f"  bdfa evaluate {folder} --best"
    out = bdfa(*lines[at + 1].split()[1:]).out.splitlines()
    assert out[0] == f"{folder} after {best} epochs, on 1,000 test images of mnist-5k"
    assert out[1] == f"net: the best one, of the lowest validation error of {EPOCHS} epochs"
    assert f"error {session.final_test.error:.2%} " in "\n".join(out)
    assert bdfa("evaluate", folder).out.splitlines()[1] == "net: the last one"


def test_the_best_net_is_loaded_from_python(whole):
    folder, session = whole
    best = read_checkpoint(folder / "best.h5")
    for name, array in load_run(folder, best=True).network.weights.state().items():
        np.testing.assert_array_equal(array, best.weights[name], strict=True)
    assert (load_run(folder).network.weights.values == session.model.network.weights.values).all()


def test_a_run_without_a_best_net_says_so(bdfa):
    bdfa.train("run", "--epochs", 1, "--validate")
    assert "run has no best.h5: it was trained without --keep-best" in bdfa.refused("evaluate", "run", "--best")
    with pytest.raises(RunError, match="trained without --keep-best"):
        load_run("run", best=True)


def test_a_best_net_that_is_gone_is_missed(whole, tmp_path, bdfa):
    run = shutil.copytree(whole[0], tmp_path / "copy")
    (run / "best.h5").unlink()
    assert "best.h5 is missing" in bdfa.refused("evaluate", run, "--best")
    epochs = len((run / "metrics.csv").read_text().splitlines())
    assert "best.h5 is missing" in bdfa.refused("train", "--save", run, "--resume", "--epochs", EPOCHS + 1)
    assert len((run / "metrics.csv").read_text().splitlines()) == epochs


def test_a_best_net_of_another_run_goes_with_force(bdfa):
    bdfa.train("run", "--epochs", 1, "--validate", "--keep-best")
    assert Path("run/best.h5").exists()
    bdfa.train("run", "--epochs", 1, "--force")
    assert not Path("run/best.h5").exists()


def test_without_keep_best_a_better_net_that_is_gone_is_told_with_advice_that_works(bdfa, whole):
    given = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in OPTIONS.items()
        if name not in ("keep_best", "validate")
    ]
    out = bdfa("train", *given, "--validate", "--epochs", EPOCHS, "--save", "run").out
    (line,) = (line for line in out.splitlines() if "is not kept" in line)
    assert line == f"the net after {best_of(whole[1])} epochs is not kept: --keep-best keeps the best one"


@pytest.mark.parametrize("patience", [1, 2])
def test_a_run_stops_after_so_many_epochs_without_a_lower_error_also_when_it_is_resumed(
    tmp_path, whole, patience, result
):
    errors = [record.test_error for record in whole[1].history]
    since, lowest, stop = 0, 2.0, None
    for epoch, error in enumerate(errors, start=1):
        since, lowest = (0, error) if error < lowest else (since + 1, lowest)
        if since == patience:
            stop = epoch
            break
    assert stop is not None
    assert stop < EPOCHS
    options = {**OPTIONS, "patience": patience}
    stopped = start_run(Config(**options, epochs=EPOCHS), tmp_path / "stopped")
    assert len(stopped.history) == stop
    start_run(Config(**options, epochs=stop - 1), tmp_path / "parts")
    resume_run(tmp_path / "parts", {"epochs": EPOCHS})
    assert result(tmp_path / "parts") == result(tmp_path / "stopped")
    log = (tmp_path / "parts" / "Log.txt").read_text()
    assert f"ended early: no lower validation error in {patience} epoch{'s' if patience > 1 else ''}\n" in log
    resume_run(tmp_path / "parts", {"epochs": EPOCHS + 5})
    assert result(tmp_path / "parts") == result(tmp_path / "stopped")


@pytest.mark.parametrize("option", [["--keep-best"], ["--patience", 3]])
def test_choosing_without_validation_is_refused_or_says_that_it_is_on_test_images(bdfa, option):
    refusal = bdfa.refused("train", *option)
    assert f"{option[0]} chooses by validation error: give --validate, or --on-test to choose on test images" in refusal
    out = bdfa.train("run", "--epochs", 2, "--on-test", *option).out
    assert "low" in out
    for line in out.splitlines():
        if re.search(r"low|best\.h5|chosen", line):
            assert "chosen on test images" in line


def test_what_was_chosen_on_test_images_says_so_wherever_it_is_shown(bdfa, tmp_path):
    out = bdfa.train(
        "run", "--epochs", 6, "--on-test", "--keep-best", "--patience", 1, "--gradient", "bp", "--lr", 1e-9
    ).out
    assert "ended early: no lower test error in 1 epoch, chosen on test images\n" in out
    assert (
        "net: the best one, of the lowest test error of 2 epochs, chosen on test images"
        in bdfa("evaluate", "run", "--best").out
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--on-test"], "--on-test is for what --keep-best and --patience choose"),
        (["--on-test", "--keep-best", "--validate"], "--on-test has no part in a run with --validate"),
        (["--patience", "0", "--validate"], "--patience must be a whole number of 1 or more, not 0"),
    ],
)
def test_what_does_not_go_together_is_refused(bdfa, options, said):
    assert said in bdfa.refused("train", *options)


def test_the_same_is_refused_from_python():
    with pytest.raises(ConfigError, match="--patience chooses by validation error"):
        Config(patience=3).resolve()
