"""CIFAR-100's binary version, and the Python versions of both CIFARs, in files written byte by byte."""

import dataclasses
import hashlib
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest

from bdfa_np.data import Dataset, load_dataset
from bdfa_np.data.sources import kinds, registry
from bdfa_np.errors import DataError

GENERATOR = np.random.default_rng(0)
FINE = {"train": [99, 0, 50, 7, 31, 98], "test": [3, 77]}
COARSE = {"train": [19, 0, 5, 18, 1, 2], "test": [12, 0]}
PLANES = {part: GENERATOR.integers(0, 256, (len(FINE[part]), 3072), np.uint8) for part in FINE}
RECORD = 2 + 3072


def binary(part: str) -> bytes:
    """The records of CIFAR-100: coarse label, fine label, red, green and blue."""
    return b"".join(
        bytes(labels) + plane.tobytes() for *labels, plane in zip(COARSE[part], FINE[part], PLANES[part], strict=True)
    )


def binary10(part: slice) -> bytes:
    """The records of CIFAR-10: label, red, green and blue."""
    labels = [label % 10 for label in FINE["train"]]
    return b"".join(bytes([a]) + b.tobytes() for a, b in zip(labels[part], PLANES["train"][part], strict=True))


def pickled(rows: np.ndarray, **labels: list[int]) -> bytes:
    """A dictionary as Python 2 pickled it: data, and lists of labels."""
    shape = b"".join(b"J" + struct.pack("<i", side) for side in rows.shape)
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01" + shape + b"\x86" + dtype
    )
    items = b"U\x04data" + array + b"\x89T" + struct.pack("<i", rows.size) + rows.tobytes() + b"tb"
    for key, values in labels.items():
        numbers = b"".join(b"J" + struct.pack("<i", value) for value in values)
        items += b"U" + bytes([len(key)]) + key.encode() + b"](" + numbers + b"e"
    return b"\x80\x02}(" + items + b"u."


# By name of the data set, in the order of its sources: the small files.
CONTENTS = {
    "cifar100": (
        {f"{part}.bin": binary(part) for part in FINE},
        {part: pickled(PLANES[part], fine_labels=FINE[part], coarse_labels=COARSE[part]) for part in FINE},
    ),
    "cifar10": (
        {f"{name}.bin": binary10(slice(i, i + 1)) for i, name in enumerate("abcdef")},
        {
            name: pickled(PLANES["train"][i : i + 1], labels=[FINE["train"][i] % 10])
            for i, name in enumerate(("data_batch_1", "b", "c", "d", "e", "test_batch"))
        },
    ),
}


def register(monkeypatch: pytest.MonkeyPatch, name: str, contents: tuple[dict[str, bytes], ...]) -> None:
    """Put the small files' sizes and checksums into the registry, and no address; the binary CIFAR-100 has no sums."""
    entry = registry.ENTRIES[name]
    sources = []
    for source, files in zip(entry.publications, contents, strict=True):
        described = []
        for file, content in files.items():
            sha256 = None if file in ("train.bin", "test.bin") else hashlib.sha256(content).hexdigest()
            described.append(kinds.ArchivedFile(file, len(content), sha256))
        assert source.archive is not None
        archive = dataclasses.replace(source.archive, files=tuple(described), urls=(), size=None)
        sources.append(dataclasses.replace(source, archive=archive))
    sizes = {"train_images": 5, "test_images": 1} if name == "cifar10" else {"train_images": 6, "test_images": 2}
    monkeypatch.setitem(registry.ENTRIES, name, dataclasses.replace(entry, publications=tuple(sources), **sizes))


@pytest.fixture(autouse=True)
def _small_entries(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "real" not in request.node.name:
        for name, contents in CONTENTS.items():
            register(monkeypatch, name, contents)


def put(folder: Path, name: str, source: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in CONTENTS[name][source].items():
        (folder / file).write_bytes(content)


def refusal(folder: Path, name: str = "cifar100") -> str:
    with pytest.raises(DataError) as caught:
        load_dataset(name, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_same(one: Dataset, other: Dataset) -> None:
    for part in ("train_images", "train_labels", "test_images", "test_labels"):
        np.testing.assert_array_equal(getattr(one, part), getattr(other, part), strict=True)
    assert one.class_names == other.class_names
    assert one.name == other.name


@pytest.mark.parametrize("folder", ["cifar100", "cifar-100-binary", "cifar100/cifar-100-binary", ""])
def test_images_come_out_channels_last_with_fine_labels(tmp_path, folder):
    put(tmp_path / folder, "cifar100", 0)
    dataset = load_dataset("CIFAR-100", tmp_path)
    for images, labels, part in (
        (dataset.train_images, dataset.train_labels, "train"),
        (dataset.test_images, dataset.test_labels, "test"),
    ):
        assert labels.tolist() == FINE[part]
        assert labels.dtype == np.int64
        assert images.shape == (len(labels), 32, 32, 3)
        assert images.flags.c_contiguous
        n, row, column, channel = np.indices(images.shape)
        places = n * RECORD + 2 + channel * 1024 + row * 32 + column
        np.testing.assert_array_equal(images, np.frombuffer(binary(part), np.uint8)[places])


def test_checksums_of_what_was_read_are_recorded_where_none_are_published(tmp_path):
    put(tmp_path, "cifar100", 0)
    files = CONTENTS["cifar100"][0]
    expected = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert load_dataset("cifar100", tmp_path).checksums == expected
    assert registry.ENTRIES["cifar100"].known_checksums() is None


@pytest.mark.parametrize("name", ["train.bin", "test.bin"])
@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (RECORD, 20, "label 20 at index 1 is out of range 0..19"),
        (RECORD + 1, 100, "label 100 at index 1 is out of range 0..99"),
        (0, 255, "label 255 at index 0 is out of range 0..19"),
    ],
    ids=["coarse", "fine", "first"],
)
def test_a_coarse_or_fine_label_out_of_range_is_named(tmp_path, name, place, value, reason):
    put(tmp_path, "cifar100", 0)
    content = bytearray(CONTENTS["cifar100"][0][name])
    content[place] = value
    (tmp_path / name).write_bytes(content)
    assert f"{tmp_path / name}: {reason}" in refusal(tmp_path)


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content + b"\0", lambda _: b""])
def test_a_file_of_another_size_is_refused(tmp_path, change):
    put(tmp_path, "cifar100", 0)
    (tmp_path / "test.bin").write_bytes(change(CONTENTS["cifar100"][0]["test.bin"]))
    assert refusal(tmp_path).startswith(f"{tmp_path / 'test.bin'}: t")


