"""What a study's file gets wrong is one line that names the file, the place in it and what to do."""

# ruff: noqa: E501 - a case a line

from pathlib import Path

import pytest

from bdfa_np.errors import StudyError
from bdfa_np.study.description import load_study

BASE = '[base]\ndataset = "mnist-5k"\n'
GRID = f"{BASE}[grid]\nlr = [0.1, 0.2]\n"
RULES = f'{BASE}[grid.rule]\nbp = {{ gradient = "bp" }}\ndfa = {{ gradient = "dfa" }}\n'
LIST = f'{BASE}[[cells]]\nname = "a"\nlr = 1\n'

WRONG = {
    "an unknown key": (f"repport = ['last']\n{GRID}", "unknown key 'repport'. Did you mean 'report'?"),
    "an option at the top": (f"epochs = 3\n{GRID}", "'epochs' is an option of a run: move it into the table [base]"),
    "an unknown option": (GRID + "[base]\n", "is not a TOML file"),
    "another name of an option": ("[base]\noptimizer = 'sgd'\n[grid]\nlr = [1]\n", "[base]: unknown option 'optimizer'. Did you mean 'optimization'?"),
    "a misspelt option of an axis": (RULES.replace("gradient", "gradeint"), "[grid.rule] bp: unknown option 'gradeint'. Did you mean 'gradient'?"),
    "a misspelt axis": (f"{BASE}[grid]\nnum_hiden = [1]\n", "[grid]: unknown option 'num_hiden'. Did you mean 'num_hidden'?"),
    "a misspelt option of a cell": (LIST.replace("lr", "learning_rate"), "cell a: unknown option 'learning_rate'. Did you mean 'lr'?"),
    "a value of another type": (GRID.replace("[0.1, 0.2]", "['fast']"), "cell lr=fast: option 'lr' has a value of the wrong type: 'fast': float is wanted"),
    "a value out of range": (GRID.replace("0.2", "-1.0"), "cell lr=-1.0: --lr must be a finite number greater than 0, not -1.0"),
    "options that do not go together": (RULES.replace('"dfa"', '"dfa", bfa_steps = 1').replace("bfa_steps = 1", "feedback_target = 'label'"), "cell dfa: --feedback-target has no part in --gradient dfa"),
    "patience without validation": (GRID.replace("[grid]", "patience = 3\n[grid]"), "cell lr=0.1: --patience chooses by validation error"),
    "two cells of one name": (LIST + '[[cells]]\nname = "a"\nlr = 2\n', "two cells are called a: give one of them another name"),
    "labels that come to one name": (
        BASE + "[grid.net]\n'a/b' = { num_hidden = 1 }\na = { num_hidden = 2 }\n[grid.rule]\nc = { lr = 1 }\n'b/c' = { lr = 2 }\n",
        "two cells are called a/b/c",
    ),
    "two cells of one meaning": (RULES.replace('"dfa"', '"bp", lr = 1e-4'), "cells bp and dfa come to the same options: leave one out"),
    "an empty grid": (f"{BASE}[grid]\n", "[grid] is empty: give an option and its values"),
    "an axis without values": (GRID.replace("[0.1, 0.2]", "[]"), "[grid]: lr must be a list of values"),
    "an axis without labels": (f"{BASE}[grid.rule]\n", "[grid.rule] is empty: give a label with its options"),
    "a label without options": (f"{BASE}[grid.rule]\nbp = 1\n", "[grid.rule]: bp must be a table of options"),
    "a value that is repeated": (GRID.replace("0.2", "0.1"), "[grid]: lr has 0.1 twice: leave one out"),
    "an axis of tables": (f"{BASE}[grid]\nlr = [[1]]\n", "[grid]: lr holds a table or a list"),
    "two axes of one option": (f"{BASE}[grid]\nlr = [1]\n[grid.rule]\nbp = {{ gradient = 'bp', lr = 2 }}\n", "[grid]: lr and rule both set lr: leave it out of one of them"),
    "a grid and a list": (GRID + '[[cells]]\nname = "a"\n', "there is both [grid] and [[cells]]: give one of them"),
    "no cells": (BASE, "there is neither [grid] nor [[cells]]: give one of them"),
    "too many cells": (f"{BASE}[grid]\nlr = {list(range(1, 201))}\nbatch_size = {list(range(1, 101))}\n", "[grid] has 20,000 combinations"),
    "a cell without a name": (LIST.replace('name = "a"\n', ""), "cell 1 of [[cells]] needs a name"),
    "a name that is no text": (LIST.replace('"a"', "1"), "cell 1 of [[cells]]: its name must be a text in quotes"),
    "an empty label": (LIST.replace('"a"', '"a//b"'), "the label '' is empty"),
    "a label that cannot be shown": (LIST.replace('"a"', '"a\\u001b[2J"'), "the label 'a\\x1b[2J' is empty, or holds what cannot be shown"),
    "cells of several lengths": (LIST + '[[cells]]\nname = "b/c"\nlr = 2\n', "cell b/c has 2 labels, with slashes between, and a 1: give all cells as many"),
    "axes of a grid": (f"axes = ['lr']\n{GRID}", "axes is for [[cells]]: leave it out"),
    "too few axes": (f"axes = ['a', 'b']\n{LIST}", "axes must be a list of texts, one for each label of a cell"),
    "cells that are no tables": (f"cells = 3\n{BASE}", "[[cells]] must be a list of tables"),
    "no seeds": (f"seeds = 0\n{GRID}", "seeds = 0: a study has from 1 to 10,000"),
    "seeds of none": (f"seeds = []\n{GRID}", "seeds is []: write how many"),
    "seeds in words": (f"seeds = 'three'\n{GRID}", "seeds is 'three': write how many, as in seeds = 3"),
    "a truth value for seeds": (f"seeds = true\n{GRID}", "seeds is true: write how many"),
    "a seed below 0": (f"seeds = [0, -1]\n{GRID}", "seeds holds -1: a seed is a whole number of 0 or more"),
    "a seed that is repeated": (f"seeds = [1, 2, 1]\n{GRID}", "seeds has 1 twice: the two would be the same run"),
    "a seed in a cell": (f"{BASE}seed = 3\n[grid]\nlr = [1]\n", "[base]: seed is given by the study: leave it out, and name all of them in seeds = [...]"),
    "seeds as an axis": (f"{BASE}[grid]\nseed = [1, 2]\n", "[grid]: seed is given by the study"),
    "threads in a cell": (LIST + "threads = 2\n", "cell a: threads is of the machine, and no part of what is studied: leave it out, and give --threads to bdfa study run"),
    "a backend as an axis": (f"{BASE}[grid]\nbackend = ['numpy']\n", "[grid]: backend is of the machine"),
    "pictures in a cell": (f"{BASE}visualize = true\n[grid]\nlr = [1]\n", "[base]: visualize is of the machine, and no part of what is studied: leave it out"),
    "no end": (f"{BASE}epochs = -1\n[grid]\nlr = [1]\n", "[base]: epochs = -1 has no end, and a study's runs have one"),
    "a figure of no cell": (GRID + "[published]\n'lr=0.3' = 1.0\n", "[published] lr=0.3: there is no cell with the label lr=0.3, only lr=0.1, lr=0.2"),
    "a figure of several cells": (GRID + "nonlin = ['tanh', 'relu']\n[published]\n'lr=0.1' = 1.0\n", "[published] lr=0.1 is of several cells: write a table of their numbers"),
    "a figure in words": (GRID + "[published]\n'lr=0.1' = 'low'\n", "[published] lr=0.1: the published number is 'low': write a number of percent"),
    "a figure above 100": (GRID + "[published]\n'lr=0.1' = 101\n", "the published number is 101: write a number of percent, from 0 to 100"),
    "a deviation below 0": (GRID + "[published]\n'lr=0.1' = { mean = 1, sd = -1 }\n", "[published] lr=0.1: the published sd is -1"),
    "a figure without its mean": (GRID + "[published]\n'lr=0.1' = { sd = 1 }\n", "[published] lr=0.1: a published number needs its mean"),
    "a misspelt part of a figure": (GRID + "[published]\n'lr=0.1' = { mean = 1, std = 1 }\n", "unknown key 'std' of [published] lr=0.1. Did you mean 'sd'?"),
    "two figures of a cell": (LIST + "published = 1\n[published]\na = 2\n", "cell a has a published number here and in [published]: leave one out"),
    "an unknown figure": (f"report = ['lowest']\n{GRID}", "one of report is 'lowest': choose from 'last', 'best', 'test'"),
    "a report that is no list": (f"report = 'last'\n{GRID}", "report is 'last': write a list, as in report = ['last']"),
    "a figure reported twice": (f"report = ['last', 'last']\n{GRID}", "report names one twice: last, last"),
    "an unknown measure": (f"measure = 'loss'\n{GRID}", "measure is 'loss': choose from 'error', 'accuracy'"),
    "a title that is no text": (f"title = 3\n{GRID}", "title must be a text in quotes, not 3"),
    "notes that are no list": (f"notes = 'one'\n{GRID}", "notes is 'one': write a list of texts"),
    "a title that a terminal obeys": (f'title = "a\\u001b[2J"\n{GRID}', "title holds a character that cannot be shown"),
    "a base that is no table": ("base = 3\n[grid]\nlr = [1]\n", "[base] is 3: write a table, [base] and its keys below"),
    "damage": (GRID + "[grid", "is not a TOML file: "),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_one_line_says_where_and_what_is_wrong(what, tmp_path, monkeypatch):
    text, message = WRONG[what]
    monkeypatch.chdir(tmp_path)
    Path("sweep.toml").write_text(text)
    with pytest.raises(StudyError) as refused:
        load_study("sweep.toml")
    assert str(refused.value).startswith("sweep.toml: ")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_is_refused_with_the_study_that_was_run_in_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("studies").mkdir()
    with pytest.raises(StudyError, match=r"^studies is a folder, and a study is a TOML file: name a file such as st"):
        load_study("studies")
    Path("studies/study.toml").write_text(GRID)
    with pytest.raises(StudyError, match=r"the study that was run in it is studies/study\.toml$"):
        load_study("studies")


@pytest.mark.parametrize(("name", "meant"), [("luo-minst", "luo-mnist"), ("lou-mnist.toml", "luo-mnist")])
def test_a_name_that_is_near_a_published_one_is_asked_after(name, meant):
    with pytest.raises(
        StudyError, match=rf"^{name}: there is no such file, and no published study .*did you mean .*{meant}"
    ):
        load_study(name)


def test_a_file_named_without_its_ending_is_asked_after(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sweep.toml").write_text(GRID)
    with pytest.raises(StudyError, match=r"^sweep: there is no such file, .*did you mean sweep\.toml\?$"):
        load_study("sweep")


def test_of_a_name_that_is_near_nothing_the_list_is_named():
    with pytest.raises(StudyError, match="bdfa study list has the published ones"):
        load_study("qqqqqqq")


def test_a_link_to_nothing_and_what_cannot_be_read_are_said_as_such(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("gone.toml").symlink_to("nowhere")
    with pytest.raises(StudyError, match=r"^gone\.toml: cannot be read: No such file"):
        load_study("gone.toml")
