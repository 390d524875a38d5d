"""Every kind of picture of every sort of run: it is drawn whole and says what it shows, or why not in one line."""

from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex

from bdfa_np import figures
from bdfa_np.errors import ConfigError, UserError
from bdfa_np.figures.kinds import KINDS, draw
from bdfa_np.figures.parts.names import legible

OURS = ("features", "feedback", "digits", "errors", "embedding")


@pytest.fixture
def runs(trained, data, digits_bfa, colours_conv):
    """Give the function that trains the run of a name, which it says what is special about."""
    ways = {
        "digits": lambda: digits_bfa,
        "validated convolutions in colour": lambda: colours_conv,
        "a hundred classes": lambda: trained("hundred", data.hundred, gradient="bfa"),
        "vectors": lambda: trained("vectors", data.vectors, gradient="bdfa", criterion="ce"),
        "vectors of bfa": lambda: trained("vectors_bfa", data.hundred_vectors, gradient="bfa", normalization="column"),
    }
    return lambda name: ways[name]()


def texts(figure):
    found = [text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_visible()]
    return " ".join(" ".join(found).split())


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("features", "validated convolutions in colour", "the 25 of 32 units with the largest norm"),
        ("features", "vectors", "entry of the input"),
        ("feedback", "validated convolutions in colour", "carried to the input by W of conv1"),
        ("feedback", "vectors", "as drawn"),
        (
            "digits",
            "a hundred classes",
            "x̂ of a label through B, above the mean of the test samples; 10 of 100 classes",
        ),
        ("digits", "vectors of bfa", "species 11 mean"),
        ("errors", "validated convolutions in colour", " validation images"),
        ("embedding", "a hundred classes", "the means of 100 classes, named where there is room"),
        ("embedding", "vectors", "10 units of the last hidden layer"),
    ],
)
def test_each_kind_is_drawn_whole_with_nothing_over_anything_else(kind, name, said, runs, drawn_within):
    figure = draw(kind, [runs(name)])
    assert drawn_within(figure) == ([], [])
    assert said in texts(figure)


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        ("digits", "vectors", "digits needs a run of bfa"),
        ("errors", "vectors", "errors draws images, and these runs are of vectors"),
    ],
)
def test_what_a_run_has_not_is_said_in_one_line(kind, name, reason, runs):
    with pytest.raises(UserError, match=reason) as error:
        draw(kind, [runs(name)])
    assert "\n" not in str(error.value)


def test_a_rule_without_feedback_is_said_in_one_line(trained):
    folder = trained("bp", "mnist-5k", gradient="bp", train_limit=200, test_limit=100)
    with pytest.raises(ConfigError, match="bp has no feedback weights to draw"):
        figures.feedback(folder)
    figure = figures.feedback(folder, trained("bfa", "mnist-5k", gradient="bfa", train_limit=200, test_limit=100))
    assert "bp has no feedback weights to draw" in texts(figure)
    assert "B of linear1" in texts(figure)


def test_several_runs_stand_side_by_side_under_their_names(trained, digits_bfa, drawn_within):
    other = trained("dfa", "mnist-5k", gradient="dfa", train_limit=200, test_limit=100)
    figure = figures.embedding(other, digits_bfa)
    assert "the input, 100 of 100 test samples" in texts(figure)
    assert "dfa: 10 units" in texts(figure)
    assert "bfa: 10 units" in texts(figure)
    assert drawn_within(figure) == ([], [])


@pytest.mark.slow
def test_of_more_runs_than_there_is_room_for_it_says_how_many_are_left_out(digits_bfa, subject):
    one = subject(digits_bfa, subject(digits_bfa).runs[0].model())
    many = [replace(one, label=f"run {number}") for number in range(10)]
    figure = figures.features(many, count=1)
    assert "2 more left out" in texts(figure)
    assert "run 7" in texts(figure)
    assert "run 8" not in texts(figure)


def test_of_several_seeds_the_first_is_drawn_and_it_says_so(digits_bfa, subject):
    one = subject(digits_bfa)
    second = replace(one.runs[0], config=one.runs[0].config.replace(seed=5))
    several = replace(one, runs=(*one.runs, second))
    assert "seed 0 (the first of several)" in texts(figures.features([several], count=1))
    assert "(the first of several seeds: 0)" in texts(figures.features([several, several], count=1))


def test_of_vectors_among_images_it_is_said_once_that_nothing_can_be_drawn(digits_bfa, runs):
    said = texts(figures.errors(digits_bfa, runs("vectors"), labels=["digits", "three classes"], count=1))
    assert said.count("vectors") == 1
    assert "three classes" in said


def test_no_errors_are_said_to_be_none(digits_bfa, subject, monkeypatch):
    one = subject(digits_bfa)
    run = one.runs[0]
    raw, prepared, _ = run.test_set()
    model = run.model()
    right = model.network.predict(prepared).argmax(axis=1)
    monkeypatch.setattr(type(run), "test_set", lambda _: (raw, prepared, right))
    assert "all 100 test images are told rightly" in texts(figures.errors(one))


def test_a_run_that_diverged_is_drawn_with_what_is_left_of_it(digits_bfa, subject, drawn_within):
    model = subject(digits_bfa).runs[0].model()
    model.network.weights.values *= np.float32(1e30)
    one = subject(digits_bfa, model)
    for kind in ("errors", "embedding"):
        figure = draw(kind, [one])
        assert drawn_within(figure) == ([], [])


def test_names_are_shown_whole_or_with_an_ellipsis_and_never_as_boxes(runs, drawn_within):
    names, replaced = legible(["日本", "costs $5 or $6", "Ærø"])
    assert (names, replaced) == (["class 0", "costs $5 or $6", "Ærø"], True)
    figure = draw("embedding", [runs("validated convolutions in colour")])
    assert drawn_within(figure) == ([], [])
    shown = texts(figure)
    assert " validation samples" in shown
    assert "class 0" in shown
    assert "a class whose name the font has no letters for is named by its number" in shown
    assert "costs $5 or $6" in shown
    assert "Wahlenb" in shown
    assert "…" in shown


def test_a_confusion_matrix_has_no_boxes_for_names_either(colours_conv):
    figure = draw("confusion", [colours_conv])
    figure.draw_without_rendering()  # where matplotlib would warn of a glyph that is missing
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert shown[:2] == ["class 0", "costs $5 or $6"]


def test_classes_of_a_legend_differ_in_colour_or_marker(digits_bfa):
    axes = figures.embedding(digits_bfa).axes
    legend = next(one for one in axes if not one.axison)
    seen = {
        (to_hex(points.get_facecolor()[0]), points.get_paths()[0].vertices.tobytes()) for points in legend.collections
    }
    assert len(seen) == 10
    markers = {vertices for _, vertices in seen}
    assert len(markers) == 10  # so that they are told apart without colours too


def test_several_runs_do_not_go_into_one_axes(digits_bfa, subject):
    axes = matplotlib.figure.Figure().add_subplot()
    many = [replace(subject(digits_bfa), label=f"run {number}") for number in range(2)]
    with pytest.raises(ValueError, match="one run is drawn into axes, not 2"):
        figures.features(many, axes=axes)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda one: figures.features(one, order="last"), "order must be norm or first"),
        (lambda one: figures.errors(one, count=0), "count must be 1 or more"),
        (lambda one: figures.embedding(one, method="umap"), "method must be pca or tsne"),
    ],
)
def test_options_of_no_use_are_refused(call, reason, digits_bfa):
    with pytest.raises(ValueError, match=reason):
        call(digits_bfa)


def test_the_kinds_are_listed():
    assert set(OURS) <= set(KINDS)
