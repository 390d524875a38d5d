"""Reader of a folder of images: decoding PNG and JPEG files into arrays."""

import hashlib
import io
import math
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from bdfa_np.data.dataset import Dataset
from bdfa_np.data.preprocess.resizing import resize_images
from bdfa_np.data.readers.reading import open_data_file, read_up_to
from bdfa_np.data.sources.image_listing import ImageListing
from bdfa_np.errors import DataError
from bdfa_np.system.memory import beyond_memory
from bdfa_np.system.progress import bar

_LARGEST_FILE = 2**30
_ADVICE = "remove it, or put a good copy in its place"
_GREY_MODES = ("1", "L", "LA")
_GREY_16_BITS = ("I;16", "I")


def read_folder(listing: ImageListing, resize: int | None = None, progress: bool = False) -> Dataset:
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
    Dataset
        Images of uint8, shape (N, H, W, C), sorted by class and name. C is 1 if every image is grey, else 3. Images
        are turned upright as their EXIF data say, transparency is dropped, of 16 bits the upper 8 are kept. The data
        set is called as the folder.

    Raises
    ------
    DataError
        If an image is missing, unreadable or damaged, or the images have different sizes and are not resized.
    ConfigError
        If the resized images do not fit into the machine's memory.
    """
    stack = _Stack(listing.path, {part: len(files) for part, files in listing.files.items()})
    sums: dict[Path, str] = {}
    with bar(f"reading {listing.name}", sum(map(len, listing.files.values())), progress) as advance:
        for part, files in listing.files.items():
            for index, (_, file) in enumerate(files):
                content = _read_file(file)
                sums[file] = hashlib.sha256(content).hexdigest()
                pixels = _decode(file, content)
                if resize is not None:
                    [pixels] = resize_images(pixels[np.newaxis], resize)
                stack.put(part, index, file, pixels)
                advance(len(sums))
    train, test = ((stack.images[part], np.array([label for label, _ in listing.files[part]])) for part in stack.images)
    return Dataset(listing.name, *train, *test, listing.classes, listing.combined(sums))


def _read_file(file: Path) -> bytearray:
    with open_data_file(file) as stream:
        content, _ = read_up_to(stream, _LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise DataError(f"{file}: is larger than {_LARGEST_FILE} bytes, too large for an image: {_ADVICE}")
    return content


def _decode(file: Path, content: bytearray) -> NDArray[np.uint8]:
    """Return an image's pixels, upright: (H, W, 1) if it is grey, else (H, W, 3)."""
    try:
        # Pillow warns of flaws that do not touch the pixels, and of images that are suspiciously large.
        with warnings.catch_warnings(action="ignore"):
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with _open(content) as image:
                # Looks at every checksum of a PNG file, where decoding passes over some, and spends the open image.
                image.verify()
            with _open(content) as image:
                return _pixels(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise DataError(f"{file}: is not a PNG or JPEG image: {_ADVICE}") from error
    except Exception as error:  # of damaged files Pillow's readers raise errors of nearly any kind
        raise DataError(f"{file}: cannot be decoded ({error!r}): {_ADVICE}") from error


def _open(content: bytearray) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode in _GREY_16_BITS:
        # As Pillow does with colours of 16 bits.
        return (np.asarray(image)[..., np.newaxis] >> 8).astype(np.uint8)
    if image.mode in _GREY_MODES:
        return np.asarray(image.convert("L"))[..., np.newaxis]
    return np.asarray(image.convert("RGB"))


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
