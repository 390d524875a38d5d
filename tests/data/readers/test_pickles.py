"""CIFAR's Python version: pickles, which are programs, are run only where they are the published ones, to the byte."""

import dataclasses
import hashlib
import os
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from bdfa_np.data import load_dataset
from bdfa_np.data.readers import cifar
from bdfa_np.data.sources import kinds, registry
from bdfa_np.errors import DataError

NAMES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
ROWS = np.random.default_rng(0).integers(0, 256, (6, 1, 3072), np.uint8)


def pickled(number: int) -> bytes:
    """A batch of one image, with the strings that Python 2 would have written."""
    content = {"batch_label": f"batch {number}", "labels": [number], "data": ROWS[number], "filenames": ["one.png"]}
    return pickle.dumps(content, 2)


CONTENTS = {name: pickled(number) for number, name in enumerate(NAMES)}


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Give the function that puts a small Python version into a folder and the registry; it returns the folder."""

    def put(**contents: bytes) -> Path:
        entry = registry.ENTRIES["cifar10"]
        described = []
        for name, content in (CONTENTS | contents).items():
            (tmp_path / name).write_bytes(content)
            described.append(kinds.ArchivedFile(name, len(content), hashlib.sha256(content).hexdigest()))
        archive = dataclasses.replace(entry.publications[1].archive, files=tuple(described), urls=())
        sources = (entry.publications[0], dataclasses.replace(entry.publications[1], archive=archive))
        changed = dataclasses.replace(entry, train_images=5, test_images=1, publications=sources)
        monkeypatch.setitem(registry.ENTRIES, "cifar10", changed)
        return tmp_path

    return put


class Gadget:
    """Something that makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


def refusal(folder: Path) -> str:
    """The message of the refusal, which must be one line."""
    with pytest.raises(DataError) as caught:
        load_dataset("cifar10", folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_images_and_labels_are_those_that_were_pickled(published):
    dataset = load_dataset("cifar10", published())
    assert dataset.train_labels.tolist() == [0, 1, 2, 3, 4]
    assert dataset.test_labels.tolist() == [5]
    planes = dataset.train_images.transpose(0, 3, 1, 2).reshape(5, 1, 3072)
    np.testing.assert_array_equal(planes, ROWS[:5])
    assert dataset.checksums == {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("pad", [False, True], ids=["another size", "the same size"])
def test_nothing_runs_of_a_pickle_that_is_not_the_published_one(published, protocol, pad):
    folder = published()
    mark = folder / "ran"
    content = pickle.dumps(Gadget(mark), protocol)
    pickle.loads(content)
    assert mark.is_dir(), "the gadget does nothing, and so tests nothing"
    mark.rmdir()
    (folder / "test_batch").write_bytes(content.ljust(len(CONTENTS["test_batch"]), b"\0") if pad else content)
    assert refusal(folder).startswith(f"{folder / 'test_batch'}: {'altered: the SHA-256' if pad else 'truncated'}")
    assert not mark.exists()


def test_a_single_changed_byte_anywhere_is_refused_before_it_is_interpreted(published, monkeypatch):
    folder = published()
    whole = CONTENTS["test_batch"]
    loaded = []
    load = pickle._loads

    def count_and_load(content: bytearray, encoding: str) -> object:
        loaded.append(bytes(content))
        return load(content, encoding=encoding)

    monkeypatch.setattr(cifar.pickle, "loads", count_and_load)
    for place in range(0, len(whole), 97):
        (folder / "test_batch").write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert f"{folder / 'test_batch'}: altered: the SHA-256" in refusal(folder)
    assert set(loaded) == set(CONTENTS.values()) - {whole}


@pytest.mark.parametrize("content", [b"", CONTENTS["test_batch"][:-1]])
def test_a_truncated_pickle_is_refused(published, content):
    folder = published()
    (folder / "test_batch").write_bytes(content)
    assert f"{folder / 'test_batch'}: truncated: has {len(content)} of the " in refusal(folder)


def test_a_file_of_any_size_is_read_no_further_than_it_should_be(published):
    folder = published()
    with (folder / "test_batch").open("wb") as file:
        file.truncate(2**40)
    tracemalloc.start()
    assert "too long: pickled images and labels are" in refusal(folder)
    assert tracemalloc.get_traced_memory()[1] < 2e6
    tracemalloc.stop()


def test_the_bytes_that_were_checked_are_the_bytes_that_are_read(published, monkeypatch):
    folder = published()
    mark = folder / "ran"
    check = cifar.check_sha256

    def check_and_exchange(path: Path, found: str, expected: str) -> None:
        check(path, found, expected)
        path.write_bytes(pickle.dumps(Gadget(mark)))

    monkeypatch.setattr(cifar, "check_sha256", check_and_exchange)
    assert load_dataset("cifar10", folder).test_labels.tolist() == [5]
    assert not mark.exists()


def test_a_pickle_without_a_published_checksum_is_never_read(published, monkeypatch):
    folder = published()
    entry = registry.ENTRIES["cifar10"]
    files = tuple(dataclasses.replace(file, sha256_content=None) for file in entry.publications[1].archive.files)
    archive = dataclasses.replace(entry.publications[1].archive, files=files)
    sources = (entry.publications[0], dataclasses.replace(entry.publications[1], archive=archive))
    monkeypatch.setitem(registry.ENTRIES, "cifar10", dataclasses.replace(entry, publications=sources))
    with pytest.raises(ValueError, match="no checksum that vouches for this pickle"):
        load_dataset("cifar10", folder)


def test_a_label_that_is_no_class_is_refused_even_in_a_published_pickle(published):
    content = pickle.dumps({"labels": [10], "data": ROWS[5]}, 2)
    assert "label 10 at index 0 is out of range 0..9" in refusal(published(test_batch=content))


def test_a_folder_or_a_pipe_in_its_place_is_refused(published):
    path = published() / "test_batch"
    path.unlink()
    os.mkfifo(path)
    assert f"{path}: is a folder or a device" in refusal(path.parent)
