"""What is chosen, from which trials, and that a search goes on where it was; by formulas in place of training."""

from math import log10

import pytest

from bdfa_np.errors import RunError, StudyError
from bdfa_np.study.events import Watcher
from bdfa_np.study.search.choosing import check_unsearched, with_choices
from bdfa_np.study.search.lines import search_lines

LR = "lr = { low = 1e-5, high = 1e-1, log = true }\n"


def off_one_percent(options):
    """Return an error that is lowest at a rate of 0.01."""
    return abs(log10(options["lr"]) + 2) / 10


def table(lines="", space=LR):
    return f"[search]\ntrials = 6\n{lines}\n[search.space]\n{space}"


def test_the_trial_nearest_to_the_best_rate_is_chosen_in_each_cell(study, search):
    found = search(study(), off_one_percent)
    for cell in ("bp", "bdfa"):
        rates = [run.options["lr"] for run in found.engine.ran if run.cell == cell]
        assert len(rates) == 6
        assert found.chosen[cell]["lr"] == min(rates, key=lambda rate: abs(log10(rate) + 2))
    assert found.chosen["bp"]["lr"] != found.chosen["bdfa"]["lr"]
    assert found.failed == {}


def test_trials_hold_out_validation_images_though_the_study_does_not_and_are_never_tested(study, search):
    found = search(study(table("seed = 7")), off_one_percent)
    for run in found.engine.ran:
        assert run.options["validate"] is True
        assert run.final_test is False
        assert (run.seed, run.options["seed"], run.options["epochs"], run.whole_epochs) == (7, 7, 2, None)
    assert [run.folder for run in found.engine.ran[:2]] == ["search/bp/trial-0", "search/bp/trial-1"]
    assert "validate" not in found.chosen["bp"]
    held_out = "held out of the training images for the search alone"
    assert held_out in search_lines(study(table("seed = 7")), found.folder)[0]


def test_a_study_that_validates_is_searched_by_its_own_part_and_nothing_is_chosen_on_test_images(study, search):
    base = '[base]\ndataset = "mnist-5k"\n'
    cells = '[[cells]]\nname = "a"\nvalidate = 0.1\n[[cells]]\nname = "b"\non_test = true\nkeep_best = true\n'
    one = study("", base + "[search]\ntrials = 2\n[search.space]\nlr = [0.1, 0.2]\n" + cells)
    runs = search(one, off_one_percent).engine.ran
    assert [run.options["validate"] for run in runs] == [0.1, 0.1, True, True]
    assert not any("on_test" in run.options for run in runs)


def test_of_equal_trials_the_first_is_chosen(study, search):
    found = search(study(), lambda options: 0.5 + 0 * options["lr"])
    assert found.chosen["bp"]["lr"] == found.engine.ran[0].options["lr"]


def too_large_fails(options):
    if options["lr"] > 1e-2:
        raise ValueError("the loss is nan at step 3")
    return 1.0


def test_a_failed_trial_is_worse_than_any_error_is_listed_and_stops_nothing(study, search):
    found = search(study(), too_large_fails)
    rates = [run.options["lr"] for run in found.engine.ran if run.cell == "bp"]
    failed = sum(rate > 1e-2 for rate in rates)
    assert 0 < failed < 6
    assert found.chosen["bp"]["lr"] == next(rate for rate in rates if rate <= 1e-2)
    assert f"bp: 6 trials, {failed} failed; chosen: lr" in "\n".join(search_lines(study(), found.folder))
    text = (found.folder.path / "search" / "bp" / "chosen.toml").read_text()
    assert text.count("the loss is nan at step 3") == failed


def bp_fails(options):
    if options["gradient"] == "bp":
        raise ValueError("the loss is nan at step 3")
    return 0.1


def test_a_cell_of_which_all_trials_failed_is_named_and_the_others_go_on(study, search):
    found = search(study(), bp_fails)
    assert list(found.failed) == ["bp"]
    assert "all 6 trials of its search failed (trial 0: the loss is nan at step 3)" in found.failed["bp"]
    assert "lr" not in found.chosen["bp"]
    assert "lr" in found.chosen["bdfa"]
    assert "bp: 6 trials, all failed: nothing is chosen" in "\n".join(search_lines(study(), found.folder))
    again = search(study(), off_one_percent)
    assert {run.cell for run in again.engine.ran} == {"bp"}
    assert again.failed == {}


