"""Run folders and checkpoints: what is written is read back, and what is damaged is refused, whatever the damage."""

import errno
import io
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

import bdfa_np.runs.checkpoint
from bdfa_np.errors import RunError
from bdfa_np.runs.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from bdfa_np.runs.folder import FILES, RunFolder
from bdfa_np.runs.store.epochs import EpochWriter
from bdfa_np.system.files import replace_file, replace_text
from bdfa_np.system.interrupts import interrupts_wait
from bdfa_np.system.sealed import write_sealed
from bdfa_np.trainer import EpochRecord, Progress


def checkpoint(epochs=2):
    """Return a small checkpoint with a figure in every place."""
    rng = np.random.default_rng(0)
    return Checkpoint(
        weights={"linear1.W": rng.normal(size=(30, 20)).astype("f4"), "linear1.b": np.zeros(20, "f4")},
        feedback={"feedback1.B": rng.normal(size=(10, 20)).astype("f4")},
        layers={"batchnorm1.running_mean": rng.normal(size=20).astype("f4")},
        training_passes=9,
        optimizer={"0.v": rng.normal(size=620).astype("f4")},
        learning_rate=0.1,
        steps=7,
        progress=Progress(epochs, 0.3, 1, "it was enough"),
        confusion=np.arange(100).reshape(10, 10),
        history=[EpochRecord(number, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7) for number in range(1, epochs + 1)],
    )


def content(found):
    """Return a checkpoint as something that can be compared."""
    groups = [found.weights, found.feedback, found.layers, found.optimizer, {"confusion": found.confusion}]
    arrays = [(name, array.dtype, array.shape, array.tobytes()) for group in groups for name, array in group.items()]
    return arrays, found.learning_rate, found.steps, found.training_passes, found.progress, found.history


def write(path, found):
    """Write a checkpoint, and its history beside it."""
    epochs = EpochWriter(found.history)
    epochs.begin(path.with_name("history.bin"))
    found.history_sha256 = epochs.sha256
    write_checkpoint(path, found)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "checkpoint.h5"
    write(path, checkpoint())
    return path


@pytest.mark.parametrize("epochs", [0, 1, 300])
def test_a_checkpoint_is_read_back_as_it_was_written(tmp_path, epochs):
    write(tmp_path / "c.h5", checkpoint(epochs))
    assert content(read_checkpoint(tmp_path / "c.h5")) == content(checkpoint(epochs))


