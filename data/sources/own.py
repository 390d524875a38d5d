"""A data set of the user's own as a source: a file of four arrays, or a folder of images. Loads no NumPy."""

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from bdfa_np.data.recipe import Recipe
from bdfa_np.errors import ConfigError, DataError

if TYPE_CHECKING:
    from bdfa_np.data.dataset import Dataset
    from bdfa_np.data.sources.image_listing import ImageListing

SUFFIXES = (".npz", ".h5", ".hdf5")
"""What the names of the files end in, in any case."""


@dataclass(frozen=True)
class Own:
    """A data set of the user's own; `bdfa_np.data.sources.find.find_source` makes it.

    Parameters
    ----------
    path : pathlib.Path
        A file as `bdfa_np.data.readers.own_file.read_file` reads it, or a folder as
        `bdfa_np.data.readers.image_folder.read_folder` does.
    extra : bool, default True
        There is nothing extra to leave out.
    progress : bool, default False
        Whether to draw progress bars on standard error.

    Raises
    ------
    ConfigError
        If the extra part is not wanted.
    """

    path: Path
    extra: bool = True
    progress: bool = False

    is_bundled: ClassVar[bool] = False
    has_extra: ClassVar[bool] = False
    input_shape: ClassVar[tuple[int, ...] | None] = None  # nobody knows it before the data are read
    known_checksums: ClassVar[dict[str, str] | None] = None
    terms: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if not self.extra:
            raise ConfigError("--no-extra has no part in a data set of your own: leave it out")

    @property
    def name(self) -> str:
        """A file's name without its ending, a folder's whole name."""
        return self.path.stem if self.path.name.lower().endswith(SUFFIXES) else self.path.resolve().name

    @property
    def spelling(self) -> str:
        """What finds it again from anywhere: its whole path."""
        return str(self.path.resolve())

    def describe(self, recipe: Recipe) -> tuple[str, tuple[int, ...], int]:
        """Return the name, the shape of a prepared sample, and the number of classes; all of it is read for that.

        Raises
        ------
        ConfigError
            If its samples cannot be prepared so.
        DataError
            As `read`.
        """
        dataset = self.read(recipe.resize)
        return dataset.name, recipe.check(dataset.input_shape), len(dataset.class_names)

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
            advice = "name an .npz or .h5 file, or a folder of images"
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
        """Read and check all of it.

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
        if isinstance(located, Path):
            from bdfa_np.data.readers.own_file import read_file

            dataset = read_file(located, self.progress)
            return dataset if resize is None else dataset.resized(resize)
        from bdfa_np.data.readers.image_folder import read_folder

        return read_folder(located, resize, self.progress)
