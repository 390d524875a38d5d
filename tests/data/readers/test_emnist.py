"""EMNIST, KMNIST and QMNIST, read from small files in the formats that they are published in."""

import functools
import gzip
import hashlib
import http.server
import io
import os
import struct
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bdfa_np.data import load_dataset
from bdfa_np.data.sources import registry
from bdfa_np.data.sources.archives import unpack
from bdfa_np.data.sources.find import find_source
from bdfa_np.errors import DataError

SPLITS = ("balanced", "byclass", "bymerge", "letters", "digits", "mnist")
TRAIN, TEST = 62, 30
GENERATOR = np.random.default_rng(0)
UPRIGHT = {"train": GENERATOR.integers(0, 256, (TRAIN, 28, 28), dtype=np.uint8),
           "test": GENERATOR.integers(0, 256, (TEST, 28, 28), dtype=np.uint8)}  # fmt: skip


def idx(values, kind=8):
    """Return an IDX file: the type's code, the dimensions, then the values with the most significant byte first."""
    header = struct.pack(f">HBB{values.ndim}I", 0, kind, values.ndim, *values.shape)
    return header + values.astype({8: ">u1", 12: ">i4"}[kind]).tobytes()


def labels_of(split, part):
    """Return the labels as the split's files have them: letters count from 1."""
    count = len(UPRIGHT[part])
    classes = len(registry.ENTRIES[f"emnist-{split}"].class_names)
    return np.arange(count) % classes + (split == "letters")


def contents_of(split):
    """Return the four files of a split: images with rows and columns swapped, labels, each gzipped."""
    contents = {}
    for part, images in UPRIGHT.items():
        contents[f"emnist-{split}-{part}-images-idx3-ubyte"] = idx(images.transpose(0, 2, 1))
        contents[f"emnist-{split}-{part}-labels-idx1-ubyte"] = idx(labels_of(split, part))
    return contents


CONTENTS = {name: content for split in SPLITS for name, content in contents_of(split).items()}
PACKED = {name: gzip.compress(content, mtime=0) for name, content in CONTENTS.items()}


def zipped(members):
    """Return a zip archive of members, deflated as the published one is."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


ARCHIVE = zipped([("gzip/", b""), ("gzip/emnist-mnist-mapping.txt", b"0 48\n"),
                  *((f"gzip/{name}.gz", content) for name, content in PACKED.items())])  # fmt: skip


def described(entry, archive=ARCHIVE, urls=()):
    """Return an entry as if the small files were the published ones."""
    publication = entry.publications[0]
    files = tuple(
        replace(
            file,
            size=len(PACKED[file.name]),
            size_unpacked=len(gzip.decompress(PACKED[file.name])),
            sha256_archive=hashlib.sha256(PACKED[file.name]).hexdigest(),
        )
        for file in publication.archive.files
    )
    sha256 = hashlib.sha256(archive).hexdigest()
    small = replace(publication.archive, files=files, sha256=sha256, urls=urls, size=None)
    return replace(entry, train_images=TRAIN, test_images=TEST, publications=(replace(publication, archive=small),))


@pytest.fixture
def emnist(monkeypatch):
    """Put the small files into the registry, with an address that nobody answers at."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for split in SPLITS:
        entry = described(registry.ENTRIES[f"emnist-{split}"], urls=("http://127.0.0.1:9/gzip.zip",))
        monkeypatch.setitem(registry.ENTRIES, entry.name, entry)


def put(folder, names, files=CONTENTS, suffix=""):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}{suffix}").write_bytes(files[name])


def refusal(name, folder):
    """Return the message of the refusal, which must be one line."""
    with pytest.raises(DataError) as caught:
        load_dataset(name, folder)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.usefixtures("emnist")
