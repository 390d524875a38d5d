"""Reader of a folder of images: ``train`` and ``test``, and in each a folder of PNG or JPEG files a class."""

import hashlib
import io
import math
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from bdfa_np.data.dataset import Dataset
from bdfa_np.data.preprocess.resizing import resize_images
from bdfa_np.data.readers.own_arrays import check_class_names
from bdfa_np.data.readers.reading import file_sha256, open_data_file, read_up_to
from bdfa_np.errors import DataError
from bdfa_np.system.memory import beyond_memory
from bdfa_np.system.progress import bar

_PARTS = ("train", "test")
_SUFFIXES = (".png", ".jpg", ".jpeg")
_LARGEST_FILE = 2**30
_ADVICE = "remove it, or put a good copy in its place"
_GREY_MODES = ("1", "L", "LA")
_GREY_16_BITS = ("I;16", "I")


@dataclass(frozen=True)
class _Listing:
    """The classes, and of each part the label and path of every image, class by class, in the order of their names."""

    classes: tuple[str, ...]
    files: dict[str, list[tuple[int, Path]]]

    @property
    def total(self) -> int:
        return sum(map(len, self.files.values()))


def load_image_folder(path: Path, resize: int | None = None, progress: bool = False) -> Dataset:
    """Read a folder of images.

    Parameters
    ----------
    path : pathlib.Path
        A folder with the folders ``train`` and ``test``, and in each a folder a class with its images, such as
        ``train/cat/001.png``. The classes are those of ``train``, sorted; ``test`` may lack some. Files other than
        ``.png``, ``.jpg`` and ``.jpeg``, in any case, and whatever is hidden are ignored.
    resize : int, optional
        Scale the images to so many rows and columns.
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
        If a folder or an image is missing, unreadable or damaged, or the images have different sizes and are not
        resized.
    ConfigError
        If the resized images do not fit into the machine's memory.
    """
    listing = _list_images(path)
    stack = _Stack(path, {part: len(files) for part, files in listing.files.items()})
    digest = hashlib.sha256()
    done = 0
    with bar(f"reading {path.name}", listing.total, progress) as advance:
        for part, files in listing.files.items():
            for index, (_, file) in enumerate(files):
                content = _read_file(file)
                _update(digest, path, file, hashlib.sha256(content).hexdigest())
                pixels = _decode(file, content)
                if resize is not None:
                    [pixels] = resize_images(pixels[np.newaxis], resize)
                stack.put(part, index, file, pixels)
                done += 1
                advance(done)
    labels = {part: np.array([label for label, _ in files], np.int64) for part, files in listing.files.items()}
    return Dataset(
        _name(path),
        stack.images["train"],
        labels["train"],
        stack.images["test"],
        labels["test"],
        listing.classes,
        {f"{_name(path)}/": digest.hexdigest()},
    )


def folder_checksums(path: Path) -> dict[str, str]:
    """Return what tells a folder of images from any other, without decoding them.

    Parameters
    ----------
    path : pathlib.Path
        The folder.

    Returns
    -------
    dict of str to str
        The folder's name with a slash, and one SHA-256 over the names and contents of its images, in which the
        folder's own name plays no part. It is what `load_image_folder` gives as the data set's checksums.

    Raises
    ------
    DataError
        If a folder or an image is missing or unreadable.
    """
    listing = _list_images(path)
    digest = hashlib.sha256()
    for files in listing.files.values():
        for _, file in files:
            _update(digest, path, file, file_sha256(file))
    return {f"{_name(path)}/": digest.hexdigest()}


def _update(digest: Any, path: Path, file: Path, sha256: str) -> None:
    # A name has no zero byte in it, so that two folders cannot come to the same bytes.
    digest.update(os.fsencode(file.relative_to(path).as_posix()) + b"\0" + sha256.encode() + b"\n")


def _name(path: Path) -> str:
    # The path "." has no name of its own.
    return Path(os.path.abspath(path)).name


def _list_images(path: Path) -> _Listing:
    """Find the images; of files no more than the names are looked at."""
    folders = {part: _class_folders(path, part) for part in _PARTS}
    classes = tuple(folders["train"])
    check_class_names(f"{path / 'train'}", classes)
    for name in folders["test"]:
        if name not in folders["train"]:
            raise DataError(
                f"{path / 'test'}: has the class {name!r}, which {path / 'train'} lacks: give it images there too"
            )
    labels = {name: label for label, name in enumerate(classes)}
    files = {
        part: [(labels[name], file) for name, folder in folders[part].items() for file in _images(folder)]
        for part in _PARTS
    }
    trained = {label for label, _ in files["train"]}
    for label, name in enumerate(classes):
        if label not in trained:
            raise DataError(f"{path / 'train' / name}: holds no images: put PNG or JPEG files into it, or remove it")
    if not files["test"]:
        raise DataError(f"{path / 'test'}: holds no images: put PNG or JPEG files into the folders of its classes")
    return _Listing(classes, files)


def _class_folders(path: Path, part: str) -> dict[str, Path]:
    folder = path / part
    found = {}
    for name, is_folder in _entries(folder):
        if is_folder:
            found[name] = folder / name
        elif name.lower().endswith(_SUFFIXES):
            raise DataError(f"{folder / name}: lies outside the folders of the classes: move it into one")
    if not found:
        raise DataError(f"{folder}: holds no folders: it needs one a class, with the images in it")
    return found


def _images(folder: Path) -> list[Path]:
    found = []
    for name, is_folder in _entries(folder):
        if is_folder:
            raise DataError(f"{folder / name}: is a folder in that of a class: put the images into {folder} itself")
        if name.lower().endswith(_SUFFIXES):
            found.append(folder / name)
    return found


def _entries(folder: Path) -> list[tuple[str, bool]]:
    """Return the names in a folder, sorted and without the hidden ones, and which of them are folders."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        # The error may be of an entry, such as a link to itself.
        where = error.filename or folder
        raise DataError(
            f"{where}: cannot be read: {error.strerror or error}: a folder of images has train and test, and in each "
            "a folder a class"
        ) from error


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