def test_a_search_that_is_done_is_not_made_again(study, search):
    first, second = search(study(), off_one_percent), search(study(), off_one_percent)
    assert second.engine.ran == []
    assert second.chosen == first.chosen
    assert with_choices(study(), first.folder).cells[0].options == first.chosen["bp"]


@pytest.mark.parametrize("stop_after", [0, 1, 5, 6, 11])
def test_a_search_that_was_stopped_comes_to_what_an_undisturbed_one_comes_to(study, search, stop_after):
    whole = search(study(), off_one_percent, "whole")
    with pytest.raises(KeyboardInterrupt):
        search(study(), off_one_percent, "s", stop_after=stop_after)
    assert "0 of 6 trials done, nothing is chosen yet" in "\n".join(
        search_lines(study(), whole.folder.__class__(whole.folder.path.with_name("s"), off_one_percent))
    )
    again = search(study(), off_one_percent)
    assert again.chosen == whole.chosen
    for cell in ("bp", "bdfa"):
        names = [f"search/{cell}/{name}.toml" for name in ("chosen", "search")]
        for name in names:
            assert (again.folder.path / name).read_bytes() == (whole.folder.path / name).read_bytes()


def test_more_trials_are_added_to_those_that_are_there(study, search):
    search(study(table()), off_one_percent)
    more = search(study(table().replace("6", "9")), off_one_percent)
    rates = [run.options["lr"] for run in more.engine.ran if run.cell == "bp"]
    assert len(rates) == 9  # of which the engine skips those that are finished
    assert more.chosen["bp"]["lr"] == min(rates, key=lambda rate: abs(log10(rate) + 2))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (table("seed = 1"), "seed 0, now 1"),
        (table("epochs = 1"), "epochs 2, now 1"),
        (table("", "lr = [0.1, 0.2]"), "lr {low 1e-05, high 0.1, log True}, now {choices [0.1, 0.2]}"),
        (table("", LR + "momentum = [0.5]"), "momentum 0, now {choices [0.5]}"),
        (table().replace("6", "2").replace("trials", "method = 'optuna'\ntrials"), "method random, now optuna"),
    ],
)
def test_a_changed_search_does_not_mix_with_trials_that_are_there(study, search, changed, said):
    search(study(table()), off_one_percent)
    with pytest.raises(StudyError) as caught:
        search(study(changed), off_one_percent)
    assert said in str(caught.value)
    assert "name another folder with --save, or put the setting back" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nor_does_a_changed_cell(study, search):
    search(study(table()), off_one_percent)
    with pytest.raises(StudyError, match="num_hidden 10, now 20"):
        search(study(table(), change=("num_hidden = 10", "num_hidden = 20")), off_one_percent)


def test_runs_that_were_trained_before_the_search_are_refused_before_it(study, search, tmp_path):
    from bdfa_np.study.laboratory import planned

    one, folder = study(), search(study(), off_one_percent, "other").folder
    fresh = folder.__class__(tmp_path / "s", off_one_percent)
    runs = planned(one)
    check_unsearched(one, fresh, runs)
    fresh.run(runs[0]).mkdir(parents=True)
    (fresh.run(runs[0]) / "config.toml").write_text("")
    (fresh.run(runs[0]) / "checkpoint.h5").write_text("")
    with pytest.raises(RunError, match="was trained before its cell was searched with 6 trials"):
        check_unsearched(one, fresh, runs)


def test_cells_that_agree_in_an_axis_share_the_search_of_the_first(study, search):
    width = "[grid.width]\na = { num_layers = 1 }\nb = { num_layers = 2 }\n"
    found = search(study(width + table("per = ['rule']")), off_one_percent)
    assert {run.cell for run in found.engine.ran} == {"bp/a", "bdfa/a"}
    assert found.chosen["bp/a"]["lr"] == found.chosen["bp/b"]["lr"]
    assert found.chosen["bp/a"]["num_layers"] != found.chosen["bp/b"]["num_layers"]
    assert any(
        line.startswith("  bp/a, bp/b: 6 trials")
        for line in search_lines(study(width + table("per = ['rule']")), found.folder)
    )


