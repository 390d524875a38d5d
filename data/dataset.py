"""A data set in memory, checked once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.arrays import Whole, take_arrays
from bdfa_np.data.checks import check_images, check_labels
from bdfa_np.data.preprocess.resizing import resize_images
from bdfa_np.errors import DataError
from bdfa_np.representation import one_line, shape_text
from bdfa_np.system.text import counted


# Comparing two of these compares arrays, which has no single truth value: so eq=False.
@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels of a training and a test set.

    Parameters
    ----------
    name : str
        The registry's name, or one of the user's own.
    train_images : ndarray of uint8 or floating, shape (N, H, W, C) or (N, d)
        Images, or vectors of d numbers, to train on.
    train_labels : ndarray of integers, shape (N,)
        Their classes, 0 ... K-1; kept as int64.
    test_images : ndarray of uint8 or floating, shape (M, H, W, C) or (M, d)
        Images, or vectors, to test on.
    test_labels : ndarray of integers, shape (M,)
        Their classes.
    class_names : tuple of str
        The names of the K classes.
    checksums : dict of str to str, optional
        SHA-256 of the uncompressed content of each file that was read; empty by default.
    notes : tuple of str, optional
        Lines on what was left out, altered or decided in reading that its owner may not expect; empty by default.

    Raises
    ------
    DataError
        If a part is empty, has the wrong number of dimensions or type, holds a label outside 0 ... K-1 or a value
        that is not finite, or does not fit the other parts.
    """

    name: str
    train_images: NDArray[Any]
    train_labels: NDArray[np.int64]
    test_images: NDArray[Any]
    test_labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    checksums: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for part, images, labels in (
            ("train", self.train_images, self.train_labels),
            ("test", self.test_images, self.test_labels),
        ):
            check_images(images, f"{self.name}: {part}_images")
            check_labels(labels, len(self.class_names), f"{self.name}: {part}_labels")
            if len(images) != len(labels):
                raise DataError(
                    f"{self.name}: {len(images)} {part}_images but {len(labels)} {part}_labels: "
                    "give every image one label"
                )
            # A frozen dataclass refuses plain assignment.
            object.__setattr__(self, f"{part}_labels", labels.astype(np.int64, copy=False))
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise DataError(
                f"{self.name}: train_images are {self.train_images.shape[1:]} but test_images are "
                f"{self.test_images.shape[1:]}: make one sample's shape the same in both"
            )
        if (self.train_images.dtype == np.uint8) != (self.test_images.dtype == np.uint8):
            raise DataError(
                f"{self.name}: train_images are {self.train_images.dtype} but test_images are "
                f"{self.test_images.dtype}: give both as uint8, or both as floating-point numbers on one scale"
            )

    @classmethod
    def from_arrays(
        cls,
        x_train: Any,
        y_train: Any,
        x_test: Any = None,
        y_test: Any = None,
        *,
        class_names: Sequence[str] | None = None,
        test_fraction: float | None = None,
        seed: int = 0,
        name: str = "arrays",
    ) -> "Dataset":
        """Return a data set of arrays.

        Parameters
        ----------
        x_train : array-like, shape (N, H, W, C), (N, H, W) or (N, d)
            Images of one or more channels, or vectors, to train on: uint8 and floating-point numbers as they are,
            other integers as `bdfa_np.data.samples.from_values` has it.
        y_train : array-like, shape (N,), (N, 1) or (N, K)
            Their labels: whole numbers, words or one-hot rows; see `bdfa_np.data.labels.as_classes`.
        x_test, y_test : array-like, optional
            The same to test on.
        class_names : sequence of str, optional
            The names of the classes.
        test_fraction : float, optional
            Where there is nothing to test on, how much of the rest is taken for that, between 0 and 1, each class in
            its proportion.
        seed : int, default 0
            From which it is drawn which.
        name : str, default "arrays"
            What to call it.

        Returns
        -------
        Dataset
            Its checksums are SHA-256 of the type, the shape and the bytes of each array as it is kept, so that the
            same values have the same ones whatever they came in.

        Raises
        ------
        DataError
            If an array has a type, shape or value that cannot be used, they do not fit each other, or there is nothing
            to test on.

        Examples
        --------
        >>> x = [[0.0, 1.5], [1.0, 0.5], [0.5, 2.0], [2.0, 0.0]]
        >>> y = ["cat", "dog", "cat", "dog"]
        >>> data = Dataset.from_arrays(x, y, test_fraction=0.5)
        >>> data.class_names, data.train_images.shape, data.test_labels.tolist()
        (('cat', 'dog'), (2, 2), [0, 1])
        """
        given = {"train": (x_train, y_train)}
        if x_test is not None or y_test is not None:
            given["test"] = x_test, y_test
        names = None if class_names is None else tuple(class_names)
        return cls.from_whole(take_arrays(given, names, name), test_fraction, seed)

    @classmethod
    def from_whole(cls, whole: Whole, test_fraction: float | None = None, seed: int = 0) -> "Dataset":
        """Return a data set as it was given, divided where it is not.

        Parameters
        ----------
        whole : Whole
            What was read.
        test_fraction : float, optional
            How much of it is tested on, where it has no test part.
        seed : int, default 0
            From which it is drawn which.

        Raises
        ------
        DataError
            If there is nothing to test on, or a fraction is given as well, or it comes to nothing.
        """
        parts = whole.divided(test_fraction, seed)
        return cls(whole.name, *parts["train"], *parts["test"], whole.class_names, whole.checksums, whole.notes)

    def __repr__(self) -> str:
        """Return how many samples of which shape and type, in how many classes."""
        noun = "images" if len(self.input_shape) == 3 else "vectors"
        samples = f"{len(self.train_labels):,} training and {len(self.test_labels):,} test {noun}"
        shape = f"{shape_text(self.input_shape)} {self.train_images.dtype}"
        return one_line(self, [f"{self.name}: {samples}", shape, counted(len(self.class_names), "class", "classes")])

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape (H, W, C), or (d,), of one sample."""
        return self.train_images.shape[1:]

    def resized(self, size: int) -> "Dataset":
        """Return it with its images scaled to ``size`` rows and columns, as `resize_images` does it."""
        train, test = resize_images(self.train_images, size), resize_images(self.test_images, size)
        return replace(self, train_images=train, test_images=test)
