"""Data sets of the user's own: what arrays they may hold, and what is said of those that they may not."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from bdfa_np.data import load_dataset
from bdfa_np.data.dataset import Dataset
from bdfa_np.data.readers import own_npz
from bdfa_np.data.sources.find import find_source
from bdfa_np.errors import ConfigError, DataError

NUMBERS = np.random.default_rng(0)
GOOD: dict[str, Any] = {
    "train_images": NUMBERS.integers(0, 256, (6, 4, 5, 3), np.uint8),
    "train_labels": np.array([0, 1, 2, 0, 1, 2]),
    "test_images": NUMBERS.integers(0, 256, (3, 4, 5, 3), np.uint8),
    "test_labels": np.array([2, 1, 0]),
}


def write_npz(folder: Path, arrays: dict[str, Any]) -> Path:
    np.savez(folder / "digits.npz", **arrays)
    return folder / "digits.npz"


def write_h5(folder: Path, arrays: dict[str, Any]) -> Path:
    with h5py.File(folder / "digits.h5", "w") as file:
        for name, values in arrays.items():
            stored = np.asarray(values)
            file[name] = np.char.encode(stored, "utf-8") if stored.dtype.kind == "U" else stored
    return folder / "digits.h5"


@pytest.fixture(params=[write_npz, write_h5])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    """Write the good arrays, but for some, to a file of each format."""
    return lambda **changes: request.param(tmp_path, GOOD | changes)


def load(path: Path) -> Dataset:
    dataset = load_dataset(path)
    assert dataset.name == "digits"
    return dataset


def refusal(path: Path, kind: type[Exception] = DataError, **options: Any) -> str:
    """The message of the refusal, which must be one line that begins with the path."""
    with pytest.raises(kind) as caught:
        load_dataset(path, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


def as_both(images: Callable[[np.ndarray], np.ndarray]) -> dict[str, np.ndarray]:
    return {name: images(GOOD[name]) for name in ("train_images", "test_images")}


def test_arrays_come_out_as_they_were_stored(write):
    dataset = load(write())
    np.testing.assert_array_equal(dataset.train_images, GOOD["train_images"], strict=True)
    np.testing.assert_array_equal(dataset.test_images, GOOD["test_images"], strict=True)
    assert dataset.train_labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert dataset.test_labels.tolist() == [2, 1, 0]
    assert dataset.train_labels.dtype == np.int64


def test_the_checksum_is_that_of_the_file(write):
    path = write()
    truth = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}
    assert load(path).checksums == truth
    assert find_source(path).checksums() == truth


def test_a_checksum_needs_no_parsing(tmp_path):
    (tmp_path / "digits.h5").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    truth = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert find_source(tmp_path / "digits.h5").checksums() == {"digits.h5": truth}


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = write_npz(tmp_path, GOOD)

    class Changing(own_npz.NpzReader):
        def class_names(self) -> tuple[str, ...] | None:
            with path.open("ab") as file:
                file.write(b"more")
            return super().class_names()

    monkeypatch.setattr("bdfa_np.data.readers.own_file.NpzReader", Changing)
    assert "changed while it was read" in refusal(path)


def test_the_ending_may_be_in_capitals(tmp_path):
    for written, name in ((write_npz(tmp_path, GOOD), "A.NPZ"), (write_h5(tmp_path, GOOD), "B.HDF5")):
        written.rename(tmp_path / name)
        assert load_dataset(tmp_path / name).name == name[0]


def test_images_without_channels_are_given_one(write):
    dataset = load(write(**as_both(lambda images: images[..., 0])))
    np.testing.assert_array_equal(dataset.train_images, GOOD["train_images"][..., :1], strict=True)
    np.testing.assert_array_equal(dataset.test_images, GOOD["test_images"][..., :1], strict=True)


def test_vectors_stay_vectors(write):
    assert load(write(**as_both(lambda images: images.reshape(len(images), -1)))).input_shape == (60,)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f8", "longdouble"])
def test_floating_point_images_become_float32(write, dtype):
    dataset = load(write(**as_both(lambda images: (images / 8).astype(dtype))))
    np.testing.assert_array_equal(dataset.train_images, (GOOD["train_images"] / 8).astype(np.float32), strict=True)
    assert dataset.train_images.dtype.isnative


@pytest.mark.parametrize("dtype", ["int8", "int16", ">i4", "int64", "uint16", "uint64"])
def test_other_integers_from_0_to_255_become_bytes(write, dtype):
    dataset = load(write(**as_both(lambda images: (images // 2).astype(dtype))))
    np.testing.assert_array_equal(dataset.train_images, GOOD["train_images"] // 2, strict=True)


@pytest.mark.parametrize(
    ("wrong", "dtype"), [(-1, "int8"), (256, "uint16"), (-1, "int64"), (2**32, "int64"), (2**63, "uint64")]
)
def test_integers_that_are_no_bytes_are_refused(write, wrong, dtype):
    images = (GOOD["test_images"] // 2).astype(dtype)
    images[1, 2, 3, 0] = wrong
    line = refusal(write(test_images=images))
    assert line.startswith(f"test_images are {dtype} with values from {images.min()} to {images.max()}: ")
    assert "0..255" in line


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_refused(write, value):
    changed = as_both(np.float64)
    changed["train_images"][5, 3, 4, 2] = value
    assert refusal(write(**changed)).startswith(f"train_images hold {value} at (5, 3, 4, 2)")


def test_a_number_beyond_float32_is_refused(write):
    changed = as_both(np.float64)
    changed["test_images"][2, 0, 0, 0] = -1e39
    assert refusal(write(**changed)).startswith("test_images are float64 with values beyond float32")


@pytest.mark.parametrize(("dtype", "told"), [("bool", "bool: store them as uint8"), ("complex128", "complex128: ")])
def test_images_of_another_type_are_refused(write, dtype, told):
    assert refusal(write(test_images=np.ones((3, 4, 5, 3), dtype))).startswith(f"test_images are {told}")


def test_more_images_than_are_converted_at_once_are_converted(write):
    images = NUMBERS.standard_normal((2500, 2, 2))
    path = write(train_images=images, train_labels=np.arange(2500) % 3, test_images=images[:3])
    np.testing.assert_array_equal(load(path).train_images[..., 0], images.astype(np.float32), strict=True)


@pytest.mark.parametrize("shape", [(), (3,), (3, 1, 4, 5, 3), (0, 4, 5, 3), (3, 0, 5, 3), (3, 4, 5, 0)])
def test_images_of_another_shape_are_refused(write, shape):
    line = refusal(write(test_images=np.zeros(shape, np.uint8)))
    assert line.startswith(f"test_images have the shape {shape}: ")


def test_images_with_the_channels_first_are_refused(write):
    line = refusal(write(**as_both(lambda images: np.zeros((len(images), 3, 8, 8), np.uint8))))
    assert "numpy.moveaxis(images, 1, -1)" in line


def test_parts_of_two_shapes_are_refused(write):
    assert "(4, 5, 3) but one of test_images is (5, 4, 3)" in refusal(
        write(test_images=GOOD["test_images"].swapaxes(1, 2).copy())
    )


def test_bytes_in_one_part_and_floating_point_in_the_other_are_refused(write):
    assert "train_images are uint8 but test_images are float32" in refusal(
        write(test_images=GOOD["test_images"].astype(np.float32))
    )


@pytest.mark.parametrize("dtype", ["uint8", ">i2", "int32", "uint64"])
def test_labels_may_be_integers_of_any_size(write, dtype):
    assert load(write(train_labels=GOOD["train_labels"].astype(dtype))).train_labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_labels_may_stand_in_a_column(write):
    assert load(write(test_labels=np.array([[2], [1], [0]]))).test_labels.tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (np.eye(3) / 2, "row 0 is not one 1 among zeros: give one label a sample, such as labels.argmax(axis=1)"),
        (np.array([2.0, 1.5, 0.0]), "are float64, and 1.5 at index 1 is not a whole number"),
        (np.array([2j, 1, 0]), "complex128"),
        (np.zeros((3, 1, 1), int), "shape (3, 1, 1)"),
        (np.int64(1), "shape ()"),
        (np.zeros(0, int), "shape (0,)"),
        (np.array([2, -1, 0]), "the label at index 1 is -1, which no training label is"),
        (np.array([2, 0, 10**9]), "the label at index 2 is 1000000000, which no training label is"),
        (
            np.array([2, 2**64 - 1, 0], np.uint64),
            "the label at index 1 is 18446744073709551615, which no training label is",
        ),
    ],
)
def test_labels_of_another_kind_are_refused(write, labels, told):
    line = refusal(write(test_labels=labels))
    assert line.startswith("test_labels")
    assert told in line


def test_as_many_labels_as_images_are_needed(write):
    assert refusal(write(train_labels=np.arange(5))).startswith("6 train_images but 5 train_labels")


def test_the_largest_training_label_tells_the_number_of_classes(write):
    assert load(write()).class_names == ("0", "1", "2")
    assert refusal(write(test_labels=np.array([0, 4, 1]))).startswith(
        "test_labels: the label at index 1 is 4, which no"
    )


def test_classes_are_called_as_the_names_say(write):
    names = ["cat", "été", "鳥", "none of these"]
    for stored in (names, [name.encode() for name in names]):
        assert load(write(class_names=stored)).class_names == tuple(names)


def test_a_label_without_a_name_is_refused(write):
    line = refusal(write(class_names=["cat", "dog"]))
    assert line.startswith("train_labels: label 2 at index 2 is out of range 0..1")
    line = refusal(write(class_names=["cat", "dog"], train_labels=np.array([0, 1, 1, 0, 1, 0])))
    assert line.startswith("test_labels: label 2 at index 0 is out of range 0..1")


def test_one_class_is_refused(write):
    changes = {"train_labels": np.zeros(6, int), "test_labels": np.zeros(3, int)}
    assert "the number of classes is 1" in refusal(write(**changes))
    assert "class_names: the number of classes is 1" in refusal(write(**changes, class_names=["cat"]))
    assert load(write(**changes, class_names=["cat", "dog"])).class_names == ("cat", "dog")


@pytest.mark.parametrize("names", [["a", "b\n", "c"], ["a", "", "c"], ["a", "b\x1b[2J", "c"]])
def test_class_names_that_cannot_be_shown_are_refused(write, names):
    assert "class name" in refusal(write(class_names=names))


@pytest.mark.parametrize(
    "names", [[1, 2, 3], [["a", "b", "c"]], "abc", [b"a", b"\xff", b"c"], ["a", "b", "c" * 2000], np.zeros(0, "S1")]
)
def test_class_names_of_another_kind_are_refused(write, names):
    refusal(write(class_names=names))


@pytest.mark.parametrize("missing", list(GOOD))
def test_an_array_that_is_missing_is_named(tmp_path, missing):
    arrays = {name: values for name, values in GOOD.items() if name != missing}
    for path in (write_npz(tmp_path, arrays), write_h5(tmp_path, arrays)):
        assert refusal(path).startswith(f"holds no array {missing}: ")


def test_other_arrays_are_ignored(write):
    assert load(write(mean=np.zeros(3))).class_names == ("0", "1", "2")


def test_files_are_scaled_on_request(write):
    path = write(**as_both(lambda images: np.full_like(images, 7)))
    dataset = load_dataset(path, resize=8)
    np.testing.assert_array_equal(dataset.train_images, np.full((6, 8, 8, 3), 7, np.uint8), strict=True)
    np.testing.assert_array_equal(dataset.test_images, np.full((3, 8, 8, 3), 7, np.uint8), strict=True)


def test_vectors_are_not_scaled(write):
    path = write(**as_both(lambda images: images.reshape(len(images), -1)))
    with pytest.raises(ConfigError, match=r"--resize .* 60"):
        load_dataset(path, resize=8)


def test_arrays_larger_than_the_memory_are_refused_unread(write, monkeypatch):
    monkeypatch.setattr("bdfa_np.system.memory.physical_memory", lambda: 600)  # the images have 540 bytes
    monkeypatch.setattr("bdfa_np.data.readers.own_npz.NpzReader.read", None)
    monkeypatch.setattr("bdfa_np.data.readers.own_h5.H5Reader.read", None)
    assert "of memory, and this machine has" in refusal(write())


def test_what_the_conversion_needs_counts_as_well(write, monkeypatch):
    # 180 + 360 values of 8 bytes, 9 labels of 8 bytes, and 540 values of 4 bytes
    needed = 540 * 8 + 9 * 8 + 540 * 4
    path = write(**as_both(np.float64))
    monkeypatch.setattr("bdfa_np.system.memory.physical_memory", lambda: needed)
    load(path)
    monkeypatch.setattr("bdfa_np.system.memory.physical_memory", lambda: needed - 1)
    assert "of memory, and this machine has" in refusal(path)


def test_progress_is_shown_in_megabytes_and_only_on_request(write, monkeypatch):
    shown: list[Any] = []

    @contextmanager
    def bar(title: str, total: int, progress: bool) -> Iterator[Callable[[int], None]]:
        shown.append((title, total, progress))
        yield shown.append

    monkeypatch.setattr("bdfa_np.data.readers.own_file.bar", bar)
    path = write(
        **{part: np.zeros((3, 1000, 1000), np.uint8) for part in ("train_images", "test_images")},
        train_labels=np.arange(3),
    )
    for progress in (False, True):
        shown.clear()
        load_dataset(path, progress=progress)
        # 3,000,000 bytes in each part, and 48 of labels
        assert shown[0] == (f"reading {path.name}, MB", 7, progress)
        assert sorted(shown[1:]) == shown[1:]
        assert shown[-1] == 7


def test_a_folder_is_read_as_a_folder_of_images(tmp_path):
    for number, part in enumerate(("train/cat", "train/dog", "test/cat", "test/dog")):
        (tmp_path / "pets.npz" / part).mkdir(parents=True)
        Image.new("L", (5, 4), number).save(tmp_path / "pets.npz" / part / "a.png")
    dataset = load_dataset(tmp_path / "pets.npz")
    assert (dataset.class_names, dataset.input_shape) == (("cat", "dog"), (4, 5, 1))
    assert dataset.checksums == find_source(tmp_path / "pets.npz").checksums()
    assert load_dataset(tmp_path / "pets.npz", resize=3).input_shape == (3, 3, 1)


@pytest.mark.parametrize("name", ["digits.npz", "digits.h5", "digits", "no/digits.npz", "a" * 300])
def test_a_missing_path_is_named(tmp_path, name):
    for function in (load_dataset, lambda path: find_source(path).checksums()):
        with pytest.raises(DataError) as caught:
            function(tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: cannot be read: ")
        assert "\n" not in str(caught.value)


def test_a_file_of_another_format_is_refused(tmp_path):
    (tmp_path / "digits.txt").write_text("1,2,3")
    assert refusal(tmp_path / "digits.txt").startswith("its name must end in .npz, .h5, .hdf5, .csv")
    with pytest.raises(DataError, match="its name must end in"):
        find_source(tmp_path / "digits.txt").checksums()


@pytest.mark.parametrize("name", ["digits.npz", "digits.h5"])
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    assert "not a file" in refusal(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(write):
    path = write()
    path.chmod(0)
    assert refusal(path).startswith("cannot be read: Permission denied")
