"""TensorBoard's event files hold what the run's folder holds, each step once, whatever was stopped and gone on with."""

import builtins
import shutil

import pytest

from bdfa_np.errors import ConfigError
from bdfa_np.runs.folder import RunFolder

pytest.importorskip("tensorboardX", reason="event files are written with tensorboardX, an extra")


def read(run):
    """Return the scalars of all event files as (step, value) by tag; a step that is there twice is there twice."""
    from tensorboardX.event_file_writer import EventsWriter  # noqa: F401 - its protocol buffers are registered by it
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in sorted((run / "tensorboard").iterdir()):
        content = path.read_bytes()
        place = 0
        while place < len(content):  # length, its sum, an event, its sum
            size = int.from_bytes(content[place : place + 8], "little")
            event = Event.FromString(content[place + 12 : place + 12 + size])
            place += 16 + size
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


@pytest.fixture(scope="module")
def run(train, tmp_path_factory):
    run = tmp_path_factory.mktemp("events") / "run"
    train(gradient="dfa", init="uniform", epochs=3, track="alignment", tensorboard=True, validate=10, save=run)
    return run


def test_every_epoch_and_every_measurement_has_its_step(run):
    found, history = read(run), RunFolder(run).read_checkpoint().history
    assert found["error/validation"] == [(one.epoch, pytest.approx(one.test_error)) for one in history]
    assert found["loss/training"] == [(one.epoch, pytest.approx(one.train_loss)) for one in history]
    assert [step for step, _ in found["lr"]] == [1, 2, 3]
    angles = RunFolder(run).read_diagnostics().angles("signal_angle")
    assert found["signal_angle/linear1"] == [(epoch, pytest.approx(angles[epoch, 0])) for epoch in range(4)]


def test_tensorboard_itself_reads_them(run):
    reading = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is none of the extras"
    )
    accumulator = reading.EventAccumulator(str(run / "tensorboard")).Reload()
    assert {"error/training", "error/validation", "lr", "signal_angle/linear3"} <= set(accumulator.Tags()["scalars"])
    assert [event.step for event in accumulator.Scalars("error/training")] == [1, 2, 3]


def test_after_a_resume_no_step_is_there_twice_and_none_is_lost(train, run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    (events,) = (tmp_path / "run" / "tensorboard").iterdir()
    events.write_bytes(events.read_bytes()[:-30])  # as a kill leaves it
    (tmp_path / "run" / "tensorboard" / "events.out.tfevents.7.mine").write_bytes(b"")
    train(save=tmp_path / "run", resume=True, epochs=5)
    assert [step for step, _ in read(tmp_path / "run")["error/training"]] == [1, 2, 3, 4, 5]
    assert [step for step, _ in read(tmp_path / "run")["signal_angle/linear1"]] == [0, 1, 2, 3, 4, 5]
    assert (tmp_path / "run" / "tensorboard" / "events.out.tfevents.7.mine").exists()


def test_where_steps_are_counted_a_measurement_stands_at_its_step(train, tmp_path):
    train(gradient="dfa", track="weights", track_every="2steps", tensorboard=True, save=tmp_path / "run")
    assert [step for step, _ in read(tmp_path / "run")["weight_norm/linear1"]] == [0, 2, 4, 6]


def test_it_goes_without_tracking_and_may_begin_with_a_resume(train, tmp_path):
    train(gradient="dfa", epochs=1, save=tmp_path / "run")
    assert not (tmp_path / "run" / "tensorboard").exists()
    train(save=tmp_path / "run", resume=True, epochs=2, tensorboard=True)
    assert [step for step, _ in read(tmp_path / "run")["error/test"]] == [1, 2]


def test_a_run_that_replaces_another_leaves_none_of_its_events(train, run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "tensorboard" / "mine").write_text("kept")
    train(gradient="bp", epochs=1, tensorboard=True, save=tmp_path / "run", force=True)
    (tmp_path / "run" / "tensorboard" / "mine").rename(tmp_path / "mine")
    assert [step for step, _ in read(tmp_path / "run")["error/test"]] == [1]
    train(gradient="bp", epochs=1, save=tmp_path / "run", force=True)
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_a_missing_extra_is_told_before_anything_is_trained(train, tmp_path, monkeypatch):
    whole = builtins.__import__

    def without(name, *rest):
        if name.partition(".")[0] == "tensorboardX":
            raise ImportError(name)
        return whole(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"--tensorboard writes with tensorboardX: install it with pip install"):
        train(tensorboard=True, save=tmp_path / "run")
    assert not (tmp_path / "run").exists()
