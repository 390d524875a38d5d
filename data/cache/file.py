"""One file of prepared data: HDF5 with a digest of everything in it, written whole or not at all."""

import contextlib
import errno
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from bdfa_np.data.cache.sink import Sink, refused
from bdfa_np.errors import ContentError, DataError
from bdfa_np.system.files import open_file
from bdfa_np.system.hdf5 import array_in, attribute, attribute_names, count, opened, text
from bdfa_np.system.interrupts import interrupts_wait
from bdfa_np.system.memory import beyond_memory
from bdfa_np.system.reading import DAMAGE, reason_of

FORMAT = 4
"""Version of the layout; in every version the root has the attributes ``format`` and ``specification``.

Since version 2 the specification holds the versions of the transforms; since version 3 the file holds the range of the
raw values; since version 4 the root's ``arrays`` holds a SHA-256 of each array, and its ``sha256`` one of the other
attributes.
"""

Array = npt.NDArray[Any]

LAYOUT = {"libver": ("v108", "v108")}
"""From this layout on, HDF5 keeps a checksum on most of its own structures."""

# A read cannot be interrupted, and takes some hundredths of a second.
_BYTES_PER_READ = 2**26
_NUMBERS = "biuf"
_OF_SPECIFICATION, _ARRAYS, _SEAL = "specification", "arrays", "sha256"
_IMAGES, _LABELS = "/images", "/labels"


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
    digests: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Raise `UnusableError` in place of whatever is wrong with a file's content, `DataError` of what is in the way."""
    try:
        yield
    except FileNotFoundError:
        raise
    except ContentError as error:
        raise UnusableError(path, f"is damaged ({error.reason})") from error
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise refused(path, error) from error
        raise UnusableError(path, f"is damaged ({reason_of(error)})") from error


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
    with told(path), open_file(path) as raw:
        return _header(raw)


def _header(raw: io.FileIO) -> Header | None:
    with opened(raw) as file:
        if "format" not in file.attrs and _OF_SPECIFICATION not in file.attrs:
            return None
        version = count(file, "format")
        if version > FORMAT:
            return Header(version)
        specification = json.loads(text(file, _OF_SPECIFICATION))
        if not isinstance(specification, dict):
            raise ContentError("its specification is not a table")
        if version < FORMAT:
            return Header(version, specification)
        found = {name: _value(attribute(file, name)) for name in attribute_names(file)}
        if found.pop(_SEAL, None) != _seal(found):
            raise ContentError("it does not say of itself what was written: the SHA-256 is another")
        digests = json.loads(found[_ARRAYS])
        attributes = {name: value for name, value in found.items() if not _is_own(name)}
        return Header(version, specification, attributes, digests)


def _is_own(attribute: str) -> bool:
    return attribute in ("format", _ARRAYS, _SEAL) or attribute.startswith(_OF_SPECIFICATION)


def _value(stored: Any) -> Any:
    """Return an attribute as Python's own type."""
    return stored.decode("utf-8", "surrogatepass") if isinstance(stored, bytes) else stored


def _seal(attributes: Mapping[str, Any]) -> str:
    """Return the digest of all attributes but the one that holds it."""
    return hashlib.sha256(encoded(canonical(attributes))).hexdigest()


def _digest(shape: tuple[int, ...], dtype: np.dtype[Any]) -> "hashlib._Hash":
    """Begin the digest of an array, which goes on with its bytes, the last index fastest."""
    return hashlib.sha256(f"{dtype.str} {shape}\n".encode())


