"""Which runs a study comes to, and in which folders."""

import os

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bdfa_np.errors import StudyError
from bdfa_np.study.cell import Cell
from bdfa_np.study.description import Study
from bdfa_np.study.naming import folders
from bdfa_np.study.plan import chosen_cells, plan

CELLS = tuple(
    Cell((net, rule), {"lr": 0.1, "epochs": epochs})
    for net, epochs in (("1x400", 10), ("2x400", 300))
    for rule in ("bp", "bdfa label")
)
STUDY = Study("two", ("net", "rule"), CELLS, (1, 7))


def test_every_cell_has_every_seed_the_first_one_first():
    runs = plan(STUDY)
    assert [(run.cell, run.seed) for run in runs] == [(cell.name, seed) for seed in (1, 7) for cell in CELLS]
    assert runs[1].folder == "1x400/bdfa_label/seed-1"
    assert runs[1].options == {"lr": 0.1, "epochs": 10, "seed": 1}
    assert not any(run.is_shortened for run in runs)


def test_a_cell_that_names_no_epochs_has_as_many_as_bdfa_train():
    (run,) = plan(Study("s", ("cell",), (Cell(("a",), {}),), (0,)))
    assert run.options == {"seed": 0, "epochs": 300}


def test_a_shortened_run_has_a_folder_of_its_own_and_a_run_that_is_shorter_stays():
    short, long = plan(STUDY, cells=["bp"], seeds=1, epochs=20)
    assert (short.folder, short.options["epochs"], short.whole_epochs) == ("1x400/bp/seed-1", 10, None)
    assert (long.folder, long.options["epochs"], long.whole_epochs) == ("2x400/bp/seed-1_epochs-20", 20, 300)
    assert long.is_shortened
    assert plan(STUDY, epochs=300) == plan(STUDY)


@pytest.mark.parametrize(
    ("asked", "seeds"), [(1, [1]), (2, [1, 7]), (3, [0, 1, 2]), ([7], [7]), ((5, 3), [5, 3]), (None, [1, 7])]
)
def test_seeds_are_the_first_of_the_study_or_those_that_are_named(asked, seeds):
    assert [run.seed for run in plan(STUDY, cells=["1x400/bp"], seeds=asked)] == seeds


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"epochs": 0}, "study two cannot be run for 0 epochs: give a number of 1 or more"),
        ({"epochs": -1}, "study two cannot be run for -1 epochs: give a number of 1 or more"),
        ({"epochs": 301}, "study two cannot be run for 301 epochs: the study has 300: write more into its file"),
        ({"epochs": 11, "cells": ["1x400"]}, "for 11 epochs: the study has 10: write more into its file"),
        ({"seeds": 0}, "seeds = 0: a study has from 1"),
        ({"seeds": -2}, "seeds = -2: a study has from 1"),
        ({"seeds": [1, 1]}, "seeds has 1 twice"),
        ({"seeds": []}, r"seeds is \[\]"),
        ({"cells": ["3x*"]}, r"no cell of study two fits '3x\*': its labels are 1x400, 2x400, bp, bdfa label$"),
        ({"cells": ["bp", "dfa"]}, "fits 'dfa'"),
    ],
)
def test_what_no_run_can_be_planned_for_is_refused(asked, message):
    with pytest.raises(StudyError, match=message):
        plan(STUDY, **asked)


@pytest.mark.parametrize(
    ("patterns", "count"),
    [
        *(([], 4), (["bp"], 2), (["1x400"], 2), (["1x400/bp"], 1), (["*/bp"], 2), (["b*"], 4), (["?x400/bdfa*"], 2)),
        *((["1x400/bp", "bdfa label"], 3), (["1x400", "1x400"], 2)),
    ],
)
def test_a_pattern_chooses_cells_by_their_name_or_by_one_label_each_once_in_their_order(patterns, count):
    chosen = chosen_cells(STUDY, patterns)
    assert len(chosen) == count
    assert chosen == [cell for cell in CELLS if cell in chosen]


def test_a_label_that_looks_like_a_pattern_is_chosen_by_itself():
    study = Study("s", ("cell",), (Cell(("a[1]",), {"lr": 1}), Cell(("a1",), {"lr": 2})), (0,))
    assert [cell.name for cell in chosen_cells(study, ["a[1]"])] == ["a[1]", "a1"]


def test_labels_that_are_names_of_files_are_their_folders():
    labels = [("1x400", "bp"), ("lr=0.001", "bdfa label"), ("lr=1e-05", "K_P+,"), ("Wide", ".5".replace(".", "0."))]
    assert list(folders(labels).values()) == ["1x400/bp", "lr=0.001/bdfa_label", "lr=1e-05/K_P+,", "Wide/0.5"]


def test_adding_a_cell_moves_no_label_in_lower_case():
    assert folders([("bp",), ("BP",)])[("bp",)] == folders([("bp",)])[("bp",)] == "bp"


LABELS = st.one_of(
    st.text(st.sampled_from("aAbB ._-~/\\:*ßﬁé"), min_size=1, max_size=6),
    st.sampled_from(
        ["..", ".", "con", "NUL", "lpt1.txt", "search", "SEARCH", "a" * 300, "x" * 61, " a", "a ", "a.", "~"]
    ),
    st.text(min_size=1, max_size=4),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=8, unique=True))
@example([("a b", "x"), ("a_b", "x"), ("A_b", "x"), ("A b", "x")])
@example([("../..", "/etc"), ("..", "etc"), ("", "etc")])
def test_any_labels_have_distinct_folders_that_every_file_system_takes(labels):
    found = folders(labels)
    assert set(found) == set(labels)
    assert len({place.casefold() for place in found.values()}) == len(labels)
    for place in found.values():
        parts = place.split("/")
        assert len(parts) == 2
        assert os.path.normpath(place) == place
        for part in parts:
            assert 0 < len(part) <= 80
            assert part.isascii()
            assert not set(part) & set('<>:"/\\|?* ') - {" "} - {""}
            assert part[0] not in ".- "
            assert part[-1] not in ". "
            assert part.split(".")[0].lower() not in {"con", "prn", "aux", "nul", "com1", "lpt1"}
            assert part.lower() != "search"
