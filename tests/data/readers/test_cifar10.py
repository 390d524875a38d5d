"""CIFAR-10's binary version, in files written byte by byte, and the real one where it is."""

import dataclasses
import gzip
import hashlib
import os
import subprocess
import sys
import tempfile
import textwrap
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bdfa_np.data import Dataset, load_dataset
from bdfa_np.data.readers.cifar import read_records
from bdfa_np.data.sources import kinds, registry
from bdfa_np.errors import DataError

NAMES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
FOLDERS = ("cifar10", "cifar-10-batches-bin", "cifar10/cifar-10-batches-bin", "")
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RECORD = 3073


def small_file(seed: int) -> bytes:
    """Four records with the labels seed, seed + 1, ..., and noise in their planes."""
    planes = np.random.default_rng(seed).integers(0, 256, (4, 3072), dtype=np.uint8)
    return b"".join(bytes([(seed + index) % 10]) + plane.tobytes() for index, plane in enumerate(planes))


CONTENTS = {name: small_file(seed) for seed, name in enumerate(NAMES)}


@pytest.fixture(autouse=True)
def _small_entry(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the small files' sizes and checksums into the registry, and no address."""
    if "real" in request.node.name:
        return
    entry = registry.ENTRIES["cifar10"]
    binary = entry.publications[0]
    assert binary.archive is not None
    files = tuple(
        kinds.ArchivedFile(name, len(content), hashlib.sha256(content).hexdigest())
        for name, content in CONTENTS.items()
    )
    archive = dataclasses.replace(binary.archive, files=files, urls=())
    sources = (dataclasses.replace(binary, archive=archive), *entry.publications[1:])
    monkeypatch.setitem(
        registry.ENTRIES, "cifar10", dataclasses.replace(entry, train_images=20, test_images=4, publications=sources)
    )


def put(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)


def refusal(folder: Path) -> str:
    """The message of the refusal, which must be one line."""
    with pytest.raises(DataError) as caught:
        load_dataset("cifar10", folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_is_what_was_written(dataset: Dataset) -> None:
    """Compare every pixel by the place that the published description gives it."""
    for images, labels, names in (
        (dataset.train_images, dataset.train_labels, NAMES[:5]),
        (dataset.test_images, dataset.test_labels, NAMES[5:]),
    ):
        content = b"".join(CONTENTS[name] for name in names)
        assert labels.tolist() == list(content[::RECORD])
        n, row, column, channel = np.indices(images.shape)
        places = n * RECORD + 1 + channel * 1024 + row * 32 + column
        np.testing.assert_array_equal(images, np.frombuffer(content, np.uint8)[places])


@pytest.mark.parametrize("name", ["cifar10", "Cifar10", "CIFAR-10"])
def test_images_come_out_channels_last_with_labels_and_class_names(tmp_path, name):
    put(tmp_path)
    dataset = load_dataset(name, tmp_path)
    assert_is_what_was_written(dataset)
    assert dataset.name == "cifar10"
    assert dataset.train_images.shape == (20, 32, 32, 3)
    assert dataset.test_images.shape == (4, 32, 32, 3)
    assert dataset.train_images.dtype == dataset.test_images.dtype == np.uint8
    assert dataset.train_labels.dtype == dataset.test_labels.dtype == np.int64
    assert dataset.train_images.flags.c_contiguous
    assert dataset.class_names == CLASSES
    assert dataset.checksums == {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}


def test_a_pixel_by_hand(tmp_path):
    put(tmp_path)
    # Record 2 of the second file: row 5, column 7, of red, green and blue.
    content = CONTENTS["data_batch_2.bin"][2 * RECORD :]
    dataset = load_dataset("cifar10", tmp_path)
    assert dataset.train_labels[6] == content[0] == 3
    pixel = [content[1 + 167], content[1 + 1024 + 167], content[1 + 2048 + 167]]
    assert dataset.train_images[6, 5, 7].tolist() == pixel


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_are_found_in_each_folder(tmp_path, folder):
    put(tmp_path / folder)
    assert_is_what_was_written(load_dataset("cifar10", tmp_path))


def test_folders_may_have_some_of_the_files_each_and_the_first_wins(tmp_path):
    for folder in FOLDERS:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for number, (name, content) in enumerate(CONTENTS.items()):
        for later in FOLDERS[number % 4 :]:
            (tmp_path / later / name).write_bytes(b"other")
        (tmp_path / FOLDERS[number % 4] / name).write_bytes(content)
    assert_is_what_was_written(load_dataset("cifar10", tmp_path))


@pytest.mark.parametrize("name", ["data_batch_3.bin", "test_batch.bin"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda _: b"", f"truncated: has 0 of the {4 * RECORD} bytes of 4 records of 3073 bytes"),
        (lambda content: content[:-1], f"truncated: has {4 * RECORD - 1} of the {4 * RECORD} bytes"),
        (lambda content: content[:-RECORD], f"truncated: has {3 * RECORD} of the {4 * RECORD} bytes"),
        (lambda content: content + b"\0", "too long: 4 records of 3073 bytes are"),
        (lambda content: content + content[:RECORD], "too long"),
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "altered: the SHA-256 of its content is"),
        (lambda content: bytes([content[0] ^ 1]) + content[1:], "altered"),
        (lambda content: content[RECORD:] + content[:RECORD], "altered"),
        (lambda content: content[: 2 * RECORD] + b"\x0a" + content[2 * RECORD + 1 :], "label 10 at index 2 is out of"),
        (lambda content: b"\xff" + content[1:], r"label 255 at index 0 is out of range 0..9"),
        (gzip.compress, "t"),
    ],
    ids=["empty", "a byte", "a record", "byte more", "record more", "pixel", "label", "order", "10", "255", "gzip"],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, name, change, reason):
    put(tmp_path)
    (tmp_path / name).write_bytes(change(CONTENTS[name]))
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path / name}: ")
    assert reason in message


