"""Where the files of a data set are looked for, and how the missing ones are fetched. Loads no NumPy."""

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import platformdirs

from bdfa_np.data.archives import unpack
from bdfa_np.data.registry import Entry
from bdfa_np.errors import DataError

# Seconds to wait for a connection, and for the next bytes.
_TIMEOUT = (10, 60)
# pooch's own 1 KiB flushes the file ten thousand times for MNIST.
_BYTES_PER_WRITE = 2**16


def default_folder() -> Path:
    """Return the folder that data sets are kept in when no other is named.

    Returns
    -------
    pathlib.Path
        What the environment variable ``BDFA_DATA_DIR`` names, else a per-user cache folder. It need not exist.
    """
    named = os.environ.get("BDFA_DATA_DIR")
    if named:
        return Path(named).expanduser()
    return Path(platformdirs.user_cache_dir("bdfa-np", appauthor=False)) / "datasets"


def find_files(entry: Entry, datapath: Path | None, progress: bool) -> list[Path]:
    """Return the paths of a data set's files, after downloading those that are not there.

    Each file is looked for first in the subfolder of the data set's name, last in the folder itself; between them,
    if its publisher packs it into a folder, in folders of that name in both. Files that are published one by one
    may be there as name + ``.gz``; an archive that is there is unpacked rather than downloaded. What is missing
    goes into the subfolder.

    Parameters
    ----------
    entry : Entry
        The data set.
    datapath : pathlib.Path or None
        The folder; `default_folder` by default. One that is named must exist.
    progress : bool
        Whether to draw a progress bar on standard error while downloading.

    Returns
    -------
    list of pathlib.Path
        One path for each of the entry's, or its archive's, files, in that order.

    Raises
    ------
    DataError
        If the folder does not exist, cannot be read or written, or files are missing and no mirror has them, or
        an archive that should have them is damaged or altered.
    """
    folder = default_folder() if datapath is None else datapath.expanduser()
    if datapath is not None and _kind(folder) != "folder":
        raise DataError(f"the data folder {folder} does not exist or is not a folder: create it or name another one")
    folders = _folders(entry, folder)
    if entry.archive is None:
        names, hint = [file.name for file in entry.files], "each may end in .gz"
        found = {name: _find((name, f"{name}.gz"), folders) for name in names}
    else:
        names, hint = [file.name for file in entry.archive.files], f"the archive {entry.archive.name} will do"
        found = {name: _find((name,), folders) for name in names}
    missing = [name for name in names if found[name] is None]
    try:
        if missing:
            for name, fetched in _fetch(entry, missing, folders, progress):
                found[name] = fetched
    except _DownloadError as error:
        *others, last = folders
        still_missing = [name for name in missing if found[name] is None]
        raise DataError(
            f"{entry.title} is incomplete: neither {', '.join(map(str, others))} nor {last} holds "
            f"{', '.join(still_missing)} ({hint}), and they could not be downloaded ({error}): "
            "put the files there, or use --dataset mnist-5k, which needs no download"
        ) from error
    return [path for name in names if (path := found[name]) is not None]


def _folders(entry: Entry, folder: Path) -> tuple[Path, ...]:
    """Return the folders that the files are looked for in; what is missing goes into the first."""
    home = folder / entry.name
    if entry.archive is None:
        return home, folder
    return home, folder / entry.archive.folder, home / entry.archive.folder, folder


def _fetch(entry: Entry, missing: list[str], folders: tuple[Path, ...], progress: bool) -> Iterator[tuple[str, Path]]:
    """Put what is missing into the first of the folders, and yield each file's name and path."""
    home = folders[0]
    for file in entry.files:
        if file.name in missing:
            yield file.name, _download(f"{file.name}.gz", file.sha256_archive, file.urls, home, progress)
    archive = entry.archive
    if archive is not None:
        # It stays there: a file that was damaged and deleted then comes back without a network.
        path = _find((archive.name,), folders) or _download(archive.name, archive.sha256, archive.urls, home, progress)
        unpack(archive, path, missing, home)
        yield from ((name, home / name) for name in missing)


class _DownloadError(Exception):
    """Why a file could not be downloaded, in a few words."""


def _kind(path: Path) -> str | None:
    try:
        # Path.exists and Path.is_dir may take a forbidden path for a missing one.
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
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


def _download(name: str, sha256: str, urls: tuple[str, ...], folder: Path, progress: bool) -> Path:
    """Fetch one file from the first mirror that has it: under a temporary name, renamed once its sum is right."""
    import pooch
    from requests.exceptions import RequestException

    reasons = []
    for url in urls:
        try:
            with _progress_bar(name, progress) as bar, _quiet(pooch.get_logger()):
                downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=_BYTES_PER_WRITE, timeout=_TIMEOUT)
                path = pooch.retrieve(url, f"sha256:{sha256}", name, folder, downloader=downloader)
            # A temporary file is for its owner's eyes; a data folder may be shared.
            Path(path).chmod(0o644)
            return Path(path)
        except RequestException as error:
            # Before OSError, of which it is a kind.
            reasons.append(f"{url.split('/')[2]}: {_in_short(error)}")
        except OSError as error:
            raise _DownloadError(f"cannot write to {folder}: {error.strerror or error}") from error
        except ValueError:
            reasons.append(f"{url.split('/')[2]}: other content, by its SHA-256")
    raise _DownloadError("; ".join(reasons))


def _in_short(error: Exception) -> str:
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return f"HTTP status {error.response.status_code}"
    if isinstance(error, exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, exceptions.ConnectionError):
        return "no connection"
    if isinstance(error, exceptions.ChunkedEncodingError):
        return "the connection broke"
    return type(error).__name__


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _progress_bar(title: str, progress: bool) -> AbstractContextManager[object]:
    if not progress:
        return nullcontext(False)
    from bdfa_np.data.download_bar import DownloadBar

    return DownloadBar(title)
