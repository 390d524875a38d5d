"""The confusion matrix of `bdfa evaluate`, however many classes there are and whatever they are called."""

import csv
from pathlib import Path

import numpy as np
import pytest

from bdfa_np.cli.confusion import confusion_lines
from bdfa_np.data import load_dataset
from bdfa_np.metrics import ConfusionMatrix

CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def confusion(classes, right=90, seed=0):
    found = ConfusionMatrix(classes)
    found.counts += np.random.default_rng(seed).integers(0, 100, (classes, classes))
    found.counts += right * np.eye(classes, dtype=int)
    return found


def test_short_names_stand_over_their_columns():
    found = confusion(10)
    lines = confusion_lines(found, [str(number) for number in range(10)], 80)
    assert lines[0].split() == ["true", "\\", "predicted", *map(str, range(10)), "error"]
    assert [line.split()[1:-1] for line in lines[1:]] == found.counts.astype(str).tolist()
    assert max(map(len, lines)) <= 80


def test_long_names_stand_before_their_rows_and_numbers_over_the_columns():
    found = confusion(10)
    lines = confusion_lines(found, CIFAR, 80)
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["true", "\\", "predicted", *map(str, range(10)), "error"]
    assert [line.split()[:2] for line in lines[1:]] == [[str(number), name] for number, name in enumerate(CIFAR)]
    assert [line.split()[2:-1] for line in lines[1:]] == found.counts.astype(str).tolist()
    assert confusion_lines(found, CIFAR, 200)[0].split()[3:-1] == list(CIFAR)


def test_many_classes_are_listed_by_their_errors_with_the_most_frequent_confusions():
    found = ConfusionMatrix(100)
    found.counts += 100 * np.eye(100, dtype=int)
    found.counts[7, 7], found.counts[7, 9], found.counts[7, 8] = 40, 50, 10
    found.counts[3, 3], found.counts[3, 4] = 80, 20
    lines = confusion_lines(found, [f"class{number}" for number in range(100)], 80)
    assert max(map(len, lines)) <= 80
    cells = " ".join(lines[1 : lines.index("")]).split()
    assert cells[:6] == ["class7", "60.00%", "class3", "20.00%", "class0", "0.00%"]
    assert len(cells) == 200
    assert [line.split() for line in lines[lines.index("") + 2 :]] == [
        ["50", "of", "100", "class7:", "class9"],
        ["20", "of", "100", "class3:", "class4"],
        ["10", "of", "100", "class7:", "class8"],
    ]


@pytest.mark.parametrize("width", [30, 60, 80])
@pytest.mark.parametrize("classes", [1, 2, 30, 1000])
def test_nothing_is_wider_than_the_terminal_whatever_a_class_is_called(width, classes):
    names = [f"{'a very long name of a class ' * 3}{number}" for number in range(classes)]
    lines = confusion_lines(confusion(classes), names, width)
    assert max(map(len, lines)) <= max(width, 70)
    assert len(lines) < 130


def test_a_class_without_images_has_no_error_and_one_without_mistakes_no_confusions():
    found = ConfusionMatrix(40)
    found.counts[0, 0] = 5
    lines = confusion_lines(found, [f"class number {number}" for number in range(40)], 80)
    assert lines[1].split()[:4] == ["class", "number", "0", "0.00%"]
    assert " ".join(lines).count(" -") == 39
    assert lines[-1] == "no confusions"


def test_the_whole_matrix_goes_to_a_file(bdfa, monkeypatch):
    bdfa.train("run", "--epochs", 1)
    monkeypatch.setenv("COLUMNS", "40")
    outcome = bdfa("evaluate", "run", "--csv", "matrix.csv")
    assert "most frequent confusions" in outcome.out
    with Path("matrix.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["true / predicted", *load_dataset("mnist-5k").class_names]
    assert np.array([row[1:] for row in rows], int).sum() == 1000
