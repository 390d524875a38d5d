"""A data set of the user's own as a source: a file of arrays, a table, or a folder of images. Loads no NumPy."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from bdfa_np.data.recipe import Recipe
from bdfa_np.data.sources.kinds import Described
from bdfa_np.errors import ConfigError, DataError

if TYPE_CHECKING:
    from bdfa_np.data.arrays import Whole
    from bdfa_np.data.dataset import Dataset
    from bdfa_np.data.sources.image_listing import ImageListing

TABLES = (".csv",)
"""What the names of tables end in, in any case."""
SUFFIXES = (".npz", ".h5", ".hdf5", *TABLES)
"""What the names of all files end in."""
NO_TABLE = "--label has no part in {dataset}, which is no table (.csv): leave it out"
"""What is wrong with naming a column elsewhere."""


@dataclass(frozen=True)
class Own:
    """A data set of the user's own; `bdfa_np.data.sources.find.find_source` makes it.

    Parameters
    ----------
    path : pathlib.Path
        A file as `bdfa_np.data.readers.own_file.read_file` or `bdfa_np.data.readers.own_table.read_table` reads it, or
        a folder as `bdfa_np.data.readers.image_folder.read_folder` does.
    extra : bool, default True
        There is nothing extra to leave out.
    progress : bool, default False
        Whether to draw progress bars on standard error.
    label : str, optional
        Of a table, the column that holds the labels; the last by default.
    test_fraction : float, optional
        How much of it is tested on, where it has no test part.
    seed : int, default 0
        From which it is drawn which.

    Raises
    ------
    ConfigError
        If the extra part is not wanted, or a column is named and it is no table.
    """

    path: Path
    extra: bool = True
    progress: bool = False
    label: str | None = None
    test_fraction: float | None = None
    seed: int = 0

    is_bundled: ClassVar[bool] = False
    has_extra: ClassVar[bool] = False
    input_shape: ClassVar[tuple[int, ...] | None] = None  # nobody knows it before the data are read
    known_checksums: ClassVar[dict[str, str] | None] = None
    terms: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if not self.extra:
            raise ConfigError("--no-extra has no part in a data set of your own: leave it out")
        if self.label is not None and not is_table(self.path.name):
            raise ConfigError(NO_TABLE.format(dataset=self.path))

    @property
    def name(self) -> str:
        """A file's name without its ending, a folder's whole name."""
        return self.path.stem if self.path.name.lower().endswith(SUFFIXES) else Path(os.path.realpath(self.path)).name

    @property
    def spelling(self) -> str:
        """What finds it again from anywhere: its whole path."""
        return os.path.realpath(self.path)

    def describe(self, recipe: Recipe) -> Described:
        """Return what its prepared samples are like; all of it is read for that.

        Raises
        ------
        ConfigError
            If its samples cannot be prepared so.
        DataError
            As `read`.
        """
        dataset = self.read(recipe.resize)
        shape = recipe.check(dataset.input_shape)
        counts = len(dataset.train_labels), len(dataset.test_labels)
        nbytes = recipe.nbytes(shape, *counts, in_bytes=dataset.train_images.dtype == "uint8")
        return Described(dataset.name, shape, len(dataset.class_names), nbytes, *counts)

    def locate(self) -> "Path | ImageListing":
        """Return the file's path, or the images in the folder.

        Raises
        ------
        DataError
            If it is missing, or neither a file of the right name nor a folder of images.
        """
        try:
            mode = self.path.stat().st_mode
        except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
            reason = getattr(error, "strerror", None) or error
            advice = "name a .csv, .npz or .h5 file, or a folder of images"
            raise DataError(f"{self.path}: cannot be read: {reason}: {advice}") from error
        if stat.S_ISDIR(mode):
            from bdfa_np.data.sources.image_listing import list_images  # what hashes delays every --help

            return list_images(self.path)
        if self.path.suffix.lower() not in SUFFIXES:
            raise DataError(
                f"{self.path}: its name must end in {', '.join(SUFFIXES)}, or it must be a folder of images"
            )
        return self.path

    def notes(self) -> tuple[str, ...]:
        """Return lines on what lies in a folder and is left out.

        Raises
        ------
        DataError
            As `locate`.
        """
        located = self.locate()
        return () if isinstance(located, Path) else located.notes

    def checksums(self) -> dict[str, str]:
        """Return what tells its content from any other's, without interpreting it.

        Returns
        -------
        dict of str to str
            A file's name and SHA-256; of a folder as `ImageListing.checksums` has it.

        Raises
        ------
        DataError
            As `locate`, or if a file cannot be read.
        """
        from bdfa_np.data.readers.reading import file_sha256

        located = self.locate()
        return {located.name: file_sha256(located)} if isinstance(located, Path) else located.checksums()

    def read(self, resize: int | None = None) -> "Dataset":
        """Read and check all of it, and divide it where that is asked for.

        Parameters
        ----------
        resize : int, optional
            Scale the images to so many rows and columns.

        Raises
        ------
        DataError
            As `read_whole`, or if there is nothing to test on, or a test part and a test fraction.
        ConfigError
            If vectors are to be resized, or the resized images do not fit into the machine's memory.
        """
        from bdfa_np.data.arrays import check_test_fraction
        from bdfa_np.data.dataset import Dataset

        located = self.locate()
        if not isinstance(located, Path) or is_table(located.name):  # known before much is read
            has_test = not isinstance(located, Path) and "test" in located.files
            check_test_fraction(str(self.path), has_test, self.test_fraction)
        whole = self.read_whole(resize)
        check_test_fraction(str(self.path), "test" in whole.parts, self.test_fraction)
        return Dataset.from_whole(whole, self.test_fraction, self.seed)

    def read_whole(self, resize: int | None = None) -> "Whole":
        """Read and check all of it, with or without a test part.

        Parameters
        ----------
        resize : int, optional
            Scale the images to so many rows and columns.

        Raises
        ------
        DataError
            As `locate`, or if it is damaged, changes while it is read, or holds something else.
        ConfigError
            If vectors are to be resized, or the resized images do not fit into the machine's memory.
        """
        located = self.locate()
        if not isinstance(located, Path):
            from bdfa_np.data.readers.image_folder import read_folder

            return read_folder(located, resize, self.progress)
        if is_table(located.name):
            from bdfa_np.data.readers.own_table import read_table

            whole = read_table(located, self.label, self.progress)
        else:
            from bdfa_np.data.readers.own_file import read_file

            whole = read_file(located, self.progress)
        return whole if resize is None else whole.resized(resize)


def is_table(name: str) -> bool:
    """Return whether a data set is a table, by its name alone."""
    return name.lower().endswith(TABLES)
