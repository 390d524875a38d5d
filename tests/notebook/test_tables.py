"""Tables as text and as HTML."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from bdfa_np.metrics import ConfusionMatrix
from bdfa_np.predictions import Evaluation
from bdfa_np.tables import Table

RATES = Table(
    ["rule", "error", "weights"],
    [["bp", 1.5, 1200], ["dfa", 12.25, None]],
    title="after 5 epochs",
    footer=["all", None, 1200],
)


def cells(html: str) -> list[list[str]]:
    """Return what stands in a table, read by a parser that takes nothing but well-formed markup."""
    return [["".join(cell.itertext()) for cell in row] for row in ET.fromstring(html).iter("tr")]


def test_the_text_has_words_at_the_left_and_numbers_at_the_right_of_their_columns():
    assert str(RATES) == (
        "after 5 epochs\nrule  error  weights\nbp      1.5    1,200\ndfa   12.25\nall            1,200"
    )
    assert repr(RATES) == str(RATES)


def test_a_column_of_nothing_takes_no_room():
    assert str(Table(["class", ""], [["cat", ""], ["dog", ""]])) == "class\ncat\ndog"


def test_the_html_has_the_same_cells_with_the_title_as_its_caption():
    html = RATES._repr_html_()
    assert cells(html) == [
        ["rule", "error", "weights"],
        ["bp", "1.5", "1,200"],
        ["dfa", "12.25", ""],
        ["all", "", "1,200"],
    ]
    assert ET.fromstring(html).findtext("caption") == "after 5 epochs"
    assert [cell.get("style") for cell in ET.fromstring(html).find("tbody/tr")] == [
        "text-align: left",
        "text-align: right",
        "text-align: right",
    ]


def test_what_looks_like_markup_is_text_in_html():
    names = ["<b>cat</b>", "a & b", "<script>alert('x')</script>", '"quoted"']
    html = Table(["<i>class</i>", "n"], [[name, 1] for name in names], title="<u>").to_html()
    assert [row[0] for row in cells(html)] == ["<i>class</i>", *names]
    assert "<b>" not in html
    assert "<script>" not in html
    assert "<u>" not in html


def test_numbers_of_numpy_are_numbers_and_truth_values_are_words():
    table = Table(["a", "b", "c"], [[np.int64(12345), np.float32(0.123456), True]])
    assert table.text_rows() == [["12,345", "0.1235", "True"]]
    assert table.at_right() == [True, True, False]


def test_text_in_a_column_that_is_named_stands_at_the_right():
    assert str(Table(["epoch", "error"], [[1, "54.7%"], [2, "9.1%"]], right=["error"])) == (
        "epoch  error\n    1  54.7%\n    2   9.1%"
    )


def test_wide_text_is_folded_to_80_columns_and_no_word_of_it_is_lost():
    words = [f"word{number}" for number in range(60)]
    table = Table(["name", "text", "size"], [["a" * 30, " ".join(words), 10**9]])
    lines = str(table).splitlines()
    assert max(map(len, lines)) <= 80
    assert [word for line in lines[1:] for word in line.split() if word.startswith("word")] == words
    assert "1,000,000,000" in lines[1]
    assert max(map(len, table.to_text(width=40).splitlines())) <= 40


def test_a_row_of_another_length_than_the_headings_is_refused():
    with pytest.raises(ValueError, match="a row of 1 cells under 2 headings"):
        Table(["a", "b"], [[1, 2], [1]])
    with pytest.raises(ValueError, match="a row of 3 cells under 2 headings"):
        Table(["a", "b"], [], footer=[1, 2, 3])


def confusion(num_classes: int) -> ConfusionMatrix:
    counts = ConfusionMatrix(num_classes)
    counts.add(np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0, 2]))
    return counts


def test_a_confusion_matrix_is_a_table_of_true_classes_and_predictions():
    table = confusion(4).table(["<cat>", "dog", "owl", "eel"])
    assert cells(table.to_html()) == [
        ["true class", "<cat>", "dog", "owl", "eel", "error"],
        ["<cat>", "1", "2", "0", "0", "66.67%"],
        ["dog", "1", "1", "0", "0", "50.00%"],
        ["owl", "0", "0", "1", "0", "0.00%"],
        ["eel", "0", "0", "0", "0", "-"],
    ]
    shown = confusion(4)._repr_html_()
    assert ET.fromstring(shown).findtext("caption") == "ConfusionMatrix(4 classes, 6 samples, error 50.00%)"
    assert cells(shown)[1][0] == "0"


def test_of_many_classes_a_notebook_shows_the_commonest_mistakes():
    counts = confusion(100)
    assert cells(counts._repr_html_()) == [["true class", "predicted", "samples"], ["0", "1", "2"], ["1", "0", "1"]]
    assert len(counts.mistakes(most=1).rows) == 1
    assert len(cells(confusion(30)._repr_html_())) == 31


def test_an_evaluation_shows_its_figures_above_the_confusion_matrix_with_names():
    evaluation = Evaluation(0.25, confusion(3), ("cat", "dog", "owl"))
    html = evaluation._repr_html_()
    assert ET.fromstring(html).findtext("caption") == "Evaluation(error 50.00%, loss 0.2500, 6 samples)"
    assert [row[0] for row in cells(html)] == ["true class", "cat", "dog", "owl"]
