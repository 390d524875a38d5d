"""What can be said of a data set before any of it is read: its ways of publication, files, checksums and addresses."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from bdfa_np.errors import ConfigError


class DownloadError(Exception):
    """Why a file could not be downloaded, in a few words."""


class Described(NamedTuple):
    """What can be said of a data set's prepared samples before they are prepared."""

    name: str
    input_shape: tuple[int, ...]
    """Of a prepared sample."""
    classes: int
    nbytes: int
    """What the prepared samples take in memory, of all parts."""
    train: int
    """How many there are to train on, before any are held out or left out."""
    test: int
    """How many there are to test on."""


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set that is published on its own.

    Parameters
    ----------
    name : str
        The uncompressed file's name; the published one's is ``name + suffix``.
    sha256_content : str or None
        SHA-256 of the uncompressed content; None where none is published.
    sha256_archive : str
        SHA-256 of the file as it is published.
    urls : tuple of str
        Addresses of the published file, tried in this order.
    suffix : str, default ".gz"
        What the published file's name ends in; "" where it is published uncompressed.
    part : str, default ""
        The part of the data set that it belongs to, if that part can be left out: "extra".
    other_names : tuple of str, optional
        Names by which the uncompressed file goes besides.
    size_content : int, optional
        The uncompressed file's size in bytes, where it is known.
    size_archive : int, optional
        The size of the file as it is published, where it is known.
    """

    name: str
    sha256_content: str | None
    sha256_archive: str
    urls: tuple[str, ...]
    suffix: str = ".gz"
    part: str = ""
    other_names: tuple[str, ...] = ()
    size_content: int | None = None
    size_archive: int | None = None

    @property
    def published_name(self) -> str:
        """The published file's name."""
        return f"{self.name}{self.suffix}"

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called where it lies, as it is published or uncompressed."""
        known = (self.name, *self.other_names)
        return tuple(dict.fromkeys(f"{name}{suffix}" for name in known for suffix in ("", self.suffix)))


@dataclass(frozen=True)
class ArchivedFile:
    """One file of a data set that is published in an archive with others.

    Parameters
    ----------
    name : str
        The uncompressed file's name, without a folder; the one in the archive is ``name + suffix``.
    size : int
        The size in bytes of the file in the archive.
    sha256_content : str or None
        SHA-256 of the uncompressed content; None where none is published, so that another sum is what is checked.
    suffix : str, default ""
        What the name of the file in the archive ends in besides, where it is compressed by itself.
    sha256_archive : str or None
        SHA-256 of the file in the archive, where it is compressed by itself.
    size_unpacked : int, optional
        The uncompressed file's size in bytes, where it is compressed by itself and that is known.
    """

    name: str
    size: int
    sha256_content: str | None
    suffix: str = ""
    sha256_archive: str | None = None
    size_unpacked: int | None = None

    @property
    def size_archive(self) -> int:
        """The size of the file as it is published."""
        return self.size

    @property
    def size_content(self) -> int | None:
        """The uncompressed file's size, where it is known."""
        return self.size_unpacked if self.suffix else self.size

    @property
    def published_name(self) -> str:
        """The name of the file in the archive."""
        return f"{self.name}{self.suffix}"

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called where it lies, as it was in the archive or uncompressed."""
        return tuple(dict.fromkeys((self.name, self.published_name)))


@dataclass(frozen=True)
class Archive:
    """A gzipped tar archive, or a zip archive, that is downloaded when files are not there.

    Parameters
    ----------
    name : str
        The archive's name, which ends in ``.zip`` if it is one.
    sha256 : str
        SHA-256 of the archive.
    urls : tuple of str
        Its addresses, tried in this order.
    folder : str
        The folder in the archive that has the files; they are also looked for in folders of this name.
    files : tuple of ArchivedFile
        The files that are wanted, in the order the reader wants them; others in the archive stay there.
    size : int, optional
        The archive's size in bytes, where it is known.
    """

    name: str
    sha256: str
    urls: tuple[str, ...]
    folder: str
    files: tuple[ArchivedFile, ...]
    size: int | None = None


@dataclass(frozen=True)
class BundledFile:
    """A file that is installed with the package, in the folder of this module.

    Parameters
    ----------
    name : str
        The file's name.
    sha256_content : str
        SHA-256 of the file.
    """

    name: str
    sha256_content: str
    suffix: ClassVar[str] = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called where it lies."""
        return (self.name,)


