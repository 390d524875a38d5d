"""A trained net held against controls: what is found of nets that learnt, of others, and of the controls."""

import json
import shutil

import numpy as np
import pytest
from scipy.stats import binomtest

from bdfa_np import Config, Diagnosis, cached_diagnosis, diagnose, load_dataset, load_run, train
from bdfa_np.controls.diagnose import diagnose_run
from bdfa_np.controls.plan import NAMES
from bdfa_np.errors import ConfigError, DataError, InUseError, RunError
from bdfa_np.runs.checkpoint import read_checkpoint
from bdfa_np.runs.listing import list_runs
from bdfa_np.runs.starting import start_run
from bdfa_np.study.claims import claimed
from bdfa_np.study.events import Watcher

from .conftest import DFA, TINY

SILENT = """\
from bdfa_np import DFA

class Silent(DFA):
    def signal(self, result):
        return 0 * result.error
"""


def right(folder):
    """Return which test images a run's net gets right."""
    data = load_dataset("mnist-5k")
    return load_run(folder).predict(data.test_images).labels == data.test_labels


def log(folder):
    return (folder / "Log.txt").read_text()


class Ends(Watcher):
    """Presses Ctrl-C in a control's epoch."""

    def __init__(self, control, epoch):
        self.wanted = control, epoch

    def progress(self, progress):
        if (progress.folder, progress.epoch) == self.wanted and progress.seconds is not None:
            raise KeyboardInterrupt


def test_errors_differences_and_recovery_are_those_of_the_nets_on_the_same_images(diagnosed):
    folder, found = diagnosed
    own = right(folder)
    nets = {name: right(folder / "controls" / name) for name in NAMES}
    assert found.error == pytest.approx(1 - own.mean())
    assert found.images == 1000
    assert [one.name for one in found.controls] == list(NAMES)
    for one in found.controls:
        other = nets[one.name]
        gained, lost = np.sum(own & ~other), np.sum(~own & other)
        assert one.error == pytest.approx(1 - other.mean())
        assert (one.difference.gained, one.difference.lost) == (gained, lost)
        assert one.difference.p == pytest.approx(binomtest(gained, gained + lost).pvalue, rel=1e-9)
    expected = (own.mean() - nets["frozen"].mean()) / (nets["bp"].mean() - nets["frozen"].mean())
    assert found.recovery.value == pytest.approx(expected)
    assert expected > 0.3
    assert found.recovery.low < expected < found.recovery.high


@pytest.mark.slow
def test_controls_are_the_runs_that_training_by_hand_gives(diagnosed, tmp_path):
    folder, _ = diagnosed
    for name, options in {"frozen": {"gradient": "frozen"}, "linear": {"gradient": "bp", "num_layers": 0}}.items():
        train(**{**DFA, **options}, save=tmp_path / name, progress=False)
        ours, theirs = (
            read_checkpoint(path / "checkpoint.h5") for path in (folder / "controls" / name, tmp_path / name)
        )
        assert ours.weights.keys() == theirs.weights.keys()
        assert all((ours.weights[key] == theirs.weights[key]).all() for key in ours.weights)


def test_measures_are_those_of_the_last_of_training(diagnosed):
    _, found = diagnosed
    tracked = train(**{**DFA, "epochs": 2}, track="all", progress=False).diagnostics
    assert found.layers == tracked.layers == ("linear1", "linear2", "linear3")
    for name, values in tracked.values.items():
        np.testing.assert_allclose(found.values[name], values[-1], rtol=1e-6, err_msg=name)
    assert found.values["signal_angle"][2] == pytest.approx(0, abs=1e-3)


def test_verdicts_say_what_the_numbers_come_to(diagnosed):
    stable, valid, used = diagnosed[1].verdicts
    assert stable.answer == "yes"
    assert "‖W‖ grew at most" in stable.reason  # the run was tracked
    assert valid.answer == "yes"
    assert used.question == "depth used"
    differences = [one.difference for one in diagnosed[1].controls if one.name != "bp"]
    assert used.answer == ("yes" if all(one.is_better for one in differences) else "no")


def test_a_second_look_trains_nothing_and_finds_the_same(diagnosed, run):
    before = {path: path.stat().st_mtime_ns for path in run.glob("controls/*/*")}
    found = diagnose(run, progress=False)
    assert {path: path.stat().st_mtime_ns for path in run.glob("controls/*/*")} == before
    assert found.to_mapping() == {**diagnosed[1].to_mapping(), "run": "run"}


