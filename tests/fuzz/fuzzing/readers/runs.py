"""Run folders, read by the commands that read them; options' files; what is to be predicted."""

import atexit
import functools
import io
import json
import random
import shutil
import tempfile
import unittest.mock
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
from PIL import Image

from bdfa_np.runs.checkpoint import read_checkpoint
from bdfa_np.runs.preprocessing import read_preprocessing
from bdfa_np.trust import listed
from bdfa_np.trust.names import LIST
from fuzzing import formats
from fuzzing.engine import Mutated, Reader
from fuzzing.mutations import of_bytes, of_text
from fuzzing.readers.own import arrays, npz
from fuzzing.readers.shared import command, digest, pixels, write

_HERE = ("--threads", 1, "--backend", "numpy")
_NET = ("--num-hidden", 3, "--nonlin", "relu", "--batch-size", 2, *_HERE, "--lr", 0.01)


_BASES = tempfile.TemporaryDirectory()
atexit.register(_BASES.cleanup)


@functools.cache
def trained(options: tuple[object, ...]) -> Path:
    """Return a folder with a data set, a run of an epoch on it, and what was prepared; it stays as it is."""
    base = Path(tempfile.mkdtemp(dir=_BASES.name))
    data = write(base / "own.npz", npz(arrays()))
    options = (*_NET, "--cache-dir", base / "cache", *options, "--validate", 2, "--keep-best")
    command("train", "--dataset", data, *options, "--epochs", 1, "--save", base / "run")
    return base


class OfRun(Reader):
    """A file of a run folder, read by a command."""

    file: ClassVar[str] = "config.toml"
    options: ClassVar[tuple[object, ...]] = ("--gradient", "bdfa", "--optimization", "adam")

    def make(self) -> list[bytes]:
        """Train for an epoch, and return the file."""
        base = trained(self.options)
        self.data, self.whole = base / "own.npz", base / "run"
        self.run = self.folder / "runs" / "run"
        self.places = ("--cache-dir", base / "cache")
        shutil.copytree(self.whole, self.run)
        return [(self.run / self.file).read_bytes()]

    def change(self, rng: random.Random, content: bytes) -> bytes | Mutated:
        """Change options, or what TOML they are in."""
        return formats.toml(rng, content, [])

    def put(self, content: bytes) -> None:
        """Put an input into the run's folder."""
        (self.run / self.file).write_bytes(content)

    def put_anew(self, content: bytes) -> None:
        """Do so in the folder as it was at first, since the command goes on with the run."""
        shutil.rmtree(self.run)
        shutil.copytree(self.whole, self.run)
        self.put(content)

    def resumed(self) -> str:
        """Go on with the run, and return what came of it, less what depends on the clock."""
        command("train", "--save", self.run, "--resume", "--epochs", 2)
        return _of_checkpoint(self.run / "checkpoint.h5", but="history_sha256")


class Evaluated(OfRun):
    """A run's options, as ``evaluate`` reads them."""

    name = "config.toml evaluate"

    def read(self, content: bytes) -> str:
        """Evaluate the run."""
        self.put(content)
        return command("evaluate", self.run, *_HERE, *self.places)


class Resumed(OfRun):
    """A run's options, as ``--resume`` reads them."""

    name = "config.toml resume"

    def read(self, content: bytes) -> str:
        """Go on with the run."""
        self.put_anew(content)
        return self.resumed()


class Listed(OfRun):
    """A run's options, as ``runs`` reads them, which lists damaged runs too."""

    name = "config.toml runs"

    def read(self, content: bytes) -> str:
        """List the runs as JSON."""
        self.put(content)
        listed = command("runs", self.run.parent, "--json")
        json.loads(listed)
        command("runs", self.run.parent)
        return listed


class Checkpoint(OfRun):
    """Checkpoints: weights, history and counters."""

    name, file = "checkpoint.h5", "checkpoint.h5"
    protected = True

    def change(self, rng: random.Random, content: bytes) -> Mutated:
        """Change what it holds, its structure, or its bytes."""
        if rng.random() < 0.5:
            return Mutated(of_bytes(rng, content, []))
        return Mutated(formats.hdf5(rng, content, []), resealed=True)

    def read(self, content: bytes) -> str:
        """Read all of it."""
        self.put(content)
        return _of_checkpoint(self.run / self.file)


class CheckpointEvaluated(Checkpoint):
    """Checkpoints, as ``evaluate`` reads them."""

    name, protected = "checkpoint.h5 evaluate", False

    def read(self, content: bytes) -> str:
        """Evaluate the run."""
        self.put(content)
        return command("evaluate", self.run, *_HERE, *self.places)


