"""A cell of a study may ask for several processes, wherever its runs are carried out."""

import pytest
from comparing import same

from bdfa_np.study.engine.base import cores_of
from bdfa_np.study.engine.choosing import choose_engine
from bdfa_np.study.engine.cluster import Cluster
from bdfa_np.study.engine.sequential import Sequential
from bdfa_np.study.events import Watcher
from bdfa_np.study.plan import PlannedRun

TINY = {"dataset": "mnist-5k", "num_hidden": 10, "train_limit": 200, "test_limit": 50, "threads": 1, "epochs": 2}
TINY |= {"backend": "numpy", "lr": 1e-3}
RUN = PlannedRun("x", "two", 0, {**TINY, "processes": 2, "seed": 0}, "two/seed-0")


def test_one_after_another_and_by_dask_it_comes_to_the_same_bits(tmp_path):
    pytest.importorskip("distributed", reason="runs go to workers by the extra 'cluster'")
    for name, engine in (("here", Sequential()), ("dask", Cluster(workers=1))):
        (outcome,) = engine.run([RUN], tmp_path / name, {}, Watcher())
        assert (outcome.state, outcome.trained) == ("finished", 2), outcome
    assert same(tmp_path / "here" / RUN.folder, tmp_path / "dask" / RUN.folder)
    for name in ("here", "dask"):
        text = (tmp_path / name / RUN.folder / "config.toml").read_text(encoding="utf-8")
        assert text.count("processes = 2") == 2  # as an option, and as what there was


@pytest.mark.parametrize(
    ("options", "cores"), [({}, 1), ({"threads": 3}, 3), ({"processes": 4}, 4), ({"threads": 2, "processes": 3}, 6)]
)
def test_a_run_keeps_as_many_cores_busy_as_its_processes_have_threads(options, cores):
    assert cores_of(options) == cores


def test_no_more_runs_go_at_once_than_there_are_cores_for_their_processes(monkeypatch):
    monkeypatch.setattr("bdfa_np.study.engine.choosing.usable_cores", lambda: 8)
    engine = choose_engine()
    single = PlannedRun("x", "one", 0, {**TINY, "seed": 0}, "one/seed-0")
    assert engine.at_once([single] * 20, {}) == 8
    assert engine.at_once([single] * 19 + [RUN], {}) == 4
    assert engine.at_once([single] * 20, {"processes": 4}) == 2
