"""Data that are missing or damaged, as a user of ``bdfa train`` meets them."""

import gzip
import hashlib
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bdfa_np.data import load_dataset
from bdfa_np.data.sources.registry import ENTRIES


def idx(values):
    """Return an array as the content of an IDX file."""
    return struct.pack(f">{1 + values.ndim}I", 0x800 | values.ndim, *values.shape) + values.astype(np.uint8).tobytes()


def with_files(entry, files):
    """Return an entry whose one source has other files."""
    return replace(entry, publications=(replace(entry.publications[0], files=tuple(files)),))


@pytest.fixture
def digits(tmp_path, monkeypatch):
    """Give a folder with some bundled digits in four IDX files, which the registry takes for MNIST's."""
    data = load_dataset("mnist-5k")
    few = slice(None, None, 10)
    arrays = (
        data.train_images[few, ..., 0],
        data.train_labels[few],
        data.test_images[few, ..., 0],
        data.test_labels[few],
    )
    contents = [idx(array) for array in arrays]
    folder = tmp_path / "data"
    folder.mkdir()
    entry = ENTRIES["mnist"]
    files = []
    for file, content in zip(entry.publications[0].files, contents, strict=True):
        (folder / file.name).write_bytes(content)
        files.append(replace(file, sha256_content=hashlib.sha256(content).hexdigest()))
    monkeypatch.setitem(ENTRIES, "mnist", with_files(entry, files))
    return folder


@pytest.fixture
def _no_network(monkeypatch):
    """Send every connection to a port where nobody listens."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)


TRAIN = ["train", "-dataset", "MNIST", "--num-hidden", 5, "--epochs", 1, "--threads", 1, "--save", "run", "--datapath"]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def alter(path):
    content = bytearray(path.read_bytes())
    content[5000 % len(content)] ^= 1
    path.write_bytes(content)


def spoil_a_label(path):
    content = bytearray(path.read_bytes())
    content[8 + 7] = 10
    path.write_bytes(content)


def cut_gzip(path):
    packed = gzip.compress(path.read_bytes())
    path.write_bytes(packed[: len(packed) // 2])


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("train-images-idx3-ubyte", truncate, "truncated: has"),
        ("t10k-labels-idx1-ubyte", lambda path: path.write_bytes(b""), "truncated: has 0 of"),
        ("train-images-idx3-ubyte", alter, "altered: the SHA-256"),
        ("t10k-images-idx3-ubyte", cut_gzip, "truncated"),
        ("train-labels-idx1-ubyte", spoil_a_label, "label 10 at index 7 is out of range 0..9"),
        ("t10k-labels-idx1-ubyte", spoil_a_label, "label 10 at index 7 is out of range 0..9"),
        ("train-labels-idx1-ubyte", lambda path: path.write_bytes(b"<html>not found</html>"), "wrong magic number"),
    ],
)
def test_a_damaged_data_file_is_named_and_nothing_is_written(bdfa, digits, name, damage, message):
    damage(digits / name)
    line = bdfa.refused(*TRAIN, digits)
    assert message in line
    assert str(digits / name) in line
    assert not Path("run").exists()


def test_the_same_files_undamaged_are_trained_on(bdfa, digits):
    assert bdfa(*TRAIN, digits).code == 0


def test_a_resumed_run_refuses_other_data_and_takes_the_same_elsewhere(bdfa, digits, tmp_path, monkeypatch):
    assert bdfa(*TRAIN, digits).code == 0
    elsewhere = digits.rename(tmp_path / "elsewhere")
    bdfa.resume("run", "--epochs", 2, "--datapath", elsewhere)
    labels = elsewhere / "t10k-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + b"\0")
    entry = ENTRIES["mnist"]
    *others, last = entry.publications[0].files
    new = replace(last, sha256_content=hashlib.sha256(labels.read_bytes()).hexdigest())
    monkeypatch.setitem(ENTRIES, "mnist", with_files(entry, [*others, new]))
    for command in (["train", "--save", "run", "--resume", "--epochs", 3], ["evaluate", "run"]):
        line = bdfa.refused(*command, "--datapath", elsewhere)
        assert "the data differ from those of run: t10k-labels-idx1-ubyte" in line


@pytest.mark.usefixtures("_no_network")
def test_missing_data_without_a_network_name_the_folder_the_files_and_the_way_out(bdfa, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    line = bdfa.refused(*TRAIN, folder)
    assert str(folder) in line
    assert "train-images-idx3-ubyte" in line
    assert "t10k-labels-idx1-ubyte" in line
    assert "--dataset mnist-5k" in line
    assert not Path("run").exists()


@pytest.mark.usefixtures("_no_network")
def test_missing_data_and_a_home_that_cannot_be_written_are_one_line_too(bdfa, monkeypatch):
    monkeypatch.setenv("HOME", "/proc/nobody")
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nobody")
    line = bdfa.refused(*TRAIN[:-1])
    assert "/proc/nobody" in line
    assert "--dataset mnist-5k" in line


def test_a_data_folder_that_does_not_exist_is_refused(bdfa):
    assert f"the data folder {Path('nowhere').resolve()} does not exist" in bdfa.refused(*TRAIN, "nowhere")