class CheckpointResumed(Checkpoint):
    """Checkpoints, as ``--resume`` reads them."""

    name = "checkpoint.h5 resume"

    def read(self, content: bytes) -> str:
        """Go on with the run."""
        self.put_anew(content)
        return self.resumed()


class CheckpointListed(Checkpoint):
    """Checkpoints, as ``runs`` reads them: the history alone."""

    name, protected = "checkpoint.h5 runs", False

    def read(self, content: bytes) -> str:
        """List the runs as JSON, and as a table."""
        self.put(content)
        listed = command("runs", self.run.parent, "--json")
        json.loads(listed)
        command("runs", self.run.parent)
        return listed


class Best(Checkpoint):
    """The best net's checkpoint, as ``evaluate --best`` reads it."""

    name, file, protected = "best.h5", "best.h5", False

    def make(self) -> list[bytes]:
        """Train for another epoch, and have the first be the best."""
        super().make()
        command("train", "--save", self.run, "--resume", "--epochs", 2)
        best = write(self.run / self.file, (self.whole / "checkpoint.h5").read_bytes())
        return [best.read_bytes()]

    def read(self, content: bytes) -> str:
        """Evaluate the best net."""
        self.put(content)
        return command("evaluate", self.run, "--best", *_HERE, *self.places)


class Loaded(Checkpoint):
    """Checkpoints that another run starts from."""

    name, protected = "--load", False

    def read(self, content: bytes) -> str:
        """Start from it, without training."""
        path = write(self.folder / "other.h5", content)
        return command("train", "--dataset", self.data, *_NET, *self.options, "--load", path, "--dry-run")


class Preprocessing(OfRun):
    """What is done to raw samples, whose file's SHA-256 the checkpoint keeps."""

    name, file, options = "preprocessing.h5", "preprocessing.h5", ("--normalization", "channel")
    protected = True

    def change(self, rng: random.Random, content: bytes) -> Mutated:
        """Change what it holds, its structure, or its bytes; half of the time for a checkpoint that has its sum."""
        changed = rng.choice((of_bytes, formats.hdf5))(rng, content[1:], [])
        return Mutated(b"\1" + changed, True) if rng.random() < 0.5 else Mutated(b"\0" + changed)

    def make(self) -> list[bytes]:
        """Return the file, and remember its sum."""
        [content] = super().make()
        self.sha256 = read_checkpoint(self.run / "checkpoint.h5").preprocessing
        return [b"\0" + content]

    def read(self, content: bytes) -> str:
        """Read it."""
        sealed, content = content[:1] == b"\1", content[1:]
        self.put(content)
        found = read_preprocessing(self.run / self.file, formats.sha256(content) if sealed else self.sha256)
        kept = [found.normalization.offset, found.normalization.divisor] if found.normalization is not None else []
        raw = found.raw
        return digest([found.shape, found.class_names, *kept, raw.lowest, raw.highest, raw.darkest, raw.lightest])


class Beside(OfRun):
    """The files of a run that people read, which ``--resume`` may meet in any state."""

    name = "texts resume"
    files = ("metrics.csv", "Log.txt", "ErrorRate.log", "confusion.csv")
    protected = True

    def make(self) -> list[bytes]:
        """Return each, after its name."""
        super().make()
        return [name.encode() + b"\n" + (self.run / name).read_bytes() for name in self.files]

    def change(self, rng: random.Random, content: bytes) -> bytes:
        """Change it as a table or as text."""
        name, _, inside = content.partition(b"\n")
        return name + b"\n" + rng.choice((of_text, formats.table))(rng, inside, [])

    def read(self, content: bytes) -> str:
        """Go on with the run."""
        name, _, inside = content.partition(b"\n")
        self.put_anew((self.whole / self.file).read_bytes())
        (self.run / name.decode()).write_bytes(inside)
        return self.resumed()


class History(OfRun):
    """The epochs' figures, of which the checkpoint keeps a sum."""

    name, file = "history.bin", "history.bin"
    protected = True

    def change(self, rng: random.Random, content: bytes) -> bytes:
        """Change its bytes."""
        return of_bytes(rng, content, [])

    def read(self, content: bytes) -> str:
        """Read the checkpoint with it."""
        self.put(content)
        return _of_checkpoint(self.run / "checkpoint.h5")


class HistoryListed(History):
    """The same, as ``runs`` reads it."""

    name, protected = "history.bin runs", False

    def read(self, content: bytes) -> str:
        """List the runs."""
        self.put(content)
        return command("runs", self.run.parent, "--json")


