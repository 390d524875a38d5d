"""A data set of the catalogue as a source: its files are found or downloaded, checked, and read. Loads no NumPy."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from bdfa_np.data.recipe import Recipe
from bdfa_np.data.sources.kinds import BundledFile, Described, Entry, File

if TYPE_CHECKING:
    from bdfa_np.data.arrays import Whole
    from bdfa_np.data.dataset import Dataset
    from bdfa_np.data.sources.download import Located


@dataclass(frozen=True)
class Published:
    """A published data set; `bdfa_np.data.sources.find.find_source` makes it.

    Parameters
    ----------
    entry : Entry
        What the catalogue says of it.
    extra : bool, default True
        Whether the extra training images of a data set that has some are wanted.
    datapath : pathlib.Path, optional
        The folder of its files; a default one where none is named.
    progress : bool, default False
        Whether to draw progress bars on standard error.

    Raises
    ------
    ConfigError
        If the extra part is not wanted of a data set that has none.
    """

    entry: Entry
    extra: bool = True
    datapath: Path | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        self.entry.check_extra(self.extra)

    @property
    def name(self) -> str:
        """The data set's name, as the catalogue spells it."""
        return self.entry.name

    @property
    def spelling(self) -> str:
        """What finds it again from anywhere: its name."""
        return self.entry.name

    @property
    def is_bundled(self) -> bool:
        """Whether it is installed with the package."""
        return self.entry.publications[0].bundled is not None

    @property
    def has_extra(self) -> bool:
        """Whether there are extra training images, which may be left out."""
        return self.entry.has_extra

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """The shape (H, W, C) of an image as it is published."""
        return self.entry.image_shape

    @property
    def terms(self) -> tuple[str, ...]:
        """Lines on what it may be used for and whom to cite."""
        return f"licence: {self.entry.licence}", f"citation: {self.entry.citation}"

    @property
    def known_checksums(self) -> dict[str, str] | None:
        """What `checksums` will be if its usual files are read; None where not all of them are published."""
        return self.entry.known_checksums(self.extra)

    def describe(self, recipe: Recipe) -> Described:
        """Return what its prepared samples are like; nothing is read. Extra images are counted, wanted or not.

        Raises
        ------
        ConfigError
            If its images cannot be prepared so.
        """
        shape = recipe.check(self.entry.image_shape)
        counts = self.entry.train_images, self.entry.test_images
        nbytes = recipe.nbytes(shape, *counts, in_bytes=True)
        return Described(self.name, shape, len(self.entry.class_names), nbytes, *counts)

    def locate(self) -> "Located":
        """Return its files and which publication they are of, after downloading those that are not there.

        Raises
        ------
        DataError
            If files are missing and cannot be downloaded.
        """
        from bdfa_np.data.sources.download import locate  # its libraries would delay every --help

        return locate(self.entry, self.datapath, self.progress, self.extra)

    def notes(self) -> tuple[str, ...]:
        """Return nothing: of a published data set all is read."""
        return ()

    def checksums(self) -> dict[str, str]:
        """Return the SHA-256 of the uncompressed content of each of its files, as they should be.

        Where none is published, it is that of what was found.

        Raises
        ------
        DataError
            As `locate`, or if such a file cannot be read.
        """
        _, files = self.locate()
        return {file.name: file.sha256_content or _sum_of(file, path) for file, path in files}

    def read(self, resize: int | None = None) -> "Dataset":
        """Read and check all of it.

        Parameters
        ----------
        resize : int, optional
            Scale the images to so many rows and columns.

        Raises
        ------
        ConfigError
            If the resized images do not fit into the machine's memory.
        DataError
            As `locate`, or if a file is unreadable, damaged, altered or of another kind.
        """
        publication, files = self.locate()
        module, function = publication.reader.split(":")
        dataset: Dataset = getattr(import_module(module), function)(self.entry, files)
        return dataset if resize is None else dataset.resized(resize)

    def read_whole(self, resize: int | None = None) -> "Whole":
        """Return what `read` does, as a source of the user's own has it."""
        from bdfa_np.data.arrays import Whole

        dataset = self.read(resize)
        parts = {
            "train": (dataset.train_images, dataset.train_labels),
            "test": (dataset.test_images, dataset.test_labels),
        }
        return Whole(dataset.name, parts, dataset.class_names, dataset.checksums, dataset.notes)


def _sum_of(file: File, path: Path) -> str:
    """Return the SHA-256 of a file's uncompressed content, for which none is published.

    Raises
    ------
    DataError
        If the file cannot be read, or has not the size of the published one, which is seen before it is read.
    """
    from bdfa_np.data.readers.reading import (  # what hashes would delay every --help
        check_size,
        content_sha256,
        file_sha256,
        is_gzipped,
    )

    assert not isinstance(file, BundledFile)  # whose sum is known
    if not file.suffix:  # such files are hashed as they lie, whatever their first bytes
        check_size(path, file.size_content)
        return file_sha256(path)
    check_size(path, file.size_archive if is_gzipped(path) else file.size_content)
    return content_sha256(path, file.size_content)
