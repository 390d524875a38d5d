"""Where the files of a data set are looked for, and how the missing ones are fetched. Loads no NumPy."""

import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from bdfa_np.data.folders import user_folder
from bdfa_np.data.sources.archives import TEMPORARY_PREFIX, unpack
from bdfa_np.data.sources.kinds import ArchivedFile, DownloadError, Entry, File, Publication, RemoteFile
from bdfa_np.errors import DataError
from bdfa_np.system.variables import DATA_DIR

Located = tuple[Publication, list[tuple[File, Path]]]
"""A publication of a data set, and each of its wanted files with its path, in the order its reader wants them."""

# Where the files are that come with the package.
BUNDLE = Path(__file__).parent.parent

# As `tempfile` makes names; what else begins so is somebody's own.
_TEMPORARY = re.compile(re.escape(TEMPORARY_PREFIX) + r"[a-z0-9_]{8}")
_LOCK = ".fetching.lock"


def default_folder() -> Path:
    """Return the folder that data sets are kept in when no other is named.

    Returns
    -------
    pathlib.Path
        What the environment variable ``BDFA_DATA_DIR`` names, else a per-user cache folder. It need not exist.
    """
    return user_folder(DATA_DIR, "datasets")


def locate(entry: Entry, datapath: Path | None, progress: bool = False, extra: bool = True) -> Located:
    """Return the files of a data set and what they are, after downloading those that are not there.

    Each file is looked for first in the data set's subfolder, last in the folder itself; between them, if its
    publisher packs it into a folder, in folders of that name in both. Files that are compressed one by one may be
    there as they are published, or unpacked; an archive that is there is unpacked rather than downloaded. Where the
    files of the first publication are not all there, but those of another, or its archive, the other is taken. What
    is missing goes into the subfolder.

    Parameters
    ----------
    entry : Entry
        The data set.
    datapath : pathlib.Path or None
        The folder; `default_folder` by default. One that is named must exist, unless the data set comes with the
        package.
    progress : bool, default False
        Whether to draw a progress bar on standard error while downloading.
    extra : bool, default True
        Whether files of the part "extra" are wanted.

    Returns
    -------
    publication : Publication
        The one of ``entry.publications`` whose files are there.
    files : list of (RemoteFile, ArchivedFile or BundledFile, pathlib.Path)
        Each of its wanted files with its path, in the order its reader wants them.

    Raises
    ------
    DataError
        If the folder does not exist, cannot be read or written, or files are missing and no mirror has them, or
        an archive that should have them is damaged or altered.
    """
    if entry.publications[0].bundled is not None:
        return entry.publications[0], [(file, BUNDLE / file.name) for file in entry.publications[0].wanted(extra)]
    folder = _data_folder(datapath)
    publication = _choose(entry, folder, extra)
    files = publication.wanted(extra)
    found = _look(files, _folders(entry, publication, folder))
    if len(found) < len(files):
        _complete(entry, publication, found, files, folder, progress)
    return publication, [(file, found[file.name]) for file in files]


def where(entry: Entry, datapath: Path | None = None) -> str:
    """Return in a few words where a data set's files are.

    Parameters
    ----------
    entry : Entry
        The data set.
    datapath : pathlib.Path, optional
        The folder to look in; `default_folder` by default.

    Returns
    -------
    str
        ``"with the package"``, the folders that hold them, or ``"to be downloaded"``, if not all of them are there.

    Raises
    ------
    DataError
        If the folder does not exist, or cannot be read.
    """
    if entry.publications[0].bundled is not None:
        return "with the package"
    folder = _data_folder(datapath)
    publication = _choose(entry, folder, extra=True)
    found = _look(publication.wanted(), _folders(entry, publication, folder))
    if len(found) < len(publication.wanted()):
        return "to be downloaded"
    return ", ".join(dict.fromkeys(str(path.parent) for path in found.values()))


def _data_folder(datapath: Path | None) -> Path:
    folder = default_folder() if datapath is None else datapath
    if datapath is not None and _kind(folder) != "folder":
        raise DataError(f"the data folder {folder} does not exist or is not a folder: create it or name another one")
    return folder


def _choose(entry: Entry, folder: Path, extra: bool) -> Publication:
    """Return the first publication whose files are all there, else the first whose archive is, else the first."""
    for publication in entry.publications:
        files = publication.wanted(extra)
        found = _look(files, _folders(entry, publication, folder))
        if len(found) == len(files) and all(_kind(path) == "file" for path in found.values()):
            return publication
    for publication in entry.publications:
        if publication.archive is not None and _find((publication.archive.name,), _folders(entry, publication, folder)):
            return publication
    return entry.publications[0]


def _look(files: Iterable[File], folders: tuple[Path, ...]) -> dict[str, Path]:
    """Return the paths of those of the files that are there, by name."""
    found = {}
    for file in files:
        path = _find(file.names, folders)
        if path is not None:
            found[file.name] = path
    return found


