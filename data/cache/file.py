"""One file of prepared data: HDF5 with a checksum on every chunk and structure, written whole or not at all."""

import contextlib
import io
import json
import math
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from bdfa_np.data.cache.chunks import LAYOUT, Array, chunks, regrouped
from bdfa_np.data.cache.sink import Sink, access_needed
from bdfa_np.errors import DataError
from bdfa_np.system.interrupts import interrupts_wait

FORMAT = 3
"""Version of the layout; in every version the root has the attributes ``format`` and ``specification``.

Since version 2 the specification holds the versions of the transforms; since version 3 the file holds the range of the
raw values.
"""

# A read cannot be interrupted, and takes some hundredths of a second.
_BYTES_PER_READ = 2**26
_NUMBERS = "biuf"
_OF_SPECIFICATION = "specification"
# What h5py raises for files that are not what they should be.
DAMAGE = (OSError, KeyError, TypeError, ValueError, RuntimeError)


class UnusableError(DataError):
    """A prepared file is damaged or of an old format, and can be made anew. ``what`` says which of them it is."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} {what}: delete it, so that it is prepared anew")
        self.what = what


def canonical(specification: Mapping[str, Any]) -> str:
    """Return the one JSON text of a specification: sorted keys, no spaces, every digit of a number."""
    return json.dumps(specification, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def encoded(text: str) -> bytes:
    """Return a text's bytes."""
    # A path on the command line need not be UTF-8; Python then holds characters that UTF-8 has no bytes for.
    return text.encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class Header:
    """What a file says of itself: its format and, where this version knows that, what it is and holds."""

    format: int
    specification: dict[str, Any] | None = None
    attributes: Mapping[str, Any] | None = None
    parts: tuple[str, ...] = ()


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[io.FileIO]:
    """Open a file that may be damaged. HDF5 reads through it, so that a refusal is told from damage."""
    with access_needed(path):
        # Asked before opening, since to open a named pipe is to wait for its writer.
        is_file = stat.S_ISREG(path.stat().st_mode)
        raw = open(path, "rb", buffering=0) if is_file else None  # noqa: SIM115
    if raw is None:
        raise DataError(
            f"{path} is a folder or a device, not a file: move it away, or name another folder with --cache-dir"
        )
    with raw:
        try:
            yield raw
        except DAMAGE as error:
            raise UnusableError(path, f"is damaged ({reason_of(error)})") from error


def reason_of(error: BaseException) -> str:
    """Return the first line of an error's message, or its name where it has none."""
    return (str(error).strip("'\"").splitlines() or [type(error).__name__])[0]


def read_header(path: Path) -> Header | None:
    """Read what a file says of itself, and no more; None if it is an HDF5 file of another kind.

    Raises
    ------
    UnusableError
        If it is damaged.
    DataError
        If it may not be read, or is no file.
    FileNotFoundError
        If it is missing.
    """
    with _reading(path) as raw:
        return _header(raw)


@interrupts_wait()
def _header(raw: io.FileIO) -> Header | None:
    with h5py.File(raw, "r") as file:
        if "format" not in file.attrs and _OF_SPECIFICATION not in file.attrs:
            return None
        version = int(file.attrs["format"])
        if version > FORMAT:
            return Header(version)
        specification = json.loads(_value(file.attrs[_OF_SPECIFICATION]))
        if not isinstance(specification, dict):
            raise ValueError("its specification is not a table")
        if version < FORMAT:
            return Header(version, specification)
        attributes = {name: _value(file.attrs[name]) for name in file.attrs if not _is_own(name)}
        return Header(version, specification, attributes, tuple(name for name in file if f"{name}/images" in file))


def _is_own(attribute: str) -> bool:
    return attribute == "format" or attribute.startswith(_OF_SPECIFICATION)


def _value(stored: np.generic) -> Any:
    """Return an attribute as Python's own type."""
    value = stored.item()
    return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value


