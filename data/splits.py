"""Which images a run trains on and which it tests on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.dataset import Dataset
from bdfa_np.data.samples import noun
from bdfa_np.data.stratified import stratified
from bdfa_np.errors import DataError
from bdfa_np.random_streams import Streams
from bdfa_np.representation import one_line, shape_text
from bdfa_np.system.text import counted

VERSION = 1
"""Part of what a prepared file is found by: raise it when the same images would come out otherwise."""

Part = tuple[NDArray[Any], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Split:
    """The two parts of one run.

    Parameters
    ----------
    train_images : ndarray, shape (N, H, W, C)
        Images to train on; a view of the data set's where they are a stretch of it.
    train_labels : ndarray of int64, shape (N,)
        Their classes.
    test_images : ndarray, shape (M, H, W, C)
        Images to measure the error on: the test set, or the validation part.
    test_labels : ndarray of int64, shape (M,)
        Their classes.
    class_names : tuple of str
        The names of the K classes.
    description : str
        What the two parts are, in one line.
    """

    train_images: NDArray[Any]
    train_labels: NDArray[np.int64]
    test_images: NDArray[Any]
    test_labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    description: str

    def __repr__(self) -> str:
        """Return what the two parts are."""
        classes = counted(len(self.class_names), "class", "classes")
        return one_line(self, [self.description, f"{shape_text(self.input_shape)} {self.train_images.dtype}", classes])

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape (H, W, C), or (d,), of one sample."""
        return self.train_images.shape[1:]

    @property
    def holds_vectors(self) -> bool:
        """Whether its samples are vectors, such as the rows of a table, and no images."""
        return self.train_images.ndim == 2


def validation_size(count: int, asked: bool | float = True) -> int:
    """Return how many of a training set's images are its validation part.

    Parameters
    ----------
    count : int
        Images in the training set.
    asked : bool, int or float, default True
        A number of images; a fraction, whose number is rounded; or True: 10,000, or a fifth (rounded down) of fewer
        than 50,000.

    Returns
    -------
    int
        The number, whether there are so many or not.
    """
    if asked is True:
        return 10_000 if count >= 50_000 else count // 5
    return round(asked * count) if isinstance(asked, float) else asked


def split(
    dataset: Dataset,
    *,
    validate: bool | float = False,
    train_limit: int | None = None,
    test_limit: int | None = None,
    seed: int = 0,
) -> Split:
    """Choose the parts of a data set that a run trains and tests on.

    Parameters
    ----------
    dataset : Dataset
        The whole of it.
    validate : bool, int or float, default False
        Whether to test on the last `validation_size` images of the training set, and to train on the rest, instead
        of touching the test set; a number of images or a fraction of them says how many.
    train_limit, test_limit : int, optional
        Keep this many images of the part, each class in its proportion, in their order; by default all of them.
    seed : int, default 0
        From which it is drawn which images a limit keeps.

    Returns
    -------
    Split
        The two parts.

    Raises
    ------
    DataError
        If a limit is below 1 or above what there is, or so many images cannot be held out.
    """
    train = dataset.train_images, dataset.train_labels
    test = dataset.test_images, dataset.test_labels
    test_name = "test"
    if validate:
        count = len(dataset.train_labels)
        held_out = validation_size(count, validate)
        samples = noun(train[0])
        if validate is True and held_out == 0:
            raise DataError(
                f"{dataset.name}: {count} training {samples} are too few to hold out a fifth for validation"
            )
        if not 0 < held_out < count:
            raise DataError(
                f"--validate {validate} holds out {held_out} of {dataset.name}'s {count} training {samples}: "
                f"some must be held out and some be left, so choose from 1 to {count - 1}"
            )
        test = dataset.train_images[-held_out:], dataset.train_labels[-held_out:]
        train = dataset.train_images[:-held_out], dataset.train_labels[:-held_out]
        test_name = "validation"
    train, train_text = limited(train, train_limit, seed, "train", "training")
    test, test_text = limited(test, test_limit, seed, "test", test_name)
    return Split(*train, *test, dataset.class_names, f"{dataset.name}: {train_text} and {test_text}")


def limited(part: Part, limit: int | None, seed: int, stream: str, name: str) -> tuple[Part, str]:
    """Limit one part.

    Parameters
    ----------
    part : tuple of ndarray
        Images and labels.
    limit : int or None
        How many of them to keep; all by default.
    seed : int
        From which it is drawn which.
    stream : {"train", "test"}
        The stream they are drawn from, as in the option's name.
    name : str
        What to call the part.

    Returns
    -------
    part : tuple of ndarray
        What is kept, each class in its proportion.
    description : str
        How many of how many, in a few words.

    Raises
    ------
    DataError
        If the limit is below 1 or above what there is.
    """
    images, labels = part
    count = len(labels)
    if limit is None:
        return part, f"{count} {name} {noun(images)}"
    if not 1 <= limit <= count:
        raise DataError(f"--{stream}-limit {limit} is not possible: choose from 1 to the {count} {name} {noun(images)}")
    if limit < count:
        kept = stratified(labels, limit, Streams(seed).generator("subset", stream))
        part = images[kept], labels[kept]
    return part, f"{limit} of {count} {name} {noun(images)}"