class Trusted(Reader):
    """The user's list of files that may be run."""

    name = "trusted.toml"

    def make(self) -> list[bytes]:
        """Return a list of two files."""
        tables = (f'[[file]]\npath = "/nets/{name}.py"\nsha256 = "{digest(name)}"\n' for name in "ab")
        return ["\n".join(tables).encode()]

    def change(self, rng: random.Random, content: bytes) -> bytes:
        """Change it as TOML or as text."""
        return formats.toml(rng, content, [])

    def read(self, content: bytes) -> str:
        """Ask whether each is in it."""
        path = write(self.folder / LIST, content)
        with unittest.mock.patch.object(listed, "list_path", return_value=path):
            return repr([listed.is_listed(f"/nets/{name}.py", SimpleNamespace(sha256=digest(name))) for name in "ab"])


class Options(OfRun):
    """Files of options that ``--config`` names, with and without tables."""

    name = "--config"
    options = ("--gradient", "bfa", "--optimization", "sgd", "--momentum", 0.5, "--weight-decay", 1e-4)

    def make(self) -> list[bytes]:
        """Return a run's ``config.toml``, and one of options alone."""
        [content] = super().make()
        return [content, b'gradient = "dfa"\nnum-hidden = 3\nlr = 0.01\nnonlin = "relu"\nseed = 3\n']

    def read(self, content: bytes) -> str:
        """Show what the options come to."""
        path = write(self.folder / "options.toml", content)
        return command(
            "train", "--dataset", self.data, "--config", path, "--threads", 1, "--backend", "numpy", "--dry-run"
        )


class Trained(Options):
    """The same, and an epoch is trained with them."""

    name = "--config train"

    def read(self, content: bytes) -> str:
        """Train with the options for an epoch."""
        path = write(self.folder / "options.toml", content)
        shutil.rmtree(self.run, ignore_errors=True)
        fixed = ("--dataset", self.data, "--epochs", 1, *_HERE, *self.places)
        command("train", *fixed, "--config", path, "--save", self.run)
        return _of_checkpoint(self.run / "checkpoint.h5", but="history_sha256")


class PredictedArrays(OfRun):
    """Files of arrays whose samples are predicted."""

    name = "predict x.npz"

    def make(self) -> list[bytes]:
        """Train, and return files with labels and without."""
        super().make()
        images = pixels(3, 4, 4, 1)
        return [
            npz({"x": images, "y": np.array([0, 1, 0])}),
            npz({"whatever": images}),
            npz({"x": images[..., 0]}, packed=False),
        ]

    def change(self, rng: random.Random, content: bytes) -> bytes:
        """Change an array's file, its place in the archive, or the archive's bytes."""
        return rng.choice((of_bytes, formats.zipped(formats.npy), formats.zipped(formats.npy)))(
            rng, content, self.seeds
        )

    def read(self, content: bytes) -> str:
        """Predict the samples."""
        return command(
            "predict", self.run, write(self.folder / "x.npz", content), "--json", "--backend", "numpy", "--threads", 1
        )


class PredictedPicture(PredictedArrays):
    """Pictures that are predicted."""

    name = "predict x.png"

    def make(self) -> list[bytes]:
        """Train, and return pictures."""
        OfRun.make(self)
        stream = io.BytesIO()
        Image.fromarray(pixels(6, 5, 3)).save(stream, "PNG")
        return [stream.getvalue()]

    def change(self, rng: random.Random, content: bytes) -> bytes:
        """Change its chunks or bytes."""
        return rng.choice((of_bytes, formats.png))(rng, content, [])

    def read(self, content: bytes) -> str:
        """Predict it."""
        return command(
            "predict", self.run, write(self.folder / "x.png", content), "--json", "--backend", "numpy", "--threads", 1
        )


def _of_checkpoint(path: Path, but: str = "") -> str:
    """Return what tells a checkpoint from any other, but for the time that epochs took and one attribute."""
    found = vars(read_checkpoint(path))
    values: list[object] = []
    for name, value in sorted(found.items()):
        if name == but:
            continue
        if name == "history":
            values += [asdict(record) | {"seconds": 0} for record in value]
        elif isinstance(value, dict):
            values += [one for pair in sorted(value.items()) for one in pair]
        else:
            values.append(value)
    return digest(values)


READERS = (
    Evaluated, Resumed, Listed, Checkpoint, CheckpointEvaluated, CheckpointResumed, CheckpointListed, Best, Loaded,
    Preprocessing, History, HistoryListed, Trusted, Beside, Options, Trained, PredictedArrays, PredictedPicture,
)  # fmt: skip
