"""Callbacks hear every epoch once it is saved; one that fails ends training and loses nothing."""

import traceback

import pytest

from bdfa_np.errors import ConfigError
from bdfa_np.runs.folder import RunFolder


def test_a_callback_hears_each_epoch_and_what_was_measured_in_it(train):
    heard = []
    found = train(
        gradient="dfa",
        track="alignment",
        track_every=2,
        epochs=3,
        callbacks=lambda record, measured: heard.append((record, measured)),
    )
    assert [record for record, _ in heard] == list(found.history)
    assert [measured for _, measured in heard] == [{}, found.diagnostics.figures(1), {}]
    assert "signal_angle.linear1" in heard[1][1]


def test_without_tracking_nothing_is_measured_for_it(train):
    heard = []
    train(callbacks=[lambda *of: heard.append(of), lambda *of: heard.append(of)])
    assert [measured for _, measured in heard] == [{}] * 4


def test_what_a_callback_does_to_what_it_is_given_reaches_no_other(train):
    heard = []
    train(track="weights", callbacks=[lambda _, measured: measured.clear(), lambda _, measured: heard.append(measured)])
    assert all(heard)


class PrunedError(Exception):
    """What somebody's search raises to end a trial."""


def test_what_a_callback_raises_is_raised_on_and_the_epoch_is_saved(train, tmp_path):
    def stop(record, _):
        if record.epoch == 2:
            raise PrunedError("no better than the others")

    with pytest.raises(PrunedError) as raised:
        train(gradient="dfa", epochs=4, track="weights", callbacks=[print, stop], save=tmp_path / "run")
    said = "".join(traceback.format_exception(raised.value))
    assert 'raise PrunedError("no better than the others")' in said
    assert f"callbacks[1] raised this after epoch 2: {tmp_path / 'run'} holds 2 whole epochs" in said
    assert len(RunFolder(tmp_path / "run").read_checkpoint().history) == 2
    assert len(train(save=tmp_path / "run", resume=True, epochs=4).diagnostics) == 5


def test_without_a_folder_a_failing_callback_says_how_nothing_is_lost(train):
    with pytest.raises(ZeroDivisionError) as raised:
        train(callbacks=lambda *_: 1 / 0)
    assert raised.value.__notes__ == [
        "callbacks[0] raised this after epoch 1; nothing was saved: with save=RUN a run can be gone on with"
    ]


def test_ctrl_c_in_a_callback_ends_training_and_returns_what_was_learnt(train):
    def enough(record, _):
        if record.epoch == 2:
            raise KeyboardInterrupt

    found = train(epochs=5, callbacks=enough, track="weights")
    assert (found.interrupted, len(found.history), len(found.diagnostics)) == (True, 2, 3)


@pytest.mark.parametrize("wrong", [["wandb"], 5, "wandb", [print, None]])
def test_what_cannot_be_called_is_told_before_anything_is_trained(train, wrong):
    with pytest.raises(ConfigError, match=r"give functions, each called as f\(record, measured\) after an epoch"):
        train(callbacks=wrong)
