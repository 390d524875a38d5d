"""Readers of published data sets: the formats for themselves, and the data sets, whose sums promise more."""

import gzip
import hashlib
import io
import pickle
import random
import struct
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import ClassVar

import numpy as np
import scipy.io

from bdfa_np.data.readers import cifar, idx, stl10, svhn
from bdfa_np.data.sources.kinds import ArchivedFile, RemoteFile
from bdfa_np.data.sources.registry import ENTRIES
from fuzzing.engine import Mutated, Reader
from fuzzing.formats import gzipped
from fuzzing.mutations import of_bytes
from fuzzing.readers.shared import digest, digest_of, pixels, write


def idx_file(values: np.ndarray, kind: int = 8) -> bytes:
    """Return an IDX file."""
    header = struct.pack(f">HBB{values.ndim}I", 0, kind, values.ndim, *values.shape)
    return header + values.astype({8: ">u1", 12: ">i4"}[kind]).tobytes()


class Idx(Reader):
    """IDX files, which have no sum of their own."""

    name = "idx"

    def make(self) -> list[bytes]:
        """Return an images' file."""
        return [idx_file(pixels(4, 5, 3))]

    def change(self, rng: random.Random, content: bytes) -> bytes:
        """Change its bytes."""
        return of_bytes(rng, content, [])

    def read(self, content: bytes) -> str:
        """Read it."""
        return digest(idx.read_idx(write(self.folder / "images", content), (5, 3)))


class GzippedIdx(Idx):
    """The same in gzip, whose CRC-32 is set right half of the time."""

    name = "idx.gz"

    def make(self) -> list[bytes]:
        """Return it packed."""
        return [gzip.compress(content, mtime=0) for content in super().make()]

    def change(self, rng: random.Random, content: bytes) -> bytes:
        """Change what is packed, or the packing."""
        return rng.choice((of_bytes, gzipped(of_bytes)))(rng, content, [])


class Records(Reader):
    """CIFAR's binary records, by themselves."""

    name = "cifar records"

    def make(self) -> list[bytes]:
        """Return three records of 4 x 4 pixels."""
        return [pixels(3, 1 + 48).tobytes()]

    def change(self, rng: random.Random, content: bytes) -> bytes:
        """Change its bytes."""
        return of_bytes(rng, content, [])

    def read(self, content: bytes) -> str:
        """Read it."""
        return digest(cifar.read_records(write(self.folder / "data.bin", content), 3, (4, 4, 3)))


class Stl(Records):
    """STL-10's images and labels, by themselves."""

    name = "stl10 files"

    def make(self) -> list[bytes]:
        """Return two images of 4 x 4 pixels, and as many labels."""
        return [pixels(2, 48).tobytes(), bytes([1, 10])]

    def read(self, content: bytes) -> str:
        """Read it as whichever of them it is as long as."""
        path = write(self.folder / "X.bin", content)
        if len(content) < 48:
            return digest(stl10.read_labels(path, 2, 10))
        return digest(stl10.read_images(path, 2, (4, 4, 3)))


class Svhn(Reader):
    """SVHN's MATLAB files, of which none but the published one is interpreted."""

    name = "svhn.mat"
    protected = True

    def make(self) -> list[bytes]:
        """Return a file of three images."""
        stream = io.BytesIO()
        content = {"X": pixels(4, 4, 3, 3), "y": np.array([[10], [1], [2]], np.uint8)}
        scipy.io.savemat(stream, content, do_compression=True)
        self.sha256 = hashlib.sha256(stream.getvalue()).hexdigest()
        return [stream.getvalue()]

    def change(self, rng: random.Random, content: bytes) -> bytes:
        """Change its bytes."""
        return of_bytes(rng, content, [])

    def read(self, content: bytes) -> str:
        """Read it."""
        return digest(svhn.read_svhn(write(self.folder / "train.mat", content), self.sha256, (4, 4, 3)))


