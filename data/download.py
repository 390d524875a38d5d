"""Where the files of a data set are looked for, and how the missing ones are fetched. Loads no NumPy."""

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import platformdirs

from bdfa_np.data.registry import Entry, RemoteFile
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

    Each file is looked for under its name and its name + ``.gz``, first in the subfolder of the data set's name,
    then in the folder itself. What is missing goes into the subfolder.

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
        One path for each of ``entry.files``, in that order.

    Raises
    ------
    DataError
        If the folder does not exist, cannot be read or written, or files are missing and no mirror has them.
    """
    folder = default_folder() if datapath is None else datapath.expanduser()
    if datapath is not None and _kind(folder) != "folder":
        raise DataError(f"the data folder {folder} does not exist or is not a folder: create it or name another one")
    found = {file.name: _find(file, (folder / entry.name, folder)) for file in entry.files}
    missing = [file for file in entry.files if found[file.name] is None]
    for file in missing:
        try:
            found[file.name] = _download(file, folder / entry.name, progress)
        except _DownloadError as error:
            still_missing = [other.name for other in missing if found[other.name] is None]
            raise DataError(
                f"{entry.title} is incomplete: neither {folder / entry.name} nor {folder} holds "
                f"{', '.join(still_missing)} (each may end in .gz), and they could not be downloaded ({error}): "
                "put the files there, or use --dataset mnist-5k, which needs no download"
            ) from error
    return [path for file in entry.files if (path := found[file.name]) is not None]


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


def _find(file: RemoteFile, folders: tuple[Path, ...]) -> Path | None:
    candidates = [folder / name for folder in folders for name in (file.name, f"{file.name}.gz")]
    there = {path: kind for path in candidates if (kind := _kind(path)) is not None}
    # A folder of a file's name is returned only where there is no such file; its reader refuses it by name.
    return min(there, key=lambda path: there[path] != "file", default=None)


def _download(file: RemoteFile, folder: Path, progress: bool) -> Path:
    """Fetch one file from the first mirror that has it: under a temporary name, renamed once its sum is right."""
    import pooch
    from requests.exceptions import RequestException

    reasons = []
    for url in file.urls:
        try:
            with _progress_bar(file.name, progress) as bar, _quiet(pooch.get_logger()):
                downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=_BYTES_PER_WRITE, timeout=_TIMEOUT)
                path = pooch.retrieve(
                    url, f"sha256:{file.sha256_archive}", f"{file.name}.gz", folder, downloader=downloader
                )
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
