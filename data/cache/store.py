"""The cache of prepared data sets: one file for each specification, made once, whole or not at all."""

import contextlib
import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import filelock

from bdfa_np.data.cache.file import (
    FORMAT,
    CacheFile,
    CacheWriter,
    UnusableError,
    canonical,
    encoded,
    read_header,
    told,
)
from bdfa_np.data.cache.sink import Sink, access_needed
from bdfa_np.data.folders import user_folder
from bdfa_np.errors import ContentError, DataError
from bdfa_np.system.files import TEMPORARY_SUFFIX, open_temporary, temporary_path
from bdfa_np.system.paths import user_path
from bdfa_np.system.variables import CACHE_DIR

T = TypeVar("T")

_LOCKS = ".locks"
_FILE = r"-[0-9a-f]{16}\.h5"
_LONGEST_NAME = 100


def default_cache_folder() -> Path:
    """Return the folder that prepared data are kept in when no other is named.

    Returns
    -------
    pathlib.Path
        What the environment variable ``BDFA_CACHE_DIR`` names, else a per-user cache folder. It need not exist.
    """
    return user_folder(CACHE_DIR, "prepared")


def cache_folder(named: str | os.PathLike[str] | None) -> Path:
    """Return the folder of prepared data that is named, or the default one."""
    return default_cache_folder() if named is None else user_path(named, "--cache-dir")


def digest(specification: Mapping[str, Any]) -> str:
    """Return what a specification is found by.

    Parameters
    ----------
    specification : mapping
        All that the prepared data depend on, in JSON's types; the format's version is added.

    Returns
    -------
    str
        SHA-256 of its canonical JSON, in lower-case hexadecimal.
    """
    if "format" in specification:
        raise ValueError("a specification has no entry 'format': that is the file's")
    return hashlib.sha256(encoded(canonical({"format": FORMAT, **specification}))).hexdigest()


@dataclass(frozen=True)
class CacheEntry:
    """A prepared file as it is listed.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    size : int
        In bytes.
    modified : datetime.datetime
        When it was made, in local time.
    specification : dict or None
        All that its data depend on; None where it cannot be read.
    state : {"ready", "old format", "later format", "damaged", "unreadable"}
        Whether it can be used; ``"unreadable"`` if there is no permission to see. Damage among the images is not
        looked for.
    """

    path: Path
    size: int
    modified: datetime
    specification: dict[str, Any] | None
    state: str

    @property
    def is_own(self) -> bool | None:
        """Whether it is of a data set of the user's own, or a published one; None where that is not known.

        A damaged file does not tell, nor one prepared before the versions of the transforms stood in it.
        """
        versions = (self.specification or {}).get("versions")
        return "labels" in versions if isinstance(versions, dict) else None