class Published(Reader):
    """A data set of the catalogue, made small; one of its files is changed.

    Where the catalogue has a sum for what is read, other content must be noticed.
    """

    dataset: ClassVar[str]
    publication: ClassVar[int] = 0
    contents: ClassVar[Callable[[], list[bytes]]]
    counts: ClassVar[tuple[int, int]] = (4, 2)
    protected = True

    def make(self) -> list[bytes]:
        """Put the files into a folder, and say of each what the catalogue would."""
        entry = ENTRIES[self.dataset]
        publication = entry.publications[self.publication]
        self.reader = getattr(import_module(publication.reader.split(":")[0]), publication.reader.split(":")[1])
        self.entry = replace(entry, train_images=self.counts[0], test_images=self.counts[1])
        contents = type(self).contents()
        self.files = [
            (_described(file, content), write(self.folder / file.published_name, content))
            for file, content in zip(publication.wanted(), contents, strict=True)
        ]
        self.whole = contents
        return [b"%d " % place + content for place, content in enumerate(contents)]

    def change(self, rng: random.Random, content: bytes) -> Mutated:
        """Change one file, or what is packed in it; content without a sum may be another's."""
        place, _, inside = content.partition(b" ")
        file, _ = self.files[int(place)]
        packed = inside.startswith(b"\x1f\x8b")
        changed = (
            gzipped(of_bytes)(rng, inside, []) if packed and rng.random() < 0.5 else of_bytes(rng, inside, self.whole)
        )
        has_sum = file.sha256_content is not None or (packed and changed.startswith(b"\x1f\x8b"))
        return Mutated(place + b" " + changed, resealed=not has_sum)

    def read(self, content: bytes) -> str:
        """Read the data set with that file in its place."""
        place, _, inside = content.partition(b" ")
        path = self.files[int(place)][1]
        path.write_bytes(inside)
        try:
            return digest_of(self.reader(self.entry, self.files))
        finally:
            path.write_bytes(self.whole[int(place)])


def _described(file: RemoteFile | ArchivedFile, content: bytes) -> RemoteFile | ArchivedFile:
    sha256 = hashlib.sha256(content).hexdigest()
    plain = hashlib.sha256(gzip.decompress(content)).hexdigest() if content[:2] == b"\x1f\x8b" else sha256
    sums = {
        "sha256_content": plain if file.sha256_content is not None else None,
        "sha256_archive": sha256 if file.sha256_archive is not None else None,
    }
    return replace(file, **({"size": len(content)} if isinstance(file, ArchivedFile) else {}), **sums)


def _idx_set(labels: Callable[[int], bytes]) -> list[bytes]:
    plain = [content for count in (4, 2) for content in (idx_file(pixels(count, 28, 28)), labels(count))]
    return [gzip.compress(content, mtime=0) for content in plain]


def _plain_labels(count: int) -> bytes:
    return idx_file(np.arange(count, dtype=np.uint8))


def _letters(count: int) -> bytes:
    return idx_file(np.arange(1, 1 + count, dtype=np.uint8))


def _qmnist_labels(count: int) -> bytes:
    return idx_file(np.arange(count * 8, dtype=np.int32).reshape(count, 8) % 10, 12)


def _records(labels: int, counts: tuple[int, ...]) -> list[bytes]:
    return [
        b"".join(bytes([number % 10] * labels) + pixels(3072).tobytes() for number in range(count)) for count in counts
    ]


def _pickles() -> list[bytes]:
    batches = [{"labels": [number], "data": pixels(1, 3072)} for number in range(6)]
    return [pickle.dumps(batch, 2) for batch in batches]


def _stl() -> list[bytes]:
    return [pixels(2 * 96 * 96 * 3).tobytes(), b"\1\2", pixels(96 * 96 * 3).tobytes(), b"\3"]


class Mnist(Published):
    """MNIST, whose content has sums."""

    name, dataset, contents = "mnist", "mnist", lambda: _idx_set(_plain_labels)


class Emnist(Published):
    """EMNIST's letters, of which the packed files have sums."""

    name, dataset, contents = "emnist", "emnist-letters", lambda: _idx_set(_letters)


class Kmnist(Published):
    """KMNIST, of which the packed files have sums."""

    name, dataset, contents = "kmnist", "kmnist", lambda: _idx_set(_plain_labels)


class Qmnist(Published):
    """QMNIST."""

    name, dataset, contents = "qmnist", "qmnist", lambda: _idx_set(_qmnist_labels)


class Cifar10(Published):
    """CIFAR-10's binary version."""

    name, dataset, contents = "cifar10", "cifar10", lambda: _records(1, (1,) * 6)
    counts = (5, 1)


class Cifar100(Published):
    """CIFAR-100's, which has no sums."""

    name, dataset, contents = "cifar100", "cifar100", lambda: _records(2, (2, 1))
    counts = (2, 1)


class Pickles(Published):
    """CIFAR-10's Python version, of which none but the published files are interpreted."""

    name, dataset, contents = "cifar10 pickles", "cifar10", _pickles
    publication, counts = 1, (5, 1)


class Stl10(Published):
    """STL-10."""

    name, dataset, contents = "stl10", "stl10", _stl
    counts = (2, 1)


READERS = (Idx, GzippedIdx, Records, Stl, Svhn, Mnist, Emnist, Kmnist, Qmnist, Cifar10, Cifar100, Pickles, Stl10)
