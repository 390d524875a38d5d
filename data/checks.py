"""What the images and labels of every data set must be, and what is said of classes that the labels do not bear out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.errors import DataError
from bdfa_np.system.memory import beyond_memory
from bdfa_np.system.text import counted

_IMAGES_PER_CHECK = 1024
_MOST_LISTED = 5
_LONGEST_NAME = 24
# A run counts what it trained on, what it tests on and what its last epoch came to.
_CONFUSION_MATRICES = 3


def check_images(images: NDArray[Any], where: str) -> None:
    """Refuse images that cannot be used.

    Parameters
    ----------
    images : ndarray
        What should be (N, H, W, C) or (N, d), uint8 or floating, none of these 0, every value finite.
    where : str
        What to call them in the message.

    Raises
    ------
    DataError
        If they are something else.
    """
    if images.ndim not in (2, 4) or images.size == 0:
        raise DataError(
            f"{where} have the shape {images.shape}: they must be (images, height, width, channels) "
            "or (vectors, entries), none of them 0"
        )
    floating = np.issubdtype(images.dtype, np.floating)
    if not floating and images.dtype != np.uint8:
        raise DataError(f"{where} are {images.dtype}: they must be uint8 or floating-point numbers")
    # In blocks, so that the check needs little memory beside the images.
    for start in range(0, len(images) if floating else 0, _IMAGES_PER_CHECK):
        finite = np.isfinite(images[start : start + _IMAGES_PER_CHECK])
        if not finite.all():
            place = np.argwhere(~finite)[0]
            place[0] += start
            index = tuple(int(i) for i in place)
            raise DataError(f"{where} hold {images[index]} at {index}: every value must be a finite number")


def check_labels(labels: NDArray[Any], classes: int, where: str) -> None:
    """Refuse labels that are not whole numbers from 0 to ``classes - 1``.

    Parameters
    ----------
    labels : ndarray
        What should be integers of shape (N,), N at least 1.
    classes : int
        The number of classes.
    where : str
        What to call them in the message.

    Raises
    ------
    DataError
        If they are something else; the message names the first wrong label and its index.
    """
    if labels.ndim != 1 or labels.size == 0:
        raise DataError(f"{where} have the shape {labels.shape}: they must be one number an image, and at least one")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{where} are {labels.dtype}: they must be integers")
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        index = int(wrong[0])
        raise DataError(f"{where}: label {labels[index]} at index {index} is out of range 0..{classes - 1}")


def check_classes(classes: int, where: str) -> None:
    """Refuse more classes than the counts of true and predicted ones have memory for.

    Parameters
    ----------
    classes : int
        K.
    where : str
        What has them, for the message.

    Raises
    ------
    DataError
        If K x K counts do not fit into the machine's memory.
    """
    too_much = beyond_memory(_CONFUSION_MATRICES * 8 * classes**2)
    if too_much:
        raise DataError(
            f"{where}: the confusion counts of {classes:,} classes {too_much}: leave out those without samples"
        )


def class_notes(
    train: NDArray[np.int64],
    tested: NDArray[np.int64] | None,
    class_names: Sequence[str],
    *,
    tested_on: str = "test",
    limited: bool = False,
) -> tuple[str, ...]:
    """Return a line on classes without training samples, on those with a single one, and on those without test samples.

    Parameters
    ----------
    train : ndarray of int64, shape (N,)
        Classes of the training samples.
    tested : ndarray of int64, shape (M,), or None
        Those of the samples to test on, where there are some.
    class_names : sequence of str
        The names of the K classes.
    tested_on : str, default "test"
        What the samples to test on are called.
    limited : bool, default False
        Whether few samples were asked for, so that a single one of a class is no surprise.

    Returns
    -------
    tuple of str
        None, of data that bear out what is claimed.
    """
    K = len(class_names)
    counts = np.bincount(train, minlength=K)
    lacking, single = np.flatnonzero(counts == 0), np.flatnonzero(counts == 1)
    notes = []
    if lacking.size:
        lost = 0 if tested is None else int(np.isin(tested, lacking).sum())
        samples = counted(lost, f"{tested_on} sample")
        errors = f"; {samples} of such a class can only be {'errors' if lost > 1 else 'an error'}" if lost else ""
        notes.append(f"{_of(lacking, class_names, 'no training sample')}{errors}")
    if single.size and not limited:
        notes.append(_of(single, class_names, "a single training sample"))
    if tested is not None:
        untested = np.flatnonzero((np.bincount(tested, minlength=K) == 0) & (counts > 0))
        if untested.size:
            notes.append(_of(untested, class_names, f"no {tested_on} sample"))
    return tuple(notes)


def _of(classes: NDArray[np.intp], names: Sequence[str], what: str) -> str:
    listed = [
        name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
        for name in (names[k] for k in classes[:_MOST_LISTED])
    ]
    more = f" and {len(classes) - _MOST_LISTED:,} more" if len(classes) > _MOST_LISTED else ""
    have = "has" if len(classes) == 1 else "have"
    return f"{len(classes):,} of {counted(len(names), 'class', 'classes')} {have} {what}: {', '.join(listed)}{more}"
