"""One prepared file: what comes back from it, what h5py sees in it, and what damage does."""

import hashlib
import json
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bdfa_np.data.cache.file import CacheFile
from bdfa_np.data.cache.store import Cache, digest
from bdfa_np.errors import DataError

SPECIFICATION = {"dataset": "digits", "preprocessing": {"seed": 3, "epsilon": 1e-5}, "checksums": {"a": "ff"}}
IMAGES = np.random.default_rng(0).integers(0, 256, (50, 4, 5, 3), dtype=np.uint8)
LABELS = np.arange(50) % 10
MEAN = np.linspace(-1, 1, 60, dtype=np.float32)
SMALL = np.arange(12, dtype=np.uint8).reshape(4, 3)
DIGESTS = {
    name: hashlib.sha256(f"{array.dtype.str} {array.shape}\n".encode() + array.tobytes()).hexdigest()
    for name, array in {"train/images": IMAGES, "train/labels": LABELS, "zca/mean": MEAN}.items()
}


def write(cache, images=IMAGES, *, cuts=(7, 7, 30), attributes=None, specification=SPECIFICATION):
    """Prepare images that come in blocks, and return the file."""

    def build(writer):
        blocks = np.split(images, cuts)
        writer.images("train", images.shape, images.dtype, blocks, LABELS[: len(images)])
        writer.array("zca/mean", MEAN)
        writer.attributes({"name": "digits", "ready": True} if attributes is None else attributes)

    return cache.prepared("digits", specification, build, lambda file: file, note=pytest.fail)


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "prepared")


@pytest.mark.parametrize(
    "dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "?", ">f4", ">u2"], ids=str
)
def test_images_of_every_type_come_back_as_they_were(cache, dtype):
    images = (IMAGES * 0.7 - 30).astype(np.int64).astype(dtype)
    read, labels = write(cache, images).read_images("train")
    assert read.dtype == np.dtype(dtype)
    assert read.flags.c_contiguous
    np.testing.assert_array_equal(read, images)
    np.testing.assert_array_equal(labels, LABELS)
    assert labels.dtype == np.int64


@pytest.mark.parametrize("shape", [(50,), (50, 1), (3, 700, 800), (1, 1), (0, 4), (4, 0), (40, 100, 401)], ids=str)
def test_images_of_every_shape_come_back_from_blocks_of_any_sizes(cache, shape):
    images = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    for number, cuts in enumerate([(), (1,), (0, 2, 2, 13), range(1, len(images))]):
        file = write(cache, images, cuts=cuts, specification={"number": number})
        np.testing.assert_array_equal(file.read_images("train")[0], images)


def test_an_array_of_more_bytes_than_one_read_comes_back(cache, monkeypatch):
    monkeypatch.setattr("bdfa_np.data.cache.file._BYTES_PER_READ", 2000)
    np.testing.assert_array_equal(write(cache).read_images("train")[0], IMAGES)


def test_a_block_may_lie_in_memory_that_the_next_one_uses_again(cache):
    def blocks():
        memory = np.empty_like(IMAGES[:5])
        for start in range(0, 50, 5):
            memory[:] = IMAGES[start : start + 5]
            yield memory

    def build(writer):
        writer.images("test", IMAGES.shape, np.uint8, blocks(), LABELS)

    read, _ = cache.prepared("digits", {}, build, lambda file: file.read_images("test"), note=pytest.fail)
    np.testing.assert_array_equal(read, IMAGES)


@pytest.mark.parametrize(
    ("shape", "dtype", "labels"),
    [
        ((49, 4, 5, 3), "u1", LABELS[:49]),
        ((51, 4, 5, 3), "u1", np.zeros(51, np.int64)),
        ((50, 5, 4, 3), "u1", LABELS),
        ((50, 4, 5, 3), "f4", LABELS),
        ((50, 4, 5, 3), "u1", LABELS[:49]),
        ((50, 4, 5, 3), "u1", LABELS.astype(np.int32)),
    ],
)
def test_blocks_and_labels_that_are_not_what_was_promised_are_refused_and_leave_nothing(cache, shape, dtype, labels):
    def build(writer):
        writer.images("train", shape, dtype, [IMAGES[:20], IMAGES[20:]], labels)

    with pytest.raises(ValueError, match="images"):
        cache.prepared("digits", {}, build, list, note=pytest.fail)
    assert [path.name for path in cache.folder.iterdir()] == [".locks"]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda writer: writer.array("names", np.array(["text"])), TypeError),
        (lambda writer: writer.array("scalar", np.array(1.0)), TypeError),
        (lambda writer: writer.attributes({"format": 2}), ValueError),
        (lambda writer: writer.attributes({"specification.name": "x"}), ValueError),
    ],
)
def test_what_could_not_be_checked_or_told_apart_is_refused(cache, call, error):
    with pytest.raises(error):
        cache.prepared("digits", {}, call, list, note=pytest.fail)


