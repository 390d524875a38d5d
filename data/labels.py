"""Labels as people have them - numbers, words, one-hot rows - become classes 0 ... K-1 with names."""

import numbers
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.checks import check_labels
from bdfa_np.data.class_names import check_class_names
from bdfa_np.errors import DataError
from bdfa_np.representation import one_line
from bdfa_np.system.text import counted

VERSION = 2
"""Part of what a prepared file is found by: raise it when the same labels would come to other classes."""

_LONGEST_SHOWN = 60
_NOT_IN_TRAINING = "which no training label is: correct it, or give that class training samples too"
_LARGEST_SHARE_MISSING = 2
"""Numbers from 0 are classes as they are while not more of them are missing than occur: a claim that data bear out."""


@dataclass(frozen=True, eq=False)
class Labels:
    """The classes of a training set and, where there is one, of a test set.

    Attributes
    ----------
    train : ndarray of int64, shape (N,)
        Classes of the training samples, 0 ... K-1.
    test : ndarray of int64, shape (M,), or None
        Those of the test samples.
    class_names : tuple of str
        The names of the K classes.
    note : str or None
        What is to be said of how they were understood, if it is not plain.
    """

    train: NDArray[np.int64]
    test: NDArray[np.int64] | None
    class_names: tuple[str, ...]
    note: str | None = None

    def __repr__(self) -> str:
        """Return how many labels of how many classes."""
        test = "" if self.test is None else f"{len(self.test):,} test"
        return one_line(
            self, [f"{len(self.train):,} training", test, counted(len(self.class_names), "class", "classes")]
        )


def as_classes(
    train: Any,
    test: Any = None,
    class_names: tuple[str, ...] | None = None,
    *,
    where: tuple[str, str] = ("y_train", "y_test"),
) -> Labels:
    """Return the classes that labels stand for.

    Parameters
    ----------
    train : array-like, shape (N,), (N, 1) or (N, K)
        Labels of the training samples: whole numbers of any type, truth values, words, or one-hot rows. Objects are
        taken where they are all words or all numbers.
    test : array-like, optional
        Labels of the test samples, of the same kind.
    class_names : tuple of str, optional
        The classes' names. Labels that are words must be among them.
    where : tuple of str, default ("y_train", "y_test")
        What to call the two in messages.

    Returns
    -------
    Labels
        Without names given, words are classes by those names, sorted, by value where all are whole numbers. Whole
        numbers of which the smallest is 0 are classes as they are, ``"0"`` ... ``str(max)``, also where some in between
        do not occur, unless those are more than the ones that do; others (1 ... K; -1 and 1; 0 and 9999) are each a
        class by its own name, and a note says so. With K names given, labels 1 ... K are counted from 1, with a note.

    Raises
    ------
    DataError
        If labels are of another kind, or damaged, or a test label does not occur in training, or there are less than
        two classes.
    """
    arrays = [_array(labels, place) for labels, place in zip((train, test), where, strict=True) if labels is not None]
    plain = [_plain(array, place) for array, place in zip(arrays, where, strict=False)]
    if len({labels.dtype.kind == "U" for labels in plain}) > 1:
        kinds = ["words" if labels.dtype.kind == "U" else "numbers" for labels in plain]
        raise DataError(f"{where[0]} are {kinds[0]} but {where[1]} are {kinds[1]}: give both in one kind")
    if class_names is None:
        class_names = _implied_names(arrays[0])
    if class_names is not None:
        check_class_names(f"{where[0]}: class_names", class_names)
    convert = _from_words if plain[0].dtype.kind == "U" else _from_numbers
    codes, names, note = convert(plain, class_names, where)
    if len(codes) > 1:
        _check_trained(where[1], codes[0], codes[1], names)
    return Labels(codes[0], codes[1] if len(codes) > 1 else None, names, note)


Converted = tuple[list[NDArray[np.int64]], tuple[str, ...], str | None]


def _from_words(plain: list[NDArray[Any]], class_names: tuple[str, ...] | None, where: tuple[str, str]) -> Converted:
    advice = "which is none of the class_names: correct it, or add it there"
    if class_names is None:
        found = np.unique(plain[0]).tolist()
        class_names = tuple(sorted(found, key=int) if all(map(_is_whole, found)) else found)
        check_class_names(where[0], class_names)
        advice = _NOT_IN_TRAINING
    return [_positions(*pair, class_names, advice) for pair in zip(where, plain, strict=False)], class_names, None


def _from_numbers(plain: list[NDArray[Any]], class_names: tuple[str, ...] | None, where: tuple[str, str]) -> Converted:
    if class_names is not None:
        low, high = min(int(labels.min()) for labels in plain), max(int(labels.max()) for labels in plain)
        if low >= 1 and high == len(class_names):
            first = f"1 is taken for {class_names[0]!r}, the first of the class_names"
            return [labels.astype(np.int64) - 1 for labels in plain], class_names, f"{_run(low, high)}: {first}"
        for place, labels in zip(where, plain, strict=False):
            check_labels(labels, len(class_names), place)
        return [labels.astype(np.int64) for labels in plain], class_names, None
    # Of the training labels alone, so that what a test label claims cannot make a class.
    found = np.unique(plain[0]).tolist()
    low, high = found[0], found[-1]
    as_they_are = low == 0 and high < _LARGEST_SHARE_MISSING * len(found)
    known, note = range(high + 1) if as_they_are else found, None
    if not as_they_are:
        why = "not from 0" if low else f"and {counted(high + 1 - len(found), 'number')} in between do not occur"
        note = f"{_run(low, high)}, {why}: each of the {len(found)} numbers is a class of that name"
    names = tuple(map(str, known))
    check_class_names(where[0], names)
    return [_positions(*pair, known, _NOT_IN_TRAINING) for pair in zip(where, plain, strict=False)], names, note


