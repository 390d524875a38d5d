"""What images a folder of the user's own holds, and what tells it from any other. Loads no NumPy."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from bdfa_np.data.class_names import check_class_names
from bdfa_np.data.readers.reading import file_sha256
from bdfa_np.errors import DataError

_PARTS = ("train", "test")
_SUFFIXES = (".png", ".jpg", ".jpeg")


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
        Of ``"train"`` and ``"test"``, the label and path of every image, class by class, in the order of their names.
    """

    path: Path
    classes: tuple[str, ...]
    files: dict[str, list[tuple[int, Path]]]

    @property
    def name(self) -> str:
        """The folder's name."""
        # The path "." has no name of its own.
        return Path(os.path.abspath(self.path)).name

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
        ``train/cat/001.png``. The classes are those of ``train``, sorted; ``test`` may lack some. Files other than
        ``.png``, ``.jpg`` and ``.jpeg``, in any case, and whatever is hidden are ignored.

    Returns
    -------
    ImageListing
        The classes and the images.

    Raises
    ------
    DataError
        If a folder is missing or unreadable, a class has no images, or images lie outside the classes' folders.
    """
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
    return ImageListing(path, classes, files)


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