@pytest.mark.parametrize("split", SPLITS)
def test_each_split_comes_from_the_archive_with_its_images_upright_and_labels_from_0(tmp_path, split):
    (tmp_path / "gzip.zip").write_bytes(ARCHIVE)
    dataset = load_dataset(f"EMNIST-{split.upper()}", tmp_path)
    assert dataset.name == f"emnist-{split}"
    np.testing.assert_array_equal(dataset.train_images[..., 0], UPRIGHT["train"])
    np.testing.assert_array_equal(dataset.test_images[..., 0], UPRIGHT["test"])
    classes = len(dataset.class_names)
    assert dataset.train_labels.tolist() == [number % classes for number in range(TRAIN)]
    assert dataset.test_labels.tolist() == [number % classes for number in range(TEST)]
    assert dataset.train_images.flags.c_contiguous
    names = [file.name for file in registry.ENTRIES[dataset.name].publications[0].archive.files]
    assert sorted(path.name for path in (tmp_path / "emnist").iterdir()) == sorted(f"{name}.gz" for name in names)
    assert dataset.checksums == {name: hashlib.sha256(CONTENTS[name]).hexdigest() for name in names}


# What the archive's mapping files have beside the labels: ASCII codes.
MAPPINGS = {
    "byclass": [*range(48, 58), *range(65, 91), *range(97, 123)],
    "bymerge": [*range(48, 58), *range(65, 91), 97, 98, 100, 101, 102, 103, 104, 110, 113, 114, 116],
    "balanced": [*range(48, 58), *range(65, 91), 97, 98, 100, 101, 102, 103, 104, 110, 113, 114, 116],
    "letters": [*range(65, 91)],
    "digits": [*range(48, 58)],
    "mnist": [*range(48, 58)],
}


@pytest.mark.parametrize("split", SPLITS)
def test_classes_are_named_as_the_mapping_of_the_archive_has_them(split):
    assert registry.ENTRIES[f"emnist-{split}"].class_names == tuple(map(chr, MAPPINGS[split]))


def test_the_images_of_all_splits_are_as_many_as_its_authors_say():
    totals = {"byclass": 814_255, "bymerge": 814_255, "balanced": 131_600, "letters": 145_600, "digits": 280_000,
              "mnist": 70_000}  # fmt: skip
    for split, total in totals.items():
        entry = registry.ENTRIES[f"emnist-{split}"]
        assert entry.train_images + entry.test_images == total


