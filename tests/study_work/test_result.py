"""``result.toml``: there once all epochs are done, true to what is there, and gone while a run goes on."""

import tomllib

import pytest

from bdfa_np import Config
from bdfa_np.errors import RunError
from bdfa_np.runs.evaluation import evaluate_run
from bdfa_np.runs.events import Listener
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.session import Session
from bdfa_np.runs.starting import start_run
from bdfa_np.study.events import Outcome
from bdfa_np.study.folder import StudyFolder
from bdfa_np.study.plan import PlannedRun
from bdfa_np.study.work import carry_out

TINY = {"dataset": "mnist-5k", "num_hidden": 10, "train_limit": 200, "threads": 1, "lr": 1e-3, "backend": "numpy"}
BEST = {"validate": 50, "keep_best": True}


def planned(epochs=2, **options):
    return PlannedRun("digits", "bp", 0, {**TINY, "gradient": "bp", "epochs": epochs, **options}, "bp/seed-0")


def train(root, **options) -> Outcome:
    outcome = carry_out(planned(**options), root, {}, lambda _: None)
    assert outcome.state == "finished", outcome.reason
    return outcome


def test_with_validation_it_has_the_kept_nets_test_error_as_bdfa_evaluate_finds_it(tmp_path):
    train(tmp_path, epochs=3, **BEST)
    found = StudyFolder(tmp_path).result(planned(3, **BEST))
    assert (found.tested_on, found.test.epoch, found.test.images) == ("validation", found.lowest_epoch, 1000)
    told = evaluate_run(tmp_path / "bp" / "seed-0", best=True)
    assert (found.test.error, found.test.loss, found.test.epoch) == (told.confusion.error_rate, told.loss, told.epoch)


def test_a_run_stopped_between_its_last_epoch_and_its_result_comes_to_the_same_one(tmp_path, monkeypatch):
    train(tmp_path / "whole", **BEST)

    def stop(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Session, "_conclude", stop)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "stopped", **BEST)
    assert len(StudyFolder(tmp_path / "stopped").history(planned(**BEST))) == 2
    assert StudyFolder(tmp_path / "stopped").state(planned(**BEST)) == "unfinished"
    assert train(tmp_path / "stopped", **BEST).trained == 0
    results = [StudyFolder(tmp_path / name).result(planned(**BEST)) for name in ("whole", "stopped")]
    assert results[0].test == results[1].test
    assert results[0].last_error == results[1].last_error


def test_it_is_gone_while_a_run_goes_on_with_more_epochs(tmp_path):
    train(tmp_path)
    file = tmp_path / "bp" / "seed-0" / "result.toml"

    def look(progress):
        if progress.epoch == 3:
            seen.append(file.exists())
            raise KeyboardInterrupt

    seen: list[bool] = []
    with pytest.raises(KeyboardInterrupt):
        carry_out(planned(4), tmp_path, {}, look)
    assert seen == [False]
    assert not file.exists()
    train(tmp_path, epochs=4)
    assert tomllib.loads(file.read_text())["epochs"] == 4


def test_a_new_run_that_takes_its_place_takes_it_away(tmp_path):
    train(tmp_path)
    path = tmp_path / "bp" / "seed-0"

    class Stopped(Listener):
        def __init__(self, at):
            self.at = at

        def epoch_begins(self, number, epochs, steps):
            if number == self.at:
                raise KeyboardInterrupt

    for epoch, stays in ((1, True), (2, False)):  # the new run takes the folder with its first epoch
        with pytest.raises(KeyboardInterrupt):
            start_run(Config(**TINY, gradient="bp", epochs=3), path, force=True, listener=Stopped(epoch))
        assert (path / "result.toml").exists() == stays


def test_a_finished_run_of_an_earlier_version_has_none_and_comes_to_the_same(tmp_path):
    train(tmp_path)
    first = StudyFolder(tmp_path).result(planned())
    (tmp_path / "bp" / "seed-0" / "result.toml").unlink()
    assert StudyFolder(tmp_path).state(planned()) == "finished"
    assert StudyFolder(tmp_path).result(planned()) == first
    assert train(tmp_path).trained == 0
    assert StudyFolder(tmp_path).result(planned(3)) is None


def test_one_with_validation_is_tested_on_the_test_images_when_it_is_asked_for_again(tmp_path):
    train(tmp_path, **BEST)
    first = StudyFolder(tmp_path).result(planned(**BEST))
    (tmp_path / "bp" / "seed-0" / "result.toml").unlink()
    assert StudyFolder(tmp_path).state(planned(**BEST)) == "unfinished"
    assert train(tmp_path, **BEST).trained == 0
    assert StudyFolder(tmp_path).result(planned(**BEST)) == first


def test_a_run_that_ended_by_itself_says_why_and_is_finished(tmp_path):
    options = {"lr": 1e-12, "patience": 1, **BEST}
    outcome = train(tmp_path, epochs=9, **options)
    found = StudyFolder(tmp_path).result(planned(9, **options))
    assert found.epochs == outcome.trained < 9
    assert found.stop_reason == "no lower validation error in 1 epoch"
    assert StudyFolder(tmp_path).state(planned(9, **options)) == "finished"


@pytest.mark.parametrize(
    "change",
    [
        ("epochs = 2", "epochs = 'two'"),
        ("epochs = 2", "epoch = 2"),
        ("last_error = ", "last_error = true #"),
        ("tested_on", "threads"),
        ("[test]", "[tests]"),
        ("images = ", "images = 1.5 #"),
    ],
)
def test_one_that_says_anything_else_is_told_with_what_to_do(tmp_path, change):
    folder = RunFolder(tmp_path)
    text = (
        'epochs = 2\nseconds = 1.0\nthreads = 1\nbackend = "numpy"\ntested_on = "validation"\nlast_error = 0.5\n'
        "lowest_error = 0.5\nlowest_epoch = 1\n[test]\nepoch = 1\nerror = 0.5\nloss = 1.0\nimages = 10\n"
    )
    (tmp_path / "result.toml").write_text(text)
    found = folder.read_result()
    assert found is not None
    assert found.test is not None
    assert found.test.images == 10
    assert change[0] in text
    (tmp_path / "result.toml").write_text(text.replace(*change))
    with pytest.raises(RunError, match=r"result\.toml is damaged \(.+\): remove it, and --resume writes it anew"):
        folder.read_result()
