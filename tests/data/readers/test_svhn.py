"""SVHN's files, as SciPy writes them: where each pixel goes, and that nothing but the published files is read."""

import dataclasses
import hashlib
import io
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from bdfa_np.data import load_dataset
from bdfa_np.data.readers.svhn import read_svhn
from bdfa_np.data.sources import registry
from bdfa_np.errors import DataError

SHAPE = (3, 2, 3)
PIXELS = np.random.default_rng(0).integers(0, 256, 3 * 18, np.uint8).tobytes()
LABELS = bytes([10, 3, 1])


def in_place(content: bytes, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Images by the places of their pixels: row fastest, then column, channel, image."""
    height, width, channels = shape
    n, row, column, channel = np.indices((len(content) // (height * width * channels), *shape))
    places = row + height * (column + width * (channel + channels * n))
    return np.frombuffer(content, np.uint8)[places]


def saved(pixels: bytes = PIXELS, labels: bytes = LABELS, shape: tuple[int, int, int] = SHAPE, **changes) -> bytes:
    """A compressed file, as SVHN's are, with some variables exchanged."""
    variables = {"X": in_place(pixels, shape).transpose(1, 2, 3, 0), "y": np.array(list(labels), np.uint8)[:, None]}
    stream = io.BytesIO()
    scipy.io.savemat(stream, variables | changes, do_compression=True)
    return stream.getvalue()


def read(folder: Path, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Read a file as if it were the published one."""
    (folder / "digits.mat").write_bytes(content)
    return read_svhn(folder / "digits.mat", hashlib.sha256(content).hexdigest(), SHAPE)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
def test_images_come_out_channels_last_and_label_ten_is_digit_zero(tmp_path, dtype):
    X, y = read(tmp_path, saved(y=np.array([[10], [3], [1]], dtype)))
    np.testing.assert_array_equal(X, in_place(PIXELS), strict=True)
    assert y.tolist() == [0, 3, 1]
    assert y.dtype == np.int64


def test_a_pixel_by_hand(tmp_path):
    X, _ = read(tmp_path, saved())
    # Image 1 begins at byte 18, its green plane 6 later, column 1 of it 3 later, row 2 of that 2 later.
    assert X[1, 2, 1, 1] == PIXELS[18 + 6 + 3 + 2]


WRONG = {
    "X of doubles": ({"X": np.zeros((3, 2, 3, 3))}, "holds images float64 (3, 2, 3, 3)"),
    "X wider": ({"X": np.zeros((2, 3, 3, 3), np.uint8)}, "holds images uint8 (2, 3, 3, 3)"),
    "one image": ({"X": np.zeros((3, 2, 3), np.uint8)}, "holds images uint8 (3, 2, 3)"),
    "too few labels": ({"y": [[1], [2]]}, "holds images uint8 (3, 2, 3, 3) and labels (2, 1) instead"),
    "label 0": ({"y": [[1], [0], [1]]}, "counted from 0: label -1 at index 1 is out of range 0..9"),
    "label 11": ({"y": [[1], [2], [11]]}, "counted from 0: label 10 at index 2 is out of range 0..9"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_file_of_something_else_is_one_line(tmp_path, kind):
    changes, reason = WRONG[kind]
    with pytest.raises(DataError) as caught:
        read(tmp_path, saved(**changes))
    assert str(caught.value).startswith(f"{tmp_path / 'digits.mat'}: {reason}")
    assert "\n" not in str(caught.value)


WHOLE = saved()


@pytest.mark.parametrize(
    "content",
    [b"", bytes(1000), WHOLE[:200], WHOLE[:-1], WHOLE + b"\0", WHOLE[:150] + b"\xff" + WHOLE[151:]],
    ids=["empty", "zeros", "cut", "a byte less", "a byte more", "a changed byte"],
)
def test_nothing_of_another_file_than_the_published_is_interpreted(tmp_path, monkeypatch, content):
    (tmp_path / "digits.mat").write_bytes(content)
    monkeypatch.setattr("scipy.io.loadmat", None)  # calling it is a TypeError
    with pytest.raises(DataError, match=r"digits\.mat: altered: the SHA-256 of its content is"):
        read_svhn(tmp_path / "digits.mat", hashlib.sha256(WHOLE).hexdigest(), SHAPE)


def test_a_file_of_any_size_takes_little_memory_before_it_is_refused(tmp_path):
    with (tmp_path / "digits.mat").open("wb") as file:
        file.truncate(2**28)
    tracemalloc.start()
    with pytest.raises(DataError, match="altered"):
        read_svhn(tmp_path / "digits.mat", hashlib.sha256(WHOLE).hexdigest(), SHAPE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


def test_reading_takes_the_memory_of_the_images_once(tmp_path):
    before = set(os.listdir("/dev/fd"))
    content = saved(np.random.default_rng(1).bytes(18 * 2**18), b"\x01" * 2**18)
    tracemalloc.start()
    X, y = read(tmp_path, content)
    left, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < 1.15 * X.nbytes + y.nbytes
    assert peak < 1.15 * X.nbytes + 4 * y.nbytes + 4 * 2**20
    assert set(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("make", [None, os.mkdir, getattr(os, "mkfifo", os.mkdir)])
def test_a_missing_file_a_folder_or_a_pipe_is_one_line(tmp_path, make):
    if make is not None:
        make(tmp_path / "digits.mat")
    with pytest.raises(DataError, match="cannot be read: No such file" if make is None else "is a folder or a device"):
        read_svhn(tmp_path / "digits.mat", "0" * 64, SHAPE)


COUNTS = {"train_32x32.mat": 73, "extra_32x32.mat": 5, "test_32x32.mat": 3}


@pytest.fixture
def contents(monkeypatch) -> dict[str, bytes]:
    """Small files by their names, pixels and labels by "X" and "y" before these; they are in the registry."""
    entry = registry.ENTRIES["svhn"]
    generator = np.random.default_rng(2)
    made, files = {}, []
    for file in entry.publications[0].files:
        count = COUNTS[file.name]
        made["X" + file.name] = generator.bytes(3072 * count)
        made["y" + file.name] = bytes(generator.integers(1, 11, count, np.uint8))
        made[file.name] = saved(made["X" + file.name], made["y" + file.name], (32, 32, 3))
        sha256 = hashlib.sha256(made[file.name]).hexdigest()
        described = dataclasses.replace(file, sha256_content=sha256, sha256_archive=sha256, urls=())
        files.append(dataclasses.replace(described, size_archive=len(made[file.name])))
    source = dataclasses.replace(entry.publications[0], files=tuple(files))
    monkeypatch.setitem(registry.ENTRIES, "svhn", dataclasses.replace(entry, publications=(source,)))
    return made


@pytest.mark.parametrize("extra", [True, False])
def test_extra_images_follow_the_training_images_where_they_are_wanted(tmp_path, contents, extra):
    train, test = ["train_32x32.mat", "extra_32x32.mat"][: 1 + extra], "test_32x32.mat"
    for name in (*train, test):
        (tmp_path / name).write_bytes(contents[name])
    dataset = load_dataset("SVHN", tmp_path, extra=extra)
    expected = in_place(b"".join(contents["X" + name] for name in train), (32, 32, 3))
    np.testing.assert_array_equal(dataset.train_images, expected, strict=True)
    assert dataset.train_labels.tolist() == [label % 10 for name in train for label in contents["y" + name]]
    np.testing.assert_array_equal(dataset.test_images, in_place(contents["X" + test], (32, 32, 3)), strict=True)
    assert dataset.test_labels.tolist() == [label % 10 for label in contents["y" + test]]
    assert dataset.train_images.flags.c_contiguous
    assert dataset.test_images.flags.c_contiguous
    assert dataset.class_names == tuple("0123456789")
    assert dataset.checksums == {name: hashlib.sha256(contents[name]).hexdigest() for name in (*train, test)}


def test_a_file_in_anothers_place_is_refused_by_name(tmp_path, contents):
    for name in COUNTS:
        (tmp_path / name).write_bytes(contents["train_32x32.mat"])
    with pytest.raises(DataError) as caught:
        load_dataset("svhn", tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'extra_32x32.mat'}: altered: it has ")
