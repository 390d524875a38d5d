"""Reader of a folder of images: its pictures in one array a part."""

import hashlib
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.arrays import Whole
from bdfa_np.data.preprocess.resizing import resize_images
from bdfa_np.data.readers.picture_file import Remark, decode_picture, read_file, summary
from bdfa_np.data.sources.image_listing import ImageListing
from bdfa_np.errors import DataError
from bdfa_np.system.memory import beyond_memory
from bdfa_np.system.progress import bar


def read_folder(listing: ImageListing, resize: int | None = None, progress: bool = False) -> Whole:
    """Read a folder of images.

    Parameters
    ----------
    listing : ImageListing
        The images.
    resize : int, optional
        Scale each image to so many rows and columns as it is read, so that they may have been of different sizes.
    progress : bool, default False
        Whether to draw a progress bar on standard error.

    Returns
    -------
    Whole
        Images of uint8, shape (N, H, W, C), sorted by class and name, each as
        `bdfa_np.data.readers.picture_file.decode_picture` has it. C is 1 if every image is grey, else 3. The data set
        is called as the folder, and its notes say what was done to images that their owner may not expect.

    Raises
    ------
    DataError
        If an image is missing, unreadable or damaged, or the images have different sizes and are not resized.
    ConfigError
        If the resized images do not fit into the machine's memory.
    """
    stack = _Stack(listing.path, {part: len(files) for part, files in listing.files.items()})
    sums: dict[Path, str] = {}
    remarked: dict[Remark, list[str]] = defaultdict(list)
    with bar(f"reading {listing.name}", sum(map(len, listing.files.values())), progress) as advance:
        for part, files in listing.files.items():
            for index, (_, file) in enumerate(files):
                content = read_file(file)
                sums[file] = hashlib.sha256(content).hexdigest()
                picture = decode_picture(file, content)
                for remark in picture.remarks:
                    remarked[remark].append(str(file.relative_to(listing.path)))
                pixels = picture.pixels
                if resize is not None:
                    [pixels] = resize_images(pixels[np.newaxis], resize)
                stack.put(part, index, file, pixels)
                advance(len(sums))
    labels = {part: np.array([label for label, _ in files], np.int64) for part, files in listing.files.items()}
    parts = {part: (images, labels[part]) for part, images in stack.images.items()}
    return Whole(listing.name, parts, listing.classes, listing.combined(sums), summary(remarked))


class _Stack:
    """The images that were read so far, in one array a part, all of one size.

    Parameters
    ----------
    path : pathlib.Path
        The folder, for the messages.
    counts : dict of str to int
        How many images each part has.
    """

    def __init__(self, path: Path, counts: dict[str, int]) -> None:
        self.images: dict[str, NDArray[np.uint8]] = {}
        self._path = path
        self._counts = counts
        self._first: Path | None = None
        self._shape: tuple[int, ...] = ()

    def put(self, part: str, index: int, file: Path, pixels: NDArray[np.uint8]) -> None:
        """Add an image; the first in colour gives three channels to those that are there."""
        if self._first is None:
            self._first = file
            self._set_shape(pixels.shape)
        if pixels.shape[:2] != self._shape[:2]:
            raise DataError(
                f"{file}: is {_size(pixels.shape)} pixels, but {self._first} is {_size(self._shape)}: make all "
                "images of one size, or choose one with --resize N"
            )
        if pixels.shape[2] > self._shape[2]:
            self._set_shape(pixels.shape)
            for name, images in self.images.items():
                self.images[name] = np.repeat(images, pixels.shape[2], axis=-1)
        if part not in self.images:
            self.images[part] = np.empty((self._counts[part], *self._shape), np.uint8)
        self.images[part][index] = pixels

    def _set_shape(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        total = sum(self._counts.values())
        too_much = beyond_memory(total * math.prod(shape))
        if too_much:
            raise DataError(
                f"{self._path}: {total} images of {_size(shape)} pixels {too_much}: choose a smaller size "
                "with --resize N"
            )


def _size(shape: tuple[int, ...]) -> str:
    """Return the width and height as cameras and image viewers give them."""
    return f"{shape[1]} x {shape[0]}"