def _complete(
    entry: Entry, publication: Publication, found: dict[str, Path], files: Sequence[File], folder: Path, progress: bool
) -> None:
    """Fetch what is missing, and add its paths to those that were found."""
    folders = _folders(entry, publication, folder)
    try:
        with _alone(folders[0]):
            # Looked for once more: another process may have fetched them while this one waited.
            found.update(_look(files, folders))
            missing = [file for file in files if file.name not in found]
            for name, path in _fetch(publication, missing, folders, progress):
                found[name] = path
    except DownloadError as error:
        *others, last = folders
        archives = " or ".join(other.archive.name for other in entry.publications if other.archive is not None)
        hint = f"the archive {archives} will do" if archives else "as published, or unpacked"
        raise DataError(
            f"{entry.title} is incomplete: neither {', '.join(map(str, others))} nor {last} holds "
            f"{', '.join(file.name for file in files if file.name not in found)} ({hint}), "
            f"and they could not be downloaded ({error}): "
            "put the files there, or use --dataset mnist-5k, which needs no download"
        ) from error


def _folders(entry: Entry, publication: Publication, folder: Path) -> tuple[Path, ...]:
    """Return the folders that the files are looked for in; what is missing goes into the first."""
    home = folder / entry.subfolder
    if publication.archive is None:
        return home, folder
    return home, folder / publication.archive.folder, home / publication.archive.folder, folder


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold the folder that files are fetched into, free of what a killed process left there.

    Folders that were made for it and have nothing in them afterwards are removed again.
    """
    made: list[Path] = []
    try:
        with _held(home, made):
            for left in home.iterdir():
                # No link: what it leads to is not ours.
                if _TEMPORARY.fullmatch(left.name) and stat.S_ISDIR(left.lstat().st_mode):
                    shutil.rmtree(left, ignore_errors=True)
            try:
                yield
            finally:
                # Still held: who waits for it finds it gone, and makes another.
                with suppress(OSError):
                    (home / _LOCK).unlink()
    finally:
        with suppress(OSError):  # of the first that is not empty
            for folder in reversed(made):
                folder.rmdir()


def _held(home: Path, made: list[Path]) -> filelock.BaseFileLock:
    """Return the folder's lock once no other process has it; add to ``made`` the folders that had to be made."""
    lock = filelock.FileLock(home / _LOCK)
    try:
        while True:
            for folder in (*reversed(home.absolute().parents), home):
                if not folder.is_dir():
                    with suppress(FileExistsError):
                        folder.mkdir()
                        made.append(folder)
            for link in (home, home / _LOCK):
                if link.is_symlink() and (link != home or not link.exists()):
                    raise DownloadError(f"{link} is a link to {os.readlink(link)}, which is not followed: remove it")
            try:
                lock.acquire()
            except FileNotFoundError:
                if os.path.lexists(home):
                    raise
                continue  # another process that had made it has just removed it
            return lock
    except OSError as error:
        raise DownloadError(f"cannot write to {home}: {error.strerror or error}") from error


def _fetch(
    publication: Publication, missing: Sequence[File], folders: tuple[Path, ...], progress: bool
) -> Iterator[tuple[str, Path]]:
    """Put what is missing into the first of the folders, and yield each file's name and path."""
    from bdfa_np.data.sources.transfer import download  # its libraries would delay every command

    home = folders[0]
    for file in missing:
        if isinstance(file, RemoteFile):
            sizes = {"size": file.size_archive, "unpacked": file.size_content}
            path = download(file.published_name, file.sha256_archive, file.urls, home, progress, **sizes)
            yield file.name, path
    archive = publication.archive
    packed = [file for file in missing if isinstance(file, ArchivedFile)]
    if archive is not None and packed:
        # It stays there: a file that was damaged and deleted then comes back without a network.
        path = _find((archive.name,), folders) or download(
            archive.name, archive.sha256, archive.urls, home, progress, size=archive.size
        )
        unpack(archive, path, [file.published_name for file in packed], home)
        yield from ((file.name, home / file.published_name) for file in packed)


def _kind(path: Path) -> str | None:
    try:
        # Path.exists and Path.is_dir may take a forbidden path for a missing one.
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():  # a disk may be away; what is fetched would take the link's place
            where = os.readlink(path)
            raise DataError(f"{path}: is a link to {where}, which is not there: mend it, or remove it") from None
        return None
    except OSError as error:
        advice = "change its permissions or name another folder"
        raise DataError(f"{path}: cannot be read: {error.strerror}: {advice}") from error
    return "folder" if stat.S_ISDIR(mode) else "file"


def _find(names: tuple[str, ...], folders: tuple[Path, ...]) -> Path | None:
    candidates = [folder / name for folder in folders for name in names]
    there = {path: kind for path in candidates if (kind := _kind(path)) is not None}
    # A folder of a file's name is returned only where there is no such file; its reader refuses it by name.
    return min(there, key=lambda path: there[path] != "file", default=None)
