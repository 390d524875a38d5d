"""Runs one after another: each is told of, none stops the others, and what others work on is waited for."""

import itertools
import os
import random
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from bdfa_np.errors import ConfigError
from bdfa_np.runs.checkpoint import read_checkpoint
from bdfa_np.study.claims import claimed
from bdfa_np.study.engine import sequential
from bdfa_np.study.engine.sequential import Sequential
from bdfa_np.study.events import Watcher
from bdfa_np.study.folder import StudyFolder
from bdfa_np.study.plan import PlannedRun
from bdfa_np.study.work import shard

TINY = {"dataset": "mnist-5k", "num_hidden": 10, "train_limit": 200, "test_limit": 50, "threads": 1, "epochs": 2}
TINY |= {"backend": "numpy", "lr": 1e-3}


def planned(cells=("bp", "dfa"), seeds=(0, 1), **options):
    return [
        PlannedRun("x", cell, seed, {**TINY, "gradient": cell, "seed": seed, **options}, f"{cell}/seed-{seed}")
        for cell in cells
        for seed in seeds
    ]


class Heard(Watcher):
    """Keeps what it hears, progress set aside."""

    def __init__(self):
        self.heard = []

    def note(self, text):
        self.heard.append(("note", text))

    def begins(self, folder, where):
        self.heard.append(("begins", folder))

    def ends(self, outcome):
        self.heard.append((outcome.state, outcome.folder))


def test_every_run_is_told_of_once_and_finished_ones_do_not_begin(tmp_path):
    runs, watcher = planned(), Heard()
    outcomes = Sequential().run(runs, tmp_path, {}, watcher)
    folders = [run.folder for run in runs]
    assert [(one.folder, one.state, one.trained) for one in outcomes] == [(folder, "finished", 2) for folder in folders]
    assert watcher.heard == [(what, folder) for folder in folders for what in ("begins", "finished")]
    again = Heard()
    assert [one.trained for one in Sequential().run(runs, tmp_path, {}, again)] == [0] * 4
    assert again.heard == [("finished", folder) for folder in folders]


def test_a_run_that_fails_does_not_stop_the_rest_and_is_tried_again_the_next_time(tmp_path):
    runs = planned(seeds=(0,), epochs=1)
    broken = [replace(runs[0], options={**runs[0].options, "dataset": "./none.npz"}), runs[1]]
    assert [one.state for one in Sequential().run(broken, tmp_path, {}, Watcher())] == ["failed", "finished"]
    assert [one.state for one in Sequential().run(runs, tmp_path, {}, Watcher())] == ["finished", "finished"]
    assert not list(tmp_path.rglob("*.failed"))


def test_what_another_is_at_work_on_is_left_to_the_end_waited_for_and_then_done(tmp_path, monkeypatch):
    runs, watcher = planned(cells=("bp",), seeds=(0, 1, 2), epochs=1), Heard()
    claim = claimed(tmp_path / "bp" / "seed-1")
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            claim.__exit__(None, None, None)

    monkeypatch.setattr(sequential.time, "sleep", sleep)
    claim.__enter__()
    outcomes = Sequential().run(runs, tmp_path, {}, watcher)
    assert [one.state for one in outcomes] == ["finished"] * 3
    assert [what for what, _ in watcher.heard] == ["begins", "finished", "note"] + ["begins", "finished"] * 2
    assert watcher.heard[2][1].endswith("bp/seed-1: it is waited for")
    assert watcher.heard[-1] == ("finished", "bp/seed-1")
    assert len(slept) == 3