FOLDERS = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}


@pytest.mark.parametrize("name", FOLDERS)
def test_the_python_version_gives_the_images_and_labels_of_the_binary_one(tmp_path, name):
    put(tmp_path / "binary", name, 0)
    put(tmp_path / "python", name, 1)
    put(tmp_path / "nested" / FOLDERS[name], name, 1)
    put(tmp_path / "home" / name / FOLDERS[name], name, 1)
    truth = load_dataset(name, tmp_path / "binary")
    for folder in ("python", "nested", "home"):
        dataset = load_dataset(name, tmp_path / folder)
        assert_same(dataset, truth)
        assert dataset.train_images.flags.c_contiguous


@pytest.mark.parametrize("name", FOLDERS)
def test_the_python_version_is_recognised_as_other_files(tmp_path, name):
    put(tmp_path, name, 1)
    expected = {file: hashlib.sha256(content).hexdigest() for file, content in CONTENTS[name][1].items()}
    assert load_dataset(name, tmp_path).checksums == expected
    assert expected != registry.ENTRIES[name].known_checksums()


@pytest.mark.parametrize("name", FOLDERS)
def test_the_binary_version_comes_before_the_python_version(tmp_path, name):
    put(tmp_path, name, 1)
    put(tmp_path, name, 0)
    assert set(load_dataset(name, tmp_path).checksums) == set(CONTENTS[name][0])
    # And the Python version where a file of the binary one is missing.
    (tmp_path / list(CONTENTS[name][0])[-1]).unlink()
    assert set(load_dataset(name, tmp_path).checksums) == set(CONTENTS[name][1])


def test_with_neither_version_whole_both_archives_are_named(tmp_path):
    put(tmp_path, "cifar10", 1)
    (tmp_path / "c").unlink()
    message = refusal(tmp_path, "cifar10")
    assert message.startswith("CIFAR-10 is incomplete: ")
    assert "the archive cifar-10-binary.tar.gz or cifar-10-python.tar.gz will do" in message


def test_a_folder_called_train_is_no_file_of_the_python_version(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    assert refusal(tmp_path).startswith("CIFAR-100 is incomplete: ")


@pytest.mark.parametrize("number", [0, 1], ids=["binary", "python"])
def test_the_archive_of_either_version_is_unpacked_where_it_is_the_only_one(tmp_path, monkeypatch, number):
    entry = registry.ENTRIES["cifar100"]
    published = entry.publications[number].archive
    assert published is not None
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in CONTENTS["cifar100"][number].items():
            info = tarfile.TarInfo(f"{published.folder}/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    (tmp_path / published.name).write_bytes(stream.getvalue())
    published = dataclasses.replace(published, sha256=hashlib.sha256(stream.getvalue()).hexdigest())
    sources = list(entry.publications)
    sources[number] = dataclasses.replace(sources[number], archive=published)
    monkeypatch.setitem(registry.ENTRIES, "cifar100", dataclasses.replace(entry, publications=tuple(sources)))
    assert load_dataset("cifar100", tmp_path).test_labels.tolist() == FINE["test"]
    assert {path.name for path in (tmp_path / "cifar100").iterdir()} == set(CONTENTS["cifar100"][number])


def test_the_real_entries_are_the_published_ones():
    hundred, ten = registry.ENTRIES["cifar100"], registry.ENTRIES["cifar10"]
    assert len(set(hundred.class_names)) == 100
    assert list(hundred.class_names) == sorted(hundred.class_names)
    assert [hundred.class_names[label] for label in (0, 19, 49, 70, 99)] == [
        "apple",
        "cattle",
        "mountain",
        "rose",
        "worm",
    ]
    archives = [source.archive for entry in (hundred, ten) for source in entry.publications]
    assert [archive.name for archive in archives] == [
        *("cifar-100-binary.tar.gz", "cifar-100-python.tar.gz"),
        *("cifar-10-binary.tar.gz", "cifar-10-python.tar.gz"),
    ]
    assert [file.size for file in archives[0].files] == [50_000 * RECORD, 10_000 * RECORD]
    for archive, images in zip(archives, (0, 60_000, 0, 60_000), strict=True):
        assert len(bytes.fromhex(archive.sha256)) == 32
        # Beside its 3072 bytes an image of the Python version has its labels and a file name of some 25 letters.
        assert images == 0 or 20 < sum(file.size for file in archive.files) / images - 3072 < 40
    digests = [file.sha256_content for archive in archives[1:] for file in archive.files]
    assert len(set(digests)) == 2 + 6 + 6
    assert {len(bytes.fromhex(digest)) for digest in digests} == {32}
