"""What pictures are of: run folders, studies by folder or name, results of training, in their order."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bdfa_np import Config, Study, train
from bdfa_np.errors import ConfigError, DataError, RunError, StudyError
from bdfa_np.figures.labels import labelled
from bdfa_np.figures.subjects import RunView, subjects
from bdfa_np.runs.events import Listener
from bdfa_np.runs.starting import start_run

TINY = {"dataset": "mnist-5k", "num_hidden": 5, "train_limit": 20, "test_limit": 20, "num_layers": 1}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Carry out a study of two sizes, two rules and two seeds but for a cell; it lies in studies/ of a folder."""
    place = tmp_path_factory.mktemp("studied")
    grid = {
        "size": {"small": {"num_hidden": 5}, "large": {"num_hidden": 6}},
        "rule": {"bp": {"gradient": "bp"}, "dfa": {"gradient": "dfa"}},
    }
    made = Study.from_mapping({"seeds": 2, "base": {**TINY, "epochs": 1}, "grid": grid}, name="sizes")
    made.run(place / "studies" / "sizes", cells=["small", "large/bp"], workers=1, progress=False)
    return place


def test_runs_that_differ_in_their_seed_alone_are_one_subject(folders):
    found = subjects([folders / "dfa-again", folders / "bp", folders / "dfa"])
    assert [(one.label, [run.path.name for run in one.runs]) for one in found] == [
        ("dfa", ["dfa", "dfa-again"]),
        ("bp", ["bp"]),
    ]
    assert found[0].legend == "dfa (2 seeds)"


def test_a_run_alone_is_called_as_its_folder(folders):
    [found] = subjects([folders / "dfa"])
    assert found.label == "dfa"
    assert [record.epoch for record in found.runs[0].history] == [1, 2]
    assert found.runs[0].finished


def test_runs_are_called_by_their_differences(run):
    def called(*options):
        return [one.label for one in labelled([run([9.0, 8.0], **one) for one in options])]

    assert called({"gradient": "bp"}, {"gradient": "dfa"}) == ["bp", "dfa"]
    assert called({"lr": 0.1}, {"lr": 0.01, "seed": 1}) == ["lr=0.1", "lr=0.01"]
    assert called({"epochs": 2}, {"epochs": 3, "seed": 1}) == ["epochs=2", "epochs=3"]
    assert called({"nonlin": "relu", "num_hidden": 9}, {"nonlin": "tanh"}) == [
        "nonlin=relu num_hidden=9",
        "nonlin=tanh num_hidden=800",
    ]
    assert called({"validate": True, "keep_best": True, "lr": 0.1}, {"lr": 0.01}) == ["validate lr=0.1", "lr=0.01"]


def test_runs_that_are_alike_are_called_as_their_folders(run):
    alike = [replace(run([9.0]), path=Path(f"runs/{name}")) for name in ("here", "there")]
    assert [one.label for one in labelled(alike)] == ["here", "there"]


def test_subjects_and_their_runs_are_shown_in_a_line(run, subject):
    assert repr(run([9.0])) == "RunView(runs/0, dfa on mnist, 1 epoch)"
    assert repr(run([9.0, 8.0], finished=False)) == "RunView(runs/0, dfa on mnist, 2 epochs, not finished)"
    assert repr(subject("DFA", [9.0], [8.0])) == "Subject('DFA', runs/0, runs/1)"


def test_labels_of_ones_own_come_in_order_and_must_be_as_many(folders):
    named = [folders / "bp", folders / "dfa"]
    assert [one.label for one in subjects(named, labels=["BP", "DFA"])] == ["BP", "DFA"]
    assert [one.label for one in subjects(*named)] == ["bp", "dfa"]
    assert [one.label for one in subjects(str(folders / "bp"), labels="exact")] == ["exact"]
    with pytest.raises(ConfigError, match="--label is given 1 time, and what is drawn is 2: bp, dfa"):
        subjects(named, labels=["BP"])


def test_a_study_is_a_subject_a_cell_with_its_seeds(study, monkeypatch):
    monkeypatch.chdir(study)
    notes = []
    for named in ("sizes", study / "studies" / "sizes"):
        found = subjects([named], note=notes.append)
        assert [one.label for one in found] == ["small/bp", "small/dfa", "large/bp"]
        assert [[run.config.seed for run in one.runs] for one in found] == [[0, 1]] * 3
    assert set(notes) == {"not drawn, for no epoch is done: large/dfa"}
    assert [one.label for one in subjects(["sizes"], cells=["small"])] == ["bp", "dfa"]


