"""A run of a study carried out: begun, gone on with, refused, or failed in one line, and never mixed with another."""

import os
import re
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from bdfa_np.errors import ConfigError, DataError, InUseError, RunError
from bdfa_np.runs.checkpoint import read_checkpoint
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.session import Session
from bdfa_np.runs.store.lock import alone
from bdfa_np.study import claims, work
from bdfa_np.study.claims import claimed
from bdfa_np.study.events import Progress
from bdfa_np.study.folder import StudyFolder
from bdfa_np.study.plan import PlannedRun
from bdfa_np.study.work import carry_out

TINY = {"dataset": "mnist-5k", "num_hidden": 10, "train_limit": 200, "test_limit": 50, "threads": 1, "lr": 1e-3}
TINY |= {"backend": "numpy", "gradient": "bp"}


def planned(epochs=2, seed=0, cell="bp", **options):
    return PlannedRun("digits", cell, seed, {**TINY, "seed": seed, "epochs": epochs, **options}, f"{cell}/seed-{seed}")


def silent(progress):
    pass


def bits(path):
    """Return all that a run came to but for its times."""
    found = read_checkpoint(path / "checkpoint.h5")
    groups = (found.weights, found.feedback, found.optimizer)
    arrays = [(name, array.tobytes()) for group in groups for name, array in group.items()]
    return arrays, [replace(record, seconds=0) for record in found.history], found.steps