@pytest.mark.usefixtures("emnist")
@pytest.mark.parametrize("folder", ["emnist", "gzip", "emnist/gzip", ""])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_unpacked_files_are_found_and_have_the_same_checksums(tmp_path, folder, suffix):
    put(tmp_path / folder, CONTENTS, PACKED if suffix else CONTENTS, suffix)
    dataset = load_dataset("emnist-letters", tmp_path)
    np.testing.assert_array_equal(dataset.test_images[..., 0], UPRIGHT["test"])
    source = find_source("emnist-letters", datapath=tmp_path)
    letters = {name: content for name, content in CONTENTS.items() if "letters" in name}
    expected = {name: hashlib.sha256(content).hexdigest() for name, content in letters.items()}
    assert dataset.checksums == source.checksums() == expected
    assert source.known_checksums is None


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and counts what is asked for."""

    asked: list[str] = []  # noqa: RUF012

    def do_GET(self):
        """Answer."""
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_):
        """Say nothing."""


def test_the_archive_is_downloaded_once_for_all_splits(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(Handler, "asked", [])
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/gzip.zip").write_bytes(ARCHIVE)
    handler = functools.partial(Handler, directory=str(tmp_path / "mirror"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        place = f"http://127.0.0.1:{server.server_port}"
        for split in SPLITS:
            entry = described(registry.ENTRIES[f"emnist-{split}"], urls=(f"{place}/absent/gzip.zip",
                                                                         f"{place}/gzip.zip"))  # fmt: skip
            monkeypatch.setitem(registry.ENTRIES, entry.name, entry)
        (tmp_path / "data").mkdir()
        for split in SPLITS:
            assert len(load_dataset(f"emnist-{split}", tmp_path / "data").test_labels) == TEST
        server.shutdown()
        thread.join()
    assert Handler.asked == ["/absent/gzip.zip", "/gzip.zip"]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["emnist"]
    assert len(list((tmp_path / "data/emnist").iterdir())) == 25


@pytest.mark.usefixtures("emnist")
def test_without_files_and_network_one_line_says_what_to_do(tmp_path):
    message = refusal("emnist-letters", tmp_path)
    assert message.startswith("EMNIST-Letters is incomplete: ")
    for needed in (str(tmp_path / "emnist"), "emnist-letters-test-labels-idx1-ubyte", "the archive gzip.zip will do",
                   "no connection", "--dataset mnist-5k"):  # fmt: skip
        assert needed in message


@pytest.mark.usefixtures("emnist")
@pytest.mark.parametrize("value", [0, 27])
def test_a_letter_outside_1_to_26_is_refused(tmp_path, value):
    put(tmp_path, CONTENTS)
    labels = labels_of("letters", "test")
    labels[5] = value
    path = tmp_path / "emnist-letters-test-labels-idx1-ubyte"
    path.write_bytes(idx(labels))
    expected = f"{path}: counted from 0: label {value - 1} at index 5 is out of range 0..25"
    assert refusal("emnist-letters", tmp_path).startswith(expected)


@pytest.mark.usefixtures("emnist")
def test_a_compressed_file_that_is_not_the_published_one_is_refused(tmp_path):
    put(tmp_path, CONTENTS, PACKED, ".gz")
    path = tmp_path / "emnist-digits-train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx(UPRIGHT["train"]), mtime=0))
    assert refusal("emnist-digits", tmp_path).startswith(f"{path}: altered: the SHA-256 of its content is")
    path.write_bytes(PACKED["emnist-digits-train-images-idx3-ubyte"][:-3])
    assert refusal("emnist-digits", tmp_path).startswith(f"{path}: truncated")


@pytest.mark.usefixtures("emnist")
@pytest.mark.parametrize("kind", ["images-idx3", "labels-idx1"])
def test_a_file_that_was_unpacked_and_holds_another_number_is_refused(tmp_path, kind):
    put(tmp_path, CONTENTS)
    path = tmp_path / f"emnist-digits-test-{kind}-ubyte"
    values = UPRIGHT["test"] if kind == "images-idx3" else labels_of("digits", "test")
    path.write_bytes(idx(values[:-1]))
    message = refusal("emnist-digits", tmp_path)
    assert message.startswith(f"{path}: holds {TEST - 1} images or labels, and {TEST} are published")


@pytest.mark.usefixtures("emnist")
def test_a_damaged_file_is_refused_where_only_its_checksum_is_asked_for(tmp_path):
    put(tmp_path, CONTENTS, PACKED, ".gz")
    path = tmp_path / "emnist-digits-test-labels-idx1-ubyte.gz"
    for content, reason in (
        (path.read_bytes()[:-3], "altered: it has"),
        (path.read_bytes()[:-8] + bytes(8), "damaged"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=reason) as caught:
            find_source("emnist-digits", datapath=tmp_path).checksums()
        assert str(caught.value).startswith(f"{path}: ")


def test_nothing_of_a_zip_archive_but_the_files_by_their_names_is_written(tmp_path):
    wanted = "emnist-mnist-test-labels-idx1-ubyte.gz"
    evil = [f"../{wanted}", f"{tmp_path}/{wanted}", f"gzip/../../{wanted}", wanted, f"gzip/more/{wanted}", "gzip/evil"]
    archive = zipped([*((name, b"evil") for name in evil), *((f"gzip/{name}.gz", PACKED[name]) for name in PACKED)])
    path = tmp_path / "gzip.zip"
    path.write_bytes(archive)
    published = described(registry.ENTRIES["emnist-mnist"], archive).publications[0].archive
    home = tmp_path / "deep" / "home"
    unpack(published, path, [file.published_name for file in published.files], home)
    assert sorted(file.name for file in tmp_path.rglob("*") if file.is_file()) == sorted(
        ["gzip.zip", *(f"{name}.gz" for name in PACKED if "emnist-mnist" in name)]
    )
    for file in published.files:
        assert (home / file.published_name).read_bytes() == PACKED[file.name]


def test_nothing_of_another_zip_archive_than_the_published_is_interpreted(tmp_path, monkeypatch):
    path = tmp_path / "gzip.zip"
    path.write_bytes(ARCHIVE[:-1])
    published = described(registry.ENTRIES["emnist-mnist"]).publications[0].archive
    monkeypatch.setattr(zipfile, "ZipFile", None)  # calling it is a TypeError
    with pytest.raises(DataError, match="altered: the SHA-256"):
        unpack(published, path, [file.published_name for file in published.files], tmp_path / "home")


def register(monkeypatch, name, contents):
    """Put small files into the registry as if they were the published ones, and nobody served them."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    entry = registry.ENTRIES[name]
    files = tuple(
        replace(
            file,
            sha256_content=file.sha256_content and hashlib.sha256(contents[file.name]).hexdigest(),
            sha256_archive=hashlib.sha256(gzip.compress(contents[file.name], mtime=0)).hexdigest(),
            urls=("http://127.0.0.1:9/file.gz",),
            size_content=len(contents[file.name]),
            size_archive=len(gzip.compress(contents[file.name], mtime=0)),
        )
        for file in entry.publications[0].files
    )
    publication = replace(entry.publications[0], files=files)
    monkeypatch.setitem(
        registry.ENTRIES, name, replace(entry, train_images=TRAIN, test_images=TEST, publications=(publication,))
    )