def test_the_same_state_gives_the_same_file_byte_for_byte(path):
    before = path.read_bytes()
    write_checkpoint(path, read_checkpoint(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_checkpoint_is_written_waits_until_it_is_whole(path, monkeypatch, number):
    def interrupt(*_):
        raise KeyboardInterrupt

    write_arrays = bdfa_np.runs.checkpoint._write_arrays
    before = signal.signal(number, interrupt)
    try:
        monkeypatch.setattr(
            "bdfa_np.runs.checkpoint._write_arrays", lambda *given: (signal.raise_signal(number), write_arrays(*given))
        )
        with pytest.raises(KeyboardInterrupt):
            write(path, checkpoint(5))
        assert signal.getsignal(number) is interrupt
    finally:
        signal.signal(number, before)
    assert content(read_checkpoint(path)) == content(checkpoint(5))


def test_a_signal_that_is_ignored_stays_ignored_and_a_thread_can_write_too(path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts_wait():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    with ThreadPoolExecutor() as pool:
        pool.submit(write, path, checkpoint(5)).result()
    assert content(read_checkpoint(path)) == content(checkpoint(5))


def test_a_flipped_bit_is_refused_wherever_it_is(path):
    # Each byte outside the arrays would take too long, but a stride of a prime number meets every kind of structure.
    good = path.read_bytes()
    for position in range(0, len(good), 31):
        damaged = bytearray(good)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(RunError, match=r"is damaged|later version"):
            read_checkpoint(path)


@pytest.mark.parametrize("length", [0, 1, 8, 96, 700, 0.5, 0.9, -1])
def test_a_truncated_checkpoint_is_refused(path, length):
    good = path.read_bytes()
    path.write_bytes(good[: int(len(good) * length) if isinstance(length, float) else length])
    with pytest.raises(RunError, match="is damaged"):
        read_checkpoint(path)


def edit(change):
    """Return a function that changes a checkpoint by way of HDF5, so that its checksums and its seal are right."""

    def damage(path):
        with h5py.File(path, "r+") as file:
            change(file)
        write_sealed(path, io.BytesIO(path.read_bytes()))

    return damage


def replace_item(name, value):
    def change(file):
        del file[name]
        if value is not None:
            file[name] = value

    return edit(change)


def as_before(table):
    """Return a function that makes a file of format 1 of a checkpoint, in which the history is inside."""

    def change(file):
        file.attrs["format"] = 1
        del file["history"]
        if table is not None:
            file["history"] = table

    return edit(change)


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


DAMAGES = {
    "a folder": replace_by_folder,
    "text": lambda path: path.write_text("epoch 3\n" * 1000),
    "missing": Path.unlink,
    "of a future format": edit(lambda file: file.attrs.modify("format", 3)),
    "without a format": edit(lambda file: file.attrs.pop("format")),
    "without epochs": edit(lambda file: file.attrs.pop("epoch")),
    "with text for steps": edit(lambda file: file.attrs.create("steps", "many")),
    "without weights": replace_item("weights", None),
    "with an array for the weights": replace_item("weights", np.zeros(3)),
    "with whole numbers for weights": replace_item("weights/linear1.W", np.zeros((30, 20), int)),
    "with text for weights": replace_item("weights/linear1.b", "b"),
    "of format 1 without history": as_before(None),
    "of format 1 with a short history": as_before(np.zeros((1, 8))),
    "of format 1 with a narrow history": as_before(np.zeros((2, 7))),
    "of format 1 with history that is no number": as_before(np.full((2, 8), np.nan)),
    "without history": replace_item("history", None),
    "with a history that says nothing": edit(lambda file: file["history"].attrs.pop("sha256")),
    "without confusion": replace_item("confusion", None),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_checkpoint_that_is_another_thing_is_refused(path, damage):
    damage(path)
    with pytest.raises(
        RunError, match=r"checkpoint\.h5 (is damaged|is missing|was written by a later|cannot be read: it is a folder)"
    ):
        read_checkpoint(path)


def test_an_array_larger_than_the_file_is_refused_before_it_is_read(path):
    def claim(file):
        del file["weights/linear1.W"]
        file.create_dataset("weights/linear1.W", shape=(10**6, 10**6), dtype="f4", chunks=(10, 10))

    edit(claim)(path)
    with pytest.raises(RunError, match=r"linear1.W has only 0 of its 4000000000000 bytes"):
        read_checkpoint(path)


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    target = tmp_path / "figures.csv"
    replace_text(target, "old")

    def break_off():
        with replace_file(target) as file:
            file.write(b"half")
            file.flush()
            assert target.read_text() == "old"
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match=r"No space left on device: .*figures\.csv"):
        break_off()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("figures.csv", "old")]


def test_a_text_file_keeps_its_old_content_until_the_new_is_whole(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    replace_text(tmp_path / "metrics.csv", "old")
    for step in ("os.fsync", "os.replace"):
        with monkeypatch.context() as patch:
            patch.setattr(step, fail)
            with pytest.raises(OSError, match=r"metrics\.csv"):
                replace_text(tmp_path / "metrics.csv", "new")
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("metrics.csv", "old")]


def test_what_a_kill_left_is_removed_once_the_folder_is_taken_even_if_nothing_is_trained(tmp_path):
    for name in (*FILES, "thesis"):
        (tmp_path / f".{name}.partial").write_text("half")
    with RunFolder(tmp_path).new(force=False):
        assert [path.name for path in tmp_path.glob(".*.partial")] == [".thesis.partial"]


def test_text_that_utf_8_cannot_hold_is_written_with_escapes(tmp_path):
    replace_text(tmp_path / "Log.txt", "run folder: r\udcff\n")
    assert (tmp_path / "Log.txt").read_text() == "run folder: r\\udcff\n"


@pytest.mark.parametrize("held", FILES)
def test_any_file_of_a_run_keeps_a_new_run_out_of_the_folder(tmp_path, held):
    (tmp_path / held).write_text("precious")
    with pytest.raises(RunError, match=held), RunFolder(tmp_path).new(force=False):
        pass
    assert (tmp_path / held).read_text() == "precious"


def test_files_without_a_checkpoint_are_not_said_to_be_resumable(tmp_path):
    (tmp_path / "metrics.csv").write_text("epoch\n")
    with pytest.raises(RunError, match="holds files of a run already") as caught:
        RunFolder(tmp_path).check_free(force=False)
    assert "--resume" not in str(caught.value)


def test_a_run_that_fails_before_it_has_begun_leaves_no_file(tmp_path):
    run = RunFolder(tmp_path)

    def fail():
        with run.new(force=False):
            run.file("checkpoint.h5").write_bytes(b"the first one")
            raise OSError(errno.ENOSPC, "disk full")

    with pytest.raises(RunError, match="disk full"):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    run.check_free(force=False)
