"""What each frame of a film shows: curves up to its epoch, the weights of then, on axes that stay as they are."""

import re

import numpy as np
import pytest

from bdfa_np.data.preprocess.yuv import WEIGHTS
from bdfa_np.errors import ConfigError, RunError
from bdfa_np.figures.film import film
from bdfa_np.figures.film.making import _thinned, _usual_speed
from bdfa_np.figures.film.reels import frames


def axes_with(made, label):
    """Return the axes in which a line has a label."""
    return next(axes for axes in made.figure.axes for line in axes.lines if line.get_label() == label)


def line(made, label):
    return next(one for one in axes_with(made, label).lines if one.get_label() == label)


def test_a_film_is_shown_in_a_line(made):
    assert re.fullmatch(r"Film\(5 frames, epochs 0 to \d+, 1 a second\)", repr(made))


def heading(made):
    return made.figure.get_suptitle().replace("\N{FIGURE SPACE}", " ")


def test_there_is_a_frame_for_each_measurement_and_the_last_one_shows_all(made):
    assert made.times == (0, 1, 2, 3, 4)
    made.draw(len(made) - 1)
    np.testing.assert_array_equal(line(made, "dfa, test").get_xdata(), [1, 2, 3, 4])
    np.testing.assert_allclose(line(made, "dfa, test").get_ydata(), [60, 30, 20, 15])
    np.testing.assert_allclose(line(made, "dfa, training").get_ydata(), [50, 25, 50 / 3, 12.5])
    np.testing.assert_allclose(line(made, "linear1").get_ydata(), [90, 85, 80, 75, 70])


def test_curves_end_at_the_epoch_that_is_shown(made):
    made.draw(2)
    assert line(made, "dfa, test").get_xdata().tolist() == [1, 2]
    assert line(made, "linear1").get_xdata().tolist() == [0, 1, 2]
    assert heading(made).endswith("\nepoch 2")
    made.draw(0)
    assert line(made, "dfa, test").get_xdata().tolist() == []
    assert line(made, "linear1").get_ydata().tolist() == [90]


def test_the_best_epoch_is_marked_once_it_has_come(made):
    star = next(one for one in axes_with(made, "dfa, test").lines if one.get_marker() == "*")
    told = axes_with(made, "dfa, test").get_legend().get_texts()[-1]
    assert told.get_text() == "lowest: 15.00 % at epoch 4"
    made.draw(3)
    assert len(star.get_xdata()) == told.get_alpha() == 0
    made.draw(4)
    assert list(star.get_xdata()) == [4]
    assert told.get_alpha() == 1


def test_an_angle_that_means_nothing_is_not_on_the_curve(made):
    made.draw(4)
    np.testing.assert_allclose(line(made, "linear2").get_ydata(), [80, np.nan, 72, 68, 64])


def test_the_weights_are_those_of_the_epoch(made, subject):
    images = made.figure.axes[0].images
    for number in (0, 3):
        made.draw(number)
        shown = np.stack([np.asarray(image.get_array()) for image in images])
        np.testing.assert_array_equal(shown, subject.runs[0].measured.snapshots["features"][number, ..., 0])


def test_weights_that_were_kept_now_and_then_have_a_frame_each(a_subject):
    subject = a_subject(epochs=4)
    measured = subject.runs[0].measured
    object.__setattr__(measured, "snapshot_rows", np.array([0, 2, 4]))
    measured.snapshots["features"] = measured.snapshots["features"][:3]
    made = film(subject)
    assert made.times == (0, 2, 4)
    made.draw(1)
    shown = np.asarray(made.figure.axes[0].images[0].get_array())
    np.testing.assert_array_equal(shown, measured.snapshots["features"][1, 0, ..., 0])


def test_axes_and_the_meaning_of_colours_stay(made):

    def limits():
        colours = [image.get_clim() for axes in made.figure.axes for image in axes.images]
        places = [axes.get_position().bounds for axes in made.figure.axes]
        legends = [axes.get_legend().get_window_extent().bounds for axes in made.figure.axes if axes.get_legend()]
        return [(axes.get_xlim(), axes.get_ylim()) for axes in made.figure.axes], colours, places, legends

    list(frames(made, [0]))
    first = limits()
    list(frames(made, [4]))
    assert limits() == first
    assert len(set(first[1])) == 1


def test_both_axes_of_epochs_are_the_same(made):
    assert axes_with(made, "dfa, test").get_xlim() == axes_with(made, "linear1").get_xlim()


def test_frames_that_are_drawn_in_parts_are_those_that_are_drawn_whole(made):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    (quick,) = frames(made, [3])
    canvas = FigureCanvasAgg(made.figure)
    canvas.draw()
    whole = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    assert np.abs(np.asarray(quick).astype(int) - whole).max() <= 2