File = RemoteFile | ArchivedFile | BundledFile


@dataclass(frozen=True)
class Publication:
    """One way in which a data set is published; of the last three, one is given.

    Parameters
    ----------
    reader : str
        ``"module:function"``. The function takes the `Entry` and a sequence of pairs, each a file and the path that it
        was found at, in the order below. It returns a `bdfa_np.data.Dataset` of contiguous images of uint8, shape
        (N, H, W, C), in the files' order, with the SHA-256 of what was read, and raises `DataError` if a file is
        missing, unreadable or damaged, or its content is not the published one.
    files : tuple of RemoteFile
        The files, in the order the reader wants them, where each is published on its own.
    archive : Archive or None
        The archive, where they are published in one.
    bundled : BundledFile or None
        The file that is installed with the package, if the data set is one.
    """

    reader: str
    files: tuple[RemoteFile, ...] = ()
    archive: Archive | None = None
    bundled: BundledFile | None = None

    def wanted(self, extra: bool = True) -> tuple[File, ...]:
        """Return the files to read, in the order the reader wants them.

        Parameters
        ----------
        extra : bool, default True
            Whether files of the part "extra" are among them.

        Returns
        -------
        tuple of RemoteFile, ArchivedFile or BundledFile
            At least one.
        """
        if self.bundled is not None:
            return (self.bundled,)
        if self.archive is not None:
            return self.archive.files
        return tuple(file for file in self.files if extra or file.part != "extra")


@dataclass(frozen=True)
class Entry:
    """What there is to know about one data set before any of it is read.

    Parameters
    ----------
    name : str
        The name on the command line, in lower case; also the subfolder that its files are looked for in, unless
        ``shared_folder`` names another.
    title : str
        The name in sentences.
    image_shape : tuple of int
        (H, W, C).
    class_names : tuple of str
        What labels 0, 1, ... stand for.
    train_images, test_images : int
        How many images there are to train and to test on.
    licence, citation : str
        What the data may be used for, and whom to cite.
    publications : tuple of Publication
        The ways in which it is published. The first is the one that is downloaded; another is read where all of its
        files, or its archive, are there and the first's are not.
    shared_folder : str, optional
        The subfolder that its files are looked for in, where it is published in one archive with others.
    """

    name: str
    title: str
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    train_images: int
    test_images: int
    licence: str
    citation: str
    publications: tuple[Publication, ...]
    shared_folder: str | None = None

    @property
    def subfolder(self) -> str:
        """The folder, in that of all data sets, that its files are looked for in first and fetched into."""
        return self.shared_folder or self.name

    @property
    def has_extra(self) -> bool:
        """Whether it has a part "extra", which may be left out."""
        return any(file.part == "extra" for publication in self.publications for file in publication.files)

    def check_extra(self, extra: bool) -> None:
        """Refuse to leave out a part that the data set does not have.

        Parameters
        ----------
        extra : bool
            Whether the part "extra" is wanted.

        Raises
        ------
        ConfigError
            If it is not, and there is none.
        """
        if not extra and not self.has_extra:
            raise ConfigError(f"--no-extra has no part in --dataset {self.name}: leave it out")

    def known_checksums(self, extra: bool = True) -> dict[str, str] | None:
        """Return what `bdfa_np.data.Dataset.checksums` is after reading the first publication.

        Parameters
        ----------
        extra : bool, default True
            Whether the part "extra" is read, if there is one.

        Returns
        -------
        dict of str to str, or None
            SHA-256 of each file's uncompressed content by the file's name; None unless all are published.
        """
        checksums = {}
        for file in self.publications[0].wanted(extra):
            if file.sha256_content is None:
                return None
            checksums[file.name] = file.sha256_content
        return checksums