def test_ctrl_c_ends_the_waiting(tmp_path, monkeypatch):
    def sleep(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(sequential.time, "sleep", sleep)
    with claimed(tmp_path / "bp" / "seed-0"), pytest.raises(KeyboardInterrupt):
        Sequential().run(planned(cells=("bp",), seeds=(0,)), tmp_path, {}, Watcher())


@pytest.mark.parametrize("order", ["cells", "seeds", "none"])
def test_shards_divide_the_runs_and_each_cells_are_spread(order):
    for cells, seeds, count in itertools.product((1, 3, 4, 5), (1, 2, 3), (1, 2, 3, 4, 7)):
        check_shards(cells, seeds, count, order)


def check_shards(cells, seeds, count, order):
    runs = planned([f"cell {n}" for n in range(cells)], range(seeds))
    if order == "seeds":
        runs.sort(key=lambda run: run.seed)
    if order == "none":
        random.Random(7).shuffle(runs)
    parts = [shard(runs, number, count) for number in range(1, count + 1)]
    assert sorted(run.folder for part in parts for run in part) == sorted(run.folder for run in runs)
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    for part in parts:
        assert [run for run in runs if run in part] == part
    for cell in {run.cell for run in runs}:
        held = [sum(run.cell == cell for run in part) for part in parts]
        assert max(held) - min(held) <= 1


@pytest.mark.parametrize(("number", "count"), [(0, 3), (4, 3), (-1, 3), (1, 0)])
def test_a_shard_that_there_is_not_is_told(number, count):
    with pytest.raises(ConfigError, match=f"--shard {number}/{count}"):
        shard(planned(), number, count)


def everything(root, runs):
    """Return all that runs came to, but for its times."""
    found = {}
    for run in runs:
        path = StudyFolder(root).run(run)
        checkpoint = read_checkpoint(path / "checkpoint.h5")
        groups = (checkpoint.weights, checkpoint.feedback, checkpoint.layers, checkpoint.optimizer, checkpoint.rule)
        found[run.folder] = (
            [(name, array.tobytes()) for group in groups for name, array in group.items()],
            [replace(record, seconds=0) for record in checkpoint.history],
            [line.rpartition(",")[0] for line in (path / "metrics.csv").read_text().splitlines()],
            (path / "confusion.csv").read_text(),
            replace(StudyFolder(root).result(run), seconds=0),
        )
    return found


def killed_at(moments, runs, root):
    """Carry runs out in forked children that are killed at these moments, counted in what they say; then to the end."""
    for moment in moments:
        child = os.fork()
        if child == 0:
            try:
                Sequential().run(runs, root, {}, Killed(moment))
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) in (1, -signal.SIGKILL)
    return Sequential().run(runs, root, {}, Watcher())


class Killed(Watcher):
    """Has its process killed when it has heard so many steps of training."""

    def __init__(self, moment):
        self._left = moment

    def progress(self, progress):
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
def test_a_study_killed_again_and_again_comes_to_the_bits_of_an_undisturbed_one(tmp_path, monkeypatch):
    from bdfa_np.study import work

    monkeypatch.setattr(work, "REPORT_SECONDS", 0)  # every step is told
    runs = planned(seeds=(0,), batch_size=50, epochs=3)
    Sequential().run(runs, tmp_path / "whole", {}, Watcher())
    moments = [1, 9, 15, 2, 11]
    outcomes = killed_at(moments, runs, tmp_path / "killed")
    assert [one.state for one in outcomes] == ["finished", "finished"]
    assert sum(one.trained for one in outcomes) < 6
    assert everything(tmp_path / "killed", runs) == everything(tmp_path / "whole", runs)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
@pytest.mark.parametrize("seed", range(10))
def test_at_any_moment_whatever(tmp_path, seed):
    import threading

    runs = planned(cells=("bp", "bdfa", "kp"), epochs=4)
    Sequential().run(runs, tmp_path / "whole", {}, Watcher())
    draw = random.Random(seed)
    for _ in range(12):
        child = os.fork()
        if child == 0:
            threading.Timer(draw.uniform(0, 1.5), os.kill, (os.getpid(), signal.SIGKILL)).start()
            Sequential().run(runs, tmp_path / "killed", {}, Watcher())
            os._exit(0)
        os.waitpid(child, 0)
    Sequential().run(runs, tmp_path / "killed", {}, Watcher())
    assert everything(tmp_path / "killed", runs) == everything(tmp_path / "whole", runs)
    left = [path for path in Path(tmp_path / "killed").rglob(".*") if path.is_file() and path.name != ".lock"]
    assert left == []