def _describe(raw: io.FileIO, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with opened(raw) as file:
        item = array_in(file, name, _NUMBERS)
        shape, dtype, nbytes = item.shape, item.dtype, item.nbytes
    problem = beyond_memory(nbytes)
    if problem is not None:
        raise OSError(errno.ENOMEM, f"{name} of {nbytes:,} bytes {problem}")
    return shape, dtype


def _read_rows(raw: io.FileIO, name: str, start: int, out: Array) -> None:
    with opened(raw) as file:
        array_in(file, name, _NUMBERS).read_direct(out, np.s_[start : start + len(out)])


def _read_array(raw: io.FileIO, name: str, sha256: str) -> Array:
    shape, dtype = _describe(raw, name)
    array, digest = np.empty(shape, dtype), _digest(shape, dtype)
    if array.size:
        rows = max(1, _BYTES_PER_READ // array[0].nbytes)
        with ThreadPoolExecutor(1) as beside:  # which takes the digest of some rows while the next are read
            for start in range(0, len(array), rows):
                block = array[start : start + rows]
                _read_rows(raw, name, start, block)
                beside.submit(digest.update, block.data)
    if digest.hexdigest() != sha256:
        raise ContentError(f"{name} is not what was written: its SHA-256 is another")
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
        return tuple(name.removesuffix(_IMAGES) for name in self._header.digests if name.endswith(_IMAGES))

    def array(self, name: str) -> Array:
        """Read an array."""
        with self._reading() as read:
            return read(name)

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
        with self._reading() as read:
            images, labels = read(f"{part}{_IMAGES}"), read(f"{part}{_LABELS}")
            if labels.shape != images.shape[:1] or labels.dtype != np.int64:
                raise ContentError(f"{part} has {len(images)} images, and labels {labels.dtype} {labels.shape}")
            return images, labels

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Callable[[str], Array]]:
        digests = self._header.digests
        with told(self.path), open_file(self.path) as raw:
            yield lambda name: _read_array(raw, name, digests[name])


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
        self._attributes: dict[str, str | int | float] = {}
        self._digests: dict[str, str] = {}

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
            self._file = h5py.File(self._sink, "w", **LAYOUT)
        readable = {
            f"{_OF_SPECIFICATION}.{name}": value if isinstance(value, str | int | float) else canonical(value)
            for name, value in specification.items()
        }
        self._write_attributes({"format": FORMAT, _OF_SPECIFICATION: canonical(specification), **readable})

    def attributes(self, mapping: Mapping[str, str | int | float]) -> None:
        """Write text and numbers. ``format``, ``arrays``, ``sha256`` and ``specification...`` are the file's own."""
        if any(_is_own(name) for name in mapping):
            raise ValueError(f"of {list(mapping)}, some are the file's own")
        self._write_attributes(mapping)

    def _write_attributes(self, mapping: Mapping[str, str | int | float]) -> None:
        with self._writing() as file:
            for name, value in mapping.items():
                file.attrs[name] = _fixed(value)
        self._attributes |= mapping

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
        self._write(f"{part}{_IMAGES}", shape, np.dtype(dtype), blocks)
        self.array(f"{part}{_LABELS}", labels)

    def _write(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], blocks: Iterable[Array]) -> None:
        if dtype.kind not in _NUMBERS or not shape:
            raise TypeError(f"{name}: not an array of numbers: {dtype} {shape}")
        with self._writing() as file:
            file.create_dataset(name, shape, dtype, track_times=False)
        digest, start = _digest(shape, dtype), 0
        for block in blocks:
            end = start + len(block)
            if block.shape[1:] != shape[1:] or block.dtype != dtype or end > shape[0]:
                raise ValueError(f"{end} images {block.dtype} {block.shape[1:]}: promised were {dtype} {shape}")
            if block.size:
                with self._writing() as file:
                    file[name][start:end] = block
                digest.update(np.ascontiguousarray(block).data)
            start = end
        if start != shape[0]:
            raise ValueError(f"{start} images: promised were {shape[0]}")
        self._digests[name] = digest.hexdigest()

    def close(self) -> None:
        """End the file; it is then complete, though not yet on the disk."""
        self._write_attributes({_ARRAYS: canonical(self._digests)})
        self._write_attributes({_SEAL: _seal(self._attributes)})
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