def test_what_is_named_keeps_its_order_and_studies_their_names(study, folders, monkeypatch):
    monkeypatch.chdir(study)
    found = subjects(["sizes", folders / "bp", folders / "held-out"], cells=["small"])
    assert [one.label for one in found][:2] == ["sizes: bp", "sizes: dfa"]
    assert [one.runs[0].path.name for one in found[2:]] == ["bp", "held-out"]


def test_a_study_object_is_taken_by_its_name(study, monkeypatch):
    monkeypatch.chdir(study)
    with pytest.warns(UserWarning, match="not drawn, for no epoch is done: large/dfa"):
        found = subjects([Study.load(study / "studies" / "sizes" / "study.toml")])
    assert len(found) == 3


def test_a_study_of_which_nothing_is_done_says_so(study, monkeypatch):
    monkeypatch.chdir(study)
    with pytest.raises(RunError, match="no run of study sizes in studies/sizes has a whole epoch yet"):
        subjects(["sizes"], cells=["large/dfa"])
    with pytest.raises(StudyError, match="no cell of study sizes fits 'middle'"):
        subjects(["sizes"], cells=["middle"])
    with pytest.raises(RunError, match="there is no folder studies/luo-mnist: run study luo-mnist first"):
        subjects(["luo-mnist"])


@pytest.mark.parametrize(
    ("named", "options", "message"),
    [
        (["none"], {}, "there is no folder none, and no study of this name"),
        ([""], {}, "a run folder is empty"),
        ([], {}, "nothing is named to be drawn"),
        (["bp"], {"cells": ["small"]}, "--cells chooses runs of a study"),
        (["bp"], {"epochs": 1}, "--epochs chooses runs of a study"),
        (["bp", "./bp"], {}, "bp is named twice"),
        (["."], {}, r"\. is no run and no study, there are 4 runs in it"),
        (["bp/config.toml"], {}, "unknown key 'options'"),
        ([3], {}, "a int cannot be drawn"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(folders, monkeypatch, named, options, message):
    monkeypatch.chdir(folders)
    with pytest.raises((ConfigError, RunError, StudyError), match=message) as error:
        subjects(named, **options)
    assert "\n" not in str(error.value)


class Stops(Listener):
    """Presses Ctrl-C in the first step."""

    def step(self, done):
        raise KeyboardInterrupt


def test_a_run_without_an_epoch_is_refused(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        start_run(Config(**TINY, threads=1), tmp_path / "new", listener=Stops())
    with pytest.raises(RunError, match="new has no whole epoch yet"):
        subjects([tmp_path / "new"])


def test_a_run_in_memory_is_drawn_as_far_as_it_goes():
    result = train(**TINY, gradient="dfa", epochs=1, track="weights", progress=False)
    [found] = subjects([result])
    assert found.label == "dfa"
    assert len(found.runs[0].history) == 1
    assert found.runs[0].model() is result.model
    assert found.runs[0].diagnostics() is result.diagnostics
    with pytest.raises(RunError, match="was kept in no folder"):
        found.runs[0].confusion()


def test_what_a_folder_holds_is_read_when_it_is_asked_for(folders):
    [found] = subjects([folders / "dfa"])
    view = found.runs[0]
    counts, names = view.confusion()
    assert (counts.sum(), names) == (40, tuple("0123456789"))
    assert np.trace(counts) / 40 == pytest.approx(1 - view.history[-1].test_error)
    assert view.diagnostics().layers == ("linear1", "linear2")
    assert subjects([folders / "bp"])[0].runs[0].diagnostics() is None
    raw, prepared, labels = view.test_set()
    predicted = view.model().predict(prepared, prepared=True)
    assert (predicted.labels != labels).mean() == pytest.approx(view.history[-1].test_error)
    assert (raw.dtype, raw.shape) == (np.uint8, (40, 28, 28, 1))


def test_the_samples_of_a_run_under_validate_are_those_held_out(folders):
    [found] = subjects([folders / "held-out"])
    view = found.runs[0]
    _, prepared, labels = view.test_set()
    assert len(labels) == 50
    predicted = view.model().predict(prepared, prepared=True)
    assert (predicted.labels != labels).mean() == pytest.approx(view.history[-1].test_error)


def test_data_that_have_changed_are_refused(folders, monkeypatch):
    [found] = subjects([folders / "bp"])
    from bdfa_np.runs.folder import RunFolder

    config, document = RunFolder(found.runs[0].path).read_document()
    document["data"]["checksums"] = {"other": "0" * 64}
    monkeypatch.setattr(RunFolder, "read_document", lambda _: (config, document))
    with pytest.raises(DataError, match="the data differ from those of"):
        found.runs[0].test_set()


def test_a_subject_is_taken_as_it_is(run):
    view = run([9.0])
    assert isinstance(view, RunView)
    [found] = labelled([view])
    assert subjects([found]) == [found]