def test_attributes_and_specification_come_back_as_they_were(cache):
    attributes = {"text": "Größe", "empty": "", "n": -3, "x": 0.1, "yes": True, "json": '{"a": 1}', "odd": "a\udcff"}
    specification = {**SPECIFICATION, "list": [1, "é", None], "text": '["x"]', "odd": "\udcff", "ready": False}
    file = CacheFile(write(cache, attributes=attributes, specification=specification).path)
    assert file.attributes == attributes
    assert {name: type(value) for name, value in file.attributes.items()} == {
        name: type(value) for name, value in attributes.items()
    }
    assert file.specification == specification
    assert file.parts == ("train",)
    np.testing.assert_array_equal(file.array("zca/mean"), MEAN)


def test_plain_h5py_shows_every_part_of_the_specification_by_name_and_seals_it(cache):
    specification = SPECIFICATION | {"n": 3, "x": 0.5}
    path = write(cache, specification=specification).path
    with h5py.File(path, "r") as file:
        assert dict(file.attrs) == {
            "format": 4,
            "specification": json.dumps(specification, sort_keys=True, separators=(",", ":")).encode(),
            "specification.dataset": b"digits",
            "specification.n": 3,
            "specification.x": 0.5,
            "specification.preprocessing": b'{"epsilon":1e-05,"seed":3}',
            "specification.checksums": b'{"a":"ff"}',
            "name": b"digits",
            "ready": True,
            "arrays": json.dumps(DIGESTS, separators=(",", ":")).encode(),
            "sha256": file.attrs["sha256"],
        }
        assert not any(file.attrs.get_id(name).get_type().is_variable_str() for name in ("name", "specification"))
        found = {}
        file.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
        assert sorted(found) == ["train/images", "train/labels", "zca/mean"]
        assert path.read_bytes()[8] == 2  # the first superblock with a checksum


def test_the_same_data_give_the_same_bytes(tmp_path):
    first, second = (write(Cache(tmp_path / name)).path.read_bytes() for name in "ab")
    assert first == second


DIFFERENT = [
    {},
    {"dataset": "digit"},
    {"dataset": "digits"},
    {"dataset": "digits", "checksums": {"a": "00"}},
    {"dataset": "digits", "checksums": {"a": "01"}},
    {"dataset": "digits", "checksums": {"b": "00"}},
    {"dataset": "digits", "preprocessing": {"x": 1}},
    {"dataset": "digits", "preprocessing": {"x": 1.0}},
    {"dataset": "digits", "preprocessing": {"x": True}},
    {"dataset": "digits", "preprocessing": {"x": "1"}},
    {"dataset": "digits", "preprocessing": {"x": None}},
    {"dataset": "digits", "preprocessing": {"x": 0.1}},
    {"dataset": "digits", "preprocessing": {"x": 0.1 + 2**-56}},
]


def test_the_digest_differs_with_everything_in_the_specification_and_with_the_format(monkeypatch):
    digests = {digest(specification) for specification in DIFFERENT}
    monkeypatch.setattr("bdfa_np.data.cache.store.FORMAT", 5)
    digests |= {digest(specification) for specification in DIFFERENT}
    assert len(digests) == 2 * len(DIFFERENT)


def test_the_digest_is_the_sha256_of_canonical_json_in_every_process():
    # The expected value is what sha256sum says of {"checksums":{"a":"ff"},"dataset":"é","format":4,"x":1e-05}
    specification = {"x": 1e-5, "dataset": "é", "checksums": {"a": "ff"}}
    expected = "24bb533e2f94f86af1df68675287d502592e1b619d4cdc94305bf5ab97099b11"
    assert digest(specification) == expected
    code = f"from bdfa_np.data.cache.store import digest; print(digest({specification!r}))"
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-P", "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected


def test_the_formats_version_is_no_part_of_a_specification():
    with pytest.raises(ValueError, match="format"):
        digest({"format": 1})


