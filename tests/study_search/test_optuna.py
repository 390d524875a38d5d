"""A search by Optuna: seeded, resumed after a kill at any write of its journal, nothing lost and nothing doubled."""

import json
from itertools import product
from math import log10

import pytest

from bdfa_np.errors import RunError, StudyError

optuna = pytest.importorskip("optuna", reason="method = 'optuna' needs the extra search")

CELL = """
[base]
dataset = "mnist-5k"
optimization = "sgd"
epochs = 2
[[cells]]
name = "bp"
gradient = "bp"
"""


def table(trials=12, lines=""):
    space = "[search.space]\nlr = {low = 1e-5, high = 0.1, log = true}\nmomentum = [0.0, 0.9]\n"
    space += "batch_size = {low = 8, high = 64}\n"
    return f"[search]\nmethod = 'optuna'\ntrials = {trials}\n{lines}\n{space}"


def formula(options):
    """Return an error that is lowest at a rate of 0.01 without momentum; large rates fail."""
    if options["lr"] > 0.05:
        raise ValueError("the loss is nan at step 3")
    return abs(log10(options["lr"]) + 2) / 10 + options["momentum"] / 10


def chosen(found):
    return (found.folder.path / "search" / "bp" / "chosen.toml").read_text()


@pytest.fixture
def one(study):
    return lambda *given: study(table(*given), CELL)


@pytest.fixture
def whole(one, search):
    return search(one(), formula, "whole")


def test_trials_are_asked_for_one_after_another_and_the_best_is_chosen(whole):
    assert whole.engine.batches == [[f"search/bp/trial-{number}"] for number in range(12)]
    errors = {run.options["lr"]: formula(run.options) for run in whole.engine.ran if run.options["lr"] <= 0.05}
    assert whole.chosen["bp"]["lr"] == min(errors, key=errors.get)


@pytest.mark.slow
def test_it_asks_nearer_to_the_best_rate_than_a_random_search_does(one, search):
    rates = [run.options["lr"] for run in search(one(40), formula).engine.ran]
    first, last = ([abs(log10(rate) + 2) for rate in part] for part in (rates[:10], rates[-10:]))
    assert sum(last) < sum(first)


def test_the_same_seed_asks_for_the_same_trials(one, search, whole):
    again = search(one(), formula, "again")
    assert [run.options for run in again.engine.ran] == [run.options for run in whole.engine.ran]
    other = search(one(12, "seed = 1"), formula, "other")
    assert other.engine.ran[0].options["lr"] != whole.engine.ran[0].options["lr"]


def test_what_is_asked_for_at_once_is_a_setting_and_hangs_on_no_number_of_workers(one, search):
    found = search(one(12, "at_once = 5"), formula)
    assert [len(batch) for batch in found.engine.batches] == [5, 5, 2]
    rates = [run.options["lr"] for run in found.engine.ran]
    assert len(set(rates)) == 12


@pytest.mark.parametrize("stop_after", [0, 11])
def test_a_trial_that_was_asked_for_and_not_told_is_made_after_a_restart(one, search, whole, stop_after):
    with pytest.raises(KeyboardInterrupt):
        search(one(), formula, stop_after=stop_after)
    again = search(one(), formula)
    assert again.engine.ran[0].folder == f"search/bp/trial-{stop_after}"
    assert again.engine.ran[0].options == whole.engine.ran[stop_after].options
    assert chosen(again) == chosen(whole)


class KilledError(BaseException):
    """In place of kill -9: nothing of the program handles it."""


def kill_at_write(monkeypatch, number, *, torn):
    """Let the journal's writes end at one of them, which leaves nothing or half a line."""
    from optuna.storages.journal import JournalFileBackend

    append, count = JournalFileBackend.append_logs, iter(range(10_000))

    def appended(self, logs):
        if next(count) != number:
            return append(self, logs)
        if torn:
            with open(self._file_path, "a") as file:
                file.write(json.dumps(logs[0])[:20])
        open(f"{self._file_path}.lock", "x").close()  # which a killed process holds for ever
        raise KilledError

    monkeypatch.setattr(JournalFileBackend, "append_logs", appended)


def writes(found):
    return len((found.folder.path / "search" / "bp" / "optuna.journal").read_text().splitlines())


@pytest.mark.parametrize(
    ("before_the_end", "torn"),
    [
        (1, True),
        (4, False),
        (5, True),
        *(pytest.param(*one, marks=pytest.mark.slow) for one in product((1, 2, 3, 4, 5, 6, 8, 10), (False, True))),
    ],
)
def test_a_kill_at_a_write_of_the_journal_changes_nothing(one, search, whole, monkeypatch, before_the_end, torn):
    with monkeypatch.context() as patched:
        kill_at_write(patched, writes(whole) - before_the_end, torn=torn)
        with pytest.raises(KilledError):
            search(one(), formula)
    again = search(one(), formula)
    assert chosen(again) == chosen(whole)
    assert len(again.engine.ran) <= 2


def test_a_kill_before_anything_is_asked_for_changes_nothing(one, search, whole, monkeypatch):
    for number in (0, 3):
        with monkeypatch.context() as patched:
            kill_at_write(patched, number, torn=True)
            with pytest.raises(KilledError):
                search(one(), formula)
    assert chosen(search(one(), formula)) == chosen(whole)


def test_a_failed_trial_is_told_as_the_worst_and_listed(one, search, whole):
    failed = [run for run in whole.engine.ran if run.options["lr"] > 0.05]
    assert failed
    assert chosen(whole).count("the loss is nan at step 3") == len(failed)


def test_more_trials_go_on_after_those_that_are_there(one, search, whole):
    search(one(11), formula)
    more = search(one(12), formula)
    assert [run.folder for run in more.engine.ran] == ["search/bp/trial-11"]
    assert chosen(more) == chosen(whole)


def test_without_optuna_nothing_is_trained_and_the_extra_is_named(one, search, monkeypatch):
    monkeypatch.setattr("bdfa_np.study.search.choosing.find_spec", {}.get)
    with pytest.raises(StudyError, match=r"needs Optuna: pip install .*\[search\]"):
        search(one(), formula)


def test_a_damaged_journal_is_told_in_one_line(one, search):
    with pytest.raises(KeyboardInterrupt):
        search(one(), formula, stop_after=3)
    path = next(iter(search(one(2), formula).folder.path.rglob("*.journal")))
    path.write_text("nonsense\n" + path.read_text())
    with pytest.raises(RunError, match="is damaged or of another version of Optuna"):
        search(one(), formula)


def test_what_optuna_says_is_left_as_loud_as_it_was(one, search, capfd):
    before = optuna.logging.get_verbosity()
    search(one(2), formula)
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr().err == ""
