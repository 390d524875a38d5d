"""Mutated files for each reader: `python tests/guard/fuzz_files.py READER FIRST_SEED HOW_MANY` says what came of them.

The same seed gives the same file. Whatever a reader does other than to read it or refuse it in one line is a fault; a
crash ends the process, and the seed is the last one printed.
"""

import hashlib
import io
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from bdfa_np.data import Normalization, Preprocessing, load_dataset
from bdfa_np.data.cache.file import CacheFile
from bdfa_np.data.cache.store import Cache
from bdfa_np.data.preprocess.raw_values import RawValues
from bdfa_np.errors import UserError
from bdfa_np.runs.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.preprocessing import read_preprocessing, write_preprocessing
from bdfa_np.runs.store.epochs import EpochWriter
from bdfa_np.system.sealed import SEAL, write_sealed
from bdfa_np.trainer import EpochRecord, Progress

NUMBERS = np.random.default_rng(0)
OWN = {
    "train_images": NUMBERS.integers(0, 256, (4, 2, 3, 1), np.uint8),
    "train_labels": np.array([0, 1, 2, 0]),
    "test_images": NUMBERS.integers(0, 256, (2, 2, 3, 1), np.uint8),
    "test_labels": np.array([2, 1]),
}
LAYOUTS: tuple[dict[str, Any], ...] = (
    {},
    {"chunks": True},
    {"chunks": True, "compression": "gzip", "shuffle": True},
    {"chunks": True, "fletcher32": True},
    {"chunks": True, "compression": "lzf", "fletcher32": True},
    {"maxshape": True},
)
SETTINGS: tuple[dict[str, Any], ...] = ({}, {"libver": "latest"}, {"libver": ("v110", "v110")}, {"userblock_size": 512})
EDGES = (0, 1, 2, 4, 127, 128, 255, 0x7FFF, 0xFFFF, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
CONFIG = """
[options]
dataset = "mnist-5k"
num_hidden = 20
lr = 0.001
gradient = "bdfa"
validate = false
seed = 0
epochs = 3

[run]
backend = "numpy"
dtype = "float32"

[versions]
python = "3.11.7"
numpy = "2.4.6"

[data]
input_shape = [28, 28, 1]
class_names = ["0", "1", "2"]

[data.checksums]
"mnist_5k.h5" = "ab12"
"""
WORDS = (
    '"',
    "'",
    "[",
    "]",
    "[[",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\n",
    "#",
    "\\",
    "\0",
    "\x7f",
    "é",
    "\udcff",
    "nan",
    "-inf",
    "true",
)
LITERALS = (
    "1e999",
    "9" * 400,
    "9" * 5000,
    "-1",
    "0",
    "0x7fffffffffffffff",
    '""',
    "[]",
    "{}",
    "[" * 2000,
    "2020-01-01",
    "é",
)
HISTORY = [EpochRecord(number, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7) for number in (1, 2)]


@dataclass(frozen=True)
class Reader:
    """A kind of file: good ones, and the reading that has to stand whatever becomes of them."""

    good: list[bytes]
    read: Callable[[bytes, Path], Any]
    mutate: Callable[[bytes, random.Random], bytes]


def mutated(content: bytes, numbers: random.Random) -> bytes:
    """Return binary content with a few bytes, fields or stretches changed."""
    changed = bytearray(content)
    for _ in range(numbers.choice((1, 1, 1, 2, 3, 8))):
        place = numbers.randrange(len(changed))
        match numbers.randrange(8):
            case 0 | 1:
                changed[place] = numbers.randrange(256)
            case 2:
                changed[place] ^= 1 << numbers.randrange(8)
            case 3 | 4:
                width = numbers.choice((1, 2, 4, 8))
                changed[place : place + width] = (numbers.choice(EDGES) % 256**width).to_bytes(width, "little")
            case 5:
                width, source = numbers.choice((4, 8, 16, 64)), numbers.randrange(len(changed))
                changed[place : place + width] = changed[source : source + width]
            case 6:
                changed[place : place + 8] = numbers.randrange(len(changed)).to_bytes(8, "little")
            case 7:
                changed[place:] = changed[place + numbers.randrange(64) :] or b"\0"
    return bytes(changed)


def mutated_text(content: bytes, numbers: random.Random) -> bytes:
    """Return TOML with a few values, lines or characters changed."""
    lines = content.decode().splitlines()
    for _ in range(numbers.choice((1, 1, 2, 4))):
        number = numbers.randrange(len(lines))
        key, equals, _ = lines[number].partition(" = ")
        match numbers.randrange(5):
            case 0 | 1 if equals:
                lines[number] = f"{key} = {numbers.choice(LITERALS + WORDS)}"
            case 2:
                del lines[number]
                lines = lines or [""]
            case 3:
                lines.insert(number, lines[numbers.randrange(len(lines))])
            case _:
                place = numbers.randrange(len(lines[number]) + 1)
                lines[number] = lines[number][:place] + numbers.choice(WORDS) + lines[number][place:]
    return "\n".join(lines).encode(errors="surrogateescape")


def put_run(folder: Path) -> None:
    """Make a run of two epochs, as far as its own files tell."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(CONFIG)
    (folder / "checkpoint.h5").write_bytes(READERS["checkpoint"].good[0])
    EpochWriter(HISTORY).begin(folder / "history.bin")


def put_lock(path: Path) -> None:
    """Make what is left of a file's being prepared, by which the cache knows its own."""
    (path.parent / ".locks").mkdir(exist_ok=True)
    (path.parent / ".locks" / f"{path.name}.lock").touch()


def own_files() -> list[bytes]:
    """Return a data set of the user's own in every layout."""
    made = []
    for settings in SETTINGS:
        for layout in LAYOUTS:
            memory = io.BytesIO()
            with h5py.File(memory, "w", **settings) as file:
                for name, array in OWN.items():
                    options = dict(layout)
                    if options.pop("chunks", False):
                        options["chunks"] = (1, *(min(2, side) for side in array.shape[1:]))
                    if options.pop("maxshape", False):
                        options |= {"maxshape": (None,) * array.ndim, "chunks": (1, *array.shape[1:])}
                    file.create_dataset(name, data=array, **options)
                file["class_names"] = np.array([b"cat", b"dog", b"cow"])
            made.append(memory.getvalue())
    return made


def checkpoints() -> list[bytes]:
    """Return a checkpoint with something in every place."""
    made = Checkpoint(
        weights={"linear1.W": np.ones((3, 2), "f4"), "linear1.b": np.zeros(2, "f4")},
        feedback={"feedback1.B": np.ones((2, 2), "f4")},
        layers={"batchnorm1.running_mean": np.ones(2, "f4")},
        optimizer={"0.v": np.ones(3, "f4")},
        training_passes=9,
        learning_rate=0.1,
        steps=7,
        progress=Progress(2, 0.3, 1, "it was enough"),
        confusion=np.eye(3, dtype=int),
        history_sha256=EpochWriter(HISTORY).sha256,
        rule={"slow": np.ones(2, "f4")},
        rule_counters={"steps": 3.0},
    )
    return [_file_of(lambda path: write_checkpoint(path, made))]


def preprocessings() -> list[bytes]:
    """Return a preprocessing with a normalization."""
    offset, divisor = np.full((1, 1, 1), 0.5), np.full((1, 1, 1), 2.0)
    raw = RawValues(True, np.float32(0), np.float32(255), 3.0, 200.0)
    made = Preprocessing((2, 3, 1), ("cat", "dog"), raw, normalization=Normalization("channel", offset, divisor))
    return [_file_of(lambda path: write_preprocessing(path, made))]


def prepared() -> list[bytes]:
    """Return a file of prepared data."""

    def build(writer: Any) -> None:
        writer.images("train", (4, 2, 3, 1), np.uint8, [OWN["train_images"]], OWN["train_labels"])
        writer.attributes({"name": "digits"})

    with tempfile.TemporaryDirectory() as folder:
        made = Cache(Path(folder)).prepared("digits", {"a": 1}, build, lambda file: file.path, note=print)
        return [made.read_bytes()]


def _file_of(write: Callable[[Path], Any]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "file")
        return (Path(folder) / "file").read_bytes()


def read_own(content: bytes, folder: Path) -> Any:
    """Read it as a data set."""
    (folder / "digits.h5").write_bytes(content)
    return load_dataset(folder / "digits.h5")


def read_sealed_checkpoint(content: bytes, folder: Path) -> Any:
    """Read it as a checkpoint."""
    (folder / "checkpoint.h5").write_bytes(content)
    return read_checkpoint(folder / "checkpoint.h5", history=False)


def read_forged_checkpoint(content: bytes, folder: Path) -> Any:
    """Read it as a checkpoint whose seal is right, as who made it on purpose would see to."""
    write_sealed(folder / "checkpoint.h5", io.BytesIO(content.ljust(SEAL, b"\0")))
    return read_checkpoint(folder / "checkpoint.h5", history=False)


def read_forged_preprocessing(content: bytes, folder: Path) -> Any:
    """Read it as a preprocessing of which the checkpoint says the right digest."""
    (folder / "preprocessing.h5").write_bytes(content)
    return read_preprocessing(folder / "preprocessing.h5", hashlib.sha256(content).hexdigest())


def read_prepared(content: bytes, folder: Path) -> Any:
    """Read it as prepared data."""
    (folder / "digits-0123456789abcdef.h5").write_bytes(content)
    put_lock(folder / "digits-0123456789abcdef.h5")
    file = CacheFile(folder / "digits-0123456789abcdef.h5")
    assert Cache(folder).entries()
    return *file.read_images("train"), file.attributes, file.specification


def read_config(content: bytes, folder: Path) -> Any:
    """Read it as a run's options."""
    (folder / "config.toml").write_bytes(content)
    return RunFolder(folder).read_document()


READERS = {
    "own": Reader(own_files(), read_own, mutated),
    "checkpoint": Reader(checkpoints(), read_sealed_checkpoint, mutated),
    "forged checkpoint": Reader(checkpoints(), read_forged_checkpoint, mutated),
    "forged preprocessing": Reader(preprocessings(), read_forged_preprocessing, mutated),
    "prepared": Reader(prepared(), read_prepared, mutated),
    "config": Reader([CONFIG.encode()], read_config, mutated_text),
}


def outcomes(name: str, seeds: range, folder: Path, said: Callable[[int], None] = lambda _: None) -> dict[str, Any]:
    """Return how often a reader read and refused what was changed, and the slowest reading's seconds.

    Raises
    ------
    AssertionError
        If it did anything else.
    """
    reader, found, slowest = READERS[name], Counter[str](), 0.0
    for seed in seeds:
        said(seed)
        numbers = random.Random(seed)
        content = reader.mutate(numbers.choice(reader.good), numbers)
        if content in reader.good:  # nothing has changed
            continue
        start = time.perf_counter()
        try:
            reader.read(content, folder)
            found["read"] += 1
        except UserError as error:
            found["refused" if "\n" not in str(error) else "refused in several lines"] += 1
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed}: {error!r}") from error
        slowest = max(slowest, time.perf_counter() - start)
    return {**found, "slowest": round(slowest, 3)}


if __name__ == "__main__":
    import resource

    with tempfile.TemporaryDirectory() as work:
        seeds_asked = range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3]))
        came_to = outcomes(sys.argv[1], seeds_asked, Path(work), lambda seed: print(seed, file=sys.stderr))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"reader": sys.argv[1], **came_to, "peak MiB": peak}))
