"""Digests of what was written: whatever byte of a checkpoint or of prepared data has changed, it is noticed."""

import io

import h5py
import numpy as np
import pytest

from bdfa_np.data.cache.file import CacheFile
from bdfa_np.data.cache.store import Cache
from bdfa_np.errors import DataError, RunError
from bdfa_np.runs.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from bdfa_np.runs.store.epochs import EpochWriter
from bdfa_np.system.sealed import SEAL
from bdfa_np.trainer import EpochRecord, Progress

WORDS = np.array([7, *[0xFFFF] * 63], np.uint16)
"""Words of which Fletcher-32 does not tell those of 16 ones from zeros."""
HISTORY = [EpochRecord(1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)]


def small():
    return Checkpoint(
        weights={"linear1.W": WORDS.astype("f4").reshape(8, 8)},
        feedback={},
        layers={},
        optimizer={},
        training_passes=1,
        learning_rate=0.1,
        steps=1,
        progress=Progress(1, 0.5, 0, ""),
        confusion=np.eye(2, dtype=int),
        history_sha256=EpochWriter(HISTORY).sha256,
    )


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "checkpoint.h5"
    write_checkpoint(path, small())
    EpochWriter(HISTORY).begin(tmp_path / "history.bin")
    return path


def test_any_changed_byte_of_a_checkpoint_is_noticed(path, monkeypatch):
    whole = path.read_bytes()
    damaged = bytearray(whole)
    monkeypatch.setattr("bdfa_np.system.sealed.read_start", lambda _, count: (bytes(damaged[:count]), len(damaged)))
    monkeypatch.setattr("bdfa_np.system.sealed.read_file", lambda _: bytes(damaged))
    for place in range(len(whole)):
        damaged[place] ^= 1 << place % 8
        with pytest.raises(RunError, match="is damaged"):
            read_checkpoint(path, history=False)
        damaged[place] = whole[place]
    assert read_checkpoint(path).history == HISTORY


def test_a_checkpoint_cut_off_or_longer_anywhere_is_noticed(path):
    whole = path.read_bytes()
    for content in (*(whole[:end] for end in range(0, len(whole), 53)), whole + b"\0", whole[1:], b"\0" + whole):
        path.write_bytes(content)
        with pytest.raises(RunError, match="is damaged"):
            read_checkpoint(path)


def test_a_checkpoint_is_hdf5_for_every_other_program(path):
    with h5py.File(path) as file:
        assert file.userblock_size == SEAL
        np.testing.assert_array_equal(file["weights/linear1.W"][()], small().weights["linear1.W"])
    first_line = f"bdfa-np: from byte 512 to {path.stat().st_size} HDF5, of SHA-256\n"
    assert path.read_bytes().startswith(first_line.encode())


def test_a_checkpoint_from_before_there_were_seals_is_read(path):
    path.write_bytes(path.read_bytes()[SEAL:])
    np.testing.assert_array_equal(read_checkpoint(path).weights["linear1.W"], small().weights["linear1.W"])


def prepare(folder, notes):
    def build(writer):
        writer.images("train", (2, 64), np.uint16, [np.stack([WORDS, WORDS])], np.arange(2))
        writer.attributes({"name": "digits"})

    def read(file):
        return *file.read_images("train"), dict(file.attributes), file.hit

    return Cache(folder).prepared("digits", {"a": 1}, build, read, note=notes.append)


def flip_words(content):
    """Turn words of 16 ones into zeros, which their sum does not notice."""
    assert content.count(WORDS.tobytes() * 2) == 1
    return content.replace(WORDS.tobytes() * 2, np.where(WORDS == 0xFFFF, 0, WORDS).astype("u2").tobytes() * 2)


def test_words_that_a_sum_does_not_tell_from_zeros_are_prepared_anew(tmp_path):
    prepare(tmp_path, [])
    path = Cache(tmp_path).path("digits", {"a": 1})
    path.write_bytes(flip_words(path.read_bytes()))
    notes = []
    images, _, _, hit = prepare(tmp_path, notes)
    assert not hit
    np.testing.assert_array_equal(images, [WORDS, WORDS])
    assert notes == [
        f"{path} is damaged (train/images is not what was written: its SHA-256 is another): preparing it anew"
    ]


def test_fletcher_32_really_does_not_tell_them_apart():
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file.create_dataset("x", data=np.stack([WORDS, WORDS]), chunks=(2, 64), fletcher32=True)
    with h5py.File(io.BytesIO(flip_words(memory.getvalue()))) as file:
        assert (file["x"][:, 1:] == 0).all()


CHANGES = {
    "an attribute": lambda file: file.attrs.modify("name", np.bytes_(b"digitS")),
    "one more attribute": lambda file: file.attrs.create("more", 1),
    "one attribute less": lambda file: file.attrs.pop("name"),
    "the digest of an array": lambda file: file.attrs.create("arrays", np.bytes_(b"{}")),
    "the seal": lambda file: file.attrs.create("sha256", np.bytes_(b"0" * 64)),
    "no seal": lambda file: file.attrs.pop("sha256"),
    "the specification": lambda file: file.attrs.create("specification", np.bytes_(b'{"a":1 }')),
    "labels of another type": lambda file: change_array(file, "train/labels", np.arange(2, dtype="u8")),
    "images of another shape": lambda file: change_array(file, "train/images", np.stack([WORDS] * 2).reshape(2, 8, 8)),
    "images in another order": lambda file: change_array(file, "train/images", np.stack([WORDS] * 2).astype(">u2")),
}


def change_array(file, name, values):
    del file[name]
    file[name] = values


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_prepared_data_that_h5py_has_changed_are_prepared_anew(tmp_path, change):
    prepare(tmp_path, [])
    with h5py.File(Cache(tmp_path).path("digits", {"a": 1}), "r+") as file:
        change(file)
    notes = []
    images, _, attributes, hit = prepare(tmp_path, notes)
    assert (hit, attributes) == (False, {"name": "digits"})
    np.testing.assert_array_equal(images, [WORDS, WORDS], strict=True)
    assert [note.endswith("preparing it anew") for note in notes] == [True]


def test_any_changed_byte_of_prepared_data_is_noticed_or_of_no_account(tmp_path):
    expected = prepare(tmp_path, [])
    path = Cache(tmp_path).path("digits", {"a": 1})
    whole = path.read_bytes()
    unnoticed = 0
    for place in range(0, len(whole), 53):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        file = CacheFile(path)
        try:
            images, labels = file.read_images("train")
            found = images.tobytes(), labels.tobytes(), dict(file.attributes), file.specification
        except DataError:
            continue
        unnoticed += 1
        assert found == (expected[0].tobytes(), expected[1].tobytes(), expected[2], {"a": 1})
    assert unnoticed < len(whole) / 53 / 2  # what HDF5 leaves unused