def test_with_a_cell_that_shares_one_the_search_is_still_made_on_the_first(study, search):
    width = "[grid.width]\na = { num_layers = 1 }\nb = { num_layers = 2 }\n"
    found = search(study(width + table("per = ['rule']")), off_one_percent, cells=["bp/b"])
    assert {run.cell for run in found.engine.ran} == {"bp/a"}
    assert "lr" in found.chosen["bp/b"]


def test_what_has_no_part_in_a_cell_is_not_searched_there_and_that_is_said(study, search):
    one = study(table("", LR + "feedback_lr = [1e-3, 1e-4]"))
    found = search(one, off_one_percent)
    assert all(("feedback_lr" in run.options) == (run.cell == "bdfa") for run in found.engine.ran)
    lines = search_lines(one, found.folder)
    assert any(
        line.startswith("  bp: ") and line.endswith("without feedback_lr, which has no part there") for line in lines
    )
    assert "note: each got the same number of trials, for spaces of different numbers of options" in lines


def test_only_says_where_an_option_is_searched(study, search):
    only = "momentum = { choices = [0.1, 0.9], only = { gradient = ['bdfa'] } }"
    found = search(study(table("", LR + only)), off_one_percent)
    assert all(("momentum" in run.options) == (run.cell == "bdfa") for run in found.engine.ran)


def test_a_shortened_study_has_a_search_of_its_own(study, search):
    short = search(study(table()), off_one_percent, epochs=1)
    run = short.engine.ran[0]
    assert (run.folder, run.options["epochs"], run.whole_epochs) == ("search/bp/trial-0_epochs-1", 1, 2)
    whole = search(study(table()), off_one_percent)
    assert len(whole.engine.ran) == 12
    assert "of 1 of 2 epochs" in search_lines(study(table()), short.folder, epochs=1)[0]


def test_trials_that_are_short_already_are_those_of_the_whole_study(study, search):
    search(study(table("epochs = 1")), off_one_percent, epochs=1)
    assert search(study(table("epochs = 1")), off_one_percent).engine.ran == []


def test_a_grid_says_that_cells_got_different_numbers_of_trials(study, search):
    one = study("[search]\nmethod = 'grid'\n[search.space]\nlr = [0.1, 0.01]\nfeedback_lr = [1e-3, 1e-4]\n")
    found = search(one, off_one_percent)
    assert [len([run for run in found.engine.ran if run.cell == cell]) for cell in ("bp", "bdfa")] == [2, 4]
    assert found.chosen["bp"]["lr"] == 0.01
    assert any("different numbers of trials" in line for line in search_lines(one, found.folder))


def test_a_damaged_choice_is_told_in_one_line(study, search):
    found = search(study(), off_one_percent)
    path = found.folder.path / "search" / "bp" / "chosen.toml"
    path.write_text("trials = 6\n")
    with pytest.raises(RunError, match=r"chosen.toml is damaged: remove it"):
        search(study(), off_one_percent)


def test_a_watcher_hears_which_trials_there_will_be(study, search):
    class Heard(Watcher):
        planned, notes = (), ()

        def plans(self, runs, states):
            self.planned = [(run.folder, states[run.folder]) for run in runs]

        def note(self, text):
            self.notes += (text,)

    heard = Heard()
    search(study(), off_one_percent, watcher=heard)
    assert heard.planned[0] == ("search/bp/trial-0", "missing")
    assert len(heard.planned) == 12
    assert heard.notes == ("search: 12 trials in 2 searches, then the runs of the study",)


def test_a_study_without_a_search_is_as_it_was(study, search):
    found = search(study(""), off_one_percent)
    assert found.engine.ran == []
    assert found.chosen["bp"] == study("").cells[0].options
    assert search_lines(study(""), found.folder) == []
