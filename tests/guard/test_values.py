"""Checkpoints and options with every value of a wrong kind: one line, whichever command meets them."""

import io
import itertools
import json
import math
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from fuzz_files import READERS, put_lock, put_run

from bdfa_np.errors import RunError
from bdfa_np.runs.checkpoint import read_checkpoint
from bdfa_np.runs.folder import RunFolder
from bdfa_np.system.sealed import SEAL, write_sealed

COUNTS = ("format", "steps", "training_passes", "epoch", "halvings")
FIGURES = ("learning_rate", "train_error_mean")
VALUES = {
    "text": np.bytes_(b"many"),
    "text of any length": "many",
    "a row": np.arange(3),
    "nothing": h5py.Empty("i8"),
    "a truth value": True,
    "not a number": math.nan,
    "infinite": -math.inf,
    "a complex number": 1j,
    "a record": np.zeros((), "i4,f4"),
}
MORE = {
    **{f"{name} of -1": (name, -1) for name in COUNTS},
    **{f"{name} of 2**60": (name, 2**60) for name in COUNTS if name != "format"},
    **{f"{name} that is a fraction": (name, 1.5) for name in COUNTS},
    "a reason that is a number": ("stop_reason", 3),
    "a reason of any length": ("stop_reason", "text"),
    "a digest that is a number": ("preprocessing_sha256", 3),
    "no reason": ("stop_reason", None),
    "no epoch": ("epoch", None),
}
ATTRIBUTES = {f"{name} that is {kind}": (name, value) for name in (*COUNTS, *FIGURES) for kind, value in VALUES.items()}

W = "weights/linear1.W"
HISTORY = np.array([[1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], [2, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]])


def with_nan(values):
    values = np.array(values, float)
    values.flat[0] = math.nan
    return values


ARRAYS = {
    "weights that are not finite": (W, with_nan(np.ones((3, 2))).astype("f4")),
    "weights that are infinite": (W, np.full((3, 2), -math.inf, "f4")),
    "feedback that is not finite": ("feedback/feedback1.B", with_nan(np.ones((2, 2))).astype("f4")),
    "weights that are whole numbers": (W, np.ones((3, 2), int)),
    "weights that are complex": (W, np.ones((3, 2), complex)),
    "weights that are text": (W, np.array([b"a"])),
    "weights that are nothing": (W, h5py.Empty("f4")),
    "weights that are a group": (W, "group"),
    "weights in another file": (W, h5py.ExternalLink("/etc/passwd", "/x")),
    "weights that are a link": (W, h5py.SoftLink("/history")),
    "no weights": ("weights", None),
    "weights all in one": ("weights", np.ones(3)),
    "feedback in another file": ("feedback", h5py.ExternalLink("/etc/passwd", "/x")),
    "no history": ("history", None),
    "a history that is text": ("history", np.array([b"a"])),
    "a history without epochs": ("history", np.zeros((0, 8))),
    "a history with other columns": ("history", HISTORY[:, :7]),
    "a history in another order": ("history", HISTORY[::-1]),
    "a history with epochs that are no numbers": ("history", with_nan(HISTORY)),
    "a history with infinite epochs": ("history", HISTORY * math.inf),
    "a history of one row": ("history", HISTORY[0]),
    "no confusion": ("confusion", None),
    "a confusion that is text": ("confusion", np.array([b"a"])),
}


def changed(path, change):
    """Write a checkpoint that h5py has changed, with the seal that goes with it."""
    put_run(path.parent)
    content = io.BytesIO(READERS["checkpoint"].good[0])
    with h5py.File(content, "r+") as file:
        change(file)
    write_sealed(path, io.BytesIO(content.getvalue()))
    return path


@pytest.mark.parametrize(("name", "value"), (ATTRIBUTES | MORE).values(), ids=ATTRIBUTES | MORE)
def test_an_attribute_of_a_wrong_kind_is_one_line(tmp_path, name, value):
    def change(file):
        if name in file.attrs:
            del file.attrs[name]
        if value is not None:
            file.attrs[name] = value

    with pytest.raises(RunError, match=r"^[^\n]+checkpoint\.h5 is damaged \([^\n]+\): restore it from a copy"):
        read_checkpoint(changed(tmp_path / "checkpoint.h5", change))


