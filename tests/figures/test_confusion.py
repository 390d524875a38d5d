"""Confusion matrices: shares, numbers, names, seeds together."""

import numpy as np
import pytest

from bdfa_np.errors import RunError

TWO = [[90, 10], [30, 70]]


def test_shares_are_of_the_true_class_over_all_seeds(figures, confused):
    axes = figures.confusion(confused("dfa", ["cat", "dog"], TWO, [[70, 30], [10, 190]])).axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.8, 0.2], [40 / 300, 260 / 300]])
    assert [one.get_text() for one in axes.texts] == ["80.0", "20.0", "13.3", "86.7"]
    assert [one.get_text() for one in axes.get_xticklabels()] == ["cat", "dog"]
    assert "error 16.00 %" in axes.figure.get_suptitle()


def test_the_title_says_how_many_samples_of_which_part_after_which_epoch(figures, confused):
    said = figures.confusion(confused("dfa", ["cat", "dog"], TWO, TWO, validate=True)).get_suptitle()
    assert "2 × 200 validation samples after epoch 2, error 20.00 %" in said.replace("\n", " ")
    assert "dfa, validate, 2" in said  # and not as if it were one image


def test_a_whole_share_is_written_as_wide_as_a_cell(figures, confused):
    axes = figures.confusion(confused("dfa", ["cat", "dog"], [[7, 0], [1, 1]])).axes[0]
    assert [one.get_text() for one in axes.texts] == ["100", "50.0", "50.0"]


def test_what_the_font_has_no_letters_for_is_no_boxes_and_explained(figures, confused):
    figure = figures.confusion(confused("dfa", ["cat", "犬"], TWO), confused("日本 $x$", ["cat", "犬"], TWO))
    figure.draw_without_rendering()  # where matplotlib would warn of a glyph that is missing
    first, second = (one for one in figure.axes if one.images)
    assert [one.get_text() for one in first.get_yticklabels()] == ["cat", "class 1"]
    assert "a class whose name the font has no letters for" in figure.get_suptitle().replace("\n", " ")
    assert second.get_title().startswith("?? $x$\n")


def test_names_and_mistakes_below_the_first_drawing_are_within(figures, confused, check_layout):
    names = [f"a long name of class {one}" for one in range(9)] + ["犬"]
    check_layout(figures.confusion(confused("dfa", names, np.ones((10, 10), int))))


def test_a_class_without_samples_has_no_numbers(figures, confused):
    axes = figures.confusion(confused("dfa", ["cat", "dog"], [[5, 5], [0, 0]])).axes[0]
    assert [one.get_text() for one in axes.texts] == ["50.0", "50.0"]


def test_of_a_hundred_classes_the_commonest_mistakes_are_named(figures, confused):
    counts = np.eye(100, dtype=int) * 90
    counts[3, 7] = 10
    axes = figures.confusion(confused("dfa", [f"class {one}" for one in range(100)], counts)).axes[0]
    assert not axes.texts
    assert axes.get_xlabel() == "taken for\nclass 3 → class 7: 10%"
    assert [one.get_text() for one in axes.get_yticklabels()][:3] == ["0", "10", "20"]


def test_subjects_have_a_matrix_each(figures, confused):
    figure = figures.confusion(confused("bp", ["cat", "dog"], TWO), confused("dfa", ["cat", "dog"], [[9, 1], [0, 0]]))
    titles = [one.get_title() for one in figure.axes if one.images]
    assert titles == [
        "bp\nerror 20.00 %\n200 test samples after epoch 2",
        "dfa\nerror 10.00 %\n10 test samples after epoch 2",
    ]


def test_seeds_of_other_classes_are_refused(figures, confused):
    from dataclasses import replace

    first, second = confused("a", ["cat", "dog"], TWO), confused("b", ["cat", "cow"], TWO)
    with pytest.raises(RunError, match="has other classes than"):
        figures.confusion(replace(first, runs=(*first.runs, *second.runs)))


@pytest.mark.slow
@pytest.mark.parametrize(("count", "width"), [(10, 3.5), (25, 7.5), (100, 3.5)])
def test_nothing_is_cut_or_upon_another(figures, confused, check_layout, count, width):
    names = [f"kind {one} of animal $x$" if one % 3 else str(one) for one in range(count)]
    counts = np.eye(count, dtype=int) * 99 + 1
    subjects = [confused("bp", names, counts), confused("a rather long name of a rule and its cell", names, counts)]
    check_layout(figures.confusion(subjects, width=width))


def test_long_names_that_begin_alike_are_told_apart_by_their_ends(figures):
    from bdfa_np.figures import style
    from bdfa_np.figures.parts.shortening import shortened_name

    names = [f"a rather long class name {number}" for number in range(100)]
    with style.applied():
        short = [shortened_name(name, 0.8, style.SMALL) for name in names]
        assert all(style.text_width(name, style.SMALL) <= 0.8 for name in short)
        assert shortened_name("short", 0.8, style.SMALL) == "short"
        assert shortened_name("anything", 0.01, style.SMALL) == "…g"
    assert len(set(short)) == 100
    assert short[17].startswith("a rath")
    assert short[17].endswith("ame 17")
