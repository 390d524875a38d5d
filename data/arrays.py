"""Arrays of samples and labels as the parts of a data set."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.labels import as_classes
from bdfa_np.data.samples import from_values
from bdfa_np.data.stratified import held_out
from bdfa_np.errors import DataError
from bdfa_np.representation import one_line
from bdfa_np.system.text import counted

Part = tuple[NDArray[Any], NDArray[np.int64]]
"""Samples and their classes."""


@dataclass(frozen=True, eq=False)
class Taken:
    """Arrays as the package keeps them.

    Attributes
    ----------
    parts : dict of str to tuple of ndarray
        Samples and classes of ``"train"`` and, where it was given, ``"test"``.
    class_names : tuple of str
        The names of the K classes.
    checksums : dict of str to str
        SHA-256 of each array, as ``x_train``, ``y_train`` and so on.
    note : str or None
        How the labels were understood, if it is not plain.
    """

    parts: dict[str, Part]
    class_names: tuple[str, ...]
    checksums: dict[str, str]
    note: str | None

    def __repr__(self) -> str:
        """Return how many samples of how many classes."""
        parts = [f"{len(labels):,} {name}" for name, (_, labels) in self.parts.items()]
        return one_line(self, [*parts, counted(len(self.class_names), "class", "classes")])


def take_arrays(given: Mapping[str, tuple[Any, Any]], class_names: tuple[str, ...] | None, name: str) -> Taken:
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
    return Taken(parts, labels.class_names, checksums, labels.note)


def divided(parts: dict[str, Part], test_fraction: float | None, seed: int, name: str) -> dict[str, Part]:
    """Return a part to train on and a part to test on.

    Parameters
    ----------
    parts : dict of str to tuple of ndarray
        ``"train"`` and, where there is one, ``"test"``.
    test_fraction : float or None
        How much of the first is to become the second; None where both are there.
    seed : int
        From which it is drawn which; see `bdfa_np.data.stratified.held_out`.
    name : str
        What the data set is called, in messages.

    Raises
    ------
    DataError
        If there is nothing to test on, or a fraction is given as well, or it comes to nothing.
    """
    if "test" in parts and test_fraction is None:
        return parts
    if "test" in parts:
        raise DataError(f"{name}: has a test part of its own: leave out the test fraction")
    if test_fraction is None:
        raise DataError(f"{name}: has no test part: give a test fraction, such as 0.2 to test on a fifth of it")
    x, y = parts["train"]
    train, test = held_out(y, test_fraction, seed, name)
    return {"train": (x[train], y[train]), "test": (x[test], y[test])}


def _check_parts(parts: Mapping[str, Part], name: str) -> None:
    """Refuse parts that do not fit each other, in the words of who gave them."""
    for part, (samples, labels) in parts.items():
        if len(samples) != len(labels):
            raise DataError(
                f"{name}: {len(samples)} samples in x_{part} but {len(labels)} labels in y_{part}: give every sample "
                "one label"
            )
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