@pytest.mark.parametrize(("name", "value"), ARRAYS.values(), ids=ARRAYS)
def test_an_array_of_a_wrong_kind_is_one_line(tmp_path, name, value):
    def change(file):
        del file[name]
        if isinstance(value, str):
            file.create_group(name)
        elif isinstance(value, h5py.Empty):
            file.create_dataset(name, data=value)
        elif value is not None:
            file[name] = value

    with pytest.raises(RunError, match=r"^[^\n]+checkpoint\.h5 is damaged \([^\n]+\): restore it from a copy"):
        read_checkpoint(changed(tmp_path / "checkpoint.h5", change))


def test_arrays_that_share_their_bytes_cannot_claim_more_than_the_file_has(tmp_path):
    def change(file):
        for number in range(40):
            file[f"weights/again{number}"] = file[W]
            file[f"optimizer/again{number}"] = file["big"]
        del file["big"]

    def add_big(file):
        file["big"] = np.ones(2000, "f4")
        change(file)

    with pytest.raises(RunError, match=r"it claims \d+ bytes in a file of \d+"):
        read_checkpoint(changed(tmp_path / "checkpoint.h5", add_big))


def test_what_is_unchanged_is_read(tmp_path):
    assert read_checkpoint(changed(tmp_path / "checkpoint.h5", lambda _: None)).steps == 7


LITERALS = {
    "text": '"many"',
    "nothing": '""',
    "a table": "{}",
    "a list": "[1, 2]",
    "a date": "2020-01-01",
    "not a number": "nan",
    "infinite": "-inf",
    "too large a fraction": "1e999",
    "of 400 digits": "9" * 400,
    "of 4000 digits": "9" * 4000,
    "of 5000 digits": "9" * 5000,
    "negative": "-7",
    "of the wrong truth": "true",
    "nested deep": "[" * 3000 + "]" * 3000,
    "nul": '"a\\u0000b"',
}
KEYS = ("num_hidden", "lr", "epochs", "gradient", "dataset", "input_shape", "class_names", '"mnist_5k.h5"')
HARMLESS = {  # of which reading alone cannot tell; `runs` and `evaluate` do
    *(("num_hidden", kind) for kind in ("of 400 digits", "of 4000 digits", "negative")),
    *(("epochs", kind) for kind in ("of 400 digits", "of 4000 digits", "negative")),
    *(("lr", kind) for kind in ("not a number", "infinite", "too large a fraction", "negative")),
    *((key, kind) for key in ("gradient", "dataset", '"mnist_5k.h5"') for kind in ("text", "nothing")),
    ('"mnist_5k.h5"', "nul"),
    ("input_shape", "a list"),
}


def config_with(key, literal):
    lines = READERS["config"].good[0].decode().splitlines()
    assert sum(line.startswith(f"{key} = ") for line in lines) == 1
    return "\n".join(f"{key} = {literal}" if line.startswith(f"{key} = ") else line for line in lines)


@pytest.mark.parametrize("kind", LITERALS)
@pytest.mark.parametrize("key", KEYS)
def test_a_setting_of_a_wrong_kind_is_one_line(tmp_path, key, kind):
    (tmp_path / "config.toml").write_text(config_with(key, LITERALS[kind]))
    if (key, kind) in HARMLESS:
        RunFolder(tmp_path).read_document()
        return
    with pytest.raises(RunError, match=r"^[^\n]+config\.toml is damaged: [^\n]+$"):
        RunFolder(tmp_path).read_document()