def prepared_small(folder, note=pytest.fail):
    """Prepare the smallest file there can be, read all of it, and say whether it was there."""

    def build(writer):
        writer.images("train", SMALL.shape, SMALL.dtype, [SMALL], LABELS[:4])
        writer.array("P", MEAN[:3])
        writer.attributes({"name": "digits", "ready": True, "a": 1, "b": 2, "c": 3, "d": 4})

    def read(file):
        return *file.read_images("train"), file.array("P"), file.attributes, file.parts, file.hit

    return Cache(folder).prepared("digits", SPECIFICATION, build, read, note=note)


def check_after_damage(content, damaged):
    """Put damaged content in place: the right data must come back, after one note where they had to be made."""
    with tempfile.TemporaryDirectory() as folder:
        path = Cache(Path(folder)).path("digits", SPECIFICATION)
        path.write_bytes(damaged)
        notes = []
        images, labels, mean, attributes, parts, hit = prepared_small(Path(folder), notes.append)
        np.testing.assert_array_equal(images, SMALL)
        np.testing.assert_array_equal(labels, LABELS[:4])
        np.testing.assert_array_equal(mean, MEAN[:3])
        assert attributes == {"name": "digits", "ready": True, "a": 1, "b": 2, "c": 3, "d": 4}
        assert parts == ("train",)
        if hit:
            assert notes == []
        else:
            (line,) = notes
            assert line.startswith(f"{path} is damaged (")
            assert line.endswith("): preparing it anew")
            assert "\n" not in line
            assert path.read_bytes() == content
        assert {path.name for path in Path(folder).iterdir()} <= {path.name, ".locks"}
        return hit


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    prepared_small(folder)
    return Cache(folder).path("digits", SPECIFICATION).read_bytes()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_changed_byte_is_never_wrong_data(content, data):
    place = data.draw(st.integers(0, len(content) - 1))
    damaged = bytearray(content)
    damaged[place] ^= data.draw(st.integers(1, 255))
    check_after_damage(content, damaged)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_file_cut_short_is_made_anew(content, data):
    assert not check_after_damage(content, content[: data.draw(st.integers(0, len(content) - 1))])


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=3000), st.booleans())
def test_a_file_of_anything_is_made_anew(content, anything, keep_signature):
    assert not check_after_damage(content, content[:8] * keep_signature + anything)


def claim(path, claim_shape, **options):
    """Write a file that is right in all but what it says of its images."""
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        del file["train/images"]
        file["train"].create_dataset("images", claim_shape, "u1", **options)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((10**12, 100, 100), {"chunks": (10, 100, 100), "fletcher32": True}),
        ((10**12, 100, 100), {"chunks": (10, 100, 100), "compression": "lzf"}),
        ((2**40, 2**24), {"chunks": (1, 2**20)}),
        ((50, 4, 5, 3), {"chunks": (50, 4, 5, 3)}),
        ((50, 4, 5, 3), {}),
    ],
)
def test_images_that_are_only_claimed_take_no_memory_and_are_made_anew(cache, shape, options):
    path = write(cache).path
    claim(path, shape, **options)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"has only 0 of its|is packed with"):
        CacheFile(path).read_images("train")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


@pytest.mark.parametrize("values", [np.array([b"text"] * 50), np.zeros(50, "f8"), LABELS[:49], LABELS.reshape(25, 2)])
def test_labels_of_another_kind_are_damage(cache, values):
    path = write(cache).path
    with h5py.File(path, "r+") as file:
        del file["train/labels"]
        file["train/labels"] = values
    with pytest.raises(DataError, match="damaged"):
        CacheFile(path).read_images("train")


def test_text_in_place_of_numbers_is_damage(cache):
    path = write(cache).path
    with h5py.File(path, "r+") as file:
        del file["zca/mean"]
        file["zca/mean"] = ["text"] * 60
    with pytest.raises(DataError, match=r"damaged \(zca/mean are object"):
        CacheFile(path).array("zca/mean")


def test_an_array_that_is_missing_or_a_folder_is_damage(cache):
    file = write(cache)
    for name in ("zca", "zca/none"):
        with pytest.raises(DataError, match="damaged"):
            file.array(name)


def test_a_file_is_closed_between_two_reads(cache):
    before = h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_ALL)
    file = write(cache)
    assert (file.specification, file.parts) == (SPECIFICATION, ("train",))
    file.read_images("train")
    assert h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_ALL) == before
