"""Readers of a user's own data: arrays, tables, folders of pictures, and the cache of what was prepared of them."""

import io
import random

import h5py
import numpy as np
from PIL import Image

from bdfa_np.data import Recipe, prepare
from bdfa_np.data.sources.find import find_source
from fuzzing import formats
from fuzzing.engine import Mutated, Reader
from fuzzing.mutations import of_bytes
from fuzzing.readers.shared import digest, digest_of, pixels, write

_IMAGES, _LABELS = pixels(8, 4, 4), np.arange(8) % 2


def arrays() -> dict[str, np.ndarray]:
    """Return a data set with a test part and names."""
    names = np.array(["cat", "dog"])
    x, y = _IMAGES[:6], _LABELS[:6]
    return {"x_train": x, "y_train": y, "x_test": _IMAGES[6:], "y_test": _LABELS[6:], "class_names": names}


def npz(values: dict[str, np.ndarray], packed: bool = True) -> bytes:
    """Return an ``.npz`` file."""
    stream = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(stream, **values)
    return stream.getvalue()


class Npz(Reader):
    """Own ``.npz`` files, packed or not."""

    name = "own.npz"

    def make(self) -> list[bytes]:
        """Return files of images, of vectors, of words."""
        words = {"x": pixels(6, 3) / np.float32(7), "y": np.array(["a", "b"] * 3)}
        return [npz(arrays()), npz(words), npz({"X": _IMAGES.reshape(8, -1).astype("i4"), "y": _LABELS}, packed=False)]

    def change(self, rng: random.Random, content: bytes) -> bytes:
        """Change an array's file, its place in the archive, or the archive's bytes."""
        return rng.choice((of_bytes, formats.zipped(formats.npy), formats.zipped(formats.npy)))(
            rng, content, self.seeds
        )

    def read(self, content: bytes) -> str:
        """Read it, divided where it has no test part."""
        path = write(self.folder / "own.npz", content)
        whole = find_source(path).read_whole()
        return digest([*(array for part in whole.parts.values() for array in part), whole.class_names])


class Hdf5(Npz):
    """Own HDF5 files of either layout."""

    name = "own.h5"

    def make(self) -> list[bytes]:
        """Return files of images, with and without chunks and in the oldest and a newer layout."""
        return [_hdf5("earliest", {}), _hdf5("v110", {"chunks": True, "compression": "gzip", "fletcher32": True})]

    def change(self, rng: random.Random, content: bytes) -> bytes:
        """Change what it holds, its structure, or its bytes."""
        return rng.choice((of_bytes, formats.hdf5))(rng, content, self.seeds)

    def read(self, content: bytes) -> str:
        """Read it, divided where it has no test part."""
        whole = find_source(write(self.folder / "own.h5", content)).read_whole()
        return digest([*(array for part in whole.parts.values() for array in part), whole.class_names])


def _hdf5(version: str, settings: dict[str, object]) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w", libver=(version, "v110")) as file:
        for name, array in arrays().items():
            file.create_dataset(
                name, data=np.char.encode(array, "utf-8") if array.dtype.kind == "U" else array, **settings
            )
    return stream.getvalue()


class Table(Reader):
    """Own tables."""

    name = "own.csv"

    def make(self) -> list[bytes]:
        """Return tables of words and of numbers as labels."""
        rows = [f"{a:.3f},{b},{'cat' if a < 0 else 'dog'}" for a, b in zip(pixels(9) / 128 - 1, range(9), strict=True)]
        numbers = [f"{number % 3},{number / 7}" for number in range(9)]
        return ["\n".join(["length,width,kind", *rows, ""]).encode(), "\n".join(["y,x", *numbers, ""]).encode()]

    def change(self, rng: random.Random, content: bytes) -> bytes:
        """Change cells and rows, or its bytes."""
        return formats.table(rng, content, self.seeds)

    def read(self, content: bytes) -> str:
        """Read it with the last column, or the one called y, as labels."""
        label = "y" if content.startswith(b"y,") else None
        whole = find_source(write(self.folder / "own.csv", content), label=label).read_whole()
        return digest([*(array for part in whole.parts.values() for array in part), whole.class_names])


class Prepared(Reader):
    """Files of the cache: what is damaged is prepared anew, and never taken for good."""

    name = "cache"
    protected = True

    def make(self) -> list[bytes]:
        """Prepare a data set, and return its file."""
        write(self.folder / "own.npz", npz(arrays()))
        self.recipe = Recipe(str(self.folder / "own.npz"))
        prepared = self._prepare()
        assert prepared.path is not None
        self.path = prepared.path
        return [self.path.read_bytes()]

    def _prepare(self, note=lambda _: None):
        return prepare(self.recipe, cache_dir=self.folder / "cache", note=note)

    def change(self, rng: random.Random, content: bytes) -> Mutated:
        """Change its bytes, what it holds or its structure."""
        if rng.random() < 0.5:
            return Mutated(of_bytes(rng, content, []))
        return Mutated(formats.hdf5(rng, content, []), resealed=True)

    def read(self, content: bytes) -> str:
        """Take the data from it, or have them prepared anew with a note."""
        self.path.write_bytes(content)
        notes: list[str] = []
        found = self._prepare(notes.append)
        assert found.hit or notes, "prepared anew in silence"
        return digest([*(array for part in found.parts.values() for array in part), found.class_names, *_fitted(found)])


def _fitted(found) -> list[object]:
    raw, fitted = found.raw, found.fitted
    return [raw.lowest, raw.highest, raw.darkest, raw.lightest, *([fitted.offset, fitted.divisor] if fitted else [])]


class Folder(Reader):
    """Folders of pictures, one of which is changed."""

    name = "picture folder"

    def make(self) -> list[bytes]:
        """Make a folder of two classes, and return a picture of it."""
        self.contents = []
        for number, kind in enumerate(("cat", "cat", "dog", "dog")):
            stream = io.BytesIO()
            Image.fromarray(_IMAGES[number]).save(stream, "PNG")
            write(self.folder / f"pets/{kind}/{number}.png", stream.getvalue())
            self.contents.append(stream.getvalue())
        return self.contents[:1]

    def change(self, rng: random.Random, content: bytes) -> bytes:
        """Change it."""
        return rng.choice((of_bytes, formats.png))(rng, content, self.contents)

    def read(self, content: bytes) -> str:
        """Read the folder with it."""
        write(self.folder / "pets/cat/0.png", content)
        return digest_of(find_source(self.folder / "pets", test_fraction=0.5).read())


READERS = (Npz, Hdf5, Table, Prepared, Folder)
