"""Labels as people have them: which classes they come to, by which names, and what is refused."""

from typing import Any

import numpy as np
import pytest

from bdfa_np.data.labels import as_classes
from bdfa_np.errors import DataError

WORDS = ["dog", "cat", "dog", "emu"]


def classes(train: Any, test: Any = None, **options: Any) -> tuple[Any, ...]:
    found = as_classes(train, test, **options)
    assert found.train.dtype == np.int64
    return found.train.tolist(), None if found.test is None else found.test.tolist(), found.class_names


def refusal(train: Any, test: Any = None, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        as_classes(train, test, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "words",
    [
        WORDS,
        np.array(WORDS),
        np.array(WORDS, object),
        np.array(WORDS, "S"),
        np.array([word.encode() for word in WORDS], object),
        np.array(WORDS)[:, None],
    ],
    ids=["list", "U", "objects", "S", "objects of bytes", "column"],
)
def test_words_are_classes_by_those_names_sorted(words):
    assert classes(words, ["emu", "cat"]) == ([1, 0, 1, 2], [2, 0], ("cat", "dog", "emu"))


def test_words_outside_ascii_are_taken_in_utf8():
    assert classes(np.char.encode(["Bär", "Öl"], "utf-8"))[2] == ("Bär", "Öl")
    assert "not UTF-8" in refusal(np.array([b"B\xe4r", b"Ol"]))


def test_words_that_are_whole_numbers_are_sorted_by_value():
    assert classes(["10", "9", "-1"]) == ([2, 1, 0], None, ("-1", "9", "10"))


def test_words_follow_the_names_that_are_given():
    assert classes(WORDS, class_names=("emu", "dog", "cat", "yak")) == (
        [1, 2, 1, 0],
        None,
        ("emu", "dog", "cat", "yak"),
    )
    assert refusal(WORDS, class_names=("cat", "dog")) == (
        "y_train: the label at index 3 is 'emu', which is none of the class_names: correct it, or add it there"
    )


@pytest.mark.parametrize("kind", [np.uint8, np.int16, ">i4", np.uint64, np.float32, object])
def test_whole_numbers_from_0_stay_as_they_are(kind):
    assert classes(np.array([2, 0, 1], kind), np.array([1], kind)) == ([2, 0, 1], [1], ("0", "1", "2"))
    assert as_classes(np.array([2, 0, 1], kind)).note is None


def test_a_number_in_between_that_does_not_occur_is_a_class_all_the_same():
    assert classes([0, 3])[2] == ("0", "1", "2", "3")


@pytest.mark.parametrize(
    ("numbers", "codes", "names"),
    [
        ([1, 2, 3, 1], [0, 1, 2, 0], ("1", "2", "3")),
        ([-1, 1, 1], [0, 1, 1], ("-1", "1")),
        ([30, 10, 20], [2, 0, 1], ("10", "20", "30")),
        ([1.0, 2.0], [0, 1], ("1", "2")),
    ],
)
def test_numbers_that_do_not_start_at_0_are_each_a_class_of_that_name_and_it_is_said(numbers, codes, names):
    assert classes(numbers) == (codes, None, names)
    note = as_classes(numbers).note
    assert note is not None
    assert note.startswith(f"the labels run from {int(min(numbers))} to {int(max(numbers))}, not from 0: ")


def test_a_test_label_makes_no_class():
    told = "which no training label is: correct it, or give that class training samples too"
    assert refusal([1, 2], [0]) == f"y_test: the label at index 0 is 0, {told}"


def test_numbers_from_1_to_the_number_of_names_are_counted_from_1_and_it_is_said():
    assert classes([1, 3, 2], [3], class_names=("a", "b", "c")) == ([0, 2, 1], [2], ("a", "b", "c"))
    note = as_classes([1, 3, 2], class_names=("a", "b", "c")).note
    assert note == "the labels run from 1 to 3: 1 is taken for 'a', the first of the class_names"
    assert classes([1, 2], class_names=("a", "b", "c"))[0] == [1, 2]


def test_numbers_beyond_the_names_are_refused():
    assert refusal([0, 3], class_names=("a", "b", "c")) == "y_train: label 3 at index 1 is out of range 0..2"


def test_truth_values_are_two_classes():
    assert classes([True, False]) == ([1, 0], None, ("False", "True"))
    assert classes([True, False], class_names=("no", "yes")) == ([1, 0], None, ("no", "yes"))


@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32])
def test_one_hot_rows_are_the_places_of_their_ones(kind):
    rows = np.eye(3, dtype=kind)
    assert classes(rows[[2, 0, 1]], rows[[1]]) == ([2, 0, 1], [1], ("0", "1", "2"))
    assert classes(rows[[2, 1]], rows[[1]]) == ([2, 1], [1], ("0", "1", "2"))


@pytest.mark.parametrize("row", [[0.9, 0.1, 0], [1, 1, 0], [0, 0, 0], [-1, 1, 1], [2, 0, 0], [np.nan, 1, 0]])
def test_rows_that_are_not_one_hot_are_refused_and_the_advice_works(row):
    rows = np.vstack([np.eye(3), [row]])
    assert refusal(rows).startswith("y_train have the shape (4, 3), but row 3 is not one 1 among zeros: ")
    assert "labels.argmax(axis=1)" in refusal(rows)
    as_classes(np.nan_to_num(rows).argmax(axis=1))


@pytest.mark.parametrize(
    ("train", "test", "told"),
    [
        (np.array([0, 1], np.uint8), ["cat"], "y_train are numbers but y_test are words"),
        (WORDS, ["Cat"], "y_test: the label at index 0 is 'Cat', which no training label is"),
        ([1, 2], [2, 3], "y_test: the label at index 1 is 3, which no training label is"),
        ([0.5, 1], None, "0.5 at index 0 is not a whole number"),
        ([0, np.nan], None, "nan at index 1 is not a whole number"),
        ([0, np.inf], None, "inf at index 1 is not a whole number"),
        ([0, 1e300], None, "1e+300 at index 1 is not a whole number"),
        (np.array(["cat", None], object), None, "hold None at index 1, among words"),
        (np.array(["cat", np.nan], object), None, "hold nan at index 1, among words"),
        (np.array([1, "cat"], object), None, "hold 'cat' at index 1, among numbers"),
        (np.array([None], object), None, "hold None at index 0"),
        (np.array([1j, 0]), None, "are complex128: they must be whole numbers or words"),
        (np.array(["2020-01-01"], "datetime64[D]"), None, "are datetime64[D]: "),
        ([], None, "have the shape (0,)"),
        (np.zeros((2, 2, 2)), None, "have the shape (2, 2, 2)"),
        ([[1], [1, 2]], None, "rows of different lengths"),
        (np.array([["a", "b"]]), None, "have the shape (1, 2)"),
        (["cat", "cat"], None, "the number of classes is 1"),
        ([0, 0], None, "the number of classes is 1"),
        ([7, 7], None, "the number of classes is 1"),
        (["", "cat"], None, "the class name '' cannot be printed"),
        (np.arange(1, 65538), None, "the number of classes is 65537"),
    ],
)
def test_other_labels_are_refused_in_a_line(train, test, told):
    assert told in refusal(train, test)


def test_the_messages_call_the_labels_as_they_are_told_to():
    assert refusal([0.5], where=("a.npz: train_labels", "")).startswith("a.npz: train_labels are float64")


def test_a_long_label_is_shown_in_part():
    assert len(refusal(WORDS, ["x" * 10_000])) < 200