def test_what_was_found_is_kept_until_the_run_goes_on(diagnosed, run):
    kept = cached_diagnosis(run)
    assert isinstance(kept, Diagnosis)
    assert kept.to_mapping() == {**diagnosed[1].to_mapping(), "run": "run"}
    diagnose(run, controls="bp", progress=False)
    assert len(cached_diagnosis(run).controls) == 4  # which says more than what was asked for last
    train(save=run, resume=True, epochs=3, progress=False)
    assert cached_diagnosis(run) is None
    found = diagnose(run, controls="linear", progress=False)
    assert found.epochs == 3
    assert "resumed after epoch 2" in log(run / "controls/linear")
    epochs = {one.name: len(one.history) for one in list_runs(run / "controls")}
    assert epochs == {**dict.fromkeys(NAMES, 2), "linear": 3}
    assert cached_diagnosis(run).text() == found.text()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', '{"format": 2, "history_sha256": ""}'])
def test_what_is_kept_and_damaged_counts_as_nothing(run, text):
    (run / "diagnosis.json").write_text(text)
    assert cached_diagnosis(run) is None


def test_what_was_never_held_against_controls_has_nothing_kept(bare):
    diagnose(bare, controls="none", progress=False)
    assert cached_diagnosis(bare) is None
    assert not (bare / "controls").exists()
    with pytest.raises(RunError, match=r"checkpoint\.h5 is missing"):
        cached_diagnosis("nowhere")


def test_the_list_of_runs_shows_the_run_alone(run):
    assert [one.name for one in list_runs(".")] == ["run"]
    assert len(list_runs("run/controls")) == 4


def test_a_run_that_is_bp_recovers_all_and_one_that_is_frozen_nothing(tmp_path):
    for rule, value in {"bp": 1, "frozen": 0}.items():
        train(**{**DFA, "gradient": rule, "epochs": 1}, save=tmp_path / rule, progress=False)
        other = "frozen" if rule == "bp" else "bp"
        found = diagnose(tmp_path / rule, controls=["bp", "frozen"], progress=False)
        assert [one.name for one in found.controls] == [other]
        assert found.recovery.value == pytest.approx(value)
        assert found.recovery.reason == f"by definition: the run is {rule} itself"
    assert found.verdicts[2].reason == "the run is frozen: its hidden layers never learn"


@pytest.mark.slow
def test_a_run_without_hidden_layers_has_nothing_to_recover(tmp_path):
    train(**{**TINY, "gradient": "fa", "num_layers": 0, "epochs": 1}, save=tmp_path / "run", progress=False)
    found = diagnose(tmp_path / "run", progress=False)
    assert [one.name for one in found.controls] == ["bp"]
    assert found.recovery.reason == "the net has no hidden layer, so that there is nothing to recover"
    assert [one.answer for one in found.verdicts] == ["unknown", "yes", "unknown"]


def test_a_rule_of_ones_own_whose_hidden_layers_learn_nothing_is_found_out(tmp_path):
    (tmp_path / "silent.py").write_text(SILENT)
    options = {**DFA, "gradient": tmp_path / "silent.py", "init": "uniform", "epochs": 1}
    train(**options, save=tmp_path / "run", progress=False)
    found = diagnose(tmp_path / "run", controls="bp,frozen,shallow", progress=False)
    assert found.rule == str(tmp_path / "silent.py")
    assert found.controls[1].difference.share == 0
    assert found.recovery.value == 0
    assert found.verdicts[2].answer == "no"
    assert "no better than frozen by more than chance (no difference, p = 1" in found.verdicts[2].reason
    shallow = load_run(tmp_path / "run/controls/shallow")
    assert (shallow.rule.name, shallow.config.num_layers) == ("silent", 1)


@pytest.mark.slow
def test_controls_that_cannot_be_trained_are_said_and_leave_the_rest_open(tmp_path):
    options = {**TINY, "gradient": "fa", "optimization": "sgd", "criterion": "mse", "lr": 0.5, "epochs": 1}
    train(**options, save=tmp_path / "run", progress=False)
    found = diagnose(tmp_path / "run", controls="frozen,linear", progress=False)
    frozen, linear = found.controls
    assert (frozen.problem, linear.error) == ("", None)
    assert linear.problem.startswith("the loss is ")
    assert f"note: linear was not trained: {linear.problem}" in " ".join(found.text().split())
    assert found.recovery.reason == "not known without the control bp"


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done_of_the_controls_and_the_same_call_goes_on(diagnosed, bare):
    with pytest.raises(KeyboardInterrupt):
        diagnose_run(bare, watcher=Ends("frozen", 2), controls="bp,frozen")
    assert {one.name: len(one.history) for one in list_runs("run/controls")} == {"bp": 2, "frozen": 1}
    assert cached_diagnosis(bare) is None
    found = diagnose(bare, controls="bp,frozen", progress=False)
    assert "resumed after epoch 1" in log(bare / "controls/frozen")
    assert "resumed" not in log(bare / "controls/bp")
    assert [one.error for one in found.controls] == [one.error for one in diagnosed[1].controls[:2]]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": 1, "epochs": 1}, "its seed is 1, and now to be 0"),
        pytest.param({"epochs": 3}, "it has 3 epochs, the run 2", marks=pytest.mark.slow),
    ],
)
def test_a_control_that_is_not_what_the_run_asks_for_is_trained_anew(diagnosed, run, options, said):
    heard = []
    watcher = Watcher()
    watcher.note = heard.append
    config = Config(**{**DFA, "gradient": "frozen", **options})
    start_run(config, run / "controls/frozen", force=True)
    found = diagnose_run(run, controls="frozen", watcher=watcher)
    assert heard == [f"the control frozen is trained anew: {said}"]
    assert found.controls[0].error == diagnosed[1].controls[1].error


