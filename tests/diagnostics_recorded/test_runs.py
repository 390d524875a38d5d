"""A run that is measured learns the same, bit for bit, and a resumed one measures the same as one that went through."""

import csv
import re
import shutil

import numpy as np
import pytest

from bdfa_np import Diagnostics
from bdfa_np.diagnostics.measurer import Measurer, Probe
from bdfa_np.errors import ConfigError, RunError, TrainingError
from bdfa_np.options.tracking import interval
from bdfa_np.rules import RULES, WM
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.lines import angle_lines, missing_angle_lines, tracking_lines
from bdfa_np.system.text import counted

KP = {"gradient": "kp", "dropout": 1, "batchnorm": 1, "init": "uniform", "track": "all"}


def bits(value):
    """Return arrays as bytes, so that NaN equals NaN and 0 is not -0."""
    if isinstance(value, dict):
        return {name: bits(one) for name, one in value.items()}
    return (value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value


def all_of(diagnostics):
    return bits(vars(diagnostics))


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("gradient", RULES)
def test_a_run_that_is_measured_learns_the_same_bit_for_bit(train, gradient):
    options = {"gradient": gradient, "dropout": 1, "batchnorm": 1, "momentum": 0.9, "optimization": "nag"}
    plain = train(**options, epochs=1)
    measured = train(**options, epochs=1, track="all", track_every="2steps")
    assert bits(measured.model.state()) == bits(plain.model.state())
    assert measured.diagnostics.steps.tolist() == [0, 2]
    assert (plain.diagnostics, len(measured.diagnostics)) == (None, 2)
    assert [record.test_loss for record in measured.history] == [record.test_loss for record in plain.history]


@pytest.mark.parametrize(("every", "kept"), [(1, 3), ("2steps", 3), ("2steps", 2)])
def test_what_is_measured_after_a_resume_is_what_an_undisturbed_run_measures(train, tmp_path, every, kept):
    whole = train(**KP, epochs=3, track_every=every, save=tmp_path / "whole").diagnostics
    part = tmp_path / "part"
    train(**KP, epochs=2, track_every=every, save=part)
    if kept == 3:  # a kill between the diagnostics of the third epoch and its checkpoint
        shutil.copy(tmp_path / "whole" / "diagnostics.h5", part)
    found = train(
        **KP,
        epochs=3,
        track_every=every,
        save=part,
        resume=True,
    )
    assert all_of(found.diagnostics) == all_of(whole) == all_of(Diagnostics.read(part))
    columns = [[{**row, "seconds": ""} for row in rows(folder)] for folder in (part, tmp_path / "whole")]
    assert columns[0] == columns[1]


def test_metrics_have_the_angles_of_each_layer_and_every_row_the_same_columns(whole):
    found, measured = rows(whole), Diagnostics.read(whole)
    for place, layer in enumerate(measured.layers):
        angles = [float(row[f"signal_angle.{layer}"]) for row in found]
        assert angles == measured.values["signal_angle"][1:, place].tolist()
    names = [f"{name}.{layer}" for name in ("signal_angle", "feedback_angle") for layer in measured.layers]
    assert list(found[0])[8:] == names
    assert found[0][f"feedback_angle.{measured.layers[0]}"] == ""  # no B stands for the lowest W


def test_what_reads_metrics_goes_on_where_the_history_is_lost(train, tmp_path):
    train(**KP, save=tmp_path / "run")
    (tmp_path / "run" / "history.bin").unlink()
    found = train(save=tmp_path / "run", resume=True, epochs=3)
    assert (len(found.history), len(found.diagnostics)) == (3, 4)
    log = (tmp_path / "run" / "Log.txt").read_text()
    assert "history.bin was missing or damaged; it was made anew from metrics.csv" in log


def test_every_other_epoch_leaves_empty_cells(train, tmp_path):
    found = train(gradient="dfa", epochs=4, track="alignment", track_every=2, save=tmp_path / "run")
    assert found.diagnostics.epochs.tolist() == [0, 2, 4]
    assert [row["signal_angle.linear1"] == "" for row in rows(tmp_path / "run")] == [True, False, True, False]


def test_it_may_begin_with_a_resume_and_change_and_end_with_one(train, tmp_path):
    run = tmp_path / "run"
    plain = train(gradient="dfa", epochs=5, save=tmp_path / "plain")
    train(gradient="dfa", epochs=1, save=run)
    assert RunFolder(run).read_diagnostics() is None
    begun = train(save=run, resume=True, epochs=2, track="alignment")
    assert begun.diagnostics.epochs.tolist() == [1, 2]
    assert [row["signal_angle.linear1"] == "" for row in rows(run)] == [False, False]
    changed = train(save=run, resume=True, epochs=3, track="weights,alignment", track_every=1).diagnostics
    assert np.isnan(changed.values["weight_norm"][:, 0]).tolist() == [True, True, False]
    assert changed.settings["groups"] == "alignment,weights"
    ended = train(save=run, resume=True, epochs=4, track="none")
    assert ended.config.track is None
    assert ended.diagnostics.epochs.tolist() == [1, 2, 3]
    assert [row["signal_angle.linear1"] == "" for row in rows(run)] == [False, False, False, True]
    assert bits(train(save=run, resume=True, epochs=5).model.state()) == bits(plain.model.state())


def test_a_set_of_few_images_is_taken_whole_and_the_part_held_out_is_named(train):
    found = train(gradient="bp", epochs=1, track="probe", validate=10)
    assert found.diagnostics.settings == {
        "groups": "probe",
        "every": "1",
        "images": 30,
        "held_out_images": 10,
        "part": "validation",
    }


def test_the_images_are_drawn_by_a_stream_of_their_own(monkeypatch, train):
    drawn = []
    monkeypatch.setattr("bdfa_np.runs.tracking.tracker.IMAGES", 5)
    monkeypatch.setattr("bdfa_np.runs.tracking.tracker.Probe", lambda *parts: drawn.append(parts) or Probe(*parts))
    for options in ({}, {"gradient": "bp", "dropout": 1}, {"seed": 1}):
        train(**{"gradient": "dfa", "epochs": 1, "track": "weights", **options})
    first, other_rule, other_seed = (np.concatenate([parts[0].ravel(), parts[2].ravel()]) for parts in drawn)
    assert first.shape == (10 * 16,)
    assert np.array_equal(first, other_rule)
    assert not np.array_equal(first, other_seed)


def test_time_to_measure_is_no_part_of_an_epochs_seconds(monkeypatch, train):
    clock = [0.0]
    monkeypatch.setattr("bdfa_np.trainer.perf_counter", lambda: clock[0])
    monkeypatch.setattr("bdfa_np.runs.tracking.tracker.perf_counter", lambda: clock[0])

    measure = Measurer.measure

    def slowly(measurer, model):
        clock[0] += 10
        return measure(measurer, model)

    monkeypatch.setattr(Measurer, "measure", slowly)
    for every in (1, "1steps"):
        found = train(gradient="dfa", track="weights", track_every=every)
        assert [record.seconds for record in found.history] == [0, 0]


def test_the_first_measurement_is_of_feedback_that_its_rule_has_prepared(monkeypatch, train):
    calls, prepare, measure = [], WM.before_training, Measurer.measure
    monkeypatch.setattr(WM, "before_training", lambda rule, of: calls.append("prepared") or prepare(rule, of))
    monkeypatch.setattr(Measurer, "measure", lambda one, model: calls.append("measured") or measure(one, model))
    train(gradient="wm", epochs=1, track="feedback")
    assert calls == ["prepared", "measured", "measured"]


def test_a_diverged_run_leaves_what_was_measured_up_to_there(train, tmp_path):
    options = {"gradient": "dfa", "optimization": "sgd", "nonlin": "relu", "criterion": "mse", "init": "uniform"}
    run = tmp_path / "run"
    with pytest.raises(TrainingError, match=r"step (\d+) of the run"):
        train(**options, lr=1e6, epochs=50, track="all", track_every="1steps", save=run)
    found = RunFolder(run).read_diagnostics()
    assert len(found) >= 2
    assert found.steps.tolist() == [*range(len(found))]
    assert found.values["weight_norm"][-1, 0] > found.values["weight_norm"][0, 0]


def test_a_damaged_file_keeps_a_run_from_going_on_and_a_missing_one_is_noted(train, whole, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    (run / "diagnostics.h5").write_bytes(b"something else")
    with pytest.raises(RunError, match=r"diagnostics\.h5 is damaged .*: restore it from a copy, or remove it"):
        train(save=run, resume=True, epochs=5)
    (run / "diagnostics.h5").unlink()
    found = train(save=run, resume=True, epochs=5)
    assert found.diagnostics.epochs.tolist() == [4, 5]
    assert f"note: {run / 'diagnostics.h5'} is missing" in (run / "Log.txt").read_text()
    shutil.copy(whole / "diagnostics.h5", tmp_path / "kept.h5")
    train(gradient="dfa", network="mlp", num_layers=1, epochs=1, save=tmp_path / "other", track="weights")
    shutil.copy(tmp_path / "kept.h5", tmp_path / "other" / "diagnostics.h5")
    with pytest.raises(RunError, match="is of another net, with the layers"):
        train(save=tmp_path / "other", resume=True, epochs=2)


def test_a_run_that_replaces_a_measured_one_leaves_nothing_of_it(train, whole, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    train(gradient="dfa", save=run, force=True)
    assert not (run / "diagnostics.h5").exists()
    assert "signal_angle" not in (run / "metrics.csv").read_text()


def test_its_best_net_comes_with_all_that_was_measured(train, tmp_path):
    found = train(gradient="bp", epochs=3, keep_best=True, on_test=True, track="alignment", save=tmp_path / "run")
    assert len(found.diagnostics) == 4


def test_the_log_has_each_layers_angle_and_what_measuring_took(whole):
    lines = (whole / "Log.txt").read_text().splitlines()
    angles = [line for line in lines if line.startswith("  angle to the gradient: linear1 ")]
    assert len(angles) == 4
    assert all(len(line) <= 80 for line in angles)
    (line,) = [line for line in lines if line.startswith("measured 5 times in ")]
    assert re.search(r"(% of|times the) training: diagnostics.h5$", line)
    assert "the last epoch was not measured" not in lines[-1]


def test_the_end_says_what_measuring_took_and_how_it_takes_less():
    once, often = interval("1"), interval("1000steps")
    assert tracking_lines(3, 0.1, 1.0, once, last=True) == [
        "measured 3 times in 0.1 s besides, 10.0% of training: diagnostics.h5"
    ]
    assert tracking_lines(3, 6.42, 0.6, once, last=True) == [
        "measured 3 times in 6.4 s besides, 11 times the training: diagnostics.h5",
        "  --track-every N measures less often",
    ]
    assert tracking_lines(0, 0.0, 0.6, often, last=False) == [
        "measured 0 times",
        "  the last epoch was not measured: --track-every 1000steps measures after every",
        "    1,000 steps of the run",
    ]


@pytest.mark.parametrize(("every", "measured"), [(2, 1), ("100steps", 1), (1, 2)])
def test_an_end_that_was_not_measured_is_said_to_be_so(train, tmp_path, every, measured):
    train(gradient="dfa", epochs=1, track="weights", track_every=every, save=tmp_path / "run")
    log = (tmp_path / "run" / "Log.txt").read_text()
    assert f"measured {counted(measured, 'time')} in " in log
    assert ("  the last epoch was not measured: --track-every" in log) == (measured == 1)
    if every == "100steps":
        train(save=tmp_path / "run", resume=True, epochs=2)
        assert "\nmeasured 0 times\n" in (tmp_path / "run" / "Log.txt").read_text()


def test_a_log_says_once_why_layers_have_no_angle(train, tmp_path):
    train(gradient="frozen", network="mlp", track="alignment", save=tmp_path / "run")
    lines = (tmp_path / "run" / "Log.txt").read_text().splitlines()
    assert sum(line.startswith("  angle to the gradient: linear1 -") for line in lines) == 2
    assert lines.count("  -: no signal of the rule reaches the layer") == 1
    below = {"signal_angle.linear2": 0.0, "meaningful.linear1": 0.0}
    assert missing_angle_lines(("linear1", "linear2"), below)[0].startswith("  -: the exact gradient is below the num")
    assert missing_angle_lines(("linear2",), below) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"track": "alignment,angles"},
            "--track must be all, or some of alignment, weights, feedback, activity, rank, probe with commas between, "
            "or none (did you mean 'alignment'?), not alignment,angles",
        ),
        ({"track": ""}, "--track must be all, or some of"),
        ({"track": "all", "track_every": "often"}, "--track-every must be a number of epochs of 1 or more, as in 5"),
        ({"track": "all", "track_every": 0}, "--track-every must be a number of epochs of 1 or more"),
        ({"track": "all", "track_every": "-5steps"}, "--track-every must be a number of epochs of 1 or more"),
        ({"track_every": 5}, "--track-every says how often --track measures: give --track all too, or leave it out"),
        ({"tensorboard": True}, r"tensorboard=True writes into the run folder: name one with save=RUN"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(train, options, told):
    with pytest.raises(ConfigError) as error:
        train(**options)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_an_epochs_angles_fit_a_terminal_whatever_the_number_of_layers():
    few, many = ("linear1", "linear2"), tuple(f"residual{number}.conv1" for number in range(1, 31))
    assert angle_lines(few, {"signal_angle.linear2": 61.4}) == ["  angle to the gradient: linear1 -, linear2 61°"]
    lines = angle_lines(many, {f"signal_angle.{layer}": 88.8 for layer in many})
    assert [len(line) <= 80 for line in lines] == [True] * 3
    assert " ".join(lines).startswith("  angles to the gradient, from residual1.conv1 to residual30.conv1: 89°")
    assert " ".join(lines).split().count("89°") == 30
    lines = angle_lines(many[:8], {f"signal_angle.{many[7]}": 0.0})
    assert max(map(len, lines)) <= 80
    assert all(f"{layer} -" in " ".join(lines) for layer in many[:7])
    assert angle_lines(few, {"weight_norm.linear1": 1.0}) == []
