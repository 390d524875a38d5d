"""A run that a choice hangs on does not look at the test images, not even once it has its last epoch."""

import pytest

from bdfa_np import Config
from bdfa_np.runs.data import RunData
from bdfa_np.runs.starting import resume_run, start_run

OPTIONS = {
    "dataset": "mnist-5k",
    "train_limit": 200,
    "num_hidden": 10,
    "threads": 1,
    "backend": "numpy",
    "epochs": 1,
    "validate": True,
}


@pytest.fixture
def no_test_images(monkeypatch):
    def refuse(self):
        raise AssertionError("the test images were asked for")

    monkeypatch.setattr(RunData, "with_real_test_set", refuse)


def test_a_run_that_is_not_to_be_tested_never_asks_for_the_test_images(tmp_path, no_test_images):
    session = start_run(Config(**OPTIONS), tmp_path / "run", final_test=False)
    assert session.final_test is None
    assert "test image" not in (tmp_path / "run" / "Log.txt").read_text().partition("done:")[2]


def test_nor_does_one_that_is_gone_on_with(tmp_path, no_test_images):
    start_run(Config(**OPTIONS), tmp_path / "run", final_test=False)
    session = resume_run(tmp_path / "run", {"epochs": 2}, final_test=False)
    assert session.final_test is None
    assert len(session.history) == 2


def test_any_other_run_with_validation_does(tmp_path, no_test_images):
    with pytest.raises(AssertionError, match="were asked for"):
        start_run(Config(**OPTIONS), tmp_path / "run")
