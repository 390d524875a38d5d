"""What a template sees of cells: samples over seeds, against SciPy and figures worked by hand."""

import math

import pytest
from scipy import stats

from bdfa_np.errors import ConfigError
from bdfa_np.report.markdown.cells import Sample, cells_of, fitting, mean_of, recovery
from bdfa_np.report.markdown.raw import RawTables


@pytest.fixture
def cell(tables):
    found = {one.name: one for one in cells_of(tables)}
    return found.__getitem__


def test_a_sample_has_the_mean_and_the_deviation_of_its_runs(cell):
    last = cell("small/bp").last
    assert (last.n, last.mean, last.lowest, last.highest) == (2, 3.0, 2.0, 4.0)
    assert last.sd == pytest.approx(math.sqrt(2))  # of 2 and 4, divided by n - 1
    assert last.values == [2.0, 4.0]


def test_a_sample_of_one_run_has_no_deviation_and_one_of_none_no_mean(cell):
    one, none = cell("large/frozen").last, Sample([])
    assert (one.n, one.mean, one.sd, one.interval) == (1, 5.0, None, None)
    assert (none.n, none.mean, none.sd, none.lowest, none.highest, none.interval) == (0, None, None, None, None, None)
    assert one.welch(cell("small/bp").last) is None
    assert none.less(one) is one.less(none) is one.less(None) is None
    assert one.covers(5.0) is none.covers(5.0) is None


def test_intervals_and_tests_are_those_of_scipy():
    first, second = [2.1, 2.4, 1.9, 2.6], [3.0, 2.8, 3.3]
    ends = stats.t.interval(0.95, 3, loc=sum(first) / 4, scale=stats.sem(first))
    assert Sample(first).interval == pytest.approx(ends)
    assert Sample(first).welch(Sample(second)) == pytest.approx(stats.ttest_ind(first, second, equal_var=False).pvalue)


def test_there_is_no_test_between_samples_without_any_spread(cell):
    assert cell("large/bp").last.welch(cell("large/dfa").last) is None
    assert cell("large/bp").last.welch(cell("small/dfa").last) is not None


def test_what_was_published_is_covered_within_two_deviations(cell):
    bp = cell("small/bp")
    assert (bp.published, bp.published_sd) == (4.25, 0.5)
    assert bp.last.less(bp.published) == -1.25
    assert bp.last.covers(bp.published) is True  # 3 + 2 sqrt(2) is 5.83
    assert (bp.last.covers(5.82), bp.last.covers(5.84), bp.last.covers(None)) == (True, False, None)
    assert cell("small/dfa").published is None


def test_recovery_is_the_share_of_what_back_propagation_gains(cell):
    bp, dfa, frozen = (cell(f"small/{rule}").last for rule in ("bp", "dfa", "frozen"))
    assert recovery(dfa, bp, frozen) == pytest.approx((13 - 4.5) / (13 - 3))
    assert (recovery(bp, bp, frozen), recovery(frozen, bp, frozen)) == (1, 0)
    large = [cell(f"large/{rule}").last for rule in ("dfa", "bp", "frozen")]
    assert recovery(*large) is None  # both 5: nothing is gained
    assert recovery(Sample([]), bp, frozen) is recovery(dfa, bp, Sample([])) is None
    of_accuracy = [Sample([100 - value for value in one.values]) for one in (dfa, bp, frozen)]
    assert recovery(*of_accuracy) == pytest.approx(0.85)


def test_a_mean_of_samples_is_that_of_their_means(cell):
    assert mean_of([cell("small/bp").last, cell("large/frozen").last, Sample([])]) == 4.0
    assert mean_of([Sample([])]) is mean_of([]) is None


def test_cells_are_chosen_by_name_or_by_label(tables):
    cells = cells_of(tables)

    def names(*patterns):
        return [cell.name for cell in fitting(cells, patterns)]

    assert len(names()) == 6
    assert names("small") == ["small/bp", "small/dfa", "small/frozen"]
    assert names("*/bp") == names("bp") == ["small/bp", "large/bp"]
    assert names("frozen", "large/b*") == ["small/frozen", "large/bp", "large/frozen"]
    with pytest.raises(ConfigError, match="no cell fits 'medium': there are small/bp, "):
        names("small", "medium")


def test_a_label_with_the_signs_of_a_pattern_is_chosen_by_itself():
    runs = [{"cell": "lr=[1]", "seed": 0, "state": "missing", "epochs": 0, "planned_epochs": 1}]
    cells = [{"study": "s", "cell": "lr=[1]", "seeds": 1, "axis.cell": "lr=[1]"}]
    found = cells_of(RawTables.of(cells=cells, runs=runs, epochs=[], layers=[]))
    assert fitting(found, ["lr=[1]"]) == found


def test_errors_after_an_epoch_are_those_of_the_runs_that_have_it(cell):
    bp = cell("small/bp")
    assert (bp.after(1).values, bp.after(2).values) == ([3.0, 5.0], [2.0, 4.0])
    assert bp.after(3).n == 0
    assert cell("large/frozen").after(1).values == [6.0]
    bp._epochs[:] = [row for row in bp._epochs if row["epoch"] != "1"]
    with pytest.raises(ConfigError, match="small/bp has no row of epoch 1: there are 2"):
        bp.after(1)


def test_what_was_measured_of_a_layer_is_that_of_its_last_epoch_unless_another_is_named(cell):
    dfa = cell("small/dfa")
    assert dfa.layers == ["linear1", "linear2"]
    assert dfa.measured("angle", "linear1").values == [62.0, 63.0]
    assert dfa.measured("angle", "linear1", 0).values == dfa.measured("angle", "linear1", 0.0).values == [60.0, 61.0]
    assert dfa.measured("angle", "linear2").n == 0  # which the quantity has no part in
    assert cell("small/bp").measured("anything", "linear9").n == 0  # of which nothing was measured
    for arguments, message in {
        ("angel", "linear1"): "of small/dfa the quantity angel was not measured: there are angle",
        ("angle", "linear9"): "of small/dfa the layer linear9 was not measured: there are linear1, linear2",
        ("angle", "linear1", 1): "of small/dfa the epoch 1 was not measured: there are 0.0, 2.0",
    }.items():
        with pytest.raises(ConfigError, match=message):
            dfa.measured(*arguments)


def test_a_run_that_ended_earlier_counts_with_its_own_last_measurement(cell):
    dfa = cell("small/dfa")
    dfa._layers[:] = [row for row in dfa._layers if (row["seed"], row["epoch"]) != ("1", "2.0")]
    assert dfa.measured("angle", "linear1").values == [62.0, 61.0]


def test_only_finished_runs_count_in_figures_and_in_what_was_measured(cell):
    dfa = cell("small/dfa")
    dfa.runs[1]["state"] = "unfinished"
    assert (dfa.last.values, dfa.measured("angle", "linear1").values) == ([3.0], [62.0])
    assert (len(dfa.finished), dfa.is_whole, cell("small/bp").is_whole) == (1, False, True)
    assert dfa.after(2).n == 2


def test_a_cell_has_its_labels_by_axis_and_says_what_it_has_not(cell):
    bp = cell("small/bp")
    assert (bp["net"], bp["rule"], bp.labels) == ("small", "bp", {"net": "small", "rule": "bp"})
    with pytest.raises(ConfigError, match="a cell has no lst: its labels are on net, rule, its figures last, best, "):
        bp["lst"]
    with pytest.raises(AttributeError, match="a cell has no lst"):
        getattr(bp, "l" + "st")