@pytest.mark.slow
def test_a_damaged_control_is_trained_anew(diagnosed, run):
    (run / "controls/frozen/checkpoint.h5").write_bytes(b"half")
    heard = []
    watcher = Watcher()
    watcher.note = heard.append
    found = diagnose_run(run, controls="frozen", watcher=watcher)
    assert "checkpoint.h5 is damaged" in heard[0]
    assert found.controls[0].error == diagnosed[1].controls[1].error


def test_a_new_run_in_the_folder_takes_the_controls_with_it_and_leaves_what_is_the_users(run):
    (run / "controls/my notes").mkdir()
    (run / "controls/notes.txt").write_text("mine")
    train(**{**DFA, "epochs": 1}, save=run, force=True, progress=False)
    assert sorted(path.name for path in (run / "controls").iterdir()) == ["my notes", "notes.txt"]
    assert not (run / "diagnosis.json").exists()
    shutil.rmtree(run / "controls")
    diagnose(run, controls="frozen", progress=False)
    train(**{**DFA, "epochs": 1}, save=run, force=True, progress=False)
    assert not (run / "controls").exists()


def test_a_control_that_somebody_else_trains_is_waited_for_by_whoever_asks(bare):
    with claimed(bare / "controls/bp"), pytest.raises(InUseError, match="is at work on run/controls/bp: wait for it"):
        diagnose(bare, progress=False)


@pytest.mark.slow
def test_images_held_out_and_the_best_net_are_used_where_that_is_asked_for(tmp_path):
    options = {**TINY, "gradient": "bp", "epochs": 3, "num_layers": 1, "validate": 50, "keep_best": True}
    train(**options, save=tmp_path / "run", progress=False)
    last = diagnose(tmp_path / "run", controls="linear", part="validation", progress=False)
    best = diagnose(tmp_path / "run", controls="linear", part="validation", best=True, progress=False)
    history = train(save=tmp_path / "run", resume=True, progress=False).history
    assert (last.images, last.part) == (50, "validation")
    errors = history.column("validation_error")
    assert best.epoch == errors.index(min(errors)) + 1
    assert best.error <= last.error
    assert diagnose(tmp_path / "run", controls="none", progress=False).images == 1000


@pytest.mark.slow
def test_data_in_memory_are_handed_over_again(tmp_path):
    generator = np.random.default_rng(0)
    x, y = generator.random((80, 6)), np.arange(80) % 3
    arrays = (x + y[:, None], y, x[:30] + y[:30, None], y[:30])
    result = train(
        dataset=arrays, gradient="bp", num_layers=1, num_hidden=4, epochs=1, threads=1, save=tmp_path / "run"
    )
    with pytest.raises(DataError):
        diagnose(result, progress=False)
    from bdfa_np.data import Dataset

    found = diagnose(result, dataset=Dataset.from_arrays(*arrays), progress=False)
    assert (found.images, found.sample) == (30, "vector")
    assert "30 test vectors" in found.text()
    assert [one.name for one in found.controls] == ["frozen", "linear"]


def test_what_cannot_be_diagnosed_is_refused_in_a_line(bare, tmp_path):
    with pytest.raises(ConfigError, match="this run was not kept: train with save=RUN"):
        diagnose(train(**{**TINY, "epochs": 1}, progress=False))
    with pytest.raises(ConfigError, match="there is no argument 'lr' here: datapath, "):
        diagnose(bare, lr=3)
    with pytest.raises(ConfigError, match="trained without --validate"):
        diagnose(bare, part="validation")
    with pytest.raises(RunError, match="there is no run in nowhere"):
        diagnose("nowhere")
    with pytest.raises(RunError, match="trained without --keep-best"):
        diagnose(bare, best=True)


def test_json_holds_every_number_and_gives_the_same_diagnosis_back(diagnosed):
    found = diagnosed[1]
    mapping = json.loads(json.dumps(found.to_mapping(), allow_nan=False))
    back = Diagnosis.from_mapping(mapping, found.run)
    assert back.text() == found.text()
    assert back._repr_html_() == found._repr_html_()
    assert mapping["values"]["feedback_norm"][2] is None
