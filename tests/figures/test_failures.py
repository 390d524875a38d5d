"""Runs that an error has ended: what their folders and their pictures say."""

import re
from dataclasses import replace

import pytest

from bdfa_np import Config
from bdfa_np.errors import RunError, TrainingError
from bdfa_np.figures.subjects import subjects
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.starting import start_run
from bdfa_np.runs.store.log import failure_line

TINY = {"dataset": "mnist-5k", "train_limit": 50, "test_limit": 50, "num_hidden": 5, "threads": 1}


def test_a_run_that_diverged_says_in_its_log_why_and_so_does_its_refusal(tmp_path):
    diverging = Config(**TINY, gradient="bp", nonlin="relu", criterion="mse", optimization="sgd", lr=1e30, epochs=3)
    with pytest.raises(TrainingError, match=r"loss is (inf|nan) .* try a smaller --lr") as error:
        start_run(diverging, tmp_path / "run")
    assert RunFolder(tmp_path / "run").read_failure() == str(error.value)
    assert (tmp_path / "run" / "Log.txt").read_text().endswith(f"\nfailed: {error.value}\n")
    with pytest.raises(RunError, match=re.escape(f"there is nothing to draw: {error.value}")):
        subjects([tmp_path / "run"])


def test_a_picture_says_after_how_many_epochs_a_run_failed(figures, run, tmp_path):
    from bdfa_np.figures.parts.composed import heading
    from bdfa_np.figures.views import Subject

    folder = RunFolder(tmp_path)
    one = replace(run([20.0, 90.0], epochs=9, finished=False), path=tmp_path)
    assert Subject("dfa", (one,)).unfinished == "2 of 9 epochs"
    folder.log(["epoch 2", failure_line(TrainingError("the loss is nan:\ntry a smaller --lr"))])
    failed = Subject("dfa", (one,))
    assert one.failure == "the loss is nan: try a smaller --lr"
    assert " ".join(figures.curves(failed).figure.get_suptitle().split()).endswith("failed after 2 of 9 epochs")
    assert heading("What it draws", [failed]).endswith("(failed after 2 of 9 epochs)")
    folder.log(["run folder: runs/a"])  # as it was gone on with
    assert failed.unfinished == "2 of 9 epochs"