class Cache:
    """A folder of prepared files, which any number of processes may use at once.

    Parameters
    ----------
    folder : pathlib.Path
        It is made when something is first stored. Its hidden subfolder ``.locks`` holds an empty file for each that
        was ever prepared. They stay: to remove one would be to take it from under a process that waits for it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def path(self, name: str, specification: Mapping[str, Any]) -> Path:
        """Return where a specification's file is, or would be.

        Parameters
        ----------
        name : str
            The data set's name, of which a harmless file name is made.
        specification : mapping
            All that the data depend on; see `digest`.

        Returns
        -------
        pathlib.Path
            In the cache's folder.
        """
        return self.folder / f"{_file_name(name)}-{digest(specification)[:16]}.h5"

    def prepared(
        self,
        name: str,
        specification: Mapping[str, Any],
        build: Callable[[CacheWriter], None],
        read: Callable[[CacheFile], T],
        *,
        note: Callable[[str], None],
    ) -> T:
        """Read prepared data, after preparing them where there are none, or only damaged ones.

        Parameters
        ----------
        name : str
            The data set's name.
        specification : mapping
            All that the data depend on; see `digest`.
        build : callable
            Fills a `CacheWriter`. It is called by one process at a time, and not at all if the file is there.
        read : callable
            Takes all that is wanted from a `CacheFile`. If that fails as it does with a damaged file, the data are
            prepared anew and ``read`` is called again.
        note : callable
            Called with a line about anything out of the ordinary.

        Returns
        -------
        object
            What ``read`` returned.

        Raises
        ------
        DataError
            If the file is of a later version, which is left alone, or the file system forbids to read or write it.
        OSError
            If it cannot be written, for example because the disk is full: it names the file, and nothing is left.
        """
        path = self.path(name, specification)
        with contextlib.suppress(FileNotFoundError, UnusableError):  # they are seen again under the lock
            return _read(path, specification, read, hit=True)
        self.sweep()
        with self._locked(path, lambda: note(f"waiting for another process that prepares {name}")):
            try:
                return _read(path, specification, read, hit=True)
            except FileNotFoundError:
                pass
            except UnusableError as error:
                note(f"{path} {error.what}: preparing it anew")
            with _new_file(path) as writer:
                writer.open(specification)
                build(writer)
            data = _read(path, specification, read, hit=False)
            self._replace_older(path, specification, note)
            return data

    def entries(self, name: str | None = None, *, own: bool | None = None) -> list[CacheEntry]:
        """Return the prepared files of the folder, by name; of each, only what it says of itself is read.

        Parameters
        ----------
        name : str, optional
            A data set's name; without it, the files of all.
        own : bool, optional
            Whether one of the user's own is meant, or a published one, which may have the same name.
        """
        found = self._entries(".*" if name is None else re.escape(_file_name(name)))
        return [entry for entry in found if own is None or entry.is_own in (None, own)]

    def _entries(self, name: str) -> list[CacheEntry]:
        found = (self._entry(path) for path in self._files(name + _FILE))
        return [entry for entry in found if entry is not None]

    def _entry(self, path: Path) -> CacheEntry | None:
        """Return what is to be said of a file, or None if it is not one of ours."""
        entry = _entry(path)
        if entry is not None and entry.specification is None and entry.state != "later format":
            return entry if self._was_prepared(path) else None  # a name alone makes nobody's file ours
        return entry

    def _was_prepared(self, path: Path) -> bool:
        """Return whether a file of this name was ever prepared here: its lock has stayed."""
        return os.path.lexists(self._lock_path(path))

    def clear(self, name: str | None = None, *, own: bool | None = None) -> list[CacheEntry]:
        """Remove prepared files, but for those that are being prepared now, and what is not ours.

        Parameters
        ----------
        name, own
            As in `entries`.

        Returns
        -------
        list of CacheEntry
            What was removed.

        Raises
        ------
        DataError
            If one may not be removed.
        """
        removed = []
        for entry in self.entries(name, own=own):
            with self._if_free(entry.path) as free, access_needed(entry.path):
                if free:
                    entry.path.unlink(missing_ok=True)
                    removed.append(entry)
        self.sweep()
        return removed

    def sweep(self) -> None:
        """Remove what killed processes left behind."""
        for partial in self._files(rf"\..*{_FILE}{re.escape(TEMPORARY_SUFFIX)}"):
            path = partial.with_name(partial.name[1 : -len(TEMPORARY_SUFFIX)])
            if not self._was_prepared(path):
                continue
            with self._if_free(path) as free, access_needed(partial):
                if free:
                    partial.unlink(missing_ok=True)

    def _files(self, pattern: str) -> list[Path]:
        """Return the files of the folder whose names are like a regular expression."""
        try:
            with access_needed(self.folder):
                names = sorted(os.listdir(self.folder))
        except FileNotFoundError:
            return []
        paths = (self.folder / name for name in names if re.fullmatch(pattern, name, re.DOTALL))
        return [path for path in paths if not path.is_symlink() and path.is_file()]

    def _lock_path(self, path: Path) -> Path:
        return self.folder / _LOCKS / f"{path.name}.lock"

    def _lock(self, path: Path) -> filelock.BaseFileLock:
        folder = self.folder / _LOCKS
        if folder.is_symlink():
            raise DataError(f"{folder} is a link, which is not followed: remove it, or name another --cache-dir")
        with access_needed(self.folder):
            folder.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(self._lock_path(path))

    @contextlib.contextmanager
    def _locked(self, path: Path, waiting: Callable[[], None]) -> Iterator[None]:
        """Keep other processes from preparing a file; say so if that has to wait for one."""
        lock = self._lock(path)
        with access_needed(self.folder):
            try:
                held = _acquired(lock, blocking=False)
            except filelock.Timeout:
                waiting()
                held = _acquired(lock, blocking=True)
        with held:
            yield

    @contextlib.contextmanager
    def _if_free(self, path: Path) -> Iterator[bool]:
        """Keep other processes from preparing a file, unless one does so now."""
        lock, free = self._lock(path), True
        with access_needed(self.folder):
            try:
                _acquired(lock, blocking=False)
            except filelock.Timeout:
                free = False
        try:
            yield free
        finally:
            lock.release()

    def _replace_older(self, path: Path, specification: Mapping[str, Any], note: Callable[[str], None]) -> None:
        """Remove files of the same in an old format, and name those that other versions of the transforms made.

        These stay, for an installation with another Pillow may be using them.
        """
        for entry in self._entries(re.escape(path.name[: -len("-0123456789abcdef.h5")])):
            if entry.path == path or _without_versions(entry.specification) != _without_versions(specification):
                continue
            if entry.state == "old format":
                note(f"{entry.path} has an old format, and {path.name} takes its place: removing it")
                with access_needed(entry.path):
                    entry.path.unlink(missing_ok=True)
            elif entry.state == "ready":
                note(f"{entry.path} was prepared by other versions of the code, and {path.name} takes its place")


def _acquired(lock: filelock.BaseFileLock, *, blocking: bool) -> contextlib.AbstractContextManager[Any]:
    try:
        return lock.acquire(blocking=blocking)
    except NotImplementedError as error:  # what some versions of filelock make of a file system without locks
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error


def _without_versions(specification: Mapping[str, Any] | None) -> str | None:
    """Return the canonical text of what a file holds, whichever versions made it."""
    if specification is None:
        return None
    return canonical({name: value for name, value in specification.items() if name != "versions"})


def _file_name(name: str) -> str:
    """Return a name that no system, shell or pattern takes for anything else, unlike any other's unless very long."""
    text = quote(name, safe="", errors="surrogatepass")
    if text[:1] in (".", "-"):
        text = f"%{ord(text[0]):02X}{text[1:]}"
    return text[:_LONGEST_NAME]


