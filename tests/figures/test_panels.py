"""What was measured, by layer over time: angles, norms and ranks."""

from itertools import pairwise

import numpy as np
import pytest

from bdfa_np.errors import ConfigError, RunError


def drawn_in(axes, label):
    return next(one for one in axes.lines if one.get_label() == label)


def entries(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_line_a_layer_over_the_epochs_with_a_line_at_90_degrees(figures, tracked, measured):
    [axes] = figures.angles(tracked("dfa", measured())).axes
    np.testing.assert_allclose(drawn_in(axes, "linear2").get_xydata(), [[0, 2], [1, 12], [2, 22], [3, 32]])
    assert any(list(one.get_ydata()) == [90, 90] for one in axes.lines)
    assert entries(axes.figure) == ["linear1", "linear2", "linear3", "90°"]
    assert axes.get_ylim()[1] > 90


def test_angles_above_90_are_within(figures, tracked, measured):
    found = measured()
    found.values["signal_angle"][:] = 179
    [axes] = figures.angles(tracked("dfa", found)).axes
    assert axes.get_ylim()[1] > 179


def test_meaningless_angles_are_hollow_and_said_to_be(figures, tracked, measured):
    found = measured()
    found.values["meaningful"][0, 0] = 0
    [axes] = figures.angles(tracked("dfa", found)).axes
    line = drawn_in(axes, "linear1")
    np.testing.assert_allclose(line.get_ydata(), [np.nan, 11, 21, 31])
    [hollow] = [one for one in axes.lines if one.get_linestyle() == "None" and np.isfinite(one.get_ydata()).any()]
    np.testing.assert_allclose(hollow.get_ydata(), [1, np.nan, np.nan, np.nan])
    assert hollow.get_markerfacecolor() == "none"
    assert entries(axes.figure)[-1] == "exact gradient below the floor"


def test_the_legend_says_which_layers_have_no_angle(figures, tracked, measured):
    found = measured()
    found.values["signal_angle"][:, :2] = np.nan
    [axes] = figures.angles(tracked("dfa", found)).axes
    assert entries(axes.figure) == ["linear1: no angle", "linear2: no angle", "linear3", "90°"]
    [first, _] = figures.angles(tracked("dfa", found), tracked("bp", measured())).axes
    assert entries(first.figure)[:3] == ["linear1", "linear2", "linear3"]


def test_seeds_are_a_mean_with_a_band(figures, tracked, measured):
    first, second = measured(), measured(times=3)
    second.values["signal_angle"] += 4
    [axes] = figures.angles(tracked("dfa", first, second)).axes
    np.testing.assert_allclose(drawn_in(axes, "linear1").get_ydata(), [3, 13, 23])  # as far as both go
    assert {(2, 21), (2, 25)} <= {tuple(one) for one in axes.collections[0].get_paths()[0].vertices}


def test_subjects_have_a_panel_each_and_one_scale(figures, tracked, measured):
    other = measured()
    other.values["signal_rank"] *= 5
    figure = figures.rank(tracked("bp", measured()), tracked("dfa", other))
    [bp, dfa, bp_h, _] = figure.axes
    assert [one.get_title() for one in (bp, dfa)] == ["bp", "dfa"]
    assert [one.get_ylabel() for one in (bp, bp_h)] == ["effective rank of δ", "effective rank of h"]
    assert bp.get_ylim() == dfa.get_ylim()
    assert dfa.get_ylim()[1] > 5 * 33


def test_norms_have_a_panel_a_quantity_and_one_that_is_nowhere_has_none(figures, tracked, measured):
    found = measured()
    found.values["feedback_norm"][:] = np.nan
    titles = [one.get_title().replace("\n", " ") for one in figures.norms(tracked("bp", found)).axes]
    assert titles == [
        "norm of h, mean over images",
        "norm of δ, mean over images",
        "norm of W",
        "norm of a step's update over the norm of W",
    ]


def test_norms_from_0_on_are_no_logarithms(figures, tracked, measured):
    found = measured()
    found.values["weight_norm"][0] = 0
    scales = {one.get_title(): one.get_yscale() for one in figures.norms(tracked("bp", found)).axes}
    assert (scales["norm of W"], scales["norm of B"]) == ("linear", "log")


def test_norms_of_a_run_that_diverged_leave_the_others_to_be_seen(figures, tracked, measured):
    found = measured()
    found.values["weight_norm"][:, 0] = 0
    found.values["weight_norm"][-1, 2] = 1e18
    axes = next(one for one in figures.norms(tracked("bp", found)).axes if one.get_title() == "norm of W")
    places = axes.transAxes.inverted().transform(axes.transData.transform([(0, one) for one in (0, 2, 1e9, 1e18)]))
    assert np.diff(places[:, 1]).min() > 0.08
    assert [one.get_text() for one in axes.get_yticklabels()] == ["0", "10", "100000", "1e+09", "1e+13", "1e+17"]


def test_a_band_of_norms_is_within_the_axes(figures, tracked, measured):
    low, high = measured(), measured()
    low.values["weight_norm"] /= 100
    axes = next(one for one in figures.norms(tracked("bp", low, high)).axes if one.get_title() == "norm of W")
    assert axes.get_ylim()[0] < 0.01


def test_one_quantity_may_be_asked_for(figures, tracked, measured):
    [axes] = figures.norms(tracked("bp", measured()), quantity="dead").axes
    assert drawn_in(axes, "linear3").get_ydata()[2] == pytest.approx(0.23)
    assert axes.get_ylim()[1] > 1
    assert "dead units" in axes.figure.get_suptitle()
    with pytest.raises(ConfigError, match="there is no quantity 'norm'"):
        figures.norms(tracked("bp", measured()), quantity="norm")


def test_layers_of_nets_that_differ_are_told_by_their_names(figures, tracked, measured):
    figure = figures.angles(
        tracked("a", measured(("conv1", "linear1"))), tracked("b", measured(("linear1", "linear2")))
    )
    assert entries(figure) == ["conv1", "linear1", "linear2", "90°"]
    first, second = (drawn_in(axes, "linear1") for axes in figure.axes)
    assert (first.get_color(), first.get_marker()) == (second.get_color(), second.get_marker())


def test_many_layers_go_from_light_to_dark(figures, tracked, measured):
    from matplotlib.colors import to_rgb

    names = [f"linear{number}" for number in range(1, 21)]
    [axes] = figures.angles(tracked("dfa", measured(names))).axes
    light = [np.dot(to_rgb(drawn_in(axes, name).get_color()), [0.2126, 0.7152, 0.0722]) for name in names]
    assert all(before > after for before, after in pairwise(light))


@pytest.mark.parametrize(("kind", "track"), [("angles", "alignment"), ("norms", "all"), ("rank", "rank")])
def test_a_run_that_was_not_tracked_says_how_to(figures, subject, kind, track):
    with pytest.raises(RunError, match=rf"train one with bdfa train \.\.\. --track {track}$"):
        getattr(figures, kind)(subject("dfa", [20.0]))


def test_a_quantity_of_no_layer_is_said_to_be_none(figures, tracked, measured):
    found = measured()
    found.values["feedback_angle"][:] = np.nan
    with pytest.raises(RunError, match="in no layer of runs/0: only rules with feedback weights B have one"):
        figures.angles(tracked("bp", found), quantity="feedback_angle")


@pytest.mark.parametrize(
    ("kind", "subjects", "layers", "times"),
    [
        ("angles", 3, 9, 1),
        pytest.param("angles", 1, 20, 4, marks=pytest.mark.slow),
        pytest.param("norms", 1, 3, 4, marks=pytest.mark.slow),
        pytest.param("rank", 2, 4, 3, marks=pytest.mark.slow),
        pytest.param("rank", 6, 4, 3, marks=pytest.mark.slow),
    ],
)
def test_nothing_is_cut_or_upon_another(figures, tracked, measured, check_layout, kind, subjects, layers, times):
    found = measured([f"linear{number}" for number in range(1, layers + 1)], times)
    found.values["meaningful"][0] = 0
    check_layout(getattr(figures, kind)([tracked(f"rule {one}", found) for one in range(subjects)]))
