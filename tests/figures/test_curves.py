"""Error curves: what lines, bands, marks and texts say, and that none is cut or upon another."""

from itertools import pairwise

import numpy as np
import pytest

from bdfa_np.errors import ConfigError


def line(axes, label):
    [found] = [one for one in axes.lines if one.get_label() == label]
    return found


def entries(axes):
    return [text.get_text() for text in axes.figure.legends[0].get_texts()]


def title(axes):
    return axes.figure.get_suptitle().replace("\N{NO-BREAK SPACE}", " ").replace("\n", " ")


def test_lines_are_the_errors_in_percent_the_training_one_hollow(figures, subject, run):
    from bdfa_np.figures.views import Subject

    axes = figures.curves(Subject("dfa", (run([20.0, 12.0, 13.0], [30.0, 10.0, 5.0]),)))
    tested, training = line(axes, "dfa, test"), line(axes, "dfa, training")
    np.testing.assert_allclose(tested.get_xydata(), [[1, 20], [2, 12], [3, 13]])
    np.testing.assert_allclose(training.get_ydata(), [30, 10, 5])
    assert training.get_markerfacecolor() == "white"
    assert entries(axes) == ["test", "training", "lowest: 12.00 % at epoch 2"]
    [star] = [one for one in axes.lines if one.get_marker() == "*"]
    np.testing.assert_allclose(star.get_xydata(), [[2, 12]])
    assert axes.get_ylim()[0] == 0


def test_seeds_are_a_mean_with_a_band_that_is_named(figures, subject):
    axes = figures.curves(subject("dfa", [20.0, 10.0], [30.0, 12.0], [25.0, 17.0]))
    np.testing.assert_allclose(line(axes, "dfa, test").get_ydata(), [25, 13])
    low_and_high = axes.collections[0].get_paths()[0].vertices
    assert {tuple(one) for one in low_and_high} >= {(1, 20), (1, 30), (2, 10), (2, 17)}
    assert "range of the seeds" in entries(axes)
    assert title(axes).endswith("3 seeds")


def test_a_band_may_be_a_standard_deviation(figures, subject):
    axes = figures.curves(subject("dfa", [20.0, 10.0], [30.0, 12.0]), spread="sd")
    deviation = np.std([10, 12], ddof=1)
    low_and_high = {tuple(np.round(one, 9)) for one in axes.collections[0].get_paths()[0].vertices}
    assert low_and_high >= {(2, round(11 - deviation, 9)), (2, round(11 + deviation, 9))}
    assert "± sd of the seeds" in entries(axes)
    with pytest.raises(ConfigError, match="choose from 'range', 'sd'"):
        figures.curves(subject("dfa", [20.0]), spread="quartiles")


def test_a_seed_that_ended_early_counts_as_far_as_it_goes(figures, run):
    from bdfa_np.figures.views import Subject

    short = run([30.0], seed=1, epochs=3, finished=False)
    axes = figures.curves(Subject("dfa", (run([20.0, 10.0, 8.0]), short)))
    np.testing.assert_allclose(line(axes, "dfa, test").get_ydata(), [25, 10, 8])
    assert "1 of 2 seeds not finished" in title(axes)


def test_a_run_that_diverged_says_how_far_it_came(figures, run):
    from bdfa_np.figures.views import Subject

    axes = figures.curves(Subject("dfa", (run([20.0, 90.0], epochs=9, finished=False),)))
    assert title(axes).endswith("2 of 9 epochs")
    several = figures.curves(Subject("a", (run([20.0, 90.0], epochs=9, finished=False),)), Subject("b", (run([5.0]),)))
    assert "a (2 of 9 epochs)" in entries(several)


def test_an_error_that_is_no_number_is_left_out(figures, subject):
    axes = figures.curves(subject("dfa", [20.0, float("nan"), 10.0]))
    assert np.isnan(line(axes, "dfa, test").get_ydata()[1])
    assert "lowest: 10.00 % at epoch 3" in entries(axes)


def test_validation_is_called_so_and_a_mixture_is_told_apart(figures, subject):
    held_out, tested = subject("a", [20.0, 10.0], validate=True), subject("b", [20.0, 10.0])
    assert entries(figures.curves(held_out))[0] == "validation"
    axes = figures.curves(held_out, tested)
    assert entries(axes)[:2] == ["a, validation", "b, test"]
    four = figures.curves([subject(name, [20.0, 10.0], validate=True) for name in "abcd"])
    assert four.get_ylabel() == "validation error, %"


