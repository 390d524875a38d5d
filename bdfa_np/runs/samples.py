"""Samples to be predicted: pictures, folders of them, arrays in files, or a part of a data set."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bdfa_np.data import Preprocessing, load_dataset
from bdfa_np.data.readers.own_npz import NpzFile
from bdfa_np.data.readers.picture_file import Remark, read_picture, summary
from bdfa_np.data.readers.reading import open_data_file
from bdfa_np.data.sources.image_listing import PICTURE_SUFFIXES
from bdfa_np.errors import DataError
from bdfa_np.predictions import numbered
from bdfa_np.representation import one_line, shape_text
from bdfa_np.system.memory import beyond_memory
from bdfa_np.system.text import counted

SAMPLE_ARRAYS = ("x", "images", "x_test", "test_images")
LABEL_ARRAYS = ("y", "labels", "y_test", "test_labels")

Note = Callable[[str], None]


# Comparing two of these compares arrays, which has no single truth value: so eq=False.
@dataclass(frozen=True, eq=False)
class Samples:
    """Raw samples with names, and with labels where these are known.

    Attributes
    ----------
    names : list of str
        What each sample is called: a file's path, or an array's name and the position in it.
    raw : ndarray, shape (N, H, W, C) or (N, d)
        Values as they are in files.
    labels : ndarray of int64, shape (N,), or None
        The classes.
    """

    names: list[str]
    raw: NDArray[Any]
    labels: NDArray[np.int64] | None = None

    def __repr__(self) -> str:
        """Return how many samples there are, of what, and whether their classes are known."""
        known = "" if self.labels is None else "of known classes"
        return one_line(self, [counted(len(self.names), "sample"), shape_text(self.raw.shape[1:]), known])


def read_files(paths: Sequence[Path], preprocessing: Preprocessing, *, invert: bool, note: Note) -> Samples:
    """Read files that are to be predicted.

    Parameters
    ----------
    paths : sequence of Path
        Pictures, folders of pictures, and ``.npz`` files with an array of samples: the only one, or one of the name
        ``x``, ``images``, ``x_test`` or ``test_images``; labels beside it are taken as ``y``, ``labels``, ``y_test`` or
        ``test_labels``.
    preprocessing : Preprocessing
        The net's; pictures get its number of channels and its size.
    invert : bool
        Whether light and dark are exchanged in pictures.
    note : callable
        Called with a line on whatever a person would not expect.

    Raises
    ------
    DataError
        If a file is missing, damaged, or of a kind that is not read, or the net takes no pictures.
    """
    parts: list[Samples] = []
    pictures: list[Path] = []
    for path in paths:
        if path.suffix.lower() == ".npz":
            parts.append(_from_npz(path, preprocessing))
        else:
            pictures += _pictures(path, note)
    if pictures:
        parts.insert(0, _from_pictures(pictures, preprocessing, invert=invert, note=note))
    elif invert:
        raise DataError("--invert is for pictures, and none was named: leave it out")
    if not parts:
        raise DataError("there is nothing to predict: name pictures, folders of pictures or .npz files")
    known = all(part.labels is not None for part in parts)
    if len({part.raw.shape[1:] for part in parts}) > 1 or len({part.raw.dtype for part in parts}) > 1:
        raise DataError("pictures and arrays of other shapes or types cannot be predicted together: name one kind")
    return Samples(
        [name for part in parts for name in part.names],
        np.concatenate([part.raw for part in parts]),
        np.concatenate([part.labels for part in parts if part.labels is not None]) if known else None,
    )


def read_part(
    dataset: str, part: str, preprocessing: Preprocessing, *, datapath: str | None, note: Note, **options: Any
) -> Samples:
    """Read the training or the test images of a data set.

    Raises
    ------
    DataError
        If it cannot be read, or has other classes than the net.
    """
    found = load_dataset(dataset, datapath, resize=preprocessing.resize, **options)
    for text in found.notes:
        note(text)
    if found.class_names != preprocessing.class_names:
        raise DataError(f"{found.name} has other classes than the net: choose a data set of the same classes")
    raw, labels = getattr(found, f"{part}_images"), getattr(found, f"{part}_labels")
    return Samples([f"{part} {index}" for index in range(len(labels))], raw, labels)


def _pictures(path: Path, note: Note) -> list[Path]:
    """Return the pictures that a path stands for: itself, or those anywhere in a folder, by name."""
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder")
    if not path.is_dir():
        if path.suffix.lower() not in PICTURE_SUFFIXES:
            raise DataError(f"{path}: is no picture ({', '.join(PICTURE_SUFFIXES)}), folder or .npz file")
        return [path]
    files = sorted(file for file in path.rglob("*") if file.is_file())
    pictures = [file for file in files if file.suffix.lower() in PICTURE_SUFFIXES]
    if not pictures:
        raise DataError(f"{path}: holds no picture ({', '.join(PICTURE_SUFFIXES)})")
    if len(pictures) < len(files):
        note(f"{path}: {counted(len(files) - len(pictures), 'file')} left out, being no picture")
    return pictures


def _from_pictures(paths: Sequence[Path], preprocessing: Preprocessing, *, invert: bool, note: Note) -> Samples:
    shape = preprocessing.shape
    if len(shape) != 3:
        raise DataError(f"{paths[0]}: the net takes rows of {counted(shape[0], 'column')}, and no pictures")
    height, width, channels = shape
    raw = np.empty((len(paths), height, width, channels), np.uint8)
    remarked: dict[Remark, list[Path]] = {remark: [] for remark in Remark}
    scaled = 0
    for index, path in enumerate(paths):
        found: list[Remark] = []
        pixels = read_picture(path, channels, found.append)
        for remark in found:
            remarked[remark].append(path)
        if pixels.shape != shape:
            scaled += 1
            picture = Image.fromarray(pixels if channels == 3 else pixels[..., 0])
            pixels = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR)).reshape(shape)
        raw[index] = 255 - pixels if invert else pixels
    for text in summary(remarked):
        note(text)
    if scaled:
        note(f"{scaled:,} of {counted(len(paths), 'picture')} scaled to {height} x {width}")
    for text in far_from_training(raw, [str(path) for path in paths], preprocessing):
        note(text)
    return Samples([str(path) for path in paths], raw)


def far_from_training(raw: NDArray[np.uint8], names: Sequence[str], preprocessing: Preprocessing) -> list[str]:
    """Return a line on pictures that are darker, and one on those that are lighter, than all that were trained on."""
    if not preprocessing.raw.is_bytes:
        return []
    found: dict[tuple[str, bool], list[str]] = {}
    for image, name in zip(raw, names, strict=True):
        how = preprocessing.raw.unusual(image)
        if how is not None:
            found.setdefault((how, preprocessing.raw.unusual(255 - image) is None), []).append(name)
    lines = []
    for (how, inverted), which in found.items():
        more = f" and {len(which) - 1:,} more" if len(which) > 1 else ""
        advice = "; with light and dark exchanged it would not be: try --invert" if inverted else ""
        lines.append(f"{which[0]}{more}: {how}, so what is said of it means little{advice}")
    return lines


def _from_npz(path: Path, preprocessing: Preprocessing) -> Samples:
    with open_data_file(path) as stream:
        file = NpzFile(path, stream, lambda found: _chosen(path, found))
        too_much = beyond_memory(sum(claim.nbytes for claim in file.claims.values()))
        if too_much:
            raise DataError(f"{path}: its arrays {too_much}: store fewer")
        samples, *labels = (file.read(name) for name in file.claims)
    if samples.dtype.kind not in "buif":
        raise DataError(f"{path}: its samples are {samples.dtype}: they must be numbers")
    found = numbered(labels[0], preprocessing.class_names) if labels else None
    raw = preprocessing.sized(samples)
    if found is not None and len(found) != len(raw):
        holds = f"{counted(len(raw), 'sample')} but {counted(len(found), 'label')}"
        raise DataError(f"{path}: holds {holds}: give every sample one label")
    return Samples([f"{path.name} {index}" for index in range(len(raw))], raw, found)


def _chosen(path: Path, found: Collection[str]) -> list[str]:
    """Return the names of the array of samples and, where there is one, of that of their labels."""
    names = sorted(filter(str.isprintable, found))
    name = next((known for known in SAMPLE_ARRAYS if known in found), names[0] if len(found) == 1 and names else None)
    if name is None:
        raise DataError(f"{path}: holds {', '.join(names[:9]) or 'no arrays'}: name the array of samples x")
    return [name, *[known for known in LABEL_ARRAYS if known in found][:1]]