def listed(bdfa):
    outcome = bdfa("runs", "runs", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    return {run["run"]: run["state"] for run in json.loads(outcome.out)}


def test_runs_lists_every_folder_whatever_its_options_are(bdfa):
    for number, (key, kind) in enumerate(itertools.product(KEYS, LITERALS)):
        put_run(Path(f"runs/{number}"))
        Path(f"runs/{number}/config.toml").write_text(config_with(key, LITERALS[kind]))
    states = listed(bdfa)
    assert len(states) == len(KEYS) * len(LITERALS)
    assert "damaged" in states.values()


FILES = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no HDF5"),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:700]),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a link to itself": lambda path: (path.unlink(), path.symlink_to(path.name)),
    "a link to nowhere": lambda path: (path.unlink(), path.symlink_to("nowhere")),
    "a device": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    "from the far future": lambda path: os.utime(path, ns=(2**62, 2**62)),
    "from long ago": lambda path: os.utime(path, ns=(-(2**62), -(2**62))),
    "all zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "ten gigabytes": lambda path: os.truncate(path, 10**10),
}


def test_runs_lists_every_run_whatever_its_checkpoint_is(bdfa):
    for kind, damage in FILES.items():
        put_run(Path("runs") / kind)
        (Path("runs") / kind / "metrics.csv").touch()  # a run to be seen as one
        damage(Path("runs") / kind / "checkpoint.h5")
    assert listed(bdfa) == {kind: "finished" if kind.startswith("from") else "damaged" for kind in FILES}


def edited(change):
    def damage(path):
        with h5py.File(path, "r+") as file:
            change(file)

    return damage


HEADERS = {
    "a format that is text": lambda file: file.attrs.create("format", np.bytes_(b"x")),
    "a format of any text": lambda file: file.attrs.create("format", "x"),
    "an infinite format": lambda file: file.attrs.create("format", math.inf),
    "a format that is not a number": lambda file: file.attrs.create("format", math.nan),
    "a format that is a row": lambda file: file.attrs.create("format", np.arange(3)),
    "a negative format": lambda file: file.attrs.create("format", -1),
    "a huge format": lambda file: file.attrs.create("format", 2**63 - 1),
    "no format": lambda file: file.attrs.pop("format"),
    "no specification": lambda file: file.attrs.pop("specification"),
    "a specification that is a number": lambda file: file.attrs.create("specification", 3),
    "a specification of any text": lambda file: file.attrs.create("specification", "{}"),
    "a specification that is no JSON": lambda file: file.attrs.create("specification", np.bytes_(b"{")),
    "a specification that is a list": lambda file: file.attrs.create("specification", np.bytes_(b"[]")),
    "a specification nested deep": lambda file: file.attrs.create("specification", np.bytes_(b"[" * 60_000)),
    "a specification of 9999 digits": lambda file: file.attrs.create("specification", np.bytes_(b"9" * 9999)),
    "a specification that is no UTF-8": lambda file: file.attrs.create("specification", np.bytes_(b"\xff{}")),
    "other arrays": lambda file: file.attrs.create("arrays", np.bytes_(b"[1]")),
    "an old format": lambda file: file.attrs.create("format", 1),
    "a later format": lambda file: file.attrs.create("format", 99),
}
CACHED = FILES | {name: edited(change) for name, change in HEADERS.items()}
NOT_OURS = {"a folder", "a pipe", "a link to itself", "a link to nowhere", "a device"}


def test_prepared_data_are_listed_and_cleared_whatever_they_are(bdfa, tmp_path, monkeypatch):
    cache = tmp_path / "prepared"
    monkeypatch.setenv("BDFA_CACHE_DIR", str(cache))
    cache.mkdir()
    paths = {kind: cache / f"mnist-5k-{number:016x}.h5" for number, kind in enumerate(CACHED)}
    for kind, path in paths.items():
        path.write_bytes(READERS["prepared"].good[0])
        put_lock(path)
        CACHED[kind](path)
    for command in (("data", "list"), ("data", "info", "mnist-5k"), ("data", "clear", "mnist-5k")):
        outcome = bdfa(*command)
        assert (outcome.code, outcome.err) == (0, "")
    assert {kind for kind, path in paths.items() if os.path.lexists(path)} == NOT_OURS


def test_a_checkpoint_of_another_program_is_no_checkpoint(tmp_path):
    with h5py.File(tmp_path / "checkpoint.h5", "w", userblock_size=SEAL) as file:
        file["x"] = 1
    with pytest.raises(RunError, match="is damaged"):
        read_checkpoint(tmp_path / "checkpoint.h5")