def _run(low: int, high: int) -> str:
    return f"the labels run from {low} to {high}"


def _check_trained(where: str, train: NDArray[np.int64], test: NDArray[np.int64], names: tuple[str, ...]) -> None:
    """Refuse a test label that no training sample has, as a folder of images is refused with such a class."""
    unknown = np.flatnonzero(~np.isin(test, train))
    if unknown.size:
        label = names[test[unknown[0]]]
        raise DataError(f"{where}: the label at index {unknown[0]} is of class {_shown(label)}, {_NOT_IN_TRAINING}")


def _positions(where: str, labels: NDArray[Any], known: Sequence[Any], advice: str) -> NDArray[np.int64]:
    """Return the position of each label among the known ones."""
    codes = {label: code for code, label in enumerate(known)}
    found = [codes.get(label, -1) for label in labels.tolist()]
    if -1 in found:
        index = found.index(-1)
        raise DataError(f"{where}: the label at index {index} is {_shown(labels.tolist()[index])}, {advice}")
    return np.array(found, np.int64)


def _array(labels: Any, where: str) -> NDArray[Any]:
    try:
        array = np.asarray(labels)
    except ValueError as error:  # rows of different lengths
        raise DataError(f"{where} are rows of different lengths: give one label a sample") from error
    if array.ndim not in (1, 2) or array.size == 0:
        raise DataError(f"{where} have the shape {array.shape}: they must be one label a sample, and at least one")
    return array


def _implied_names(array: NDArray[Any]) -> tuple[str, ...] | None:
    """Return the names of the classes where an array has them all, whichever occur: one-hot rows, truth values."""
    if array.ndim == 2 and array.shape[1] > 1:
        return tuple(map(str, range(array.shape[1])))
    return ("False", "True") if array.dtype == bool else None


def _plain(array: NDArray[Any], where: str) -> NDArray[Any]:
    """Return labels as a row of integers or of words."""
    if array.ndim == 2 and array.shape[1] > 1:
        return _from_one_hot(array, where)
    array = array.reshape(-1)
    if array.dtype.kind == "O":
        array = _from_objects(array, where)
    if array.dtype.kind == "S":
        try:
            return np.char.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{where} are not UTF-8 ({error}): store numpy.char.encode(labels, 'utf-8')") from error
    if array.dtype.kind in "UT":
        return array.astype(np.str_)
    if array.dtype.kind in "bui":
        return array.astype(np.uint8) if array.dtype == bool else array
    if array.dtype.kind == "f":
        return _whole(array, where)
    raise DataError(f"{where} are {array.dtype}: they must be whole numbers or words")


def _from_one_hot(rows: NDArray[Any], where: str) -> NDArray[np.int64]:
    if rows.dtype.kind not in "buif":
        raise DataError(f"{where} have the shape {rows.shape}: they must be one label a sample, or one-hot rows")
    wrong = np.flatnonzero(((rows != 0) & (rows != 1)).any(axis=1) | (np.count_nonzero(rows, axis=1) != 1))
    if wrong.size:
        raise DataError(
            f"{where} have the shape {rows.shape}, but row {wrong[0]} is not one 1 among zeros: give one label a "
            "sample, such as labels.argmax(axis=1)"
        )
    places: NDArray[np.int64] = np.argmax(rows, axis=1).astype(np.int64)
    return places


def _from_objects(objects: NDArray[Any], where: str) -> NDArray[Any]:
    """Return objects as words or numbers, if all of them are."""
    kinds = [str if isinstance(one, str | bytes) else numbers.Real for one in objects[:1]]
    for index, one in enumerate(objects):
        if not isinstance(one, str | bytes if kinds[0] is str else numbers.Real):
            raise DataError(
                f"{where} hold {_shown(one)} at index {index}, among {'words' if kinds[0] is str else 'numbers'}: give "
                "every sample a label of one kind"
            )
    if kinds[0] is str:
        return np.array([one.decode(errors="replace") if isinstance(one, bytes) else one for one in objects], np.str_)
    return np.array(objects.tolist())


def _whole(array: NDArray[Any], where: str) -> NDArray[np.int64]:
    values = array.astype(np.float64)  # 2^53 is beyond the numbers of float16
    wrong = np.flatnonzero(~(np.abs(values) < 2.0**53) | (values != np.trunc(values)))
    if wrong.size:
        raise DataError(
            f"{where} are {array.dtype}, and {array[wrong[0]]} at index {wrong[0]} is not a whole number: labels are "
            "classes, whole numbers or words"
        )
    return array.astype(np.int64)


def _is_whole(word: str) -> bool:
    return word.removeprefix("-").isdecimal() and word.isascii()


def _shown(label: object) -> str:
    text = repr(label)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def near_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """Return a line on classes whose names differ in case, spaces or the encoding of letters alone, if any do."""
    known: dict[str, str] = {}
    pairs = []
    for name in class_names:
        plain = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
        if known.setdefault(plain, name) != name:
            pairs.append((known[plain], name))
    if not pairs:
        return ()
    more = f", and {counted(len(pairs) - 1, 'more pair')}" if len(pairs) > 1 else ""
    return (
        f"the classes {_shown(pairs[0][0])} and {_shown(pairs[0][1])} differ in case or spaces alone{more}: "
        "give them one name if they are one class",
    )