@pytest.fixture
def kmnist(monkeypatch):
    """Give the contents of a small KMNIST, which is in the registry."""
    contents = {}
    for part, images in (("train", UPRIGHT["train"]), ("t10k", UPRIGHT["test"])):
        contents[f"{part}-images-idx3-ubyte"] = idx(images)
        contents[f"{part}-labels-idx1-ubyte"] = idx(np.arange(len(images)) % 10)
    register(monkeypatch, "kmnist", contents)
    return contents


@pytest.fixture
def qmnist(monkeypatch):
    """Give the contents of a small QMNIST, which is in the registry: eight numbers a label, the class first."""
    contents = {}
    for part, images in UPRIGHT.items():
        rows = GENERATOR.integers(0, 300_000, (len(images), 8))
        rows[:, 0] = np.arange(len(images)) % 10
        contents[f"qmnist-{part}-images-idx3-ubyte"] = idx(images)
        contents[f"qmnist-{part}-labels-idx2-int"] = idx(rows, 12)
    register(monkeypatch, "qmnist", contents)
    return contents


@pytest.mark.parametrize("name", ["kmnist", "qmnist"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
def test_kmnist_and_qmnist_are_read_compressed_or_not_and_under_dotted_names(tmp_path, request, name, packed, dotted):
    contents = request.getfixturevalue(name)
    (tmp_path / name).mkdir()
    for file, content in contents.items():
        path = tmp_path / name / f"{file.replace('-idx', '.idx') if dotted else file}{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    dataset = load_dataset(name, tmp_path)
    np.testing.assert_array_equal(dataset.train_images[..., 0], UPRIGHT["train"])
    np.testing.assert_array_equal(dataset.test_images[..., 0], UPRIGHT["test"])
    assert dataset.train_labels.tolist() == [number % 10 for number in range(TRAIN)]
    assert dataset.test_labels.tolist() == [number % 10 for number in range(TEST)]
    expected = {file: hashlib.sha256(content).hexdigest() for file, content in contents.items()}
    assert dataset.checksums == find_source(name, datapath=tmp_path).checksums() == expected


def test_kmnists_classes_are_its_ten_characters():
    assert registry.ENTRIES["kmnist"].class_names == ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")


def test_a_label_of_qmnist_outside_0_to_9_or_of_another_form_is_refused(tmp_path, qmnist):
    put(tmp_path, qmnist, qmnist)
    path = tmp_path / "qmnist-test-labels-idx2-int"
    rows = np.zeros((TEST, 8), int)
    rows[3, 0] = -1
    path.write_bytes(idx(rows, 12))
    assert refusal("qmnist", tmp_path) == f"{path}: label -1 at index 3 is out of range 0..9"
    path.write_bytes(idx(rows[:, :7], 12))
    assert refusal("qmnist", tmp_path).startswith(f"{path}: its items have the shape (7,) instead of (8,)")
    path.write_bytes(idx(np.zeros(TEST)))
    assert "an IDX file of 32-bit integers in 2 dimensions begins with 0x00000c02" in refusal("qmnist", tmp_path)
    path.write_bytes(qmnist[path.name][:-4])
    assert f"truncated: has {12 + 32 * TEST - 4} of {12 + 32 * TEST} bytes" in refusal("qmnist", tmp_path)
    path.write_bytes(qmnist[path.name] + b"\0")
    assert "too long" in refusal("qmnist", tmp_path)


def test_altered_labels_of_qmnist_are_refused_compressed_or_not(tmp_path, qmnist):
    put(tmp_path, qmnist, qmnist)
    path = tmp_path / "qmnist-train-labels-idx2-int"
    path.write_bytes(idx(np.zeros((TRAIN, 8), int), 12))
    assert refusal("qmnist", tmp_path).startswith(f"{path}: altered: the SHA-256")


def test_the_files_of_real_mnist_are_not_taken_for_kmnist(real_mnist):
    message = refusal("kmnist", real_mnist / "mnist")
    assert message.startswith(str(real_mnist / "mnist" / "train-images-idx3-ubyte"))
    assert "is a file of MNIST, not of KMNIST" in message
    assert message.endswith("into its subfolder kmnist")


@pytest.fixture
def real_mnist():
    """Give the folder with the real files of MNIST."""
    folder = Path(os.environ.get("BDFA_DATA_DIR", "absent"))
    if not any((folder / "mnist").glob("train-images-idx3-ubyte*")):
        pytest.skip("BDFA_DATA_DIR names no folder with mnist")
    return folder


@pytest.mark.usefixtures("emnist")
def test_the_command_line_lists_fetches_and_describes_them_and_trains_on_them(tmp_path, bdfa):
    data = tmp_path / "data"
    data.mkdir()
    listed = bdfa("data", "list", "--datapath", data).out.splitlines()
    [line] = [line for line in listed if line.startswith("emnist-letters")]
    assert line.split(maxsplit=5) == ["emnist-letters", "28x28x1", "26", "62", "30", "to be downloaded"]
    assert all(len(line) <= 80 for line in listed[:16])
    (data / "gzip.zip").write_bytes(ARCHIVE)
    fetched = bdfa("data", "fetch", "emnist-letters", "--datapath", data)
    assert (fetched.code, fetched.err) == (0, "")
    assert fetched.out.splitlines()[-1] == "EMNIST-Letters: 62 training and 30 test images, every file whole"
    assert f"{data / 'emnist'}\n" in bdfa("data", "list", "--datapath", data).out
    described = bdfa("data", "info", "EMNIST-Letters", "--datapath", data, "--png", "letters.png").out
    assert "emnist-letters: 62 training and 30 test samples of 28x28x1 uint8, 26 classes" in described
    assert "citation: G. Cohen" in described
    assert [line.split() for line in described.splitlines() if line.startswith(("A ", "K "))] == [
        ["A", "3", "2"], ["K", "2", "1"],
    ]  # fmt: skip
    trained = bdfa("train", "--dataset", "emnist-letters", "--datapath", data, "--num-hidden", 5, "--epochs", 1)
    assert (trained.code, trained.err) == (0, "")