def _entry(path: Path) -> CacheEntry | None:
    """Return what is to be said of a file, or None if it is not one of ours."""
    try:
        status = path.stat()
        size, modified = status.st_size, datetime.fromtimestamp(status.st_mtime).astimezone()
        header = read_header(path)
    except FileNotFoundError:
        return None
    except UnusableError:
        return CacheEntry(path, size, modified, None, "damaged")
    except DataError:
        return CacheEntry(path, size, modified, None, "unreadable")
    if header is None:
        return None
    state = "ready" if header.format == FORMAT else "later format" if header.format > FORMAT else "old format"
    return CacheEntry(path, size, modified, header.specification, state)


def _read(path: Path, specification: Mapping[str, Any], read: Callable[[CacheFile], T], *, hit: bool) -> T:
    """Return what ``read`` makes of a file; whatever is wrong with that is `UnusableError`."""
    file = CacheFile(path, hit)
    with told(path):
        if canonical(file.specification) != canonical(specification):
            raise ContentError("it was prepared for something else")
        return read(file)


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[CacheWriter]:
    """Write a file beside ``path``, and put it in the place of ``path`` once it is complete.

    An exception inside the context, or on the way to the disk, leaves ``path`` as it was and nothing beside it.
    """
    temporary = temporary_path(path)
    try:
        with access_needed(path):
            raw = open_temporary(temporary, buffering=0)
        with raw:
            sink = Sink(raw, path)
            writer = CacheWriter(sink)
            try:
                yield writer
            except BaseException:
                writer.abandon()
                raise
            writer.close()
            sink.sync()
        with access_needed(path):
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
