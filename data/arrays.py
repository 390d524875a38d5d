"""Arrays of samples and labels as the parts of a data set."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.labels import as_classes
from bdfa_np.data.preprocess.resizing import resize_images
from bdfa_np.data.samples import from_values
from bdfa_np.data.stratified import held_out
from bdfa_np.errors import DataError
from bdfa_np.representation import one_line
from bdfa_np.system.text import counted

Part = tuple[NDArray[Any], NDArray[np.int64]]
"""Samples and their classes."""


@dataclass(frozen=True, eq=False)
class Whole:
    """A data set as it was given: divided into a part to train on and one to test on, or not yet.

    Attributes
    ----------
    name : str
        What it is called.
    parts : dict of str to tuple of ndarray
        Samples and classes of ``"train"`` and, where there is one, ``"test"``.
    class_names : tuple of str
        The names of the K classes.
    checksums : dict of str to str
        SHA-256 of what was read.
    notes : tuple of str
        What is to be said of how it was read.
    """

    name: str
    parts: dict[str, Part]
    class_names: tuple[str, ...]
    checksums: dict[str, str]
    notes: tuple[str, ...] = ()

    def resized(self, size: int) -> "Whole":
        """Return it with its images scaled to ``size`` rows and columns, as `resize_images` does it."""
        return replace(self, parts={part: (resize_images(x, size), y) for part, (x, y) in self.parts.items()})

    def divided(self, test_fraction: float | None, seed: int) -> dict[str, Part]:
        """Return a part to train on and a part to test on.

        Parameters
        ----------
        test_fraction : float or None
            How much of the first is to become the second; None where both are there.
        seed : int
            From which it is drawn which; see `bdfa_np.data.stratified.held_out`.

        Raises
        ------
        DataError
            If there is nothing to test on, or a fraction is given as well, or it comes to nothing.
        """
        check_test_fraction(self.name, "test" in self.parts, test_fraction)
        if test_fraction is None:
            return self.parts
        x, y = self.parts["train"]
        train, test = held_out(y, test_fraction, seed, self.name)
        return {"train": (x[train], y[train]), "test": (x[test], y[test])}

    def __repr__(self) -> str:
        """Return how many samples of how many classes."""
        parts = [f"{len(labels):,} {name}" for name, (_, labels) in self.parts.items()]
        return one_line(self, [*parts, counted(len(self.class_names), "class", "classes")])


def check_test_fraction(where: str, has_test: bool, test_fraction: float | None) -> None:
    """Refuse a data set with nothing to test on, or with two things.

    Parameters
    ----------
    where : str
        What to call it in the message.
    has_test : bool
        Whether it has a test part of its own.
    test_fraction : float or None
        How much of it is to be tested on.

    Raises
    ------
    DataError
        Unless it is one or the other.
    """
    if has_test and test_fraction is not None:
        raise DataError(f"{where}: has a test part of its own: leave out --test-fraction")
    if not has_test and test_fraction is None:
        raise DataError(
            f"{where}: has no test part: add --test-fraction 0.2 (in Python, test_fraction=0.2) to test on a fifth"
        )


def take_arrays(given: Mapping[str, tuple[Any, Any]], class_names: tuple[str, ...] | None, name: str) -> Whole:
    """Convert and check arrays.

    Parameters
    ----------
    given : mapping of str to tuple of array-like
        Samples and labels of ``"train"`` and, where there is one, ``"test"``.
    class_names : tuple of str or None
        The names of the classes, where they are given.
    name : str
        What the data set is called, in messages.

    Raises
    ------
    DataError
        If an array has a type, shape or value that cannot be used, is missing, or they do not fit each other.
    """
    for part, (x, y) in given.items():
        if x is None or y is None:
            raise DataError(f"{name}: x_{part} and y_{part} belong together: give both")
    samples = {part: from_values(f"{name}: x_{part}", x) for part, (x, _) in given.items()}
    labels = as_classes(
        given["train"][1],
        given["test"][1] if "test" in given else None,
        class_names,
        where=(f"{name}: y_train", f"{name}: y_test"),
    )
    parts: dict[str, Part] = {"train": (samples["train"], labels.train)}
    if labels.test is not None:
        parts["test"] = samples["test"], labels.test
    _check_parts(parts, name)
    checksums = {f"x_{part}": _sha256(x) for part, (x, _) in parts.items()}
    checksums |= {f"y_{part}": _sha256(y, *labels.class_names) for part, (_, y) in parts.items()}
    notes = () if labels.note is None else (f"{name}: {labels.note}",)
    return Whole(name, parts, labels.class_names, checksums, notes)


def _check_parts(parts: Mapping[str, Part], name: str) -> None:
    """Refuse parts that do not fit each other, in the words of who gave them."""
    for part, (samples, labels) in parts.items():
        if len(samples) != len(labels):
            given = f"{counted(len(samples), 'sample')} in x_{part} but {counted(len(labels), 'label')} in y_{part}"
            raise DataError(f"{name}: {given}: give every sample one label")
    train, test = parts["train"][0], parts.get("test", parts["train"])[0]
    if train.shape[1:] != test.shape[1:]:
        raise DataError(
            f"{name}: a sample of x_train is {train.shape[1:]} but one of x_test is {test.shape[1:]}: make their "
            "shapes the same"
        )
    if train.dtype != test.dtype:
        raise DataError(
            f"{name}: x_train comes to {train.dtype} but x_test to {test.dtype}: give both as uint8, or both as "
            "floating-point numbers on one scale"
        )


def _sha256(array: NDArray[Any], *names: str) -> str:
    """Return the SHA-256 of what an array is, and of the names that its numbers stand for."""
    digest = hashlib.sha256(repr((array.dtype.name, array.shape, names)).encode())
    digest.update(np.ascontiguousarray(array).data.cast("B"))
    return digest.hexdigest()
