"""What images a folder of the user's own holds, and what tells it from any other. Loads no NumPy."""

import hashlib
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from bdfa_np.data.class_names import check_class_names
from bdfa_np.data.readers.reading import file_sha256
from bdfa_np.errors import DataError
from bdfa_np.system.text import counted

_PARTS = ("train", "test")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
_KINDS = "PNG, JPEG, WebP, BMP or TIFF files"


@dataclass(frozen=True)
class ImageListing:
    """The images in a folder.

    Parameters
    ----------
    path : pathlib.Path
        The folder.
    classes : tuple of str
        The classes' names.
    files : dict of str to list of (int, pathlib.Path)
        Of ``"train"`` and, unless it is yet to be divided, ``"test"``, the label and path of every image, class by
        class, in the order of their names.
    left_out : dict of str to int, optional
        How many files of each kind lie there that are not read, such as ``".txt"`` and ``"hidden"``.
    other_folders : tuple of str, optional
        The names of folders beside those of the parts, which are not read.
    """

    path: Path
    classes: tuple[str, ...]
    files: dict[str, list[tuple[int, Path]]]
    left_out: dict[str, int] = field(default_factory=dict)
    other_folders: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The folder's name."""
        # The path "." has no name of its own.
        return Path(os.path.abspath(self.path)).name

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines on what is left out, such as ``"3 files left out: 2 .txt, 1 .gif"``."""
        count = sum(self.left_out.values())
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in Counter(self.left_out).most_common())
        files = (f"{counted(count, 'file')} left out: {kinds}",) if count else ()
        folders = tuple(f"the folder {name!a} left out: {' and '.join(_PARTS)} are read" for name in self.other_folders)
        return files + folders

    def checksums(self) -> dict[str, str]:
        """Return what tells these images from any others, without decoding them.

        Returns
        -------
        dict of str to str
            As `combined` has it.

        Raises
        ------
        DataError
            If an image is missing or unreadable.
        """
        return self.combined({file: file_sha256(file) for files in self.files.values() for _, file in files})

    def combined(self, sums: dict[Path, str]) -> dict[str, str]:
        """Return one checksum for the SHA-256 of all images.

        Parameters
        ----------
        sums : dict of pathlib.Path to str
            Of each image in the listing's order, in lower-case hexadecimal.

        Returns
        -------
        dict of str to str
            The folder's name with a slash, and one SHA-256 over the names and contents of its images, in which the
            folder's own name plays no part.
        """
        digest = hashlib.sha256()
        for file, sha256 in sums.items():
            # A name has no zero byte in it, so that two folders cannot come to the same bytes.
            digest.update(os.fsencode(file.relative_to(self.path).as_posix()) + b"\0" + sha256.encode() + b"\n")
        return {f"{self.name}/": digest.hexdigest()}


def list_images(path: Path) -> ImageListing:
    """Find the images of a folder; of files no more than the names are looked at.

    Parameters
    ----------
    path : pathlib.Path
        A folder with the folders ``train`` and ``test``, and in each a folder a class with its images, such as
        ``train/cat/001.png``. The classes are those of ``train``, sorted; ``test`` may lack some. A folder that has
        neither holds the folders of the classes itself, ``cat/001.png``, and is yet to be divided. Files that do not
        end in ``.png``, ``.jpg``, ``.jpeg``, ``.webp``, ``.bmp``, ``.tif`` or ``.tiff``, in any case, and whatever is
        hidden are left out and counted.

    Returns
    -------
    ImageListing
        The classes and the images, and what is left out.

    Raises
    ------
    DataError
        If a folder is missing or unreadable, a class has no images, or images lie outside the classes' folders.
    """
    left_out: Counter[str] = Counter()
    is_divided = any((path / part).is_dir() for part in _PARTS)
    places = {part: path / part for part in _PARTS} if is_divided else {"train": path}
    folders = {part: _class_folders(place, left_out) for part, place in places.items()}
    classes = tuple(folders["train"])
    check_class_names(f"{places['train']}", classes)
    for name in folders.get("test", ()):
        if name not in folders["train"]:
            raise DataError(
                f"{path / 'test'}: has the class {name!r}, which {path / 'train'} lacks: give it images there too"
            )
    labels = {name: label for label, name in enumerate(classes)}
    files = {
        part: [(labels[name], file) for name, folder in folders[part].items() for file in _images(folder, left_out)]
        for part in folders
    }
    trained = {label for label, _ in files["train"]}
    for label, name in enumerate(classes):
        if label not in trained:
            raise DataError(f"{places['train'] / name}: holds no images: put {_KINDS} into it, or remove it")
    if not is_divided:
        return ImageListing(path, classes, files, dict(left_out))
    if not files["test"]:
        raise DataError(f"{path / 'test'}: holds no images: put {_KINDS} into the folders of its classes")
    beside = [(name, is_folder) for name, is_folder in _entries(path, left_out) if name not in _PARTS]
    left_out.update(_kind(name) for name, is_folder in beside if not is_folder)
    return ImageListing(path, classes, files, dict(left_out), tuple(name for name, is_folder in beside if is_folder))


def _class_folders(folder: Path, left_out: Counter[str]) -> dict[str, Path]:
    found = {}
    for name, is_folder in _entries(folder, left_out):
        if is_folder:
            found[name] = folder / name
        elif name.lower().endswith(PICTURE_SUFFIXES):
            raise DataError(f"{folder / name}: lies outside the folders of the classes: move it into one")
        else:
            left_out[_kind(name)] += 1
    if not found:
        raise DataError(f"{folder}: holds no folders: it needs one a class, with the images in it")
    return found


def _images(folder: Path, left_out: Counter[str]) -> list[Path]:
    found = []
    for name, is_folder in _entries(folder, left_out):
        if is_folder:
            raise DataError(f"{folder / name}: is a folder in that of a class: put the images into {folder} itself")
        if name.lower().endswith(PICTURE_SUFFIXES):
            found.append(folder / name)
        else:
            left_out[_kind(name)] += 1
    return found


def _kind(name: str) -> str:
    """Return what a file that is left out is counted as: its ending, where it has one that can be shown."""
    ending = Path(name).suffix.lower()
    return ending if len(ending) > 1 and ending.isprintable() else "without an ending"


def _entries(folder: Path, left_out: Counter[str]) -> list[tuple[str, bool]]:
    """Return the names in a folder, sorted, and which of them are folders; the hidden ones are counted and left out."""
    try:
        with os.scandir(folder) as scanned:
            entries = list(scanned)
        shown = [entry for entry in entries if not entry.name.startswith(".")]
        if len(shown) < len(entries):
            left_out["hidden"] += len(entries) - len(shown)
        return sorted((entry.name, entry.is_dir()) for entry in shown)
    except OSError as error:
        # The error may be of an entry, such as a link to itself.
        where = error.filename or folder
        raise DataError(
            f"{where}: cannot be read: {error.strerror or error}: a folder of images has train and test, and in each "
            "a folder a class"
        ) from error