def test_files_in_each_others_place_are_refused(tmp_path):
    put(tmp_path)
    (tmp_path / "test_batch.bin").write_bytes(CONTENTS["data_batch_1.bin"])
    assert f"{tmp_path / 'test_batch.bin'}: altered" in refusal(tmp_path)


def test_a_file_of_any_size_is_read_no_further_than_it_should_be(tmp_path):
    put(tmp_path)
    with (tmp_path / "data_batch_1.bin").open("wb") as file:
        file.truncate(2**40)
    tracemalloc.start()
    assert "too long" in refusal(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


def test_a_folder_or_a_pipe_in_a_files_place_is_refused(tmp_path):
    put(tmp_path)
    path = tmp_path / "data_batch_4.bin"
    path.unlink()
    path.mkdir()
    assert f"{path}: is a folder or a device" in refusal(tmp_path)
    if hasattr(os, "mkfifo"):
        path.rmdir()
        os.mkfifo(path)
        assert f"{path}: is a folder or a device" in refusal(tmp_path)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are closed to all but one."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_an_unreadable_file_is_refused(public_folder):
    path = public_folder / "test_batch.bin"
    path.write_bytes(CONTENTS["test_batch.bin"])
    path.chmod(0)
    script = textwrap.dedent(
        f"""
        import os
        from pathlib import Path
        from bdfa_np.data.readers.cifar import read_records
        from bdfa_np.errors import DataError
        if os.getuid() == 0:
            os.setuid(65534)
        try:
            read_records(Path({str(path)!r}), 4, (32, 32, 3))
        except DataError as error:
            print(error)
        """
    )
    # Only a child can give up root, whom no permission keeps from reading.
    child = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    assert child.stdout == f"{path}: cannot be read: Permission denied: check its permissions\n"


def test_records_may_have_two_labels_and_any_shape(tmp_path):
    path = tmp_path / "file.bin"
    content = bytes(range(2 * (2 + 12)))
    path.write_bytes(content)
    labels, images, sha256 = read_records(path, 2, (2, 3, 2), label_bytes=2)
    assert labels.tolist() == [[0, 1], [14, 15]]
    assert images.shape == (2, 2, 3, 2)
    assert images[0, :, :, 0].tolist() == [[2, 3, 4], [5, 6, 7]]
    assert images[0, :, :, 1].tolist() == [[8, 9, 10], [11, 12, 13]]
    assert images[1, 1, 2].tolist() == [21, 27]
    assert sha256 == hashlib.sha256(content).hexdigest()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(
    st.sampled_from(NAMES),
    st.lists(st.tuples(st.integers(0, 4 * RECORD - 1), st.integers(0, 255)), max_size=3),
    st.one_of(st.just(0), st.integers(-4 * RECORD, 2 * RECORD)),
)
def test_mutated_files_are_refused_or_read_as_they_are(tmp_path, name, changes, longer):
    put(tmp_path)
    content = bytearray(CONTENTS[name])
    for place, value in changes:
        content[place] = value
    content = content + bytes(longer) if longer > 0 else content[: len(content) + longer]
    (tmp_path / name).write_bytes(content)
    if content == CONTENTS[name]:
        assert_is_what_was_written(load_dataset("cifar10", tmp_path))
    else:
        assert refusal(tmp_path).startswith(f"{tmp_path / name}: ")


def test_the_real_entry_is_the_published_one():
    archive = registry.ENTRIES["cifar10"].publications[0].archive
    assert archive is not None
    assert tuple(file.name for file in archive.files) == NAMES
    assert {file.size for file in archive.files} == {30_730_000}
    digests = [archive.sha256, *(file.sha256_content for file in archive.files)]
    assert len(set(digests)) == 7
    assert all(len(bytes.fromhex(digest)) == 32 for digest in digests)


def test_real_cifar10_has_its_known_class_counts():
    folder = Path(os.environ.get("BDFA_DATA_DIR", "absent"))
    if not all(any((folder / place / name).exists() for place in FOLDERS) for name in NAMES):
        pytest.skip("BDFA_DATA_DIR names no folder with CIFAR-10's binary version")
    dataset = load_dataset("cifar10", folder)
    assert dataset.train_images.shape == (50_000, 32, 32, 3)
    assert dataset.test_images.shape == (10_000, 32, 32, 3)
    assert np.bincount(dataset.train_labels).tolist() == [5000] * 10
    assert np.bincount(dataset.test_labels).tolist() == [1000] * 10
    # The first labels that every loader of it shows: frog, truck, truck, deer, automobile; cat, ship, ship, airplane.
    assert dataset.train_labels[:5].tolist() == [6, 9, 9, 4, 1]
    assert dataset.test_labels[:4].tolist() == [3, 8, 8, 0]
    # The mean colour that CIFAR-10 is known by.
    mean = dataset.train_images.mean(axis=(0, 1, 2)) / 255
    assert mean.tolist() == pytest.approx([0.49140, 0.48216, 0.44653], abs=1e-5)