@pytest.fixture(scope="module")
def two(a_subject):
    """Give a film of two runs, one of which is longer."""
    return film(a_subject(epochs=2), a_subject("bp", epochs=4))


def test_nothing_overlaps_and_nothing_is_cut(two):
    made = two
    list(frames(made, [4]))
    box = made.figure.bbox
    titles = [axes.title.get_window_extent() for axes in made.figure.axes if axes.get_title()]
    titles.append(made.figure.texts[0].get_window_extent())
    labels = [axes.xaxis.label.get_window_extent() for axes in made.figure.axes if axes.get_xlabel()]
    for number, one in enumerate([*titles, *labels]):
        assert box.x0 <= one.x0 < one.x1 <= box.x1
        assert box.y0 <= one.y0 < one.y1 <= box.y1
        assert not any(one.overlaps(other) for other in [*titles, *labels][:number])


def test_several_runs_stand_side_by_side_and_the_shorter_one_stays_at_its_end(two):
    made = two
    assert made.times == (0, 1, 2, 3, 4)
    made.draw(4)
    assert line(made, "dfa, test").get_xdata().tolist() == [1, 2]
    assert line(made, "bp, test").get_xdata().tolist() == [1, 2, 3, 4]
    assert [axes.get_title().partition(":")[0] for axes in made.figure.axes[:2]] == ["dfa", "bp"]


def test_more_runs_than_there_is_room_for_are_refused(a_subject):
    names = ("dfa", "bp", "fa", "usf", "kp")
    with pytest.raises(ConfigError, match=r"^a film shows 4 runs at most, and 5 are named: name fewer$"):
        film([a_subject(name) for name in names])


def test_a_long_run_is_thinned_out_evenly():
    times = _thinned(np.arange(301.0), 100)
    assert len(times) == 100
    assert (times[0], times[-1]) == (0, 300)
    assert set(np.diff(times)) == {3, 4}


@pytest.mark.parametrize(("count", "fps"), [(1, 1), (5, 1), (30, 3), (100, 10)])
def test_a_film_lasts_about_ten_seconds_unless_it_were_too_slow(count, fps):
    assert _usual_speed(count) == fps


def test_a_measurement_within_an_epoch_says_so(a_subject):
    made = film(a_subject(epochs=12, times=[0, 0.25, 0.5, 12]))
    made.draw(1)
    assert heading(made).endswith("\nepoch  0.25")
    made.draw(3)
    assert heading(made).endswith("\nepoch 12")


@pytest.mark.parametrize("times", [pytest.param([0], marks=pytest.mark.slow), [0, 1]])
def test_one_epoch_is_enough(a_subject, times):
    made = film(a_subject(epochs=1, times=times))
    assert len(list(frames(made))) == len(times)


@pytest.mark.parametrize("settings", [{"features": None}, pytest.param({"angles": False}, marks=pytest.mark.slow)])
def test_what_was_not_measured_is_left_out(a_subject, settings):
    made = film(a_subject(**settings))
    labels = {one.get_label() for axes in made.figure.axes for one in axes.lines}
    assert ("linear1" in labels) is settings.get("angles", True)
    assert any(axes.images for axes in made.figure.axes) is ("features" not in settings)
    assert "dfa, test" in labels
    assert len(list(frames(made, [0, 4]))) == 2


def test_a_run_that_was_not_tracked_is_refused_with_what_to_do(a_subject):
    subject = a_subject(features=None, angles=False)
    with pytest.raises(RunError, match=r"nothing was measured|was not measured"):
        film(subject)


@pytest.mark.parametrize(
    ("features", "options"),
    [
        pytest.param((3, 7), None, marks=pytest.mark.slow),
        pytest.param((3, 4, 4, 3), None, marks=pytest.mark.slow),
        pytest.param((3, 4, 4, 2), None, marks=pytest.mark.slow),
        ((3, 4, 4, 3), {"dataset": "cifar10", "format": "yuv"}),
    ],
)
def test_weights_of_vectors_colours_and_channels_can_be_shown(a_subject, features, options):
    subject = a_subject(features=features, options=options)
    made = film(subject)
    made.draw(1)
    shown = [np.asarray(image.get_array()) for image in made.figure.axes[0].images]
    weights = subject.runs[0].measured.snapshots["features"][1]
    if len(features) == 2:
        np.testing.assert_array_equal(shown[0], weights)
    elif features[3] == 2:
        np.testing.assert_array_equal(shown[0][:, 4:], weights[0, ..., 1])  # the channels side by side
    else:
        linear = weights @ WEIGHTS if options else weights
        limit = made.figure.axes[0].images[0].get_clim()[1]
        np.testing.assert_allclose(shown[0], np.clip(0.5 + linear[0] / (2 * limit), 0, 1), atol=1e-6)
