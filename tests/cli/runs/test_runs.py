"""``bdfa runs``: several runs in a table."""

from pathlib import Path


def test_runs_are_listed_with_what_differs_and_damaged_ones_with_a_word(bdfa):
    bdfa.train("runs/a", "--epochs", 2, "--seed", 1)
    bdfa.train("runs/b", "--epochs", 1, "--seed", 2, "--validate")
    bdfa.train("runs/c", "--epochs", 1)
    Path("runs/c/config.toml").write_text("[[[")
    Path("runs/notes").mkdir()
    outcome = bdfa("runs")
    assert (outcome.code, outcome.err) == (0, "")
    head, a, b, c = outcome.out.splitlines()
    assert head.split() == ["run", "validate", "seed", "epochs", "last", "lowest", "after", "of", "state"]
    assert a.split()[:4] == ["a", "False", "1", "2/2"]
    assert a.split()[-2:] == ["test", "done"]
    assert b.split()[:4] == ["b", "True", "2", "1/1"]
    assert b.split()[-2:] == ["validation", "done"]
    assert c.split() == ["c", "damaged"]


def test_a_folder_without_runs_is_refused(bdfa):
    assert "there is no folder runs" in bdfa.refused("runs")
    Path("runs").mkdir()
    assert "there are no runs in runs" in bdfa.refused("runs")


def test_evaluating_a_folder_of_runs_says_which_there_are(bdfa):
    bdfa.train("runs/a", "--epochs", 1)
    assert bdfa.refused("evaluate", "runs").endswith(
        "runs holds runs, not one (a): name one, as in bdfa evaluate runs/a"
    )