def after(epochs, what):
    """Return a report that raises an error once so many epochs are done."""

    def report(progress):
        if progress.epoch == epochs:
            raise what

    return report


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Give the folder of a study of one run with three epochs."""
    root = tmp_path_factory.mktemp("trained")
    assert carry_out(planned(3), root, {}, silent).state == "finished"
    return root


@pytest.fixture
def root(trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / "study"))


def test_a_run_is_an_ordinary_run_folder_that_the_other_commands_know(trained, bdfa):
    folder = trained / "bp" / "seed-0"
    outcome = bdfa("runs", trained)
    assert "bp/seed-0" in outcome.out
    assert "3/3" in outcome.out
    assert bdfa("evaluate", folder).code == 0
    assert bdfa("export", folder, "--to", "npz", "-o", "net.npz").code == 0


def test_its_result_is_what_its_metrics_say(trained):
    found = tomllib.loads((trained / "bp" / "seed-0" / "result.toml").read_text())
    history = StudyFolder(trained).history(planned(3))
    errors = [record.test_error for record in history]
    assert found["epochs"] == 3
    assert found["seconds"] == sum(record.seconds for record in history)
    assert (found["threads"], found["backend"], found["tested_on"]) == (1, "numpy", "test")
    assert (found["last_error"], found["lowest_error"]) == (errors[-1], min(errors))
    assert found["lowest_epoch"] == errors.index(min(errors)) + 1
    assert "test" not in found
    assert (found["stop_reason"], found["learns_nothing"]) == ("", False)


def test_a_finished_run_is_not_touched(root):
    folder = root / "bp" / "seed-0"
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in root.rglob("*") if path.is_file()}
    outcome = carry_out(planned(3), root, {}, silent)
    assert (outcome.state, outcome.trained) == ("finished", 0)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in root.rglob("*") if path.is_file()} == before
    assert StudyFolder(root).state(planned(3)) == "finished"
    assert folder.is_dir()


def test_progress_is_told_from_the_first_epoch_on(tmp_path):
    heard = []
    carry_out(planned(), tmp_path, {}, heard.append)
    assert [(one.epoch, one.epochs, one.share) for one in heard] == [(0, 2, 0), (1, 2, 0), (1, 2, 0), (2, 2, 0)]
    assert (heard[0].error, heard[0].seconds) == (None, None)
    history = StudyFolder(tmp_path).history(planned())
    assert (heard[-1].error, heard[-1].seconds) == (history[-1].test_error, history[-1].seconds)
    assert all(one.folder == "bp/seed-0" and one.where for one in heard)


def test_and_within_an_epoch_every_few_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "REPORT_SECONDS", 0)
    heard = []
    carry_out(planned(1, batch_size=50), tmp_path, {}, heard.append)
    assert [one.share for one in heard] == [0, 0.25, 0.5, 0.75, 1, 0]
    assert [one.epoch for one in heard] == [0] * 5 + [1]


def test_ctrl_c_passes_through_and_the_run_goes_on_to_the_same_bits(trained, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        carry_out(planned(3), tmp_path, {}, after(2, KeyboardInterrupt))
    folder = StudyFolder(tmp_path)
    assert folder.state(planned(3)) == "unfinished"
    assert folder.failure(planned(3)) == ""
    done = len(folder.history(planned(3)))
    heard: list[Progress] = []
    outcome = carry_out(planned(3), tmp_path, {}, heard.append)
    assert (outcome.state, outcome.trained) == ("finished", 3 - done)
    assert heard[0].epoch == done
    assert heard[0].error == folder.history(planned(3))[done - 1].test_error
    assert bits(tmp_path / "bp" / "seed-0") == bits(trained / "bp" / "seed-0")


def test_a_run_stopped_in_its_first_epoch_is_begun_anew_by_other_settings_too(tmp_path):
    run = planned(1, batch_size=50)

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(run, tmp_path, {}, stop)
    assert StudyFolder(tmp_path).history(run) == []
    changed = replace(run, options={**run.options, "lr": 0.1})
    StudyFolder(tmp_path).check_same([changed])
    assert carry_out(changed, tmp_path, {}, silent).state == "finished"
    assert StudyFolder(tmp_path).config(changed).lr == 0.1


def test_more_epochs_are_gone_on_to(root):
    assert StudyFolder(root).state(planned(5)) == "unfinished"
    outcome = carry_out(planned(5), root, {}, silent)
    assert (outcome.state, outcome.trained) == ("finished", 2)
    assert StudyFolder(root).result(planned(5)).epochs == 5


def test_options_of_the_machine_go_before_and_keep_no_run_from_going_on(root, tmp_path):
    machine = {"cache_dir": str(tmp_path / "elsewhere"), "threads": 1}
    assert carry_out(planned(4), root, machine, silent).state == "finished"
    assert StudyFolder(root).config(planned(4)).cache_dir == str(tmp_path / "elsewhere")
    StudyFolder(root).check_same([planned(4)])


def test_a_run_goes_on_with_as_many_threads_as_it_was_begun_with(tmp_path, monkeypatch):
    monkeypatch.setattr("bdfa_np.runs.threads.cores.usable_cores", lambda: 2)
    threads = []
    for epochs, machine in ((1, {"threads": 2}), (2, {"threads": "auto"}), (3, {}), (4, {"threads": 1})):
        assert carry_out(planned(epochs), tmp_path, machine, silent).state == "finished"
        threads.append(StudyFolder(tmp_path).result(planned(epochs)).threads)
    assert threads == [2, 2, 2, 1]


FAILURES = {
    "a missing data set": (
        {"dataset": "./none.npz"},
        r"/none\.npz: cannot be read: No such file or directory: name a \.csv",
    ),
    "a loss that is no number": (
        {"lr": 1e30, "nonlin": "relu", "optimization": "sgd"},
        r"the loss is (nan|inf) at step \d of epoch 1 .*: try a smaller --lr",
    ),
    "an unknown option": ({"learning": 1}, "unknown option 'learning'"),
    "a value of the wrong type": ({"lr": "fast"}, "option 'lr' has a value of the wrong type"),
    "options that do not go together": ({"feedback_target": "label"}, "--feedback-target has no part in"),
    "a net that is not there": ({"network": "nets/none.py"}, "--network nets/none.py: there is no built-in net"),
    "a net with a mistake": ({"network": "./broken.py"}, r"--network .*broken\.py, line 2: ValueError: it is broken"),
}


@pytest.mark.parametrize(("options", "said"), FAILURES.values(), ids=FAILURES)
def test_a_run_that_fails_is_told_in_one_line_that_is_kept(tmp_path, options, said, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("broken.py").write_text("def build(*arguments, **options):\n    raise ValueError('it is broken')\n")
    run = planned(**options)
    outcome = carry_out(run, tmp_path / "study", {}, silent)
    assert (outcome.state, outcome.trained) == ("failed", 0)
    assert re.search(said, outcome.reason), outcome.reason
    assert "\n" not in outcome.reason
    folder = StudyFolder(tmp_path / "study")
    assert folder.failure(run) == outcome.reason
    assert folder.failure_file(run).read_text() == outcome.reason + "\n"
    assert folder.state(run) == "failed"


def test_a_crash_of_the_program_is_told_with_where_its_traceback_is(tmp_path, monkeypatch):
    def crash(self):
        raise ZeroDivisionError("a mistake\nof ours")

    monkeypatch.setattr(Session, "run", crash)
    outcome = carry_out(planned(), tmp_path, {}, silent)
    file = tmp_path / "bp" / "seed-0.failed"
    assert outcome.state == "failed"
    assert outcome.reason == f"ZeroDivisionError: a mistake of ours (the traceback is in {file})"
    first, empty, *traced = file.read_text().splitlines()
    assert (first, empty, traced[0]) == (outcome.reason, "", "Traceback (most recent call last):")
    monkeypatch.undo()
    assert carry_out(planned(), tmp_path, {}, silent).state == "finished"
    assert not file.exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError("Unable to allocate 9 GiB"), "not enough memory (Unable to allocate 9 GiB): choose a smaller net"),
        (OSError(28, "No space left on device", "x.h5"), "x.h5 cannot be used: No space left on device: make room"),
        (OSError(28, "No space left on device"), "seed-0 cannot be used: No space left on device: make room"),
    ],
)
def test_a_machine_that_is_too_small_is_told_without_a_traceback(tmp_path, monkeypatch, error, said):
    def fail(self, *_, **__):
        raise error

    monkeypatch.setattr(RunFolder, "write_epoch", fail)
    outcome = carry_out(planned(), tmp_path, {}, silent)
    assert outcome.state == "failed"
    assert said in outcome.reason
    assert "Traceback" not in StudyFolder(tmp_path).failure_file(planned()).read_text()


def test_a_disk_without_room_for_the_reason_either_changes_nothing_about_it(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    outcome = carry_out(planned(), tmp_path, {}, silent)
    assert outcome.state == "failed"
    assert "No space left on device: make room" in outcome.reason
    monkeypatch.undo()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []
    assert carry_out(planned(), tmp_path, {}, silent).state == "finished"


def test_a_net_that_learns_nothing_is_finished_and_noted(tmp_path):
    outcome = carry_out(planned(6, lr=1e-12), tmp_path, {}, silent)
    assert (outcome.state, outcome.trained) == ("finished", 6)
    assert outcome.note.startswith("it has learnt nothing: test error ")
    assert StudyFolder(tmp_path).result(planned(6)).learns_nothing
    assert carry_out(planned(6, lr=1e-12), tmp_path, {}, silent).note == outcome.note


def test_a_run_that_somebody_has_claimed_is_left_to_them(root):
    with claimed(root / "bp" / "seed-0"):
        outcome = carry_out(planned(4), root, {}, silent)
        assert StudyFolder(root).state(planned(4)) == "running"
    assert (outcome.state, outcome.trained) == ("running", 0)
    assert outcome.reason.startswith(f"process {os.getpid()} on ")
    assert StudyFolder(root).failure(planned(4)) == ""
    assert StudyFolder(root).state(planned(4)) == "unfinished"


def test_so_is_one_that_bdfa_train_is_at_work_on(root):
    with alone(root / "bp" / "seed-0"):
        outcome = carry_out(planned(4), root, {}, silent)
        assert StudyFolder(root).state(planned(4)) == "running"
    assert outcome.state == "running"
    assert outcome.reason == f"another process is training in {root / 'bp' / 'seed-0'}"


def test_and_one_whose_folder_is_taken_at_the_last_moment(root, monkeypatch):
    monkeypatch.setattr(work, "is_held", lambda _: False)
    with alone(root / "bp" / "seed-0"):
        assert carry_out(planned(4), root, {}, silent).state == "running"


def test_a_run_that_was_finished_before_it_could_be_claimed_is_not_trained_again(root, trained, monkeypatch):
    path = root / "bp" / "seed-0"
    shutil.rmtree(path)
    before = work.is_held

    def late(found):
        shutil.copytree(trained / "bp" / "seed-0", path)
        return before(found)

    monkeypatch.setattr(work, "is_held", late)
    outcome = carry_out(planned(3), root, {}, silent)
    assert (outcome.state, outcome.trained) == ("finished", 0)
    assert (path / "Log.txt").read_text() == (trained / "bp" / "seed-0" / "Log.txt").read_text()


def test_a_process_that_has_lost_its_claim_saves_no_further_epoch(root):
    def lose(progress):
        if progress.epoch == 4 and not taken:
            folder = root / "bp" / ".seed-0.claim"
            last = max(int(path.name) for path in folder.iterdir())
            taken.append(folder / str(last + 1))
            taken[0].write_text("{}")

    taken = []
    outcome = carry_out(planned(6), root, {}, lose)
    assert outcome.state == "running"
    assert "is no longer this process's to go on with" in outcome.reason
    assert [record.epoch for record in StudyFolder(root).history(planned(6))] == [1, 2, 3, 4]
    assert taken[0].read_text() == "{}"
    assert StudyFolder(root).failure(planned(6)) == ""


CHANGES = {
    "a setting": ({"lr": 0.01}, r"\(lr 0\.001, now 0\.01\)"),
    "two": ({"lr": 0.01, "num_hidden": 20}, r"\(num_hidden 10, now 20; lr 0\.001, now 0\.01\)"),
    "five": (
        {"lr": 0.01, "num_hidden": 20, "num_layers": 3, "train_limit": 100, "test_limit": 9},
        r"\([^;]+; [^;]+; [^;]+; and 2 more\)",
    ),
    "the rule, on which other options hang": ({"gradient": "bdfa"}, r"\(gradient bp, now bdfa\)"),
    "fewer epochs": ({"epochs": 2}, r"\(epochs 3, now 2\)"),
    "a seed": ({"seed": 5}, r"\(seed 0, now 5\)"),
}


@pytest.mark.parametrize(("options", "said"), CHANGES.values(), ids=CHANGES)
def test_other_settings_are_refused_before_anything_is_trained(root, options, said):
    run = replace(planned(3), options={**planned(3).options, **options})
    ending = "name another folder with --save, or put the setting back$"
    with pytest.raises(RunError, match=rf"bp/seed-0 was trained with other settings {said}: {ending}"):
        StudyFolder(root).check_same([planned(seed=1), run])
    before = bits(root / "bp" / "seed-0")
    outcome = carry_out(run, root, {}, silent)
    assert outcome.state == "failed"
    assert "other settings" in outcome.reason
    assert bits(root / "bp" / "seed-0") == before


def test_an_option_that_is_no_longer_given_is_another_setting(root):
    options = {name: value for name, value in planned(3).options.items() if name != "num_hidden"}
    with pytest.raises(RunError, match=r"\(num_hidden 10, now 800\)"):
        StudyFolder(root).check_same([replace(planned(3), options=options)])


def test_an_option_that_is_given_as_it_was_by_default_is_none(root):
    StudyFolder(root).check_same([planned(3, momentum=StudyFolder(root).config(planned(3)).momentum, criterion="bce")])


def test_machines_and_more_epochs_are_other_settings_only_where_the_last_epoch_shapes_all(root, tmp_path):
    StudyFolder(root).check_same([planned(9, threads=2, cache_dir="elsewhere")])
    assert carry_out(planned(2, schedule="cosine"), tmp_path, {}, silent).state == "finished"
    with pytest.raises(RunError, match=r"\(epochs 2, now 3, by the last of which its rate comes to 0\)"):
        StudyFolder(tmp_path).check_same([planned(3, schedule="cosine")])


def edit(root, before, after):
    path = root / "bp" / "seed-0" / "config.toml"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


def test_a_run_edited_by_hand_is_told(root):
    edit(root, "num_hidden = 10", "num_hidden = 20")
    said = (
        r"config\.toml has been edited: num_hidden = 20, where the run has num_hidden = 10: .* once its folder is rem"
    )
    with pytest.raises(RunError, match=said):
        StudyFolder(root).check_same([planned(3)])


@pytest.mark.parametrize("name", ["checkpoint.h5", "config.toml", "history.bin", "result.toml"])
def test_a_damaged_run_is_told_and_loses_nothing(root, name):
    path = root / "bp" / "seed-0" / name
    path.write_bytes(path.read_bytes()[:-9] + b"= x [ y z")
    content = path.read_bytes()
    outcome = carry_out(planned(3), root, {}, silent)
    assert outcome.state == "failed"
    assert f"{name} is damaged" in outcome.reason
    assert path.read_bytes() == content


def test_data_of_the_users_own_that_have_changed_are_told_also_of_a_finished_run(tmp_path, monkeypatch):
    np = pytest.importorskip("numpy")
    monkeypatch.chdir(tmp_path)

    def write(seed):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(60, 4)), np.arange(60) % 3
        np.savez("points.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])

    write(0)
    own = {name: value for name, value in TINY.items() if not name.endswith("limit")} | {"dataset": "./points.npz"}
    run = PlannedRun("points", "bp", 0, {**own, "seed": 0, "epochs": 1}, "bp/seed-0")
    assert carry_out(run, tmp_path / "study", {}, silent).state == "finished"
    Path("moved").mkdir()
    shutil.copy("points.npz", "moved/points.npz")
    moved = replace(run, options={**run.options, "dataset": "moved/points.npz", "epochs": 2})
    StudyFolder("study").check_same([moved])
    assert carry_out(moved, tmp_path / "study", {}, silent).trained == 1
    write(1)
    with pytest.raises(DataError, match=r"the data differ from those of study/bp/seed-0: points\.npz"):
        StudyFolder("study").check_same([replace(run, options={**run.options, "epochs": 2})])


NET = """
from bdfa_np import Flatten, Linear, Sequential