@pytest.mark.parametrize(
    ("errors", "scale"),
    [
        ([30, 6, 5, 4, 3, 2], "log"),
        ([12, 9, 8, 7, 6, 6], "linear"),
        ([90], "linear"),
        ([30, 6, 5, 4, 3, 0], "symlog"),
        ([0, 0, 0], "linear"),
    ],
)
def test_the_axis_is_logarithmic_where_the_first_epoch_would_squash_the_rest(figures, subject, errors, scale):
    axes = figures.curves(subject("dfa", [float(one) for one in errors]))
    assert axes.get_yscale() == scale
    axes.figure.draw_without_rendering()
    assert all("$" not in text.get_text() for text in axes.get_yticklabels())


def test_the_axis_may_be_chosen(figures, subject):
    assert figures.curves(subject("dfa", [30.0, 3.0, 2.0, 2.0]), log=False).get_yscale() == "linear"
    assert figures.curves(subject("dfa", [12.0, 11.0]), log=True).get_yscale() == "log"


def test_a_published_error_is_a_level_line_that_is_named_and_in_sight(figures, subject):
    axes = figures.curves(subject("dfa", [20.0, 10.0, 9.0]), published=1.05, log=True)
    level = line(axes, "published, 1.05")
    assert set(level.get_ydata()) == {1.05}
    assert entries(axes)[-1] == "published, 1.05"
    low, high = axes.get_ylim()
    assert low < 1.05 < high


def test_a_lone_epoch_has_the_middle_and_no_best(figures, subject):
    axes = figures.curves(subject("dfa", [30.0]))
    assert (list(axes.get_xticks()), axes.get_xlim()) == ([1], (0.5, 1.5))
    assert all(one.get_marker() != "*" for one in axes.lines)


def test_of_many_epochs_some_have_a_marker(figures, subject):
    axes = figures.curves(subject("dfa", list(np.linspace(20, 2, 300))))
    start, step = line(axes, "dfa, test").get_markevery()
    assert start < step
    assert 300 / step <= 12


def test_training_errors_of_many_subjects_would_hide_the_others(figures, subject):
    few, many = ([subject(str(one), [20.0, 10.0]) for one in range(count)] for count in (3, 4))
    assert "training" in entries(figures.curves(few))
    assert "training" not in entries(figures.curves(many))
    assert "training" in entries(figures.curves(many, training=True))


def test_subjects_differ_in_marker_and_dash_beside_colour(figures):
    from bdfa_np.figures.style import STYLES

    assert len({(one.marker, str(one.dash)) for one in STYLES[:55]}) == 55
    for before, after in pairwise(STYLES):
        assert before.marker != after.marker
        assert before.dash != after.dash
        assert before.colour != after.colour


def test_the_title_has_what_all_have_in_common(figures, subject):
    first, second = subject("a", [20.0], gradient="bp", num_hidden=30), subject("b", [20.0], num_hidden=30)
    assert title(figures.curves(first, second)) == "mnist, mlp, num_hidden 30"
    assert title(figures.curves(first)) == "mnist, mlp, bp, num_hidden 30, seed 0"


def test_the_title_names_a_flag_alone_and_nothing_that_alters_no_learning(figures, subject):
    kept = subject("dfa", [20.0, 10.0], validate=True, keep_best=True, track="all", network="mlp")
    assert title(figures.curves(kept)) == "mnist, mlp, dfa, validate, seed 0"


def test_axes_of_somebody_elses_are_drawn_in_and_left_otherwise(figures, subject):
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    before = dict(rcParams)
    whole = Figure()
    axes, beside = whole.subplots(1, 2)
    assert figures.curves(subject("dfa", [20.0, 10.0]), axes=axes) is axes
    assert axes.get_legend() is not None
    assert not whole.legends
    assert not beside.lines
    assert dict(rcParams) == before


def test_a_dollar_is_a_dollar(figures, subject):
    axes = figures.curves(subject(r"a $\frac{", [20.0, 10.0]), subject("b", [20.0, 10.0]))
    axes.figure.draw_without_rendering()
    assert r"a $\frac{" in entries(axes)


@pytest.mark.parametrize(("count", "width"), [(4, 2.5), pytest.param(1, 7, marks=pytest.mark.slow), (16, 3.5)])
def test_nothing_is_cut_or_upon_another(figures, subject, check_layout, count, width):
    name = "a rather long name of a cell, of which there is one more "
    errors = [30.0, 5.0, 4.0, 3.0], [29.0, 6.0, 4.0, 2.0]
    many = [subject(f"{name if one == 3 else ''}{one}", *errors) for one in range(count)]
    check_layout(figures.curves(many, width=width).figure)
