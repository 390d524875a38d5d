"""What is said of samples of the user's own: that all are alike, in another unit, or that nothing tells two apart."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.labels import near_names
from bdfa_np.data.preprocess.normalization import Normalization
from bdfa_np.data.preprocess.zca import ZCA
from bdfa_np.data.samples import noun
from bdfa_np.data.splits import Part
from bdfa_np.errors import DataError
from bdfa_np.system.text import counted

Samples = NDArray[Any]

_VALUES_LOOKED_AT = 2_000_000
# Between these lies the bulk of the values, whatever outliers there are.
_BULK = (1, 99)
_OTHER_UNIT = {"images": 10, "vectors": 30}
"""So many times as wide or as narrow as in training is what two draws of one kind are not."""
_FEWEST_NARROW = 10
_FAR_OUTSIDE = {"images": 1, "vectors": 10}
"""So many widths of the training range beyond it."""
_FAR_PREPARED = 10
_MOST_LISTED = 5


def review(parts: Mapping[str, Part], class_names: tuple[str, ...]) -> tuple[str, ...]:
    """Return a line on each thing that the samples have and that their owner may not expect.

    Parameters
    ----------
    parts : mapping of str to tuple of ndarray
        Raw samples (N, H, W, C) or (N, d) and classes (N,) of ``"train"``, and of ``"validation"`` and ``"test"`` where
        there are these.
    class_names : tuple of str
        The names of the K classes.

    Returns
    -------
    tuple of str
        On names that differ in case or spaces alone, on images that are the same as one of another class, and on
        values far from those of the training samples.

    Raises
    ------
    DataError
        If all training samples are the same, or the test samples are in another unit than they.
    """
    train, labels = parts["train"]
    if len(train) > 1 and _are_the_same(train):
        raise DataError(
            f"all {len(train):,} training {noun(train)} are the same once they are read: nothing can be learnt of them"
        )
    notes = list(near_names(class_names))
    if train.ndim == 4:
        alike = _of_two_classes(train, labels)
        if alike:
            notes.append(
                f"{counted(alike, 'training image')} once read the same as {'one' if alike == 1 else 'others'} of "
                "another class: what told them apart was lost, or a label is wrong"
            )
    for part, (samples, _) in parts.items():
        if part != "train":
            notes += _in_another_range(train, samples, part)
    return tuple(notes)


def _are_the_same(samples: Samples) -> bool:
    # The second differs nearly always, so that nothing more is looked at.
    return bool((samples[1] == samples[0]).all() and (samples == samples[0]).all())


def _of_two_classes(images: Samples, labels: NDArray[np.int64]) -> int:
    """Return how many images are the same as an earlier one of another class."""
    first: dict[int, int] = {}
    return sum(
        first.setdefault(hash(image.tobytes()), label) != label
        for image, label in zip(images, labels.tolist(), strict=True)
    )


def _in_another_range(train: Samples, samples: Samples, part: str) -> list[str]:
    """Return a line where samples lie far from the training samples; refuse test samples in another unit."""
    kind = noun(train)
    low, high = _range(train)
    there_low, there_high = _range(samples)
    bulk, bulk_there = _bulk(train), _bulk(samples)
    comparable = np.flatnonzero((bulk > 0) & (bulk_there > 0))
    ratios = bulk_there[comparable] / bulk[comparable]
    wide = ratios >= _OTHER_UNIT[kind]
    # Of few samples the bulk may be narrow by chance.
    narrow = (ratios <= 1 / _OTHER_UNIT[kind]) & (len(samples) >= _FEWEST_NARROW)
    if part == "test" and 2 * max(wide.sum(), narrow.sum()) > np.count_nonzero(bulk):
        place = comparable[wide if wide.sum() > narrow.sum() else narrow][0]
        which = "the test images run" if kind == "images" else f"column {place + 1} of the test vectors runs"
        raise DataError(
            f"{which} from {there_low[place]:g} to {there_high[place]:g} where the training {kind} run from "
            f"{low[place]:g} to {high[place]:g}: bring both to one unit"
        )
    width = _FAR_OUTSIDE[kind] * (high - low)
    outside = (there_low < low - width) | (there_high > high + width)
    outside[comparable] |= wide | narrow
    if not outside.any():
        return []
    first = int(np.flatnonzero(outside)[0])
    ranges = f"{there_low[first]:g} to {there_high[first]:g}, in training {low[first]:g} to {high[first]:g}"
    if kind == "images":
        return [f"the {part} images hold values far from those of the training images: {ranges}"]
    columns = f"{counted(int(outside.sum()), 'column')} of {len(outside):,} {'holds' if outside.sum() == 1 else 'hold'}"
    return [f"{columns} {part} values far from those in training: column {first + 1} {ranges}"]


def _range(samples: Samples) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the smallest and the largest values: one of images, one a column of vectors."""
    axis = None if samples.ndim == 4 else 0
    lowest, highest = (np.atleast_1d(np.asarray(end(axis), np.float64)) for end in (samples.min, samples.max))
    return lowest, highest


def _bulk(samples: Samples) -> NDArray[np.float64]:
    """Return how wide the bulk of the values is: one number of images, one a column of vectors."""
    step = max(1, samples.size // _VALUES_LOOKED_AT)
    lower, upper = np.percentile(samples[::step], _BULK, axis=None if samples.ndim == 4 else 0)
    return np.atleast_1d(np.asarray(upper - lower, np.float64))


def divides_place_by_place(fitted: Normalization | ZCA) -> bool:
    """Return whether what hardly varies in training is amplified more than the rest."""
    return isinstance(fitted, ZCA) or fitted.kind in ("image", "column")


def largest_prepared(fitted: Normalization | ZCA, samples: Samples) -> float:
    """Return the largest absolute value that a normalization makes of samples, from the range of each place alone."""
    ends = np.stack([samples.min(axis=0), samples.max(axis=0)])
    return float(np.abs(fitted.apply(ends, np.empty(ends.shape, np.float32))).max())


def far_from_prepared(fitted: Normalization | ZCA, largest: Mapping[str, float]) -> tuple[str, ...]:
    """Return a line where preparing makes much larger values of other samples than of training samples.

    That is what becomes of a direction, or a place, that hardly varies in training and is divided by its deviation.

    Parameters
    ----------
    fitted : Normalization or ZCA
        What was fitted to the training samples.
    largest : mapping of str to float
        The largest absolute prepared value of ``"train"``, and of other parts.

    Returns
    -------
    tuple of str
        A line on the part that leaves the training range most, if one does by a factor of ten.
    """
    part = max(largest, key=largest.__getitem__)
    if not divides_place_by_place(fitted) or largest[part] <= _FAR_PREPARED * largest["train"]:
        return ()
    if isinstance(fitted, ZCA):
        done, advice = "whitening", "a larger --zca-epsilon amplifies less what hardly varies in training"
    else:
        done, place = f"normalization {fitted.kind}", "place" if fitted.kind == "image" else "column"
        advice = f"it divides each {place} by its own deviation, and --normalization simple all by one"
    return (
        f"{done} makes {part} values of up to {largest[part]:,.0f}, where those in training reach "
        f"{largest['train']:,.0f}: {advice}",
    )