@interrupts_wait()
def _describe(raw: io.FileIO, name: str) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Return the shape of an array, its type, and how many rows to read at once."""
    with h5py.File(raw, "r") as file:
        item = file[name]
        if not isinstance(item, h5py.Dataset):
            raise ValueError(f"{name} is not an array")
        if item.dtype.kind not in _NUMBERS:
            raise ValueError(f"{name} is of the type {item.dtype}")
        nbytes = math.prod(item.shape) * item.dtype.itemsize
        # Chunks that were never written would read as zeros.
        stored = min(item.id.get_storage_size(), os.fstat(raw.fileno()).st_size)
        if nbytes > stored:
            raise ValueError(f"{name} claims {nbytes} bytes where {stored} are stored")
        rows = item.chunks[0] if item.chunks else 1
        row_bytes = max(1, nbytes // max(1, item.shape[0]))
        return item.shape, item.dtype, rows * max(1, _BYTES_PER_READ // (rows * row_bytes))


@interrupts_wait()
def _read_rows(raw: io.FileIO, name: str, start: int, out: Array) -> None:
    with h5py.File(raw, "r") as file:
        file[name].read_direct(out, np.s_[start : start + len(out)])


def _read_array(raw: io.FileIO, name: str) -> Array:
    shape, dtype, rows = _describe(raw, name)
    array = np.empty(shape, dtype)
    if array.size:
        for start in range(0, len(array), rows):
            _read_rows(raw, name, start, array[start : start + rows])
    return array


class CacheFile:
    """A prepared file, opened only while something is read from it.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    hit : bool, default True
        Whether it was there already, rather than prepared just now.

    Raises
    ------
    UnusableError
        In every method and attribute that reads: if the file is damaged or of an old format.
    DataError
        Likewise, if it was written by a later version, may not be read, or is no file.
    FileNotFoundError
        Likewise, if it is missing.
    KeyError
        From `array` and `read_images`, as `UnusableError`, if there is none of that name.
    """

    def __init__(self, path: Path, hit: bool = True) -> None:
        self.path = path
        self.hit = hit

    @cached_property
    def _header(self) -> Header:
        header = read_header(self.path)
        if header is None:
            raise UnusableError(self.path, "is damaged (it holds no prepared data)")
        if header.format > FORMAT:
            raise DataError(
                f"{self.path} was written by a later version of bdfa-np: use that version, or name another folder "
                "with --cache-dir"
            )
        if header.format < FORMAT:
            raise UnusableError(self.path, f"has an old format ({header.format})")
        return header

    @property
    def specification(self) -> dict[str, Any]:
        """All that the prepared data depend on."""
        assert self._header.specification is not None
        return self._header.specification

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Text and numbers that were written beside the arrays."""
        assert self._header.attributes is not None
        return self._header.attributes

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts that have images."""
        return self._header.parts

    def array(self, name: str) -> Array:
        """Read an array."""
        assert self._header
        with _reading(self.path) as raw:
            return _read_array(raw, name)

    def read_images(self, part: str) -> tuple[Array, npt.NDArray[np.int64]]:
        """Read the images and labels of a part.

        Parameters
        ----------
        part : str
            One of `parts`.

        Returns
        -------
        images : ndarray, shape (N, ...)
            Contiguous, of the type that they were written in.
        labels : ndarray of int64, shape (N,)
            One for each.
        """
        assert self._header
        with _reading(self.path) as raw:
            images, labels = (_read_array(raw, f"{part}/{name}") for name in ("images", "labels"))
            if labels.shape != images.shape[:1] or labels.dtype != np.int64:
                raise ValueError(f"{part} has {len(images)} images, and labels {labels.dtype} {labels.shape}")
            return images, labels


class CacheWriter:
    """Fills a prepared file; `bdfa_np.data.cache.store` makes it.

    Every call is brief, and a Ctrl-C waits for its end only. None leaves an error behind in HDF5: the first is kept
    by ``sink`` and raised from here.

    Parameters
    ----------
    sink : Sink
        What HDF5 writes through.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._file: h5py.File | None = None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[h5py.File]:
        try:
            with interrupts_wait():
                yield self._file
        except DAMAGE:
            self._sink.check()
            raise
        self._sink.check()

    def open(self, specification: Mapping[str, Any]) -> None:
        """Begin the file."""
        with self._writing():
            # The chunk cache only copies what is written in whole chunks.
            self._file = h5py.File(self._sink, "w", rdcc_nbytes=0, **LAYOUT)
        readable = {
            f"{_OF_SPECIFICATION}.{name}": value if isinstance(value, str | int | float) else canonical(value)
            for name, value in specification.items()
        }
        self._write_attributes({"format": FORMAT, _OF_SPECIFICATION: canonical(specification), **readable})

    def attributes(self, mapping: Mapping[str, str | int | float]) -> None:
        """Write text and numbers. ``format`` and what begins with ``specification`` are the file's own."""
        if any(_is_own(name) for name in mapping):
            raise ValueError(f"of {list(mapping)}, some are the file's own")
        self._write_attributes(mapping)

    def _write_attributes(self, mapping: Mapping[str, str | int | float]) -> None:
        with self._writing() as file:
            for name, value in mapping.items():
                file.attrs[name] = _fixed(value)

    def array(self, name: str, values: Array) -> None:
        """Write an array of numbers with at least one dimension."""
        self._write(name, values.shape, values.dtype, [values])

    def images(
        self,
        part: str,
        shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        blocks: Iterable[Array],
        labels: npt.NDArray[np.int64],
    ) -> None:
        """Write the images and labels of a part.

        Parameters
        ----------
        part : str
            Its name.
        shape : tuple of int
            (N, ...), of all images together.
        dtype : dtype
            Their type.
        blocks : iterable of ndarray
            The images in order, in blocks of any sizes. A block is done with before the next is asked for.
        labels : ndarray of int64, shape (N,)
            One for each image.

        Raises
        ------
        ValueError
            If the blocks, or the labels, are not of that shape and type.
        OSError
            If the file cannot be written.
        """
        if labels.shape != shape[:1] or labels.dtype != np.int64:
            raise ValueError(f"labels {labels.dtype} {labels.shape} of {shape[0]} images")
        self._write(f"{part}/images", shape, np.dtype(dtype), blocks)
        self.array(f"{part}/labels", labels)

    def _write(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], blocks: Iterable[Array]) -> None:
        if dtype.kind not in _NUMBERS or not shape:
            raise TypeError(f"{name}: not an array of numbers: {dtype} {shape}")
        layout = chunks(shape, dtype)
        with self._writing() as file:
            file.create_dataset(name, shape, dtype, track_times=False, **layout)
        start = 0
        for group in regrouped(blocks, layout["chunks"][0] if layout else 1, shape, dtype):
            with self._writing() as file:
                file[name][start : start + len(group)] = group
            start += len(group)

    def close(self) -> None:
        """End the file; it is then complete, though not yet on the disk."""
        with self._writing() as file:
            self._file = None
            file.close()

    def abandon(self) -> None:
        """Let go of a file that nobody wants any more."""
        if self._file is not None:
            with contextlib.suppress(*DAMAGE), interrupts_wait():
                self._file.close()
            self._file = None


def _fixed(value: str | int | float) -> Any:
    """Give text a fixed length: HDF5 keeps text of any length in a place without a checksum."""
    return np.array(encoded(value)) if isinstance(value, str) else value
