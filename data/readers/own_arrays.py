"""What the arrays of a user's own data set must be: asked of their headers first, then of their values."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from bdfa_np.data.samples import check_layout, with_channels
from bdfa_np.errors import DataError
from bdfa_np.system.memory import beyond_memory

CLASS_NAMES = "class_names"
_MOST_LISTED = 10
_LONGEST_LABEL = 4096

_SCHEMES: tuple[tuple[str, ...], ...] = (
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("x_train", "y_train", "x_test", "y_test"),
    ("X_train", "y_train", "X_test", "y_test"),
    ("images", "labels"),
    ("x", "y"),
    ("X", "y"),
)
"""What samples and labels may be called, those of Keras and scikit-learn too, with a test part and without."""
ARRAYS = frozenset(name for scheme in _SCHEMES for name in scheme)
"""Every one of these names."""
TEXTS = frozenset(name for scheme in _SCHEMES for name in scheme[1::2]) | {CLASS_NAMES}
"""Those of arrays that may hold words."""


def chosen_arrays(path: Path, found: Collection[str]) -> dict[str, tuple[str, str]]:
    """Return which arrays of a file are its samples and labels.

    Parameters
    ----------
    path : pathlib.Path
        The file, for the messages.
    found : collection of str
        The names of all arrays in it.

    Returns
    -------
    dict of str to tuple of str
        The names of samples and labels, of ``"train"`` and, where there is one, ``"test"``.

    Raises
    ------
    DataError
        If one of them is missing.
    """
    scheme = max(_SCHEMES, key=lambda names: len(set(names) & set(found)))  # the first of those with as many
    wanted = {"train": (scheme[0], scheme[1])}
    if set(scheme[2:]) & set(found):
        wanted["test"] = scheme[2], scheme[3]
    for name in (name for pair in wanted.values() for name in pair):
        if name not in found:
            listed = sorted(filter(str.isprintable, found))[:_MOST_LISTED]
            held = f"; it holds {', '.join(listed)}" if listed else ""
            raise DataError(
                f"{path}: holds no array {name}: it needs {', '.join(_SCHEMES[0])}, or {', '.join(_SCHEMES[1])}{held}"
            )
    return wanted


@dataclass(frozen=True)
class Claim:
    """What a file says of an array, before any of it is read.

    Parameters
    ----------
    shape : tuple of int
        Its shape.
    dtype : numpy.dtype
        Its type.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """The number of bytes that it takes in memory."""
        return prod(self.shape) * self.dtype.itemsize


def without_objects(name: str) -> str:
    """Return how an array of Python objects is to be stored instead."""
    values = f"numpy.array({name}, dtype=str)" if name in TEXTS else f"numpy.stack({name}).astype('float32')"
    return f"store {values}"


def check_claims(path: Path, names: Mapping[str, tuple[str, str]], claims: Mapping[str, Claim]) -> None:
    """Refuse arrays that cannot be a data set, or are too large, before memory is taken for them.

    Parameters
    ----------
    path : pathlib.Path
        Where they are, for the messages.
    names : mapping of str to tuple of str
        As `chosen_arrays` has it.
    claims : mapping of str to Claim
        The arrays by name.

    Raises
    ------
    DataError
        If an array has a type or a shape that cannot be used, or they do not fit each other or the machine's memory.
    """
    for image_name, label_name in names.values():
        images, labels = claims[image_name], claims[label_name]
        _check_images_claim(f"{path}: {image_name}", images)
        _check_labels_claim(f"{path}: {label_name}", labels)
        if images.shape[0] != labels.shape[0]:
            raise DataError(
                f"{path}: {images.shape[0]} {image_name} but {labels.shape[0]} {label_name}: give each sample one label"
            )
    samples = {image_name: claims[image_name] for image_name, _ in names.values()}
    if len(samples) == 2:
        _check_alike(path, samples)
    # What is read, and what it is converted to, are there together.
    needed = sum(claim.nbytes for claim in claims.values()) + sum(map(_converted_nbytes, samples.values()))
    too_much = beyond_memory(needed)
    if too_much:
        shapes = " and ".join(f"{name} {claim.shape}" for name, claim in samples.items())
        raise DataError(f"{path}: its {shapes} {too_much}: store fewer")


def _check_alike(path: Path, samples: Mapping[str, Claim]) -> None:
    (train_name, train), (test_name, test) = samples.items()
    shapes = [with_channels(claim.shape)[1:] for claim in (train, test)]
    if shapes[0] != shapes[1]:
        raise DataError(
            f"{path}: a sample of {train_name} is {shapes[0]} but one of {test_name} is {shapes[1]}: "
            "make their shapes the same"
        )
    if (train.dtype.kind == "f") != (test.dtype.kind == "f"):
        raise DataError(
            f"{path}: {train_name} are {train.dtype} but {test_name} are {test.dtype}: "
            "store both as uint8, or both as floating-point numbers on one scale"
        )


def _check_images_claim(where: str, claim: Claim) -> None:
    if claim.dtype == bool:
        raise DataError(f"{where} are bool: store them as uint8, 255 for true")
    if claim.dtype.kind not in "uif":
        raise DataError(f"{where} are {claim.dtype}: they must be uint8 or floating-point numbers")
    if len(claim.shape) not in (2, 3, 4) or 0 in claim.shape:
        raise DataError(
            f"{where} have the shape {claim.shape}: they must be (images, height, width, channels), "
            "(images, height, width) or (vectors, entries), none of them 0"
        )
    check_layout(where, claim.shape)


def _check_labels_claim(where: str, claim: Claim) -> None:
    if len(claim.shape) not in (1, 2) or 0 in claim.shape:
        raise DataError(f"{where} have the shape {claim.shape}: they must be one label a sample, and at least one")
    if claim.dtype.kind not in "buifUS" or claim.dtype.itemsize > _LONGEST_LABEL:
        raise DataError(f"{where} are {claim.dtype}: they must be whole numbers or words")


def _converted_nbytes(claim: Claim) -> int:
    if claim.dtype in (np.uint8, np.float32):
        return 0
    return prod(claim.shape) * (4 if claim.dtype.kind == "f" else 1)