def build(config, input_shape, num_classes, rng, backend):
    return Sequential([Flatten(), Linear(num_classes)], input_shape, backend=backend, rng=rng)
"""


def test_a_net_of_the_users_own_that_has_changed_is_told_also_of_a_finished_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = Path("net.py")
    net.write_text(NET)
    run = planned(1, network="./net.py")
    run = replace(run, options={name: value for name, value in run.options.items() if name != "num_hidden"})
    outcome = carry_out(run, tmp_path / "study", {}, silent)
    assert outcome.state == "finished", outcome.reason
    StudyFolder("study").check_same([run])
    net.write_text(net.read_text() + "# another\n")
    with pytest.raises(RunError, match=r"net\.py has changed since study/bp/seed-0 was started"):
        StudyFolder("study").check_same([run])


def test_what_is_planned_and_cannot_be_is_told_where_there_is_a_run_to_compare(root):
    with pytest.raises(ConfigError, match="unknown option 'learning'"):
        StudyFolder(root).check_same([planned(3, learning=1)])


def test_a_claim_is_no_run_and_no_file_of_a_run(trained):
    assert claims.holder(trained / "bp" / "seed-0") is None
    assert not list((trained / "bp" / "seed-0").glob("*claim*"))
    with pytest.raises(InUseError), claimed(trained / "x"), claimed(trained / "x"):
        pass
